/*
 * catalog: our own record of what was done: runs, snapshots, measurements, events.
 *
 * It is a record, not the truth: what is in a repository is asked of the repository, and a catalog
 * that is lost is filled again from there (`catalog rebuild`).  SQLite in WAL mode, or PostgreSQL,
 * which several daemons may share: nothing here asks which.
 *
 * A run goes  queued -> running -> completed | problems | failed | interrupted,  or  queued ->
 * skipped | cancelled.  While it runs it is leased to its owner, who renews the lease; one whose
 * lease ran out is taken over by another, who records it as interrupted (catalog_share.h).
 * A due run is added once, whoever adds it: (system, kind, due, attempt) is unique, but for
 * those whose due is 0: nobody's schedule asked for them.
 *
 * Times are nanoseconds since 1970, UTC, 0: not yet or none.  Texts may be NULL.
 * Errors: of db.h; ERR_ABSENT where the run is none, or not this owner's any more.
 * Threads: a catalog is one thread's at a time; each thread opens its own.
 */
#ifndef HF_CATALOG_CATALOG_H
#define HF_CATALOG_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct catalog;
struct db;

enum run_status { /* kept in the catalog by their names */
	RUN_QUEUED = 1,
	RUN_RUNNING,
	RUN_COMPLETED, /* exit 0 */
	RUN_PROBLEMS,  /* exit 3: completed with problems */
	RUN_FAILED,
	RUN_INTERRUPTED, /* its owner is gone, or it was told to stop */
	RUN_SKIPPED,     /* was due but not begun; `message` says why */
	RUN_CANCELLED,   /* by somebody, before it began */
	RUN_STATUSES
};
const char *run_status_name(enum run_status s);  /* "queued" */
enum run_status run_status_of(const char *name); /* 0: none */
bool run_status_over(enum run_status s);

/* The job record. */
struct run {
	int64_t id; /* given by the catalog, from 1 */
	const char *system, *node;
	const char
	    *kind; /* "backup", "verify", "check", "prune", "copy", "forget", "restore", ... */
	const char *type;    /* of a backup: "full", "incremental", "differential", "continuous" */
	const char *trigger; /* "schedule", "catch-up", "manual", "after", "retry", "command" */
	const char *by;      /* who asked: a user, a token's name; NULL: the daemon */
	const char *queue;   /* of whose runs one runs at a time: a repository's name */
	int priority;        /* higher first; 0 is usual */
	int attempt;         /* from 0 */
	int64_t after;       /* the run that has to be over before; 0: none */
	enum run_status status;
	int64_t due_ns, not_before_ns, queued_ns, started_ns, ended_ns;
	const char *owner; /* of the lease */
	int64_t lease_ns;  /* it ends then */
	int64_t pid;
	/* what came of it */
	int exit_status;
	const char *error_kind, *message, *hint;
	const char *destinations; /* names of repositories, separated by ',' */
	const char *snapshot;     /* hex */
	bool encrypted, compressed;
	uint64_t files, files_new, files_changed, bytes, bytes_read, added, stored;
	uint64_t warnings, errors;
	double score;         /* of a verification, 0 to 1; -1: none */
	const char *verified; /* "", "passed", "failed" */
	const char *log;      /* path of its execution log */
};

/*
 * "sqlite:PATH", a path, or "postgresql://..."; made and brought to this version's form.
 * ERR_UNSUPPORTED: a newer version has made it.
 */
int catalog_open(const char *url, struct catalog **out, struct err *e);
/*
 * The same, but a file that is damaged is kept under another name, *aside (new text; else NULL),
 * and a new one is begun, which `catalog rebuild` fills.  One who serves needs one that works.
 */
int catalog_open_anew(const char *url, struct catalog **out, char **aside, struct err *e);
/* Move a file aside if, nobody else being at it, it still is bad.  *aside NULL: it was not. */
int catalog_move_aside(const char *url, bool (*bad)(const char *url, void *arg), void *arg,
    char **aside, struct err *e);
void catalog_close(struct catalog *c); /* NULL does nothing */
struct db *catalog_db(struct catalog *c);
char *catalog_place(const struct catalog *c); /* where it is, without a password; new text */

/* Is it another file that is there now, or none: was ours moved away, or deleted? */
bool catalog_is_moved(const struct catalog *c);

/* Is a file whole, all through?  Takes as long as reading it; a server looks after itself. */
bool catalog_is_sound(struct catalog *c);
/* As catalog_open_anew, for a file that opens and isn't sound. */
int catalog_renew(const char *url, struct catalog **out, char **aside, struct err *e);

/* ---- Runs. */

/* A queued one (or, with status set, one that runs or is over).  ERR_EXISTS: it is due already. */
int run_add(struct catalog *c, const struct run *r, int64_t *id, struct err *e);

/* What is queued to come after one run comes after its next try instead, once that is queued. */
int run_follow(struct catalog *c, const struct run *before, struct err *e);

/*
 * Somebody wants a queued one, now: the same, unless one of that system and kind waits already
 * to be taken, and does as much: then it is that one, and not `added`.  However often it is asked
 * for, the queue stays as long as there is something to do.
 */
int run_ask(struct catalog *c, const struct run *r, int64_t *id, bool *added, struct err *e);

