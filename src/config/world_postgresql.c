/* world_postgresql: sources that are servers of PostgreSQL's, and of which kind each source is. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/secret_ref.h"
#include "config/world_load.h"
#include "config/world_tables.h"
#include "crypto/secret.h"

#define P(member) offsetof(struct world_postgresql, member)
#define R(member) offsetof(struct world_pg_receive, member)

/* clang-format off */
static const struct field receive_rows[] = {
    {"enabled", FIELD_FLAG, R(enabled), false, NULL, NULL, "does the daemon receive its WAL all the time?"},
    {"slot", FIELD_TEXT, R(slot), false, NULL, NULL, "the replication slot, made where it is not there; holdfast"},
    {"application", FIELD_TEXT, R(application), false, NULL, NULL, "the name in synchronous_standby_names; left out: the slot's"},
    {"synchronous", FIELD_FLAG, R(synchronous), false, NULL, NULL, "does a commit wait until its WAL is in the repository?"},
    {"every", FIELD_DURATION, R(every), false, NULL, NULL, "how long WAL of a segment that is not full may wait; 2s"},
    {"synchronous_wait", FIELD_DURATION, R(synchronous_wait), false, NULL, NULL, "for how long commits may wait while the repository is away"},
    {0},
};
static const struct field_table receive_table = {receive_rows, sizeof(struct world_pg_receive)};

static const struct field rows[] = {
    {"host", FIELD_TEXT, P(host), false, NULL, NULL, "a name, an address, or the folder of its socket; left out: libpq's own"},
    {"port", FIELD_COUNT, P(port), false, NULL, NULL, "5432"},
    {"user", FIELD_TEXT, P(user), false, NULL, NULL, "a role that may replicate, and call pg_backup_start"},
    {"password", FIELD_SECRET, P(password), false, NULL, NULL, "its password, by reference; left out: ~/.pgpass, or none is needed"},
    {"database", FIELD_TEXT, P(database), false, NULL, NULL, "the one to connect to; postgres"},
    {"sslmode", FIELD_TEXT, P(sslmode), false, NULL, NULL, "as libpq has it: disable, prefer, require, verify-ca, verify-full"},
    {"sslrootcert", FIELD_TEXT, P(sslrootcert), false, NULL, NULL, "the file of who signs its certificate"},
    {"method", FIELD_CHOICE, P(method), false, "direct|stream", NULL, "read its files here, or over its connection; left out: direct where it can be"},
    {"data_directory", FIELD_TEXT, P(data_directory), false, NULL, NULL, "where its files are here; left out: the server is asked"},
    {"bin_directory", FIELD_TEXT, P(bin_directory), false, NULL, NULL, "where its programs are, for recover --start and drills"},
    {"receive", FIELD_STRUCT, P(receive), false, NULL, &receive_table, "its WAL as it is written"},
    {"archived", FIELD_FLAG, P(archived), false, NULL, NULL, "does its archive_command bring its WAL here (holdfast log push %p)?"},
    {"spool_limit", FIELD_SIZE, P(spool_limit), false, NULL, NULL, "how much WAL waits here while the repository is away"},
    {"slot_warn", FIELD_SIZE, P(slot_warn), false, NULL, NULL, "how much WAL the slot may hold back before somebody is told"},
    {"table_checksums", FIELD_FLAG, P(table_checksums), false, NULL, NULL, "note one of each table's rows; reads them all"},
    {"exact_rows", FIELD_FLAG, P(exact_rows), false, NULL, NULL, "count the rows of large tables too; reads them all"},
    {"dump", FIELD_TEXTS, P(dump), false, NULL, NULL, "not its files but dumps by pg_dump: DATABASE, DATABASE.SCHEMA, '*' for all"},
    {"start", FIELD_TEXT, P(start), false, NULL, NULL, "how the server is started, for /bin/sh -c; left out: pg_ctl"},
    {"stop", FIELD_TEXT, P(stop), false, NULL, NULL, "how it is stopped"},
    {"restart", FIELD_TEXT, P(restart), false, NULL, NULL, "how it is started anew"},
    {0},
};
/* clang-format on */
const struct field_table world_postgresql_table = {rows, sizeof(struct world_postgresql)};

