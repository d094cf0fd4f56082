/*
 * cli_job: runs as the command line begins, records and shows them.
 *
 * Threads: one.
 */
#ifndef HF_CLI_CLI_JOB_H
#define HF_CLI_CLI_JOB_H

#include <jansson.h>

#include "catalog/catalog.h"
#include "catalog/shape.h"
#include "cli/cli.h"

/* The path of this program; new text. */
char *job_self(void);

/*
 * One run of a declared system, here.  With HOLDFAST_RUN_ID it is that one, which the daemon has
 * begun; else it is recorded as a new one.  e: how it failed.
 */
int job_foreground(struct cli *c, const char *system, const char *kind, struct err *e);

/*
 * What --type, --level or (as drill_what.h) a drill's options asked for, for a run of that kind:
 * new text; NULL: nothing.
 */
char *job_type(const struct cli *c, const char *kind);

/* cmd_run.c: a run of that kind of each declared system that is named. */
int cmd_run_kind(struct cli *c, const char *kind, struct err *e);

/* Ask the daemon for one, and wait for its end unless --no-wait. */
struct ask;
int job_by_daemon(const struct ask *a, const char *system, const char *kind, struct err *e);
/* Wait for the end of one of its runs, and report it (cli_follow.c). */
int job_follow(const struct ask *a, int64_t id, struct err *e);

struct world;

/* Where a system's runs of a kind wait; for a prune it is a repository's name. */
struct job_place {
	char *queue, *node; /* the caller's; node may be NULL */
	int priority;
};
/* ERR_ABSENT: it is not declared. */
int job_place(const struct world *w, const char *system, const char *kind, struct job_place *out,
    struct err *e);
/* Somebody asks for a run: it is due now, and goes before what waits (run_ask). */
int job_queue(struct catalog *cat, const struct job_place *place, const char *system,
    const char *kind, const char *type, const char *by, int64_t now_ns, int64_t *id, bool *added,
    struct err *e);
/*
 * Is its process one of those that are seen from here: of this state folder's daemon or a command's
 * with this state folder?  A number of a process says nothing elsewhere.
 */
bool job_is_here(const struct run *r);
/*
 * A queued one is cancelled; a running one is asked by SIGTERM (*stopping), which it obeys, and its
 * end is recorded by whoever began it.  ERR_EXISTS: it is over; ERR_ABSENT: no such run, or its
 * process is not here.
 */
int job_cancel(
    struct catalog *cat, int64_t id, const char *by, int64_t now_ns, bool *stopping, struct err *e);

/* The command's result: what a run came to. */
void job_report(struct cli *c, const struct run *r);
/* What it came to, as an error of the command: 0 where it is well. */
int job_verdict(const struct run *r, struct err *e);

#endif
