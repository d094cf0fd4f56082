/* instant_file: see instant_file.h. */
#include "engine/instant_file_priv.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "os/os.h"

struct instant_file *instant_file_new(
    uint32_t n, int fd, uint64_t size, struct instant_state *state, instant_fetch *fetch, void *arg)
{
	struct instant_file *f = mem_zalloc(sizeof *f);

	atomic_init(&f->refs, 1);
	f->n = n;
	f->fd = fd;
	f->limit = size;
	f->nblocks = size / INSTANT_BLOCK + (size % INSTANT_BLOCK != 0);
	f->block = mem_zalloc(f->nblocks + 1);
	f->nmissing = f->nblocks;
	f->state = state;
	f->fetch = fetch;
	f->arg = arg;
	pthread_mutex_init(&f->lock, NULL);
	pthread_mutex_init(&f->sync, NULL);
	pthread_cond_init(&f->came, NULL);
	return f;
}

struct instant_file *instant_file_ref(struct instant_file *f)
{
	atomic_fetch_add(&f->refs, 1);
	return f;
}

void instant_file_unref(struct instant_file *f)
{
	if (f == NULL || atomic_fetch_sub(&f->refs, 1) != 1)
		return;
	os_close(f->fd);
	pthread_mutex_destroy(&f->lock);
	pthread_mutex_destroy(&f->sync);
	pthread_cond_destroy(&f->came);
	free(f->block);
	free(f);
}

int instant_file_heard(
    struct instant_file *f, uint64_t first, uint64_t count, bool hard, struct err *e)
{
	if (first > f->nblocks || count > f->nblocks - first)
		return err_set(e, ERR_CORRUPT, "a file has no such blocks");
	for (uint64_t b = first; b < first + count; b++)
		f->block[b] |= HERE | TOLD | (hard ? HARD : 0);
	return 0;
}

void instant_file_heard_cut(struct instant_file *f, uint64_t limit)
{
	if (limit < f->limit)
		f->limit = limit;
}

void instant_file_heard_lost(struct instant_file *f)
{
	for (uint64_t b = 0; b < f->nblocks; b++)
		if (!(f->block[b] & HARD))
			f->block[b] = 0;
}

int instant_file_fd(const struct instant_file *f)
{
	return f->fd;
}

void instant_file_count(struct instant_file *f)
{
	f->nmissing = f->nbad = 0;
	for (uint64_t b = 0; b < f->nblocks; b++) {
		f->nmissing += missing(f, b);
		f->nbad += missing(f, b) && (f->block[b] & BAD);
	}
}

void instant_file_set_here(struct instant_file *f, uint64_t first, uint64_t end)
{
	for (uint64_t b = first; b < end; b++) {
		if (f->block[b] & COMING) /* it was written, and need not be waited for */
			pthread_cond_broadcast(&f->came);
		f->nmissing -= missing(f, b);
		f->nbad -= missing(f, b) && (f->block[b] & BAD);
		f->block[b] = (uint8_t)((f->block[b] & ~BAD) | HERE);
	}
}

void instant_file_set_state(struct instant_file *f, struct instant_state *state)
{
	f->state = state;
	instant_file_count(f);
}

/* The blocks that these bytes touch and that are of the backup: first, and one after the last. */
static void touched(
    const struct instant_file *f, uint64_t off, uint64_t n, uint64_t *first, uint64_t *end)
{
	*first = off / INSTANT_BLOCK;
	*end = n ? (off + n - 1) / INSTANT_BLOCK + 1 : *first;
	if (*end > f->nblocks)
		*end = f->nblocks;
	if (*first > *end)
		*first = *end;
}

/* The first block that must be here before these bytes are read, or written. */
static bool needed(
    const struct instant_file *f, uint64_t off, uint64_t n, bool writes, uint64_t *which)
{
	uint64_t end;

	for (touched(f, off, n, which, &end); *which < end; ++*which) {
		uint64_t at = *which * INSTANT_BLOCK;
		bool covered = writes && off <= at &&
			       (off + n >= at + INSTANT_BLOCK || off + n >= f->limit);

		if (!covered && missing(f, *which))
			return true;
	}
	return false;
}

