/* pg_facts: see pg_facts.h.  Server and databases; tables are in pg_facts_tables.c. */
#include "source/pg_facts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "source/pg_facts_priv.h"

enum { CONNECT_S = 10 };

json_t *pg_facts_string(const char *s)
{
	json_t *j = json_string(s ? s : "");
	char *copy;

	if (j != NULL)
		return j;
	/* Of a database that takes any bytes for text. */
	copy = mem_strdup(s);
	for (char *p = copy; *p != '\0'; p++)
		*p = (unsigned char)*p < 128 ? *p : '?';
	j = json_string(copy);
	free(copy);
	return j;
}

json_t *pg_facts_number(const char *s)
{
	return json_integer(s ? (json_int_t)strtoll(s, NULL, 10) : 0);
}

static int take_setting(void *arg, const char *const *v, size_t n, struct err *e)
{
	if (n == 2 && v[0] != NULL && v[1] != NULL && strlen(v[1]) < 4096)
		json_object_set_new(arg, v[0], pg_facts_string(v[1]));
	return 0;
}

static int take_name(void *arg, const char *const *v, size_t n, struct err *e)
{
	json_array_append_new(arg, pg_facts_string(v[0]));
	return 0;
}

static int take_tablespace(void *arg, const char *const *v, size_t n, struct err *e)
{
	json_t *o = json_object();

	json_object_set_new(o, "oid", pg_facts_number(v[0]));
	json_object_set_new(o, "name", pg_facts_string(v[1]));
	json_object_set_new(o, "location", pg_facts_string(v[2]));
	json_array_append_new(arg, o);
	return 0;
}

static bool wanted(const struct pg_facts *f, const char *name)
{
	bool yes = f->p.only == NULL;

	for (size_t i = 0; !yes && i < f->p.nonly; i++)
		yes = strcmp(f->p.only[i], name) == 0;
	return yes;
}

/* The name is kept as it came, for connecting. */
static int take_database(void *arg, const char *const *v, size_t n, struct err *e)
{
	struct pg_facts *f = arg;
	json_t *o;

	if (!wanted(f, v[0]))
		return 0;
	o = json_object();
	json_object_set_new(o, "name", pg_facts_string(v[0]));
	json_object_set_new(o, "oid", pg_facts_number(v[1]));
	json_object_set_new(o, "bytes", v[2] ? pg_facts_number(v[2]) : json_null());
	json_array_append_new(json_object_get(f->out, "databases"), o);
	f->names = mem_realloc(f->names, (f->n + 1) * sizeof *f->names);
	f->names[f->n++] = mem_strdup(v[0]);
	return 0;
}

static int take_numbers(void *arg, const char *const *v, size_t n, struct err *e)
{
	json_object_set_new(arg, "logins", pg_facts_number(v[0]));
	json_object_set_new(arg, "memberships", pg_facts_number(v[1]));
	return 0;
}

static json_t *add(struct pg_facts *f, const char *key, json_t *value)
{
	json_object_set_new(f->out, key, value);
	return value;
}

static int gather_position(struct pg_facts *f, struct pg *g, const char *key, struct err *e)
{
	char *lsn;

	if (pg_text(g,
		"select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() "
		"else pg_current_wal_insert_lsn() end",
		NULL, 0, &lsn, e) == -1)
		return -1;
	add(f, key, pg_facts_string(lsn));
	free(lsn);
	return 0;
}

int pg_facts_snapshot(struct pg_facts *f, struct pg *g, struct err *e)
{
	char *text;

	if (pg_text(g,
		"select case when pg_snapshot_xmin(s) = pg_snapshot_xmax(s) "
		"then pg_snapshot_xmax(s)::text else '' end from pg_current_snapshot() s",
		NULL, 0, &text, e) == -1)
		return -1;
	if (f->next_xid == NULL) {
		f->next_xid = text;
		return 0;
	}
	f->moved |= text == NULL || strcmp(f->next_xid, text) != 0;
	free(text);
	return 0;
}

/* A standby's password stands in primary_conninfo. */
static int gather_server(struct pg_facts *f, struct pg *g, struct err *e)
{
	if (gather_position(f, g, "lsn", e) == -1)
		return -1;
	if (pg_query(g,
		"select name, setting from pg_settings where source not in ('default', 'client', "
		"'session', 'user', 'database', 'database user', 'global') and name !~ "
		"'(conninfo|passphrase)' order by name",
		NULL, 0, take_setting, add(f, "settings", json_object()), e) == -1 ||
	    pg_query(g, "select rolname from pg_roles where rolname !~ '^pg_' order by 1", NULL, 0,
		take_name, add(f, "roles", json_array()), e) == -1 ||
	    pg_query(g,
		"select (select count(*) from pg_roles where rolcanlogin), "
		"(select count(*) from pg_auth_members)",
		NULL, 0, take_numbers, f->out, e) == -1 ||
	    pg_query(g,
		"select oid, spcname, pg_tablespace_location(oid) from pg_tablespace "
		"where spcname not in ('pg_default', 'pg_global') order by oid",
		NULL, 0, take_tablespace, add(f, "tablespaces", json_array()), e) == -1)
		return -1;
	add(f, "databases", json_array());
	if (f->p.names &&
	    pg_query(g,
		"select datname from pg_database where not datallowconn or datistemplate order by "
		"datname",
		NULL, 0, take_name, add(f, "other_databases", json_array()), e) == -1)
		return -1;
	return pg_query(g,
	    "select datname, oid, case when has_database_privilege(oid, 'connect') "
	    "then pg_database_size(oid) end from pg_database "
	    "where datallowconn and not datistemplate order by datname",
	    NULL, 0, take_database, f, e);
}

