/* catalog_trim: see catalog.h. */
#include "catalog/catalog_internal.h"

static const int64_t day_ns = INT64_C(86400) * 1000000000;

#define OLD(table, key, where)                                                                     \
	"DELETE FROM " table " WHERE (" key ") IN (SELECT " key " FROM " table " WHERE " where     \
	" LIMIT ?2)"

int catalog_trim(struct catalog *c, int64_t now_ns, bool *more, struct err *e)
{
	static const struct {
		const char *sql;
		int days;
	} rows[] = {
	    {OLD("event", "id", "at_ns < ?1"), CATALOG_EVENT_DAYS},
	    {OLD("run", "id", "status IN ('skipped', 'cancelled') AND queued_ns < ?1"),
		CATALOG_EVENT_DAYS},
	    {OLD("run", "id", "status NOT IN ('queued', 'running') AND queued_ns < ?1"),
		CATALOG_RUN_DAYS},
	    {OLD("measurement", "system, name, at_ns", "at_ns < ?1"), CATALOG_RUN_DAYS},
	};

	*more = false;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct db_value v[] = {
		    db_int(now_ns - rows[i].days * day_ns), db_int(CATALOG_TRIM_ROWS)};

		if (db_run(c->db, rows[i].sql, v, 2, NULL, NULL, e) == -1)
			return err_wrap(e, "forget what is old");
		*more |= db_changed(c->db) == CATALOG_TRIM_ROWS;
	}
	return 0;
}