bool instant_file_waits(struct instant_file *f, size_t n, off_t off, bool writes)
{
	uint64_t b;
	bool waits = false;

	if (atomic_load(&f->whole))
		return false;
	pthread_mutex_lock(&f->lock);
	waits = needed(f, (uint64_t)off, n, writes, &b);
	pthread_mutex_unlock(&f->lock);
	return waits;
}

ssize_t instant_file_read(struct instant_file *f, void *p, size_t n, off_t off, struct err *e)
{
	ssize_t got;

	if (!atomic_load(&f->whole)) {
		uint64_t b;
		int rc = 0;

		pthread_mutex_lock(&f->lock);
		while (rc == 0 && needed(f, (uint64_t)off, n, false, &b)) {
			atomic_fetch_add(&f->asked, 1);
			rc = instant_file_bring(f, b, INSTANT_FRONT, e);
		}
		pthread_mutex_unlock(&f->lock);
		if (rc == -1)
			return -1;
	}
	got = os_pread_full(f->fd, p, n, off);
	return got == -1 ? err_sys(e, "read") : got;
}

static int write_locked(
    struct instant_file *f, const void *p, size_t n, uint64_t off, struct err *e)
{
	uint64_t first, end;

	/* From when nothing is needed any more the lock is held. */
	while (needed(f, off, n, true, &first))
		if (instant_file_bring(f, first, INSTANT_FRONT, e) == -1)
			return -1;
	if (instant_file_tell_cut(f, e) == -1)
		return -1;
	touched(f, off, n, &first, &end);
	if (os_pwrite_all(f->fd, p, n, (off_t)off) == -1)
		return err_sys(e, "write");
	instant_file_set_here(f, first, end);
	return instant_file_tell(f, first, end, TOLD, e);
}

int instant_file_write(struct instant_file *f, const void *p, size_t n, off_t off, struct err *e)
{
	int rc;

	if (atomic_load(&f->whole))
		return os_pwrite_all(f->fd, p, n, off) == -1 ? err_sys(e, "write") : 0;
	pthread_mutex_lock(&f->lock);
	rc = write_locked(f, p, n, (uint64_t)off, e);
	pthread_mutex_unlock(&f->lock);
	return rc;
}

int instant_file_cut(struct instant_file *f, off_t size, struct err *e)
{
	int rc;

	pthread_mutex_lock(&f->lock);
	rc = instant_file_tell_cut(f, e);
	/* The file first: a limit that is told and a size that is not would show zeros. */
	if (rc == 0 && os_ftruncate(f->fd, size) == -1)
		rc = err_sys(e, "truncate");
	if (rc == 0 && (uint64_t)size < f->limit) {
		f->limit = (uint64_t)size;
		f->untold = true;
		instant_file_count(f);
		rc = instant_file_tell_cut(f, e);
	}
	pthread_mutex_unlock(&f->lock);
	return rc;
}

int instant_file_room(struct instant_file *f, off_t off, off_t n, struct err *e)
{
	int rc;

	pthread_mutex_lock(&f->lock);
	rc = instant_file_tell_cut(f, e);
	pthread_mutex_unlock(&f->lock);
	if (rc == 0 && fallocate(f->fd, 0, off, n) == -1)
		rc = err_sys(e, "allocate");
	return rc;
}

uint64_t instant_file_left(struct instant_file *f)
{
	uint64_t left;

	pthread_mutex_lock(&f->lock);
	left = f->nmissing * INSTANT_BLOCK;
	pthread_mutex_unlock(&f->lock);
	return left;
}

unsigned instant_file_asked(struct instant_file *f)
{
	return atomic_load(&f->asked);
}