/*
 * Whatever may be set for a role, a database or a server that changes how values, names and
 * definitions are written: what is compared with what another server says must not hang on it.
 */
static int pin(struct pg *g, struct err *e)
{
	/* What ends the connection, not the statement, would end a backup with it. */
	if (pg_version(g) >= 170000 &&
	    pg_query(g, "set transaction_timeout = 0", NULL, 0, NULL, NULL, e) == -1)
		return -1;
	return pg_query(g,
	    "set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres'; "
	    "set extra_float_digits = 1; set bytea_output = 'hex'; set xmlbinary = 'base64'; "
	    "set lc_monetary = 'C'; set lc_numeric = 'C'; set lc_time = 'C'; "
	    "set search_path = pg_catalog; set quote_all_identifiers = off; "
	    "set standard_conforming_strings = on; set row_security = on; "
	    "set statement_timeout = 0; set idle_in_transaction_session_timeout = 0",
	    NULL, 0, NULL, NULL, e);
}

/* Whoever goes on with a connection leaves no snapshot with it, which vacuum would have to spare.
 */
static int end_transaction(struct pg *g, struct err *e)
{
	return pg_query(g, "rollback", NULL, 0, NULL, NULL, e);
}

/* One database by its connection, or by the one that is in it anyway. */
static int gather_database(struct pg_facts *f, struct pg *here, size_t i, struct err *e)
{
	json_t *o = json_array_get(json_object_get(f->out, "databases"), i);
	const char *own = f->target->database ? f->target->database : "postgres";
	struct pg_target t = *f->target;
	struct pg *g = here;
	struct err ignored;
	int rc;

	t.database = f->names[i];
	if (strcmp(t.database, own) != 0 &&
	    pg_open_for(&t, false, CONNECT_S, f->ctx, &g, e) == -1) {
		/* Dropped, not for this role, or no connection left for it: the others are. */
		if (e->kind != ERR_DENIED && e->kind != ERR_ABSENT && e->kind != ERR_BUSY)
			return -1;
		*f->full |= e->kind == ERR_BUSY;
		json_object_set_new(o, "error", pg_facts_string(e->msg));
		return 0;
	}
	rc = pin(g, e);
	if (rc == 0)
		rc = pg_facts_tables(f, g, o, e);
	if (g != here)
		pg_close(g);
	else if (rc == 0)
		rc = end_transaction(g, e);
	else if (e->kind != ERR_TIMEOUT && e->kind != ERR_CANCELLED && e->kind != ERR_UNREACHABLE)
		end_transaction(g, &ignored);
	return rc == 0 ? 0 : err_wrap(e, "database %s", f->names[i]);
}

static int gather_all(struct pg_facts *f, struct pg *g, struct err *e)
{
	if (gather_server(f, g, e) == -1)
		return -1;
	for (size_t i = 0; i < f->n; i++)
		if (gather_database(f, g, i, e) == -1)
			return -1;
	return gather_position(f, g, "lsn_end", e);
}

int pg_facts_gather_by(struct pg *g, const struct pg_target *t, const struct pg_facts_params *p,
    json_t **out, bool *full, struct ctx *ctx, struct err *e)
{
	struct pg_facts f = {.target = t, .ctx = ctx, .out = json_object(), .full = full};
	int rc;

	*full = false;
	if (p != NULL)
		f.p = *p;
	f.count_until = pg_facts_now_ms() + (int64_t)f.p.count_s * 1000;
	rc = gather_all(&f, g, e);
	add(&f, "next_xid",
	    f.next_xid != NULL && f.next_xid[0] && !f.moved ? json_string(f.next_xid)
							    : json_null());
	free(f.next_xid);
	for (size_t i = 0; i < f.n; i++)
		free(f.names[i]);
	free(f.names);
	if (rc == -1) {
		json_decref(f.out);
		return err_wrap(e, "facts of PostgreSQL");
	}
	*out = f.out;
	return 0;
}

int pg_facts_gather(const struct pg_target *t, const struct pg_facts_params *p, json_t **out,
    struct ctx *ctx, struct err *e)
{
	struct pg *g;
	bool ignored;
	int rc;

	if (pg_open_for(t, false, CONNECT_S, ctx, &g, e) == -1)
		return err_wrap(e, "facts of PostgreSQL");
	rc = pg_facts_gather_by(g, t, p, out, &ignored, ctx, e);
	pg_close(g);
	return rc;
}
