/*
 * backup_map: what the log says has changed in a server's files since the parent snapshot; see
 * source/wal_map.h.  The log is read from the server's own pg_wal, and where that has let go of it,
 * from the repository.
 *
 * Threads: one owner.
 */
#ifndef HF_ENGINE_BACKUP_MAP_H
#define HF_ENGINE_BACKUP_MAP_H

#include "repo/repo.h"
#include "repo/snapshot.h"
#include "source/wal_map.h"

/* The server as it is now. */
struct backup_map_params {
	const char *wal; /* its pg_wal */
	uint64_t system;
	uint32_t timeline, segment, block_size;
	bool checksums;
	uint64_t end; /* where the log of this backup begins: what comes later is replayed anyway */
};

/*
 * What has changed since `old`, the same part of the parent.  NULL: it cannot be told, and *e says
 * why: everything that looks changed is to be read.
 */
struct wal_map *backup_map_make(struct repo *r, const struct snapshot_part *old,
    const struct backup_map_params *p, struct ctx *ctx, struct err *e);

/*
 * A mark of the log before a position, kept with the facts: a server that was put back to an
 * earlier state, and has gone on from there in another way, has another one at that place.
 */
enum { BACKUP_MAP_MARKED = 64 << 10 }; /* the bytes before the end that it is of, at most */
int backup_map_mark(
    const struct backup_map_params *p, uint64_t start, uint64_t end, uint32_t *out, struct err *e);

#endif
