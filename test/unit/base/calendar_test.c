/* calendar: durations, sizes, times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include <string.h>

#include "base/calendar.h"

#define S CALENDAR_SECOND

static void durations_add_up(void **state)
{
	struct calendar_duration d;
	struct err e;

	assert_int_equal(calendar_parse_duration("1y6mo", &d, &e), 0);
	assert_int_equal(d.months, 18);
	assert_int_equal(d.ns, 0);
	assert_int_equal(calendar_parse_duration("1w2d3h4m5s6ms", &d, &e), 0);
	assert_int_equal(d.ns, ((7 + 2) * 86400 + 3 * 3600 + 4 * 60 + 5) * S + 6 * (S / 1000));
	assert_int_equal(d.months, 0);
}

static void malformed_durations_are_usage_errors(void **state)
{
	static const char *const bad[] = {"", "5", "h", "5x", "-1d", "1d ", " 1d", "1.5h", "1d2",
	    "99999999999999999999d", "9223372036854775807d", "999999999y", "5mox", "5 d"};
	struct calendar_duration d;
	struct err e;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		err_clear(&e);
		assert_int_equal(calendar_parse_duration(bad[i], &d, &e), -1);
		assert_int_equal(e.kind, ERR_USAGE);
		assert_true(e.msg[0] != '\0');
	}
}

static void keep_within_refuses_minutes(void **state)
{
	struct calendar_duration d;
	struct err e;

	assert_int_equal(calendar_parse_within("6m", &d, &e), -1);
	assert_non_null(strstr(e.msg, "minutes? write 60s; months? write 1mo"));
	assert_int_equal(calendar_parse_within("6mo", &d, &e), 0);
	assert_int_equal(calendar_parse_within("60s", &d, &e), 0);
	assert_int_equal(calendar_parse_duration("6m", &d, &e), 0);
}

static void sizes_tell_thousands_from_1024(void **state)
{
	static const struct {
		const char *text;
		uint64_t n;
	} good[] = {{"0", 0}, {"17", 17}, {"17B", 17}, {"1kB", 1000}, {"1KB", 1000}, {"1KiB", 1024},
	    {"2K", 2048}, {"5 MB", 5000000}, {"5MiB", 5 << 20}, {"3GiB", UINT64_C(3) << 30},
	    {"3GB", UINT64_C(3000000000)}};
	static const char *const bad[] = {
	    "", "x", "1Q", "1KiBs", "-1", "1 ", "1.5M", "16EiB", "99999999999999999999"};
	struct err e;
	uint64_t n;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_int_equal(calendar_parse_size(good[i].text, &n, &e), 0);
		assert_int_equal(n, good[i].n);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(calendar_parse_size(bad[i], &n, &e), -1);
		assert_int_equal(e.kind, ERR_USAGE);
	}
}

static void times_with_offset_need_no_zone(void **state)
{
	static const struct {
		const char *text;
		int64_t s;
	} good[] = {{"1970-01-01T00:00:00Z", 0}, {"2026-11-21T09:41:07+01:00", 1795250467},
	    {"2026-11-21T08:41:07Z", 1795250467}, {"2026-11-21 08:41:07 +0000", 1795250467},
	    {"2024-02-29T12:00Z", 1709208000}, {"1969-12-31T23:59:59Z", -1}};
	struct calendar_time t;
	struct err e;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_int_equal(calendar_parse_time(good[i].text, &t, &e), 0);
		assert_int_equal(t.ns, good[i].s * S);
		assert_false(t.local);
	}
}

static void times_without_offset_are_local(void **state)
{
	struct calendar_time t;
	struct err e;

	assert_int_equal(calendar_parse_time("2026-11-21 09:41", &t, &e), 0);
	assert_true(t.local);
	assert_int_equal(t.ns, INT64_C(1795250460) * S);
	assert_int_equal(t.span_ns, 60 * S);
	assert_int_equal(calendar_parse_time("2026-07-01", &t, &e), 0);
	assert_int_equal(t.ns, INT64_C(1782856800) * S);
	assert_int_equal(t.span_ns, 86400 * S);
}

static void impossible_times_are_refused(void **state)
{
	static const char *const bad[] = {"", "latest", "2026", "2026-13-01", "2026-02-29",
	    "2026-00-10", "2026-1-1", "2026-11-21T", "2026-11-21T24:00", "2026-11-21T09:60",
	    "2026-11-21T09:41:60", "2026-11-21T09:41Zx", "2026-11-21T09:41+25:00",
	    "2026-11-21 09:41:07.", "2026-11-21 09:41 ", "12345678"};
	struct calendar_time t;
	struct err e;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(calendar_parse_time(bad[i], &t, &e), -1);
		assert_int_equal(e.kind, ERR_USAGE);
	}
}

static void what_is_formatted_is_read_back(void **state)
{
	static const int64_t times[] = {
	    0, -1, 1795250467 * S, 1782856800 * S + 5, S / 2, -3 * S / 2};
	char text[CALENDAR_TEXT];
	struct calendar_time t;
	struct err e;

	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		assert_int_equal(
		    calendar_parse_time(calendar_format_utc(text, times[i]), &t, &e), 0);
		assert_int_equal(t.ns, times[i]);
	}
	assert_string_equal(calendar_format_utc(text, S / 2), "1970-01-01T00:00:00.5Z");
	assert_string_equal(
	    calendar_format_local(text, 1795250467 * S), "2026-11-21 09:41:07 +01:00");
	assert_string_equal(
	    calendar_format_local(text, 1782856800 * S), "2026-07-01 00:00:00 +02:00");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(durations_add_up),
	    cmocka_unit_test(malformed_durations_are_usage_errors),
	    cmocka_unit_test(keep_within_refuses_minutes),
	    cmocka_unit_test(sizes_tell_thousands_from_1024),
	    cmocka_unit_test(times_with_offset_need_no_zone),
	    cmocka_unit_test(times_without_offset_are_local),
	    cmocka_unit_test(impossible_times_are_refused),
	    cmocka_unit_test(what_is_formatted_is_read_back),
	};

	/* Written out: tests don't need tzdata. */
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
