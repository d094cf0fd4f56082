/* drill_plan: see drill_plan.h. */
#include "catalog/drill_plan.h"

static bool is_due(const struct drill_point *p, int64_t now_s)
{
	int64_t last = p->tried_s > p->proven_s ? p->tried_s : 0;

	if (p->busy || p->within_s == 0 || (last != 0 && now_s - last < DRILL_PLAN_AGAIN_S))
		return false;
	return p->proven_s == 0 || now_s - p->proven_s >= p->within_s / 4 * 3;
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

static double of(const json_t *o, const char *name)
{
	return json_number_value(json_object_get(o, name));
}

double drill_plan_expect(const json_t *record, uint64_t bytes, uint64_t log_bytes)
{
	const json_t *m = json_object_get(record, "measured");
	double before = of(m, "bytes"), log_before = of(m, "log_bytes");
	double restore = of(m, "restore_seconds"), start = of(m, "start_seconds");

	if (m == NULL || restore + start <= 0)
		return 0;
	if (before > 0)
		restore *= (double)bytes / before;
	if (log_before > 0 && log_bytes > 0)
		start *= (double)log_bytes / log_before;
	return of(m, "fixed_seconds") + restore + start;
}
