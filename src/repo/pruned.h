/*
 * pruned: which snapshots a prune saw before it deleted packs, and when that was.
 * It is a note on no snapshot (format.md 8), written before the first deletion.
 *
 * A snapshot that it missed, though its deadline was over, was stored too late: nobody
 * ever called it done, and what it needs may be gone.  So a snapshot that suffers from
 * such a deletion (void) is told from one that suffers from damage.
 *
 * Threads: one owner.
 */
#ifndef HF_REPO_PRUNED_H
#define HF_REPO_PRUNED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"

struct repo;
struct note_list;
struct snapshot;
struct snapshot_list;

/* One prune. */
struct pruned {
	struct id note;
	int64_t at_ns;  /* the store's time before it listed snapshots */
	uint64_t *seen; /* what their ids begin with, in order */
	size_t nseen;
};

struct pruned_list {
	struct pruned *v;
	size_t n;
};

/* All that the notes say, added. */
void pruned_of_notes(struct pruned_list *p, const struct note_list *l);
void pruned_list_fini(struct pruned_list *p);

/* Did a prune delete packs before this one came, so late that it was never called done? */
bool pruned_before(const struct repo *r, const struct snapshot_list *all, const struct snapshot *s);

/*
 * Say that now (at `at_ns`) these snapshots are there, but for void ones; durably.  What
 * older notes say follows from it, so they go.
 */
int pruned_put(struct repo *r, int64_t at_ns, const struct snapshot_list *all, struct err *e);
int pruned_sweep(struct repo *r, int64_t at_ns, const struct pruned_list *p, struct err *e);

#endif
