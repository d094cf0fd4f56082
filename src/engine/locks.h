/*
 * locks: a store with object lock lets every lock end; what is still needed then gets a longer
 * one, before that.
 *
 * With a period P (-o s3.object-lock=P) an object is locked for 2 P when it is put.  Once a P all
 * that is needed is locked until 2 P from then and a bit, so that at any time it stays locked for P
 * or more.  Versions behind what somebody replaced are locked with it: they are what was meant.
 * Only prune does that, by who may (roles full and maintenance): a backup needs no right to it.
 * When it was done last is remembered in the state folder; another machine does it once more, which
 * harms nobody.  What was interrupted goes on where it was.
 */
#ifndef HF_ENGINE_LOCKS_H
#define HF_ENGINE_LOCKS_H

#include "repo/repo.h"

struct locks_result {
	int64_t period_ns;          /* 0: the store locks nothing, and all else is 0 */
	int64_t next_ns;            /* from when it is due again */
	int64_t until_ns;           /* of this run: locked at least until then; 0: it was not due */
	uint64_t extended, objects; /* of all that were looked at */
};

/* Is this pack needed? */
typedef bool locks_needs(void *arg, const struct id *pack);

/*
 * Every object but packs that are not needed, and but what ends by itself.  now_ns is the store's.
 * An object that is gone meanwhile is passed over; one that refuses stops no other: the first
 * error is told at the end, and it stays due.
 */
int locks_extend(struct repo *r, locks_needs *needs, void *arg, int64_t now_ns, struct ctx *ctx,
    struct locks_result *out, struct err *e);

#endif
