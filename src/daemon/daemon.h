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

struct daemon;
struct run;
struct world;

/* Who serves what the daemon does (the API, notifications); each may be NULL.  The loop's thread
 * calls them. */
struct daemon_hooks {
	void *arg;
	int (*up)(void *arg, struct daemon *d, struct err *e); /* before anything is begun */
	void (*down)(void *arg);                               /* after the last run */
	void (*loaded)(void *arg, const struct world *w);      /* the configuration is another */
	void (*told)(void *arg, const char *event, enum event_level level, const char *system,
	    int64_t run, const char *text); /* it is in the catalog, too */
	void (*progress)(void *arg, const struct run *r, const char *json); /* a line of status */
	void (*tick)(void *arg, int64_t now_ns); /* every two seconds or so */
};

struct daemon_params {
	const char *self;      /* path of our program */
	const char *config;    /* path of the configuration; NULL: the usual places */
	const char *catalog;   /* as catalog_open takes it */
	const char *state_dir; /* has the lock, and logs of runs in log/ */
	bool log_json;         /* the log, on standard error, as JSON lines */
	struct daemon_hooks hooks;
};

/*
 * Until SIGTERM or SIGINT: then what runs is stopped, and waited for.  SIGHUP loads the
 * configuration anew: all of it, or, with a mistake in it, nothing.
 * ERR_BUSY: there is a daemon already; ERR_USAGE: the configuration.
 */
int daemon_run(const struct daemon_params *p, struct ctx *ctx, struct err *e);

/* From any thread, while it is up: look at the queue; read the configuration anew. */
void daemon_wake(struct daemon *d);
void daemon_reload(struct daemon *d);
/* What is declared, which stays as it is until it is released: soon. */
const struct world *daemon_world_hold(struct daemon *d);
void daemon_world_release(struct daemon *d);
/* While it is held: when a declared system is due. */
struct world_system;
struct world_times;
const struct world_times *daemon_times(struct daemon *d, const struct world_system *s);
/* The text of the last mistake that made a reload be refused; "" after a good one. */
void daemon_mistake(struct daemon *d, char *out, size_t size);
/* A line of the log. */
void daemon_log(struct daemon *d, enum event_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Does one run, and as which process?  ERR_IO where nobody can know. */
int daemon_lives(const char *state_dir, bool *lives, int64_t *pid, struct err *e);

/*
 * Who leases the runs of this state folder's daemon, new text; a command's own are leased to that
 * with ":" and more behind it.  NULL: an error.
 */
char *daemon_owner(const char *state_dir, struct err *e);
/* Is it one of these?  Another host, or another container of the same name, has another folder. */
bool daemon_owns(const char *state_dir, const char *owner); /* owner may be NULL */

#endif
