/* cron: what is due when, also where clocks are set forward and back. */
#include "unit/unit.h"

#include "base/calendar.h"
#include "base/cron.h"

#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"

static struct cron parse(const char *s)
{
	struct cron c;
	struct err e = {0};

	if (cron_parse(s, &c, &e) == -1)
		fail_msg("%s: %s", s, e.msg);
	return c;
}

static int64_t utc(const char *s)
{
	struct calendar_time t;
	struct err e = {0};

	if (calendar_parse_time(s, &t, &e) == -1)
		fail_msg("%s: %s", s, e.msg);
	return t.ns / CALENDAR_SECOND;
}

/* The next so many after `after`, which are given in UTC. */
static void due(
    const char *cron, const char *rule, const char *after, const char *const *want, size_t n)
{
	struct cron c = parse(cron);
	int64_t at = utc(after);
	struct err e = {0};
	struct zone *z;

	assert_int_equal(zone_of_rule(rule, &z, &e), 0);
	for (size_t i = 0; i < n; i++) {
		char text[CALENDAR_TEXT];

		assert_true(cron_next(&c, z, at, &at));
		if (at != utc(want[i]))
			fail_msg("%s: %s, not %s", cron,
			    calendar_format_utc(text, at * CALENDAR_SECOND), want[i]);
	}
	zone_free(z);
}
#define DUE(cron, rule, after, ...)                                                                \
	due(cron, rule, after, (const char *const[]){__VA_ARGS__},                                 \
	    sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void fields_mean_what_they_mean_to_cron(void **state)
{
	DUE("0 2 * * sun", "UTC0", "2026-11-21T00:00Z", "2026-11-22T02:00Z", "2026-11-29T02:00Z");
	DUE("*/15 8-9 * * mon-fri", "UTC0", "2026-11-20T09:31Z", "2026-11-20T09:45Z",
	    "2026-11-23T08:00Z", "2026-11-23T08:15Z");
	DUE("5/20 0 1 jan,Jul *", "UTC0", "2026-11-21T00:00Z", "2027-01-01T00:05Z",
	    "2027-01-01T00:25Z", "2027-01-01T00:45Z", "2027-07-01T00:05Z");
	DUE("0 0 13 * 5", "UTC0", "2026-11-21T00:00Z", "2026-11-27T00:00Z", "2026-12-04T00:00Z",
	    "2026-12-11T00:00Z", "2026-12-13T00:00Z"); /* a friday, or the 13th */
	DUE("0 0 */2 * 5", "UTC0", "2026-11-21T00:00Z", "2026-11-27T00:00Z", "2026-12-11T00:00Z");
	DUE("0 0 * * 7", "UTC0", "2026-11-21T00:00Z", "2026-11-22T00:00Z");
	DUE("0 0 29 2 *", "UTC0", "2026-11-21T00:00Z", "2028-02-29T00:00Z", "2032-02-29T00:00Z");
	DUE("@daily", "UTC0", "2026-11-21T00:00Z", "2026-11-22T00:00Z");
	DUE("@monthly", "UTC0", "2026-11-21T00:00Z", "2026-12-01T00:00Z");
	DUE("59 23 31 12 *", "UTC0", "2026-12-31T23:59Z", "2027-12-31T23:59Z");
}

static void it_goes_by_the_clock_of_its_zone(void **state)
{
	DUE("0 2 * * *", BERLIN, "2026-07-01T00:00Z", "2026-07-02T00:00Z");
	DUE("0 2 * * *", BERLIN, "2026-12-01T00:00Z", "2026-12-01T01:00Z");
	DUE("30 0 * * *", "<+0530>-5:30", "2026-12-01T00:00Z", "2026-12-01T19:00Z");
}

static void what_is_skipped_is_due_once_at_the_change(void **state)
{
	DUE("30 2 * * *", BERLIN, "2026-03-28T12:00Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z");
	/* Two of them at one moment are one. */
	DUE("15,45 2 * * *", BERLIN, "2026-03-28T12:00Z", "2026-03-29T01:00Z", "2026-03-30T00:15Z");
	DUE("*/30 * * * *", BERLIN, "2026-03-29T00:15Z", "2026-03-29T00:30Z", "2026-03-29T01:00Z",
	    "2026-03-29T01:30Z");
}

static void what_is_repeated_is_due_once_unless_every_hour_is(void **state)
{
	DUE("30 2 * * *", BERLIN, "2026-10-24T12:00Z", "2026-10-25T00:30Z", "2026-10-26T01:30Z");
	DUE("*/30 * * * *", BERLIN, "2026-10-25T00:15Z", "2026-10-25T00:30Z", "2026-10-25T01:00Z",
	    "2026-10-25T01:30Z", "2026-10-25T02:00Z");
	DUE("0 */2 * * *", BERLIN, "2026-10-24T23:00Z", "2026-10-25T00:00Z", "2026-10-25T01:00Z",
	    "2026-10-25T03:00Z");
}

static void changes_at_midnight_lose_no_day(void **state)
{
	/* Forward at 00:00 and back to 23:00. */
	const char *rule = "XXX3YYY,M10.3.0/0,M2.3.0/0";

	DUE("0 0 * * *", rule, "2026-10-17T12:00Z", "2026-10-18T03:00Z", "2026-10-19T02:00Z");
	DUE("30 23 * * *", rule, "2026-02-14T12:00Z", "2026-02-15T01:30Z", "2026-02-16T02:30Z");
	DUE("*/30 * * * *", rule, "2026-02-15T01:15Z", "2026-02-15T01:30Z", "2026-02-15T02:00Z",
	    "2026-02-15T02:30Z", "2026-02-15T03:00Z", "2026-02-15T03:30Z");
}

static void what_never_comes_is_told(void **state)
{
	struct cron c = parse("0 0 30 2 *");
	struct zone *z;
	struct err e = {0};
	int64_t at;

	assert_int_equal(zone_of_rule("UTC0", &z, &e), 0);
	assert_false(cron_next(&c, z, 0, &at));
	zone_free(z);
}

static void each_mistake_has_its_own_message(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
	    {"", "0 of 5 fields"},
	    {"0 2 * *", "4 of 5"},
	    {"0 2 * * * *", "more than 5"},
	    {"60 * * * *", "the minute"},
	    {"* 24 * * *", "the hour"},
	    {"* * 0 * *", "the day"},
	    {"* * * 13 *", "the month"},
	    {"* * * * 8", "the weekday"},
	    {"* * * * fun", "the weekday"},
	    {"5-1 * * * *", "the minute"},
	    {"*/0 * * * *", "the minute"},
	    {"1,,2 * * * *", "the minute"},
	    {"1- * * * *", "the minute"},
	    {"-1 * * * *", "the minute"},
	    {"@reboot", "there is no"},
	    {"99999999999999999999 * * * *", "the minute"},
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct cron c;
		struct err e = {0};

		if (cron_parse(bad[i].text, &c, &e) == 0)
			fail_msg("'%s' was taken", bad[i].text);
		assert_int_equal(e.kind, ERR_USAGE);
		if (strstr(e.msg, bad[i].says) == NULL)
			fail_msg("'%s': %s", bad[i].text, e.msg);
		assert_true(e.hint[0] != '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields_mean_what_they_mean_to_cron),
	    cmocka_unit_test(it_goes_by_the_clock_of_its_zone),
	    cmocka_unit_test(what_is_skipped_is_due_once_at_the_change),
	    cmocka_unit_test(what_is_repeated_is_due_once_unless_every_hour_is),
	    cmocka_unit_test(changes_at_midnight_lose_no_day),
	    cmocka_unit_test(what_never_comes_is_told),
	    cmocka_unit_test(each_mistake_has_its_own_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
