/*
 * instant_state_priv: what the files of instant_state share; nobody else includes it.
 *
 *   instant_state.c       making it, records, syncs
 *   instant_state_read.c  reading it again
 */
#ifndef HF_ENGINE_INSTANT_STATE_PRIV_H
#define HF_ENGINE_INSTANT_STATE_PRIV_H

#include <pthread.h>

#include "base/buf.h"
#include "engine/instant_state.h"
#include "repo/siphash.h"

enum {
	STATE_MAGIC = 8,
	STATE_MARKS = STATE_MAGIC + SIPHASH_KEY + 4 + ID_SIZE, /* where they are */
	STATE_MARK = 8 + 8,
	STATE_HEADER = STATE_MARKS + 2 * STATE_MARK,
	STATE_FRAME = 4 + 8,
	STATE_RECORD_MAX = 64 + INSTANT_PATH_MAX
};

enum record {
	RECORD_FILE = 1,
	RECORD_READY,
	RECORD_BOOT,
	RECORD_SOFT,
	RECORD_HARD,
	RECORD_CUT,
	RECORD_DONE,
	RECORD_LOST
};

struct instant_state {
	int fd;
	uint8_t key[SIPHASH_KEY];
	pthread_mutex_t lock; /* guards what follows, and the order of records */
	uint64_t end;
	uint64_t durable; /* up to here it is on disk */
	unsigned nth;     /* which mark is written next */

	pthread_mutex_t sync; /* guards lost; taken before the other */
	bool lost;            /* a sync failed: the kernel says so once, and then no more */
};

extern const char instant_state_magic[STATE_MAGIC + 1];

void instant_state_boot(struct buf *out); /* the id of this start of the machine */

/* Of a state whose fd alone is set: all that is in it. */
int instant_state_read(struct instant_state *s, const struct instant_heard *heard,
    struct id *snapshot, bool *ready, struct err *e);

#endif
