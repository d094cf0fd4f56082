/* pg_facts_tables: the tables of one database, from one snapshot of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hex.h"
#include "base/mem.h"
#include "crypto/blake3.h"
#include "os/os.h"
#include "source/pg_facts_priv.h"

enum { BATCH = 50, COUNT_S = 24 * 3600, MARGIN_S = 60, HASH = 16 };

struct table {
	char *name; /* quoted, with its schema */
	uint64_t bytes;
	bool readable, unlogged;
	json_t *o; /* borrowed */
};

struct tables {
	struct pg_facts *f;
	json_t *list;
	struct table *v;
	size_t n;
	struct blake3 *hash;
	/* Of the batch that is counted. */
	const size_t *batch;
	size_t nbatch;
};

#define OURS                                                                                       \
	"n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') "                       \
	"and n.nspname !~ '^pg_(toast_)?temp_'"

/*
 * Never more than statistics say, which know of a deletion at once; nothing where it was never
 * analysed (-1): what they say alone is lost with them.
 */
static const char tables_sql[] =
    "select n.nspname, c.relname, pg_relation_size(c.oid), "
    "case when c.reltuples >= 0 then least(c.reltuples::int8, "
    "nullif(pg_stat_get_live_tuples(c.oid), 0)) end, "
    "c.relpersistence = 'u', "
    "has_table_privilege(c.oid, 'select') and has_schema_privilege(n.oid, 'usage') and "
    "(not c.relrowsecurity or pg_catalog.row_security_active(c.oid) is false), "
    "format('%I.%I', n.nspname, c.relname) "
    "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
    "where c.relkind in ('r', 'm') and " OURS
    " order by n.nspname collate \"C\", c.relname collate \"C\"";

/* Whatever else has a name that can be asked for, and schemas with nothing of it. */
static const char others_sql[] =
    "select n.nspname, c.relname from pg_namespace n left join pg_class c "
    "on c.relnamespace = n.oid and c.relkind in ('p', 'v', 'S', 'f') where " OURS " order by 1, 2";

/* Whatever makes the shape of what is stored; by names, not by numbers, which a dump changes. */
static const char schema_sql[] =
    "select k, d from ("
    "select 'r' k, format('%I.%I %s %s', n.nspname, c.relname, c.relkind, c.relpersistence) d "
    "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
    "where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and " OURS
    " union all select 'a', format('%I.%I %s %I %s %s %s', n.nspname, c.relname, a.attnum, "
    "a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, "
    "pg_get_expr(d.adbin, d.adrelid)) "
    "from pg_attribute a join pg_class c on c.oid = a.attrelid "
    "join pg_namespace n on n.oid = c.relnamespace "
    "left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum "
    "where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'v', 'm', 'f') and " OURS
    " union all select 'c', format('%I %I %s %s', n.nspname, o.conname, o.conrelid::regclass, "
    "pg_get_constraintdef(o.oid)) from pg_constraint o "
    "join pg_namespace n on n.oid = o.connamespace where " OURS
    " union all select 'i', pg_get_indexdef(i.indexrelid) from pg_index i "
    "join pg_class c on c.oid = i.indexrelid "
    "join pg_namespace n on n.oid = c.relnamespace where " OURS ") x order by k, d collate \"C\"";

/* How many there are of each kind: what became fewer is told, by numbers that are small. */
static const char objects_sql[] =
    "select 'schemas', count(*) from pg_namespace n where " OURS
    " union all select case c.relkind when 'v' then 'views' when 'S' then 'sequences' else "
    "'indexes' end, count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace "
    "where c.relkind in ('v', 'S', 'i', 'I') and " OURS " group by 1"
    " union all select 'functions', count(*) from pg_proc p "
    "join pg_namespace n on n.oid = p.pronamespace where " OURS
    " union all select 'triggers', count(*) from pg_trigger t join pg_class c on c.oid = t.tgrelid "
    "join pg_namespace n on n.oid = c.relnamespace where not t.tgisinternal and " OURS
    " union all select 'constraints', count(*) from pg_constraint o "
    "join pg_namespace n on n.oid = o.connamespace where " OURS
    " union all select 'types', count(*) from pg_type t "
    "join pg_namespace n on n.oid = t.typnamespace where t.typtype in ('e', 'd', 'r') and " OURS
    " union all select 'grants', coalesce(sum(cardinality(c.relacl)), 0) from pg_class c "
    "join pg_namespace n on n.oid = c.relnamespace where " OURS
    " union all select 'policies', count(*) from pg_policy"
    " union all select 'extensions', count(*) from pg_extension"
    " union all select 'publications', count(*) from pg_publication"
    " union all select 'event triggers', count(*) from pg_event_trigger"
    " union all select 'large objects', count(*) from pg_largeobject_metadata";

