/*
 * prune_logs: see prune_internal.h.  Stretches of logs are in no index and no mark: heads of
 * snapshots say what they need, and retention what is kept besides.
 *
 * A snapshot that cannot be read has stopped prune before this, or holds its domain.
 * What is younger than the grace stays: a backup at work has put it, whose snapshot is to come.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/prune_internal.h"
#include "repo/log.h"
#include "repo/repo_parity.h"

enum { COVERED_AGE_S = 3600 }; /* who lists before, and reads after, has come to an end */

struct stretch {
	uint8_t stream[LOG_STREAM];
	struct log_at at;
	bool covered;
};

struct needed {
	uint64_t start, end;
	int64_t ended_ns;
};

struct pruning {
	struct prune *pr;
	struct stretch *v;
	size_t n, cap;
	/* Of the stream at hand: */
	struct needed *bases;
	size_t nbases;
	const char *system; /* NULL: no snapshot names it */
	int64_t keep_ns;    /* its retention; 0: by the oldest backup alone */
	uint64_t bound;     /* what ends after it stays */
};

static int take(void *arg, const uint8_t stream[LOG_STREAM], const struct log_at *at, struct err *e)
{
	struct pruning *x = arg;

	(void)e;
	if (x->n == x->cap) {
		x->cap = x->cap ? 2 * x->cap : 256;
		x->v = mem_realloc(x->v, x->cap * sizeof *x->v);
	}
	x->v[x->n] = (struct stretch){.at = *at};
	memcpy(x->v[x->n++].stream, stream, LOG_STREAM);
	return 0;
}

static int by_place(const void *pa, const void *pb)
{
	const struct stretch *a = pa, *b = pb;
	int c = memcmp(a->stream, b->stream, LOG_STREAM);

	return c ? c : log_at_cmp(&a->at, &b->at);
}

static void take_base(struct pruning *x, const struct snapshot *s, const struct snapshot_part *p)
{
	x->bases = mem_realloc(x->bases, (x->nbases + 1) * sizeof *x->bases);
	x->bases[x->nbases++] = (struct needed){p->log_start, p->log_end, s->end_ns};
	if (s->system != NULL)
		x->system = s->system;
}

static void find_bases(struct pruning *x, const uint8_t stream[LOG_STREAM])
{
	const struct snapshot_list *all = &x->pr->snapshots;

	x->nbases = 0;
	x->system = NULL;
	for (size_t i = 0; i < all->n; i++)
		for (size_t k = 0; k < all->v[i]->nparts; k++) {
			const struct snapshot_part *p = &all->v[i]->parts[k];

			if (p->has_log && memcmp(p->stream, stream, LOG_STREAM) == 0 &&
			    !snapshot_goes(all->v[i], x->pr->now_ns))
				take_base(x, all->v[i], p);
		}
}

/*
 * To bring it back to any moment of the last so many hours, the backup next before them is needed
 * and all that comes after its beginning; without such a rule, the oldest.
 */
static void find_bound(struct pruning *x)
{
	const struct prune_params *p = x->pr->p;
	const struct needed *next = NULL;
	uint64_t oldest = UINT64_MAX;

	x->keep_ns = 0;
	for (size_t i = 0; x->system != NULL && i < p->nlogs; i++)
		if (strcmp(p->logs[i].system, x->system) == 0)
			x->keep_ns = p->logs[i].keep_ns;
	for (size_t i = 0; i < x->nbases; i++) {
		const struct needed *b = &x->bases[i];

		if (b->start < oldest)
			oldest = b->start;
		if (b->ended_ns <= x->pr->now_ns - x->keep_ns &&
		    (next == NULL || b->ended_ns > next->ended_ns))
			next = b;
	}
	/* Nobody can use a log without a backup; but one may be on its way. */
	x->bound = x->nbases == 0 ? 0 : x->keep_ns > 0 && next != NULL ? next->start : oldest;
}

