/* reach: see reach.h. */
#include "engine/reach.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "repo/tree.h"

enum { SLOTS = 6, PLACES_MAX = 8 };

/* A refs blob still to be walked. */
struct todo {
	struct id id;
	struct index_place at;
	unsigned depth; /* of a list; 0: a tree */
};

struct slot {
	struct buf plain;
	uint32_t frame;
	uint64_t used; /* 0: empty */
};

struct reach {
	struct repo *repo;
	uint64_t domain; /* of the tree that is walked */
	uint8_t *bits;
	uint64_t blobs, count;
	struct todo *stack;
	size_t n, cap;
	struct slot slot[SLOTS]; /* not the reader's: that one may load the index again */
	uint64_t tick;
};

/* One call of reach_tree. */
struct marking {
	struct reach *h;
	struct reader *rd;
	reach_missing *missing;
	void *arg;
	bool stopped; /* found failed: its error is the walk's */
};

struct reach *reach_new(struct repo *r)
{
	struct reach *h = mem_zalloc(sizeof *h);

	h->repo = r;
	h->blobs = index_cache_blobs(repo_index(r));
	h->bits = mem_zalloc((size_t)(h->blobs / 8 + 1));
	return h;
}

void reach_free(struct reach *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < SLOTS; i++)
		buf_fini(&h->slot[i].plain);
	free(h->stack);
	free(h->bits);
	free(h);
}

bool reach_has(const struct reach *h, uint64_t i)
{
	return i < h->blobs && (h->bits[i / 8] >> (i % 8) & 1);
}

uint64_t reach_count(const struct reach *h)
{
	return h->count;
}

/* Was it marked before? */
static bool mark(struct reach *h, uint64_t i)
{
	if (i >= h->blobs || reach_has(h, i))
		return true;
	h->bits[i / 8] |= (uint8_t)(1 << (i % 8));
	h->count++;
	return false;
}

static int tell(struct marking *m, enum format_purpose kind, const struct id *id,
    const struct err *why, struct err *e)
{
	if (m->missing == NULL) {
		*e = *why;
		return -1;
	}
	return m->missing(m->arg, kind, id, why, e);
}

struct places {
	struct index_cache *index;
	bool hidden; /* those in hidden packs too */
	struct index_place v[PLACES_MAX];
	size_t n;
};

static int collect(void *arg, const struct index_place *at, struct err *e)
{
	struct places *p = arg;
	struct index_cache_pack pack;

	if (index_cache_pack(p->index, at->pack, &pack, e) == -1)
		return -1;
	if ((!pack.hidden || p->hidden) && p->n < PLACES_MAX)
		p->v[p->n++] = *at;
	return 0;
}

static int all_places(
    struct reach *h, const struct id *id, bool hidden, struct places *p, struct err *e)
{
	p->index = repo_index(h->repo);
	p->hidden = hidden;
	p->n = 0;
	return index_cache_find_all(p->index, h->domain, id, collect, p, e);
}

/* The place that keeps a blob.  1, 0 there is none (`why` says so), -1. */
static int place_of(struct marking *m, enum format_purpose kind, const struct id *id,
    struct index_place *at, struct err *why, struct err *e)
{
	struct places p;
	char hex[ID_HEX];
	int rc = reader_find_near(m->rd, id, at, e);

	if (rc == -1)
		return -1;
	if (rc == 1 && at->kind == kind)
		return 1;
	/* A hidden pack keeps what is nowhere else. */
	if (all_places(m->h, id, rc == 0, &p, e) == -1)
		return -1;
	if (rc == 0 && p.n == 0) {
		err_set(why, ERR_CORRUPT, "blob %.16s is in no index", id_hex(hex, id));
		return 0;
	}
	for (size_t i = 0; i < p.n; i++)
		if (p.v[i].kind == kind) {
			*at = p.v[i];
			return 1;
		}
	err_set(why, ERR_CORRUPT, "blob %.16s is of kind %u, not %u", id_hex(hex, id),
	    p.n ? p.v[0].kind : at->kind, (unsigned)kind);
	return 0;
}

static void push(struct reach *h, const struct id *id, const struct index_place *at, unsigned depth)
{
	if (h->n == h->cap) {
		h->cap = h->cap ? h->cap * 2 : 64;
		h->stack = mem_realloc(h->stack, h->cap * sizeof *h->stack);
	}
	h->stack[h->n++] = (struct todo){*id, *at, depth};
}

