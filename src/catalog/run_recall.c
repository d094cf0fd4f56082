/* run_recall: a run of which only its snapshot tells; see catalog.h. */
#include "catalog/catalog_internal.h"

int run_recall(struct catalog *c, const struct run *r, bool *added, struct err *e)
{
	struct db_value v[] = {
	    db_text(r->system), db_text(r->kind), db_int(r->started_ns), db_int(r->ended_ns)};
	int64_t known, id;

	*added = false;
	if (catalog_int(c,
		"SELECT count(*) FROM run WHERE system = ?1 AND kind = ?2 AND started_ns <= ?4 "
		"AND (ended_ns >= ?3 OR ended_ns = 0) AND started_ns <> 0",
		v, 4, &known, e) == -1)
		return -1;
	if (known > 0)
		return 0;
	*added = run_add(c, r, &id, e) == 0;
	return *added ? 0 : -1;
}
