/*
 * reach: which blobs the snapshots need, as a bitmap over the index's blob
 * ordinals: an eighth of a byte for each blob the repository holds.
 *
 * A blob that lies in several packs has an ordinal for each; only the first
 * place that index_cache_find gives is marked.  That one keeps the blob, so
 * the other copies are free to go.  (Where the first copy of a refs blob can't
 * be read, the copy that could be is marked too.)  Hide a pack first if its
 * copies are to count only where there is no other.
 *
 * Ordinals are those of the index as it was at reach_new: it may not be loaded
 * again while they are in use.  reach itself never does: what that index does
 * not have is missing.  Blobs added since have not been reached.
 *
 * Threads: one owner.
 */
#ifndef HF_ENGINE_REACH_H
#define HF_ENGINE_REACH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ctx.h"
#include "repo/reader.h"
#include "repo/snapshot.h"

struct reach;

/*
 * Told of each blob that is in no index (ERR_CORRUPT in `why`) or, being a
 * refs blob, cannot be read; content and names are only looked up, not read.
 * -1 with `e` set stops the walk.  The same id may be told more than once.
 */
typedef int reach_missing(
    void *arg, enum format_purpose kind, const struct id *id, const struct err *why, struct err *e);

/* After repo_index_load. */
struct reach *reach_new(struct repo *r);
void reach_free(struct reach *h); /* NULL does nothing */

/*
 * Mark what a tree needs: itself, its nodes, names, lists and content, and so
 * on below.  A refs blob that is marked already isn't walked again: so what
 * is missing below it was told before.  With `missing` NULL the first missing
 * blob ends it with ERR_CORRUPT.
 */
int reach_tree(struct reach *h, struct reader *rd, const struct id *tree, struct ctx *ctx,
    reach_missing *missing, void *arg, struct err *e);

/* The trees of all parts. */
int reach_snapshot(struct reach *h, struct reader *rd, const struct snapshot *s, struct ctx *ctx,
    reach_missing *missing, void *arg, struct err *e);

bool reach_has(const struct reach *h, uint64_t blob_ordinal);
uint64_t reach_count(const struct reach *h); /* ordinals marked */

#endif