static int take_object(void *arg, const char *const *v, size_t n, struct err *e)
{
	if (n == 2 && v[0] != NULL)
		json_object_set_new(arg, v[0], pg_facts_number(v[1]));
	return 0;
}

struct others {
	json_t *schemas, *list;
	char *last; /* schema */
};

static int take_other(void *arg, const char *const *v, size_t n, struct err *e)
{
	struct others *x = arg;

	if (x->last == NULL || strcmp(x->last, v[0]) != 0) {
		json_array_append_new(x->schemas, pg_facts_string(v[0]));
		free(x->last);
		x->last = mem_strdup(v[0]);
	}
	if (v[1] != NULL) {
		json_t *pair = json_array();

		json_array_append_new(pair, pg_facts_string(v[0]));
		json_array_append_new(pair, pg_facts_string(v[1]));
		json_array_append_new(x->list, pair);
	}
	return 0;
}

static int gather_others(struct pg *g, json_t *database, struct err *e)
{
	struct others x = {json_array(), json_array(), NULL};
	int rc = pg_query(g, others_sql, NULL, 0, take_other, &x, e);

	json_object_set_new(database, "schemas", x.schemas);
	json_object_set_new(database, "others", x.list);
	free(x.last);
	return rc;
}

static int take_schema(void *arg, const char *const *v, size_t n, struct err *e)
{
	struct tables *t = arg;

	for (size_t i = 0; i < n; i++) /* with what ends each text */
		blake3_add(t->hash, span_of(v[i] ? v[i] : "", (v[i] ? strlen(v[i]) : 0) + 1));
	return 0;
}

static int take_table(void *arg, const char *const *v, size_t n, struct err *e)
{
	struct tables *t = arg;
	struct table *x;
	json_t *o = json_object();

	t->v = mem_realloc(t->v, (t->n + 1) * sizeof *t->v);
	x = &t->v[t->n++];
	*x = (struct table){.name = mem_strdup(v[6]),
	    .bytes = v[2] ? strtoull(v[2], NULL, 10) : 0,
	    .unlogged = v[4] != NULL && v[4][0] == 't',
	    .readable = v[5] != NULL && v[5][0] == 't',
	    .o = o};
	json_object_set_new(o, "schema", pg_facts_string(v[0]));
	json_object_set_new(o, "name", pg_facts_string(v[1]));
	json_object_set_new(o, "bytes", json_integer((json_int_t)x->bytes));
	if (x->unlogged)
		json_object_set_new(o, "unlogged", json_true());
	else {
		json_object_set_new(o, "rows", v[3] ? pg_facts_number(v[3]) : json_null());
		json_object_set_new(o, "exact", json_false());
	}
	json_array_append_new(t->list, o);
	return 0;
}

static int take_count(void *arg, const char *const *v, size_t n, struct err *e)
{
	struct tables *t = arg;
	size_t i = v[0] ? strtoul(v[0], NULL, 10) : t->nbatch;
	json_t *o;

	if (i >= t->nbatch || v[1] == NULL)
		return err_set(e, ERR_FAILED, "an answer that was not expected");
	o = t->v[t->batch[i]].o;
	json_object_set_new(o, "rows", pg_facts_number(v[1]));
	json_object_set_new(o, "exact", json_true());
	if (v[2] != NULL)
		json_object_set_new(o, "checksum", pg_facts_string(v[2]));
	return 0;
}

/* Some at once, in one statement; who holds one of them leaves the batch estimated. */
static int count_batch(struct tables *t, struct pg *g, struct err *e)
{
	const char *sum = t->f->p.table_checksums
			      ? "coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text"
			      : "null::text";
	struct buf sql = {0};
	struct err why;
	int rc;

	if (t->nbatch == 0)
		return 0;
	for (size_t i = 0; i < t->nbatch; i++)
		buf_printf(&sql, "%sselect %zu, count(*), %s from only %s t",
		    i ? " union all " : "", i, sum, t->v[t->batch[i]].name);
	rc = pg_query(g, "savepoint counting", NULL, 0, NULL, NULL, e);
	if (rc == 0 && pg_query(g, buf_cstr(&sql), NULL, 0, take_count, t, &why) == -1) {
		if (why.kind == ERR_UNREACHABLE || why.kind == ERR_TIMEOUT ||
		    why.kind == ERR_CANCELLED) {
			*e = why;
			rc = -1;
		} else {
			rc = pg_query(g, "rollback to savepoint counting", NULL, 0, NULL, NULL, e);
		}
	}
	buf_fini(&sql);
	return rc;
}

