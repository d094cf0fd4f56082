/* pg_source_read: the content of a file in a data directory, its pages checked on the way. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/os.h"
#include "source/pg_layout.h"
#include "source/pg_page.h"
#include "source/pg_source_priv.h"

enum { ADVISE_FROM = 256 << 10, TRIES = 5, PAUSE_US = 5000 };

struct pg_reader {
	struct source_reader base;
	int fd;         /* -1: it is in memory */
	int which;      /* then */
	char *path;     /* "/base/5/1259" */
	bool pages;     /* they are checked */
	uint32_t first; /* block of the relation with which the file begins */
	uint64_t pos, end;
};

static void reader_free(struct pg_reader *r)
{
	if (r->fd != -1)
		os_close(r->fd);
	free(r->path);
	free(r);
}

static int open_file(struct pg_reader *r, struct source_dir *d, const char *name,
    const struct source_stat *want, struct err *e)
{
	const struct pg_source *s = (const struct pg_source *)d->source;
	uint32_t segment;
	struct stat sb;

	r->fd = os_openat(((struct pg_dir *)d)->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (r->fd == -1 || os_fstat(r->fd, &sb) == -1)
		return err_sys(e, "%s: open", r->path);
	if (!S_ISREG(sb.st_mode))
		return err_set(e, ERR_ABSENT, "%s: replaced meanwhile", r->path);
	/* Some are replaced by renaming: a map of relations, settings.  The new one will do. */
	r->base.again = sb.st_ino != want->ino || sb.st_dev != want->dev;
	/* What it is told to be stays what the walk saw: it is by this that the next run compares.
	 */
	r->base.st.size = r->end = (uint64_t)sb.st_size;
	r->pages = s->p.checksums && pg_layout_relation(pg_source_folder(d), name, &segment);
	r->first = r->pages ? segment * s->p.relation : 0;
	if (r->end >= ADVISE_FROM)
		posix_fadvise(r->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return 0;
}

int pg_source_read_open(struct source_dir *d, const char *name, const struct source_stat *st,
    struct source_reader **out, struct err *e)
{
	const struct pg_source *s = (const struct pg_source *)d->source;
	struct pg_reader *r = mem_zalloc(sizeof *r);

	r->base.source = d->source;
	r->base.st = *st;
	r->fd = -1;
	r->path = pg_source_path(d, name);
	r->which = pg_source_memory(d, name);
	if (r->which != -1) {
		r->end = s->memory[r->which].n;
	} else if (open_file(r, d, name, st, e) == -1) {
		reader_free(r);
		return -1;
	}
	*out = &r->base;
	return 0;
}

static void remember_bad(struct pg_reader *r, uint32_t block)
{
	struct pg_source *s = (struct pg_source *)r->base.source;

	r->base.again = true;
	pthread_mutex_lock(&s->lock);
	s->all_bad++;
	if (s->nbad < PG_BAD_MAX) {
		s->bad[s->nbad].file = mem_strdup(r->path + 1);
		s->bad[s->nbad++].block = block;
	}
	pthread_mutex_unlock(&s->lock);
}

/* Was it changed since the backup began?  Then WAL has the whole of it. */
static bool made_anew(struct pg_source *s, const uint8_t *page)
{
	uint64_t lsn = pg_page_lsn(page), now;
	struct err e; /* who cannot tell excuses nothing; the backup's end will say why */
	bool yes;

	if (lsn < s->p.since)
		return false;
	pthread_mutex_lock(&s->lock);
	if (lsn > s->written && s->p.written(s->p.arg, &now, &e) == 0)
		s->written = now;
	yes = lsn <= s->written;
	pthread_mutex_unlock(&s->lock);
	return yes;
}

/* Perhaps it was just being written: a moment later it is whole. */
static void check_page(struct pg_reader *r, uint8_t *page, uint64_t at)
{
	struct pg_source *s = (struct pg_source *)r->base.source;
	uint32_t block = (uint32_t)(at / PG_PAGE);

	for (int i = 0; !pg_page_good(page, r->first + block); i++) {
		uint8_t again[PG_PAGE];

		if (made_anew(s, page))
			return;

		if (i == TRIES) {
			remember_bad(r, block);
			return;
		}
		if (i > 0)
			usleep(PAUSE_US);
		if (os_pread_full(r->fd, again, sizeof again, (off_t)at) != PG_PAGE)
			return; /* it was cut off: there is no such page any more */
		memcpy(page, again, sizeof again);
	}
}

static int64_t read_memory(struct pg_reader *r, void *p, size_t n)
{
	const struct pg_source *s = (const struct pg_source *)r->base.source;

	if (n > r->end - r->pos)
		n = (size_t)(r->end - r->pos);
	if (n > 0)
		memcpy(p, s->memory[r->which].p + r->pos, n);
	r->pos += n;
	return (int64_t)n;
}

int64_t pg_source_read(struct source_reader *base, void *p, size_t n, struct err *e)
{
	struct pg_reader *r = (struct pg_reader *)base;
	ssize_t got;

	if (r->which != -1)
		return read_memory(r, p, n);
	if (r->pages && n > PG_PAGE)
		n -= n % PG_PAGE;
	if (n > r->end - r->pos)
		n = (size_t)(r->end - r->pos);
	if (n == 0)
		return 0;
	got = os_pread_full(r->fd, p, n, (off_t)r->pos);
	if (got == -1)
		return err_sys(e, "%s: read at %llu", r->path, (unsigned long long)r->pos);
	if ((size_t)got < n)
		r->end = r->pos + (uint64_t)got; /* it was cut off meanwhile */
	for (size_t off = 0; r->pages && r->pos % PG_PAGE == 0 && off + PG_PAGE <= (size_t)got;
	     off += PG_PAGE)
		check_page(r, (uint8_t *)p + off, r->pos + off);
	r->pos += (uint64_t)got;
	return got;
}

void pg_source_skip(struct source_reader *base, uint64_t n)
{
	struct pg_reader *r = (struct pg_reader *)base;

	r->pos += n < r->end - r->pos ? n : r->end - r->pos;
}

int pg_source_read_finish(struct source_reader *base, bool *changed, uint64_t *size, struct err *e)
{
	struct pg_reader *r = (struct pg_reader *)base;

	*size = r->pos;
	*changed = false; /* or it was: WAL makes it what it is to be */
	reader_free(r);
	return 0;
}
