/*
 * writer_lane: a worker's own path from a blob to a sealed frame.
 *
 * Blobs smaller than FORMAT_FRAME_OWN gather in the frame of their kind until
 * it reaches its aim; larger ones are sealed at once from the
 * caller's memory.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/writer_feed.h"
#include "repo/writer_internal.h"

enum { BIND = 46 }; /* bytes of a frame's bind before the ids */
enum { FRAME_BLOBS_MAX = 1024, KINDS = BLOB_KINDS };
enum {
	INCREMENT_MAX = 32 << 20, /* new bytes of a run that are compressed harder */
	INCREMENT_LEVEL = 7,
	INCREMENT_PAGES_LEVEL = 3, /* of pages, 7 saves 3 % for three times the work */
};

struct frame {
	struct buf plain;
	struct pack_blob *blobs;
	size_t n, cap;
	unsigned lack;    /* by bits, which of the set lack one of them */
	bool pages;       /* some are pages of a database */
	int64_t since_ns; /* when the first of them came */
};

struct writer_lane {
	struct writer *w;
	struct sealer sealer[WRITER_SET_MAX];
	struct codec *codec;
	struct crypto_mac *mac[BLOB_KINDS];
	struct frame frame[KINDS]; /* content, names, refs */
	struct buf box, bind;
	uint8_t random[32]; /* with the counter: a frame's own salt */
	uint64_t counter;
	size_t aim; /* of a frame of content */
	bool pages; /* see writer_lane_pages */
	struct index_near
	    near[WRITER_SET_MAX]; /* what is read again was stored in about this order */
};

void writer_pages(struct writer *w, bool pages)
{
	w->pages = pages;
}

void writer_lane_pages(struct writer_lane *l, bool pages)
{
	l->pages = pages;
}

void writer_increment(struct writer *w)
{
	w->increment = true;
}

/* Larger frames compress better, but each lane holds one, and what becomes of it. */
static size_t aim_of(unsigned lanes)
{
	return lanes <= 4   ? FORMAT_FRAME_AIM
	       : lanes <= 8 ? FORMAT_FRAME_AIM / 2
			    : FORMAT_FRAME_AIM / 4;
}

struct writer_lane *writer_lane_new(struct writer *w)
{
	struct writer_lane *l = mem_zalloc(sizeof *l);

	l->w = w;
	l->aim = aim_of(w->params.lanes);
	for (unsigned d = 0; d < w->nset; d++)
		sealer_init(&l->sealer[d], w->set[d]->repo->config.repo);
	l->codec = codec_new();
	domain_macs(w->domain, w->repo->config.blob_id, l->mac);
	crypto_random(l->random, sizeof l->random);
	return l;
}

void writer_lane_free(struct writer_lane *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < KINDS; i++) {
		buf_fini(&l->frame[i].plain);
		free(l->frame[i].blobs);
	}
	buf_fini(&l->box);
	buf_fini(&l->bind);
	domain_macs_free(l->mac);
	codec_free(l->codec);
	for (unsigned d = 0; d < l->w->nset; d++)
		sealer_fini(&l->sealer[d]);
	free(l);
}

/*
 * If nobody named a level: a nightly increment is small, and kept for long, so
 * it is worth more of the processor than the terabytes of a first run.
 */
static int level_of(const struct writer *w, size_t nblobs, bool pages)
{
	const struct writer_params *p = &w->params;

	if (p->level != CODEC_AUTO)
		return p->level;
	if (p->codec == CODEC_ZSTD && w->increment && w->stats.added_bytes <= INCREMENT_MAX)
		return pages ? INCREMENT_PAGES_LEVEL : INCREMENT_LEVEL;
	if (p->codec == CODEC_ZSTD && pages)
		return CODEC_QUICK;
	return nblobs == 1 ? CODEC_AUTO_LARGE : CODEC_AUTO;
}

/* Compress, to where it will be sealed; what does not shrink is stored as it is. */
static struct span pack_plain(struct writer_lane *l, int level, struct span plain, uint8_t *codec)
{
	size_t n = 0;

	uint8_t *out;

