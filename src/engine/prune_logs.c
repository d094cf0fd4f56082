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
#include "engine/prune_keep.h"
#include "repo/log.h"
#include "repo/repo_parity.h"

struct stretch {
	uint8_t stream[LOG_STREAM];
	struct log_at at;
};

struct pruning {
	struct prune *pr;
	struct stretch *v;
	size_t n, cap;
	/* Of the stream at hand: */
	struct prune_base *bases;
	size_t nbases;
	struct prune_history *histories;
	size_t nhistories;
	const char *system; /* NULL: no snapshot names it */
	int64_t keep_ns;    /* its retention; 0: by the oldest backup alone */
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
	x->bases[x->nbases++] = (struct prune_base){
	    p->timeline, p->log_start, p->log_end, s->end_ns};
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

static void find_rule(struct pruning *x)
{
	const struct prune_params *p = x->pr->p;

	x->keep_ns = 0;
	for (size_t i = 0; x->system != NULL && i < p->nlogs; i++)
		if (strcmp(p->logs[i].system, x->system) == 0)
			x->keep_ns = p->logs[i].keep_ns;
}

static void drop_histories(struct pruning *x)
{
	while (x->nhistories > 0)
		free(x->histories[--x->nhistories].lines);
}

/* A key that reads no content does without, and keeps more; so it is with one that is damaged. */
static int read_histories(struct pruning *x, const struct stretch *v, size_t n, struct err *e)
{
	struct repo *r = x->pr->repo;
	struct buf b = {0};
	struct err no;
	int rc = 0;

	drop_histories(x);
	if (repo_need(r, true, &no) == -1)
		return 0;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct prune_history h = {
		    .timeline = v[i].at.timeline, .stored_ns = v[i].at.stored_ns};

		if (v[i].at.kind != LOG_HISTORY)
			continue;
		rc = log_read(r, v[i].stream, &v[i].at, &b, e);
		if (rc == 0)
			rc = log_history_parse(buf_span(&b), &h.lines, &h.n, e);
		if (rc == 0) {
			x->histories = mem_realloc(x->histories, (x->nhistories + 1) * sizeof h);
			x->histories[x->nhistories++] = h;
		} else if (repo_is_bad(e) || e->kind == ERR_ABSENT) {
			err_clear(e);
			rc = 0;
		}
	}
	buf_fini(&b);
	return rc;
}

static bool is_old(const struct pruning *x, const struct log_at *at, int64_t than_ns)
{
	return at->stored_ns <= x->pr->now_ns - than_ns;
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

static void find_needed(const struct pruning *x, const struct log_at *at, size_t n, bool *needed)
{
	const struct prune_keep k = {.bases = x->bases,
	    .nbases = x->nbases,
	    .histories = x->histories,
	    .nhistories = x->nhistories,
	    .timed = x->keep_ns > 0,
	    .from_ns = x->pr->now_ns - x->keep_ns};

	prune_keep(&k, at, n, needed);
}

static int drop_all(struct pruning *x, const struct stretch *v, size_t n,
    const struct log_at *const *cover, const bool *needed, struct err *e)
{
	int64_t age = x->keep_ns > x->pr->grace_ns ? x->keep_ns : x->pr->grace_ns;
	struct log_whole *w = log_whole_new();
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		const char *why = NULL;
		bool part = false;

		/* A place proves nothing: what is there may be another server's, or rotten. */
		if (cover[i] != NULL)
			rc = log_is_part(x->pr->repo, v[i].stream, &v[i].at, cover[i], w, &part, e);
		if (part)
			why = "part of a whole segment of the log";
		else if (!needed[i] && is_old(x, &v[i].at, age))
			why = "log that no retention keeps";
		if (rc == 0 && why != NULL)
			rc = drop(x, &v[i], why, e);
		if (rc == 0)
			rc = ctx_check(x->pr->ctx, e);
	}
	log_whole_free(w);
	return rc;
}

static int prune_stream(struct pruning *x, struct stretch *v, size_t n, struct err *e)
{
	int64_t age = x->pr->grace_ns ? LOG_FOLD_AGE_S * INT64_C(1000000000) : 0;
	const struct log_at **cover;
	struct log_at *at;
	bool *needed;
	int rc;

	if (prune_holds(x->pr, log_stream_domain(x->pr->repo, v->stream)))
		return 0;
	find_bases(x, v->stream);
	find_rule(x);
	if (read_histories(x, v, n, e) == -1)
		return -1;
	at = mem_alloc((n + 1) * sizeof *at);
	for (size_t i = 0; i < n; i++)
		at[i] = v[i].at;
	needed = mem_zalloc(n + 1);
	find_needed(x, at, n, needed);
	cover = mem_zalloc((n + 1) * sizeof(void *));
	log_covered(at, n, x->pr->now_ns - age, cover);
	rc = drop_all(x, v, n, cover, needed, e);
	free(cover);
	free(needed);
	free(at);
	return rc;
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
	drop_histories(&x);
	free(x.histories);
	free(x.bases);
	free(x.v);
	return rc;
}
