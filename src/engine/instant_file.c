/* instant_file: see instant_file.h. */
#include "engine/instant_file.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/os.h"

enum {
	HERE = 1,
	TOLD = 2,
	HARD = 4,
	BAD = 8,
	WINDOW = INSTANT_WINDOW / INSTANT_BLOCK,
	BACK_WAITS_US = 50
};

struct instant_file {
	_Atomic unsigned refs;
	uint32_t n;
	int fd;
	struct instant_state *state;
	instant_fetch *fetch;
	void *arg;
	uint64_t nblocks; /* of the backup's content */
	_Atomic unsigned asked;
	_Atomic unsigned waiting; /* for the lock, of those who somebody waits for */
	_Atomic bool whole;       /* nothing is missing, and the state was told all of it */

	pthread_mutex_t lock; /* guards what follows, and writes to blocks that are not here */
	uint64_t limit;
	uint64_t nmissing; /* blocks */
	uint64_t nbad;     /* of these, damaged in the backup */
	uint8_t *block;    /* HERE, TOLD (to the state), HARD (as durable), BAD */
	struct buf hold;
};

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
	buf_fini(&f->hold);
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

int instant_file_fd(const struct instant_file *f)
{
	return f->fd;
}

/* A mutex alone would leave it to who copies, who wants it again at once. */
static void lock_soon(struct instant_file *f)
{
	atomic_fetch_add(&f->waiting, 1);
	pthread_mutex_lock(&f->lock);
	atomic_fetch_sub(&f->waiting, 1);
}

static void lock_later(struct instant_file *f)
{
	while (atomic_load(&f->waiting) > 0)
		usleep(BACK_WAITS_US);
	pthread_mutex_lock(&f->lock);
}

static bool missing(const struct instant_file *f, uint64_t b)
{
	return !(f->block[b] & HERE) && b * INSTANT_BLOCK < f->limit;
}

static void count_missing(struct instant_file *f)
{
	f->nmissing = f->nbad = 0;
	for (uint64_t b = 0; b < f->nblocks; b++) {
		f->nmissing += missing(f, b);
		f->nbad += missing(f, b) && (f->block[b] & BAD);
	}
}

static void set_here(struct instant_file *f, uint64_t first, uint64_t end)
{
	for (uint64_t b = first; b < end; b++) {
		f->nmissing -= missing(f, b);
		f->nbad -= missing(f, b) && (f->block[b] & BAD);
		f->block[b] = (uint8_t)((f->block[b] & ~BAD) | HERE);
	}
}

void instant_file_set_state(struct instant_file *f, struct instant_state *state)
{
	f->state = state;
	count_missing(f);
}

static int bring_run(
    struct instant_file *f, uint64_t first, uint64_t end, enum instant_who who, struct err *e)
{
	uint64_t off = first * INSTANT_BLOCK, n = end * INSTANT_BLOCK;

	n = (n < f->limit ? n : f->limit) - off;
	buf_reset(&f->hold);
	if (f->fetch(f->arg, who, f->n, off, (size_t)n, &f->hold, e) == -1)
		return -1;
	if (os_pwrite_all(f->fd, f->hold.p, f->hold.n, (off_t)off) == -1)
		return err_sys(e, "write");
	set_here(f, first, end);
	return 0;
}

static bool is_damage(const struct err *e)
{
	return e->kind == ERR_CORRUPT || e->kind == ERR_DAMAGE_FOUND || e->kind == ERR_ABSENT;
}

/* A stretch of which something is damaged: all but that.  -1, with why, if there is any. */
static int bring_sound(struct instant_file *f, uint64_t first, uint64_t end, struct err *e)
{
	struct err why = *e;
	bool bad = false;

	for (uint64_t b = first; b < end; b++) {
		if (bring_run(f, b, b + 1, INSTANT_BACK, e) == 0)
			continue;
		if (!is_damage(e))
			return -1;
		why = *e;
		bad = true;
		f->block[b] |= BAD;
		f->nbad++;
	}
	*e = why;
	return bad ? -1 : 0;
}

