/*
 * follow_queue: which received WAL is put into the repository next, and up to where all is there.
 *
 * WAL arrives byte by byte, in order, timeline after timeline; segments are put whole where that
 * can be, and what cannot wait goes before, in small stretches:
 *
 *  - synchronous: what has arrived is put at once; while one small stretch is under way, more
 *    gathers for the next (group commit).  A segment that arrives faster than that, while we catch
 *    up, goes whole.
 *  - else: what is open is put when the last put of it is `every_ns` ago.
 *
 * A segment that went in small stretches is put whole after its end: then those are garbage.
 *
 * Invariants: at most one small stretch is under way.  `follow_queue_safe` never passes a byte
 * that is not durable, nor a timeline whose history is not.
 *
 * It is a plain value and does nothing itself: it knows positions, no bytes.
 *
 * Threads: the caller's lock.
 */
#ifndef HF_ENGINE_FOLLOW_QUEUE_H
#define HF_ENGINE_FOLLOW_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum follow_what { FOLLOW_SMALL, FOLLOW_WHOLE, FOLLOW_HISTORY };

struct follow_job {
	enum follow_what what;
	uint32_t timeline;
	uint64_t segment;    /* where its segment begins; of a history 0 */
	uint64_t start, end; /* what is to be put */
	bool partial;        /* it is no whole segment: a timeline ended in it */
};

struct follow_part; /* a segment or a history */

struct follow_queue {
	uint64_t segment; /* bytes of one */
	bool synchronous;
	int64_t every_ns;
	struct follow_part *v;
	size_t n, cap;
	bool small_busy;
	int64_t small_ns;  /* when the last one was begun */
	uint32_t timeline; /* of what was safe before the first of v */
	uint64_t lsn;
	uint32_t at_timeline; /* of what was received last */
	uint64_t at;
};

void follow_queue_init(
    struct follow_queue *q, uint64_t segment, bool synchronous, int64_t every_ns);
void follow_queue_fini(struct follow_queue *q);

/*
 * All before lsn is durable; what is received begins at `from`, where a segment does, and is not
 * later: those bytes up to lsn are known, and not put alone again.
 */
void follow_queue_begin(struct follow_queue *q, uint32_t timeline, uint64_t lsn, uint64_t from);

/* These bytes are here now: within one segment, and right after those before. */
void follow_queue_got(struct follow_queue *q, uint32_t timeline, uint64_t from, uint64_t to);
/* Nothing more comes on this timeline; then the next one's history. */
void follow_queue_ended(struct follow_queue *q, uint32_t timeline);
void follow_queue_history(struct follow_queue *q, uint32_t timeline);

/*
 * What is to be put now, by somebody who may take small ones, or whole ones, or both.  `flush`:
 * nothing waits any longer.  False: nothing is.
 */
struct follow_asks {
	bool small, whole, flush;
};
bool follow_queue_claim(
    struct follow_queue *q, const struct follow_asks *a, int64_t now_ns, struct follow_job *out);
/* It is durable, or it failed and is to be claimed again. */
void follow_queue_done(struct follow_queue *q, const struct follow_job *j, bool ok);
/* When to look again for one that waits for its time; 0: nothing does. */
int64_t follow_queue_next_ns(const struct follow_queue *q);

/* Up to where all is durable. */
uint64_t follow_queue_safe(const struct follow_queue *q, uint32_t *timeline);
/* All that was received is. */
bool follow_queue_idle(const struct follow_queue *q);

/* The oldest one that is stored whole: forgotten here.  False: there is none. */
bool follow_queue_pop(struct follow_queue *q, struct follow_job *out);

#endif
