/*
 * follow_fold: the small stretches that were put before their segment ended go once that, whole,
 * has what they have (log_fold_begin), by a thread of its own, a few at a time and half of the time
 * at most; seldom where not each commit leaves one.
 *
 * Only where the key may delete, and not of a receiver that ends by itself; else prune does it.
 */
#ifndef HF_ENGINE_FOLLOW_FOLD_H
#define HF_ENGINE_FOLLOW_FOLD_H

#include <stdint.h>

#include "base/err.h"

struct follow;
struct follow_fold;

struct follow_fold_when {
	int64_t every_ns, age_ns; /* 0: as is good */
};

/* *out NULL: there is nothing to do for it. */
int follow_fold_start(
    struct follow *f, const struct follow_fold_when *when, struct follow_fold **out, struct err *e);
void follow_fold_stop(struct follow_fold *x); /* NULL does nothing */

#endif
