/* job_internal: what the files of a job share. */
#ifndef HF_DAEMON_JOB_INTERNAL_H
#define HF_DAEMON_JOB_INTERNAL_H

#include <jansson.h>

#include "daemon/job.h"

struct job {
	const struct job_params *p;
	const struct world_tier *tier;
	struct ctx *ctx;
	struct job_result *r;
	bool failed;   /* the run has; the first reason is kept */
	size_t judged; /* places, by a verification; */
	size_t empty;  /* archives that no copy has filled yet */
};

/* The run has failed, or was interrupted (ERR_CANCELLED): the first reason stays. */
void job_fail(struct job *j, const struct err *e);
/* It goes on, with a problem. */
void job_warn(struct job *j, const char *what, const struct err *e);

/*
 * A step's failure: exit 3 is a success with problems (true), everything else a failure of the run.
 */
bool job_settle(struct job *j, const char *what, const struct err *e);

/* job_verify.c; and what one of its steps tells. */
void job_verify(struct job *j);
void job_verify_hear(struct job *j, const json_t *o);

/* job_drill.c */
void job_drill(struct job *j);

/* job_look.c */
int job_look(struct job *j, struct err *e);

/*
 * job_hook.c: those of one moment.  -1: one failed that may not; of the `last` ones, which have to
 * follow whatever happened, the others are run all the same.
 */
int job_hooks(
    struct job *j, const char *step, const struct field_items *hooks, bool last, struct err *e);

/*
 * job_command.c: ourselves with these words (NULL ends them), in the given configuration.
 * What its summary says goes into the result if `take`; its error into *e, exit 3 as
 * ERR_INCOMPLETE.
 */
int job_command(struct job *j, const char *const *words, bool take, struct err *e);

/* job_upkeep.c: copies to archives; the prune of a repository. */
void job_copy(struct job *j);
void job_prune(struct job *j);

/* job.c */
bool job_retains(const struct job *j);

#endif
