/*
 * void: snapshots that were stored too late and lack what prune deleted meanwhile
 * (format.md 10).  Nobody ever called one done: it is garbage, no damage.
 *
 * Threads: one owner.
 */
#ifndef HF_ENGINE_VOID_H
#define HF_ENGINE_VOID_H

#include "repo/repo.h"
#include "repo/snapshot.h"

/*
 * Set is_void where it is so, tell each as a warning, and how many they are.  Only those
 * that a prune missed are looked into: mostly none.  The index is loaded if it was not.
 */
int void_judge(
    struct repo *r, struct snapshot_list *all, struct ctx *ctx, uint64_t *n, struct err *e);

#endif
