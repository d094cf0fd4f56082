/*
 * op_restore: write a snapshot, or a part of it, below a folder.
 *
 * Absolute paths are kept below the target; with a path, that directory's
 * content (or that one file) goes right into it; all of a snapshot of several parts goes into a
 * folder for each.  What cannot be restored is
 * told to the sink, counted, and the rest is restored (exit 3; 20 if it was
 * damage).
 *
 * Where packs that it needs sleep in cold storage it is ERR_COLD, before anything is
 * written, unless it may have them thawed; ERR_INCOMPLETE if it was only to ask for that.
 */
#ifndef HF_ENGINE_OP_RESTORE_H
#define HF_ENGINE_OP_RESTORE_H

#include <sys/types.h>

#include "engine/thaw.h"
#include "repo/repo.h"
#include "repo/snapshot.h"
#include "source/exclude.h"
#include "source/target.h"

struct restore_params {
	const struct snapshot *snapshot;
	const char *path; /* "/" for all */
	const char *target;
	enum target_overwrite overwrite;
	const struct exclude
	    *include; /* NULL: everything; else only what a rule matches, and below */
	const struct exclude *exclude; /* may be NULL */
	bool delete;                   /* remove what the snapshot doesn't have */
	/*
	 * With TARGET_ALWAYS: a file that is there is compared chunk by chunk, whatever its times
	 * say, and what differs is written into it.  One with several names or with holes is
	 * replaced.
	 */
	bool delta;
	bool verify; /* read back and compare afterwards */
	bool dry_run;
	bool give; /* all belongs to this user, whoever it was of; root alone can */
	uid_t uid;
	gid_t gid;
	unsigned jobs;
	/*
	 * Files of more bytes than this (0: none) get all but their content: their size, holes
	 * alone; `hollow` is told of each, by the walk's thread, with its path in the snapshot.
	 */
	uint64_t hollow_above;
	int (*hollow)(void *arg, const char *path, uint64_t size, struct err *e);
	void *hollow_arg;
	struct thaw_params thaw; /* of what sleeps in cold storage; zeroed: none is paid for */
};

struct restore_result {
	uint64_t files, dirs, others; /* restored */
	uint64_t files_skipped;       /* left as they were */
	uint64_t bytes_skipped;       /* in them */
	uint64_t deleted;
	uint64_t bytes;    /* written */
	uint64_t compared; /* by delta: bytes that were found right */
	uint64_t verified; /* files compared and found equal */
	uint64_t problems; /* entries failed or incomplete */
	uint64_t bare;     /* of those, whole but for an owner or the like that could not be set */
	uint64_t damaged;  /* of those, because stored bytes are damaged */
	double seconds;
	double verify_seconds; /* of these, for reading back */
};

int op_restore(struct repo *r, const struct restore_params *p, struct ctx *ctx,
    struct restore_result *out, struct err *e);

#endif
