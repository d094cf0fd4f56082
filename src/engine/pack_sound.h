/*
 * pack_sound: does a pack have the hash in its name?  Then it is as it was put,
 * and what is wrong about it is its writer's doing, not damage.
 *
 * Threads: any.
 */
#ifndef HF_ENGINE_PACK_SOUND_H
#define HF_ENGINE_PACK_SOUND_H

#include "repo/repo_object.h"

/* Reads all of it.  1, 0, or -1 where it cannot be told (ERR_ABSENT too). */
int pack_sound(struct repo *r, enum format_type type, const struct id *id, struct err *e);

#endif
