/* log_fetch: see log_fetch.h. */
#include "cli/log_fetch.h"

#include <stdlib.h>

#include "base/mem.h"

enum { USUAL_SIZE = 16 << 20 };

struct one { /* a stream of a repository */
	struct repo *repo;
	struct log_reader *reader;
	uint8_t stream[LOG_STREAM];
};

struct log_fetch {
	struct cli *c;
	const char *system;
	struct log_place *place;
	struct one *v;
	size_t n;
	uint32_t size;
};

struct log_fetch *log_fetch_new(struct cli *c, const char *system)
{
	struct log_fetch *f = mem_zalloc(sizeof *f);

	f->c = c;
	f->system = system;
	return f;
}

static void close_all(struct log_fetch *f)
{
	for (size_t i = 0; i < f->n; i++)
		log_reader_close(f->v[i].reader);
	free(f->v);
	f->v = NULL;
	f->n = 0;
	log_place_free(f->place);
	f->place = NULL;
}

void log_fetch_free(struct log_fetch *f)
{
	if (f == NULL)
		return;
	close_all(f);
	free(f);
}

void log_fetch_forked(struct log_fetch *f)
{
	bool local = true;

	for (size_t i = 0; i < f->n; i++)
		local = local && strncmp(repo_url(f->v[i].repo), "fs:", 3) == 0;
	if (local)
		return;
	/* Not closed: nobody may say goodbye in the parent's name. */
	f->place = NULL;
	f->v = NULL;
	f->n = 0;
}

uint32_t log_fetch_size(const struct log_fetch *f)
{
	return f->size;
}

static int open_streams(struct log_fetch *f, struct repo *r, struct err *e)
{
	uint8_t(*streams)[LOG_STREAM];
	size_t n;
	int rc = 0;

	if (repo_need(r, true, e) == -1 || log_find(r, log_place_system(f->place),
					       log_place_source(f->place), &streams, &n, e) == -1)
		return -1;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct one x = {.repo = r};

		memcpy(x.stream, streams[i], LOG_STREAM);
		rc = log_reader_open(r, x.stream, &x.reader, e);
		if (rc == -1)
			break;
		f->v = mem_realloc(f->v, (f->n + 1) * sizeof *f->v);
		f->v[f->n++] = x;
	}
	free(streams);
	return rc;
}

/* PostgreSQL calls recovery's command in the data directory: whose it is it tells itself. */
static int open_all(struct log_fetch *f, struct err *e)
{
	struct repo *r;

	if (log_place_new(f->c, f->system, log_place_here(), &f->place, e) == -1)
		return -1;
	for (size_t i = 0; i < log_place_repos(f->place); i++)
		if (log_place_repo(f->place, i, &r, e) == -1 || open_streams(f, r, e) == -1)
			return -1;
	return 0;
}

/* How long segments are: the first page of any says it. */
static int find_size(struct log_fetch *f, struct err *e)
{
	struct wal_file_head h;
	struct buf b = {0};
	struct err ignored;

	for (size_t i = 0; i < f->n && f->size == 0; i++) {
		size_t n;
		const struct log_at *v = log_reader_list(f->v[i].reader, &n);

		for (size_t k = 0; k < n && f->size == 0; k++)
			if (v[k].kind == LOG_SEGMENT && v[k].start % WAL_FILE_MIN == 0 &&
			    v[k].end - v[k].start >= WAL_FILE_HEAD &&
			    log_read(f->v[i].repo, f->v[i].stream, &v[k], &b, &ignored) == 0 &&
			    wal_file_head(buf_span(&b), &h, &ignored) == 0)
				f->size = h.size;
	}
	buf_fini(&b);
	if (f->size == 0)
		f->size = USUAL_SIZE;
	(void)e;
	return 0;
}

static int gap(const struct log_fetch *f, uint32_t timeline, uint64_t at, struct err *e)
{
	err_set(e, ERR_FAILED,
	    "the log of %s has a gap: nothing of timeline %u at %X/%X, but later",
	    log_place_system(f->place), timeline, (unsigned)(at >> 32), (unsigned)at);
	return err_hint(e, "'holdfast log list %s' shows it; to before it a recovery is possible",
	    log_place_system(f->place));
}

