/* catalog_trim: see catalog.h. */
#include "catalog/catalog_internal.h"

static const int64_t day_ns = INT64_C(86400) * 1000000000;

int catalog_trim(struct catalog *c, int64_t now_ns, struct err *e)
{
	static const struct {
		const char *sql;
		int days;
	} rows[] = {
	    {"DELETE FROM event WHERE at_ns < ?1", CATALOG_EVENT_DAYS},
	    {"DELETE FROM run WHERE status IN ('skipped', 'cancelled') AND queued_ns < ?1",
		CATALOG_EVENT_DAYS},
	    {"DELETE FROM run WHERE status NOT IN ('queued', 'running') AND queued_ns < ?1",
		CATALOG_RUN_DAYS},
	    {"DELETE FROM measurement WHERE at_ns < ?1", CATALOG_RUN_DAYS},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct db_value before = db_int(now_ns - rows[i].days * day_ns);

		if (db_run(c->db, rows[i].sql, &before, 1, NULL, NULL, e) == -1)
			return err_wrap(e, "forget what is old");
	}
	return 0;
}
