/* drill_plan: every system and every kind is proven in its time, within what a day may cost. */
#include "unit/unit.h"

#include <stdlib.h>
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

/* ---- What will be. */

enum { POINTS = 60 };

/* A year by the plan itself, each day beginning a little later or earlier than the one before. */
static bool all_in_time(struct drill_point *v, size_t n, const struct drill_budget *day)
{
	for (int64_t d = 0, t = now; d < 365; d++, t += DAY - 600 + rand() % 1200) {
		struct drill_budget b = *day;
		int next;

		while ((next = drill_plan_next(v, n, &b, t)) != -1) {
			assert_true(v[next].cost_s <= b.left_s);
			assert_true(b.disk == 0 || v[next].bytes <= b.disk);
			v[next].proven_s = v[next].tried_s = t;
			b.left_s -= v[next].cost_s;
		}
		for (size_t i = 0; i < n; i++)
			if (t - (v[i].proven_s ? v[i].proven_s : now) > v[i].within_s + DAY)
				return false;
	}
	return true;
}

static void what_is_foreseen_is_what_comes(void **state)
{
	const char *seed = getenv("HOLDFAST_TEST_SEED");
	unsigned covered = 0, not = 0;

	(void)state;
	srand(seed ? (unsigned)strtoul(seed, NULL, 10) : 20261122);
	for (int trial = 0; trial < 100; trial++) {
		struct drill_point v[POINTS] = {{0}};
		size_t n = 1 + (size_t)rand() % POINTS;
		struct drill_budget b = {.left_s = 600 + rand() % 7200};
		struct drill_foresight f;

		for (size_t i = 0; i < n; i++) {
			v[i].within_s = (7 + rand() % 40) * DAY;
			v[i].cost_s = 1 + rand() % 600;
			v[i].proven_s = rand() % 3 ? now - rand() % (int)(v[i].within_s / 2) : 0;
		}
		f = drill_plan_foresee(v, n, &b, now);
		covered += f.lack == DRILL_COVERED;
		if (f.lack == DRILL_COVERED) {
			assert_int_equal(f.which, -1);
			assert_true(all_in_time(v, n, &b));
		}
		/* Half of what it takes is never enough. */
		b.left_s = 0;
		for (size_t i = 0; i < n; i++)
			b.left_s += v[i].cost_s * DAY / (double)v[i].within_s / 2;
		f = drill_plan_foresee(v, n, &b, now);
		not += f.lack != DRILL_COVERED;
		assert_true(f.lack != DRILL_COVERED && f.which >= 0 && (size_t)f.which < n);
	}
	assert_true(covered > 20 && not == 100);
}

static void what_cannot_be_proven_is_told_and_why(void **state)
{
	struct drill_point v[] = {
	    {.kind = "full", .within_s = 30 * DAY, .cost_s = 100, .bytes = 1000},
	    {.kind = "pitr", .within_s = 30 * DAY, .cost_s = 900, .bytes = 9000},
	};
	struct drill_budget b = {.left_s = 1000};
	struct drill_foresight f = drill_plan_foresee(v, 2, &b, now);

	(void)state;
	assert_int_equal(f.lack, DRILL_COVERED);
	b.disk = 5000;
	f = drill_plan_foresee(v, 2, &b, now);
	assert_true(f.lack == DRILL_NO_DISK && f.which == 1);
	b = (struct drill_budget){.left_s = 500};
	f = drill_plan_foresee(v, 2, &b, now);
	assert_true(f.lack == DRILL_NO_DAY && f.which == 1);
	v[1].busy = true; /* it is paused */
	assert_int_equal(drill_plan_foresee(v, 2, &b, now).lack, DRILL_COVERED);
	v[1].busy = false;
	v[0].within_s = v[1].within_s = 2 * DAY;
	v[0].cost_s = v[1].cost_s = 900;
	b.left_s = 1000;
	assert_int_equal(drill_plan_foresee(v, 2, &b, now).lack, DRILL_COVERED);
	v[0].within_s = v[1].within_s = DAY;
	assert_int_equal(drill_plan_foresee(v, 2, &b, now).lack, DRILL_NO_TIME);
	/* What was late when the daemon came back is made up for. */
	v[0].within_s = v[1].within_s = 30 * DAY;
	v[0].proven_s = v[1].proven_s = now - 40 * DAY;
	assert_int_equal(drill_plan_foresee(v, 2, &b, now).lack, DRILL_COVERED);
	assert_int_equal(drill_plan_foresee(v, 0, &b, now).lack, DRILL_COVERED);
}