/* From one stream; ABSENT where it has nothing of it. */
static int fetch_segment(struct log_fetch *f, struct one *x, uint32_t timeline, uint64_t start,
    struct buf *out, enum log_found *found, struct err *e)
{
	uint64_t have, end = start + f->size;

	*found = LOG_WHOLE;
	if (log_reader_get(x->reader, timeline, start, end, out, &have, e) == 0)
		return 0;
	if (e->kind != ERR_ABSENT)
		return -1;
	err_clear(e);
	*found = have ? LOG_TAIL : LOG_ABSENT;
	if (log_reader_goes_on(x->reader, timeline, start + have) &&
	    (have || log_reader_comes_from(x->reader, timeline, start)))
		return gap(f, timeline, start + have, e);
	if (have)
		buf_put_zeros(out, f->size - have);
	return 0;
}

static int fetch_partial(
    struct one *x, uint32_t timeline, uint64_t start, struct buf *out, struct err *e)
{
	size_t n;
	const struct log_at *v = log_reader_list(x->reader, &n);

	for (size_t i = 0; i < n; i++)
		if (v[i].kind == LOG_PARTIAL && v[i].timeline == timeline && v[i].start == start)
			return log_read(x->repo, x->stream, &v[i], out, e);
	return err_set(e, ERR_ABSENT, "no such partial segment");
}

static int fetch_from(struct log_fetch *f, struct one *x, const struct wal_file *file,
    struct buf *out, enum log_found *found, struct err *e)
{
	uint64_t start;
	int rc;

	*found = LOG_ABSENT;
	if (file->kind == WAL_FILE_BACKUP)
		return 0;
	if (file->kind != WAL_FILE_HISTORY && !wal_file_start(file, f->size, &start))
		return 0;
	if (file->kind == WAL_FILE_SEGMENT)
		return fetch_segment(f, x, file->timeline, start, out, found, e);
	rc = file->kind == WAL_FILE_HISTORY ? log_reader_history(x->reader, file->timeline, out, e)
					    : fetch_partial(x, file->timeline, start, out, e);
	if (rc == -1 && e->kind != ERR_ABSENT)
		return -1;
	*found = rc == 0 ? LOG_WHOLE : LOG_ABSENT;
	err_clear(e);
	return 0;
}

/* The first that has all of it; a tail only if no other has more. */
static int fetch(struct log_fetch *f, const struct wal_file *file, struct buf *out,
    enum log_found *found, struct err *e)
{
	enum log_found best = LOG_ABSENT;
	struct buf tail = {0};
	struct err why = {.kind = ERR_NONE};
	bool failed = false;

	for (size_t i = 0; i < f->n && best != LOG_WHOLE; i++) {
		if (fetch_from(f, &f->v[i], file, out, found, e) == -1) {
			failed = true;
			why = *e;
			continue;
		}
		if (*found == LOG_TAIL && best == LOG_ABSENT) {
			struct buf swap = tail;

			tail = *out;
			*out = swap;
		}
		best = *found < best ? *found : best;
	}
	if (best == LOG_TAIL) {
		buf_reset(out);
		buf_put_span(out, buf_span(&tail));
	}
	buf_fini(&tail);
	*found = best;
	/* What one could not tell is no proof, unless another had it. */
	if (best == LOG_WHOLE || !failed)
		return 0;
	*e = why;
	return -1;
}

int log_fetch(struct log_fetch *f, const struct wal_file *file, struct buf *out,
    enum log_found *found, struct err *e)
{
	int rc = f->place == NULL ? open_all(f, e) : 0;

	if (rc == 0 && f->size == 0)
		rc = find_size(f, e);
	if (rc == 0)
		rc = fetch(f, file, out, found, e);
	if (rc == -1)
		close_all(f);
	return rc;
}
