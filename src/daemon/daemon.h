/*
 * daemon: everything that is declared, begun when it is due.
 *
 * One loop (libuv) owns timers, signals and children; it does no work itself.  Each run is a
 * process of its own (`holdfast run SYSTEM --foreground`), leased in the catalog: what has to be
 * done next is there, not here, so that a crash at any moment loses nothing.  What the last
 * daemon of this state folder left running is ended and recorded as interrupted, and begun anew.
 *
 * Exactly one daemon a state folder: others are ERR_BUSY.
 *
 * Threads: daemon_run's own; the functions of api_host come from the API's.
 */
#ifndef HF_DAEMON_DAEMON_H
#define HF_DAEMON_DAEMON_H

#include "base/ctx.h"
#include "base/err.h"

struct daemon_params {
	const char *self;      /* path of our program */
	const char *config;    /* path of the configuration; NULL: the usual places */
	const char *catalog;   /* as catalog_open takes it */
	const char *state_dir; /* has the lock, and logs of runs in log/ */
	bool log_json;         /* the log, on standard error, as JSON lines */
};

/*
 * Until SIGTERM or SIGINT: then what runs is stopped, and waited for.  SIGHUP loads the
 * configuration anew: all of it, or, with a mistake in it, nothing.
 * ERR_BUSY: there is a daemon already; ERR_USAGE: the configuration.
 */
int daemon_run(const struct daemon_params *p, struct ctx *ctx, struct err *e);

/* Does one run, and as which process?  ERR_IO where nobody can know. */
int daemon_lives(const char *state_dir, bool *lives, int64_t *pid, struct err *e);

/* Whose runs those of this state folder are: stable, so that the next daemon knows them. */
char *daemon_owner(const char *state_dir); /* new text */

#endif
