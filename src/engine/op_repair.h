/*
 * op_repair: make the best of a damaged repository.
 *
 * index: write index objects for packs that none (readable) names, from the
 * packs' own directories; drop index objects that are damaged or name packs
 * that are gone.  snapshots: every snapshot that reaches lost blobs gets a
 * successor without the entries that cannot be read (each told to the sink),
 * and is forgotten; unreadable snapshot objects are removed.
 */
#ifndef HF_ENGINE_OP_REPAIR_H
#define HF_ENGINE_OP_REPAIR_H

#include "repo/repo.h"

struct repair_params {
	bool index, snapshots; /* neither: both */
	bool dry_run;
	unsigned jobs; /* threads that read packs; 0: one a core */
};

struct repair_result {
	uint64_t packs_scanned, packs_indexed, packs_unreadable;
	uint64_t indexes_written, indexes_removed;
	uint64_t snapshots_checked, snapshots_rewritten, snapshots_removed;
	uint64_t entries_dropped;
	uint64_t gaps_accepted; /* findings of check that are none any more */
};

int op_repair(struct repo *r, const struct repair_params *p, struct ctx *ctx,
    struct repair_result *out, struct err *e);

#endif
