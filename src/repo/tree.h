/*
 * tree: directories as names and refs (format.md 7), built and read one
 * entry at a time, so that neither a directory of a million entries nor a
 * file of a million blobs is ever whole in memory.
 *
 * Blobs go out and come in through callbacks; this file knows nothing of
 * packs.  What is read is hostile: names, order, counts and depths are
 * checked here (I4, I6), cycles cannot be because ids are hashes.
 *
 * Threads: one owner.
 */
#ifndef HF_REPO_TREE_H
#define HF_REPO_TREE_H

#include "base/buf.h"
#include "base/entry.h"
#include "base/err.h"
#include "base/id.h"
#include "repo/format.h"

enum tree_tag { TREE_NONE, TREE_DIR, TREE_CONTENT, TREE_LIST };
/* Set in a ref's tag: extensions follow it.  This version writes none, and passes over them. */
enum { TREE_EXTENDED = 0x80, TREE_EXTENSIONS_MAX = 64 << 10 };

/* What an entry refers to: a directory's tree, or a file's content. */
struct tree_ref {
	enum tree_tag tag;
	uint8_t depth; /* TREE_LIST */
	size_t n;      /* ids: 1 for TREE_DIR and TREE_LIST */
	const struct id *ids;
};

/* Store a blob of this kind, give its id. */
typedef int tree_put(
    void *arg, enum format_purpose kind, struct span blob, struct id *id, struct err *e);
/* Fetch a blob of this kind; the span lives until the next call. */
typedef int tree_get(
    void *arg, enum format_purpose kind, const struct id *id, struct span *out, struct err *e);

/* One directory being written, entries in order of name. */
struct tree_writer;
struct tree_writer *tree_writer_new(tree_put *put, void *arg);
void tree_writer_free(struct tree_writer *w);
int tree_writer_add(
    struct tree_writer *w, const struct entry *en, const struct tree_ref *ref, struct err *e);
/*
 * End the leaf here, so that what comes before can be told apart from what comes after.
 * `leaves` are those since the last cut, each as two ids, names and refs: while all that
 * they hold is as it was, another writer takes them by tree_writer_reuse instead of the
 * entries.
 */
int tree_writer_cut(struct tree_writer *w, struct buf *leaves, struct err *e);
int tree_writer_reuse(struct tree_writer *w, const struct id *leaves, size_t n, struct err *e);
/* Is this a name to cut after?  One in 2^bits is; it depends on the name alone. */
bool tree_name_cuts(struct span name, unsigned bits);
/* The tree's id; the writer is ready for the next directory. */
int tree_writer_end(struct tree_writer *w, struct id *tree, struct err *e);
void tree_writer_reset(struct tree_writer *w);

/* The content of a file being written: ids in order. */
struct content_writer;
struct content_writer *content_writer_new(tree_put *put, void *arg);
void content_writer_free(struct content_writer *w);
int content_writer_add(struct content_writer *w, const struct id *id, struct err *e);
/* ref borrows from w until the next add or reset. */
int content_writer_end(struct content_writer *w, struct tree_ref *ref, struct err *e);
void content_writer_reset(struct content_writer *w);

/* One directory being read. */
struct tree_reader;
struct tree_reader *tree_reader_open(
    tree_get *get, void *arg, const struct id *tree, struct err *e);
void tree_reader_close(struct tree_reader *r); /* NULL does nothing */
/* 1 and the entry, 0 at the end, -1.  Both live until the next call. */
int tree_reader_next(struct tree_reader *r, struct entry *en, struct tree_ref *ref, struct err *e);

/* Visit a file's content ids in order; visit may return -1 to stop. */
int tree_content(tree_get *get, void *arg, const struct tree_ref *ref,
    int (*visit)(void *, const struct id *, struct err *), void *visit_arg, struct err *e);

/*
 * The references of one refs blob, for walks that know no names: visit sees
 * each id with what it is (PURPOSE_REFS: trees, nodes and lists; _NAMES;
 * _CONTENT) and, for a list, its depth - 1 levels below (0 for others).
 * `depth` is what the parent said: 0 for a tree, else that of a list.
 */
int tree_refs_visit(struct span blob, unsigned depth,
    int (*visit)(void *, enum format_purpose kind, unsigned depth, const struct id *, struct err *),
    void *arg, struct err *e);

/* A name that may be created below a target: no '/', NUL, "", "." or "..". */
bool tree_name_valid(struct span name);

#endif
