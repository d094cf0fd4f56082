/* backup_pg_logs: see backup_pg_logs.h. */
#include "engine/backup_pg_logs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"
#include "source/pg_label.h"

enum { WAL_PAGE = 8192, PAGE_ADDRESS = 8, HISTORY_MAX = 1 << 20 };
#define PIECE (UINT64_C(16) << 20)

struct putting {
	const struct backup_pg_wal *w;
	struct log_writer *writer;
	struct ctx *ctx;
	struct log_piece piece;
	struct stat was; /* the file of piece */
	struct buf bytes;
};

/*
 * A segment that was given back to the server in the meantime has other pages in it.  Behind a
 * switch to the next one there are none.
 */
static int check_pages(const struct backup_pg_wal *w, const uint8_t *p, uint64_t from, uint64_t end,
    const char *path, struct err *e)
{
	for (uint64_t at = from; at < end && at < w->stop; at += WAL_PAGE) {
		uint64_t address;

		memcpy(&address, p + (at - from) + PAGE_ADDRESS, sizeof address);
		if (address != at && address != 0)
			return err_set(e, ERR_ABSENT, "%s: it holds other WAL by now", path);
	}
	return 0;
}

static int not_there(const struct backup_pg_wal *w, const char *path, struct err *e)
{
	int no = errno;

	err_sys(e, "%s", path);
	if (no != ENOENT)
		return -1;
	if (!w->slot)
		return err_hint(e, "the server did not keep it while the backup ran: let the role "
				   "have REPLICATION and a free slot (max_replication_slots)");
	return err_hint(e, "was it deleted by hand, or by an archive of its own?");
}

/* The next piece of its beginning, read at once: what a server still writes to. */
static int load(struct putting *p, int fd, uint64_t first, const char *path, struct err *e)
{
	uint64_t from = p->piece.start, end = p->piece.end;
	ssize_t got;

	buf_reset(&p->bytes);
	buf_reserve(&p->bytes, (size_t)(end - from));
	got = os_pread_full(fd, p->bytes.p, (size_t)(end - from), (off_t)(from - first));
	if (got == -1)
		return err_sys(e, "%s: read", path);
	if ((uint64_t)got < end - from)
		return err_set(e, ERR_CORRUPT, "%s: it is shorter than a segment", path);
	p->bytes.n = (size_t)(end - from);
	p->piece.bytes = buf_span(&p->bytes);
	return check_pages(p->w, p->bytes.p, from, end, path, e);
}

static int put_part(
    struct putting *p, int fd, uint64_t from, uint64_t end, const char *path, struct err *e)
{
	enum log_put_outcome outcome;

	p->piece.was = NULL;
	for (uint64_t at = from; at < end; at = p->piece.end) {
		p->piece.start = at;
		p->piece.end = end - at < PIECE ? end : at + PIECE;
		if (ctx_check(p->ctx, e) == -1 || load(p, fd, from, path, e) == -1 ||
		    log_writer_put(p->writer, &p->piece, &outcome, e) == -1)
			return -1;
	}
	return 0;
}

/*
 * All of it, which a server only writes to again when it takes it for other WAL: that it is this
 * segment's by its first page and by the last that the backup needs, and then stays as it is.
 */
static int put_whole(
    struct putting *p, int fd, uint64_t from, uint64_t end, const char *path, struct err *e)
{
	uint64_t last = (p->w->stop < end ? p->w->stop : end) - 1, address;
	enum log_put_outcome outcome;
	uint8_t page[WAL_PAGE];

	last -= last % WAL_PAGE;
	if (os_fstat(fd, &p->was) == -1 ||
	    os_pread_full(fd, &address, sizeof address, PAGE_ADDRESS) == -1 ||
	    os_pread_full(fd, page, WAL_PAGE, (off_t)(last - from)) == -1)
		return err_sys(e, "%s: read", path);
	if ((uint64_t)p->was.st_size < end - from)
		return err_set(e, ERR_CORRUPT, "%s: it is shorter than a segment", path);
	if (address != from)
		return err_set(e, ERR_ABSENT, "%s: it holds other WAL by now", path);
	if (check_pages(p->w, page, last, last + WAL_PAGE, path, e) == -1)
		return -1;
	p->piece.start = from;
	p->piece.end = end;
	p->piece.fd = fd;
	p->piece.was = &p->was;
	p->piece.bytes = span_of(NULL, (size_t)(end - from));
	if (log_writer_put(p->writer, &p->piece, &outcome, e) == -1)
		return err_wrap(e, "%s", path);
	return 0;
}

/* One segment, from its beginning to `end`. */
static int put_range(struct putting *p, uint64_t from, uint64_t end, struct err *e)
{
	const struct backup_pg_wal *w = p->w;
	char name[PG_WAL_NAME], *path;
	int fd, rc;

	pg_wal_name(name, w->timeline, from, w->segment_size);
	path = mem_printf("%s/pg_wal/%s", w->data, name);
	fd = os_open(path, O_RDONLY, 0);
	p->piece.kind = LOG_SEGMENT;
	if (fd == -1)
		rc = not_there(w, path, e);
	else if (end - from == w->segment_size)
		rc = put_whole(p, fd, from, end, path, e);
	else
		rc = put_part(p, fd, from, end, path, e);
	os_close(fd);
	free(path);
	return rc;
}

static int put_history(struct putting *p, struct err *e)
{
	enum log_put_outcome outcome;
	char *path;
	int rc;

	if (p->w->timeline == 1)
		return 0;
	path = mem_printf("%s/pg_wal/%08X.history", p->w->data, p->w->timeline);
	buf_reset(&p->bytes);
	rc = os_read_file(path, HISTORY_MAX, &p->bytes, e);
	free(path);
	if (rc == -1)
		return -1;
	p->piece.kind = LOG_HISTORY;
	p->piece.was = NULL;
	p->piece.start = p->piece.end = 0;
	p->piece.bytes = buf_span(&p->bytes);
	return log_writer_put(p->writer, &p->piece, &outcome, e);
}

static int put_all(struct putting *p, struct err *e)
{
	const struct backup_pg_wal *w = p->w;
	uint64_t at = w->start - w->start % w->segment_size, stop = w->stop;

	if (w->whole && stop % w->segment_size != 0)
		stop += w->segment_size - stop % w->segment_size;
	while (at < stop) {
		uint64_t n = stop - at < w->segment_size ? stop - at : w->segment_size;

		if (ctx_check(p->ctx, e) == -1 || put_range(p, at, at + n, e) == -1)
			return -1;
		at += n;
	}
	return put_history(p, e);
}

int backup_pg_logs_put(const struct backup_pg_wal *w, struct repo *r, uint8_t stream[LOG_STREAM],
    struct ctx *ctx, struct err *e)
{
	struct putting p = {.w = w, .ctx = ctx, .piece.timeline = w->timeline};
	int rc;

	log_stream(r, w->system, w->part, stream);
	memcpy(p.piece.stream, stream, LOG_STREAM);
	if (log_writer_open(r, &p.writer, e) == -1)
		return -1;
	rc = put_all(&p, e);
	log_writer_close(p.writer);
	buf_fini(&p.bytes);
	return rc;
}
