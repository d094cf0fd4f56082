/*
 * op_prune: free what no snapshot reaches, in two phases, without locks
 * (format.md 10).
 */
#ifndef HF_ENGINE_OP_PRUNE_H
#define HF_ENGINE_OP_PRUNE_H

#include "repo/repo.h"

struct prune_params {
	bool dry_run;
	bool exclusive;    /* nobody else uses the repository: grace 0 */
	bool repack;       /* split frames too (full holders) */
	double max_unused; /* percent of dead bytes tolerated in kept packs; < 0: 5 */
};

struct prune_result {
	uint64_t snapshots_kept, snapshots_removed;
	uint64_t packs_kept, packs_marked, packs_deleted, packs_unmarked, packs_repacked;
	uint64_t bytes_marked, bytes_deleted, bytes_repacked;
	uint64_t bytes_live, bytes_dead; /* stored bytes of frames */
	uint64_t waiting;                /* packs that nothing needs, whose grace is not over */
	int64_t next_ns; /* store time from when a prune goes on with them; 0 none */
	double seconds;
};

int op_prune(struct repo *r, const struct prune_params *p, struct ctx *ctx,
    struct prune_result *out, struct err *e);

#endif
