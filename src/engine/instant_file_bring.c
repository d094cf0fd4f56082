/* instant_file_bring: the content of a file, from the backup: see instant_file.h. */
#include "engine/instant_file_priv.h"

#include "os/os.h"

enum { WINDOW = INSTANT_WINDOW / INSTANT_BLOCK };

/* What of it is still missing; since it was asked for some of it may have been written or cut. */
static int store(
    struct instant_file *f, uint64_t first, uint64_t end, const struct buf *got, struct err *e)
{
	uint64_t from = first * INSTANT_BLOCK;

	for (uint64_t b = first, n; b < end; b += n + 1) {
		uint64_t off = b * INSTANT_BLOCK, to;

		for (n = 0; b + n < end && missing(f, b + n);)
			n++;
		to = off + n * INSTANT_BLOCK;
		to = to < f->limit ? to : f->limit;
		if (n > 0 && os_pwrite_all(f->fd, got->p + (off - from), (size_t)(to - off),
				 (off_t)off) == -1)
			return err_sys(e, "write");
		instant_file_set_here(f, b, b + n);
	}
	return 0;
}

/* The lock is let go while it is fetched: what is here is read, written and synced meanwhile. */
static int bring_run(
    struct instant_file *f, uint64_t first, uint64_t end, enum instant_who who, struct err *e)
{
	uint64_t off = first * INSTANT_BLOCK, n = end * INSTANT_BLOCK;
	struct buf got = {.p = NULL};
	int rc;

	n = (n < f->limit ? n : f->limit) - off;
	for (uint64_t b = first; b < end; b++)
		f->block[b] |= COMING;
	pthread_mutex_unlock(&f->lock);
	rc = f->fetch(f->arg, who, f->n, off, (size_t)n, &got, e);
	pthread_mutex_lock(&f->lock);
	if (rc == 0)
		rc = store(f, first, end, &got, e);
	for (uint64_t b = first; b < end; b++)
		f->block[b] &= (uint8_t)~COMING;
	pthread_cond_broadcast(&f->came);
	buf_fini(&got);
	return rc;
}

static bool is_damage(const struct err *e)
{
	return e->kind == ERR_CORRUPT || e->kind == ERR_DAMAGE_FOUND || e->kind == ERR_ABSENT;
}

/* Missing, and nobody is at it. */
static bool wanted(const struct instant_file *f, uint64_t b, enum instant_who who)
{
	return missing(f, b) && !(f->block[b] & COMING) &&
	       (who == INSTANT_FRONT || !(f->block[b] & BAD));
}

static void set_bad(struct instant_file *f, uint64_t b)
{
	if (missing(f, b) && !(f->block[b] & BAD)) {
		f->block[b] |= BAD;
		f->nbad++;
	}
}

/* A stretch of which something is damaged: all but that.  -1, with why, if there is any. */
static int bring_sound(struct instant_file *f, uint64_t first, uint64_t end, struct err *e)
{
	struct err why = *e;
	bool bad = false;

	for (uint64_t b = first; b < end; b++) {
		if (!wanted(f, b, INSTANT_BACK) || bring_run(f, b, b + 1, INSTANT_BACK, e) == 0)
			continue;
		if (!is_damage(e))
			return -1;
		why = *e;
		bad = true;
		set_bad(f, b);
	}
	*e = why;
	return bad ? -1 : 0;
}

/* Who waits for block b has no use for the others. */
static int bring_asked(
    struct instant_file *f, uint64_t b, uint64_t first, uint64_t end, struct err *e)
{
	if (b < first || b >= end || !wanted(f, b, INSTANT_FRONT))
		return 0;
	return bring_run(f, b, b + 1, INSTANT_FRONT, e);
}

int instant_file_bring(struct instant_file *f, uint64_t b, enum instant_who who, struct err *e)
{
	uint64_t at = b / WINDOW * WINDOW,
		 end = at + WINDOW < f->nblocks ? at + WINDOW : f->nblocks;
	bool back = who == INSTANT_BACK;
	struct err why;
	int rc = 0;

	if (missing(f, b) && (f->block[b] & COMING)) {
		pthread_cond_wait(&f->came, &f->lock);
		return 0;
	}
	while (at < end) {
		uint64_t n = 0;

		while (at + n < end && wanted(f, at + n, who))
			n++;
		if (n > 0 && bring_run(f, at, at + n, who, &why) == -1 &&
		    (!is_damage(&why) || (back ? bring_sound(f, at, at + n, &why)
					       : bring_asked(f, b, at, at + n, &why)) == -1)) {
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
		pthread_mutex_lock(&f->lock);
		if (wanted(f, b, who) || (missing(f, b) && (f->block[b] & COMING))) {
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
