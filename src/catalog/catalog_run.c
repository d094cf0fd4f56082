/* catalog_run: the job record and the queue; see catalog.h. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/catalog_internal.h"

#define AT(type, member) type, offsetof(struct run, member)

#define OUTCOME                                                                                    \
	{"exit_status", AT(COLUMN_SMALL, exit_status)},                                            \
	    {"error_kind", AT(COLUMN_TEXT, error_kind)}, {"message", AT(COLUMN_TEXT, message)},    \
	    {"hint", AT(COLUMN_TEXT, hint)}, {"destinations", AT(COLUMN_TEXT, destinations)},      \
	    {"snapshot", AT(COLUMN_TEXT, snapshot)}, {"encrypted", AT(COLUMN_BOOL, encrypted)},    \
	    {"compressed", AT(COLUMN_BOOL, compressed)}, {"files", AT(COLUMN_U64, files)},         \
	    {"files_new", AT(COLUMN_U64, files_new)},                                              \
	    {"files_changed", AT(COLUMN_U64, files_changed)}, {"bytes", AT(COLUMN_U64, bytes)},    \
	    {"bytes_read", AT(COLUMN_U64, bytes_read)}, {"added", AT(COLUMN_U64, added)},          \
	    {"stored", AT(COLUMN_U64, stored)}, {"warnings", AT(COLUMN_U64, warnings)},            \
	    {"errors", AT(COLUMN_U64, errors)}, {"score", AT(COLUMN_REAL, score)},                 \
	{                                                                                          \
		"verified", AT(COLUMN_TEXT, verified)                                              \
	}

static const struct catalog_column outcome[] = {OUTCOME, {NULL}};

/* All of it; the id is the first, so that what is added leaves it out. */
static const struct catalog_column columns[] = {
    {"id", AT(COLUMN_INT, id)},
    {"system", AT(COLUMN_TEXT, system)},
    {"node", AT(COLUMN_TEXT, node)},
    {"kind", AT(COLUMN_TEXT, kind)},
    {"type", AT(COLUMN_TEXT, type)},
    {"cause", AT(COLUMN_TEXT, trigger)},
    {"asked_by", AT(COLUMN_TEXT, by)},
    {"queue", AT(COLUMN_TEXT, queue)},
    {"priority", AT(COLUMN_SMALL, priority)},
    {"attempt", AT(COLUMN_SMALL, attempt)},
    {"after_run", AT(COLUMN_INT, after)},
    {"status", AT(COLUMN_STATUS, status)},
    {"due_ns", AT(COLUMN_INT, due_ns)},
    {"not_before_ns", AT(COLUMN_INT, not_before_ns)},
    {"queued_ns", AT(COLUMN_INT, queued_ns)},
    {"started_ns", AT(COLUMN_INT, started_ns)},
    {"ended_ns", AT(COLUMN_INT, ended_ns)},
    {"owner", AT(COLUMN_TEXT, owner)},
    {"lease_ns", AT(COLUMN_INT, lease_ns)},
    {"pid", AT(COLUMN_INT, pid)},
    {"log", AT(COLUMN_TEXT, log)},
    OUTCOME,
    {NULL},
};

struct listing {
	run_row *each;
	void *arg;
	struct buf texts;
	uint64_t n;
};

static int list_row(void *arg, const struct db_value *v, size_t n, struct err *e)
{
	struct listing *l = arg;
	struct run r = {0};

	catalog_read(columns, v, &r, &l->texts);
	l->n++;
	return l->each(l->arg, &r, e);
}

/* "SELECT ... FROM run " and `rest`. */
static int select_runs(struct catalog *c, const char *rest, const struct db_value *v, size_t n,
    struct listing *l, struct err *e)
{
	struct buf sql = {0};
	int rc;

	buf_printf(&sql, "SELECT ");
	catalog_names(&sql, columns);
	buf_printf(&sql, " FROM run %s", rest);
	rc = db_run(c->db, buf_cstr(&sql), v, n, list_row, l, e);
	buf_fini(&sql);
	buf_fini(&l->texts);
	return rc;
}

static int insert(struct catalog *c, const struct run *r, int64_t *id, struct err *e)
{
	size_t n = catalog_columns(columns) - 1;
	struct db_value v[CATALOG_COLUMNS];
	struct buf sql = {0};
	int rc;

	catalog_bind(columns + 1, r, v);
	buf_printf(&sql, "INSERT INTO run (");
	catalog_names(&sql, columns + 1);
	for (size_t i = 0; i < n; i++)
		buf_printf(&sql, "%s?%zu", i ? ", " : ") VALUES (", i + 1);
	buf_printf(&sql, ") RETURNING id");
	rc = catalog_int(c, buf_cstr(&sql), v, n, id, e);
	buf_fini(&sql);
	return rc;
}

