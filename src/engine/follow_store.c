/* follow_store: a receiver's repository, which may be away for a while (follow_internal.h). */
#include "engine/follow_internal.h"

static int open_now(struct follow *f, struct err *e)
{
	if (f->p->open(f->p->arg, f->p->first, &f->repo, e) == -1)
		return -1;
	if (follow_repo_open(
		f->repo, f->p->system, f->p->source, f->p->synchronous, &f->store, e) == 0)
		return 0;
	f->p->close(f->p->arg, f->repo);
	f->repo = NULL;
	return -1;
}

void follow_store_close(struct follow *f)
{
	follow_repo_close(f->store);
	if (f->repo != NULL)
		f->p->close(f->p->arg, f->repo);
	f->store = NULL;
	f->repo = NULL;
}

struct follow_repo *follow_store_take(struct follow *f, struct err *e)
{
	struct follow_repo *out;

	pthread_mutex_lock(&f->repo_lock);
	if (f->reopen && f->users == 0) {
		follow_store_close(f);
		f->reopen = false;
	}
	if (f->store == NULL)
		open_now(f, e);
	out = f->store;
	if (out != NULL)
		f->users++;
	pthread_mutex_unlock(&f->repo_lock);
	return out;
}

void follow_store_give(struct follow *f, const struct err *failed)
{
	pthread_mutex_lock(&f->repo_lock);
	f->users--;
	if (failed != NULL || follow_repo_stale(f->store))
		f->reopen = true;
	pthread_mutex_unlock(&f->repo_lock);
}

/* What cannot be compared in part can as a whole, from the segment's beginning on. */
static int put_from_beginning(struct follow *f, struct follow_repo *store, unsigned lane,
    const struct follow_job *j, struct err *e)
{
	struct follow_job whole = *j;
	struct follow_mapped m;
	int rc;

	whole.start = j->segment;
	if (follow_spool_map(f->spool, j->timeline, j->segment, j->segment, j->end, &m, e) == -1)
		return -1;
	rc = follow_repo_put(store, lane, &whole, m.bytes, e);
	follow_spool_unmap(&m);
	return rc;
}

int follow_store_put(
    void *arg, unsigned lane, const struct follow_job *j, struct span bytes, struct err *e)
{
	struct follow *f = arg;
	struct follow_repo *store;
	int rc;

	if (follow_check_late(f, e) == -1)
		return -1;
	store = follow_store_take(f, e);
	rc = store ? follow_repo_put(store, lane, j, bytes, e) : -1;
	if (store != NULL && rc == -1 && e->kind == ERR_WRONG_KEY && j->what == FOLLOW_SMALL &&
	    j->start > j->segment)
		rc = put_from_beginning(f, store, lane, j, e);
	if (store != NULL)
		follow_store_give(f, rc == -1 ? e : NULL);
	return rc;
}