/*
 * Take the queued run that goes first: by priority, then by when it was due.  Only runs whose
 * `not_before` has come, whose `after` is over, and whose queue has fewer than `per_queue`
 * running.  `found` is called with it, leased; not at all if there is none.
 */
typedef int run_row(void *arg, const struct run *r, struct err *e); /* r is borrowed; -1 ends */
struct run_claim {
	const char *owner, *node; /* only runs of that node or of none, which are noted as its;
				     NULL: any */
	int64_t now_ns;
	int64_t lease_ns;   /* until when, by catalog_now */
	unsigned per_queue; /* 0: no limit */
};
int run_claim(
    struct catalog *c, const struct run_claim *p, run_row *found, void *arg, struct err *e);

/* The owner lives: all of its running ones are leased until then (catalog_now). */
int run_renew(struct catalog *c, const char *owner, int64_t lease_ns, struct err *e);
/* Note the process and the log of a running one. */
int run_started(
    struct catalog *c, int64_t id, const char *owner, int64_t pid, const char *log, struct err *e);
/*
 * It is over: status, ended_ns and what came of it.  owner NULL: whoever runs it (the work's own
 * process, which knows best).  ERR_ABSENT: it does not run, or not for this owner.
 */
int run_end(struct catalog *c, const struct run *r, struct err *e);
/* Queued ones become cancelled or skipped.  ERR_ABSENT: it is not queued. */
int run_drop(struct catalog *c, int64_t id, enum run_status s, const char *why, int64_t now_ns,
    struct err *e);
/*
 * One that is over, as its snapshot tells, after a loss: added, but where a run of that system and
 * kind is known at the same time (one that read once for several places is one).
 */
int run_recall(struct catalog *c, const struct run *r, bool *added, struct err *e);

struct run_filter {
	const char *system, *kind; /* NULL: any */
	enum run_status status;    /* 0: any */
	bool over, open;           /* only ended ones; only queued and running ones */
	int64_t since_ns;          /* queued then or later */
	int64_t before_id;         /* page: only smaller ids; 0: from the newest */
	unsigned limit;            /* 0: all */
};
/* Newest first. */
int run_list(
    struct catalog *c, const struct run_filter *f, run_row *each, void *arg, struct err *e);
/* ERR_ABSENT */
int run_get(struct catalog *c, int64_t id, run_row *each, void *arg, struct err *e);

/*
 * What `status` and the metrics show of a system and a kind of run; kept up to date as runs end.
 * Those that were skipped or cancelled never ran: they are not among them.  An interrupted one
 * counts as a failure.
 */
struct run_latest {
	const char *system, *kind;
	int64_t last_id, success_id; /* the last that is over; the last completed (or problems) */
	enum run_status last_status;
	int64_t last_ended_ns, success_started_ns, success_ended_ns;
	const char *message, *snapshot;
	uint64_t bytes, stored, files; /* of the last success */
	uint64_t runs, failures;       /* ever */
	unsigned failed_in_row;
};
typedef int run_latest_row(void *arg, const struct run_latest *l, struct err *e);
int run_latest(struct catalog *c, const char *system, run_latest_row *each, void *arg,
    struct err *e); /* NULL: all, by name */

/* ---- Events: what is told, one line each; the newest first. */
struct catalog_event {
	int64_t id, at_ns, run; /* run 0: none */
	const char *name;       /* "run.failed" */
	const char *severity;   /* "info", "warning", "critical" */
	const char *system, *text;
};
typedef int catalog_event_row(void *arg, const struct catalog_event *ev, struct err *e);
int catalog_event_add(
    struct catalog *c, const struct catalog_event *ev, int64_t *id, struct err *e);
/* after_id: those with a greater id, the oldest first; 0: the newest `limit`, newest first. */
int catalog_event_list(struct catalog *c, int64_t after_id, const char *system, unsigned limit,
    catalog_event_row *each, void *arg, struct err *e);

/* ---- Measurements: "rpo", "rto", "backup.bytes_per_s", "verify.score", ... */
int catalog_measure(struct catalog *c, const char *system, const char *name, int64_t at_ns,
    double value, struct err *e);
/* The newest first; since 0 and limit 0: all. */
typedef int catalog_measured(void *arg, int64_t at_ns, double value, struct err *e);
int catalog_measured_list(struct catalog *c, const char *system, const char *name, int64_t since_ns,
    unsigned limit, catalog_measured *each, void *arg, struct err *e);

/*
 * Forget some of what is too old to matter, so many rows that nobody waits for it; `more`: there
 * may be more.  Events and runs that were skipped or cancelled after a quarter, other runs
 * after three years, of which the last of each system and kind stay known (run_latest);
 * measurements after three years.
 */
enum { CATALOG_EVENT_DAYS = 92, CATALOG_RUN_DAYS = 1096, CATALOG_TRIM_ROWS = 500 };
int catalog_trim(struct catalog *c, int64_t now_ns, bool *more, struct err *e);

/* ---- Things of daemons that must outlive them: a small value under a name. */
/* value NULL: no more */
int catalog_put(struct catalog *c, const char *name, const char *value, struct err *e);
/* new text, or NULL where there is none */
int catalog_get(struct catalog *c, const char *name, char **value, struct err *e);

#endif
