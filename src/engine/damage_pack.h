/*
 * damage_pack: read one pack whole and recompute all of it: its hash, its
 * directory and signature, every frame's seal, every blob's id.
 *
 * Threads: one owner; any number at once.
 */
#ifndef HF_ENGINE_DAMAGE_PACK_H
#define HF_ENGINE_DAMAGE_PACK_H

#include "repo/repo.h"

struct damage_pack;

struct damage_pack *damage_pack_new(struct repo *r);
void damage_pack_free(struct damage_pack *d);

/*
 * -1 with ERR_CORRUPT if anything is wrong, naming the first thing; `bad`
 * is called for every blob that cannot be had from this pack.  *lie: the pack
 * is as it was written, and the index says something else of it.  Frames that
 * our key cannot open are judged by the hash of the whole pack.
 */
int damage_pack_read(struct damage_pack *d, uint32_t ordinal, uint64_t size,
    void (*bad)(void *, const struct id *blob), void *arg, bool *lie, struct err *e);

#endif
