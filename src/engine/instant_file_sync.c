/* instant_file_sync: what the state is told of a file: see instant_file.h. */
#include "engine/instant_file_priv.h"

#include <stdlib.h>

#include "base/mem.h"
#include "os/os.h"

/* Tell the state of blocks that are here and of which it knows nothing. */
int instant_file_tell(
    struct instant_file *f, uint64_t first, uint64_t end, uint8_t what, struct err *e)
{
	for (uint64_t b = first, n; b < end; b += n) {
		n = 1;
		if (!(f->block[b] & HERE) || (f->block[b] & what))
			continue;
		while (b + n < end && (f->block[b + n] & HERE) && !(f->block[b + n] & what))
			n++;
		if (instant_state_have(f->state, f->n, b, n, what == HARD, e) == -1)
			return -1;
		for (uint64_t i = b; i < b + n; i++)
			f->block[i] |= what | TOLD;
	}
	return 0;
}

int instant_file_tell_cut(struct instant_file *f, struct err *e)
{
	if (f->untold && instant_state_cut(f->state, f->n, f->limit, e) == -1)
		return -1;
	f->untold = false;
	return 0;
}

/* Nobody knows what of it is on disk: only what was before is. */
static void lose(struct instant_file *f)
{
	struct err why;

	f->lost = true;
	if (atomic_load(&f->whole))
		return;
	pthread_mutex_lock(&f->lock);
	/* What was fetched can be again; what was written stays as long as the kernel has it. */
	for (uint64_t b = 0; b < f->nblocks; b++)
		if (!(f->block[b] & TOLD))
			f->block[b] &= COMING;
	instant_file_count(f);
	pthread_mutex_unlock(&f->lock);
	/* Nothing more can be done where that fails, too. */
	(void)!instant_state_lost(f->state, f->n, &why);
}

static int sync_data(struct instant_file *f, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&f->sync);
	if (f->lost) {
		err_set(e, ERR_IO, "an earlier fsync failed");
		rc = err_hint(e, "stop the server, and begin it again");
	} else if (os_fsync(f->fd) == -1) {
		rc = err_sys(e, "fsync");
		lose(f);
	}
	pthread_mutex_unlock(&f->sync);
	return rc;
}

int instant_file_sync(struct instant_file *f, struct err *e)
{
	uint8_t *before;
	int rc;

	if (atomic_load(&f->whole))
		return sync_data(f, e);
	/* Only what is here before the fsync is durable after it. */
	pthread_mutex_lock(&f->lock);
	rc = instant_file_tell_cut(f, e);
	before = mem_dup(f->block, f->nblocks);
	pthread_mutex_unlock(&f->lock);
	if (rc == 0)
		rc = sync_data(f, e);
	pthread_mutex_lock(&f->lock);
	for (uint64_t b = 0, n; rc == 0 && b < f->nblocks; b += n) {
		for (n = 0; b + n < f->nblocks && (before[b + n] & HERE); n++)
			;
		if (n)
			rc = instant_file_tell(f, b, b + n, HARD, e);
		else
			n = 1;
	}
	pthread_mutex_unlock(&f->lock);
	free(before);
	return rc == -1 ? -1 : instant_state_sync(f->state, e);
}

/* It is here: durable, and the state is told. */
int instant_file_complete(struct instant_file *f, struct err *e)
{
	if (atomic_load(&f->whole))
		return 0;
	if (instant_file_sync(f, e) == -1 || instant_state_done(f->state, f->n, e) == -1)
		return -1;
	atomic_store(&f->whole, true);
	return 0;
}
