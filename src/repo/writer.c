/*
 * writer: the run: data keys, what was seen, open packs, index objects.
 * Blobs become frames in writer_lane.c; the end is in writer_commit.c.
 */
#include "repo/writer.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/secret.h"
#include "os/os.h"
#include "repo/writer_feed.h"
#include "repo/writer_internal.h"

static const int64_t INDEX_EVERY_NS = 60 * 1000000000LL;
static const uint64_t INDEX_EVERY_BYTES = 1ULL << 30;
static const size_t INDEX_EVERY_BLOBS = 32 << 10; /* bounds memory too */

int64_t writer_boot_ns(struct writer *w)
{
	struct clock *c = os_clock_of(w->repo->ctx);

	return c->mono_ns(c);
}

bool writer_due(struct writer *w, int64_t since_ns)
{
	return writer_boot_ns(w) - since_ns >= INDEX_EVERY_NS;
}

static void draw_keys(struct writer *w)
{
	const struct config *c = &w->repo->config;

	w->content = secret_new(sizeof *w->content);
	w->structure = secret_new(sizeof *w->structure);
	seal_data_key_new(
	    c->repo, SEAL_CONTENT, c->epoch, c->content, w->content, w->sealed_content);
	seal_data_key_new(
	    c->repo, SEAL_STRUCTURE, c->epoch, c->structure, w->structure, w->sealed_structure);
}

int writer_begin(struct repo *r, const struct writer_params *p, struct writer **out, struct err *e)
{
	const struct domain *d = p->domain ? repo_domain(r, p->domain) : repo_own_domain(r);
	struct writer *w;

	if (!p->dry_run && repo_may_write(r, e) == -1)
		return -1;
	/* The local cache, or a snapshot, may name one that an older config lacks. */
	if (d == NULL)
		return repo_foreign(e, "of a domain that config does not know");
	w = mem_zalloc(sizeof *w);
	w->repo = r;
	w->params = *p;
	w->domain = d;
	w->builder = index_builder_new();
	w->last_index_ns = writer_boot_ns(w);
	pthread_mutex_init(&w->index_lock, NULL);
	pthread_mutex_init(&w->flush_lock, NULL);
	for (size_t i = 0; i < SEEN_SHARDS; i++) {
		pthread_mutex_init(&w->seen[i].lock, NULL);
		w->seen[i].map = idmap_new(sizeof(uint32_t));
	}
	for (size_t i = 0; i < 2; i++) {
		pthread_mutex_init(&w->pack[i].lock, NULL);
		w->pack[i].type = i == 0 ? FORMAT_PACK : FORMAT_META;
	}
	draw_keys(w);
	w->set[w->nset++] = w;
	/* Marks before the index: what is marked later was not relied on yet. */
	if ((!p->dry_run && writer_now(w, &w->begun, e) == -1) ||
	    mark_load(r, &w->marks, e) == -1 || repo_index_load(r, false, e) == -1) {
		writer_free(w);
		return -1;
	}
	w->told = w->flushed = w->begun;
	w->nrelied = index_cache_packs(r->index);
	w->relied = mem_zalloc(w->nrelied);
	w->generation = repo_index_generation(r);
	mark_hide(r, &w->marks);
	*out = w;
	return 0;
}

void writer_free(struct writer *w)
{
	struct err ignored;

	if (w == NULL)
		return;
	writer_feed_free(w->feed);
	for (size_t i = 0; i < 2; i++) {
		pack_writer_abort(w->pack[i].w);
		pthread_mutex_destroy(&w->pack[i].lock);
	}
	for (size_t i = 0; i < SEEN_SHARDS; i++) {
		idmap_free(w->seen[i].map);
		pthread_mutex_destroy(&w->seen[i].lock);
	}
	pthread_mutex_destroy(&w->index_lock);
	pthread_mutex_destroy(&w->flush_lock);
	index_builder_free(w->builder);
	if (atomic_load(&w->cache_damaged))
		repo_index_load(w->repo, true, &ignored);
	id_list_fini(&w->own_packs);
	mark_set_fini(&w->marks);
	secret_free(w->content);
	secret_free(w->structure);
	free((void *)w->relied);
	free(w->copy_keys);
	free(w->journal);
	free(w->resumed);
	free(w);
}

struct writer_stats *writer_stats(struct writer *w)
{
	return &w->stats;
}

/*
 * Where the cache is damaged the blob counts as absent: it is stored once
 * more, which costs space until the next prune, and nothing else (I5).
 */