	*codec = CODEC_NONE;
	buf_reset(&l->box);
	buf_reserve(&l->box, FORMAT_BOX + codec_bound(plain.n));
	out = l->box.p + FORMAT_BOX_HEAD;
	if (l->w->params.codec != CODEC_NONE)
		n = codec_compress(l->codec, l->w->params.codec, level, plain, out);
	if (n == 0)
		return plain;
	*codec = (uint8_t)l->w->params.codec;
	return span_of(out, n);
}

/* May frames be of pages in all that it goes to? */
static bool knows_pages(const struct writer *w)
{
	bool all = w->params.codec == CODEC_ZSTD;

	for (unsigned d = 0; d < w->nset; d++)
		all = all && w->set[d]->repo->config.pages;
	return all;
}

/* As pack_plain, of what the lane has gathered, which is changed where it is. */
static struct span pack_pages(struct writer_lane *l, int level, struct frame *f, uint8_t *codec)
{
	uint32_t lens[FRAME_BLOBS_MAX];
	size_t n;

	for (size_t i = 0; i < f->n; i++)
		lens[i] = f->blobs[i].len;
	buf_reset(&l->box);
	buf_reserve(&l->box, FORMAT_BOX + codec_bound(f->plain.n));
	n = codec_compress_pages(
	    l->codec, level, f->plain.p, lens, f->n, l->box.p + FORMAT_BOX_HEAD);
	if (n == 0)
		return pack_plain(l, level, buf_span(&f->plain), codec);
	*codec = CODEC_PAGES;
	return span_of(l->box.p + FORMAT_BOX_HEAD, n);
}

/* Compressed otherwise, the same blobs are another plaintext: it is in what names the frame. */
static void bind_frame(
    struct writer_lane *l, const struct pack_frame *f, int level, const struct pack_blob *blobs)
{
	buf_reset(&l->bind);
	buf_put(&l->bind, l->random, sizeof l->random);
	buf_put_u64(&l->bind, l->counter++);
	buf_put_u8(&l->bind, f->codec);
	buf_put_u8(&l->bind, (uint8_t)level);
	buf_put_u32(&l->bind, f->stored);
	for (size_t i = 0; i < f->nblobs; i++)
		buf_put(&l->bind, &blobs[i].id, ID_SIZE);
}

static void count_stored(struct writer *w, const struct pack_frame *f)
{
	atomic_fetch_add_explicit(&w->stats.stored_bytes, f->stored, memory_order_relaxed);
	if (f->kind == PURPOSE_CONTENT)
		atomic_fetch_add_explicit(
		    &w->stats.content_stored, f->stored, memory_order_relaxed);
	atomic_fetch_add_explicit(
	    &w->repo->ctx->progress.stored_bytes, f->stored, memory_order_relaxed);
}

/* Seal `plain` for the d-th of the set, and hand it on. */
static int seal_for(struct writer_lane *l, unsigned d, const struct pack_frame *frame,
    const struct pack_blob *blobs, struct span plain, struct err *e)
{
	struct writer *w = l->w->set[d];
	bool refs = frame->kind == PURPOSE_REFS;
	const uint8_t *key = refs ? w->sealed_structure : w->sealed_content;
	struct span ids = span_of(l->bind.p + BIND, frame->nblobs * ID_SIZE);
	struct pack_frame f = *frame;
	struct buf own;

	count_stored(w, &f);
	if (w->params.dry_run)
		return 0;
	/* Alone it is sealed where it was compressed. */
	own = w->feed ? writer_feed_box(w->feed, f.stored) : (struct buf){0};
	seal_box(&l->sealer[d], refs ? w->structure : w->content, (enum format_purpose)f.kind,
	    span_of(l->bind.p, BIND), ids, plain, buf_extend(w->feed ? &own : &l->box, f.stored));
	if (w->feed == NULL)
		return writer_append(w, &f, blobs, key, buf_span(&l->box), e);
	writer_feed_put(w->feed, &f, blobs, key, &own);
	return 0;
}

/* What was compressed becomes a frame of those of the set that lack one of its blobs. */
static int store_frame(struct writer_lane *l, struct pack_frame *f, int level,
    const struct pack_blob *blobs, struct span c, unsigned lack, struct err *e)
{
	f->stored = (uint32_t)(c.n + FORMAT_BOX);
	bind_frame(l, f, level, blobs);
	for (unsigned d = 0; d < l->w->nset; d++)
		if ((lack & 1U << d) && writer_takes(l->w, d) &&
		    seal_for(l, d, f, blobs, c, e) == -1)
			return -1;
	return 0;
}

