/* log_push: files of a log are put where they belong (log_place.h). */
#include <stdlib.h>

#include "cli/log_place_internal.h"
#include "os/os.h"
#include "source/wal_file.h"

enum { REST_S = 60 };

uint64_t log_file_system(int fd)
{
	uint8_t first[WAL_FILE_HEAD];
	struct wal_file_head h;
	struct err ignored;

	if (os_pread_full(fd, first, sizeof first, 0) != sizeof first ||
	    wal_file_head(span_of(first, sizeof first), &h, &ignored) == -1)
		return 0;
	return h.system;
}

static int no_size(const char *name, struct err *e)
{
	err_set(e, ERR_USAGE, "%s: no file of a size that it could have", name);
	return err_hint(
	    e, "a whole segment of the server's pg_wal: archive_command has %%p for it");
}

static int size_of(
    struct log_place *p, const char *name, int fd, uint64_t max, size_t *out, struct err *e)
{
	struct stat *st = &p->was;

	if (os_fstat(fd, st) == -1)
		return err_sys(e, "%s", name);
	if (!S_ISREG(st->st_mode) || st->st_size <= 0 || (uint64_t)st->st_size > max)
		return no_size(name, e);
	*out = (size_t)st->st_size;
	return 0;
}

/* n bytes from its beginning, into memory that is used again. */
static int read_file(struct log_place *p, const char *name, int fd, size_t n, struct err *e)
{
	ssize_t got;

	buf_reset(&p->bytes);
	buf_reserve(&p->bytes, n);
	got = os_pread_full(fd, buf_extend(&p->bytes, n), n, 0);
	if (got == -1)
		return err_sys(e, "%s", name);
	return (size_t)got == n
		   ? 0
		   : err_set(e, ERR_FAILED, "%s: became shorter while it was read", name);
}

/* By its first bytes; the rest is read when it is stored. */
static int check_segment(struct log_place *p, const struct wal_file *f, const char *name, int fd,
    struct log_piece *out, struct err *e)
{
	struct wal_file_head h;
	size_t n = 0;

	if (size_of(p, name, fd, WAL_FILE_MAX, &n, e) == -1 ||
	    read_file(p, name, fd, n < WAL_FILE_HEAD ? n : WAL_FILE_HEAD, e) == -1)
		return -1;
	if (wal_file_head(buf_span(&p->bytes), &h, e) == -1 || wal_file_fits(f, &h, n, e) == -1)
		return err_wrap(e, "%s", name);
	if (p->wal != 0 && h.system != p->wal) {
		err_set(e, ERR_USAGE,
		    "%s is of another database (%llu) than %s's (%llu): it is not stored", name,
		    (unsigned long long)h.system, p->system, (unsigned long long)p->wal);
		return err_hint(e, "was the cluster made anew? Declare it as another system");
	}
	p->wal = h.system;
	out->start = h.start;
	out->end = h.start + h.size;
	out->bytes = span_of(NULL, n);
	out->fd = fd;
	out->was = &p->was;
	return 0;
}

static int check_history(
    struct log_place *p, const char *name, int fd, struct log_piece *out, struct err *e)
{
	struct log_line *lines;
	size_t n = 0;

	if (size_of(p, name, fd, FORMAT_LOG_HISTORY_MAX, &n, e) == -1 ||
	    read_file(p, name, fd, n, e) == -1)
		return -1;
	if (log_history_parse(buf_span(&p->bytes), &lines, &n, e) == -1)
		return err_wrap(e, "%s", name);
	free(lines);
	out->bytes = buf_span(&p->bytes);
	return 0;
}

static int make_piece(
    struct log_place *p, const char *name, int fd, struct log_piece *out, struct err *e)
{
	struct wal_file f;

	if (wal_file_parse(name, &f, e) == -1)
		return -1;
	*out = (struct log_piece){.timeline = f.timeline,
	    .kind = f.kind == WAL_FILE_HISTORY   ? LOG_HISTORY
		    : f.kind == WAL_FILE_PARTIAL ? LOG_PARTIAL
						 : LOG_SEGMENT};
	return f.kind == WAL_FILE_HISTORY ? check_history(p, name, fd, out, e)
					  : check_segment(p, &f, name, fd, out, e);
}

static int push_to(struct log_place *p, struct log_target *t, struct log_piece *piece,
    enum log_put_outcome *out, struct err *e)
{
	if (t->writer != NULL && log_writer_stale(t->writer))
		log_target_close(t);
	if (t->other.repo == NULL && log_target_open(p, t, e) == -1)
		return -1;
	if (t->writer == NULL && log_writer_open(t->other.repo, &t->writer, e) == -1)
		return err_wrap(e, "%s", t->word);
	memcpy(piece->stream, t->stream, LOG_STREAM);
	log_writer_hurry(t->writer, p->hurry);
	if (log_writer_put(t->writer, piece, out, e) == 0)
		return 0;
	if (e->kind != ERR_EXISTS)
		log_target_close(t); /* by then its keys, or its way, may be others */
	return err_wrap(e, "%s", t->word);
}

static void push_to_others(struct log_place *p, const char *name, struct log_piece *piece)
{
	struct clock *clock = os_clock_of(p->c->ctx);

	for (size_t i = 1; i < p->n; i++) {
		struct log_target *t = &p->targets[i];
		enum log_put_outcome out;
		struct err e;

		if (clock->mono_ns(clock) < t->rests_until_ns)
			continue;
		t->rests_until_ns = 0;
		if (push_to(p, t, piece, &out, &e) == 0)
			continue;
		if (ctx_cancelled(p->c->ctx))
			return; /* who waits for it offers it again */
		t->rests_until_ns = clock->mono_ns(clock) + REST_S * CALENDAR_SECOND;
		event_emit(p->c->ctx, EVENT_WARNING, span_str(name),
		    "not stored there, which has a gap until 'holdfast copy' fills it: %s", e.msg);
	}
}

void log_place_hurry(struct log_place *p, bool hurry)
{
	p->hurry = hurry;
}

static int no_destination(const struct log_place *p, struct err *e)
{
	err_set(e, ERR_USAGE, "%s has no destination that is written", p->system);
	return err_hint(e, "name one in destinations of its tier: holdfast config show");
}

int log_place_push(
    struct log_place *p, const char *name, int fd, enum log_put_outcome *out, struct err *e)
{
	struct log_piece piece;

	if (p->n == 0)
		return no_destination(p, e);
	if (make_piece(p, name, fd, &piece, e) == -1) {
		/* It is the file that is at fault: nothing that is stored. */
		e->kind = e->kind == ERR_CORRUPT ? ERR_FAILED : e->kind;
		return -1;
	}
	if (push_to(p, &p->targets[0], &piece, out, e) == -1)
		return -1;
	push_to_others(p, name, &piece);
	return 0;
}