int writer_in_index(struct writer *w, const struct id *id, struct index_near *near,
    struct index_place *at, struct err *e)
{
	/* Only what this domain's writers say: see "a lying index" in the threat model. */
	int rc = near ? index_cache_find_near(w->repo->index, w->domain->tag, id, near, at, e)
		      : index_cache_find_in(w->repo->index, w->domain->tag, id, at, e);

	if (rc == -1 && e->kind == ERR_CORRUPT) {
		atomic_store(&w->cache_damaged, true);
		return 0;
	}
	if (rc == 1 && at->pack < w->nrelied)
		atomic_store_explicit(&w->relied[at->pack], 1, memory_order_relaxed);
	return rc;
}

bool writer_in_run(struct writer *w, const struct id *id)
{
	struct seen_shard *s = writer_shard(w, id);
	bool is;

	pthread_mutex_lock(&s->lock);
	is = idmap_get(s->map, id) != NULL;
	pthread_mutex_unlock(&s->lock);
	return is;
}

int writer_has_own(struct writer *w, const struct id *id, struct index_near *near, struct err *e)
{
	struct index_place at;
	int rc = writer_in_index(w, id, near, &at, e);

	return rc != 0 ? rc : writer_in_run(w, id);
}

bool writer_claim(struct writer *w, const struct id *id)
{
	struct seen_shard *s = writer_shard(w, id);
	bool was;

	pthread_mutex_lock(&s->lock);
	idmap_put(s->map, id, &was);
	pthread_mutex_unlock(&s->lock);
	return was;
}

/* Remember which pack a frame's blobs went into. */
static void note_packed(struct writer *w, const struct pack_blob *blobs, size_t n, uint32_t number)
{
	for (size_t i = 0; i < n; i++) {
		struct seen_shard *s = writer_shard(w, &blobs[i].id);
		uint32_t *v;

		pthread_mutex_lock(&s->lock);
		v = idmap_put(s->map, &blobs[i].id, NULL);
		*v = number;
		pthread_mutex_unlock(&s->lock);
	}
}

/* The pack's lock is held. */
static int close_pack(struct writer *w, struct open_pack *p, bool *flush, struct err *e)
{
	struct pack_writer *pw = p->w;
	struct index_pack desc;
	int rc = -1;

	p->w = NULL;
	if (pw == NULL)
		return 0;
	if (pack_writer_close(pw, &desc, e) == 0) {
		atomic_fetch_add(&w->stats.object_bytes, desc.size + pack_writer_parity(pw));
		pthread_mutex_lock(&w->index_lock);
		index_builder_add(w->builder, &desc);
		id_list_add(&w->own_packs, &desc.id);
		w->builder_bytes += desc.size;
		*flush = *flush || w->builder_bytes >= INDEX_EVERY_BYTES ||
			 index_builder_blobs(w->builder) >= INDEX_EVERY_BLOBS ||
			 writer_due(w, w->last_index_ns);
		pthread_mutex_unlock(&w->index_lock);
		rc = 0;
	}
	pack_writer_free(pw);
	return rc;
}

static void add_slot(struct open_pack *p, const uint8_t *sealed_key)
{
	for (size_t i = 0; i < p->nslots; i++)
		if (memcmp(p->slots[i], sealed_key, FORMAT_SEALED_KEY) == 0)
			return;
	if (p->nslots < WRITER_SLOTS_MAX)
		memcpy(p->slots[p->nslots++], sealed_key, FORMAT_SEALED_KEY);
}

/* The keys that a new pack's header names: ours, or the ones being copied. */
static void choose_slots(struct writer *w, struct open_pack *p, const uint8_t *sealed_key)
{
	p->nslots = 0;
	add_slot(p, sealed_key);
	if (memcmp(sealed_key, w->sealed_content, FORMAT_SEALED_KEY) == 0 ||
	    memcmp(sealed_key, w->sealed_structure, FORMAT_SEALED_KEY) == 0) {
		add_slot(p, w->sealed_content);
		if (p->type == FORMAT_META)
			add_slot(p, w->sealed_structure);
		return;
	}
	for (size_t i = 0; i < w->ncopy_keys; i++) {
		const uint8_t *key = w->copy_keys + i * FORMAT_SEALED_KEY;

		if (p->type == FORMAT_META || seal_data_key_class(key) == SEAL_CONTENT)
			add_slot(p, key);
	}
}

