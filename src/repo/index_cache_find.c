/*
 * index_cache_find: where a blob is, over all levels; and the packs that are
 * hidden from that question.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "repo/index_cache_internal.h"

enum { HIDDEN_MIN = 64, TOUCHED_MAX = (4 << 20) / INDEX_LEVEL_WINDOW };

/* Nothing is forgotten: what is needed again is mapped again. */
static void give_back(struct index_cache *c)
{
	const struct set *s = index_cache_current(c);

	if (atomic_load_explicit(&c->touched, memory_order_relaxed) < TOUCHED_MAX)
		return;
	for (size_t i = 0; i < s->n; i++)
		index_level_trim(s->m[i].l);
}

/* The id's slot, or the empty one where it would be put. */
static struct hidden_slot *hidden_slot(struct hidden *h, const struct id *id, bool *found)
{
	uint64_t at;

	memcpy(&at, id->b + 8, sizeof at);
	for (;; at++) {
		struct hidden_slot *s = &h->slot[at & (h->cap - 1)];
		/* Asked once: an empty slot may be another id's a moment later. */
		bool used = atomic_load_explicit(&s->used, memory_order_acquire);

		*found = used && id_eq(&s->id, id);
		if (*found || !used)
			return s;
	}
}

static bool is_hidden(const struct index_cache *c, const struct id *pack)
{
	struct hidden *h = atomic_load_explicit(&c->hidden, memory_order_acquire);
	bool found = false;

	if (h != NULL)
		hidden_slot(h, pack, &found);
	return found;
}

static void hidden_put(struct hidden *h, const struct id *id)
{
	bool found;
	struct hidden_slot *s = hidden_slot(h, id, &found);

	if (found)
		return;
	s->id = *id;
	atomic_store_explicit(&s->used, true, memory_order_release);
	h->n++;
}

static struct hidden *hidden_grow(struct hidden *old)
{
	size_t cap = old ? old->cap * 4 : HIDDEN_MIN;
	struct hidden *h = mem_zalloc(sizeof *h + cap * sizeof *h->slot);

	h->older = old;
	h->cap = cap;
	for (size_t i = 0; old != NULL && i < old->cap; i++)
		if (atomic_load_explicit(&old->slot[i].used, memory_order_relaxed))
			hidden_put(h, &old->slot[i].id);
	return h;
}

void index_cache_hide(struct index_cache *c, const struct id *pack)
{
	struct hidden *h;

	pthread_mutex_lock(&c->hide_lock);
	h = atomic_load_explicit(&c->hidden, memory_order_relaxed);
	if (h == NULL || h->n * 2 >= h->cap)
		h = hidden_grow(h);
	hidden_put(h, pack);
	atomic_store_explicit(&c->hidden, h, memory_order_release);
	pthread_mutex_unlock(&c->hide_lock);
}

/* Visit the places of an id in one level; visit's result, if not 0, ends it. */
static int places_in(const struct index_cache *c, const struct member *m, uint64_t domain,
    const struct id *id, int (*visit)(void *, const struct index_place *, struct err *), void *arg,
    bool hidden_too, struct err *e)
{
	uint64_t at = INDEX_LEVEL_FIRST;
	struct index_cache_pack pack;
	struct index_place place;
	uint32_t blob;
	int rc;

	while ((rc = index_level_next(m->l, id, &at, &blob, e)) == 1) {
		if (index_level_place(m->l, blob, &place, e) == -1)
			return -1;
		if (domain != 0 && place.domain != domain)
			continue;
		if (!hidden_too && atomic_load_explicit(&c->hidden, memory_order_acquire)) {
			if (index_level_pack(m->l, place.pack, &pack, e) == -1)
				return -1;
			if (is_hidden(c, &pack.id))
				continue;
		}
		place.pack += m->pack;
		place.frame += m->frame;
		place.blob += m->blob;
		if ((rc = visit(arg, &place, e)) != 0)
			return rc;
	}
	return rc;
}

static int take_first(void *arg, const struct index_place *p, struct err *e)
{
	*(struct index_place *)arg = *p;
	return 1;
}

int index_cache_find(
    struct index_cache *c, const struct id *id, struct index_place *out, struct err *e)
{
	return index_cache_find_in(c, 0, id, out, e);
}

int index_cache_find_in(struct index_cache *c, uint64_t domain, const struct id *id,
    struct index_place *out, struct err *e)
{
	const struct set *s = index_cache_current(c);

