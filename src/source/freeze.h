/*
 * freeze: what is to be read stands still while it is read.
 *
 *   btrfs     each subvolume that the paths lead into gets a read-only snapshot, in its own root,
 *             named SOURCE_FROZEN and a number, which is deleted afterwards.  Each is of one
 *             moment; two of them are not of the same.  Who makes one first deletes what lost runs
 *             have left there: one that nobody holds a lock on.  Mount points below the paths that
 *             are not on btrfs, and subvolumes that are read-only, are read as they are.
 *   commands  freeze and thaw, of which the second is certain (os/os_guard.h); what they make can
 *             be read at another place than what it is of (`read`).  With both the thaw comes as
 *             soon as the snapshots are there.
 *
 * Threads: one owner.
 */
#ifndef HF_SOURCE_FREEZE_H
#define HF_SOURCE_FREEZE_H

#include "base/ctx.h"
#include "base/err.h"
#include "source/source.h"

struct freeze;

struct freeze_params {            /* all of it stays until the end */
	const char *const *paths; /* absolute, as they are backed up */
	size_t npaths;
	bool btrfs, one_file_system;
	const char *freeze, *thaw; /* for /bin/sh; NULL: no commands */
	int64_t timeout_ns;
	const char *const *env;  /* NAME=VALUE; NULL ends them */
	const char *note;        /* of the commands: see os_guard.h */
	const char *const *read; /* PATH=PLACE each */
	size_t nread;
	bool
	    may_be_empty; /* else a place of those without a file, where its path has some, fails */
	const char *turn; /* for btrfs, a file: who makes a snapshot waits there for his turn */
};

/* -1: nothing is frozen any more.  What is worth knowing goes to the sink. */
int freeze_begin(
    const struct freeze_params *p, struct ctx *ctx, struct freeze **out, struct err *e);

/* Where it is read, until its end. */
const struct source_place *freeze_places(const struct freeze *f, size_t *n);

/* Thaw, and free it: -1 says what was left behind.  NULL does nothing. */
int freeze_end(struct freeze *f, struct err *e);

#endif
