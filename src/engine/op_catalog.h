/*
 * op_catalog: what a repository holds, into the catalog: its snapshots, and their files, to be
 * found without the repository.
 *
 * A snapshot is taken in by what differs from the one of its series that was taken in before:
 * only folders that changed are read.  Where that one is gone, all of its folders are read.  One
 * whose names the key in use may not read is noted without its files.
 *
 * Threads: the catalog's.
 */
#ifndef HF_ENGINE_OP_CATALOG_H
#define HF_ENGINE_OP_CATALOG_H

#include "catalog/catalog.h"
#include "repo/repo.h"
#include "repo/snapshot.h"

struct op_catalog_result {
	uint64_t snapshots, searchable; /* noted; with files that can be found */
	uint64_t gone;                  /* noted before, and there no more */
	uint64_t runs;                  /* that were not known */
	uint64_t paths;                 /* added or removed */
	uint64_t left_out;              /* their names are too long */
};

/* One snapshot, `name` being what the repository is called.  Counts are added to r. */
int op_catalog_snapshot(struct repo *repo, const char *name, const struct id *id, struct catalog *c,
    struct ctx *ctx, struct op_catalog_result *r, struct err *e);

/*
 * All of a repository's, the oldest first, and the runs that made those of systems.  What the
 * catalog has already is not read again.  Damage is told (EVENT_SNAPSHOT_HURT), the others are
 * taken in, and it ends with ERR_INCOMPLETE.
 */
int op_catalog_repository(struct repo *repo, const char *name, struct catalog *c, struct ctx *ctx,
    struct op_catalog_result *r, struct err *e);

#endif
