/*
 * content_same: does an open file hold what a snapshot has of it?  Read back, and every blob's id
 * recomputed.
 *
 * Threads: the reader's.
 */
#ifndef HF_ENGINE_CONTENT_SAME_H
#define HF_ENGINE_CONTENT_SAME_H

#include "base/ctx.h"
#include "repo/reader.h"
#include "repo/tree.h"

/* ERR_FAILED: it differs; ERR_CORRUPT: what the snapshot has cannot be told. */
int content_same(struct reader *rd, int fd, const struct entry *en, const struct tree_ref *ref,
    struct ctx *ctx, struct err *e);

#endif