	give_back(c);
	for (size_t i = 0; i < s->n; i++) {
		int rc = places_in(c, &s->m[i], domain, id, take_first, out, false, e);

		if (rc != 0)
			return rc;
	}
	return 0;
}

/* Is this the blob that follows `prev` in its frame?  1 and its place, 0 no or who knows, -1. */
static int find_after(struct index_cache *c, const struct index_place *prev, const struct id *id,
    struct index_place *out, struct err *e)
{
	uint32_t end = prev->blob_off + prev->blob_len;
	const struct set *s = index_cache_current(c);
	const struct pack_blob *b;

	if (end >= prev->plain || atomic_load_explicit(&c->hidden, memory_order_acquire) != NULL)
		return 0;
	for (size_t i = s->n; i-- > 0;) {
		const struct member *m = &s->m[i];

		if (prev->blob < m->blob || prev->blob + 1 - m->blob >= index_level_blobs(m->l))
			continue;
		b = index_level_blob(m->l, (uint32_t)(prev->blob + 1 - m->blob), e);
		if (b == NULL)
			return -1;
		if (!id_eq(&b->id, id) || b->len > prev->plain - end)
			return 0;
		*out = *prev;
		out->blob++;
		out->blob_off = end;
		out->blob_len = b->len;
		return 1;
	}
	return 0;
}

int index_cache_find_near(struct index_cache *c, uint64_t domain, const struct id *id,
    struct index_near *near, struct index_place *out, struct err *e)
{
	int rc;

	give_back(c);
	for (size_t i = 0; i < INDEX_NEAR; i++) {
		struct index_place *at = &near->place[i];

		if (at->plain == 0)
			continue;
		rc = find_after(c, at, id, out, e);
		if (rc == 1)
			*at = *out;
		if (rc != 0)
			return rc;
	}
	rc = index_cache_find_in(c, domain, id, out, e);
	if (rc == 1)
		near->place[near->next++ % INDEX_NEAR] = *out;
	return rc;
}

int index_cache_find_all(struct index_cache *c, uint64_t domain, const struct id *id,
    int (*visit)(void *, const struct index_place *, struct err *), void *arg, struct err *e)
{
	const struct set *s = index_cache_current(c);

	give_back(c);
	for (size_t i = 0; i < s->n; i++) {
		int rc = places_in(c, &s->m[i], domain, id, visit, arg, true, e);

		if (rc != 0)
			return rc;
	}
	return 0;
}

uint32_t index_cache_packs(const struct index_cache *c)
{
	const struct set *s = index_cache_current(c);
	const struct member *last = s->n ? &s->m[s->n - 1] : NULL;

	return last ? last->pack + index_level_packs(last->l) : 0;
}

uint64_t index_cache_blobs(const struct index_cache *c)
{
	const struct set *s = index_cache_current(c);
	const struct member *last = s->n ? &s->m[s->n - 1] : NULL;

	return last ? last->blob + index_level_blobs(last->l) : 0;
}

/* The member with this pack, or NULL with the error: the caller made it up. */
static const struct member *member_of_pack(
    const struct index_cache *c, uint32_t ordinal, struct err *e)
{
	const struct set *s = index_cache_current(c);

	for (size_t i = s->n; i-- > 0;)
		if (ordinal >= s->m[i].pack &&
		    ordinal - s->m[i].pack < index_level_packs(s->m[i].l))
			return &s->m[i];
	err_set(e, ERR_ABSENT, "index cache: no pack %u", ordinal);
	return NULL;
}

int index_cache_pack(
    struct index_cache *c, uint32_t ordinal, struct index_cache_pack *out, struct err *e)
{
	const struct member *m = member_of_pack(c, ordinal, e);

	if (m == NULL || index_level_pack(m->l, ordinal - m->pack, out, e) == -1)
		return -1;
	out->first_frame += m->frame;
	out->first_blob += m->blob;
	out->hidden = is_hidden(c, &out->id);
	return 0;
}

int index_cache_pack_dir(struct index_cache *c, uint32_t ordinal, struct pack_dir *dir,
    struct index_pack *out, struct err *e)
{
	const struct member *m = member_of_pack(c, ordinal, e);

	give_back(c);
	return m ? index_level_pack_dir(m->l, ordinal - m->pack, dir, out, e) : -1;
}
