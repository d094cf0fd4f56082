/* log_fetch: see log_fetch.h. */
#include "cli/log_fetch.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

enum { USUAL_SIZE = 16 << 20 };

struct one { /* a stream of a repository */
	struct repo *repo;
	struct log_reader *reader;
	uint8_t stream[LOG_STREAM];
};

struct place { /* a repository, in the order in which they are asked */
	bool open;
	struct one *v;
	size_t n;
};

struct log_fetch {
	struct cli *c;
	char *system; /* NULL: not said, and not found yet */
	struct log_place *place;
	struct place *v;
	size_t n;
	uint32_t size;
	bool standby; /* who asks follows another server: it asks again, whatever it is told */
};

struct log_fetch *log_fetch_new(struct cli *c, const char *system)
{
	struct log_fetch *f = mem_zalloc(sizeof *f);

	f->c = c;
	f->system = system ? mem_strdup(system) : NULL;
	/* PostgreSQL calls restore_command in its data directory. */
	f->standby = access("standby.signal", F_OK) == 0;
	return f;
}

static void close_place(struct place *p)
{
	for (size_t i = 0; i < p->n; i++)
		log_reader_close(p->v[i].reader);
	free(p->v);
	*p = (struct place){.open = false};
}

static void close_all(struct log_fetch *f)
{
	for (size_t i = 0; i < f->n; i++)
		close_place(&f->v[i]);
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
	free(f->system);
	free(f);
}

void log_fetch_forked(struct log_fetch *f)
{
	bool local = true;
	struct repo *r;
	struct err ignored;

	for (size_t i = 0; i < f->n; i++)
		local = local &&
			(!f->v[i].open || (log_place_repo(f->place, i, &r, &ignored) == 0 &&
					      strncmp(repo_url(r), "fs:", 3) == 0));
	if (local)
		return;
	/* Not closed: nobody may say goodbye in the parent's name. */
	f->place = NULL;
	f->v = NULL;
	f->n = 0;
}

struct log_fetch *log_fetch_another(const struct log_fetch *f)
{
	struct log_fetch *new = log_fetch_new(f->c, f->system);

	new->size = f->size;
	return new;
}

uint32_t log_fetch_size(const struct log_fetch *f)
{
	return f->size ? f->size : USUAL_SIZE;
}

static int open_place(struct log_fetch *f, size_t k, struct err *e)
{
	static pthread_mutex_t one =
	    PTHREAD_MUTEX_INITIALIZER; /* what a key is given by is shared */
	struct place *p = &f->v[k];
	uint8_t(*streams)[LOG_STREAM];
	struct repo *r;
	size_t n;
	int rc;

	if (p->open)
		return 0;
	pthread_mutex_lock(&one);
	rc = log_place_repo(f->place, k, &r, e);
	pthread_mutex_unlock(&one);
	if (rc == -1 || repo_need(r, true, e) == -1 ||
	    log_find(r, log_place_system(f->place), log_place_source(f->place), &streams, &n, e) ==
		-1)
		return -1;
	p->open = true;
	p->v = mem_zalloc((n + 1) * sizeof *p->v);
	for (size_t i = 0; i < n && p->open; i++) {
		struct one *x = &p->v[p->n];

		x->repo = r;
		memcpy(x->stream, streams[i], LOG_STREAM);
		if (log_reader_open(r, x->stream, &x->reader, e) == -1)
			close_place(p);
		else
			p->n++;
	}
	free(streams);
	return p->open ? 0 : -1;
}

/* PostgreSQL calls recovery's command in the data directory: whose it is it tells itself. */
static int find_places(struct log_fetch *f, struct err *e)
{
	if (f->place != NULL)
		return 0;
	if (log_place_new(f->c, f->system, log_place_here(), &f->place, e) == -1)
		return -1;
	if (f->system == NULL)
		f->system = mem_strdup(log_place_system(f->place));
	f->n = log_place_repos(f->place);
	f->v = mem_zalloc((f->n + 1) * sizeof *f->v);
	return 0;
}

/* How long segments are: the first page of any says it. */
static void find_size(struct log_fetch *f, const struct one *x)
{
	struct wal_file_head h;
	struct buf b = {0};
	struct err ignored;
	size_t n;
	const struct log_at *v = log_reader_list(x->reader, &n);

	for (size_t k = 0; k < n && f->size == 0; k++)
		if (v[k].kind == LOG_SEGMENT && v[k].start % WAL_FILE_MIN == 0 &&
		    v[k].end - v[k].start >= WAL_FILE_HEAD &&
		    log_read(x->repo, x->stream, &v[k], &b, &ignored) == 0 &&
		    wal_file_head(buf_span(&b), &h, &ignored) == 0)
			f->size = h.size;
	buf_fini(&b);
}

static int gap(const struct log_fetch *f, uint32_t timeline, uint64_t at, struct err *e)
{
	err_set(e, ERR_FAILED,
	    "the log of %s has a gap: nothing of timeline %u at %X/%X, but later",
	    log_place_system(f->place), timeline, (unsigned)(at >> 32), (unsigned)at);
	return err_hint(e, "'holdfast log list %s' shows it; to before it a recovery is possible",
	    log_place_system(f->place));
}

