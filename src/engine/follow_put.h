/*
 * follow_put: threads that put what the queue says, from the spool, through a sink.
 *
 * Two lanes: the first takes what waits for a commit and, where nobody waits for commits, whole
 * segments too; the second only whole ones, so that a large put never stands before a small one.
 * What fails is tried again, after a pause that grows to ten seconds; nothing is lost by that: it
 * stays in the spool.
 *
 * Threads: `lock` guards the queue and what is below it; the spool is only read here.
 */
#ifndef HF_ENGINE_FOLLOW_PUT_H
#define HF_ENGINE_FOLLOW_PUT_H

#include <pthread.h>

#include "base/ctx.h"
#include "engine/follow_queue.h"
#include "engine/follow_spool.h"

enum { FOLLOW_LANES = 2 };

/* Durable when it returns 0.  Called by a lane's own thread, each with its number. */
typedef int follow_sink(
    void *arg, unsigned lane, const struct follow_job *j, struct span bytes, struct err *e);

struct follow_shared {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct follow_queue queue;
	bool flush; /* nothing waits any longer */
	bool stop;  /* the lanes end */
	bool other; /* other bytes are stored there (ERR_EXISTS): nothing more is put */
	int wake;   /* an eventfd: something is durable, or failed */
	unsigned running;
	uint64_t puts, failures;
	uint64_t whole_ns, whole_n, small_ns, small_n; /* time of puts that went well */
	int64_t failing_ns; /* the first of the failures since the last success; 0: none */
	struct err why;     /* the last one */
};

struct follow_put;

int follow_shared_init(struct follow_shared *s, struct err *e);
void follow_shared_fini(struct follow_shared *s);
/* The queue has more: somebody looks. */
void follow_shared_poke(struct follow_shared *s);

int follow_put_start(struct follow_shared *s, const struct follow_spool *spool, follow_sink *sink,
    void *arg, struct follow_put **out, struct err *e);
/* What is under way is finished first.  NULL does nothing. */
void follow_put_stop(struct follow_put *p);

#endif
