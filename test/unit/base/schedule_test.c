/* schedule: intervals, words, jitter and windows, by the clock of a zone. */
#include "unit/unit.h"

#include "base/calendar.h"
#include "base/schedule.h"

#define BERLIN  "CET-1CEST,M3.5.0,M10.5.0/3"
#define KOLKATA "<+0530>-5:30"

static struct zone *zone;

static struct schedule make(const char *text, const char *rule)
{
	struct schedule s = {0};
	struct err e = {0};

	zone_free(zone);
	assert_int_equal(zone_of_rule(rule, &zone, &e), 0);
	if (schedule_parse(text, &s, &e) == -1)
		fail_msg("%s: %s", text, e.msg);
	s.zone = zone;
	return s;
}

static int64_t utc(const char *s)
{
	struct calendar_time t;
	struct err e = {0};

	if (calendar_parse_time(s, &t, &e) == -1)
		fail_msg("%s: %s", s, e.msg);
	return t.ns / CALENDAR_SECOND;
}

static void due(
    const char *text, const char *rule, const char *after, const char *const *want, size_t n)
{
	struct schedule s = make(text, rule);
	int64_t at = utc(after);

	for (size_t i = 0; i < n; i++) {
		char got[CALENDAR_TEXT];

		assert_true(schedule_next(&s, at, &at));
		if (at != utc(want[i]))
			fail_msg("%s: %s, not %s", text,
			    calendar_format_utc(got, at * CALENDAR_SECOND), want[i]);
	}
}
#define DUE(text, rule, after, ...)                                                                \
	due(text, rule, after, (const char *const[]){__VA_ARGS__},                                 \
	    sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void intervals_go_by_the_clock_that_fits_them(void **state)
{
	DUE("15m", BERLIN, "2026-11-21T09:41:07Z", "2026-11-21T09:45Z", "2026-11-21T10:00Z");
	DUE("3600000ms", KOLKATA, "2026-11-21T09:00Z", "2026-11-21T09:30Z", "2026-11-21T10:30Z");
	/* Less than a day: as long across a change of the clock. */
	DUE("6h", BERLIN, "2026-10-24T21:00Z", "2026-10-24T23:00Z", "2026-10-25T05:00Z",
	    "2026-10-25T11:00Z");
	/* A day: at midnight, be it 23 or 25 hours. */
	DUE("1d", BERLIN, "2026-10-24T12:00Z", "2026-10-24T22:00Z", "2026-10-25T23:00Z");
	DUE("1d", BERLIN, "2026-03-28T12:00Z", "2026-03-28T23:00Z", "2026-03-29T22:00Z");
	DUE("1w", BERLIN, "2026-11-21T00:00Z", "2026-11-22T23:00Z", "2026-11-29T23:00Z");
	DUE("2d", "UTC0", "1970-01-05T00:00Z", "1970-01-07T00:00Z");
	DUE("1mo", BERLIN, "2026-11-21T00:00Z", "2026-11-30T23:00Z", "2026-12-31T23:00Z");
	DUE("3mo", "UTC0", "2026-11-21T00:00Z", "2027-01-01T00:00Z", "2027-04-01T00:00Z");
	DUE("1y", "UTC0", "2026-01-01T00:00Z", "2027-01-01T00:00Z");
	DUE("1d", "UTC0", "1969-12-30T12:00Z", "1969-12-31T00:00Z");
}

static void words_and_fields_are_cron_s(void **state)
{
	DUE("daily", BERLIN, "2026-11-21T00:00Z", "2026-11-21T23:00Z");
	DUE("Weekly", "UTC0", "2026-11-21T00:00Z", "2026-11-22T00:00Z");
	DUE("@hourly", "UTC0", "2026-11-21T00:30Z", "2026-11-21T01:00Z");
	DUE("0 2 * * sun", "UTC0", "2026-11-21T00:00Z", "2026-11-22T02:00Z");
}

static void jitter_is_of_whom_and_when_and_never_more_than_it_says(void **state)
{
	struct schedule s = make("1h", "UTC0");
	int64_t first, again, other, most = 0;

	s.jitter_s = 600;
	for (int64_t t = 0; t < 500 * 3600; t += 3600) {
		assert_true(schedule_start(&s, t, &first) && schedule_start(&s, t, &again));
		assert_true(first == again && first >= t && first < t + 600);
		most = first - t > most ? first - t : most;
	}
	assert_true(most > 500);
	s.seed = 1;
	assert_true(schedule_start(&s, 0, &first));
	s.seed = 2;
	assert_true(schedule_start(&s, 0, &other) && first != other);
}

static void what_is_due_waits_for_its_window(void **state)
{
	struct calendar_window night, freeze;
	struct schedule s = make("1h", BERLIN);
	struct err e = {0};
	int64_t at;

	assert_int_equal(calendar_parse_window("22:00-06:00", &night, &e), 0);
	assert_int_equal(calendar_parse_window("sat 23:00-24:00", &freeze, &e), 0);
	s.only = &night;
	s.nonly = 1;
	assert_true(schedule_start(&s, utc("2026-11-20T12:00Z"), &at));
	assert_int_equal(at, utc("2026-11-20T21:00Z")); /* 22:00 in Berlin */
	assert_true(schedule_start(&s, utc("2026-11-20T23:17:03Z"), &at));
	assert_int_equal(at, utc("2026-11-20T23:17:03Z"));
	s.never = &freeze;
	s.nnever = 1;
	assert_true(schedule_start(&s, utc("2026-11-21T22:30Z"), &at));
	assert_int_equal(at, utc("2026-11-21T23:00Z"));
	s.never = &night;
	assert_false(schedule_start(&s, utc("2026-11-21T22:30Z"), &at));
}

static void what_is_no_schedule_is_refused(void **state)
{
	static const char *const bad[] = {"", "often", "0", "500ms", "1500ms", "1mo1d", "36h",
	    "-5m", "0 2 * *", "@never", "* * * * * *", "5"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct schedule s = {0};
		struct err e = {0};

		if (schedule_parse(bad[i], &s, &e) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(e.kind, ERR_USAGE);
		assert_true(e.hint[0] != '\0');
	}
}

static int fini(void **state)
{
	zone_free(zone);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(intervals_go_by_the_clock_that_fits_them),
	    cmocka_unit_test(words_and_fields_are_cron_s),
	    cmocka_unit_test(jitter_is_of_whom_and_when_and_never_more_than_it_says),
	    cmocka_unit_test(what_is_due_waits_for_its_window),
	    cmocka_unit_test(what_is_no_schedule_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, fini);
}
