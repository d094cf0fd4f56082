/* op_log: see op_log.h. */
#include "engine/op_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "source/wal_file.h"

enum { PAGE = 8192, SEGMENT_MIN = 1 << 20, SEGMENT_MAX = 1 << 30 };

void log_view_fini(struct log_view *v)
{
	for (size_t i = 0; i < v->nhistories; i++)
		free(v->histories[i].lines);
	free(v->histories);
	free(v->at);
	free(v->beside);
	free(v->spans);
	free(v->bases);
	memset(v, 0, sizeof *v);
}

/* A key that reads no content does without: then timelines stand for themselves. */
static int read_histories(struct repo *r, struct log_view *v, struct err *e)
{
	struct buf b = {0};
	struct err no;
	int rc = 0;

	if (repo_need(r, true, &no) == -1)
		return 0;
	for (size_t i = 0; rc == 0 && i < v->n; i++) {
		struct log_view_history h = {.timeline = v->at[i].timeline};

		if (v->at[i].kind != LOG_HISTORY)
			continue;
		rc = log_read(r, v->stream, &v->at[i], &b, e);
		if (rc == 0)
			rc = log_history_parse(buf_span(&b), &h.lines, &h.n, e);
		if (rc == 0) {
			v->histories = mem_realloc(v->histories, (v->nhistories + 1) * sizeof h);
			v->histories[v->nhistories++] = h;
		} else if (repo_is_bad(e) || e->kind == ERR_ABSENT) {
			rc = 0; /* verify tells it */
			err_clear(e);
		}
	}
	buf_fini(&b);
	return rc;
}

static const struct log_view_history *history_of(const struct log_view *v, uint32_t timeline)
{
	for (size_t i = 0; i < v->nhistories; i++)
		if (v->histories[i].timeline == timeline)
			return &v->histories[i];
	return NULL;
}

bool log_view_reaches(
    const struct log_view *v, uint32_t timeline, uint64_t from, uint64_t to, uint64_t *missing)
{
	struct log_span *s = mem_alloc((v->nspans + 1) * sizeof *s);
	const struct log_view_history *h = history_of(v, timeline);
	bool ok;

	for (size_t i = 0; i < v->nspans; i++)
		s[i] = v->spans[i].span;
	ok = log_reaches(
	    s, v->nspans, h ? h->lines : NULL, h ? h->n : 0, timeline, from, to, missing);
	free(s);
	return ok;
}

uint64_t log_base_stop(const struct snapshot_part *p)
{
	/* A quote within a text is escaped: so it is a name, and nothing but that is looked for. */
	static const char name[] = "\"segment_size\":";
	const char *at = p->facts ? strstr(p->facts, name) : NULL;
	uint64_t n = at ? strtoull(at + sizeof name - 1, NULL, 10) : 0;

	if (n < SEGMENT_MIN || n > SEGMENT_MAX || (n & (n - 1)) != 0 || p->log_end % n == 0 ||
	    strstr(p->facts, "\"standby\":true") != NULL)
		return p->log_end;
	return p->log_end - p->log_end % n + n;
}

static void take_bases(struct log_view *v, const struct snapshot_list *all)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct snapshot *s = all->v[i];

		for (size_t k = 0; k < s->nparts && !s->is_void; k++) {
			const struct snapshot_part *p = &s->parts[k];

			if (!p->has_log || memcmp(p->stream, v->stream, LOG_STREAM) != 0)
				continue;
			v->bases = mem_realloc(v->bases, (v->nbases + 1) * sizeof *v->bases);
			v->bases[v->nbases++] = (struct log_view_base){.snapshot = s->id,
			    .ended_ns = s->end_ns,
			    .timeline = p->timeline,
			    .start = p->log_start,
			    .end = p->log_end,
			    .stop = log_base_stop(p),
			    .forgotten = s->forgotten};
		}
	}
}

/* The end of the stretch that has the byte before `to`; the start of the one with that at `at`. */
static bool ends_soon(const struct log_view *v, uint32_t timeline, uint64_t to, uint64_t end)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->at[i].kind == LOG_SEGMENT && v->at[i].timeline == timeline &&
		    v->at[i].start < to && v->at[i].end >= end)
			return true;
	return to == end;
}

/* Is what is missing before the i-th nothing but what retention let go between two backups? */
static bool is_between(const struct log_view *v, size_t i)
{
	const struct log_span *before = &v->spans[i - 1].span, *after = &v->spans[i].span;
	bool ended = false, begun = false;

	for (size_t k = 0; k < v->nbases; k++) {
		const struct log_view_base *b = &v->bases[k];

		ended |= b->end <= before->end && b->end > before->start &&
			 (b->stop == before->end ||
			     ends_soon(v, before->timeline, b->end, before->end));
		for (size_t j = 0; j < v->n && !begun; j++)
			begun = v->at[j].kind == LOG_SEGMENT &&
				v->at[j].timeline == after->timeline &&
				v->at[j].start == after->start && b->start >= after->start &&
				b->start < v->at[j].end;
	}
	return ended && begun;
}

