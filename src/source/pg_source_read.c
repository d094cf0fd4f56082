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
	bool spooled, part; /* in the spool, from `at` on; what was sent of it is `sent` */
	uint64_t at;
	struct pg_increment sent;
};

static void reader_free(struct pg_reader *r)
{
	if (r->fd != -1 && !r->spooled)
		os_close(r->fd);
	pg_increment_fini(&r->sent);
	free(r->path);
	free(r);
}

bool pg_source_is_part(const struct pg_manifest_file *f)
{
	return strncmp(strrchr(f->path, '/') + 1, PG_INCREMENT, strlen(PG_INCREMENT)) == 0;
}

const struct pg_manifest_file *pg_source_spooled(const struct source_dir *d, const char *name)
{
	const struct pg_source *s = (const struct pg_source *)d->source;
	const struct pg_manifest *m = s->p.spooled;
	const char *folder = pg_source_folder(d);

	if (m == NULL || !pg_layout_has_relations(folder))
		return NULL;
	for (int part = 0; part <= (s->p.older != NULL); part++) {
		char *path = mem_printf("%s/%s%s", folder, part ? PG_INCREMENT : "", name);
		size_t i = pg_manifest_find(m, path);
		bool there = i < m->n && strcmp(m->v[i].path, path) == 0 && m->v[i].spooled;

		free(path);
		if (there)
			return &m->v[i];
	}
	return NULL;
}

static int open_spooled(
    struct pg_reader *r, const struct pg_manifest_file *f, struct source_dir *d, struct err *e)
{
	const struct pg_source *s = (const struct pg_source *)d->source;

	r->spooled = true;
	r->fd = s->p.spool;
	r->at = f->at;
	r->end = f->size;
	r->part = s->p.older != NULL && pg_source_is_part(f);
	if (r->part) {
		if (pg_increment_read(r->fd, f->at, f->size, s->p.relation, &r->sent, e) == -1)
			return err_wrap(e, "%s", r->path);
		r->end = r->sent.size;
	}
	r->base.st.size = r->end;
	return 0;
}

static int open_file(struct pg_reader *r, struct source_dir *d, const char *name,
    const struct source_stat *want, struct err *e)
{
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
	if (r->end >= ADVISE_FROM)
		posix_fadvise(r->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return 0;
}

int pg_source_read_open(struct source_dir *d, const char *name, const struct source_stat *st,
    struct source_reader **out, struct err *e)
{
	const struct pg_source *s = (const struct pg_source *)d->source;
	const struct pg_manifest_file *spooled = pg_source_spooled(d, name);
	struct pg_reader *r = mem_zalloc(sizeof *r);
	uint32_t segment;
	int rc = 0;

	r->base.source = d->source;
	r->base.st = *st;
	r->fd = -1;
	r->path = pg_source_path(d, name);
	r->which = pg_source_memory(d, name);
	r->pages = s->p.checksums && pg_layout_relation(pg_source_folder(d), name, &segment);
	r->first = r->pages ? segment * s->p.relation : 0;
	if (r->which != -1)
		r->end = s->memory[r->which].n;
	else if (spooled != NULL)
		rc = open_spooled(r, spooled, d, e);
	else
		rc = open_file(r, d, name, st, e);
	if (rc == -1)
		reader_free(r);
	else
		*out = &r->base;
	return rc;
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

		if (i == TRIES || r->spooled) {
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

/* Pages that were not sent: those of the backup before, and zeroes where it grew behind a cut. */
static int read_older(struct pg_reader *r, uint32_t block, uint8_t *p, size_t n, struct err *e)
{
	const struct pg_source *s = (const struct pg_source *)r->base.source;

	if (block >= r->sent.length) {
		memset(p, 0, n);
		return 0;
	}
	if (s->p.older(s->p.arg, r->path + 1, (uint64_t)block * PG_PAGE, n, p, e) == -1)
		return err_wrap(e, "%s: of the backup before", r->path);
	return 0;
}

/* Whole pages: those that were sent, and those between them. */
static ssize_t read_part(struct pg_reader *r, uint8_t *p, size_t n, struct err *e)
{
	uint32_t block = (uint32_t)(r->pos / PG_PAGE), end = block + (uint32_t)(n / PG_PAGE), to;

	for (; block < end; block = to) {
		int64_t at = pg_increment_at(&r->sent, block);
		size_t size = PG_PAGE;

		to = block + 1;
		if (at == -1) {
			while (
			    to < end && to != r->sent.length && pg_increment_at(&r->sent, to) == -1)
				to++;
			size *= to - block;
			if (read_older(r, block, p, size, e) == -1)
				return -1;
		} else if (os_pread_full(r->fd, p, size,
			       (off_t)(r->at + r->sent.data + (uint64_t)at * PG_PAGE)) != PG_PAGE) {
			return err_sys(e, "%s: read", r->path);
		}
		p += size;
	}
	return (ssize_t)n;
}

int64_t pg_source_read(struct source_reader *base, void *p, size_t n, struct err *e)
{
	struct pg_reader *r = (struct pg_reader *)base;
	ssize_t got;

	if (r->which != -1)
		return read_memory(r, p, n);
	if ((r->pages || r->part) && n > PG_PAGE)
		n -= n % PG_PAGE;
	if (n > r->end - r->pos)
		n = (size_t)(r->end - r->pos);
	if (n == 0)
		return 0;
	if (r->part && (r->pos % PG_PAGE != 0 || n % PG_PAGE != 0))
		return err_set(e, ERR_BUG, "%s: read at no page", r->path);
	got = r->part ? read_part(r, p, n, e) : os_pread_full(r->fd, p, n, (off_t)(r->at + r->pos));
	if (got == -1 && r->part)
		return -1;
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
