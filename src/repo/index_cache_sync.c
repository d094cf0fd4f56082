/* index_cache_sync: make the cache hold exactly what the repository lists. */
#include <stdlib.h>

#include "base/mem.h"
#include "repo/index_cache_internal.h"

enum { BATCH = 64 << 20 };

static int by_size(const void *pa, const void *pb)
{
	uint64_t a = index_level_blobs(((const struct member *)pa)->l);
	uint64_t b = index_level_blobs(((const struct member *)pb)->l);

	return (a < b) - (a > b);
}

/* Is all that a level holds wanted, and in no level before it?  Then note it. */
static bool take_level(struct idmap *have, const struct index_level *l)
{
	for (size_t i = 0; i < index_level_sources(l); i++) {
		bool *got = idmap_get(have, index_level_source(l, i));

		if (got == NULL || *got)
			return false;
	}
	for (size_t i = 0; i < index_level_sources(l); i++)
		*(bool *)idmap_get(have, index_level_source(l, i)) = true;
	return true;
}

/* The present levels, returns new: the larger ones are kept for their objects first. */
static struct member *in_order(struct set *s)
{
	struct member *m = mem_dup(s->m, s->n * sizeof *m);

	qsort(m, s->n, sizeof *m, by_size);
	return m;
}

void index_cache_missing(const struct index_cache *c, const struct id *ids, size_t n, bool *missing)
{
	struct set *s = index_cache_current(c);
	struct idmap *have = idmap_new(sizeof(bool));
	struct member *m = in_order(s);

	for (size_t i = 0; i < n; i++)
		idmap_put(have, &ids[i], NULL);
	for (size_t i = 0; i < s->n; i++)
		take_level(have, m[i].l);
	for (size_t i = 0; i < n; i++)
		missing[i] = !*(bool *)idmap_get(have, &ids[i]);
	free(m);
	idmap_free(have);
}

/* Keep the levels that hold only wanted objects; `have` tells which those are. */
static void keep_wanted(struct index_cache *c, struct idmap *have)
{
	struct set *s = index_cache_current(c);
	struct member *m = in_order(s);
	struct member *kept = mem_alloc(s->n * sizeof *kept);
	bool *drop = mem_zalloc(s->n);
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		drop[i] = !take_level(have, m[i].l);
		if (!drop[i])
			kept[n++] = m[i];
	}
	/* Same levels: same ordinals, even if they are not in order of size. */
	if (n < s->n || s->n > INDEX_CACHE_LEVELS)
		index_cache_publish(c, kept, n);
	for (size_t i = 0; i < s->n; i++)
		if (drop[i])
			index_cache_retire(c, &m[i]);
	free(drop);
	free(kept);
	free(m);
}

static int finish_batch(struct index_cache *c, struct index_level_builder **b, struct err *e)
{
	struct member m;
	int rc = index_cache_make(c, index_cache_fill_built, *b, &m, e);

	index_level_builder_free(*b);
	*b = NULL;
	if (rc == 0)
		index_cache_append(c, &m);
	return rc;
}

static int fetch_missing(struct index_cache *c, const struct id *ids, size_t n, struct idmap *have,
    index_fetch *fetch, void *arg, struct err *e)
{
	struct index_level_builder *b = NULL;
	struct buf payload = {0};
	struct index_origin origin;
	size_t held = 0;
	int rc = -1;

	for (size_t i = 0; i < n; i++) {
		bool *got = idmap_get(have, &ids[i]);
		char hex[ID_HEX];

		if (*got)
			continue;
		if (ctx_check(c->ctx, e) == -1)
			goto out;
		buf_reset(&payload);
		if (fetch(arg, &ids[i], &payload, &origin, e) == -1)
			goto out;
		*got = true;
		if (b == NULL)
			b = index_level_builder_new();
		if (index_level_builder_add(b, &ids[i], &origin, buf_span(&payload), e) == -1) {
			err_wrap(e, "index/%s", id_hex(hex, &ids[i]));
			goto out;
		}
		held += payload.n;
		if (held >= BATCH) {
			held = 0;
			if (finish_batch(c, &b, e) == -1)
				goto out;
		}
	}
	rc = b ? finish_batch(c, &b, e) : 0;
out:
	index_level_builder_free(b);
	buf_fini(&payload);
	return rc;
}

static int sync_once(struct index_cache *c, const struct id *ids, size_t n, index_fetch *fetch,
    void *arg, struct err *e)
{
	struct idmap *have = idmap_new(sizeof(bool));
	int rc;

	for (size_t i = 0; i < n; i++)
		idmap_put(have, &ids[i], NULL);
	keep_wanted(c, have);
	rc = fetch_missing(c, ids, n, have, fetch, arg, e);
	idmap_free(have);
	return rc;
}

int index_cache_sync(struct index_cache *c, const struct id *ids, size_t n, index_fetch *fetch,
    void *arg, struct err *e)
{
	if (sync_once(c, ids, n, fetch, arg, e) == -1)
		return -1;
	if (index_cache_merge_tail(c, true, e) == 0)
		return 0;
	if (e->kind != ERR_CORRUPT)
		return -1;
	/* A level that merging found damaged: all are worth less than certainty. */
	err_clear(e);
	index_cache_drop_all(c);
	return sync_once(c, ids, n, fetch, arg, e);
}

int index_cache_add(struct index_cache *c, const struct id *id, const struct index_origin *origin,
    struct span payload, struct err *e)
{
	struct index_level_builder *b = index_level_builder_new();

	if (index_level_builder_add(b, id, origin, payload, e) == -1) {
		index_level_builder_free(b);
		return -1;
	}
	if (finish_batch(c, &b, e) == -1)
		return -1;
	return index_cache_merge_tail(c, false, e);
}
