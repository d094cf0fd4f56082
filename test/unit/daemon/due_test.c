/* due: each thing that is due is begun once, whenever it is asked for. */
#include "unit/unit.h"

#include <stdlib.h>

#include "base/mem.h"
#include "daemon/due.h"

#define WORLD(schedule)                                                                            \
	"repositories: {main: {url: /srv/a}}\n"                                                    \
	"tiers: {gold: {destinations: main, schedule: {" schedule "}, verify: {every: 1d}}}\n"     \
	"systems: {www: {tier: gold, sources: [{files: {paths: /w}}]}}\n"

enum { HOUR = 3600, DAY = 86400 };
static const int64_t from = 1767225600; /* 2026-01-01, a thursday */

struct declared {
	struct world *w;
	struct world_times *t;
};

static struct declared declare(const char *text)
{
	struct declared d;
	struct err e;
	const struct world_system *s;

	if (world_of_text(span_str(text), "f", &d.w, &e) == -1)
		fail_msg("%s", e.msg);
	s = world_system(d.w, "www");
	assert_int_equal(world_times_new(world_tier(d.w, s->tier), s, &d.t, &e), 0);
	return d;
}

static void undeclare(struct declared *d)
{
	world_times_free(d->t);
	world_free(d->w);
}

/* A year, asked for at odd moments: what a direct count finds, and nothing else. */
static void in_a_year_nothing_is_begun_twice_or_left_out(void **state)
{
	static const char *const schedules[] = {
	    WORLD("incremental: \"*/30 * * * *\", timezone: Europe/Berlin"),
	    WORLD("incremental: \"30 2 * * *\", timezone: Europe/Berlin"),
	    WORLD("incremental: \"30 1 * * *\", timezone: America/New_York"),
	    WORLD("incremental: \"0 0 1 * *\", timezone: Australia/Lord_Howe"),
	    WORLD("incremental: 8h, timezone: America/New_York"),
	    WORLD("full: weekly, timezone: Australia/Lord_Howe"),
	};

	/* Less than two of them pass between two looks. */
	static const unsigned step[] = {1700, 40000, 40000, 40000, 20000, 90000};

	(void)state;
	for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++) {
		struct declared d = declare(schedules[i]);
		int64_t now = from, settled = from, expected = from, start;
		uint64_t seed = i + 1;
		enum times_what what;
		struct due due;

		assert_true(world_times_next(d.t, expected, true, &what, &expected, &start));
		while (now < from + 366 * (int64_t)DAY) {
			now += 1 + (int64_t)(unit_rand(&seed) % step[i]);
			if (unit_rand(&seed) % 16 == 0)
				assert_true(due_next(d.t, now) > now);
			if (!due_backup(d.t, settled, now, &due)) {
				assert_true(expected > now);
				continue;
			}
			settled = now;
			assert_int_equal(due.due_s, expected);
			assert_int_equal(due.what, what);
			assert_int_equal(due.late, expected < now - DUE_LATE_S);
			assert_true(
			    world_times_next(d.t, expected, true, &what, &expected, &start));
		}
		undeclare(&d);
	}
}

static void what_was_missed_is_made_good_once_by_the_fullest(void **state)
{
	struct declared d = declare(
	    WORLD("full: \"0 2 * * sun\", incremental: 15m, timezone: UTC"));
	struct due due;

	(void)state;
	/* Down from friday to tuesday: the sunday's full one was missed. */
	assert_true(due_backup(d.t, from + DAY, from + 5 * DAY + 1, &due));
	assert_int_equal(due.what, TIMES_FULL);
	assert_int_equal(due.due_s, from + 3 * DAY + 2 * HOUR);
	assert_true(due.late);
	assert_false(due_backup(d.t, from + 5 * DAY + 1, from + 5 * DAY + 2, &due));
	/* Down for years: the last one, found without counting all of them. */
	assert_true(due_backup(d.t, from - 3000 * (int64_t)DAY, from, &due));
	assert_int_equal(due.what, TIMES_FULL);
	assert_true(due_verify(d.t, from, from + DAY, &due));
	assert_int_equal(due.due_s, from + DAY);
	undeclare(&d);
}

static void what_was_missed_is_passed_over_where_that_is_said(void **state)
{
	struct declared d = declare(WORLD("incremental: daily, timezone: UTC, catch_up: skip"));
	struct due due;

	(void)state;
	assert_false(due_backup(d.t, from - 10 * DAY, from + 12 * HOUR, &due));
	assert_true(due_backup(d.t, from - 10 * DAY, from + 60, &due));
	assert_false(due.late);
	undeclare(&d);
}

static void windows_and_jitter_put_off_the_beginning_only(void **state)
{
	struct declared d = declare(
	    WORLD("incremental: \"0 12 * * *\", timezone: UTC, only: \"22:00-05:00\", jitter: 1h"));
	struct due due;

	(void)state;
	assert_true(due_backup(d.t, from, from + 12 * HOUR, &due));
	assert_int_equal(due.due_s, from + 12 * HOUR);
	assert_true(due.start_s >= from + 22 * HOUR && due.start_s < from + 23 * HOUR);
	undeclare(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(in_a_year_nothing_is_begun_twice_or_left_out),
	    cmocka_unit_test(what_was_missed_is_made_good_once_by_the_fullest),
	    cmocka_unit_test(what_was_missed_is_passed_over_where_that_is_said),
	    cmocka_unit_test(windows_and_jitter_put_off_the_beginning_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