static struct world_source *source_at(struct world_system *s, size_t i)
{
	return (struct world_source *)s->sources.v + i;
}

/* Its node: the i-th of the system's list. */
static const struct node *node_of(const struct world *w, const struct world_system *s, size_t i)
{
	const struct node *n = node_get(node_get(w->tree, "systems"), s->item.name);

	for (n = node_get(n, "sources")->first; i > 0; i--)
		n = n->next;
	return n;
}

void world_imply_sources(struct world *w)
{
	static const char *const names[] = {
	    [WORLD_FILES] = "files", [WORLD_POSTGRESQL] = "postgresql", [WORLD_DUMP] = "dump"};

	for (size_t i = 0; i < w->systems.n; i++) {
		struct world_system *s = (struct world_system *)w->systems.v + i;

		for (size_t k = 0; k < s->sources.n; k++) {
			const struct node *n = node_of(w, s, k);
			struct world_source *src = source_at(s, k);

			if (node_get(n, "postgresql") != NULL)
				src->kind = src->postgresql.dump.n ? WORLD_DUMP : WORLD_POSTGRESQL;
			else if (node_get(n, "files") != NULL)
				src->kind = WORLD_FILES;
			if (src->part == NULL && src->kind)
				src->part = mem_strdup(names[src->kind]);
		}
	}
}

/* ---- Mistakes. */

static int wrong(const struct node *at, const char *key, struct err *e, const char *what)
{
	const struct node *n = node_get(at, key);

	return node_fail(n ? n->at : at->at, e, "%s: %s", key, what);
}

static int check_paths(const struct world_postgresql *p, const struct node *at, struct err *e)
{
	if (p->data_directory != NULL && p->data_directory[0] != '/')
		return wrong(at, "data_directory", e, "this is not an absolute path");
	if (p->bin_directory != NULL && p->bin_directory[0] != '/')
		return wrong(at, "bin_directory", e, "this is not an absolute path");
	if (p->sslrootcert != NULL && p->sslrootcert[0] != '/')
		return wrong(at, "sslrootcert", e, "this is not an absolute path");
	return 0;
}

