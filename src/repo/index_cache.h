/*
 * index_cache: where each blob is, answered from local files that hold what
 * the index objects say, sorted and memory-mapped.
 *
 * A *level* is one file made from one or more index objects.  Its header
 * lists them.  Levels are never changed, only merged into a new one and
 * deleted; each block of a level has a checksum that is verified when the
 * block is first touched.  A level that fails, or that holds an index object
 * that the repository no longer lists, is thrown away and what it held is
 * fetched again (format.md I5): the cache is never trusted over the repository.
 * Opening reads headers only.
 *
 * In a level: packs; frames; blobs in pack order (so a restore touches
 * neighbours); a table of (first 4 bytes of id, ordinal) sorted by id; a
 * filter that answers most misses; sealed data keys.  What lookups touch of
 * them is mapped memory, and given back when it is more than 4 MiB.
 *
 * Without a usable folder the levels live in unlinked temporary files.
 *
 * Threads: lookups from any thread at once, also while one thread adds; open,
 * sync, add and close by one.
 */
#ifndef HF_REPO_INDEX_CACHE_H
#define HF_REPO_INDEX_CACHE_H

#include "base/ctx.h"
#include "base/err.h"
#include "base/id.h"
#include "repo/index.h"

struct index_cache;

struct index_place {
	uint32_t pack;   /* ordinal, for index_cache_pack and hide */
	uint32_t frame;  /* ordinal, unique in this cache while open */
	uint64_t domain; /* tag: of the index object that names it */
	uint64_t blob;   /* ordinal: an index into caller's bitmaps, < index_cache_blobs */
	uint8_t kind, codec;
	uint64_t off;                /* of the frame in the pack */
	uint32_t stored, plain;      /* of the frame */
	uint32_t blob_off, blob_len; /* in the frame's plaintext */
	const uint8_t *sealed_key;   /* FORMAT_SEALED_KEY bytes, lives as long as the cache */
};

struct index_cache_pack {
	struct id id;
	uint8_t type;
	uint64_t size;
	struct index_origin origin;
	uint64_t first_off;            /* of its first frame */
	uint32_t first_frame, nframes; /* ordinals */
	uint64_t first_blob, nblobs;
	bool hidden;
};

/*
 * dir: the repository's cache folder (made if missing), or NULL for none.
 * key: 32 bytes that nobody else knows, mixed into checksums, so that a
 * neighbour who may write to the folder cannot feed us lies.
 */
int index_cache_open(const char *dir, const uint8_t key[32], struct ctx *ctx,
    struct index_cache **out, struct err *e);
void index_cache_close(struct index_cache *c);                    /* NULL does nothing */
void index_cache_set_ctx(struct index_cache *c, struct ctx *ctx); /* NULL does nothing */

/*
 * Make the cache hold exactly these index objects.  `fetch` gets the payload
 * of one that is missing, into out, and whose it is; an ERR_ABSENT from it is passed on, so
 * that the caller lists again.  Merges levels when there are too many.
 */
typedef int index_fetch(
    void *arg, const struct id *id, struct buf *out, struct index_origin *origin, struct err *e);
int index_cache_sync(struct index_cache *c, const struct id *ids, size_t n, index_fetch *fetch,
    void *arg, struct err *e);

/* Which of them would be fetched, in their order. */
void index_cache_missing(
    const struct index_cache *c, const struct id *ids, size_t n, bool *missing);

/* A new index object's payload becomes a level at once. */
int index_cache_add(struct index_cache *c, const struct id *id, const struct index_origin *origin,
    struct span payload, struct err *e);

/*
 * 1 found (not in a hidden pack), 0 absent, -1 the cache is damaged
 * (ERR_CORRUPT; the caller drops it and opens again).
 */
int index_cache_find(
    struct index_cache *c, const struct id *id, struct index_place *out, struct err *e);

/* The same among what index objects of one domain say; 0 is any. */
int index_cache_find_in(struct index_cache *c, uint64_t domain, const struct id *id,
    struct index_place *out, struct err *e);

/*
 * The same, but of several places it may be any: the blobs that follow those
 * found last are tried first.  Trees and files are read in about the order in
 * which they were stored, so this spares most searches.  A `near` belongs to
 * one thread and one domain; zeroed it knows nothing, and it must be zeroed
 * when the cache was synced.
 */
enum { INDEX_NEAR = 4 }; /* writers work side by side, each at a frame of its own */
struct index_near {
	struct index_place place[INDEX_NEAR]; /* plain 0: none */
	unsigned next;
};
int index_cache_find_near(struct index_cache *c, uint64_t domain, const struct id *id,
    struct index_near *near, struct index_place *out, struct err *e);

/* Every place of one blob in a domain (0: any), hidden packs too; visit may return -1 to stop. */
int index_cache_find_all(struct index_cache *c, uint64_t domain, const struct id *id,
    int (*visit)(void *, const struct index_place *, struct err *), void *arg, struct err *e);

/* Treat this pack as absent from now on (no such pack: nothing happens). */
void index_cache_hide(struct index_cache *c, const struct id *pack);

uint32_t index_cache_packs(const struct index_cache *c); /* ordinals 0 to n - 1 */
uint64_t index_cache_blobs(const struct index_cache *c);
int index_cache_pack(
    struct index_cache *c, uint32_t ordinal, struct index_cache_pack *out, struct err *e);

/* The frames and blobs of a pack, in order, and its slots, as index_pack. */
int index_cache_pack_dir(struct index_cache *c, uint32_t ordinal, struct pack_dir *dir,
    struct index_pack *out, struct err *e);

/* Check every block of every level: ERR_CORRUPT if one is damaged. */
int index_cache_verify(struct index_cache *c, struct err *e);

/* Remove the whole folder's levels (`cache --clear`, after damage). */
int index_cache_drop(struct index_cache *c, struct err *e);

#endif
