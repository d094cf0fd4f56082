/*
 * blocks: stored bytes of packs by blocks of a MiB, a few of which are kept: for trees in a
 * store that is far away, whose neighbours will be asked for next.
 *
 * Threads: one owner.
 */
#ifndef HF_REPO_BLOCKS_H
#define HF_REPO_BLOCKS_H

#include "base/buf.h"
#include "repo/index_cache.h"
#include "store/store.h"

enum { BLOCK = 1 << 20, BLOCKS = 8, BLOCKS_AT_ONCE = 3 };

struct blocks {
	struct block {
		struct id pack;
		uint64_t at;
		struct buf bytes;
		uint64_t used; /* 0: empty */
	} v[BLOCKS];
	uint64_t tick;
};

/* Bytes [off, off + n) of the pack of that name, put behind what is in `out`. */
int blocks_read(struct blocks *b, struct store *s, const char *name,
    const struct index_cache_pack *pack, uint64_t off, uint64_t n, struct buf *out, struct err *e);
void blocks_fini(struct blocks *b); /* gives back all; may be used again */

#endif
