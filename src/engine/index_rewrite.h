/*
 * index_rewrite: put the index into other words: objects that name packs to
 * be dropped, or that are many and small, are replaced by new ones.  New ones
 * are durable before old ones go, so there is no moment without an index.
 *
 * Threads: one owner.
 */
#ifndef HF_ENGINE_INDEX_REWRITE_H
#define HF_ENGINE_INDEX_REWRITE_H

#include "repo/repo.h"

struct index_rewrite {
	bool (*drop)(void *arg, const struct id *pack);
	/* After the new ones are there, before the old ones go; -1: undo it.  May be NULL. */
	int (*still)(void *arg, struct err *e);
	void *arg;
	int64_t deadline_ns; /* for the new ones: the store's time when packs were listed, and a
				lease */
	uint64_t written, removed; /* objects; set here */
};

/* The index must be loaded; it is as it was before, load it again. */
int index_rewrite(struct repo *r, struct index_rewrite *w, struct err *e);

#endif