static void take_spans(struct log_view *v)
{
	struct log_span *s;

	log_reach(v->at, v->n, &s, &v->nspans);
	v->spans = mem_zalloc((v->nspans + 1) * sizeof *v->spans);
	for (size_t i = 0; i < v->nspans; i++)
		v->spans[i].span = s[i];
	free(s);
	for (size_t i = 0, k = 0; i < v->n && k < v->nspans; i++) {
		if (v->at[i].kind != LOG_SEGMENT)
			continue;
		while (k < v->nspans && (v->spans[k].span.timeline != v->at[i].timeline ||
					    v->at[i].start >= v->spans[k].span.end))
			k++;
		if (k < v->nspans)
			v->spans[k].stored += v->at[i].size;
	}
}

static void judge(struct log_view *v)
{
	for (size_t i = 0; i < v->nspans; i++) {
		if (!v->spans[i].span.gap)
			continue;
		v->spans[i].gap = is_between(v, i) ? LOG_BETWEEN : LOG_GAP;
		v->gaps += v->spans[i].gap == LOG_GAP;
	}
	for (size_t i = 0; i < v->nbases; i++) {
		struct log_view_base *b = &v->bases[i];

		b->whole = log_view_reaches(v, b->timeline, b->start, b->end, &b->missing);
		v->gaps += !b->whole && !b->forgotten;
	}
}

/* The last timeline that goes on from this base. */
static uint32_t last_timeline(const struct log_view *v, const struct log_view_base *b)
{
	uint32_t best = b->timeline;

	for (size_t i = 0; i < v->nhistories; i++) {
		const struct log_view_history *h = &v->histories[i];

		for (size_t k = 0; k < h->n; k++)
			if (h->lines[k].timeline == b->timeline && h->lines[k].end >= b->end &&
			    h->timeline > best)
				best = h->timeline;
	}
	return best;
}

static int64_t stored_at(const struct log_view *v, uint64_t to)
{
	int64_t ns = 0;

	for (size_t i = 0; i < v->n; i++)
		if (v->at[i].kind == LOG_SEGMENT && v->at[i].start < to && v->at[i].end >= to &&
		    v->at[i].stored_ns > ns)
			ns = v->at[i].stored_ns;
	return ns;
}

static void find_window(struct log_view *v)
{
	struct log_view_window *w = &v->window;
	uint64_t ignored;

	for (size_t i = v->nbases; i > 0; i--) {
		const struct log_view_base *b = &v->bases[i - 1];

		if (!b->whole || b->forgotten)
			continue;
		if (!w->any) {
			w->timeline = last_timeline(v, b);
			log_view_reaches(v, w->timeline, b->start, UINT64_MAX, &w->to);
			w->to = w->to < b->end ? b->end : w->to;
			w->to_ns = stored_at(v, w->to);
			w->to_ns = w->to_ns < b->ended_ns ? b->ended_ns : w->to_ns;
			w->from_ns = b->ended_ns;
			w->any = true;
		} else if (log_view_reaches(v, w->timeline, b->start, w->to, &ignored) &&
			   b->ended_ns < w->from_ns) {
			w->from_ns = b->ended_ns;
		}
	}
}

int log_view_make(struct repo *r, const uint8_t stream[LOG_STREAM], const struct snapshot_list *all,
    struct log_view *out, struct err *e)
{
	memset(out, 0, sizeof *out);
	memcpy(out->stream, stream, LOG_STREAM);
	if (log_list(r, stream, &out->at, &out->n, e) == -1)
		return -1;
	out->beside = mem_zalloc((out->n + 1) * sizeof *out->beside);
	if (read_histories(r, out, e) == -1 ||
	    log_beside(r, stream, out->at, out->n, out->beside, e) == -1) {
		log_view_fini(out);
		return -1;
	}
	for (size_t i = 0; i < out->n; i++)
		out->divergences += out->beside[i];
	take_bases(out, all);
	take_spans(out);
	judge(out);
	find_window(out);
	return 0;
}

/* ---- Reading all of it. */

/* Heads of the pages that begin in it. */
static int check_pages(const struct log_at *at, struct span bytes, struct err *e)
{
	uint64_t skip = (PAGE - at->start % PAGE) % PAGE;

	if (at->kind != LOG_SEGMENT || skip >= bytes.n)
		return 0;
	return wal_file_pages(
	    span_of(bytes.p + skip, bytes.n - skip), at->start + skip, PAGE, at->timeline, e);
}

