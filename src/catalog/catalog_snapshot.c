/* catalog_snapshot: see catalog_snapshot.h. */
#include "catalog/catalog_snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/catalog_internal.h"

#define AT(type, member) type, offsetof(struct catalog_snapshot, member)

static const struct catalog_column columns[] = {
    {"r.uid", AT(COLUMN_TEXT, repository)},
    {"r.name", AT(COLUMN_TEXT, name)},
    {"s.hex", AT(COLUMN_TEXT, snapshot)},
    {"g.grp", AT(COLUMN_TEXT, group)},
    {"s.system", AT(COLUMN_TEXT, system)},
    {"s.host", AT(COLUMN_TEXT, host)},
    {"s.outcome", AT(COLUMN_TEXT, outcome)},
    {"s.start_ns", AT(COLUMN_INT, start_ns)},
    {"s.end_ns", AT(COLUMN_INT, end_ns)},
    {"s.files", AT(COLUMN_U64, files)},
    {"s.bytes", AT(COLUMN_U64, bytes)},
    {"s.stored", AT(COLUMN_U64, stored)},
    {"s.seq", AT(COLUMN_INT, seq)},
    {NULL},
};

static int repository_id(
    struct catalog *c, const struct catalog_snapshot *s, int64_t *id, struct err *e)
{
	struct db_value v[] = {db_text(s->repository), db_text(s->name)};

	return catalog_int(c,
	    "INSERT INTO repository (uid, name) VALUES (?1, ?2) ON CONFLICT (uid) DO UPDATE SET "
	    "name = COALESCE(excluded.name, repository.name) RETURNING id",
	    v, 2, id, e);
}

int catalog_series_id(
    struct catalog *c, const struct catalog_snapshot *s, int64_t *series, struct err *e)
{
	struct db_value v[] = {db_int(0), db_text(s->group)};

	if (repository_id(c, s, &v[0].i, e) == -1)
		return -1;
	return catalog_int(c,
	    "INSERT INTO series (repository, grp, head, busy_ns) VALUES (?1, ?2, 0, 0) "
	    "ON CONFLICT (repository, grp) DO UPDATE SET grp = excluded.grp RETURNING id",
	    v, 2, series, e);
}

static int put(struct catalog *c, const struct catalog_snapshot *s, struct err *e)
{
	struct db_value v[CATALOG_COLUMNS];
	int64_t repository, series;

	if (repository_id(c, s, &repository, e) == -1 || catalog_series_id(c, s, &series, e) == -1)
		return -1;
	catalog_bind(columns, s, v);
	v[0] = db_int(repository);
	v[1] = db_int(series);
	v[3] = db_int(0);
	return db_run(c->db,
	    "INSERT INTO snapshot (repository, series, hex, seq, system, host, outcome, start_ns, "
	    "end_ns, files, bytes, stored) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
	    "?12) ON CONFLICT (repository, hex) DO UPDATE SET system = excluded.system, "
	    "host = excluded.host, outcome = excluded.outcome, start_ns = excluded.start_ns, "
	    "end_ns = excluded.end_ns, files = excluded.files, bytes = excluded.bytes, "
	    "stored = excluded.stored",
	    v, 12, NULL, NULL, e);
}

int catalog_snapshot_put(struct catalog *c, const struct catalog_snapshot *s, struct err *e)
{
	if (db_begin(c->db, e) == -1)
		return -1;
	if (put(c, s, e) == 0)
		return db_commit(c->db, e);
	db_rollback(c->db);
	return -1;
}

struct listing {
	catalog_snapshot_row *each;
	void *arg;
	struct buf texts;
};

static int row(void *arg, const struct db_value *v, size_t n, struct err *e)
{
	struct listing *l = arg;
	struct catalog_snapshot s = {0};

	catalog_read(columns, v, &s, &l->texts);
	return l->each(l->arg, &s, e);
}

int catalog_snapshots_where(struct catalog *c, const char *rest, const struct db_value *v, size_t n,
    catalog_snapshot_row *each, void *arg, struct err *e)
{
	struct listing l = {.each = each, .arg = arg};
	struct buf sql = {0};
	int rc;

	buf_printf(&sql, "SELECT ");
	catalog_names(&sql, columns);
	buf_printf(&sql,
	    " FROM snapshot AS s JOIN repository AS r ON r.id = s.repository "
	    "JOIN series AS g ON g.id = s.series %s",
	    rest);
	rc = db_run(c->db, buf_cstr(&sql), v, n, row, &l, e);
	buf_fini(&sql);
	buf_fini(&l.texts);
	return rc;
}

int catalog_snapshot_list(struct catalog *c, const struct catalog_snapshot_filter *f,
    catalog_snapshot_row *each, void *arg, struct err *e)
{
	struct db_value v[] = {db_text(f->repository ? f->repository : ""),
	    db_text(f->system ? f->system : ""), db_int(f->since_ns),
	    db_int(f->limit ? f->limit : INT64_MAX)};

	return catalog_snapshots_where(c,
	    "WHERE (?1 = '' OR r.uid = ?1 OR r.name = ?1) AND (?2 = '' OR s.system = ?2) "
	    "AND s.start_ns >= ?3 ORDER BY s.start_ns DESC, s.id DESC LIMIT ?4",
	    v, 4, each, arg, e);
}

struct newest {
	catalog_newest_row *each;
	void *arg;
};

static int newest_row(void *arg, const struct db_value *v, size_t n, struct err *e)
{
	const struct newest *l = arg;
	char *name;
	int rc;

	if (v[0].type != DB_TEXT || v[1].type != DB_INT)
		return 0;
	name = mem_strndup((const char *)v[0].s.p, v[0].s.n);
	rc = l->each(l->arg, name, v[1].i, e);
	free(name);
	return rc;
}

int catalog_newest_list(struct catalog *c, catalog_newest_row *each, void *arg, struct err *e)
{
	struct newest l = {each, arg};

	return db_run(c->db,
	    "SELECT r.name, (SELECT max(s.end_ns) FROM snapshot AS s WHERE s.repository = r.id "
	    "AND s.outcome = 'complete') FROM repository AS r",
	    NULL, 0, newest_row, &l, e);
}

int catalog_snapshot_find(
    struct catalog *c, const char *snapshot, catalog_snapshot_row *each, void *arg, struct err *e)
{
	struct db_value v = db_text(snapshot);

	return catalog_snapshots_where(c, "WHERE s.hex = ?1", &v, 1, each, arg, e);
}

int catalog_snapshot_del(
    struct catalog *c, const char *repository, const char *snapshot, struct err *e)
{
	struct db_value v[] = {db_text(repository), db_text(snapshot)};

	return db_run(c->db,
	    "DELETE FROM snapshot WHERE hex = ?2 AND repository IN "
	    "(SELECT id FROM repository WHERE uid = ?1)",
	    v, 2, NULL, NULL, e);
}
