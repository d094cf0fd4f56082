/* drill_plan: every system and every kind is proven in its time, within what a day may cost. */
#include "unit/unit.h"

#include <string.h>

#include "catalog/drill_plan.h"

enum { DAY = 86400 };
static const int64_t now = 1800000000;

static void what_runs_out_first_is_next_and_what_is_young_waits(void **state)
{
	struct drill_point v[] = {
	    {.system = "a", .kind = "full", .proven_s = now - 20 * DAY, .within_s = 30 * DAY},
	    {.system = "b", .kind = "full", .proven_s = now - 24 * DAY, .within_s = 30 * DAY},
	    {.system = "c", .kind = "full", .proven_s = now - 6 * DAY, .within_s = 7 * DAY},
	    {.system = "d", .kind = "full"},
	};
	struct drill_budget b = {.left_s = 3600};

	(void)state;
	assert_int_equal(drill_plan_next(v, 4, &b, now), 2);
	v[2].proven_s = now;
	assert_int_equal(drill_plan_next(v, 4, &b, now), 1);
	v[1].proven_s = now;
	assert_int_equal(drill_plan_next(v, 4, &b, now), -1);
	v[0].proven_s = 0; /* what was never proven goes first */
	v[2].proven_s = now - 100 * DAY;
	assert_int_equal(drill_plan_next(v, 4, &b, now), 0);
	v[0].busy = true;
	assert_int_equal(drill_plan_next(v, 4, &b, now), 2);
}

static void nothing_is_begun_beyond_the_days_budget_or_the_disk(void **state)
{
	struct drill_point v[] = {
	    {.proven_s = now - 40 * DAY, .within_s = 30 * DAY, .cost_s = 900, .bytes = 1000},
	    {.proven_s = now - 35 * DAY, .within_s = 30 * DAY, .cost_s = 100, .bytes = 10},
	};
	struct drill_budget b = {.left_s = 600};

	(void)state;
	assert_int_equal(drill_plan_next(v, 2, &b, now), 1);
	b.left_s = 1000;
	assert_int_equal(drill_plan_next(v, 2, &b, now), 0);
	b.disk = 100;
	assert_int_equal(drill_plan_next(v, 2, &b, now), 1);
	b.left_s = 0;
	assert_int_equal(drill_plan_next(v, 2, &b, now), -1);
}

static void one_that_failed_is_tried_again_after_a_day(void **state)
{
	struct drill_point v = {
	    .proven_s = now - 40 * DAY, .tried_s = now - DAY / 2, .within_s = 30 * DAY};
	struct drill_budget b = {.left_s = 600};

	(void)state;
	assert_int_equal(drill_plan_next(&v, 1, &b, now), -1);
	assert_int_equal(drill_plan_next(&v, 1, &b, now + DAY), 0);
}

/* A year of days: sixty points within 30 days, an hour a day, each of 20 minutes. */
static void everything_is_proven_within_its_time(void **state)
{
	struct drill_point v[60];
	int64_t t = now;

	(void)state;
	memset(v, 0, sizeof v);
	for (int i = 0; i < 60; i++) {
		v[i].within_s = 30 * DAY;
		v[i].cost_s = 1200;
	}
	for (int day = 0; day < 365; day++, t += DAY) {
		struct drill_budget b = {.left_s = 3600};
		int next;

		while ((next = drill_plan_next(v, 60, &b, t)) != -1) {
			v[next].proven_s = v[next].tried_s = t;
			b.left_s -= v[next].cost_s;
		}
		for (int i = 0; day > 30 && i < 60; i++)
			assert_true(v[i].proven_s != 0 && t - v[i].proven_s <= 30 * DAY);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_runs_out_first_is_next_and_what_is_young_waits),
	    cmocka_unit_test(nothing_is_begun_beyond_the_days_budget_or_the_disk),
	    cmocka_unit_test(one_that_failed_is_tried_again_after_a_day),
	    cmocka_unit_test(everything_is_proven_within_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
