/* follow_internal: what the files of op_log_follow share. */
#ifndef HF_ENGINE_FOLLOW_INTERNAL_H
#define HF_ENGINE_FOLLOW_INTERNAL_H

#include <stdatomic.h>

#include "db/pg_sync.h"
#include "db/pg_wal_stream.h"
#include "engine/follow_fold.h"
#include "engine/follow_lag.h"
#include "engine/follow_mirror.h"
#include "engine/follow_put.h"
#include "engine/follow_repo.h"
#include "engine/op_log_follow.h"

#define FOLLOW_SECOND INT64_C(1000000000)

struct follow {
	const struct follow_params *p;
	struct ctx *ctx;
	struct follow_spool *spool;
	struct follow_shared shared;

	pthread_mutex_t repo_lock; /* guards these */
	struct repo *repo;         /* NULL: it is not open */
	struct follow_repo *store;
	unsigned users;
	bool reopen; /* it failed: by a new opening, perhaps not */
	struct follow_put *put;
	struct follow_mirror *mirror; /* NULL: there are no others */
	struct follow_fold *fold;

	struct pg *g, *q; /* for replication; for questions, or NULL */
	struct pg_wal_system server;
	bool gap;          /* what comes next is not there any more */
	bool begun;        /* the queue has a place where to go on */
	uint32_t timeline; /* that is streamed */
	uint64_t at;       /* up to where it was received */
	uint64_t once_end; /* with `once`: where that is */

	/* Known bytes that the server has to send again, before anything is confirmed. */
	struct {
		uint64_t start;
		size_t n; /* 0: there are none */
		struct buf
		    known;   /* or those that came, where the repository did not give them... */
		bool by_put; /* ... and a put compares */
		bool away;   /* once it can be reached */
	} check;
	/* What came and is still to be compared so: until then nothing is put, nor is confirmed. */
	struct {
		pthread_mutex_t lock;
		atomic_bool waits;
		uint32_t timeline;
		uint64_t start;
		struct buf came;
	} late;
	uint64_t next;           /* where the next bytes of the stream are */
	uint32_t known_timeline; /* the repository had all up to there when we began */
	uint64_t known;
	bool unchecked; /* the server has not kept what could be compared */
	bool other;     /* it is not the server that was followed: nothing goes on */

	uint64_t confirmed; /* to the server */
	uint64_t kept;      /* what was before: nothing below it is said, the slot would go back */
	/*
	 * Where what is durable of earlier timelines left the one that is received: what we have of
	 * them beyond that is not the server's, and must never count as flushed.
	 */
	uint64_t branch;
	/*
	 * Where the server left our timeline, if we have more of it, and for which: what is known
	 * before that has to come again first.  0: it did not.
	 */
	uint64_t left_at;
	uint32_t left_for;
	uint64_t spooled; /* synced in the spool */
	bool spool_acks;  /* what is synced there is confirmed */
	struct follow_lag lag;
	struct follow_state st;
	int64_t said_ns, state_ns, slot_ns, synced_ns, q_ns;
	int64_t quiet_ns; /* when the connection was lost; 0: it is not */
	bool told_behind, told_full, told_slot, told_started;
	int64_t sync_ns;            /* when the server was asked whether commits wait */
	bool told_sync, asked_sync; /* they do not; it is known */
};

struct follow_place {
	uint32_t timeline;
	uint64_t lsn;
};

/* follow_slot.c */
/* Before which nothing is asked of the server. */
int follow_kept_from(struct follow *f, struct follow_place *out, struct err *e);
int follow_slot_make(struct follow *f, bool *made, struct err *e);
/* Dropped and made anew: it keeps from the server's last checkpoint on. */
int follow_slot_renew(struct follow *f, struct err *e);
/* One that has lost what it should keep is. */
int follow_slot_mend(struct follow *f, struct err *e);
/* ... and that is told: the server has taken the WAL from it, and it cannot be streamed by. */
int follow_slot_lost(struct follow *f, struct err *e);

/* follow_spooled.c */
/*
 * What a receiver before us left, as follow_spool_list gives it: in the queue after it.  False:
 * nothing that leads on from what is stored.  Where that is not known (`stored` is then what the
 * server keeps from) all of it is used, and put: it may be confirmed and nowhere else.
 */
bool follow_use_spooled(struct follow *f, const struct follow_spooled *all, size_t nall,
    const struct follow_place *stored, bool known);

/* follow_gap.c */
/* The server does not have what comes next.  Healed, or marked and passed over. */
int follow_pass_gap(struct follow *f, struct err *e);

/* follow_start.c */
uint64_t follow_segment_of(const struct follow *f, uint64_t lsn);
/* All before that is stored: received from there on. */
int follow_begin_at(struct follow *f, struct follow_place p, struct err *e);
/* Where to go on is in the queue after it; the slot is there. */
int follow_start(struct follow *f, struct err *e);
/* A timeline after ours begins there. */
int follow_next_timeline(struct follow *f, uint32_t timeline, uint64_t from, struct err *e);

/* follow_stream.c: until the connection or the timeline ends, or ctx is cancelled; or -1. */
int follow_stream(struct follow *f, struct err *e);

/* follow_check.c: where what is known ends; from where to stream, so that it comes again. */
uint64_t follow_known_end(const struct follow *f);
uint64_t follow_check_begin(struct follow *f);
void follow_check_end(struct follow *f);
bool follow_check_waits(const struct follow *f); /* nothing may be confirmed yet */
/*
 * What came where the repository could not say what it has: compared now.  0: it is the same, or
 * there is nothing to compare; ERR_EXISTS: it is not; else it cannot be had yet.  By any thread.
 */
int follow_check_late(struct follow *f, struct err *e);
/* ERR_EXISTS, and f->other: they are other bytes than those that are known. */
int follow_check_take(struct follow *f, uint64_t at, struct span data, struct err *e);
/* The same of a server that has less than what was received from it. */
int follow_check_server(struct follow *f, struct err *e);
int follow_other(struct follow *f, uint64_t at, struct err *e);

/* follow_watch.c */
void follow_tell(struct follow *f, const char *event, enum event_level level, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void follow_phase(struct follow *f, enum follow_phase phase, const char *why);
/* What is durable is let go of the spool; who confirms what; who has to be told. */
int follow_watch(struct follow *f, int64_t now_ns, struct err *e);
void follow_show(struct follow *f, int64_t now_ns, bool at_once);
bool follow_full(const struct follow *f);
uint64_t follow_safe(struct follow *f, uint32_t *timeline);
struct pg *follow_questions(struct follow *f); /* NULL: there is no such connection */

/* follow_store.c: the repository, opened when it is needed, closed after what may pass then. */
struct follow_repo *follow_store_take(struct follow *f, struct err *e);
void follow_store_give(struct follow *f, const struct err *failed); /* NULL: all went well */
void follow_store_close(struct follow *f);
int follow_store_put(
    void *arg, unsigned lane, const struct follow_job *j, struct span bytes, struct err *e);

int64_t follow_now(void);

#endif
