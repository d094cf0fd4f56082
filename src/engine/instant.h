/*
 * instant: a folder of a snapshot that can be used at once, and becomes a folder of plain files
 * while it is.
 *
 * Beside TARGET there is TARGET.holdfast, its owner's alone:
 *
 *     data/    what TARGET shows and will be: small files whole, large ones filled as they are used
 *     state    what of them is here (instant_state.h)
 *     lock     held, with the pid of who serves it
 *     log      what who serves it had to say (instant_log.h)
 *     damaged  what the repository cannot give any more, where there is such
 *     settled  which folder takes the place of the target, once it is about to
 *
 * First open prepares: all but the content of large files is restored.  After a crash the same open
 * goes on with every write that there was.  At the end data/ takes the place of TARGET, which is
 * empty, in one step.
 *
 * Threads: one owner; copying may be a thread of its own.
 */
#ifndef HF_ENGINE_INSTANT_H
#define HF_ENGINE_INSTANT_H

#include "repo/repo.h"

struct instant_params {
	struct repo *repo; /* stays until the end; the rest is copied */
	struct id snapshot;
	const char *root;   /* the folder in it: "/" or "/name" */
	const char *target; /* empty, or not there */
	unsigned jobs;      /* of the preparation; 0: one a core */
};

struct instant;

/* One that was begun for a target. */
struct instant_seen {
	bool begun;
	int64_t pid;   /* of who serves it; 0: nobody does */
	uint64_t left; /* bytes that were missing when he last looked */
	uint64_t bad;  /* of these, damaged in the repository: all that is left, or 0 */
	struct id snapshot;
	/* All of it is in the target, in plain files: only instant_settled_clear is left to do. */
	bool settled;
	bool ready; /* instant_mark was called: what it shows may be used again */
	char root[256];
};
int instant_look(const char *target, struct instant_seen *out, struct err *e);
/* TARGET.holdfast, and where the files are meanwhile; new text. */
char *instant_work(const char *target);
char *instant_data(const char *target);

/*
 * ERR_BUSY: somebody serves it.  ERR_EXISTS: it was begun from another snapshot, or the target is
 * not empty.  ERR_UNSUPPORTED: the target is a file system of its own, which cannot be replaced.
 */
int instant_open(
    const struct instant_params *p, struct ctx *ctx, struct instant **out, struct err *e);

/* Show it at the target; until instant_unmount, which is ERR_BUSY while somebody uses it. */
int instant_mount(struct instant *in, struct err *e);
int instant_unmount(struct instant *in, struct err *e);

/*
 * Bring what is missing, what was asked for most first; returns when all of it is here.  How much
 * is left is told to who looks.  ERR_DAMAGE_FOUND: all that can be had is here, and
 * TARGET.holdfast/ damaged lists what cannot.  ERR_IO: some of it could not be synced.
 */
int instant_copy(struct instant *in, struct err *e);

/*
 * Hold the snapshot (a note of two days, renewed each day) so that no prune takes what is still
 * missing; an event where that cannot be.  Opening and copying do so; who does neither for long
 * calls it now and then.
 */
void instant_keep(struct instant *in);
size_t instant_left(struct instant *in, uint64_t *bytes); /* files that are not complete */

/* From now on it is worth going on with; before, who was broken off begins anew. */
int instant_mark(struct instant *in, struct err *e);

/*
 * Everything is here and nothing is mounted: make it the target, and remove what was beside it.
 * Before it is the target is an empty folder, in which a server that is being restarted finds
 * nothing: what takes time is done while it is still mounted, by instant_settle_soon.
 */
int instant_settle_soon(struct instant *in, struct err *e);
int instant_settle(struct instant *in, struct err *e);
/* After who did so was broken off (`settled` above): remove what he had no time to. */
int instant_settled_clear(const char *target, struct err *e);

/* Remove what is beside a target that nobody serves.  ERR_EXISTS: it was marked, and stays. */
int instant_discard(const char *target, struct ctx *ctx, struct err *e);

void instant_close(
    struct instant *in); /* NULL does nothing; a mount is left as if we were killed */

#endif
