/*
 * store_walk: the folders that a listing of a remote store has still to read,
 * for servers that list one at a time.
 *
 * A server may be broken or hostile: what it names is counted, and folders too
 * far down are not followed.
 *
 * Threads: one owner.
 */
#ifndef HF_STORE_STORE_WALK_H
#define HF_STORE_STORE_WALK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
	STORE_WALK_DEPTH = 16,
	STORE_WALK_MAX = 16 << 20, /* entries: twice the packs that the format allows */
};

struct store_walk { /* zeroed it is empty */
	char **folders;
	size_t n, cap;
	uint64_t entries;
};

/* Count one that the server named, whatever it is; ERR_FAILED beyond all measure. */
int store_walk_count(struct store_walk *w, struct err *e);

/* A folder to be read, `path` and a '/' at its end; passed over where it is too far down. */
void store_walk_add(struct store_walk *w, const char *path);

/* One that is to be read again, "" or with its '/'; takes. */
void store_walk_put_back(struct store_walk *w, char *folder);

/* The one that was added last, the caller's now; NULL if none is left. */
char *store_walk_next(struct store_walk *w);

void store_walk_fini(struct store_walk *w);

#endif
