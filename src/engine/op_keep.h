/*
 * op_keep: pins and legal holds.  Both keep a snapshot from forget and prune;
 * a hold may end by itself.  They are notes (format.md 8): everybody may make
 * them, only full holders may take them away.
 */
#ifndef HF_ENGINE_OP_KEEP_H
#define HF_ENGINE_OP_KEEP_H

#include "repo/repo.h"
#include "repo/snapshot.h"

enum keep_change { KEEP_PIN = 1, KEEP_UNPIN = 2, KEEP_HOLD = 4, KEEP_RELEASE = 8 };

struct keep_params {
	unsigned what;    /* enum keep_change */
	int64_t until_ns; /* of a hold: when it ends; 0: when it is released.  Never sooner than
			     before */
};

/* *changed tells how many of them it was not so already. */
int op_keep(struct repo *r, const struct snapshot *s, const struct keep_params *p, size_t *changed,
    struct err *e);

#endif
