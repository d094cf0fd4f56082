/*
 * forget_rhythm: does a group grow as it used to?  Pure (op_forget.h).
 *
 * Who steals a key can add snapshots until rules that count push the older,
 * good ones out.  So a group's own pace is measured: between two snapshots of one
 * client lie (difference of their times) / (difference of their sequence
 * numbers) for each run, however many of them were forgotten in between.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/op_forget.h"

enum {
	INTERVALS_MIN = 6, /* fewer before it are no rhythm */
	BURST_MIN =
	    6, /* some by hand in one interval are nothing unusual; --keep-last 7 is usual */
};

/* Below a minute somebody tries things out, or the repository was copied without its times. */
static const int64_t USUAL_MIN_NS = 60 * INT64_C(1000000000);

static int by_stored(const void *a, const void *b)
{
	const struct snapshot *x = *(const struct snapshot *const *)a;
	const struct snapshot *y = *(const struct snapshot *const *)b;
	int c = (x->stored_ns > y->stored_ns) - (x->stored_ns < y->stored_ns);

	return c ? c : (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

/* Time for each run since the last snapshot of the same client; -1 if there is none. */
static int64_t interval(const struct snapshot *const *v, size_t i)
{
	for (size_t j = i; j-- > 0;) {
		if (memcmp(v[j]->client, v[i]->client, FORMAT_UID) != 0)
			continue;
		if (v[i]->sequence <= v[j]->sequence)
			return -1;
		return (v[i]->stored_ns - v[j]->stored_ns) /
		       (int64_t)(v[i]->sequence - v[j]->sequence);
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
static size_t within(const struct snapshot *const *v, size_t n, size_t i, int64_t ns)
{
	size_t k = i;

	while (k < n && v[k]->stored_ns - v[i]->stored_ns <= ns)
		k++;
	return k - i;
}

struct forget_rhythm forget_rhythm(const struct snapshot *const *group, size_t n)
{
	const struct snapshot **v = mem_zalloc((n + 1) * sizeof *v);
	int64_t *sorted = mem_zalloc((n + 1) * sizeof *sorted);
	struct forget_rhythm out = {0};
	size_t known = 0;

	for (size_t i = 0; i < n; i++)
		v[i] = group[i];
	if (n > 1)
		qsort(v, n, sizeof *v, by_stored);
	for (size_t i = 0; i < n; i++) {
		int64_t usual = known ? sorted[known / 2] : 0, gap = interval(v, i);
		size_t burst;

		if (known >= INTERVALS_MIN && usual >= USUAL_MIN_NS &&
		    (burst = within(v, n, i, usual)) >= BURST_MIN && burst > out.burst)
			out = (struct forget_rhythm){
			    usual, burst, v[i]->stored_ns, v[i + burst - 1]->stored_ns};
		if (gap >= 0)
			insert(sorted, known++, gap);
	}
	free(v);
	free(sorted);
	return out;
}
