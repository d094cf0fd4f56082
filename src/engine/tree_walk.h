/*
 * tree_walk: every entry below a tree, in order, on a stack of its own.
 *
 * Threads: one owner.
 */
#ifndef HF_ENGINE_TREE_WALK_H
#define HF_ENGINE_TREE_WALK_H

#include "base/ctx.h"
#include "repo/reader.h"
#include "repo/tree.h"

struct tree_walk {
	struct reader *reader;
	struct ctx *ctx;
	bool recursive;
	/* 0: go on, below a directory too; 1: but not below this one; -1: stop. */
	int (*visit)(void *arg, struct span path, const struct entry *en,
	    const struct tree_ref *ref, struct err *e);
	void (*leave)(void *arg, const struct id *tree, struct span path); /* may be NULL */
	void *arg;
	bool stopped; /* out: it was visit that failed */
};

/* `path` is the tree's own ("/" or "/etc"); leave is called for it as well. */
int tree_walk(struct tree_walk *w, const struct id *tree, const char *path, struct err *e);

#endif
