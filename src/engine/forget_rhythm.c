/*
 * forget_rhythm: does a group grow as it used to?  Pure (op_forget.h).
 *
 * Who steals a key can add snapshots until rules that count push the older,
 * good ones out.  So a group's own pace is measured: between two snapshots of one
 * client lie (difference of their times) / (difference of their sequence
 * numbers) for each run, however many of them were forgotten in between.
 *
 * Many at once are a flood only if
 *   they do not go on like that: three usual intervals of it are the new pace
 *   (so who goes on as slowly gets through, after so many days of being told);
 *   and they push something out: rules that keep one a day lose nothing by them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/op_forget.h"

enum {
	INTERVALS_MIN = 6, /* fewer before it are no rhythm */
	BURST_MIN =
	    6,       /* some by hand in one interval are nothing unusual; --keep-last 7 is usual */
	SETTLED = 3, /* intervals */
};

/* What a snapshot is to the bursts: the first of one stands for it. */
enum part { ORDINARY, FIRST, FLOOD };

/* Below a minute somebody tries things out, or the repository was copied without its times. */
static const int64_t USUAL_MIN_NS = 60 * INT64_C(1000000000);

/* A snapshot, and its place in the group. */
struct beat {
	const struct snapshot *s;
	size_t at;
};

static int by_stored(const void *a, const void *b)
{
	const struct snapshot *x = ((const struct beat *)a)->s, *y = ((const struct beat *)b)->s;
	int c = (x->stored_ns > y->stored_ns) - (x->stored_ns < y->stored_ns);

	return c ? c : (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

/* Time for each run since the last snapshot of the same client; -1 if there is none. */
static int64_t interval(const struct beat *v, size_t i)
{
	const struct snapshot *s = v[i].s;

	for (size_t j = i; j-- > 0;) {
		const struct snapshot *before = v[j].s;

		if (memcmp(before->client, s->client, FORMAT_UID) != 0)
			continue;
		if (s->sequence <= before->sequence)
			return -1;
		return (s->stored_ns - before->stored_ns) /
		       (int64_t)(s->sequence - before->sequence);
	}
	return -1;
}

/* Keep them in order, so that the median is in the middle. */
static void insert(int64_t *sorted, size_t n, int64_t x)
{
	size_t at = n;

	while (at > 0 && sorted[at - 1] > x)
		at--;
	memmove(sorted + at + 1, sorted + at, (n - at) * sizeof *sorted);
	sorted[at] = x;
}

/* How many from i on were stored within so long? */
static size_t within(const struct beat *v, size_t n, size_t i, int64_t ns)
{
	size_t k = i;

	while (k < n && v[k].s->stored_ns - v[i].s->stored_ns <= ns)
		k++;
	return k - i;
}

/* Does it go on at this pace, or at half of it? */
static bool settled(const struct beat *v, size_t n, size_t i, size_t burst, int64_t usual)
{
	size_t had = burst;

	for (int k = 2; k <= SETTLED; k++) {
		size_t has = within(v, n, i, k * usual);

		if ((has - had) * 2 < burst)
			return false;
		had = has;
	}
	return true;
}

/* Do rules drop what they would keep, were the flood not there? */
static bool pushes_out(const struct forget_policy *p, const struct snapshot *const *group, size_t n,
    const enum part *part)
{
	const struct snapshot **rest = mem_alloc((n + 1) * sizeof *rest);
	struct forget_decision *with = mem_alloc((n + 1) * sizeof *with);
	struct forget_decision *without = mem_alloc((n + 1) * sizeof *without);
	bool any = false;
	size_t m = 0;

	for (size_t i = 0; i < n; i++)
		if (part[i] != FLOOD)
			rest[m++] = group[i];
	forget_decide(p, group, n, with);
	forget_decide(p, rest, m, without);
	for (size_t i = 0, k = 0; i < n; i++) {
		if (part[i] == ORDINARY && without[k].keep && !with[i].keep)
			any = true;
		k += part[i] != FLOOD;
	}
	free(rest);
	free(with);
	free(without);
	return any;
}

static void note_burst(struct forget_rhythm *out, const struct beat *v, size_t i, size_t burst,
    int64_t usual, enum part *part)
{
	if (part[v[i].at] == ORDINARY)
		part[v[i].at] = FIRST;
	for (size_t k = i + 1; k < i + burst; k++)
		part[v[k].at] = FLOOD;
	if (burst > out->burst)
		*out = (struct forget_rhythm){
		    usual, burst, v[i].s->stored_ns, v[i + burst - 1].s->stored_ns};
}

/* The largest burst; and the part of each snapshot in any. */
static struct forget_rhythm find(const struct beat *v, size_t n, enum part *part)
{
	int64_t *sorted = mem_zalloc((n + 1) * sizeof *sorted);
	struct forget_rhythm out = {0};
	size_t known = 0;

	for (size_t i = 0; i < n; i++) {
		int64_t usual = known ? sorted[known / 2] : 0, gap = interval(v, i);
		size_t burst = 0;

		if (known >= INTERVALS_MIN && usual >= USUAL_MIN_NS)
			burst = within(v, n, i, usual);
		if (burst >= BURST_MIN && settled(v, n, i, burst, usual))
			known = 0; /* a new rhythm begins */
		else if (burst >= BURST_MIN)
			note_burst(&out, v, i, burst, usual, part);
		/* A flood is not to pass for the rhythm by its number. */
		if (gap >= 0 && part[v[i].at] != FLOOD)
			insert(sorted, known++, gap);
	}
	free(sorted);
	return out;
}

struct forget_rhythm forget_rhythm(
    const struct forget_policy *p, const struct snapshot *const *group, size_t n)
{
	struct beat *v = mem_zalloc((n + 1) * sizeof *v);
	enum part *part = mem_zalloc((n + 1) * sizeof *part);
	struct forget_rhythm out;

	for (size_t i = 0; i < n; i++)
		v[i] = (struct beat){group[i], i};
	if (n > 1)
		qsort(v, n, sizeof *v, by_stored);
	out = find(v, n, part);
	if (out.burst > 0 && !pushes_out(p, group, n, part))
		out.burst = 0;
	free(v);
	free(part);
	return out;
}
