/*
 * recover_known: is what is wanted of a database known not to be there?
 *
 * The base backup noted the names that there were.  What it has not may have been made or renamed
 * since: a transaction that did so tells of it in the log, by the changes of catalogs that others
 * have to be told of.  Some that did not tell of it, too, as those that only analysed a table.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "engine/recover_internal.h"
#include "engine/recover_only.h"
#include "source/pg_label.h"

/* ---- What was noted. */

static const char *text_at(const json_t *list, size_t i)
{
	const char *s = json_string_value(json_array_get(list, i));

	return s ? s : "";
}

static bool lists(const json_t *list, const char *name)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (strcmp(text_at(list, i), name) == 0)
			return true;
	return false;
}

/* Another character set may have it in other bytes, and then it is not found. */
static bool is_plain(const char *s)
{
	for (; s != NULL && *s; s++)
		if ((unsigned char)*s >= 128)
			return false;
	return true;
}

/* PostgreSQL's own are not noted. */
static bool is_own(const char *schema)
{
	return strncmp(schema, "pg_", 3) == 0 || strcmp(schema, "information_schema") == 0;
}

static const json_t *database_of(const json_t *facts, const char *name, struct buf *like)
{
	const json_t *list = json_object_get(facts, "databases");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *is = recover_fact_text(json_array_get(list, i), "name");

		if (is != NULL && strcmp(is, name) == 0) {
			buf_reset(like);
			return json_array_get(list, i);
		}
		if (is != NULL && like->n < 200)
			buf_printf(like, "%s%s", like->n ? ", " : "", is);
	}
	return NULL;
}

struct seeking {
	const struct recover_names *names;
	struct buf *like;
	bool found;
};

static void look_at(struct seeking *s, const char *schema, const char *name)
{
	const struct recover_names *n = s->names;
	bool here = strcmp(schema, n->schema) == 0;

	s->found |= here && strcmp(name, n->table) == 0;
	if (strcasecmp(name, n->table) == 0 && s->like->n == 0)
		buf_printf(s->like, "%s.%s", schema, name);
}

static bool has_table(const json_t *database, const struct recover_names *n, struct buf *like)
{
	const json_t *tables = json_object_get(database, "tables");
	const json_t *others = json_object_get(database, "others");
	struct seeking s = {n, like, false};

	for (size_t i = 0; i < json_array_size(tables); i++) {
		const json_t *t = json_array_get(tables, i);
		const char *schema = recover_fact_text(t, "schema");
		const char *name = recover_fact_text(t, "name");

		if (schema != NULL && name != NULL)
			look_at(&s, schema, name);
	}
	for (size_t i = 0; i < json_array_size(others); i++) {
		const json_t *pair = json_array_get(others, i);

		look_at(&s, text_at(pair, 0), text_at(pair, 1));
	}
	return s.found;
}

static bool has_schema(const json_t *database, const char *name, struct buf *like)
{
	const json_t *list = json_object_get(database, "schemas");

	for (size_t i = 0; i < json_array_size(list); i++)
		if (like->n < 200)
			buf_printf(like, "%s%s", i ? ", " : "", text_at(list, i));
	return lists(list, name);
}

enum recover_known recover_known(
    const json_t *facts, const struct recover_names *n, uint32_t *db, struct buf *like)
{
	const json_t *others = json_object_get(facts, "other_databases"), *o;

	*db = 0;
	buf_reset(like);
	if (!json_is_array(others) || !json_is_array(json_object_get(facts, "databases")) ||
	    lists(others, n->database))
		return RECOVER_NOT_SAID;
	if ((o = database_of(facts, n->database, like)) == NULL)
		return is_plain(n->database) ? RECOVER_NOT_THERE : RECOVER_NOT_SAID;
	*db = (uint32_t)recover_fact_number(o, "oid");
	if (n->schema == NULL)
		return RECOVER_THERE;
	/* One that the role may not connect to has none of them. */
	if (*db == 0 || is_own(n->schema) || !json_is_array(json_object_get(o, "tables")) ||
	    !json_is_array(json_object_get(o, "schemas")) ||
	    !json_is_array(json_object_get(o, "others")))
		return RECOVER_NOT_SAID;
	if (n->table ? has_table(o, n, like) : has_schema(o, n->schema, like))
		return RECOVER_THERE;
	return is_plain(n->schema) && is_plain(n->table) ? RECOVER_NOT_THERE : RECOVER_NOT_SAID;
}

