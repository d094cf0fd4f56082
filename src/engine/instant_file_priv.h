/*
 * instant_file_priv: what the files of instant_file share; nobody else includes it.
 *
 *   instant_file.c        making it, reading, writing
 *   instant_file_bring.c  bringing what is missing
 *   instant_file_sync.c   telling the state
 *
 * The caller holds the file's lock.
 */
#ifndef HF_ENGINE_INSTANT_FILE_PRIV_H
#define HF_ENGINE_INSTANT_FILE_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/instant_file.h"

enum { HERE = 1, TOLD = 2, HARD = 4, BAD = 8, COMING = 16 }; /* of a block */

struct instant_file {
	_Atomic unsigned refs;
	uint32_t n;
	int fd;
	struct instant_state *state;
	instant_fetch *fetch;
	void *arg;
	uint64_t nblocks; /* of the backup's content */
	_Atomic unsigned asked;
	_Atomic bool whole; /* nothing is missing, and the state was told all of it */

	/* Guards what follows, and writes to blocks that are not here; not held in a fetch. */
	pthread_mutex_t lock;
	pthread_cond_t came; /* of blocks that were coming: looked for again by who waits */
	uint64_t limit;
	uint64_t nmissing; /* blocks */
	uint64_t nbad;     /* of these, damaged in the backup */
	/* HERE, TOLD (to the state), HARD (as durable), BAD, COMING (somebody fetches it) */
	uint8_t *block;
	bool untold; /* the state does not know the limit yet */

	pthread_mutex_t sync; /* guards lost; taken before the other */
	bool lost;            /* a sync failed: the kernel says so once, and then no more */
};

static inline bool missing(const struct instant_file *f, uint64_t b)
{
	return !(f->block[b] & HERE) && b * INSTANT_BLOCK < f->limit;
}

void instant_file_count(struct instant_file *f); /* what is missing */
void instant_file_set_here(struct instant_file *f, uint64_t first, uint64_t end);

/*
 * All that is missing of the window around a block, but for what others are fetching: for that it
 * waits.  It lets the lock go meanwhile, so who needs a block looks again.
 */
int instant_file_bring(struct instant_file *f, uint64_t b, enum instant_who who, struct err *e);

/* The state, of blocks that are here and of which it knows nothing; of a cut that it does not. */
int instant_file_tell(
    struct instant_file *f, uint64_t first, uint64_t end, uint8_t what, struct err *e);
int instant_file_tell_cut(struct instant_file *f, struct err *e);
int instant_file_complete(struct instant_file *f, struct err *e); /* without the lock */

#endif
