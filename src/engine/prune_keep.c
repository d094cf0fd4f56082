/* prune_keep: see prune_keep.h. */
#include "engine/prune_keep.h"

#include <stdlib.h>

#include "base/mem.h"

/* A timeline that something is there of, and from where on it is needed. */
struct line {
	uint32_t timeline;
	const struct prune_history *history; /* NULL: the first, or not known */
	bool live;
	uint64_t bound;
};

struct keeping {
	const struct prune_keep *k;
	const struct log_at *v;
	size_t n;
	struct line *lines;
	size_t nlines;
};

static void add_line(struct keeping *x, uint32_t timeline)
{
	struct line l = {.timeline = timeline};

	for (size_t i = 0; i < x->nlines; i++)
		if (x->lines[i].timeline == timeline)
			return;
	for (size_t i = 0; i < x->k->nhistories; i++)
		if (x->k->histories[i].timeline == timeline)
			l.history = &x->k->histories[i];
	x->lines = mem_realloc(x->lines, (x->nlines + 1) * sizeof l);
	x->lines[x->nlines++] = l;
}

/* Up to where has the way to a timeline this one?  0: it does not come that way. */
static uint64_t way_ends(const struct line *l, uint32_t timeline)
{
	if (timeline == l->timeline)
		return UINT64_MAX;
	if (l->history == NULL)
		return timeline < l->timeline ? UINT64_MAX : 0;
	for (size_t i = 0; i < l->history->n; i++)
		if (l->history->lines[i].timeline == timeline)
			return l->history->lines[i].end;
	return 0;
}

/* Something of it came after that. */
static bool went_on(const struct keeping *x, uint32_t timeline, int64_t ns)
{
	for (size_t i = 0; i < x->n; i++)
		if (x->v[i].timeline == timeline && x->v[i].stored_ns > ns)
			return true;
	for (size_t i = 0; i < x->k->nbases; i++)
		if (x->k->bases[i].timeline == timeline && x->k->bases[i].ended_ns > ns)
			return true;
	return false;
}

/* Whom we back up was on it by then: that is the server, and no copy that archives as it. */
static bool was_backed_up(const struct keeping *x, uint32_t timeline, int64_t ns)
{
	for (size_t i = 0; i < x->k->nbases; i++)
		if (x->k->bases[i].timeline == timeline && x->k->bases[i].ended_ns <= ns)
			return true;
	return false;
}

/*
 * Nobody was on it any more when the retention began: another began there before, after all of it,
 * and was backed up.  Else that may be a copy, and the server idle: what it wrote before is its
 * present state, and it may go on.
 */
static bool is_over(const struct keeping *x, uint32_t timeline)
{
	for (size_t i = 0; i < x->k->nhistories; i++) {
		const struct prune_history *h = &x->k->histories[i];

		for (size_t j = 0; j < h->n; j++)
			if (h->lines[j].timeline == timeline && h->stored_ns <= x->k->from_ns &&
			    was_backed_up(x, h->timeline, x->k->from_ns) &&
			    !went_on(x, timeline, h->stored_ns))
				return true;
	}
	return false;
}

/* The start of the base that it needs; nothing where it has none. */
static void find_bound(const struct keeping *x, struct line *l)
{
	const struct prune_base *newest = NULL;
	bool sure = l->history != NULL || l->timeline == 1;

	l->bound = UINT64_MAX;
	for (size_t i = 0; i < x->k->nbases; i++) {
		const struct prune_base *b = &x->k->bases[i];

		if (way_ends(l, b->timeline) < b->end)
			continue;
		if (b->start < l->bound)
			l->bound = b->start;
		/* Whether one of another timeline is on the way has to be known. */
		if (x->k->timed && b->ended_ns <= x->k->from_ns &&
		    (sure || b->timeline == l->timeline) &&
		    (newest == NULL || b->ended_ns > newest->ended_ns))
			newest = b;
	}
	if (newest != NULL)
		l->bound = newest->start;
}

static bool is_needed(const struct keeping *x, const struct log_at *at)
{
	if (at->kind == LOG_HISTORY || x->k->nbases == 0)
		return true;
	for (size_t i = 0; i < x->k->nbases; i++)
		if (at->start < x->k->bases[i].end && at->end > x->k->bases[i].start)
			return true;
	for (size_t i = 0; i < x->nlines; i++)
		if (x->lines[i].live && at->end > x->lines[i].bound &&
		    at->start < way_ends(&x->lines[i], at->timeline))
			return true;
	return false;
}

void prune_keep(const struct prune_keep *k, const struct log_at *v, size_t n, bool *needed)
{
	struct keeping x = {.k = k, .v = v, .n = n};

	for (size_t i = 0; i < n; i++)
		add_line(&x, v[i].timeline);
	for (size_t i = 0; i < k->nbases; i++)
		add_line(&x, k->bases[i].timeline);
	for (size_t i = 0; i < x.nlines; i++) {
		x.lines[i].live = !k->timed || !is_over(&x, x.lines[i].timeline);
		find_bound(&x, &x.lines[i]);
	}
	for (size_t i = 0; i < n; i++)
		needed[i] = is_needed(&x, &v[i]);
	free(x.lines);
}
