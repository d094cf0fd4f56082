/*
 * job: one run of a declared system, from looking at its sources to what is kept of it.
 *
 *   backup    look      the sources are there, hold something, and not less than half of what the
 *                       last backup found; a local destination has room
 *             before    hooks; one that fails (unless it says else) ends the run
 *             backup    `holdfast backup --system NAME`
 *             after     hooks, however the backup went, if those before were begun
 *             retain    `holdfast forget` at each destination, if the tier says what is kept
 *   verify    judge     `holdfast -r DESTINATION verify NAME` at each destination
 *   drill     drill     `holdfast -r DESTINATION drill NAME`: from the first destination that
 * answers copy      copy      the newest snapshot, by `holdfast copy`, to each archive retain
 * `holdfast forget` there prune     prune     `holdfast prune` of a repository: no system's and,
 * where a run failed: on_failure, hooks
 *
 * Each step that is a command is a process of its own, so that what it does is what a person
 * would do who types it, and a crash of it is one failed step.  Interrupted, a job ends the step
 * it is in, runs the hooks that have to follow, and is over.
 *
 * Hooks get HOLDFAST_SYSTEM, HOLDFAST_STEP, HOLDFAST_RUN, and after the backup HOLDFAST_STATUS
 * (completed, problems, failed, interrupted), HOLDFAST_SNAPSHOT and HOLDFAST_ERROR.
 *
 * Threads: one job a thread.
 */
#ifndef HF_DAEMON_JOB_H
#define HF_DAEMON_JOB_H

#include "base/ctx.h"
#include "catalog/catalog.h"
#include "config/world.h"

enum { JOB_TEXT = 1200 };

/* An event on its output: `before` hooks were over then, and what they left is read after it. */
#define JOB_HOOKS_OVER "hooks.over"

struct job_params {
	const char *self;   /* path of our program */
	const char *config; /* of the configuration: -c */
	const struct world *world;
	const struct world_system *system;         /* NULL for a prune */
	const struct world_repository *repository; /* of a prune */
	const char *kind; /* "backup", "verify", "drill", "copy", "prune" */
	/* Of a backup; of a verification its level.  NULL: as the tier says. */
	const char *type;
	const char *seed;                 /* of a verification's sample; or NULL */
	bool read_data;                   /* by a verification: all that the snapshot needs */
	const char *held;                 /* why it may not be backed up now; or NULL */
	int64_t run;                      /* its id in the catalog, for hooks; 0: none */
	uint64_t last_files, last_stored; /* of the last backup that succeeded; 0: none */
	/* A line of a step's output as it comes: JSON. */
	void (*line)(void *arg, const char *json);
	void (*idle)(void *arg); /* some times a second while a step or a hook runs */
	void *arg;
};

struct job_result {
	struct run run; /* status and what came of it; texts are those below */
	char kind_of_error[32], message[JOB_TEXT], hint[400], snapshot[72], destinations[1024];
	unsigned warnings;
};

/* Always tells how it went, in *out. */
void job_run(const struct job_params *p, struct ctx *ctx, struct job_result *out);

#endif
