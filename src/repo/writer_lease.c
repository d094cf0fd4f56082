/*
 * writer_lease: for how long a run may count on what it saw (format.md 10).
 *
 * Prune deletes nothing that was not marked for the whole grace, and looks at
 * the snapshots before it does.  So who saw a pack without a mark has most of
 * the grace to put what needs it; who saw a mark, most of the grace since that.
 * The store's clock decides, as it does for prune.  Ours, which counts suspension,
 * only tells when to ask again.
 */
#include "repo/writer_internal.h"

int writer_now(struct writer *w, struct writer_moment *out, struct err *e)
{
	out->boot_ns = writer_boot_ns(w);
	if (repo_store_now(w->repo, &out->store_ns, e) == -1)
		return -1;
	pthread_mutex_lock(&w->index_lock);
	w->told = *out;
	pthread_mutex_unlock(&w->index_lock);
	return 0;
}

bool writer_long_ago(struct writer *w, const struct writer_moment *since)
{
	return writer_boot_ns(w) - since->boot_ns >= repo_lease_ns(w->repo);
}

struct look {
	struct writer *w;
	struct mark_set marks;
	int64_t now, deadline;
};

/* There, and under no mark so old that somebody may be deleting it just now. */
static int look_at_pack(struct look *l, enum format_type type, const struct id *id, struct err *e)
{
	int64_t marked, until;
	struct store_stat st;
	char name[REPO_NAME_MAX];

	repo_object_name(name, type, id);
	if (mark_oldest(&l->marks, id, &marked)) {
		until = marked + repo_lease_ns(l->w->repo);
		if (until <= l->now)
			return err_set(
			    e, ERR_BUSY, "%s was marked for deletion while this run slept", name);
		if (until < l->deadline)
			l->deadline = until;
	}
	return store_stat(l->w->repo->store, name, &st, e);
}

static int look_at_own(struct look *l, const struct id *ids, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		struct err ignored;

		/* Content or trees: the folder tells. */
		if (look_at_pack(l, FORMAT_PACK, &ids[i], &ignored) == -1 &&
		    look_at_pack(l, FORMAT_META, &ids[i], e) == -1)
			return -1;
	}
	return 0;
}

static int look_at_relied(struct look *l, struct err *e)
{
	struct writer *w = l->w;

	if (w->generation != repo_index_generation(w->repo))
		return err_set(e, ERR_BUSY, "the index changed under this run");
	for (uint32_t i = 0; i < w->nrelied; i++) {
		struct index_cache_pack p;

		if (!atomic_load(&w->relied[i]))
			continue;
		if (index_cache_pack(w->repo->index, i, &p, e) == -1 ||
		    look_at_pack(l, (enum format_type)p.type, &p.id, e) == -1)
			return -1;
	}
	return 0;
}

int writer_may_go_on(struct writer *w, struct err *e)
{
	int rc = repo_may_go_on(w->repo, e);

	if (rc == -1 && e->kind == ERR_WRONG_KEY)
		err_hint(e, "no snapshot is made; with another key, what was stored is reused");
	return rc;
}

int writer_look(struct writer *w, const struct id *own, size_t nown, bool relied,
    struct writer_moment *base, int64_t *deadline, struct err *e)
{
	struct look l = {.w = w};
	int rc = -1;

	/* The time before the marks: one that comes in between is not missed. */
	if (writer_may_go_on(w, e) == -1 || writer_now(w, base, e) == -1 ||
	    mark_load(w->repo, &l.marks, e) == -1)
		return -1;
	l.now = base->store_ns;
	l.deadline = l.now + repo_lease_ns(w->repo);
	if (look_at_own(&l, own, nown, e) == 0 && (!relied || look_at_relied(&l, e) == 0)) {
		*deadline = l.deadline;
		rc = 0;
	}
	mark_set_fini(&l.marks);
	return rc;
}

int writer_in_time(
    struct writer *w, const struct writer_moment *base, int64_t deadline, struct err *e)
{
	struct writer_moment now;

	if (writer_now(w, &now, e) == -1)
		return -1;
	return now.store_ns < deadline && !writer_long_ago(w, base);
}
