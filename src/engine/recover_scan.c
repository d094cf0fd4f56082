/* recover_scan: see recover_scan.h. */
#include "engine/recover_scan.h"

#include <string.h>

#include "source/wal_reader.h"

/* PostgreSQL's times begin in 2000. */
#define EPOCH_US INT64_C(946684800000000)

enum { POINT_TIME = 8, LAST_FILES_MAX = 256, LSN_FILES = 5 };

struct scanning {
	recover_visit *visit;
	void *arg;
	uint64_t end;
	bool stopped;
};

static bool mark_of(const struct wal_record *r, struct recover_mark *m, struct err *e)
{
	struct wal_xact x;
	uint8_t what = r->info & WAL_INFO_MASK;

	*m = (struct recover_mark){.there = true, .lsn = r->lsn, .end = r->end};
	if (r->rmgr == WAL_RMGR_XACT && wal_xact_of(r, &x, e) == 1 && x.commit) {
		m->time_us = x.time + EPOCH_US;
		m->xid = x.xid;
		return true;
	}
	if (r->rmgr != WAL_RMGR_XLOG || what != WAL_XLOG_RESTORE_POINT || r->main.n <= POINT_TIME)
		return false;
	m->point = true;
	memcpy(&m->time_us, r->main.p, sizeof m->time_us);
	m->time_us += EPOCH_US;
	memcpy(m->name, r->main.p + POINT_TIME,
	    r->main.n - POINT_TIME < sizeof m->name - 1 ? r->main.n - POINT_TIME
							: sizeof m->name - 1);
	return true;
}

static int on_record(void *arg, const struct wal_record *r, struct err *e)
{
	struct scanning *s = arg;
	struct recover_mark m;

	s->end = r->end;
	if (s->visit == NULL || !mark_of(r, &m, e) || s->visit(s->arg, &m) == 0)
		return 0;
	s->stopped = true;
	return err_set(e, ERR_CANCELLED, "found");
}

struct telling {
	recover_record *record;
	void *arg;
	bool failed; /* by the caller's wish, and not by what is read */
};

static int tell_record(void *arg, const struct wal_record *r, struct err *e)
{
	struct telling *t = arg;
	int rc = t->record(t->arg, r, e);

	t->failed |= rc == -1;
	return rc;
}

/* 1 go on, 0 the log ends here or is not to be read further, -1. */
static int feed_file(const struct recover_log *l, struct wal_reader *rd,
    const struct recover_file *f, struct buf *b, struct err *e)
{
	uint64_t have;

	if (ctx_check(l->ctx, e) == -1 ||
	    log_reader_get(l->reader, f->timeline, f->start, f->end, b, &have, e) == -1)
		return -1;
	return wal_reader_feed(rd, buf_span(b), e) == 0;
}

int recover_scan_records(
    const struct recover_log *l, recover_record *record, void *arg, struct err *e)
{
	struct telling t = {record, arg, false};
	struct wal_reader_params p = {
	    .segment = (uint32_t)l->segment, .record = tell_record, .arg = &t};
	struct wal_reader *rd;
	struct buf b = {0};
	int rc = 1;

	if (l->reach->n == 0)
		return 0;
	p.start = l->reach->v[0].start;
	if ((rd = wal_reader_new(&p, e)) == NULL)
		return -1;
	for (size_t i = 0; i < l->reach->n && rc == 1; i++)
		rc = feed_file(l, rd, &l->reach->v[i], &b, e);
	wal_reader_free(rd);
	buf_fini(&b);
	return rc == -1 || t.failed ? -1 : 0;
}

