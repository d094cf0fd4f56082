/* repo_index_again: see repo_internal.h. */
#include "base/mem.h"
#include "os/os.h"
#include "repo/repo_internal.h"
#include "repo/repo_object.h"

#define SECOND INT64_C(1000000000)

/* In vain it is asked for ever more seldom, and takes a small part of the time only. */
enum { WAIT_MOST_S = 60, PART = 20 };

struct comparing {
	struct repo *repo;
	struct idmap *known; /* what the cache holds */
	size_t same;
	bool changed;
};

static int compare(void *arg, enum format_type type, const struct id *id,
    const struct store_stat *st, struct err *e)
{
	struct comparing *c = arg;

	(void)type, (void)st, (void)e;
	if (idmap_get(c->known, id) == NULL)
		c->changed = true;
	else
		c->same++;
	return 0;
}

/* Does index/ list anything else than what is loaded?  Who reads is not held up meanwhile. */
static int is_changed(struct repo *r, struct err *e)
{
	struct comparing c = {.repo = r, .known = idmap_new(1)};
	int rc;

	pthread_rwlock_rdlock(&r->index_lock);
	c.changed = r->nbad_indexes > 0;
	for (size_t i = 0; i < r->nindex_ids; i++)
		idmap_put(c.known, &r->index_ids[i], NULL);
	pthread_rwlock_unlock(&r->index_lock);
	rc = repo_list_each(r, FORMAT_INDEX, compare, &c, e);
	if (rc == 0)
		rc = c.changed || c.same != idmap_count(c.known);
	idmap_free(c.known);
	return rc;
}

static int look(struct repo *r, bool whole, struct err *e)
{
	int rc;

	if (whole && !r->again_whole) {
		rc = repo_index_load(r, true, e);
		r->again_whole = rc == 0;
		return rc == 0 ? 1 : -1;
	}
	rc = is_changed(r, e);
	if (rc != 1 || repo_index_refresh(r, e) == 0)
		return rc;
	/* I5: of a damaged cache nothing is to be kept. */
	return e->kind == ERR_CORRUPT && repo_index_load(r, true, e) == 0 ? 1 : -1;
}

int repo_index_look_again(struct repo *r, uint64_t seen, bool whole, bool at_once, struct err *e)
{
	struct clock *clock = os_clock_of(r->ctx);
	int64_t from, took, wait;
	int rc = 0;

	pthread_mutex_lock(&r->again_lock);
	from = clock->mono_ns(clock);
	if (repo_index_generation(r) != seen) {
		rc = 1; /* somebody else did meanwhile */
	} else if (at_once || r->again_wait_ns == 0 || from >= r->again_ns) {
		rc = look(r, whole, e);
		took = clock->mono_ns(clock) - from;
		wait = 2 * r->again_wait_ns;
		r->again_wait_ns = wait < SECOND                 ? SECOND
				   : wait > WAIT_MOST_S * SECOND ? WAIT_MOST_S * SECOND
								 : wait;
		wait = took > r->again_wait_ns / PART ? took * PART : r->again_wait_ns;
		r->again_ns = from + took + wait;
	}
	pthread_mutex_unlock(&r->again_lock);
	return rc;
}

void repo_index_looked_well(struct repo *r)
{
	pthread_mutex_lock(&r->again_lock);
	r->again_wait_ns = 0;
	pthread_mutex_unlock(&r->again_lock);
}
