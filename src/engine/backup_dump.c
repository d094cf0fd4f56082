/*
 * backup_dump: a server's databases as a part, as pg_dump of its version writes them
 * (source/pg_dump.h); and what they hold, as facts.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/backup_internal.h"
#include "engine/pg_binaries.h"
#include "source/pg_dump.h"
#include "source/pg_facts.h"

enum { CONNECT_S = 10, DUMP_CHUNK = 64 << 10 };

struct backup_dump_run {
	const struct backup_pg *pg;
	char *bin, *version;
	int number; /* of the version: 150018 */
	bool superuser;
	char **databases; /* that the server has and this role may see */
	size_t ndatabases;
	struct pg_dump_item *items; /* strings owned; the first is the globals */
	size_t n;
};

static int take_database(void *arg, const char *const *v, size_t n, struct err *e)
{
	struct backup_dump_run *run = arg;

	run->databases = mem_realloc(
	    run->databases, (run->ndatabases + 1) * sizeof *run->databases);
	run->databases[run->ndatabases++] = mem_strdup(v[0] ? v[0] : "");
	return 0;
}

static int ask(struct backup_dump_run *run, struct pg *g, struct err *e)
{
	char *super;

	run->number = pg_version(g);
	if (pg_text(g, "select rolsuper from pg_roles where rolname = current_user", NULL, 0,
		&super, e) == -1)
		return -1;
	run->superuser = super != NULL && super[0] == 't';
	free(super);
	if (pg_text(g, "select current_setting('server_version')", NULL, 0, &run->version, e) == -1)
		return -1;
	return pg_query(g,
	    "select datname from pg_database where datallowconn and not datistemplate "
	    "order by datname",
	    NULL, 0, take_database, run, e);
}

static bool has(const struct backup_dump_run *run, const char *name, size_t n)
{
	for (size_t i = 0; i < run->ndatabases; i++)
		if (strlen(run->databases[i]) == n && strncmp(run->databases[i], name, n) == 0)
			return true;
	return false;
}

static void add(struct backup_dump_run *run, char *database, char *schema)
{
	run->items = mem_realloc(run->items, (run->n + 1) * sizeof *run->items);
	run->items[run->n++] = (struct pg_dump_item){database, schema};
}

/* "DATABASE", though it may have dots, or "DATABASE.SCHEMA". */
static int choose(struct backup_dump_run *run, const char *what, struct err *e)
{
	if (strcmp(what, "*") == 0) {
		for (size_t i = 0; i < run->ndatabases; i++)
			add(run, mem_strdup(run->databases[i]), NULL);
		return 0;
	}
	if (has(run, what, strlen(what))) {
		add(run, mem_strdup(what), NULL);
		return 0;
	}
	for (const char *dot = strchr(what, '.'); dot != NULL; dot = strchr(dot + 1, '.'))
		if (dot[1] != '\0' && has(run, what, (size_t)(dot - what))) {
			add(run, mem_strndup(what, (size_t)(dot - what)), mem_strdup(dot + 1));
			return 0;
		}
	err_set(e, ERR_ABSENT, "dump: the server has no database %s", what);
	return err_hint(e, "DATABASE, DATABASE.SCHEMA, or '*' for all");
}

static int choose_all(struct backup_dump_run *run, struct err *e)
{
	add(run, NULL, NULL);
	for (size_t i = 0; i < run->pg->ndump; i++)
		if (choose(run, run->pg->dump[i], e) == -1)
			return -1;
	return 0;
}

