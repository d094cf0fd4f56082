/*
 * op_recover: bring a PostgreSQL database back to a moment, in one order, checking first.
 *
 *   plan       base backup, timeline, log to the target, what is there past it
 *   prepare    space, version of the programs, target folder, no server running in it
 *   stop       the server that is replaced, where that was asked for
 *   restore    the base backup (by chunk, where it is a delta), tablespaces
 *   settings   what makes PostgreSQL recover, its log
 *   verify     what was restored is a database that the programs understand
 *   start      the server, and its replay until the target
 *   validate   what it says it reached, and that the databases are those of the backup
 *
 * The log is given to the server through its own pg_wal: each segment is put there, in order and by
 * several threads, while it replays (a restore_command waits for those that are not there yet), or
 * before, where the server is not started by us.  So it needs neither this program, nor a key, nor
 * the right to read the repository, whoever it runs as; and at most WAL_AHEAD segments wait.
 *
 * What is broken off is gone on with by a delta.
 */
#ifndef HF_ENGINE_OP_RECOVER_H
#define HF_ENGINE_OP_RECOVER_H

#include <sys/types.h>

#include "engine/pg_server.h"
#include "engine/recover_line.h"
#include "engine/recover_target.h"
#include "repo/snapshot.h"

struct instant;
struct recover_names;

struct recover_step {
	const char *name; /* "plan", "prepare", ... */
	int64_t start_ns; /* wall clock */
	double seconds;
	const char *what; /* what it came to, one line; "" */
};

struct recover_params {
	const char *system;
	const char *part;     /* NULL: its only part that is one of PostgreSQL's */
	const char *snapshot; /* the base by its id (hex, or how it begins); NULL: chosen */
	struct recover_target to;
	const char *timeline; /* "latest" (NULL), "current" (the base's), or a number */
	const char *target;   /* folder of the data */
	bool delta, dry_run;
	bool in_place; /* target is known to be where the original is */
	bool instant;  /* shown at once and brought while it is used (instant.h); needs start */
	bool start;    /* the server is started when it is restored */
	bool look;     /* through all of the log for tablespaces, before anything is restored */
	bool scratch;  /* by pg_server.h's scratch kind, as `server` says, and handed over */
	struct pg_server_params server; /* what is not zero goes before what is usual */
	enum recover_action action;
	const char *const *tablespaces; /* "OID=DIR" or "NAME=DIR" */
	size_t ntablespaces;
	const char *stop_command, *start_command; /* of the real server; NULL: by pg_server.h */
	bool give; /* the files belong to this user, whoever they were of; root alone can */
	uid_t uid;
	gid_t gid;
	/* What is wanted of it (recover_only.h), or NULL: a warning if the base did not note it. */
	const struct recover_names *only;
	unsigned jobs;
	void (*step)(void *arg, const struct recover_step *s); /* when it has ended; or NULL */
	void *arg;
};

enum { RECOVER_STEPS_MAX = 16, RECOVER_WHAT = 200 };

struct recover_moment { /* zero: not known */
	uint64_t lsn;
	int64_t time_us;
	uint32_t xid;
};

struct recover_result {
	struct id base;
	int64_t base_start_ns, base_end_ns;
	uint32_t timeline; /* that it follows */
	uint64_t base_lsn; /* where replay begins */
	uint64_t log_end;  /* how far the stored log reaches on it */
	bool gap;          /* there is more behind a gap */
	uint64_t gap_end;
	struct recover_moment kept;  /* last commit up to the target */
	struct recover_moment next;  /* first one after it: what is given up begins here */
	struct recover_moment last;  /* last one that the log has */
	uint64_t segments;           /* of the log needed */
	uint64_t bytes, bytes_there; /* written; by a delta found to be right */
	uint64_t databases, databases_there;
	bool started, promoted, validated;
	bool met_space;  /* it failed at a tablespace in the log: again with `look` and `delta` */
	bool fell_short; /* it failed, for the server ended before the stored log does */
	uint32_t timeline_now;         /* the server's, after recovery */
	struct recover_moment reached; /* by the server's own word */
	int64_t start_ns;
	double seconds; /* from the call to the end of validation */
	struct recover_step steps[RECOVER_STEPS_MAX];
	size_t nsteps;
	char what[RECOVER_STEPS_MAX][RECOVER_WHAT];
	struct pg_server *server; /* of scratch: the caller's to free; else NULL */
	struct instant *instant;  /* of instant: the caller's to serve and close; else NULL */
};

/*
 * The folder itself, whatever links lead to it: absolute, without a slash at its end.  What lies
 * beside a target (instant.h) is found by this alone.  New text.
 */
char *recover_folder(const char *path);

/*
 * Errors: ERR_ABSENT no base backup before the target, a segment of the log that is missing (it
 * says which), a target past the last commit, on another timeline or nowhere; ERR_BUSY a
 * server runs in the target; ERR_EXISTS the target is not empty; ERR_NO_SPACE; ERR_UNSUPPORTED the
 * programs of that version are not here; ERR_INCOMPLETE recovered, but not as it should be.
 * out has what was come to in any case.
 */
int op_recover(struct repo *r, const struct recover_params *p, struct ctx *ctx,
    struct recover_result *out, struct err *e);

#endif
