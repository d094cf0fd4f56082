/*
 * op_repair: make the best of a damaged repository.
 *
 * First every object that its parity can mend is put back bit for bit, and
 * parity that is missing or damaged is made again.  Then, for what that did
 * not save:
 *
 * index: write index objects for packs that none (readable) names, from the
 * packs' own directories; drop index objects that are damaged or name packs
 * that are gone.  snapshots: every snapshot that reaches lost blobs gets a
 * successor without the entries that cannot be read (each told to the sink),
 * and is forgotten; unreadable snapshot objects are removed.
 *
 * What is whole, and only our config is too old for (ERR_FOREIGN), is not
 * deleted unless that is asked for: then snapshots and packs are left as they are.
 */
#ifndef HF_ENGINE_OP_REPAIR_H
#define HF_ENGINE_OP_REPAIR_H

#include "repo/repo.h"

struct repair_params {
	bool index, snapshots; /* neither: both */
	bool dry_run;
	bool accept_history; /* with snapshots: take what is there for right (history.h) */
	bool drop_foreign;   /* config is the newest there is: what it does not know goes */
	unsigned parity;     /* keep it from now on, of this share in thousandths; 0: as it is */
	unsigned jobs;       /* threads that read packs; 0: one a core */
};

struct repair_result {
	uint64_t packs_scanned, packs_indexed, packs_unreadable;
	uint64_t indexes_written, indexes_removed;
	uint64_t snapshots_checked, snapshots_rewritten, snapshots_removed;
	uint64_t entries_dropped;
	uint64_t notes_removed, notes_lost; /* the second among the first: no junk, nor nobody's */
	uint64_t marks_removed;
	uint64_t objects_repaired; /* by parity, bit for bit */
	uint64_t parity_written;   /* parity objects that were missing, damaged or too small */
	uint64_t parity_kept;      /* that had parity of the share that is asked for, or more */
	uint64_t asleep;           /* packs in cold storage: neither mended nor given parity */
	uint64_t gaps_accepted;    /* findings of check that are none any more */
};

int op_repair(struct repo *r, const struct repair_params *p, struct ctx *ctx,
    struct repair_result *out, struct err *e);

#endif
