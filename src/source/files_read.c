/* files_read: the content of a file as its data and its holes. */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "os/os.h"
#include "source/files.h"

enum { HOLE_MIN = 4096, ADVISE_FROM = 256 << 10 };

struct files_reader {
	struct source_reader base;
	int fd;
	char *path;
	struct entry_hole *holes;
	size_t hole;  /* the next one at or after pos */
	uint64_t pos; /* in the file; never inside a hole */
	uint64_t end; /* size at open, or less if the file shrank */
	bool shrunk;
};

static void reader_free(struct files_reader *r)
{
	os_close(r->fd);
	free(r->holes);
	free(r->path);
	free(r);
}

static size_t holes_thin(struct entry_hole *v, size_t n, uint64_t min)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (v[i].len >= min)
			v[kept++] = v[i];
	return kept;
}

/*
 * Small holes are read as the zeros they are; if there are too many, so are
 * bigger ones.  Best effort: without SEEK_HOLE a file is all data.
 */
static void find_holes(struct files_reader *r)
{
	uint64_t min = HOLE_MIN;
	size_t n = 0, cap = 0;

	for (uint64_t off = 0; off < r->end;) {
		off_t hole = lseek(r->fd, (off_t)off, SEEK_HOLE), data;

		if (hole == -1 || (uint64_t)hole >= r->end)
			break;
		data = lseek(r->fd, hole, SEEK_DATA);
		if (data == -1 && errno != ENXIO)
			break;
		off = data == -1 || (uint64_t)data > r->end ? r->end : (uint64_t)data;
		/* Someone is writing into it just now: what we saw last need not hold. */
		if (off <= (uint64_t)hole)
			break;
		if (off - (uint64_t)hole < min)
			continue;
		if (n == ENTRY_HOLES_MAX) {
			min *= 2;
			n = holes_thin(r->holes, n, min);
			if (off - (uint64_t)hole < min)
				continue;
			if (n == ENTRY_HOLES_MAX) /* all are as big: this one stays data */
				continue;
		}
		if (n == cap) {
			cap = cap ? 2 * cap : 16;
			r->holes = mem_realloc(r->holes, cap * sizeof *r->holes);
		}
		r->holes[n++] = (struct entry_hole){(uint64_t)hole, off - (uint64_t)hole};
	}
	r->base.holes = r->holes;
	r->base.nholes = n;
}

static void skip_hole(struct files_reader *r)
{
	if (r->hole < r->base.nholes && r->holes[r->hole].off == r->pos) {
		r->pos += r->holes[r->hole].len;
		r->hole++;
	}
}

static int open_fd(struct files_dir *d, const char *name)
{
	/* O_NONBLOCK, for it may have become a fifo that nobody writes to. */
	int fd = files_openat(d->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);

	/* With it, a file that somebody holds a lease on is refused, not waited for. */
	if (fd == -1 && errno == EWOULDBLOCK)
		fd = files_openat(d->fd, name, O_RDONLY | O_NOFOLLOW);
	return fd;
}

int files_open(struct source_dir *base, const char *name, const struct source_stat *st,
    struct source_reader **out, struct err *e)
{
	struct files_reader *r = mem_zalloc(sizeof *r);
	struct source_stat *now = &r->base.st;
	struct stat sb;
	int rc = -1;

	r->base.source = base->source;
	r->path = files_path(base, name);
	r->fd = open_fd((struct files_dir *)base, name);
	if (r->fd == -1 && (errno == ELOOP || errno == ENXIO)) {
		err_set(e, ERR_ABSENT, "%s: replaced meanwhile", r->path);
		goto out;
	}
	if (r->fd == -1 || os_fstat(r->fd, &sb) == -1) {
		err_sys(e, "%s: open", r->path);
		goto out;
	}
	files_stat_take((struct files *)base->source, now, &sb);
	if (now->type != ENTRY_FILE || now->ino != st->ino || now->dev != st->dev) {
		err_set(e, ERR_ABSENT, "%s: replaced meanwhile", r->path);
		goto out;
	}
	r->end = now->size;
	if (r->end >= ADVISE_FROM)
		posix_fadvise(r->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	if (now->blocks < now->size / 512)
		find_holes(r);
	skip_hole(r);
	*out = &r->base;
	r = NULL;
	rc = 0;
out:
	if (r != NULL)
		reader_free(r);
	return rc;
}

/* The file ends here, sooner than it did: holes that lay beyond are no more. */
static void cut(struct files_reader *r)
{
	r->shrunk = true;
	r->end = r->pos;
	r->base.nholes = r->hole;
}

int64_t files_read(struct source_reader *base, void *p, size_t n, struct err *e)
{
	struct files_reader *r = (struct files_reader *)base;
	size_t got = 0;

	while (got < n && r->pos < r->end) {
		uint64_t stop = r->hole < base->nholes ? r->holes[r->hole].off : r->end;
		size_t want = stop - r->pos < n - got ? (size_t)(stop - r->pos) : n - got;
		ssize_t m = os_pread(r->fd, (uint8_t *)p + got, want, (off_t)r->pos);

		if (m == -1)
			return err_sys(e, "%s: read at %llu", r->path, (unsigned long long)r->pos);
		if (m == 0) {
			cut(r);
			break;
		}
		got += (size_t)m;
		r->pos += (uint64_t)m;
		skip_hole(r);
	}
	return (int64_t)got;
}

int files_finish(struct source_reader *base, bool *changed, uint64_t *size, struct err *e)
{
	struct files_reader *r = (struct files_reader *)base;
	const struct source_stat *was = &base->st;
	struct stat sb;
	int rc = 0;

	*size = r->pos;
	*changed = true;
	if (os_fstat(r->fd, &sb) == -1) {
		rc = err_sys(e, "%s: stat", r->path);
	} else {
		struct source_stat now;

		files_stat_take((struct files *)base->source, &now, &sb);
		*changed = r->shrunk || now.size != was->size || now.mtime != was->mtime ||
			   now.mtime_ns != was->mtime_ns || now.ctime != was->ctime ||
			   now.ctime_ns != was->ctime_ns;
	}
	reader_free(r);
	return rc;
}