int backup_dump_begin(struct backup *b, struct backup_part *part, struct err *e)
{
	struct backup_dump_run *run = part->dumping = mem_zalloc(sizeof *run);
	struct pg_dump_params p = {.target = part->dump->target};
	struct pg *g;
	int rc;

	/* It comes whole each time, and most of it is as it was. */
	writer_chunker_fine(b->repo, DUMP_CHUNK, &b->chunker);
	run->pg = part->dump;
	if (pg_open_for(run->pg->target, false, CONNECT_S, b->ctx, &g, e) == -1)
		return err_wrap(e, "PostgreSQL");
	rc = ask(run, g, e);
	pg_close(g);
	if (rc == -1 || choose_all(run, e) == -1)
		return err_wrap(e, "PostgreSQL");
	run->bin = pg_binaries_find(run->number / 10000, run->pg->bin_directory, e);
	if (run->bin == NULL)
		return err_wrap(e, "pg_dump");
	p.bin = run->bin;
	p.passwords = run->superuser;
	p.items = run->items;
	p.n = run->n;
	return source_pg_dump_open(&p, b->ctx, &b->source, e);
}

/* ---- What is said of it. */

static json_t *gather(struct backup *b, struct backup_dump_run *run)
{
	const char **only = mem_zalloc((run->n + 1) * sizeof *only);
	struct pg_facts_params p = {.exact_rows = run->pg->exact_rows,
	    .table_checksums = run->pg->table_checksums,
	    .only = only};
	json_t *o = NULL;
	struct err e;

	for (size_t i = 0; i < run->n; i++)
		if (run->items[i].database != NULL)
			only[p.nonly++] = run->items[i].database;
	if (pg_facts_gather(run->pg->target, &p, &o, b->ctx, &e) == -1) {
		event_emit(b->ctx, EVENT_WARNING, span_str(run->pg->part),
		    "its facts are not noted: %s", e.msg);
		o = json_object();
		json_object_set_new(o, "error", pg_facts_string(e.msg));
	}
	free(only);
	return o;
}

static json_t *dumps_json(const struct backup_dump_run *run)
{
	json_t *list = json_array();

	for (size_t i = 0; i < run->n; i++) {
		const struct pg_dump_item *x = &run->items[i];
		char *file = pg_dump_file(x);
		json_t *o = json_object();

		json_object_set_new(o, "file", pg_facts_string(file));
		if (x->database != NULL)
			json_object_set_new(o, "database", pg_facts_string(x->database));
		if (x->schema != NULL)
			json_object_set_new(o, "schema", pg_facts_string(x->schema));
		json_array_append_new(list, o);
		free(file);
	}
	return list;
}

/* Each that failed is told by itself; if none came there is nothing of it. */
int backup_dump_end(
    struct backup *b, struct backup_part *part, struct snapshot_part *out, struct err *e)
{
	struct backup_dump_run *run = part->dumping;
	json_t *o, *all;

	if (source_pg_dump_whole(b->source) == 0) {
		err_set(e, ERR_FAILED, "%s",
		    b->nerrors > 0 ? b->errors[b->nerrors - 1].message : "no dump came");
		return err_hint(e, "may this role read all of it? grant pg_read_all_data to it; "
				   "holdfast doctor postgresql tells more");
	}
	o = gather(b, run);
	json_object_set_new(o, "method", json_string("dump"));
	json_object_set_new(o, "version", json_string(run->version));
	json_object_set_new(o, "version_num", json_integer(run->number));
	json_object_set_new(o, "passwords", json_boolean(run->superuser));
	json_object_set_new(o, "dumps", dumps_json(run));
	all = json_object();
	json_object_set_new(all, "postgresql", o);
	out->facts = json_dumps(all, JSON_COMPACT);
	json_decref(all);
	return 0;
}

void backup_dump_free(struct backup_part *part)
{
	struct backup_dump_run *run = part->dumping;

	if (run == NULL)
		return;
	for (size_t i = 0; i < run->n; i++) {
		free((char *)(uintptr_t)run->items[i].database);
		free((char *)(uintptr_t)run->items[i].schema);
	}
	for (size_t i = 0; i < run->ndatabases; i++)
		free(run->databases[i]);
	free(run->databases);
	free(run->items);
	free(run->version);
	free(run->bin);
	free(run);
}