/* Is it small enough, or all wanted? */
static bool counts(struct pg_facts *f, const struct table *x)
{
	if (x->unlogged || !x->readable)
		return false;
	if (f->p.exact_rows || f->p.table_checksums)
		return true;
	return x->bytes <= PG_FACTS_SMALL && f->counted + x->bytes <= PG_FACTS_COUNTED;
}

static int count(struct tables *t, struct pg *g, struct err *e)
{
	size_t batch[BATCH];

	t->batch = batch;
	t->nbatch = 0;
	for (size_t i = 0; i < t->n; i++) {
		if (!counts(t->f, &t->v[i]))
			continue;
		t->f->counted += t->v[i].bytes;
		batch[t->nbatch++] = i;
		if (t->nbatch < BATCH)
			continue;
		if (count_batch(t, g, e) == -1)
			return -1;
		t->nbatch = 0;
	}
	return count_batch(t, g, e);
}

int64_t pg_facts_now_ms(void)
{
	struct clock *clock = os_clock();

	return clock->mono_ns(clock) / 1000000;
}

static int by_bytes(const void *a, const void *b)
{
	const struct table *x = a, *y = b;

	return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* One after the other, as long as there is time: one that takes too long stays estimated. */
static int count_larger(struct tables *t, struct pg *g, struct err *e)
{
	qsort(t->v, t->n, sizeof *t->v, by_bytes);
	t->nbatch = 1;
	for (size_t i = 0; i < t->n; i++) {
		int64_t left = t->f->count_until - pg_facts_now_ms();
		char sql[80];

		if (left <= 0)
			break;
		if (t->v[i].unlogged || !t->v[i].readable ||
		    json_is_true(json_object_get(t->v[i].o, "exact")))
			continue;
		snprintf(sql, sizeof sql, "set local statement_timeout = %lld", (long long)left);
		t->batch = &i;
		if (pg_query(g, sql, NULL, 0, NULL, NULL, e) == -1 || count_batch(t, g, e) == -1)
			return -1;
	}
	return 0;
}

int pg_facts_tables(struct pg_facts *f, struct pg *g, json_t *database, struct err *e)
{
	struct tables t = {.f = f, .list = json_array(), .hash = blake3_new()};
	json_t *objects = json_object();
	uint8_t hash[BLAKE3_OUT];
	char hex[2 * HASH + 1];
	int rc, patience = 0;

	json_object_set_new(database, "objects", objects);
	json_object_set_new(database, "tables", t.list);
	if (f->p.exact_rows || f->p.table_checksums)
		patience = pg_patience(g, COUNT_S);
	else if (f->p.count_s > 0)
		patience = pg_patience(g, f->p.count_s + MARGIN_S);
	rc = pg_query(g,
	    "begin isolation level repeatable read read only; set local lock_timeout = '1s'", NULL,
	    0, NULL, NULL, e);
	if (rc == 0)
		rc = pg_facts_snapshot(t.f, g, e);
	if (rc == 0)
		rc = pg_query(g, schema_sql, NULL, 0, take_schema, &t, e);
	if (rc == 0)
		rc = pg_query(g, objects_sql, NULL, 0, take_object, objects, e);
	if (rc == 0 && f->p.names)
		rc = gather_others(g, database, e);
	if (rc == 0)
		rc = pg_query(g, tables_sql, NULL, 0, take_table, &t, e);
	if (rc == 0)
		rc = count(&t, g, e);
	if (rc == 0 && f->p.count_s > 0)
		rc = count_larger(&t, g, e);
	if (patience != 0)
		pg_patience(g, patience); /* it may be another's connection */
	blake3_end(t.hash, hash);
	blake3_free(t.hash);
	json_object_set_new(database, "schema_hash", json_string(hex_encode(hex, hash, HASH)));
	for (size_t i = 0; i < t.n; i++)
		free(t.v[i].name);
	free(t.v);
	return rc;
}
