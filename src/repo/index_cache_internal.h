/*
 * index_cache_internal: what the files of index_cache share.
 *
 *   index_cache.c       the set of levels: files, publishing, merging, opening
 *   index_cache_sync.c  making it hold what the repository lists
 *   index_cache_find.c  lookups, and packs that are hidden from them
 *
 * The set is an immutable array that is published whole.  What it replaces,
 * levels too, is kept until close: a lookup may still be reading it, and
 * places that were handed out point into it.  (A deleted file's mapping costs
 * address space, no memory.)  Merging joins neighbours only, which keeps
 * every ordinal.
 */
#ifndef HF_REPO_INDEX_CACHE_INTERNAL_H
#define HF_REPO_INDEX_CACHE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "repo/index_cache.h"
#include "repo/index_level.h"

enum { INDEX_CACHE_NAME = 24, INDEX_CACHE_LEVELS = 8 }; /* so many levels at rest */

/* One level at its place in the cache. */
struct member {
	struct index_level *l;
	char name[INDEX_CACHE_NAME]; /* "" : an unlinked file */
	uint32_t pack, frame;        /* its first ordinals */
	uint64_t blob;
};

struct set {
	struct set *older;
	size_t n;
	struct member m[];
};

/* Ids of hidden packs: only grows; a full table is replaced. */
struct hidden {
	struct hidden *older;
	size_t cap, n;
	struct hidden_slot {
		_Atomic bool used;
		struct id id;
	} slot[];
};

struct retired {
	struct retired *next;
	struct index_level *l;
};

struct index_cache {
	int dir; /* -1: unlinked files */
	uint8_t key[INDEX_LEVEL_KEY];
	struct ctx *ctx;
	bool warned;
	_Atomic(struct set *) set;
	_Atomic(struct hidden *) hidden;
	_Atomic uint32_t touched; /* windows of the levels that may be resident */
	pthread_mutex_t hide_lock;
	struct retired *retired;
};

struct set *index_cache_current(const struct index_cache *c);

/* Publish these members, numbered anew; or the present ones and one more. */
void index_cache_publish(struct index_cache *c, const struct member *m, size_t n);
void index_cache_append(struct index_cache *c, const struct member *m);

/* Out of the set already: forget the file, keep the mapping. */
void index_cache_retire(struct index_cache *c, const struct member *m);

/* A new level's file, made by a function that fills it; -1 if nowhere can be written. */
typedef int index_cache_fill(void *arg, int fd, const uint8_t *key, struct err *e);
int index_cache_make(
    struct index_cache *c, index_cache_fill *f, void *arg, struct member *out, struct err *e);
/* That function for an index_level_builder. */
int index_cache_fill_built(void *arg, int fd, const uint8_t *key, struct err *e);

/* Merge the newest levels while there are too many. */
int index_cache_merge_tail(struct index_cache *c, bool all_small, struct err *e);

/* Retire every level. */
void index_cache_drop_all(struct index_cache *c);

#endif
