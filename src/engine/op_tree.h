/*
 * op_tree: looking into snapshots: list, find, print, compare, measure.
 */
#ifndef HF_ENGINE_OP_TREE_H
#define HF_ENGINE_OP_TREE_H

#include "base/entry.h"
#include "engine/select.h"

/*
 * Visit, in tree order, what is in the directory at path (with `recursive`
 * everything below it), or the entry there if it is none; path is absolute.
 */
typedef int tree_visit(void *arg, struct span path, const struct entry *en, struct err *e);
int op_ls(struct repo *r, const struct snapshot *s, const char *path, bool recursive,
    struct ctx *ctx, tree_visit *visit, void *arg, struct err *e);

struct find_params {
	struct select_filter filter;
	const char *const *patterns; /* globs on the name, or on the path if they hold a '/' */
	size_t npatterns;
	bool ignore_case;
	const struct snapshot *only; /* may be NULL */
	int64_t newer_ns, older_ns;  /* mtime bounds, 0: none */
};
typedef int find_visit(
    void *arg, const struct snapshot *s, struct span path, const struct entry *en, struct err *e);
/*
 * Damage is told (EVENT_SNAPSHOT_HURT) and the search goes on; then it ends
 * with ERR_INCOMPLETE.
 */
int op_find(struct repo *r, const struct find_params *p, struct ctx *ctx, find_visit *visit,
    void *arg, struct err *e);

/* A file's content, in order, to sink; holes as zeros.  ERR_USAGE if it is no file. */
int op_cat(struct repo *r, const struct snapshot *s, const char *path, struct ctx *ctx,
    int (*sink)(void *, struct span, struct err *), void *arg, struct err *e);

/*
 * What differs, in tree order, removed things under path_a's names, others
 * under path_b's.  Content is compared by its blobs' ids.  Bytes are those by
 * which files grew or came, shrank or went.
 */
enum diff_change { DIFF_ADDED, DIFF_REMOVED, DIFF_MODIFIED, DIFF_TYPE, DIFF_META };
struct diff_result {
	uint64_t added, removed, modified, meta; /* a change of type is a modification */
	uint64_t added_bytes, removed_bytes;
};
typedef int diff_visit(void *arg, enum diff_change change, struct span path,
    const struct entry *old, const struct entry *new, struct err *e);
int op_diff(struct repo *r, const struct snapshot *a, const struct snapshot *b, const char *path_a,
    const char *path_b, struct ctx *ctx, diff_visit *visit, void *arg, struct diff_result *out,
    struct err *e);

struct stats_result {
	uint64_t snapshots, packs, indexes, blobs, frames;
	uint64_t objects;         /* in the store, all kinds */
	uint64_t stored_bytes;    /* all objects */
	uint64_t logs, log_bytes; /* stretches of logs */
	uint64_t pack_bytes, index_bytes, parity_bytes;
	unsigned parity;                     /* its share, in thousandths */
	uint64_t plain_bytes;                /* of all blobs, before compression */
	uint64_t files, dirs, logical_bytes; /* sums over the chosen snapshots */
	uint64_t dead_bytes;                 /* stored bytes of frames with nothing live */
	uint64_t dead_in_live;               /* plain bytes of dead blobs in live frames */
};
/*
 * Live is what snapshots that are not forgotten reach, whatever the filter;
 * of a blob in several packs only the copy that is found first (reach.h).
 */
int op_stats(struct repo *r, const struct select_filter *f, struct ctx *ctx,
    struct stats_result *out, struct err *e);

/* Add or remove tags (as notes). */
int op_tag(struct repo *r, const struct snapshot *s, const char *const *add, size_t nadd,
    const char *const *remove, size_t nremove, struct ctx *ctx, struct err *e);

#endif
