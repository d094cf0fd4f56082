/*
 * instant_priv: what the files of instant share; nobody else includes it.
 *
 *   instant.c       beginning, going on, mounting, the end
 *   instant_copy.c  bringing what is missing; what can't be had
 *   instant_look.c  as seen from outside
 *   instant_settle.c  plain files in the target's place
 */
#ifndef HF_ENGINE_INSTANT_PRIV_H
#define HF_ENGINE_INSTANT_PRIV_H

#include "engine/instant.h"
#include "engine/instant_content.h"
#include "engine/instant_fs.h"
#include "repo/snapshot.h"

struct instant {
	struct repo *repo;
	struct snapshot *snapshot;
	struct ctx *ctx;
	unsigned jobs;
	char *root, *target;
	char *work, *data, *state_path; /* TARGET.holdfast, and in it */
	int lock;
	int dir; /* of data */
	struct instant_state *state;
	struct instant_content *content;
	struct instant_set *set;
	struct instant_fs *fs; /* while it is mounted */
	bool settles;          /* what takes time of that is done */
	int64_t kept_until_ns; /* the snapshot, from prune: when to look at that again */

	/* What the state tells, in order of number. */
	struct known {
		char *path;
		struct instant_file *file; /* NULL: done, or not opened */
		dev_t dev;
		ino_t ino;
	} * known;
	size_t nknown, cap;
};

/* Who looks from outside reads it in the lock's file: bytes that are missing, and damaged. */
int instant_tell(struct instant *in, uint64_t left, uint64_t bad, struct err *e);

/*
 * instant_settle.c: the files are in the target's place, and who put them there was broken off
 * before he had removed what told of it.
 */
bool instant_is_settled(const char *target);

#endif
