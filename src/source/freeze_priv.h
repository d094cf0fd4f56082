/* freeze_priv: what the parts of freeze share; nobody else includes it. */
#ifndef HF_SOURCE_FREEZE_PRIV_H
#define HF_SOURCE_FREEZE_PRIV_H

#include "os/os_guard.h"
#include "source/freeze.h"

struct frozen_root { /* a subvolume that has a snapshot of ours */
	char *path;  /* of its root, without links */
	char name[64];
	int dir, hold; /* its root; the snapshot, locked */
};

struct freeze {
	const struct freeze_params *p;
	struct ctx *ctx;
	struct os_guard *guard;
	bool failed; /* the early thaw */
	struct frozen_root *root;
	size_t nroots;
	struct source_place *place; /* texts are its own */
	size_t nplaces;
};

/* Takes at; a path that has one already keeps it. */
void freeze_add_place(struct freeze *f, const char *path, char *at);

/* The same path as the walk will call it: without "." and "..", doubled slashes, one at the end. */
char *freeze_tidy(const char *path); /* new text */

/* freeze_look.c: -1: a place holds no file, and what it is of does. */
int freeze_look(const struct freeze *f, struct err *e);

/* freeze_btrfs.c */
int freeze_btrfs_begin(struct freeze *f, struct err *e);
int freeze_btrfs_end(struct freeze *f, struct err *e);

#endif
