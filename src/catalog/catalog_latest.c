/*
 * catalog_latest: what is shown of each system and kind of run, kept up to date as runs end, so
 * that nobody counts a hundred thousand of them for it.
 */
#include "catalog/catalog_internal.h"

#define AT(type, member) type, offsetof(struct run_latest, member)

static const struct catalog_column columns[] = {
    {"system", AT(COLUMN_TEXT, system)},
    {"kind", AT(COLUMN_TEXT, kind)},
    {"last_id", AT(COLUMN_INT, last_id)},
    {"success_id", AT(COLUMN_INT, success_id)},
    {"last_status", AT(COLUMN_STATUS, last_status)},
    {"last_ended_ns", AT(COLUMN_INT, last_ended_ns)},
    {"success_started_ns", AT(COLUMN_INT, success_started_ns)},
    {"success_ended_ns", AT(COLUMN_INT, success_ended_ns)},
    {"message", AT(COLUMN_TEXT, message)},
    {"snapshot", AT(COLUMN_TEXT, snapshot)},
    {"bytes", AT(COLUMN_U64, bytes)},
    {"stored", AT(COLUMN_U64, stored)},
    {"files", AT(COLUMN_U64, files)},
    {"runs", AT(COLUMN_U64, runs)},
    {"failures", AT(COLUMN_U64, failures)},
    {"failed_in_row", AT(COLUMN_SMALL, failed_in_row)},
    {NULL},
};

/* Runs may end, or be noted, in another order than they were begun: the later end counts. */
#define NEWER  "excluded.last_ended_ns >= l.last_ended_ns"
#define BETTER "excluded.success_id <> 0 AND excluded.success_ended_ns >= l.success_ended_ns"
#define TAKE(when, column)                                                                         \
	column " = CASE WHEN " when " THEN excluded." column " ELSE l." column " END"

int catalog_latest_note(struct catalog *c, int64_t id, struct err *e)
{
	static const char sql[] =
	    "WITH r AS (SELECT *, CASE WHEN status IN ('completed', 'problems') THEN 1 ELSE 0 END "
	    "AS good FROM run WHERE id = ?1 AND status IN "
	    "('completed', 'problems', 'failed', 'interrupted')) "
	    "INSERT INTO run_latest AS l (system, kind, last_id, success_id, last_status, "
	    "last_ended_ns, success_started_ns, success_ended_ns, message, snapshot, bytes, "
	    "stored, files, runs, failures, failed_in_row) "
	    "SELECT system, kind, id, good * id, status, ended_ns, good * started_ns, "
	    "good * ended_ns, message, CASE WHEN good = 1 THEN snapshot END, good * bytes, "
	    "good * stored, good * files, 1, 1 - good, 1 - good FROM r WHERE 1 = 1 "
	    "ON CONFLICT (system, kind) DO UPDATE SET "
	    "runs = l.runs + 1, failures = l.failures + excluded.failures, "
	    "failed_in_row = CASE WHEN NOT (" NEWER ") THEN l.failed_in_row "
	    "WHEN excluded.failures = 0 THEN 0 ELSE l.failed_in_row + 1 END, " TAKE(
		NEWER, "last_id") ", " TAKE(NEWER, "last_status") ", " TAKE(NEWER,
		"message") ", " TAKE(BETTER, "success_id") ", " TAKE(BETTER,
		"success_started_ns") ", " TAKE(BETTER, "snapshot") ", " TAKE(BETTER,
		"bytes") ", " TAKE(BETTER, "stored") ", " TAKE(BETTER, "files") ", " TAKE(BETTER,
		"success_ended_ns") ", " TAKE(NEWER, "last_ended_ns");
	struct db_value v = db_int(id);

	return db_run(c->db, sql, &v, 1, NULL, NULL, e);
}

struct listing {
	run_latest_row *each;
	void *arg;
	struct buf texts;
};

static int row(void *arg, const struct db_value *v, size_t n, struct err *e)
{
	struct listing *l = arg;
	struct run_latest x = {0};

	catalog_read(columns, v, &x, &l->texts);
	return l->each(l->arg, &x, e);
}

int run_latest(
    struct catalog *c, const char *system, run_latest_row *each, void *arg, struct err *e)
{
	struct listing l = {.each = each, .arg = arg};
	struct db_value v = db_text(system);
	struct buf sql = {0};
	int rc;

	buf_printf(&sql, "SELECT ");
	catalog_names(&sql, columns);
	buf_printf(
	    &sql, " FROM run_latest%s ORDER BY system, kind", system ? " WHERE system = ?1" : "");
	rc = db_run(c->db, buf_cstr(&sql), &v, system ? 1 : 0, row, &l, e);
	buf_fini(&sql);
	buf_fini(&l.texts);
	return rc;
}