static const char *text_or_none(const char *s)
{
	return s && s[0] ? s : NULL;
}

int run_add(struct catalog *c, const struct run *given, int64_t *id, struct err *e)
{
	struct run r = *given;
	int rc;

	r.system = r.system ? r.system : "";
	r.node = text_or_none(r.node);
	r.queue = text_or_none(r.queue);
	r.status = r.status ? r.status : RUN_QUEUED;
	if (!run_status_over(r.status)) {
		r.score = -1;
		return insert(c, &r, id, e);
	}
	if (db_begin(c->db, e) == -1)
		return -1;
	rc = insert(c, &r, id, e) == -1 || catalog_latest_note(c, *id, e) == -1 ? -1 : 0;
	if (rc == 0)
		return db_commit(c->db, e);
	db_rollback(c->db);
	return -1;
}

int run_follow(struct catalog *c, const struct run *before, struct err *e)
{
	struct db_value v[] = {db_int(before->id), db_text(before->system), db_text(before->kind),
	    db_int(before->due_ns), db_int(before->attempt + 1)};

	return db_run(c->db,
	    "UPDATE run SET after_run = COALESCE((SELECT max(n.id) FROM run AS n WHERE "
	    "n.system = ?2 AND n.kind = ?3 AND n.due_ns = ?4 AND n.attempt = ?5 AND n.id > ?1), "
	    "after_run) WHERE status = 'queued' AND after_run = ?1",
	    v, 5, NULL, NULL, e);
}

/*
 * One statement takes it.  On a server that others use too, what one of them is about to take is
 * passed over rather than waited for; and where a queue has a limit, they count in turn, for
 * none sees what another has not committed.
 */
#define CLAIM(lock)                                                                                \
	"UPDATE run SET status = 'running', owner = ?1, started_ns = ?2, lease_ns = ?3, pid = 0, " \
	"node = COALESCE(node, NULLIF(?4, '')) WHERE status = 'queued' AND id = ("                 \
	"SELECT r.id FROM run AS r WHERE r.status = 'queued' AND r.not_before_ns <= ?2 "           \
	"AND (r.after_run = 0 OR NOT EXISTS (SELECT 1 FROM run AS a WHERE a.id = r.after_run "     \
	"AND a.status IN ('queued', 'running'))) "                                                 \
	"AND (?4 = '' OR r.node IS NULL OR r.node = ?4) "                                          \
	"AND (?5 = 0 OR r.queue IS NULL OR (SELECT count(*) FROM run AS q "                        \
	"WHERE q.status = 'running' AND q.queue = r.queue) < ?5) "                                 \
	"ORDER BY r.priority DESC, r.due_ns, r.id LIMIT 1" lock ") RETURNING id"

static int claim_one(struct catalog *c, const struct run_claim *p, int64_t *id, struct err *e)
{
	struct db_value v[] = {db_text(p->owner), db_int(p->now_ns), db_int(p->lease_ns),
	    db_text(p->node ? p->node : ""), db_int(p->per_queue)};
	bool server = db_is_server(c->db);

	*id = 0;
	if (db_begin(c->db, e) == -1)
		return -1;
	if ((p->per_queue > 0 && catalog_lock(c, CATALOG_LOCK_CLAIM, e) == -1) ||
	    catalog_int(c, server ? CLAIM(" FOR UPDATE SKIP LOCKED") : CLAIM(""), v, 5, id, e) ==
		-1) {
		db_rollback(c->db);
		return -1;
	}
	return db_commit(c->db, e);
}

int run_claim(
    struct catalog *c, const struct run_claim *p, run_row *found, void *arg, struct err *e)
{
	int64_t id;

	if (claim_one(c, p, &id, e) == -1)
		return err_wrap(e, "take a run");
	return id == 0 ? 0 : run_get(c, id, found, arg, e);
}

int run_renew(struct catalog *c, const char *owner, int64_t lease_ns, struct err *e)
{
	struct db_value v[] = {db_text(owner), db_int(lease_ns)};

	return db_run(c->db, "UPDATE run SET lease_ns = ?2 WHERE status = 'running' AND owner = ?1",
	    v, 2, NULL, NULL, e);
}

static int changed_one(struct catalog *c, int64_t id, const char *is_not, struct err *e)
{
	if (db_changed(c->db) == 1)
		return 0;
	return err_set(e, ERR_ABSENT, "run %lld is not %s", (long long)id, is_not);
}

int run_started(
    struct catalog *c, int64_t id, const char *owner, int64_t pid, const char *log, struct err *e)
{
	struct db_value v[] = {db_int(id), db_text(owner ? owner : ""), db_int(pid), db_text(log)};