/* ---- What became of it. */

struct looking {
	const struct recover_plan *pl;
	uint32_t db;
	uint64_t from; /* what had committed before is in what was noted */
	bool changed;
	uint64_t end;
};

/* Where no transaction ran while they were noted, they have all that was before; else who knows. */
static uint64_t noted_from(const json_t *facts)
{
	const char *lsn = recover_fact_text(facts, "lsn");
	uint64_t at;

	return json_is_string(json_object_get(facts, "next_xid")) && lsn != NULL &&
		       pg_lsn_parse(lsn, &at)
		   ? at
		   : 0;
}

static int look_for_change(void *arg, const struct wal_record *r, struct err *e)
{
	struct looking *l = arg;
	struct wal_xact x = {.commit = false};
	int rc;

	if (r->lsn >= l->pl->stop)
		return 0;
	l->end = r->end;
	if (r->lsn < l->from)
		return 0;
	if ((rc = wal_xact_of(r, &x, e)) == 0 || (rc == 1 && !x.commit))
		return 0;
	l->changed |= rc == -1 || wal_xact_changes(&x, 0) || wal_xact_changes(&x, l->db);
	return l->changed ? err_set(e, ERR_CANCELLED, "found") : 0;
}

/* Can the log have made it? */
static int may_come(struct recovering *g, uint32_t db, bool *may, struct err *e)
{
	struct recover_log log = {g->repo, g->pl.reader, &g->pl.reach, g->pl.segment, g->ctx};
	struct looking l = {.pl = &g->pl, .db = db, .from = noted_from(g->pl.facts)};
	int rc = recover_scan_records(&log, look_for_change, &l, e);

	/* A log that could not be read to the base backup's end tells nothing. */
	*may = l.changed || l.end < g->pl.base->end;
	return rc == -1 && !l.changed ? -1 : 0;
}

static int not_there(
    const struct recovering *g, uint32_t db, const char *what, const char *like, struct err *e)
{
	const struct recover_names *n = g->p->only;

	err_set(e, ERR_ABSENT,
	    "%s is not there: the base backup noted all names, and the log up to the target makes "
	    "no other",
	    what);
	if (db == 0)
		return err_hint(e, "capitals count; the databases are %s", like);
	if (n->table == NULL)
		return err_hint(e, "capitals count; the schemas of %s are %s", n->database, like);
	return err_hint(e, "%s%s%s", like[0] ? "there is " : "capitals count: a name is written ",
	    like[0] ? like : "as it is there", like[0] ? ": capitals count" : "");
}

int recover_check_only(struct recovering *g, struct err *e)
{
	const struct recover_names *n = g->p->only;
	struct buf like = {0};
	uint32_t db;
	bool may = true;
	char *what;
	int rc = 0;

	if (n == NULL || recover_known(g->pl.facts, n, &db, &like) != RECOVER_NOT_THERE) {
		buf_fini(&like);
		return 0;
	}
	what = db == 0            ? mem_printf("database %s", n->database)
	       : n->table == NULL ? mem_printf("schema %s of %s", n->schema, n->database)
				  : mem_printf("%s.%s of %s", n->schema, n->table, n->database);
	if (may_come(g, db, &may, e) == -1)
		rc = -1;
	else if (!may)
		rc = not_there(g, db, what, buf_cstr(&like), e);
	else if (!g->p->look) /* which is a second attempt */
		event_emit(g->ctx, EVENT_WARNING, span_of(NULL, 0),
		    "%s is not among what the base backup noted%s%.200s: only if the log made or "
		    "renamed it is it there, which is known when all is recovered",
		    what, like.n ? "; there is " : "", buf_cstr(&like));
	buf_fini(&like);
	free(what);
	return rc;
}