int recover_scan(const struct recover_log *l, size_t from, size_t to, recover_visit *visit,
    void *arg, uint64_t *end, bool *broken, struct err *e)
{
	struct scanning s = {.visit = visit, .arg = arg};
	struct wal_reader_params p = {
	    .segment = (uint32_t)l->segment, .record = on_record, .arg = &s};
	struct wal_reader *rd = NULL;
	struct buf b = {0};
	int rc = 1;

	*end = 0;
	*broken = false;
	if (from >= to)
		return 0;
	p.start = l->reach->v[from].start;
	if ((rd = wal_reader_new(&p, e)) == NULL)
		return -1;
	for (size_t i = from; i < to && rc == 1; i++)
		rc = feed_file(l, rd, &l->reach->v[i], &b, e);
	*broken = rc == 0 && !s.stopped;
	*end = s.end;
	wal_reader_free(rd);
	buf_fini(&b);
	return rc == -1 ? -1 : 0;
}

/* ---- The last commit. */

static int keep_last(void *arg, const struct recover_mark *m)
{
	if (!m->point)
		*(struct recover_mark *)arg = *m;
	return 0;
}

int recover_scan_last(const struct recover_log *l, struct recover_mark *out, struct err *e)
{
	size_t n = l->reach->n;
	uint64_t end;
	bool broken;

	*out = (struct recover_mark){0};
	for (size_t i = 0; i < n && i < LAST_FILES_MAX && !out->there; i++)
		if (recover_scan(l, n - 1 - i, n - i, keep_last, out, &end, &broken, e) == -1)
			return -1;
	return 0;
}

/* ---- A time. */

static int keep_first(void *arg, const struct recover_mark *m)
{
	if (m->point)
		return 0;
	*(struct recover_mark *)arg = *m;
	return 1;
}

struct by_time {
	int64_t time_us;
	struct recover_mark *before, *after;
};

static int look_time(void *arg, const struct recover_mark *m)
{
	struct by_time *t = arg;

	if (m->point)
		return 0;
	*(m->time_us > t->time_us ? t->after : t->before) = *m;
	return m->time_us > t->time_us;
}

int recover_scan_time(const struct recover_log *l, int64_t time_us, struct recover_mark *before,
    struct recover_mark *after, struct err *e)
{
	struct by_time t = {time_us, before, after};
	size_t lo = 0, hi = l->reach->n; /* it lies in lo or later, and not behind hi's beginning */
	uint64_t end;
	bool broken;

	*before = *after = (struct recover_mark){0};
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2, at = mid;
		struct recover_mark first = {0};

		/* A file without a commit is judged by those behind it. */
		while (at < hi && !first.there)
			if (recover_scan(l, at, at + 1, keep_first, &first, &end, &broken, e) == -1)
				return -1;
			else
				at++;
		if (first.there && first.time_us <= time_us)
			lo = at - 1;
		else
			hi = mid;
	}
	return recover_scan(l, lo, l->reach->n, look_time, &t, &end, &broken, e);
}

/* ---- A transaction, a name, a position. */

struct finding {
	const struct recover_target *t;
	struct recover_mark *out;
};

static int look_for(void *arg, const struct recover_mark *m)
{
	struct finding *f = arg;
	bool is = f->t->kind == RECOVER_NAME ? m->point && strcmp(m->name, f->t->name) == 0
					     : !m->point && m->xid == f->t->xid;

	if (is)
		*f->out = *m;
	return is;
}

int recover_scan_find(const struct recover_log *l, const struct recover_target *t,
    struct recover_mark *out, struct err *e)
{
	struct finding f = {t, out};
	uint64_t end;
	bool broken;

	*out = (struct recover_mark){0};
	return recover_scan(l, 0, l->reach->n, look_for, &f, &end, &broken, e);
}

int recover_scan_lsn(
    const struct recover_log *l, uint64_t lsn, bool *there, uint64_t *end, struct err *e)
{
	size_t at = l->reach->n, to = at;
	bool broken;

	*there = false;
	*end = 0;
	/* From the segment before: its last record may be the last of all. */
	while (at > 0 && l->reach->v[at - 1].start > lsn)
		at--;
	at -= at > 0;
	at -= at > 0;
	to = at + LSN_FILES < to ? at + LSN_FILES : to;
	if (recover_scan(l, at, to, NULL, NULL, end, &broken, e) == -1)
		return -1;
	*there = *end > lsn;
	return 0;
}
