/*
 * parity_look: which objects have their parity, and which parity has its
 * object: for check and prune.
 *
 * Threads: one owner.
 */
#ifndef HF_ENGINE_PARITY_LOOK_H
#define HF_ENGINE_PARITY_LOOK_H

#include "engine/damage.h"

/*
 * Is there parity for every object that is in use, and is it sound: its
 * beginning, or with read_data all of it?  Findings go to damage_object; where
 * there is none nothing is lost yet: a warning, counted in `lacking`.
 */
int parity_check(struct repo *r, struct damage *d, bool read_data, struct ctx *ctx,
    uint64_t *lacking, struct err *e);

/*
 * Delete parity whose object is gone, if stored before that time: a writer
 * puts parity first.
 */
int parity_sweep(
    struct repo *r, int64_t before_ns, struct ctx *ctx, uint64_t *removed, struct err *e);

#endif