/* Whatever is promised, to go through the days to come has an end. */
static void what_is_proven_now_is_not_due(void **state)
{
	struct drill_budget b = {.left_s = 1000};

	(void)state;
	for (int64_t within = 1; within < 9; within++) {
		struct drill_point v = {
		    .within_s = within, .proven_s = now, .tried_s = now, .kind = "full"};

		assert_int_equal(drill_plan_next(&v, 1, &b, now), -1);
		(void)drill_plan_foresee(&v, 1, &b, now);
	}
}

/* One that is away for good is told, and keeps no other from its turn. */
static void what_is_tried_in_vain_is_told_when_its_time_is_over(void **state)
{
	struct drill_point v[] = {
	    {.kind = "full", .within_s = 8 * DAY, .cost_s = 10, .proven_s = now - 9 * DAY},
	    {.kind = "from=offsite",
		.within_s = 8 * DAY,
		.cost_s = 10,
		.proven_s = now - 12 * DAY,
		.lost_s = now - 60,
		.vain_s = now - 4 * DAY},
	};
	struct drill_budget b = {.left_s = 1000};
	struct drill_foresight f;

	(void)state;
	assert_int_equal(drill_plan_next(v, 2, &b, now), 0);
	f = drill_plan_foresee(v, 2, &b, now);
	assert_true(f.lack == DRILL_NO_LUCK && f.which == 1);
	v[1].proven_s = now - 9 * DAY; /* a quarter more is borne */
	assert_int_equal(drill_plan_foresee(v, 2, &b, now).lack, DRILL_COVERED);
	v[1].proven_s = now - 12 * DAY;
	v[1].vain_s = v[1].lost_s = 0; /* nobody was there to try it */
	assert_int_equal(drill_plan_foresee(v, 2, &b, now).lack, DRILL_COVERED);
	v[1].proven_s = 0; /* never, since it was tried first */
	v[1].vain_s = now - 9 * DAY;
	assert_int_equal(drill_plan_lack(&v[1], &b, now), DRILL_COVERED);
	v[1].vain_s = now - 11 * DAY;
	assert_int_equal(drill_plan_lack(&v[1], &b, now), DRILL_NO_LUCK);
}

static json_t *measured(double bytes)
{
	return json_pack("{s:{s:f, s:f, s:f}}", "measured", "bytes", bytes, "restore_seconds",
	    bytes / 100, "fixed_seconds", 1.0);
}

static void what_was_measured_of_little_says_little_of_much(void **state)
{
	json_t *little = measured(1000), *much = measured(100000), *half = measured(50000);

	(void)state;
	assert_true(drill_plan_tells_better(NULL, little, 100000));
	assert_true(drill_plan_tells_better(little, much, 100000));
	assert_true(drill_plan_tells_better(little, half, 100000));
	assert_false(
	    drill_plan_tells_better(half, much, 100000)); /* the newer one is near enough */
	assert_false(drill_plan_tells_better(much, little, 100000));
	assert_false(drill_plan_tells_better(little, much, 2000)); /* it is small now */
	json_decref(little);
	json_decref(much);
	json_decref(half);
}

static void one_that_could_not_be_tried_is_tried_again_after_some_hours(void **state)
{
	struct drill_point v = {.within_s = 30 * DAY, .lost_s = now - 60};
	struct drill_budget b = {.left_s = 600};

	(void)state;
	assert_int_equal(drill_plan_next(&v, 1, &b, now), -1);
	assert_int_equal(drill_plan_next(&v, 1, &b, now + DRILL_PLAN_LOST_S), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_runs_out_first_is_next_and_what_is_young_waits),
	    cmocka_unit_test(nothing_is_begun_beyond_the_days_budget_or_the_disk),
	    cmocka_unit_test(one_that_failed_is_tried_again_after_a_day),
	    cmocka_unit_test(everything_is_proven_within_its_time),
	    cmocka_unit_test(what_is_foreseen_is_what_comes),
	    cmocka_unit_test(what_cannot_be_proven_is_told_and_why),
	    cmocka_unit_test(what_is_proven_now_is_not_due),
	    cmocka_unit_test(what_is_tried_in_vain_is_told_when_its_time_is_over),
	    cmocka_unit_test(what_was_measured_of_little_says_little_of_much),
	    cmocka_unit_test(one_that_could_not_be_tried_is_tried_again_after_some_hours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
