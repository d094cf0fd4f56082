/*
 * op_check: is what the repository holds whole?  Findings go to the sink
 * (EVENT_OBJECT_DAMAGED, then EVENT_SNAPSHOT_HURT for every path that suffers);
 * the call itself fails only where it could not check.
 */
#ifndef HF_ENGINE_OP_CHECK_H
#define HF_ENGINE_OP_CHECK_H

#include "repo/repo.h"

struct check_params {
	bool read_data; /* all packs, every blob recomputed */
	double subset;  /* percent of packs, > 0: read that many, chosen at random */
	unsigned jobs;
};

struct check_result {
	uint64_t snapshots, trees, packs, packs_read, indexes, blobs;
	uint64_t bytes_read;
	uint64_t asleep_packs;       /* in cold storage: not read, though they were to be */
	uint64_t unreferenced_packs; /* garbage, for prune: not damage */
	uint64_t logs;               /* stretches */
	uint64_t late_packs;         /* gone, and named only by what came too late: the same */
	uint64_t damaged_objects, foreign_objects; /* among them, config may be too old for */
	uint64_t hurt_snapshots, hurt_paths;
	uint64_t void_snapshots; /* warnings: see void.h */
	uint64_t findings;       /* tampering: see history.h */
	uint64_t warnings;
	double seconds;
};

int op_check(struct repo *r, const struct check_params *p, struct ctx *ctx,
    struct check_result *out, struct err *e);

#endif
