/* log_fold: stretches that another holds as a part of it (log.h). */
#include <stdlib.h>

#include "base/mem.h"
#include "os/os.h"
#include "repo/log_internal.h"
#include "repo/repo_parity.h"

static const int64_t TURN_NS = 1000000000;

static bool same_place(const struct log_at *a, const struct log_at *b)
{
	return a->kind == b->kind && a->timeline == b->timeline && a->start == b->start &&
	       a->end == b->end;
}

void log_covered(const struct log_at *v, size_t n, int64_t before_ns, const struct log_at **cover)
{
	const struct log_at *longest = NULL;

	for (size_t i = 0; i < n; i++)
		cover[i] = NULL;
	for (size_t i = 0; i < n && v[i].kind == LOG_SEGMENT; i++) {
		const struct log_at *at = &v[i];
		bool old = at->stored_ns <= before_ns;
		bool alone = (i == 0 || !same_place(&v[i - 1], at)) &&
			     (i + 1 == n || !same_place(&v[i + 1], at));

		if (longest != NULL && longest->timeline != at->timeline)
			longest = NULL;
		/* Those that begin there and are shorter come before. */
		for (size_t k = i; alone && old && k > 0 && v[k - 1].start == at->start &&
				   v[k - 1].timeline == at->timeline;
		     k--)
			if (v[k - 1].end < at->end && v[k - 1].stored_ns <= before_ns)
				cover[k - 1] = at;
		if (longest != NULL && at->end <= longest->end && old &&
		    (at->start > longest->start || at->end < longest->end))
			cover[i] = longest;
		if (alone && old && (longest == NULL || at->end > longest->end))
			longest = at;
	}
}

struct log_fold {
	uint8_t stream[LOG_STREAM];
	struct log_at *v;
	const struct log_at **cover;
	size_t n, next;
	struct log_whole *whole;
	bool refused;
	size_t told, untold; /* looked at, and whether they may go could be told or not */
	struct err why;      /* of the first that could not */
};

int log_fold_begin(struct repo *r, const uint8_t stream[LOG_STREAM], int64_t age_ns,
    struct log_fold **out, struct err *e)
{
	struct log_fold *x = mem_zalloc(sizeof *x);
	int64_t now_ns = INT64_MIN, ours_ns = repo_now(r);

	*out = NULL;
	memcpy(x->stream, stream, LOG_STREAM);
	if (log_list(r, stream, &x->v, &x->n, e) == -1) {
		free(x);
		return -1;
	}
	/* By the store's clock it is that at least, unless that was ahead when it was stored. */
	for (size_t i = 0; i < x->n; i++)
		if (x->v[i].stored_ns > now_ns)
			now_ns = x->v[i].stored_ns;
	if (now_ns > ours_ns)
		now_ns = ours_ns;
	x->cover = mem_zalloc((x->n + 1) * sizeof(void *));
	log_covered(x->v, x->n, x->n > 0 ? now_ns - age_ns : 0, x->cover);
	x->whole = log_whole_new();
	*out = x;
	return 0;
}

void log_fold_end(struct log_fold *x)
{
	if (x == NULL)
		return;
	log_whole_free(x->whole);
	free(x->cover);
	free(x->v);
	free(x);
}

/* One that may not be read stays, and keeps no other. */
static int denied(struct log_fold *x, struct err *e)
{
	if (e->kind != ERR_DENIED)
		return -1;
	if (x->untold++ == 0)
		x->why = *e;
	err_clear(e);
	return 0;
}

/* With whatever of it is gone already; a place proves nothing. */
static int fold_one(struct log_fold *x, struct repo *r, size_t i, size_t *gone, struct err *e)
{
	char name[LOG_NAME_MAX];
	bool part;

	if (log_is_part(r, x->stream, &x->v[i], x->cover[i], x->whole, &part, e) == -1)
		return denied(x, e);
	x->told++;
	if (!part)
		return 0;
	if (repo_del_named(r, log_name(name, x->stream, &x->v[i]), e) == -1) {
		x->refused = e->kind == ERR_DENIED;
		return -1;
	}
	++*gone;
	return 0;
}

bool log_fold_refused(const struct log_fold *x)
{
	return x->refused;
}

const struct err *log_fold_denied(const struct log_fold *x, bool *all)
{
	*all = x->untold > 0 && x->told == 0;
	return x->untold > 0 ? &x->why : NULL;
}

int log_fold_some(
    struct log_fold *x, struct repo *r, size_t max, size_t *gone, bool *left, struct err *e)
{
	int64_t end = os_clock()->mono_ns(os_clock()) + TURN_NS;

	*gone = 0;
	for (; x->next < x->n && max > 0; x->next++) {
		if (x->cover[x->next] == NULL)
			continue;
		if (ctx_check(r->ctx, e) == -1 || fold_one(x, r, x->next, gone, e) == -1)
			return -1;
		max = os_clock()->mono_ns(os_clock()) < end ? max - 1 : 0;
	}
	*left = x->next < x->n;
	return 0;
}
