/*
 * files_read: a file's data, holes left out, up to where it ended when it
 * was opened.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"
#include "source/files_internal.h"

struct files_reader {
	struct source_reader base;
	int fd;
	uint64_t pos;			/* next byte of the file */
	uint64_t end;			/* size at open, or where it was found to end */
	size_t hole;			/* next hole at or after pos */
	struct entry_hole *holes;
};

enum { HOLE_MIN = 4096 };

/* Holes of at least `min` bytes; false if there are too many. */
static bool find_holes(struct files_reader *r, uint64_t min)
{
	off_t at = 0, size = (off_t)r->base.st.size;
	size_t n = 0;

	while (at < size) {
		off_t hole = lseek(r->fd, at, SEEK_HOLE), data;

		if (hole == -1 || hole >= size)
			break;
		data = lseek(r->fd, hole, SEEK_DATA);
		if (data == -1 || data > size)
			data = size;
		if ((uint64_t)(data - hole) >= min) {
			if (n == ENTRY_HOLES_MAX)
				return false;
			r->holes = mem_realloc(r->holes, (n + 1) * sizeof *r->holes);
			r->holes[n++] = (struct entry_hole){
			    (uint64_t)hole, (uint64_t)(data - hole)};
		}
		at = data;
	}
	r->base.holes = r->holes;
	r->base.nholes = n;
	return true;
}

static int open_file(int dir, const char *name)
{
	int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	int fd = os_openat(dir, name, flags | O_NOATIME, 0);

	if (fd == -1 && errno == EPERM)
		fd = os_openat(dir, name, flags, 0);
	return fd;
}

int files_open(struct source_dir *dir, const char *name, const struct source_stat *st,
    struct source_reader **out, struct err *e)
{
	struct files_dir *d = (struct files_dir *)dir;
	struct files_reader *r = mem_zalloc(sizeof *r);

	r->base.source = dir->source;
	r->fd = open_file(d->fd, name);
	if (r->fd == -1 || files_statx(r->fd, "", AT_EMPTY_PATH, &r->base.st) == -1) {
		err_sys(e, "open");
		goto out;
	}
	if (r->base.st.type != ENTRY_FILE || r->base.st.ino != st->ino ||
	    r->base.st.dev != st->dev) {
		err_set(e, ERR_ABSENT, "replaced by another before it was opened");
		goto out;
	}
	r->end = r->base.st.size;
	if (r->base.st.blocks * 512 < r->base.st.size)
		for (uint64_t min = HOLE_MIN; !find_holes(r, min); min *= 2)
			;
	if (r->end > 1 << 20)
		posix_fadvise(r->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	*out = &r->base;
	return 0;
out:
	os_close(r->fd);
	free(r);
	return -1;
}

int64_t files_read(struct source_reader *base, void *p, size_t n, struct err *e)
{
	struct files_reader *r = (struct files_reader *)base;
	uint64_t limit;
	ssize_t got;

	while (r->hole < base->nholes && base->holes[r->hole].off <= r->pos)
		r->pos = base->holes[r->hole].off + base->holes[r->hole].len, r->hole++;
	if (r->pos >= r->end)
		return 0;
	limit = r->hole < base->nholes ? base->holes[r->hole].off : r->end;
	if (n > limit - r->pos)
		n = (size_t)(limit - r->pos);
	got = os_pread(r->fd, p, n, (off_t)r->pos);
	if (got == -1)
		return err_sys(e, "read at %llu", (unsigned long long)r->pos);
	if (got == 0)
		r->end = r->pos;	/* it shrank */
	r->pos += (uint64_t)got;
	return got;
}

int files_finish(struct source_reader *base, bool *changed, uint64_t *size, struct err *e)
{
	struct files_reader *r = (struct files_reader *)base;
	const struct source_stat *was = &base->st;
	struct source_stat now;
	int rc = 0;

	if (files_statx(r->fd, "", AT_EMPTY_PATH, &now) == -1)
		rc = err_sys(e, "look at it again");
	else
		*changed = now.size != was->size || now.mtime != was->mtime ||
			   now.mtime_ns != was->mtime_ns || now.ctime != was->ctime ||
			   now.ctime_ns != was->ctime_ns || r->end != was->size;
	*size = r->end;
	os_close(r->fd);
	free(r->holes);
	free(r);
	return rc;
}