void writer_copy_keys(struct writer *w, const uint8_t *sealed_keys, size_t n)
{
	free(w->copy_keys);
	w->copy_keys = mem_dup(sealed_keys, n * FORMAT_SEALED_KEY);
	w->ncopy_keys = n;
}

/* The slot of a sealed key in the open pack, opening or closing as needed. */
static int ready_pack(struct writer *w, struct open_pack *p, struct pack_frame *frame,
    const uint8_t *sealed_key, bool *flush, struct err *e)
{
	bool fits = p->w != NULL && pack_writer_fits(p->w, frame);
	const uint8_t *slots[WRITER_SLOTS_MAX];

	for (size_t i = 0; fits && i < p->nslots; i++)
		if (memcmp(p->slots[i], sealed_key, FORMAT_SEALED_KEY) == 0) {
			frame->slot = (uint8_t)i;
			return 0;
		}
	/* Or a key that the header doesn't name: only copies by prune bring one. */
	if (close_pack(w, p, flush, e) == -1)
		return -1;
	choose_slots(w, p, sealed_key);
	for (size_t i = 0; i < p->nslots; i++)
		slots[i] = p->slots[i];
	p->number = atomic_fetch_add(&w->next_pack, 1) + 1;
	frame->slot = 0;
	return pack_writer_open(w->repo, w->domain->tag, p->type, slots, p->nslots, &p->w, e);
}

int writer_append(struct writer *w, struct pack_frame *frame, const struct pack_blob *blobs,
    const uint8_t *sealed_key, struct span box, struct err *e)
{
	struct open_pack *p = &w->pack[frame->kind == PURPOSE_CONTENT ? 0 : 1];
	bool flush = false;
	int rc = -1;

	pthread_mutex_lock(&p->lock);
	if (ready_pack(w, p, frame, sealed_key, &flush, e) == -1)
		goto out;
	if (pack_writer_add(p->w, frame, blobs, box, e) == -1) {
		/* Some of the frame may be in it: no other may come behind. */
		pack_writer_abort(p->w);
		p->w = NULL;
		goto out;
	}
	note_packed(w, blobs, frame->nblobs, p->number);
	/* A slow source fills no pack for hours: the clock closes it too (I1). */
	if ((pack_writer_full(p->w) || writer_due(w, w->last_index_ns)) &&
	    close_pack(w, p, &flush, e) == -1)
		goto out;
	rc = 0;
out:
	pthread_mutex_unlock(&p->lock);
	if (rc == 0 && flush)
		rc = writer_flush_index(w, e);
	if (rc == -1)
		atomic_store(&w->broken, true);
	return rc;
}

int writer_copy_frame(struct writer *w, const struct pack_frame *frame,
    const struct pack_blob *blobs, const uint8_t *sealed_key, struct span box, struct err *e)
{
	struct pack_frame copy = *frame;

	if (w->params.dry_run)
		return 0;
	atomic_fetch_add(&w->stats.stored_bytes, box.n);
	return writer_append(w, &copy, blobs, sealed_key, box, e);
}

int writer_finish(struct writer *w, struct err *e)
{
	bool flush = false;

	if (w->feed != NULL)
		writer_feed_end(w->feed);
	if (writer_lost(w, e) != WRITER_WHOLE)
		return -1;
	for (size_t i = 0; i < 2; i++)
		if (close_pack(w, &w->pack[i], &flush, e) == -1) {
			atomic_store(&w->broken, true);
			return -1;
		}
	if (writer_flush_index(w, e) == 0)
		return 0;
	atomic_store(&w->broken, true);
	return -1;
}

void writer_chunker(struct repo *r, enum chunker_kind kind, struct chunker *out)
{
	const struct config *c = &r->config;

	chunker_init(
	    out, kind, repo_own_domain(r)->chunker_key, c->chunk_min, c->chunk_avg, c->chunk_max);
}

void writer_chunker_fine(struct repo *r, uint32_t avg, struct chunker *out)
{
	chunker_init(out, CHUNKER_GEAR, repo_own_domain(r)->chunker_key, avg / 2, avg, 4 * avg);
}

void writer_fingerprint(struct repo *r, struct span s, uint8_t out[16])
{
	uint8_t h[32];

	crypto_mac3(
	    repo_own_domain(r)->id_key, span_str("holdfast/1 fingerprint"), s, span_of(NULL, 0), h);
	memcpy(out, h, 16);
}
