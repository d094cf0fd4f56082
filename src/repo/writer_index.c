/*
 * writer_index: what is closed is made durable and named in an index object.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/repo_parity.h"
#include "repo/writer_internal.h"

/* Packs that wait for their index. */
struct flush {
	struct index_builder *builder;
	struct id *packs;
	size_t npacks;
	uint32_t upto;              /* number of the last pack that was opened */
	struct writer_moment since; /* none of them was closed before */
};

/* What the index answers now need not be remembered here. */
static void forget_indexed(struct writer *w, uint32_t upto)
{
	for (size_t i = 0; i < SEEN_SHARDS; i++) {
		struct seen_shard *s = &w->seen[i];
		struct idmap *fresh = idmap_new(sizeof(uint32_t));
		struct id id;
		size_t pos = 0;
		uint32_t *v;

		pthread_mutex_lock(&s->lock);
		while ((v = idmap_next(s->map, &pos, &id)) != NULL)
			if (*v == 0 || *v > upto ||
			    index_cache_find_in(w->repo->index, w->domain->tag, &id,
				&(struct index_place){0}, &(struct err){0}) != 1)
				*(uint32_t *)idmap_put(fresh, &id, NULL) = *v;
		idmap_free(s->map);
		s->map = fresh;
		pthread_mutex_unlock(&s->lock);
	}
}

/*
 * An index that is late must not name packs that prune took for garbage
 * meanwhile: others would rely on them.  So it says by when it must be there;
 * who comes later takes it back, looks at the packs, and tries once more.
 */
static int put_index(
    struct writer *w, const struct flush *f, struct buf *payload, struct id *id, struct err *e)
{
	struct writer_moment base = f->since;
	int64_t deadline = base.store_ns + repo_lease_ns(w->repo);
	char name[REPO_NAME_MAX];
	struct err ignored;

	for (int tries = 0; tries < WRITER_TRIES; tries++) {
		int in;

		if ((tries > 0 || writer_long_ago(w, &base)) &&
		    writer_look(w, f->packs, f->npacks, false, &base, &deadline, e) == -1)
			return err_hint(e, "this run slept too long; run it again");
		index_set_deadline(payload, deadline);
		if (repo_put_index(w->repo, w->domain->tag, buf_span(payload), id, e) == -1)
			return -1;
		if ((in = writer_in_time(w, &base, deadline, e)) == 1)
			return 0;
		repo_del_named(w->repo, repo_object_name(name, FORMAT_INDEX, id), &ignored);
		if (in == -1)
			return -1;
	}
	err_set(e, ERR_BUSY, "the index was stored too late, time and again");
	return err_hint(e, "this run slept too long; run it again");
}

static void take(struct writer *w, struct flush *f)
{
	pthread_mutex_lock(&w->index_lock);
	f->builder = w->builder;
	w->builder = index_builder_new();
	w->builder_bytes = 0;
	w->last_index_ns = writer_boot_ns(w);
	f->since = w->flushed;
	w->flushed = w->told;
	f->npacks = w->own_packs.n - w->own_indexed;
	f->packs = f->npacks
		       ? mem_dup(w->own_packs.v + w->own_indexed, f->npacks * sizeof *f->packs)
		       : NULL;
	w->own_indexed = w->own_packs.n;
	f->upto = atomic_load(&w->next_pack);
	pthread_mutex_unlock(&w->index_lock);
}

/* Our own lookups go by it, too. */
static int add_to_cache(struct writer *w, const struct id *id, struct span payload, struct err *e)
{
	const struct index_origin origin = {w->domain->tag, domain_tag(w->repo->keys->holder)};
	int rc;

	pthread_rwlock_wrlock(&w->repo->index_lock);
	rc = index_cache_add(w->repo->index, id, &origin, payload, e);
	pthread_rwlock_unlock(&w->repo->index_lock);
	if (rc == 0)
		return 0;
	/* Not the repository's damage, whatever the cache says of itself. */
	if (e->kind == ERR_CORRUPT)
		e->kind = ERR_IO;
	err_wrap(e, "local index cache");
	return err_hint(e, "what was stored is kept; run this again");
}

int writer_flush_index(struct writer *w, struct err *e)
{
	struct buf payload = {0};
	struct flush f;
	struct id id;
	int rc = -1;

	pthread_mutex_lock(&w->flush_lock);
	take(w, &f);
	if (index_builder_packs(f.builder) == 0) {
		rc = 0;
		goto out;
	}
	/* I1: packs first, in one pass. */
	if (store_sync(w->repo->store, e) == -1)
		goto out;
	index_builder_finish(f.builder, &payload);
	if (put_index(w, &f, &payload, &id, e) == -1 ||
	    add_to_cache(w, &id, buf_span(&payload), e) == -1)
		goto out;
	atomic_fetch_add(&w->stats.object_bytes, payload.n);
	forget_indexed(w, f.upto);
	writer_journal(w, f.packs, f.npacks);
	rc = 0;
out:
	pthread_mutex_unlock(&w->flush_lock);
	index_builder_free(f.builder);
	free(f.packs);
	buf_fini(&payload);
	return rc;
}
