/* calendar_rate: rates in windows of the week. */
#include "unit/unit.h"

#include <time.h>

#include "base/calendar_rate.h"

static bool holds(const char *window, const char *when)
{
	struct calendar_window w;
	struct calendar_time t;
	struct err e = {0};

	assert_int_equal(calendar_parse_window(window, &w, &e), 0);
	assert_int_equal(calendar_parse_time(when, &t, &e), 0);
	return calendar_window_holds(&w, t.ns);
}

/* 2026-11-21 is a saturday. */
static void a_window_has_its_first_minute_and_not_its_last(void **state)
{
	assert_false(holds("mon-fri 08:00-18:00", "2026-11-20 07:59:59"));
	assert_true(holds("mon-fri 08:00-18:00", "2026-11-20 08:00"));
	assert_true(holds("mon-fri 08:00-18:00", "2026-11-20 17:59:59"));
	assert_false(holds("mon-fri 08:00-18:00", "2026-11-20 18:00"));
	assert_false(holds("mon-fri 08:00-18:00", "2026-11-21 12:00"));
	assert_true(holds("Sat,Sun 00:00-24:00", "2026-11-21 23:59"));
	assert_true(holds("sat-mon 00:00-24:00", "2026-11-22 00:00"));
	assert_false(holds("sat-mon 00:00-24:00", "2026-11-24 00:00"));
	assert_true(holds("08:00-18:00", "2026-11-21 12:00"));
}

static void a_window_past_midnight_is_of_the_day_it_began(void **state)
{
	assert_true(holds("fri 22:00-06:00", "2026-11-20 23:00"));
	assert_true(holds("fri 22:00-06:00", "2026-11-21 05:59"));
	assert_false(holds("fri 22:00-06:00", "2026-11-21 06:00"));
	assert_false(holds("fri 22:00-06:00", "2026-11-21 23:00"));
	assert_false(holds("fri 22:00-06:00", "2026-11-20 05:00"));
}

static void windows_go_by_the_local_clock_across_its_changes(void **state)
{
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	assert_true(holds("08:00-18:00", "2026-07-01T06:00:00Z"));
	assert_false(holds("08:00-18:00", "2026-12-01T06:30:00Z"));
	/* 02:30 is there twice on this day. */
	assert_true(holds("02:00-03:00", "2026-10-25T00:30:00Z"));
	assert_true(holds("02:00-03:00", "2026-10-25T01:30:00Z"));
	assert_false(holds("02:00-03:00", "2026-10-25T02:30:00Z"));
	/* And never on this one. */
	assert_false(holds("02:00-03:00", "2026-03-29T00:59:59Z"));
	assert_false(holds("02:00-03:00", "2026-03-29T01:00:00Z"));
	setenv("TZ", "UTC0", 1);
	tzset();
}

static void what_is_no_window_is_refused(void **state)
{
	static const char *const bad[] = {"", "mon", "mon-fri", "mon-fri 8:00-18:00",
	    "xxx 08:00-09:00", "mon- 08:00-09:00", "mon, 08:00-09:00", "08:00", "08:00-",
	    "08:00-25:00", "08:60-09:00", "08:00-08:00", "24:00-06:00", "08:00-09:00 ",
	    "mon08:00-09:00", "mon-fri 08:00-18:00x"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct calendar_window w;
		struct err e = {0};

		if (calendar_parse_window(bad[i], &w, &e) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(e.kind, ERR_USAGE);
		assert_non_null(strstr(e.hint, "mon-fri"));
	}
}

static void the_least_rate_that_holds_counts(void **state)
{
	struct calendar_rate v[2] = {{.rate = 500}, {.rate = 100}};
	struct calendar_rates r = {0, v, 2};
	struct calendar_time t;
	struct err e = {0};

	assert_int_equal(calendar_parse_window("00:00-24:00", &v[0].in, &e), 0);
	assert_int_equal(calendar_parse_window("12:00-13:00", &v[1].in, &e), 0);
	assert_int_equal(calendar_parse_time("2026-11-21 12:30", &t, &e), 0);
	assert_int_equal(calendar_rate_at(&r, t.ns), 100);
	assert_int_equal(calendar_rate_at(&r, t.ns + 3600 * CALENDAR_SECOND), 500);
	r.n = 0;
	assert_int_equal(calendar_rate_at(&r, t.ns), 0);
	r.always = 7;
	assert_int_equal(calendar_rate_at(&r, t.ns), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_window_has_its_first_minute_and_not_its_last),
	    cmocka_unit_test(a_window_past_midnight_is_of_the_day_it_began),
	    cmocka_unit_test(windows_go_by_the_local_clock_across_its_changes),
	    cmocka_unit_test(what_is_no_window_is_refused),
	    cmocka_unit_test(the_least_rate_that_holds_counts),
	};

	setenv("TZ", "UTC0", 1);
	tzset();
	return cmocka_run_group_tests_name("calendar_rate", tests, NULL, NULL);
}