static bool wanted(const struct instant_file *f, uint64_t b, enum instant_who who)
{
	return missing(f, b) && (who == INSTANT_FRONT || !(f->block[b] & BAD));
}

/* All that is missing of the window around a block. */
static int bring(struct instant_file *f, uint64_t b, enum instant_who who, struct err *e)
{
	uint64_t at = b / WINDOW * WINDOW,
		 end = at + WINDOW < f->nblocks ? at + WINDOW : f->nblocks;
	bool back = who == INSTANT_BACK;
	struct err why;
	int rc = 0;

	while (at < end) {
		uint64_t n = 0;

		while (at + n < end && wanted(f, at + n, who))
			n++;
		if (n > 0 && bring_run(f, at, at + n, who, &why) == -1 &&
		    (!back || !is_damage(&why) || bring_sound(f, at, at + n, &why) == -1)) {
			*e = why;
			rc = -1;
			if (!back || !is_damage(&why))
				break;
		}
		at += n + 1;
	}
	return rc;
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

ssize_t instant_file_read(struct instant_file *f, void *p, size_t n, off_t off, struct err *e)
{
	ssize_t got;

	if (!atomic_load(&f->whole)) {
		uint64_t b, end;
		int rc = 0;

		lock_soon(f);
		for (touched(f, (uint64_t)off, n, &b, &end); rc == 0 && b < end; b++)
			if (missing(f, b)) {
				atomic_fetch_add(&f->asked, 1);
				rc = bring(f, b, INSTANT_FRONT, e);
			}
		pthread_mutex_unlock(&f->lock);
		if (rc == -1)
			return -1;
	}
	got = os_pread_full(f->fd, p, n, off);
	return got == -1 ? err_sys(e, "read") : got;
}

/* Tell the state of blocks that are here and of which it knows nothing. */
static int tell(struct instant_file *f, uint64_t first, uint64_t end, uint8_t what, struct err *e)
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

static int write_locked(
    struct instant_file *f, const void *p, size_t n, uint64_t off, struct err *e)
{
	uint64_t first, end;

	touched(f, off, n, &first, &end);
	for (uint64_t b = first; b < end; b++) {
		bool covered = off <= b * INSTANT_BLOCK &&
			       (off + n >= (b + 1) * INSTANT_BLOCK || off + n >= f->limit);

		if (!covered && missing(f, b) && bring(f, b, INSTANT_FRONT, e) == -1)
			return -1;
	}
	if (os_pwrite_all(f->fd, p, n, (off_t)off) == -1)
		return err_sys(e, "write");
	set_here(f, first, end);
	return tell(f, first, end, TOLD, e);
}

int instant_file_write(struct instant_file *f, const void *p, size_t n, off_t off, struct err *e)
{
	int rc;

	if (atomic_load(&f->whole))
		return os_pwrite_all(f->fd, p, n, off) == -1 ? err_sys(e, "write") : 0;
	lock_soon(f);
	rc = write_locked(f, p, n, (uint64_t)off, e);
	pthread_mutex_unlock(&f->lock);
	return rc;
}

int instant_file_cut(struct instant_file *f, off_t size, struct err *e)
{
	int rc = 0;

	lock_soon(f);
	/* The file first: a limit that is told and a size that is not would show zeros. */
	if (os_ftruncate(f->fd, size) == -1) {
		rc = err_sys(e, "truncate");
	} else if ((uint64_t)size < f->limit) {
		f->limit = (uint64_t)size;
		count_missing(f);
		rc = instant_state_cut(f->state, f->n, f->limit, e);
	}
	pthread_mutex_unlock(&f->lock);
	return rc;
}

int instant_file_sync(struct instant_file *f, struct err *e)
{
	uint8_t *before;
	int rc = 0;

	if (atomic_load(&f->whole))
		return os_fsync(f->fd) == -1 ? err_sys(e, "fsync") : 0;
	/* Only what is here before the fsync is durable after it. */
	lock_soon(f);
	before = mem_dup(f->block, f->nblocks);
	pthread_mutex_unlock(&f->lock);
	if (os_fsync(f->fd) == -1)
		rc = err_sys(e, "fsync");
	lock_soon(f);
	for (uint64_t b = 0, n; rc == 0 && b < f->nblocks; b += n) {
		for (n = 0; b + n < f->nblocks && (before[b + n] & HERE); n++)
			;
		if (n)
			rc = tell(f, b, b + n, HARD, e);
		else
			n = 1;
	}
	pthread_mutex_unlock(&f->lock);
	free(before);
	return rc == -1 ? -1 : instant_state_sync(f->state, e);
}

uint64_t instant_file_left(struct instant_file *f)
{
	uint64_t left;

	pthread_mutex_lock(&f->lock);
	left = f->nmissing * INSTANT_BLOCK;
	pthread_mutex_unlock(&f->lock);
	return left;
}

/* It is here: durable, and the state is told. */
static int complete(struct instant_file *f, struct err *e)
{
	if (atomic_load(&f->whole))
		return 0;
	if (instant_file_sync(f, e) == -1 || instant_state_done(f->state, f->n, e) == -1)
		return -1;
	atomic_store(&f->whole, true);
	return 0;
}

int instant_file_copy(
    struct instant_file *f, uint64_t most, uint64_t *left, enum instant_who who, struct err *e)
{
	uint64_t done = 0;
	bool damaged = false;
	struct err why;
	int rc = 0;

	for (uint64_t b = 0; rc == 0 && b < f->nblocks && done < most; b++) {
		/* The lock is let go between blocks: somebody may wait for one. */
		if (who == INSTANT_BACK)
			lock_later(f);
		else
			lock_soon(f);
		if (wanted(f, b, who)) {
			rc = bring(f, b, who, &why);
			done += INSTANT_WINDOW;
		}
		pthread_mutex_unlock(&f->lock);
		if (rc == -1)
			*e = why;
		if (rc == -1 && who == INSTANT_BACK && is_damage(&why)) {
			damaged = true;
			rc = 0;
		}
	}
	*left = instant_file_left(f);
	if (damaged && rc == 0)
		e->kind = ERR_DAMAGE_FOUND;
	if (damaged || rc == -1)
		return -1;
	return *left == 0 ? complete(f, e) : 0;
}

uint64_t instant_file_bad(struct instant_file *f)
{
	uint64_t bad;

	pthread_mutex_lock(&f->lock);
	bad = f->nbad * INSTANT_BLOCK;
	pthread_mutex_unlock(&f->lock);
	return bad;
}

void instant_file_forgive(struct instant_file *f)
{
	pthread_mutex_lock(&f->lock);
	for (uint64_t b = 0; f->nbad > 0 && b < f->nblocks; b++)
		f->block[b] &= (uint8_t)~BAD;
	f->nbad = 0;
	pthread_mutex_unlock(&f->lock);
}

bool instant_file_bad_next(struct instant_file *f, uint64_t *off, uint64_t *len)
{
	uint64_t b = *off / INSTANT_BLOCK, n = 0;

	pthread_mutex_lock(&f->lock);
	while (b < f->nblocks && !(missing(f, b) && (f->block[b] & BAD)))
		b++;
	while (b + n < f->nblocks && missing(f, b + n) && (f->block[b + n] & BAD))
		n++;
	pthread_mutex_unlock(&f->lock);
	*off = b * INSTANT_BLOCK;
	*len = n * INSTANT_BLOCK;
	return n > 0;
}

unsigned instant_file_asked(struct instant_file *f)
{
	return atomic_load(&f->asked);
}
