/*
 * op_log_follow: receive a PostgreSQL server's WAL, as it is written, and store it.
 *
 * A replication slot makes the server keep what we have not confirmed; we confirm what is durable
 * in the repository.  So whoever dies at whatever moment, what is not stored is sent again.
 *
 *  - Asynchronous: finished segments are stored whole, an open one at least every `every_ns`: a
 *    loss of the server's disk loses that much.
 *  - Synchronous (our application_name is in synchronous_standby_names): each commit waits until
 *    its WAL is durable in the repository; those that wait at the same time share one put.
 *
 * What was received and is not stored is in the spool (follow_spool.h).  While the repository
 * cannot be written, it grows to spool_limit; then nothing more is read, and the server keeps it
 * for the slot, within its max_slot_wal_keep_size.  Meanwhile, so that the server's disk does not
 * fill, and under synchronous receive after synchronous_wait_ns, what is safe on this machine's
 * disk (synced) is confirmed, and that is told: from then until all is stored again the promise is
 * this disk's.  synchronous_wait_ns 0: never; commits wait.
 *
 * WAL that the server does not have any more is a gap: told, and healed where another channel
 * (archive_command) has brought it; else receiving goes on behind it.
 *
 * A server whose log is not what was received from it before (it was put back, or is a copy) is
 * noticed before anything is confirmed to it: then nothing goes on (FOLLOW_DIVERGED) until it has
 * begun another timeline.  One on a later timeline is followed on it once it has sent again what is
 * known before the place where it left ours, and that is the same.
 *
 * It ends when ctx is cancelled (0), or with what cannot pass: a slot that cannot be, a spool of
 * another database, missing rights at the first connection.  All else is tried again.
 *
 * Threads: one call; it runs its own, which call open and close, too.
 */
#ifndef HF_ENGINE_OP_LOG_FOLLOW_H
#define HF_ENGINE_OP_LOG_FOLLOW_H

#include "base/ctx.h"
#include "db/pg.h"
#include "engine/follow_state.h"

struct repo;

struct follow_params {
	const char *system, *source;
	struct pg_target target; /* application is ours in synchronous_standby_names */
	const char *slot;
	bool synchronous;
	int64_t synchronous_wait_ns; /* 0: for ever */
	int64_t every_ns;            /* 0: 2 s */
	const char *first;           /* the destination where it has to be durable */
	const char *const *others;   /* those that get it after that */
	size_t nothers;              /* at most 16 */
	const char *spool;           /* its folder */
	uint64_t spool_limit;        /* 0: 4 GiB */
	uint64_t slot_warn;          /* 0: 1 GiB */
	bool once;                   /* ends when all that the server has now is stored */
	/* A destination, opened for writing, by its name; again after it could not be reached. */
	int (*open)(void *arg, const char *name, struct repo **out, struct err *e);
	void (*close)(void *arg, struct repo *r);
	/* "log.gap"; one line */
	void (*tell)(void *arg, /* by any thread */
	    const char *event, enum event_level level, const char *text);
	void (*state)(void *arg, const struct follow_state *s); /* every second, and on changes */
	void *arg;
};

int op_log_follow(const struct follow_params *p, struct ctx *ctx, struct err *e);

#endif
