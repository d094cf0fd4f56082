/* run_ask: somebody wants a run now; see catalog.h. */
#include <string.h>

#include "catalog/catalog_internal.h"

struct waiting {
	const struct run *wanted;
	int64_t id;
};

/* Who says nothing more wants it backed up: any backup does that; a drill proves what it is of. */
static bool fits(const char *kind, const char *wanted, const char *has)
{
	if (strcmp(kind, "drill") == 0)
		return wanted == has || (wanted != NULL && has != NULL && strcmp(wanted, has) == 0);
	return wanted == NULL || strcmp(wanted, "incremental") == 0 ||
	       (has != NULL && strcmp(wanted, has) == 0);
}

/* One that waits for a window or for its next attempt is not what is wanted now. */
static int note(void *arg, const struct run *r, struct err *e)
{
	struct waiting *w = arg;

	if (r->not_before_ns <= w->wanted->queued_ns &&
	    fits(w->wanted->kind, w->wanted->type, r->type))
		w->id = r->id;
	return 0;
}

static int ask(struct catalog *c, const struct run *r, int64_t *id, bool *added, struct err *e)
{
	struct run_filter f = {.system = r->system, .kind = r->kind, .status = RUN_QUEUED};
	struct waiting w = {.wanted = r};

	if (catalog_lock(c, CATALOG_LOCK_CLAIM, e) == -1 || run_list(c, &f, note, &w, e) == -1)
		return -1;
	*id = w.id;
	*added = w.id == 0;
	return *added ? run_add(c, r, id, e) : 0;
}

int run_ask(struct catalog *c, const struct run *r, int64_t *id, bool *added, struct err *e)
{
	if (db_begin(c->db, e) == -1)
		return -1;
	if (ask(c, r, id, added, e) == 0)
		return db_commit(c->db, e);
	db_rollback(c->db);
	return -1;
}
