/* follow_queue: see follow_queue.h. */
#include "engine/follow_queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum stage { WAITS, UNDER_WAY, STORED };

struct follow_part {
	bool history;
	uint32_t timeline;
	uint64_t start;
	uint64_t got;   /* received up to */
	uint64_t asked; /* small stretches are under way or durable up to */
	uint64_t safe;  /* ... durable up to */
	bool ended;     /* its timeline did, in it */
	enum stage whole;
};

void follow_queue_init(struct follow_queue *q, uint64_t segment, bool synchronous, int64_t every_ns)
{
	*q = (struct follow_queue){
	    .segment = segment, .synchronous = synchronous, .every_ns = every_ns};
}

void follow_queue_fini(struct follow_queue *q)
{
	free(q->v);
	*q = (struct follow_queue){0};
}

static uint64_t begin_of(const struct follow_queue *q, uint64_t lsn)
{
	return lsn & ~(q->segment - 1);
}

static struct follow_part *add(struct follow_queue *q, uint32_t timeline, uint64_t start)
{
	struct follow_part *p;

	if (q->n == q->cap) {
		q->cap = q->cap ? 2 * q->cap : 16;
		q->v = mem_realloc(q->v, q->cap * sizeof *q->v);
	}
	p = &q->v[q->n++];
	*p = (struct follow_part){
	    .timeline = timeline, .start = start, .got = start, .asked = start, .safe = start};
	if (timeline == q->timeline && start < q->lsn)
		p->asked = p->safe = q->lsn < start + q->segment ? q->lsn : start + q->segment;
	return p;
}

void follow_queue_begin(struct follow_queue *q, uint32_t timeline, uint64_t lsn, uint64_t from)
{
	q->n = 0;
	q->small_busy = false;
	q->timeline = q->at_timeline = timeline;
	q->lsn = lsn;
	q->at = from;
}

void follow_queue_got(struct follow_queue *q, uint32_t timeline, uint64_t from, uint64_t to)
{
	uint64_t start = begin_of(q, from);
	struct follow_part *p = q->n ? &q->v[q->n - 1] : NULL;

	if (p == NULL || p->history || p->timeline != timeline || p->start != start)
		p = add(q, timeline, start);
	assert(p->got == from && to <= start + q->segment && !p->ended);
	p->got = to;
	q->at_timeline = timeline;
	q->at = to;
}

void follow_queue_ended(struct follow_queue *q, uint32_t timeline)
{
	struct follow_part *p = q->n ? &q->v[q->n - 1] : NULL;

	if (p == NULL || p->history || p->timeline != timeline)
		return;
	p->ended = true;
	if (p->got == p->start)
		p->whole = STORED; /* there is nothing of it */
}

void follow_queue_history(struct follow_queue *q, uint32_t timeline)
{
	struct follow_part *p = add(q, timeline, 0);

	*p = (struct follow_part){.history = true, .timeline = timeline};
}

/* ---- What is next. */

static uint64_t end_of(const struct follow_queue *q, const struct follow_part *p)
{
	return p->ended ? p->got : p->start + q->segment;
}

static bool complete(const struct follow_queue *q, const struct follow_part *p)
{
	return p->history || p->got == end_of(q, p);
}

static bool whole_now(const struct follow_queue *q, const struct follow_part *p)
{
	if (p->whole != WAITS || !complete(q, p))
		return false;
	return p->history || !q->synchronous || p->asked == p->start || p->safe >= p->got;
}

static bool small_now(
    const struct follow_queue *q, const struct follow_part *p, bool flush, int64_t now_ns)
{
	if (p->history || p->whole != WAITS || p->got <= p->asked || whole_now(q, p))
		return false;
	return q->synchronous || flush || now_ns - q->small_ns >= q->every_ns;
}

static struct follow_job job_of(
    const struct follow_part *p, enum follow_what what, uint64_t start, uint64_t end)
{
	return (struct follow_job){what, p->timeline, p->start, start, end, p->ended};
}

