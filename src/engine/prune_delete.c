/*
 * prune_delete: see prune_internal.h.  First new indexes that do not name the
 * doomed, then the old ones go, then the packs: a crash in between leaves
 * packs that no index names, which is garbage (I2).
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/prune_internal.h"
#include "os/os.h"

enum { INDEX_BLOBS_MAX = 200000, INDEX_OBJECTS_MAX = 16, INDEX_SMALL = 20000 };

struct rewriting {
	struct prune *pr;
	struct index_builder *builder;
	struct id_list old;		/* superseded */
	struct idmap *named;		/* packs already in a new index */
	bool has_doomed;
	size_t blobs;
};

static bool doomed(const struct prune *pr, const struct id *id)
{
	const struct ppack *pk = idmap_get(pr->packs, id);

	/* An index may name a pack that is not there: not worth keeping. */
	return pk != NULL && (pk->doomed || !pk->present);
}

static int look(void *arg, const struct index_pack *p, struct err *e)
{
	struct rewriting *w = arg;

	(void)e;
	w->has_doomed = w->has_doomed || doomed(w->pr, &p->id);
	w->blobs += p->dir->nblobs;
	return 0;
}

static int put_index(struct rewriting *w, struct err *e)
{
	struct buf payload = {0};
	struct id id;
	int rc;

	if (index_builder_packs(w->builder) == 0)
		return 0;
	index_builder_finish(w->builder, &payload);
	rc = repo_put_index(w->pr->repo, buf_span(&payload), &id, e);
	buf_fini(&payload);
	return rc;
}

static int keep(void *arg, const struct index_pack *p, struct err *e)
{
	struct rewriting *w = arg;
	bool was;

	if (doomed(w->pr, &p->id))
		return 0;
	idmap_put(w->named, &p->id, &was);
	if (was)
		return 0;
	index_builder_add(w->builder, p);
	return index_builder_blobs(w->builder) >= INDEX_BLOBS_MAX ? put_index(w, e) : 0;
}

/* Which index objects must be written anew: those that name the doomed, or many small ones. */
static int rewrite_indexes(struct rewriting *w, struct err *e)
{
	struct repo *r = w->pr->repo;
	bool many = repo_index_objects(r) > INDEX_OBJECTS_MAX;
	struct buf payload = {0};
	int rc = -1;

	for (size_t i = 0; i < repo_index_objects(r); i++) {
		const struct id *id = repo_index_object(r, i);

		w->has_doomed = false;
		w->blobs = 0;
		if (repo_index_payload(r, id, &payload, e) == -1) {
			if (e->kind == ERR_ABSENT)
				continue;	/* another prune replaced it */
			goto out;
		}
		if (index_decode(buf_span(&payload), look, w, e) == -1)
			goto out;
		if (!w->has_doomed && !(many && w->blobs < INDEX_SMALL))
			continue;
		id_list_add(&w->old, id);
		if (index_decode(buf_span(&payload), keep, w, e) == -1)
			goto out;
	}
	rc = put_index(w, e);
out:
	buf_fini(&payload);
	return rc;
}

/*
 * A prune that slept must not write an index any more: what it knows may
 * name packs that another has deleted, whose mark is gone by now.
 */
static int still_fresh(const struct prune *pr, struct err *e)
{
	struct clock *clock = pr->ctx->clock ? pr->ctx->clock : os_clock();
	int64_t took = clock->mono_ns(clock) - pr->began_ns;

	if (!pr->p->exclusive && took > pr->grace_ns / 2 && pr->grace_ns > 0) {
		err_set(e, ERR_TIMEOUT, "this prune took more than half of the grace");
		return err_hint(e, "nothing is lost; run it again");
	}
	return 0;
}

static int delete_packs(struct prune *pr, struct err *e)
{
	char name[REPO_NAME_MAX];
	struct ppack *pk;
	struct id id;
	size_t pos = 0;

	atomic_store(&pr->ctx->progress.phase, "deleting");
	while ((pk = idmap_next(pr->packs, &pos, &id)) != NULL) {
		if (!pk->doomed || !pk->present)
			continue;
		repo_object_name(name, (enum format_type)pk->type, &id);
		if (store_del(repo_store(pr->repo), name, e) == -1)
			return -1;
		event_emit(pr->ctx, EVENT_OBJECT_REMOVED, span_str(name), "no snapshot needs it");
		pr->out->packs_deleted++;
		pr->out->bytes_deleted += pk->size;
	}
	return 0;
}

int prune_delete_doomed(struct prune *pr, struct err *e)
{
	struct rewriting w = {.pr = pr};
	char name[REPO_NAME_MAX];
	int rc = -1;

	w.builder = index_builder_new();
	w.named = idmap_new(0);
	/* Repacking wrote indexes that this must see too. */
	if (repo_index_load(pr->repo, true, e) == -1 || still_fresh(pr, e) == -1 ||
	    rewrite_indexes(&w, e) == -1)
		goto out;
	for (size_t i = 0; i < w.old.n; i++)
		if (store_del(repo_store(pr->repo),
			repo_object_name(name, FORMAT_INDEX, &w.old.v[i]), e) == -1)
			goto out;
	if (w.old.n > 0 && store_sync(repo_store(pr->repo), e) == -1)
		goto out;
	rc = delete_packs(pr, e);
out:
	index_builder_free(w.builder);
	idmap_free(w.named);
	id_list_fini(&w.old);
	return rc;
}