/* Of its own: a large one, sealed from the caller's memory. */
static int seal_blob(struct writer_lane *l, enum format_purpose kind, struct span plain,
    const struct pack_blob *blob, unsigned lack, struct err *e)
{
	struct pack_frame f = {.kind = (uint8_t)kind, .plain = (uint32_t)plain.n, .nblobs = 1};
	const int level = level_of(l->w, 1, l->w->pages || l->pages);
	struct span c = pack_plain(l, level, plain, &f.codec);

	return store_frame(l, &f, level, blob, c, lack, e);
}

static int seal_gathered(
    struct writer_lane *l, enum format_purpose kind, struct frame *g, struct err *e)
{
	struct pack_frame f = {
	    .kind = (uint8_t)kind, .plain = (uint32_t)g->plain.n, .nblobs = (uint32_t)g->n};
	const int level = level_of(l->w, g->n, g->pages);
	struct span c = g->pages && knows_pages(l->w)
			    ? pack_pages(l, level, g, &f.codec)
			    : pack_plain(l, level, buf_span(&g->plain), &f.codec);

	return store_frame(l, &f, level, g->blobs, c, g->lack, e);
}

static int flush_frame(struct writer_lane *l, enum format_purpose kind, struct err *e)
{
	struct frame *f = &l->frame[kind - 1];
	int rc = 0;

	if (f->n > 0)
		rc = seal_gathered(l, kind, f, e);
	buf_reset(&f->plain);
	f->n = 0;
	f->lack = 0;
	f->pages = false;
	return rc;
}

/* A slow source fills no frame for a long time: the clock closes it, as it does packs. */
static bool waited_long(struct writer_lane *l, const struct frame *f)
{
	struct writer *w = l->w;
	bool long_ago = writer_due(w, f->since_ns);

	for (unsigned d = 0; d < w->nset; d++)
		long_ago = long_ago ||
			   (writer_takes(w, d) && writer_due(w, w->set[d]->last_index_ns));
	return long_ago && !w->params.dry_run;
}

static int gather(struct writer_lane *l, enum format_purpose kind, struct span blob,
    const struct id *id, unsigned lack, struct err *e)
{
	const bool pages = kind == PURPOSE_CONTENT && (l->w->pages || l->pages);
	const size_t aim = kind != PURPOSE_CONTENT || pages ? FORMAT_FRAME_TREES : l->aim;
	struct frame *f = &l->frame[kind - 1];

	if (f->n == f->cap) {
		f->cap = f->cap ? 2 * f->cap : 256;
		f->blobs = mem_realloc(f->blobs, f->cap * sizeof *f->blobs);
	}
	if (f->n == 0)
		f->since_ns = writer_boot_ns(l->w);
	f->blobs[f->n++] = (struct pack_blob){*id, (uint32_t)blob.n};
	f->lack |= lack;
	f->pages = f->pages || pages;
	buf_put_span(&f->plain, blob);
	if (f->plain.n >= aim || f->n == FRAME_BLOBS_MAX || waited_long(l, f))
		return flush_frame(l, kind, e);
	return 0;
}

/* As writer_has_own; content that an unfinished run left is counted. */
static int has_already(
    struct writer_lane *l, unsigned d, enum format_purpose kind, const struct id *id, struct err *e)
{
	struct writer *w = l->w->set[d];
	struct index_place at;
	int rc;

	if (w->resumed == NULL || kind != PURPOSE_CONTENT)
		return writer_has_own(w, id, &l->near[d], e);
	rc = writer_in_index(w, id, &l->near[d], &at, e);
	if (rc == 0)
		return writer_in_run(w, id);
	if (rc == 1 && at.pack < w->nrelied && w->resumed[at.pack])
		atomic_fetch_add_explicit(
		    &w->stats.resumed_bytes, at.blob_len, memory_order_relaxed);
	return rc;
}

