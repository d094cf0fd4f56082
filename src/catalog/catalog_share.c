/* catalog_share: see catalog_share.h. */
#include "catalog/catalog_share.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "catalog/catalog_internal.h"
#include "os/os.h"

int catalog_now(struct catalog *c, int64_t *now_ns, struct err *e)
{
	struct clock *clock = os_clock();

	if (db_is_server(c->db))
		return catalog_int(c,
		    "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS INTEGER) * "
		    "1000",
		    NULL, 0, now_ns, e);
	*now_ns = clock->wall_ns(clock);
	return 0;
}

struct ids {
	int64_t *v;
	size_t n;
};

static int keep_id(void *arg, const struct db_value *v, size_t n, struct err *e)
{
	struct ids *ids = arg;

	ids->v = mem_realloc(ids->v, (ids->n + 1) * sizeof *ids->v);
	ids->v[ids->n++] = v[0].i;
	return 0;
}

/* One statement: of several who find it at once, the second sees a lease that is not over. */
int run_take_over(struct catalog *c, const char *owner, int64_t now_ns, int64_t lease_ns,
    run_row *each, void *arg, struct err *e)
{
	struct db_value v[] = {db_text(owner), db_int(now_ns), db_int(lease_ns)};
	struct ids ids = {0};
	int rc = db_run(c->db,
	    "UPDATE run SET owner = ?1, lease_ns = ?3, pid = 0 WHERE status = 'running' "
	    "AND lease_ns < ?2 AND COALESCE(owner, '') <> ?1 RETURNING id",
	    v, 3, keep_id, &ids, e);

	for (size_t i = 0; each != NULL && rc == 0 && i < ids.n; i++)
		rc = run_get(c, ids.v[i], each, arg, e);
	free(ids.v);
	return rc;
}

static int put_new(struct catalog *c, const char *name, const char *value, struct err *e)
{
	struct db_value v[] = {db_text(name), db_text(value)};

	if (db_run(c->db,
		"INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING",
		v, 2, NULL, NULL, e) == -1)
		return -1;
	return db_changed(c->db) == 1 ? 0 : err_set(e, ERR_EXISTS, "%s is there already", name);
}

int run_add_once(struct catalog *c, const struct run *r, const char *name, const char *value,
    int64_t *id, struct err *e)
{
	assert(!run_status_over(r->status));
	if (db_begin(c->db, e) == -1)
		return -1;
	if (put_new(c, name, value, e) == 0 && run_add(c, r, id, e) == 0)
		return db_commit(c->db, e);
	db_rollback(c->db);
	return -1;
}

int catalog_lead(struct catalog *c, const char *what, const char *owner, int64_t now_ns,
    int64_t until_ns, bool *ours, struct err *e)
{
	struct db_value v[] = {db_text(what), db_text(owner), db_int(now_ns), db_int(until_ns)};

	*ours = false;
	if (db_run(c->db,
		"INSERT INTO lease (name, owner, until_ns) VALUES (?1, ?2, ?4) "
		"ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, "
		"until_ns = excluded.until_ns WHERE lease.owner = ?2 OR lease.until_ns < ?3",
		v, 4, NULL, NULL, e) == -1)
		return -1;
	*ours = db_changed(c->db) == 1;
	return 0;
}