static int check_slot(const struct world_pg_receive *r, const struct node *at, struct err *e)
{
	if (r->slot != NULL &&
	    (strlen(r->slot) > 63 ||
		r->slot[strspn(r->slot, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0')) {
		wrong(at, "slot", e, "this is no name of a slot");
		return err_hint(e, "lower-case letters, digits and '_', at most 63");
	}
	if (r->enabled)
		return 0;
	if (r->synchronous) {
		wrong(at, "synchronous", e, "without a receiver no commit is acknowledged");
		return err_hint(e, "enabled: yes");
	}
	if (r->slot || r->application || r->synchronous_wait.ns || r->synchronous_wait.months) {
		node_fail(at->at, e, "receive: nothing is received without enabled");
		return err_hint(e, "enabled: yes; or leave receive out");
	}
	return 0;
}

static int check_receive(const struct world_postgresql *p, const struct node *at, struct err *e)
{
	const struct world_pg_receive *r = &p->receive;
	const struct node *n = node_get(at, "receive");

	if (n != NULL && check_slot(r, n, e) == -1)
		return -1;
	if (r->synchronous_wait.months)
		return wrong(n, "synchronous_wait", e, "this is not said in months");
	if (!r->synchronous && r->synchronous_wait.ns)
		return wrong(n, "synchronous_wait", e, "no commit waits without synchronous: yes");
	if (p->spool_limit != 0 && p->spool_limit < 32 << 20) {
		wrong(at, "spool_limit", e, "two segments of WAL are more");
		return err_hint(e, "at least 32MiB, better some GiB");
	}
	return 0;
}

/* Dumps are of what the server answers, and of nothing that lies around it. */
static int check_dump(const struct world_postgresql *p, const struct node *at, struct err *e)
{
	static const char *const others[] = {"method", "data_directory", "receive", "archived",
	    "spool_limit", "slot_warn", "start", "stop", "restart"};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (node_get(at, others[i]) != NULL) {
			wrong(at, others[i], e, "a source of dumps has no use for it");
			return err_hint(e, "its files are another source: a '-' of its own");
		}
	for (size_t i = 0; i < p->dump.n; i++)
		if (p->dump.v[i][0] == '.' || p->dump.v[i][strlen(p->dump.v[i]) - 1] == '.')
			return wrong(at, "dump", e, "it is DATABASE, or DATABASE.SCHEMA");
	return 0;
}

static int check_server(const struct world_postgresql *p, const struct node *at, struct err *e)
{
	static const char *const modes[] = {
	    "disable", "allow", "prefer", "require", "verify-ca", "verify-full"};
	size_t i = 0;

	while (p->sslmode && i < 6 && strcmp(modes[i], p->sslmode) != 0)
		i++;
	if (i == 6) {
		wrong(at, "sslmode", e, "there is no such mode");
		return err_hint(e, "it can be disable, allow, prefer, require, verify-ca or "
				   "verify-full");
	}
	if (p->port > 65535)
		return wrong(at, "port", e, "ports end at 65535");
	if (p->method == WORLD_PG_STREAM && p->data_directory != NULL) {
		wrong(at, "data_directory", e, "method: stream reads no files here");
		return err_hint(e, "leave one of both out");
	}
	if (check_paths(p, at, e) == -1 || (p->dump.n && check_dump(p, at, e) == -1))
		return -1;
	return check_receive(p, at, e);
}

/* Its part is a folder's name in the snapshot. */
static int check_part(const struct world_system *s, size_t i, const struct node *at, struct err *e)
{
	const char *part = world_source_at(s, i)->part;
	bool files = world_source_at(s, i)->kind == WORLD_FILES;

	if (strlen(part) > 64 || part[0] == '.' ||
	    part[strspn(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			      "0123456789._-")] != '\0') {
		wrong(at, "part", e, "this is no name of a part");
		return err_hint(e, "letters, digits, '.', '_', '-', at most 64");
	}
	for (size_t k = 0; k < i; k++) {
		const struct world_source *o = world_source_at(s, k);

		if (strcmp(o->part, part) != 0 || (files && o->kind == WORLD_FILES))
			continue; /* files are one part together */
		node_fail(at->at, e, "%s has two sources called '%s'", s->item.name, part);
		return err_hint(e, "give one of them another name: part: NAME");
	}
	return 0;
}

int world_check_source(const struct world *w, const struct world_system *s, size_t i, struct err *e)
{
	const struct world_source *src = world_source_at(s, i);
	const struct node *at = node_of(w, s, i), *pg = node_get(at, "postgresql");

	if (src->kind == 0) {
		node_fail(src->item.at, e, "a source of nothing");
		return err_hint(e, "it is one of files, postgresql");
	}
	if (pg != NULL && node_get(at, "files") != NULL) {
		node_fail(pg->name_at, e, "a source is files or postgresql, not both");
		return err_hint(e, "put a '-' in front of each: two sources");
	}
	if (check_part(s, i, at, e) == -1)
		return -1;
	return pg ? check_server(&src->postgresql, pg, e) : 0;
}

/* ---- Connecting. */

int world_postgresql_place(
    const struct world_postgresql *p, struct world_pg_place *out, struct err *e)
{
	size_t n = 0;

	*out = (struct world_pg_place){0};
	if (p->password != NULL && secret_ref_read(p->password, &out->password, &n, e) == -1)
		return err_wrap(e, "password of PostgreSQL");
	if (out->password != NULL) { /* its first line */
		out->password[n < SECRET_REF_MAX ? n : SECRET_REF_MAX - 1] = '\0';
		out->password[strcspn(out->password, "\r\n")] = '\0';
	}
	if (p->port != 0)
		snprintf(out->port, sizeof out->port, "%u", p->port);
	out->target = (struct pg_target){.host = p->host,
	    .port = p->port ? out->port : NULL,
	    .user = p->user,
	    .password = out->password,
	    .database = p->database,
	    .sslmode = p->sslmode,
	    .sslrootcert = p->sslrootcert};
	return 0;
}

void world_pg_place_fini(struct world_pg_place *place)
{
	secret_free(place->password);
	*place = (struct world_pg_place){0};
}

bool world_postgresql_log(const struct world_postgresql *p)
{
	return p->receive.enabled || p->archived;
}

const char *world_postgresql_slot(const struct world_postgresql *p)
{
	return p->receive.slot ? p->receive.slot : "holdfast";
}