static bool is_needed(const struct pruning *x, const struct log_at *at)
{
	if (at->kind == LOG_HISTORY || at->end > x->bound)
		return true;
	for (size_t i = 0; i < x->nbases; i++)
		if (at->start < x->bases[i].end && at->end > x->bases[i].start)
			return true;
	return false;
}

static bool is_old(const struct pruning *x, const struct log_at *at, int64_t than_ns)
{
	return at->stored_ns <= x->pr->now_ns - than_ns;
}

/* Which are part of another, that is the only one at its place?  They are in order. */
static void find_covered(struct pruning *x, struct stretch *v, size_t n)
{
	int64_t age = x->pr->grace_ns ? COVERED_AGE_S * INT64_C(1000000000) : 0;
	const struct log_at *longest = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct log_at *at = &v[i].at;
		bool alone = (i == 0 || v[i - 1].at.start != at->start ||
				 v[i - 1].at.end != at->end || v[i - 1].at.kind != at->kind) &&
			     (i + 1 == n || v[i + 1].at.start != at->start ||
				 v[i + 1].at.end != at->end || v[i + 1].at.kind != at->kind);

		if (at->kind != LOG_SEGMENT)
			break;
		if (longest != NULL && longest->timeline != at->timeline)
			longest = NULL;
		/* Those that begin there and are shorter come before. */
		for (size_t k = i;
		     alone && is_old(x, at, age) && k > 0 && v[k - 1].at.start == at->start &&
		     v[k - 1].at.timeline == at->timeline;
		     k--)
			v[k - 1].covered = is_old(x, &v[k - 1].at, age);
		v[i].covered = longest != NULL && at->end <= longest->end &&
			       (at->start > longest->start || at->end < longest->end) &&
			       is_old(x, at, age);
		if (alone && is_old(x, at, age) && (longest == NULL || at->end > longest->end))
			longest = at;
	}
}

static int drop(struct pruning *x, const struct stretch *s, const char *why, struct err *e)
{
	struct prune *pr = x->pr;
	struct prune_item it = {.action = PRUNE_DELETE, .size = s->at.size};

	log_name(it.object, s->stream, &s->at);
	pr->out->logs_deleted++;
	pr->out->log_bytes_deleted += s->at.size;
	if (pr->p->dry_run) {
		snprintf(it.why, sizeof it.why, "%s", why);
		it.due_ns = pr->now_ns;
		return pr->p->item ? pr->p->item(pr->p->item_arg, &it, e) : 0;
	}
	if (repo_del_named(pr->repo, it.object, e) == -1)
		return -1;
	event_emit(pr->ctx, EVENT_OBJECT_REMOVED, span_str(it.object), "%s", why);
	return 0;
}

static int prune_stream(struct pruning *x, struct stretch *v, size_t n, struct err *e)
{
	int64_t age;

	if (prune_holds(x->pr, log_stream_domain(x->pr->repo, v->stream)))
		return 0;
	find_bases(x, v->stream);
	find_bound(x);
	find_covered(x, v, n);
	age = x->keep_ns > x->pr->grace_ns ? x->keep_ns : x->pr->grace_ns;
	for (size_t i = 0; i < n; i++) {
		const char *why = v[i].covered ? "part of a whole segment of the log"
				  : !is_needed(x, &v[i].at) && is_old(x, &v[i].at, age)
				      ? "log that no retention keeps"
				      : NULL;

		if (why != NULL && (drop(x, &v[i], why, e) == -1 || ctx_check(x->pr->ctx, e) == -1))
			return -1;
	}
	return 0;
}

int prune_logs(struct prune *pr, struct err *e)
{
	struct pruning x = {.pr = pr};
	int rc = log_each(pr->repo, take, &x, e);
	if (rc == 0 && x.n > 1)
		qsort(x.v, x.n, sizeof *x.v, by_place);
	for (size_t i = 0, k; rc == 0 && i < x.n; i = k) {
		for (k = i + 1; k < x.n && memcmp(x.v[k].stream, x.v[i].stream, LOG_STREAM) == 0;)
			k++;
		rc = prune_stream(&x, x.v + i, k - i, e);
	}
	free(x.bases);
	free(x.v);
	return rc;
}