	if (db_run(c->db,
		"UPDATE run SET pid = ?3, log = COALESCE(?4, log) WHERE id = ?1 "
		"AND status = 'running' AND (?2 = '' OR owner = ?2)",
		v, 4, NULL, NULL, e) == -1)
		return -1;
	return changed_one(c, id, "running, or another's", e);
}

static int update_ended(struct catalog *c, const struct run *r, struct err *e)
{
	size_t n = catalog_columns(outcome);
	struct db_value v[CATALOG_COLUMNS] = {db_int(r->id), db_text(r->owner ? r->owner : ""),
	    db_text(run_status_name(r->status)), db_int(r->ended_ns), db_text(r->type),
	    db_text(r->log)};
	const size_t first = 6;
	struct buf sql = {0};
	int rc;

	catalog_bind(outcome, r, v + first);
	buf_printf(&sql, "UPDATE run SET status = ?3, ended_ns = ?4, lease_ns = 0, "
			 "type = COALESCE(?5, type), log = COALESCE(?6, log)");
	for (size_t i = 0; i < n; i++)
		buf_printf(&sql, ", %s = ?%zu", outcome[i].name, first + i + 1);
	buf_printf(&sql, " WHERE id = ?1 AND status = 'running' AND (?2 = '' OR owner = ?2)");
	rc = db_run(c->db, buf_cstr(&sql), v, first + n, NULL, NULL, e);
	buf_fini(&sql);
	return rc == 0 ? changed_one(c, r->id, "running, or another's", e) : -1;
}

int run_end(struct catalog *c, const struct run *r, struct err *e)
{
	assert(run_status_over(r->status));
	if (db_begin(c->db, e) == -1)
		return -1;
	if (update_ended(c, r, e) == 0 && catalog_latest_note(c, r->id, e) == 0)
		return db_commit(c->db, e);
	db_rollback(c->db);
	return -1;
}

int run_drop(struct catalog *c, int64_t id, enum run_status s, const char *why, int64_t now_ns,
    struct err *e)
{
	struct db_value v[] = {
	    db_int(id), db_text(run_status_name(s)), db_text(why), db_int(now_ns)};

	assert(s == RUN_CANCELLED || s == RUN_SKIPPED);
	if (db_run(c->db,
		"UPDATE run SET status = ?2, message = ?3, ended_ns = ?4 WHERE id = ?1 "
		"AND status = 'queued'",
		v, 4, NULL, NULL, e) == -1)
		return -1;
	return changed_one(c, id, "queued", e);
}

/* "AND what" with the value's number put for the '#'. */
static void also(
    struct buf *sql, const char *what, struct db_value *v, size_t *n, struct db_value value)
{
	const char *at = strchr(what, '#');

	v[(*n)++] = value;
	buf_printf(sql, " AND %.*s?%zu%s", (int)(at - what), what, *n, at + 1);
}

int run_list(struct catalog *c, const struct run_filter *f, run_row *each, void *arg, struct err *e)
{
	struct listing l = {.each = each, .arg = arg};
	struct db_value v[8];
	struct buf sql = {0};
	size_t n = 0;
	int rc;

	buf_printf(&sql, "WHERE 1 = 1");
	if (f->system != NULL)
		also(&sql, "system = #", v, &n, db_text(f->system));
	if (f->kind != NULL)
		also(&sql, "kind = #", v, &n, db_text(f->kind));
	if (f->status) /* written out, so that the partial indexes serve */
		buf_printf(&sql, " AND status = '%s'", run_status_name(f->status));
	/* Said of one of the two as well: the index of open runs is found only by these words. */
	if (f->open || f->status == RUN_QUEUED || f->status == RUN_RUNNING)
		buf_printf(&sql, " AND status IN ('queued', 'running')");
	if (f->over)
		buf_printf(&sql, " AND status NOT IN ('queued', 'running')");
	if (f->since_ns)
		also(&sql, "queued_ns >= #", v, &n, db_int(f->since_ns));
	if (f->before_id)
		also(&sql, "id < #", v, &n, db_int(f->before_id));
	buf_printf(&sql, " ORDER BY id DESC");
	if (f->limit)
		buf_printf(&sql, " LIMIT %u", f->limit);
	rc = select_runs(c, buf_cstr(&sql), v, n, &l, e);
	buf_fini(&sql);
	return rc;
}

int run_get(struct catalog *c, int64_t id, run_row *each, void *arg, struct err *e)
{
	struct listing l = {.each = each, .arg = arg};
	struct db_value v = db_int(id);

	if (select_runs(c, "WHERE id = ?1", &v, 1, &l, e) == -1)
		return -1;
	return l.n ? 0 : err_set(e, ERR_ABSENT, "there is no run %lld", (long long)id);
}
