/*
 * history: is a repository's past still what it was?  Snapshots deleted behind
 * our back, a config, keys, snapshots or a whole store set back to an older state.
 *
 * Judged by the numbers in heads, by what was rightly deleted (repo/gone.h) and
 * by what this machine has seen (repo/seen.h).
 *
 * Threads: one owner.
 */
#ifndef HF_ENGINE_HISTORY_H
#define HF_ENGINE_HISTORY_H

#include "repo/repo.h"
#include "repo/snapshot.h"

/*
 * After all snapshots were loaded, by commands that read: what this machine has seen
 * and is there no more is told as warnings; and what there is is remembered.
 */
void history_look(struct repo *r, const struct snapshot_list *all, struct ctx *ctx);

/*
 * Before a backup, with any key: a config that was set back is refused and a newer one
 * remembered (repo/seen.h); then the last snapshot of this machine.  One look.
 */
int history_look_back(struct repo *r, struct ctx *ctx, struct err *e);

/* For check: every gap and rollback is told as EVENT_FINDING and counted. */
int history_check(struct repo *r, const struct snapshot_list *all, struct ctx *ctx,
    uint64_t *findings, struct err *e);

/*
 * Take the present state for the right one: record every gap as gone (repo/gone.h), and
 * remember what is there now.  Tells what it accepts as EVENT_NOTICE, and counts it;
 * with `dry_run` it does no more than that.
 */
int history_accept(
    struct repo *r, struct ctx *ctx, bool dry_run, uint64_t *accepted, struct err *e);

#endif