/* Which of the set lack it, and nobody else brings it: it is claimed for those. */
static int find_lacking(struct writer_lane *l, enum format_purpose kind, const struct id *id,
    unsigned *lack, struct err *e)
{
	struct writer *w = l->w;

	unsigned taken = 0;

	*lack = 0;
	for (unsigned d = 0; d < w->nset; d++) {
		int has;

		if (!writer_takes(w, d))
			continue;
		taken++;
		has = has_already(l, d, kind, id, e);
		if (has == -1 && writer_lose(w, d, e) == -1)
			return -1;
		if (has == 0 && !writer_claim(w->set[d], id))
			*lack |= 1U << d;
	}
	return taken > 0 || writer_lost(w, e) == WRITER_WHOLE ? 0 : -1;
}

static void count_added(struct writer *w, enum format_purpose kind, size_t n)
{
	atomic_fetch_add_explicit(&w->stats.blobs, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&w->stats.added_bytes, n, memory_order_relaxed);
	if (kind == PURPOSE_CONTENT)
		atomic_fetch_add_explicit(&w->stats.content_added, n, memory_order_relaxed);
}

/* Claimed for those that lack it. */
static int store_blob(struct writer_lane *l, enum format_purpose kind, struct span blob,
    const struct id *id, unsigned lack, struct err *e)
{
	for (unsigned d = 0; d < l->w->nset; d++)
		if (lack & 1U << d)
			count_added(l->w->set[d], kind, blob.n);
	if (blob.n < FORMAT_FRAME_OWN)
		return gather(l, kind, blob, id, lack, e);
	return seal_blob(l, kind, blob, &(struct pack_blob){*id, (uint32_t)blob.n}, lack, e);
}

int writer_add(struct writer_lane *l, enum format_purpose kind, struct span blob, struct id *id,
    bool *added, struct err *e)
{
	unsigned lack;

	if (blob.n > FORMAT_BLOB_MAX)
		return err_set(e, ERR_BUG, "blob of %zu bytes", blob.n);
	crypto_mac(l->mac[kind - 1], blob, id->b);
	if (find_lacking(l, kind, id, &lack, e) == -1)
		return -1;
	if (added != NULL)
		*added = lack != 0;
	if (lack == 0)
		return 0;
	return store_blob(l, kind, blob, id, lack, e);
}

/* Who lacks each of a frame's blobs, which is ours to store now; how many are, or -1. */
static int64_t claim_blobs(struct writer_lane *l, enum format_purpose kind,
    const struct pack_blob *blobs, size_t n, unsigned *lack, struct err *e)
{
	int64_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (find_lacking(l, kind, &blobs[i].id, &lack[i], e) == -1)
			return -1;
		count += lack[i] != 0;
	}
	return count;
}

int writer_add_frame(struct writer_lane *l, enum format_purpose kind, const struct pack_blob *blobs,
    size_t n, struct span plain, uint8_t codec, struct span packed, struct err *e)
{
	struct pack_frame f = {.kind = (uint8_t)kind,
	    .codec = codec,
	    .plain = (uint32_t)plain.n,
	    .nblobs = (uint32_t)n};
	unsigned lack[FRAME_BLOBS_MAX], any = 0;
	int64_t count;
	size_t at = 0;

	if (n > FRAME_BLOBS_MAX)
		return err_set(e, ERR_BUG, "frame of %zu blobs", n);
	if ((count = claim_blobs(l, kind, blobs, n, lack, e)) == -1)
		return -1;
	if (count == (int64_t)n && (codec != CODEC_PAGES || knows_pages(l->w))) {
		for (size_t i = 0; i < n; i++) {
			any |= lack[i];
			for (unsigned d = 0; d < l->w->nset; d++)
				if (lack[i] & 1U << d)
					count_added(l->w->set[d], kind, blobs[i].len);
		}
		buf_reset(&l->box);
		return store_frame(l, &f, 0, blobs, packed, any, e);
	}
	for (size_t i = 0; i < n; at += blobs[i++].len)
		if (lack[i] && store_blob(l, kind, span_of(plain.p + at, blobs[i].len),
				   &blobs[i].id, lack[i], e) == -1)
			return -1;
	return 0;
}

int writer_tree_put(
    void *arg, enum format_purpose kind, struct span blob, struct id *id, struct err *e)
{
	return writer_add(arg, kind, blob, id, NULL, e);
}

int writer_lane_flush(struct writer_lane *l, struct err *e)
{
	for (int kind = PURPOSE_CONTENT; kind <= PURPOSE_REFS; kind++)
		if (flush_frame(l, (enum format_purpose)kind, e) == -1)
			return -1;
	return 0;
}
