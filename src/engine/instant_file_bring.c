/* instant_file_bring: the content of a file, from the backup: see instant_file.h. */
#include "engine/instant_file_priv.h"

#include <unistd.h>

#include "os/os.h"

enum { WINDOW = INSTANT_WINDOW / INSTANT_BLOCK, BACK_WAITS_US = 50 };

/* A mutex alone would leave it to who copies, who wants it again at once. */
void instant_file_lock(struct instant_file *f)
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
	instant_file_set_here(f, first, end);
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
int instant_file_bring(struct instant_file *f, uint64_t b, enum instant_who who, struct err *e)
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
			instant_file_lock(f);
		if (wanted(f, b, who)) {
			rc = instant_file_bring(f, b, who, &why);
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
	return *left == 0 ? instant_file_complete(f, e) : 0;
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