static int found(
    void *arg, enum format_purpose kind, unsigned depth, const struct id *id, struct err *e)
{
	struct marking *m = arg;
	struct index_place at;
	struct err why;
	int rc;

	err_clear(&why);
	rc = place_of(m, kind, id, &at, &why, e);
	if (rc == 0)
		rc = tell(m, kind, id, &why, e);
	else if (rc == 1 && !mark(m->h, at.blob) && kind == PURPOSE_REFS)
		push(m->h, id, &at, depth);
	m->stopped = rc == -1;
	return rc == -1 ? -1 : 0;
}

static int frame_of(
    struct marking *m, const struct index_place *at, struct span *out, struct err *e)
{
	struct slot *oldest = &m->h->slot[0];

	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *s = &m->h->slot[i];

		if (s->used && s->frame == at->frame) {
			s->used = ++m->h->tick;
			*out = buf_span(&s->plain);
			return 0;
		}
		if (s->used < oldest->used)
			oldest = s;
	}
	oldest->used = 0;
	if (reader_frame(m->rd, at, &oldest->plain, e) == -1)
		return -1;
	oldest->frame = at->frame;
	oldest->used = ++m->h->tick;
	*out = buf_span(&oldest->plain);
	return 0;
}

static int blob_at(struct marking *m, const struct index_place *at, const struct id *id,
    struct span *out, struct err *e)
{
	char hex[ID_HEX];
	struct span frame;

	if (frame_of(m, at, &frame, e) == -1)
		return -1;
	*out = span_of(NULL, 0);
	if (at->blob_off <= frame.n && at->blob_len <= frame.n - at->blob_off)
		*out = span_of(frame.p + at->blob_off, at->blob_len);
	if (out->p == NULL || !reader_check(m->rd, PURPOSE_REFS, *out, id))
		return err_set(
		    e, ERR_CORRUPT, "blob %.16s: its bytes have another id", id_hex(hex, id));
	return 0;
}

static bool is_damage(const struct err *e)
{
	return e->kind == ERR_CORRUPT || e->kind == ERR_ABSENT;
}

/* 1 and the blob, 0 no copy of it can be read, -1. */
static int read_refs(
    struct marking *m, const struct todo *t, struct span *out, struct err *why, struct err *e)
{
	struct places p;

	if (blob_at(m, &t->at, &t->id, out, why) == 0)
		return 1;
	if (is_damage(why) && all_places(m->h, &t->id, true, &p, e) == -1)
		return -1;
	for (size_t i = 0; is_damage(why) && i < p.n; i++) {
		struct err ignored;

		if (p.v[i].blob == t->at.blob || p.v[i].kind != PURPOSE_REFS)
			continue;
		if (blob_at(m, &p.v[i], &t->id, out, &ignored) == 0) {
			mark(m->h, p.v[i].blob);
			return 1;
		}
		if (!is_damage(&ignored))
			*why = ignored;
	}
	if (!is_damage(why)) {
		*e = *why;
		return -1;
	}
	why->kind = ERR_CORRUPT; /* the index promised it */
	return 0;
}

/* Walk what one refs blob names. */
static int walk_one(struct marking *m, const struct todo *t, struct err *e)
{
	struct span blob;
	struct err why;
	int rc;

	err_clear(&why);
	rc = read_refs(m, t, &blob, &why, e);
	if (rc == -1)
		return -1;
	if (rc == 0)
		return tell(m, PURPOSE_REFS, &t->id, &why, e);
	if (tree_refs_visit(blob, t->depth, found, m, &why) == 0)
		return 0;
	if (!m->stopped)
		return tell(m, PURPOSE_REFS, &t->id, &why, e);
	*e = why;
	return -1;
}

int reach_tree(struct reach *h, struct reader *rd, const struct id *tree, struct ctx *ctx,
    reach_missing *missing, void *arg, struct err *e)
{
	struct marking m = {h, rd, missing, arg, false};

	h->n = 0;
	h->domain = reader_domain(rd);
	if (found(&m, PURPOSE_REFS, 0, tree, e) == -1)
		return -1;
	while (h->n > 0) {
		struct todo t = h->stack[--h->n];

		if (ctx_check(ctx, e) == -1 || walk_one(&m, &t, e) == -1)
			return -1;
	}
	return 0;
}

int reach_snapshot(struct reach *h, struct reader *rd, const struct snapshot *s, struct ctx *ctx,
    reach_missing *missing, void *arg, struct err *e)
{
	/* What another domain's index says of these blobs keeps nothing. */
	reader_set_domain(rd, snapshot_domain(s));
	for (size_t i = 0; i < s->nparts; i++)
		if (s->parts[i].has_tree &&
		    reach_tree(h, rd, &s->parts[i].tree, ctx, missing, arg, e) == -1)
			return -1;
	return 0;
}
