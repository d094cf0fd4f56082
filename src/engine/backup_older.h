/*
 * backup_older: what the parent snapshot of a server has, for a backup to which the server sends
 * only what changed since (UPLOAD_MANIFEST and INCREMENTAL of PostgreSQL 17): a manifest that says
 * so, and the pages that are taken from it.
 *
 * Threads: one makes the manifest; any read, up to 16 at once.
 */
#ifndef HF_ENGINE_BACKUP_OLDER_H
#define HF_ENGINE_BACKUP_OLDER_H

#include <jansson.h>

#include "base/ctx.h"
#include "db/pg.h"
#include "repo/repo.h"
#include "repo/snapshot.h"

struct backup_older;

/* Of a part of a snapshot; both, and r, stay. */
struct backup_older *backup_older_new(
    struct repo *r, const struct snapshot *s, const struct snapshot_part *part);
void backup_older_free(struct backup_older *o); /* NULL does nothing */

/*
 * A manifest as the server would have written it for that part, of relations' files alone, but for
 * those in `without` (a list of objects with a "file").
 */
int backup_older_manifest(struct backup_older *o, uint64_t system, const json_t *without,
    struct ctx *ctx, struct buf *out, struct err *e);

/* As pg_source_older. */
int backup_older_read(
    struct backup_older *o, const char *file, uint64_t from, size_t n, void *out, struct err *e);

/*
 * Is the server's past the one that the part is of?  By a mark of WAL (backup_map.h) where the
 * server still has it, else by its account of what WAL changed, of which one piece begins where the
 * part's backup did and ends behind it.  -1: it is not, or it cannot be told.  `line` is for
 * replication, and of no more use than to be closed afterwards.
 */
int backup_older_same_past(
    const struct snapshot_part *part, struct pg *g, struct pg *line, struct err *e);

#endif
