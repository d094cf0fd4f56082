/* zone: against what the C library makes of the same files. */
#include "unit/unit.h"

#include <stdio.h>
#include <time.h>

#include "base/mem.h"
#include "base/zone.h"

static struct zone *load(const char *name)
{
	static uint8_t bytes[1 << 16];
	char path[256];
	struct err e = {0};
	struct zone *z;
	size_t n;
	FILE *f;

	snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
	f = fopen(path, "rb");
	if (f == NULL)
		fail_msg("%s: not there: install tzdata", path);
	n = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	if (zone_parse(span_of(bytes, n), &z, &e) == -1)
		fail_msg("%s: %s", name, e.msg);
	return z;
}

static void use(const char *name)
{
	char tz[256];

	snprintf(tz, sizeof tz, ":%s", name);
	setenv("TZ", tz, 1);
	tzset();
}

static const char *const names[] = {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
    "America/Sao_Paulo", "Asia/Kolkata", "Africa/Casablanca", "Europe/Dublin", "Pacific/Apia",
    "Antarctica/Troll", "America/Scoresbysund", "UTC", "Asia/Gaza"};

static void offsets_are_those_of_the_c_library_in_any_year(void **state)
{
	srand(42);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct zone *z = load(names[i]);

		use(names[i]);
		for (int k = 0; k < 20000; k++) {
			/* 1902 to 2105 */
			time_t t = (time_t)(-2145916800LL +
					    (((int64_t)rand() << 16 ^ rand()) % 6400000000LL));
			struct tm tm;

			localtime_r(&t, &tm);
			if (zone_offset(z, t) != tm.tm_gmtoff)
				fail_msg("%s at %lld: %lld, not %ld", names[i], (long long)t,
				    (long long)zone_offset(z, t), tm.tm_gmtoff);
		}
		zone_free(z);
	}
	use("UTC");
}

static void each_moment_is_found_again_by_its_clock(void **state)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct zone *z = load(names[i]);

		/* Every seven minutes of 2026, and past the last change that any file lists. */
		for (int64_t base = 1767225600; base < 4e9; base += INT64_C(2000000000))
			for (int64_t t = base; t < base + 366 * 86400; t += 420) {
				int64_t at[2];
				int n = zone_moments(z, zone_local(z, t), at);

				assert_true(n >= 1 && (at[0] == t || (n == 2 && at[1] == t)));
				assert_true(n == 1 || at[0] < at[1]);
			}
		zone_free(z);
	}
}

static int64_t civil(int year, int month, int day, int hour, int minute)
{
	return zone_days(year, month, day) * 86400 + hour * 3600 + minute * 60;
}

static void the_clock_shows_a_time_once_never_or_twice(void **state)
{
	struct zone *z = load("Europe/Berlin");
	int64_t at[2];

	assert_int_equal(zone_moments(z, civil(2026, 3, 29, 1, 59), at), 1);
	assert_int_equal(zone_moments(z, civil(2026, 3, 29, 2, 30), at), 0);
	assert_int_equal(at[0], civil(2026, 3, 29, 1, 0)); /* UTC: the change */
	assert_int_equal(zone_moments(z, civil(2026, 10, 25, 2, 30), at), 2);
	assert_int_equal(at[0], civil(2026, 10, 25, 0, 30));
	assert_int_equal(at[1], civil(2026, 10, 25, 1, 30));
	assert_int_equal(zone_moments(z, civil(2026, 10, 25, 3, 0), at), 1);
	zone_free(z);
	z = load("Pacific/Apia"); /* the 30th of december 2011 never was */
	assert_int_equal(zone_moments(z, civil(2011, 12, 30, 12, 0), at), 0);
	assert_int_equal(at[0], civil(2011, 12, 30, 10, 0));
	zone_free(z);
}

static void dates_and_days_go_back_and_forth(void **state)
{
	for (int64_t d = -800000; d < 800000; d += 7) {
		int64_t y;
		int m, day;

		zone_date(d, &y, &m, &day);
		assert_int_equal(zone_days(y, m, day), d);
	}
	assert_int_equal(zone_days(1970, 1, 1), 0);
	assert_int_equal(zone_days(2000, 3, 1), 11017);
}

static void what_is_damaged_is_refused(void **state)
{
	static const char *const rules[] = {"", "C", "CET", "CET-", "CET-1CEST,M13.1.0,M10.5.0",
	    "CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,M10.5.0x", "<+03-3", "CET-1CEST,J0,J365",
	    "CET99"};
	uint8_t bytes[4096], bad[4096];
	struct zone *z;
	struct err e = {0};
	size_t n;
	FILE *f = fopen("/usr/share/zoneinfo/Europe/Berlin", "rb");

	assert_non_null(f);
	n = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	for (size_t i = 0; i < n; i++) {
		uint8_t *exact = malloc(i ? i : 1); /* for sanitizers */

		memcpy(exact, bytes, i);
		assert_int_equal(zone_parse(span_of(exact, i), &z, &e), -1);
		free(exact);
	}
	for (size_t i = 0; i < n; i++) { /* refused, or some other zone: never a crash */
		memcpy(bad, bytes, n);
		bad[i] ^= 0x81;
		if (zone_parse(span_of(bad, n), &z, &e) == 0) {
			int64_t at[2];

			zone_moments(z, civil(2026, 3, 29, 2, 30), at);
			zone_free(z);
		}
	}
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		if (zone_of_rule(rules[i], &z, &e) == 0)
			fail_msg("'%s' was taken", rules[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(offsets_are_those_of_the_c_library_in_any_year),
	    cmocka_unit_test(each_moment_is_found_again_by_its_clock),
	    cmocka_unit_test(the_clock_shows_a_time_once_never_or_twice),
	    cmocka_unit_test(dates_and_days_go_back_and_forth),
	    cmocka_unit_test(what_is_damaged_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