/* From one stream; ABSENT where it has nothing of it, a tail where it has a beginning. */
static int fetch_segment(struct log_fetch *f, struct one *x, uint32_t timeline, uint64_t start,
    struct buf *out, enum log_found *found, struct err *e)
{
	uint64_t have, end = start + log_fetch_size(f);

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
	return 0;
}

/* What came of the usual size is believed if it says so itself: then nothing is read twice. */
static bool is_usual(const struct buf *b)
{
	struct wal_file_head h;
	struct err ignored;

	return b->n >= WAL_FILE_HEAD && wal_file_head(buf_span(b), &h, &ignored) == 0 &&
	       h.size == USUAL_SIZE;
}

static int fetch_sized(struct log_fetch *f, struct one *x, const struct wal_file *file,
    struct buf *out, enum log_found *found, struct err *e)
{
	uint64_t start;

	if (f->size == 0 && file->kind == WAL_FILE_SEGMENT &&
	    wal_file_start(file, USUAL_SIZE, &start) &&
	    fetch_segment(f, x, file->timeline, start, out, found, e) == 0 &&
	    *found != LOG_ABSENT && is_usual(out)) {
		f->size = USUAL_SIZE;
		return 0;
	}
	if (f->size == 0)
		find_size(f, x);
	err_clear(e);
	*found = LOG_ABSENT;
	if (!wal_file_start(file, log_fetch_size(f), &start))
		return 0;
	return fetch_segment(f, x, file->timeline, start, out, found, e);
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
	if (file->kind == WAL_FILE_SEGMENT)
		return fetch_sized(f, x, file, out, found, e);
	if (file->kind == WAL_FILE_PARTIAL && f->size == 0)
		find_size(f, x);
	if (file->kind == WAL_FILE_PARTIAL && !wal_file_start(file, log_fetch_size(f), &start))
		return 0;
	rc = file->kind == WAL_FILE_HISTORY ? log_reader_history(x->reader, file->timeline, out, e)
					    : fetch_partial(x, file->timeline, start, out, e);
	if (rc == -1 && e->kind != ERR_ABSENT)
		return -1;
	*found = rc == 0 ? LOG_WHOLE : LOG_ABSENT;
	err_clear(e);
	return 0;
}

/* What was found so far, and why somebody could not tell. */
struct search {
	enum log_found best;
	struct buf tail; /* the longest */
	size_t asked;    /* places that answered */
	bool failed;
	struct err why;
};

static void take_tail(struct search *s, struct buf *out)
{
	struct buf swap = s->tail;

	s->best = LOG_TAIL;
	if (out->n <= s->tail.n)
		return;
	s->tail = *out;
	*out = swap;
}

static void search_place(
    struct log_fetch *f, size_t k, const struct wal_file *file, struct search *s, struct buf *out)
{
	enum log_found found;
	struct err e;
	bool ok = open_place(f, k, &e) == 0;

	if (!ok)
		s->why = e;
	/* Several keys may have written it: what one's log lacks another's may have. */
	for (size_t i = 0; i < f->v[k].n && s->best != LOG_WHOLE; i++) {
		if (fetch_from(f, &f->v[k].v[i], file, out, &found, &e) == -1) {
			ok = false;
			s->why = e;
		} else if (found == LOG_TAIL) {
			take_tail(s, out);
		} else if (found == LOG_WHOLE) {
			s->best = found;
		}
	}
	s->asked += ok;
	if (!ok) {
		s->failed = true;
		close_place(&f->v[k]);
	}
}

/* The first that has all of it, so that the others need not be there; of tails the longest. */
static int fetch(struct log_fetch *f, const struct wal_file *file, struct buf *out,
    enum log_found *found, struct err *e)
{
	struct search s = {.best = LOG_ABSENT};

	for (size_t k = 0; k < f->n && s.best != LOG_WHOLE; k++)
		search_place(f, k, file, &s, out);
	if (s.best == LOG_TAIL) {
		struct buf swap = *out;

		*out = s.tail;
		s.tail = swap;
		buf_put_zeros(out, log_fetch_size(f) - out->n);
	}
	buf_fini(&s.tail);
	*found = s.best;
	if (s.best == LOG_WHOLE || !s.failed)
		return 0;
	*e = s.why;
	/* Who is away proves nothing; but a standby comes back, and would stop at all else. */
	if (!f->standby || s.asked == 0 || e->kind == ERR_FAILED || repo_is_bad(e))
		return -1;
	event_emit(f->c->ctx, EVENT_WARNING, span_of(NULL, 0),
	    "not all places of %s could be asked: %s", log_place_system(f->place), e->msg);
	err_clear(e);
	return 0;
}

int log_fetch(struct log_fetch *f, const struct wal_file *file, struct buf *out,
    enum log_found *found, struct err *e)
{
	int rc = find_places(f, e);

	if (rc == 0)
		rc = fetch(f, file, out, found, e);
	if (rc == -1)
		close_all(f);
	return rc;
}
