/*
 * cli_job: runs as the command line begins, records and shows them.
 *
 * Threads: one.
 */
#ifndef HF_CLI_CLI_JOB_H
#define HF_CLI_CLI_JOB_H

#include <jansson.h>

#include "catalog/catalog.h"
#include "cli/cli.h"

/* The path of this program; new text. */
char *job_self(void);

/*
 * One run of a declared system, here.  With HOLDFAST_RUN_ID it is that one, which the daemon has
 * begun; else it is recorded as a new one.  e: how it failed.
 */
int job_foreground(struct cli *c, const char *system, const char *kind, struct err *e);

/* Queue one for the daemon, and wait for its end unless --no-wait. */
int job_by_daemon(struct cli *c, const char *system, const char *kind, struct err *e);

json_t *job_json(const struct run *r);
/* What it came to, as an error of the command: 0 where it is well. */
int job_verdict(const struct run *r, struct err *e);

#endif