static bool claim_small(struct follow_queue *q, bool flush, int64_t now_ns, struct follow_job *out)
{
	for (size_t i = 0; i < q->n; i++) {
		struct follow_part *p = &q->v[i];

		if (!small_now(q, p, flush, now_ns))
			continue;
		*out = job_of(p, FOLLOW_SMALL, p->asked, p->got);
		p->asked = p->got;
		q->small_busy = true;
		q->small_ns = now_ns;
		return true;
	}
	return false;
}

static bool claim_whole(struct follow_queue *q, struct follow_job *out)
{
	for (size_t i = 0; i < q->n; i++) {
		struct follow_part *p = &q->v[i];

		if (!whole_now(q, p))
			continue;
		*out = job_of(p, p->history ? FOLLOW_HISTORY : FOLLOW_WHOLE, p->start, p->got);
		p->whole = UNDER_WAY;
		return true;
	}
	return false;
}

bool follow_queue_claim(
    struct follow_queue *q, const struct follow_asks *a, int64_t now_ns, struct follow_job *out)
{
	if (a->small && !q->small_busy && claim_small(q, a->flush, now_ns, out))
		return true;
	return a->whole && claim_whole(q, out);
}

static struct follow_part *find(struct follow_queue *q, const struct follow_job *j)
{
	for (size_t i = 0; i < q->n; i++)
		if (q->v[i].timeline == j->timeline && q->v[i].start == j->segment &&
		    q->v[i].history == (j->what == FOLLOW_HISTORY))
			return &q->v[i];
	return NULL;
}

void follow_queue_done(struct follow_queue *q, const struct follow_job *j, bool ok)
{
	struct follow_part *p = find(q, j);

	if (j->what == FOLLOW_SMALL)
		q->small_busy = false;
	if (p == NULL)
		return;
	if (j->what != FOLLOW_SMALL) {
		p->whole = ok ? STORED : WAITS;
		return;
	}
	if (ok)
		p->safe = j->end;
	else
		p->asked = j->start;
}

int64_t follow_queue_next_ns(const struct follow_queue *q)
{
	if (!q->synchronous && !q->small_busy && q->n > 0)
		for (size_t i = 0; i < q->n; i++)
			if (!q->v[i].history && q->v[i].got > q->v[i].asked &&
			    !complete(q, &q->v[i]))
				return q->small_ns + q->every_ns;
	return 0;
}

/* ---- What is safe. */

uint64_t follow_queue_safe(const struct follow_queue *q, uint32_t *timeline)
{
	uint64_t lsn = q->lsn;

	*timeline = q->timeline;
	for (size_t i = 0; i < q->n; i++) {
		const struct follow_part *p = &q->v[i];

		if (p->history) {
			if (p->whole != STORED)
				break;
			continue;
		}
		if (p->whole != STORED && p->safe == p->start)
			break;
		*timeline = p->timeline;
		lsn = p->whole == STORED ? p->got : p->safe;
		if (p->whole != STORED && (p->safe < p->got || !complete(q, p)))
			break;
	}
	return *timeline == q->timeline && lsn < q->lsn ? q->lsn : lsn;
}

bool follow_queue_idle(const struct follow_queue *q)
{
	for (size_t i = 0; i < q->n; i++)
		if (complete(q, &q->v[i]) ? q->v[i].whole != STORED : q->v[i].got > q->v[i].safe)
			return false;
	return true;
}

bool follow_queue_pop(struct follow_queue *q, struct follow_job *out)
{
	struct follow_part p;

	if (q->n == 0 || q->v[0].whole != STORED)
		return false;
	p = q->v[0];
	*out = job_of(&p, p.history ? FOLLOW_HISTORY : FOLLOW_WHOLE, p.start, p.got);
	if (!p.history && (p.timeline != q->timeline || p.got > q->lsn)) {
		q->timeline = p.timeline;
		q->lsn = p.got;
	}
	memmove(q->v, q->v + 1, --q->n * sizeof *q->v);
	return true;
}
