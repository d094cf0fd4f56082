/* drill_plan: see drill_plan.h. */
#include "catalog/drill_plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Beyond so many only the sum is looked at: the days to come are gone through in n * n each. */
enum { DAY = 86400, FORESEEN = 512, ROUNDS = 2, FAR = 4 };

static bool is_due(const struct drill_point *p, int64_t now_s)
{
	int64_t last = p->tried_s > p->proven_s ? p->tried_s : 0;

	if (p->busy || p->within_s == 0 || (last != 0 && now_s - last < DRILL_PLAN_AGAIN_S) ||
	    (p->lost_s != 0 && now_s - p->lost_s < DRILL_PLAN_LOST_S))
		return false;
	return p->proven_s == 0 || now_s - p->proven_s >= p->within_s - p->within_s / 4;
}

static bool fits(const struct drill_point *p, const struct drill_budget *b)
{
	return b->left_s > 0 && p->cost_s <= b->left_s && (b->disk == 0 || p->bytes <= b->disk);
}

/* When its time is over: what was never proven is late already, the shorter promise first. */
static int64_t until(const struct drill_point *p)
{
	return p->proven_s ? p->proven_s + p->within_s : p->within_s - INT64_MAX / 2;
}

int drill_plan_next(
    const struct drill_point *v, size_t n, const struct drill_budget *b, int64_t now_s)
{
	int found = -1;

	for (size_t i = 0; i < n; i++)
		if (is_due(&v[i], now_s) && fits(&v[i], b) &&
		    (found == -1 || until(&v[i]) < until(&v[found])))
			found = (int)i;
	return found;
}

/* ---- The days to come. */

static struct drill_foresight lacks(enum drill_lack lack, size_t which)
{
	return (struct drill_foresight){lack, lack == DRILL_COVERED ? -1 : (int)which};
}

static int64_t most_days(const struct drill_point *v, size_t n)
{
	int64_t most = 0;

	for (size_t i = 0; i < n; i++)
		most = v[i].within_s > most ? v[i].within_s : most;
	return ROUNDS * ((most + DAY - 1) / DAY + 1);
}

static void drill_all_day(struct drill_point *v, size_t n, struct drill_budget b, int64_t day_s)
{
	int next;

	while ((next = drill_plan_next(v, n, &b, day_s)) != -1) {
		v[next].proven_s = v[next].tried_s = day_s;
		b.left_s -= v[next].cost_s;
	}
}

/* v is ours to change; due: until when each has to be proven at first. */
static struct drill_foresight go_through(struct drill_point *v, size_t n, const int64_t *due,
    const struct drill_budget *b, int64_t now_s)
{
	int64_t days = most_days(v, n);

	for (int64_t day = 0; day < days; day++) {
		int64_t t = now_s + day * DAY;

		for (size_t i = 0; i < n; i++) {
			int64_t until_s = v[i].proven_s + v[i].within_s;

			until_s = v[i].proven_s < now_s && until_s < due[i] ? due[i] : until_s;
			if (v[i].within_s != 0 && !v[i].busy && until_s < t)
				return lacks(DRILL_NO_TIME, i);
		}
		drill_all_day(v, n, *b, t);
	}
	return lacks(DRILL_COVERED, 0);
}

static struct drill_foresight sum_up(
    const struct drill_point *v, size_t n, const struct drill_budget *b)
{
	double a_day = 0;
	size_t longest = 0;

	for (size_t i = 0; i < n; i++) {
		if (v[i].within_s != 0 && !v[i].busy)
			a_day += v[i].cost_s * DAY / (double)v[i].within_s;
		longest = v[i].cost_s > v[longest].cost_s ? i : longest;
	}
	return lacks(a_day > b->left_s ? DRILL_NO_TIME : DRILL_COVERED, longest);
}

enum drill_lack drill_plan_lack(
    const struct drill_point *p, const struct drill_budget *b, int64_t now_s)
{
	int64_t since = p->proven_s ? p->proven_s : p->vain_s;

	if (p->within_s == 0 || p->busy)
		return DRILL_COVERED;
	if (b->disk != 0 && p->bytes > b->disk)
		return DRILL_NO_DISK;
	if (p->cost_s > b->left_s)
		return DRILL_NO_DAY;
	return p->vain_s != 0 && now_s - since > p->within_s / 4 * 5 ? DRILL_NO_LUCK
								     : DRILL_COVERED;
}

struct drill_foresight drill_plan_foresee(
    const struct drill_point *v, size_t n, const struct drill_budget *b, int64_t now_s)
{
	struct drill_foresight found;
	struct drill_point *copy;
	int64_t *due;

	for (size_t i = 0; i < n; i++) {
		enum drill_lack lack = drill_plan_lack(&v[i], b, now_s);

		if (lack != DRILL_COVERED)
			return lacks(lack, i);
	}
	if (n == 0 || n > FORESEEN)
		return n == 0 ? lacks(DRILL_COVERED, 0) : sum_up(v, n, b);
	copy = mem_dup(v, n * sizeof *v);
	due = mem_alloc(n * sizeof *due);
	for (size_t i = 0; i < n; i++)
		due[i] = now_s + (v[i].proven_s ? v[i].within_s / 4 : v[i].within_s);
	found = go_through(copy, n, due, b, now_s);
	free(copy);
	free(due);
	return found;
}

/* ---- What it takes. */

static double of(const json_t *o, const char *name)
{
	return json_number_value(json_object_get(o, name));
}

double drill_plan_expect(const json_t *record, uint64_t bytes, uint64_t log_bytes)
{
	const json_t *m = json_object_get(record, "measured");
	double before = of(m, "bytes"), log_before = of(m, "log_bytes");
	double restore = of(m, "restore_seconds"), start = of(m, "start_seconds");

	if (m == NULL || bytes == 0 || restore + start <= 0)
		return 0;
	if (before > 0)
		restore *= (double)bytes / before;
	if (log_before > 0 && log_bytes > 0)
		start *= (double)log_bytes / log_before;
	return of(m, "fixed_seconds") + restore + start;
}

bool drill_plan_tells_better(const json_t *have, const json_t *older, uint64_t bytes)
{
	double now = of(json_object_get(have, "measured"), "bytes");
	double then = of(json_object_get(older, "measured"), "bytes");

	return have == NULL || (now * FAR < (double)bytes && now * FAR < then);
}