static void tell(struct ctx *ctx, uint32_t timeline, uint64_t from, const char *what)
{
	char where[64];

	snprintf(where, sizeof where, "timeline %u, %X/%X", timeline, (unsigned)(from >> 32),
	    (unsigned)from);
	event_emit(ctx, EVENT_FINDING, span_str(where), "%s", what);
}

struct verifying {
	struct repo *r;
	const struct log_view *v;
	struct ctx *ctx;
	struct log_verify_result *out;
	struct buf now, far; /* bytes of the one at hand, and of the one that went farthest */
	const struct log_at *reached;
	struct log_at *again; /* what there is since something was missing */
	size_t nagain;
};

/* What both have of the timeline is the same; where not, only one of them is ever read. */
static void compare(struct verifying *x, const struct log_at *at, bool known)
{
	const struct log_at *had = x->reached;

	if (at->kind != LOG_SEGMENT)
		return;
	if (had != NULL && had->timeline == at->timeline && had->end > at->start) {
		const uint8_t *a = x->far.p + (at->start - had->start), *b = x->now.p;
		uint64_t n = (at->end < had->end ? at->end : had->end) - at->start, i = 0;

		if (memcmp(a, b, (size_t)n) != 0 && !known) {
			while (a[i] == b[i])
				i++;
			tell(x->ctx, at->timeline, at->start + i,
			    "two stretches differ there: another server wrote one of them");
			x->out->divergences++;
		}
		if (at->end <= had->end)
			return;
	}
	{
		struct buf swap = x->far;

		x->far = x->now;
		x->now = swap;
	}
	x->reached = at;
}

static bool is_listed(const struct verifying *x, const struct log_at *at)
{
	const struct log_at *v = x->again;

	for (size_t i = 0; i < x->nagain; i++)
		if (id_eq(&v[i].object, &at->object))
			return true;
	return false;
}

/* It is in no list any more: pruned, or part of a whole one that came.  1; 0: it is; -1. */
static int went(struct verifying *x, const struct log_at *at, struct err *e)
{
	if (x->again != NULL && !is_listed(x, at))
		return 1;
	free(x->again);
	x->again = NULL;
	x->nagain = 0;
	if (log_list(x->r, x->v->stream, &x->again, &x->nagain, e) == -1)
		return -1;
	return !is_listed(x, at);
}

static int verify_one(struct verifying *x, size_t i, struct err *e)
{
	const struct log_at *at = &x->v->at[i];
	char name[LOG_NAME_MAX];

	log_name(name, x->v->stream, at);
	if (log_read(x->r, x->v->stream, at, &x->now, e) == 0 &&
	    check_pages(at, buf_span(&x->now), e) == 0) {
		x->out->stretches++;
		x->out->bytes += x->now.n;
		if (x->v->beside[i])
			tell(x->ctx, at->timeline, at->start,
			    "other log is kept beside the first there, and never read: another "
			    "server wrote it, or this one was put back");
		compare(x, at, x->v->beside[i]);
		return 0;
	}
	if (!repo_is_bad(e) && e->kind != ERR_ABSENT)
		return -1;
	if (e->kind == ERR_ABSENT) {
		struct err why = *e;
		int rc = went(x, at, e);

		if (rc != 0)
			return rc == 1 ? 0 : -1;
		*e = why;
	}
	event_emit(x->ctx, EVENT_OBJECT_DAMAGED, span_str(name), "%s", e->msg);
	x->out->damaged++;
	err_clear(e);
	return 0;
}

int op_log_verify(struct repo *r, const struct log_view *v, struct ctx *ctx,
    struct log_verify_result *out, struct err *e)
{
	struct verifying x = {.r = r, .v = v, .ctx = ctx, .out = out};
	int rc = repo_need(r, true, e);

	for (size_t i = 0; rc == 0 && i < v->n; i++) {
		rc = ctx_check(ctx, e);
		if (rc == 0)
			rc = verify_one(&x, i, e);
	}
	for (size_t i = 0; rc == 0 && i < v->nspans; i++)
		if (v->spans[i].gap == LOG_GAP)
			tell(ctx, v->spans[i].span.timeline, v->spans[i - 1].span.end,
			    "the log has a gap from there on");
	for (size_t i = 0; rc == 0 && i < v->nbases; i++)
		if (!v->bases[i].whole && !v->bases[i].forgotten)
			tell(ctx, v->bases[i].timeline, v->bases[i].missing,
			    "a base backup needs what is missing from there on");
	out->gaps += v->gaps;
	out->divergences += v->divergences;
	buf_fini(&x.now);
	buf_fini(&x.far);
	free(x.again);
	return rc;
}
