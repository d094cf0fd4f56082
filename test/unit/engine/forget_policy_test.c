/* Which snapshots a policy keeps, as a table: "what is there" -> "what is kept". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/calendar.h"
#include "engine/op_forget.h"

enum { MAX = 16 };

struct row {
	const char *what;
	const char *tz;
	struct forget_policy p;
	const char *times[MAX]; /* oldest first; a '+' before: stored long before; '#': tagged */
	const char *kept;       /* one digit a snapshot */
	const char *reason;     /* of the newest kept, or NULL */
};

static const char *const keep_tag[] = {"gold"};
static const int64_t DAY = 86400 * CALENDAR_SECOND;

#define NY "America/New_York"

static struct row rows[] = {
    {"last 2", "UTC0", {.last = 2}, {"2026-01-01", "2026-01-02", "2026-01-03"}, "011",
	"last snapshot 1"},
    {"last of none fewer", "UTC0", {.last = 9}, {"2026-01-01", "2026-01-02"}, "11", NULL},
    {"last unlimited", "UTC0", {.last = -1}, {"2026-01-01", "2026-01-02"}, "11", NULL},
    {"daily keeps the newest of each day", "UTC0", {.daily = 2},
	{"2026-01-01 01:00", "2026-01-02 01:00", "2026-01-02 02:00", "2026-01-03 01:00",
	    "2026-01-03 09:00"},
	"00101", "daily snapshot 2026-01-03"},
    {"days without snapshots use up nothing", "UTC0", {.daily = 3},
	{"2026-01-01", "2026-02-01", "2026-03-01", "2026-11-01"}, "0111", NULL},
    {"the oldest fills what is left", "UTC0", {.daily = 3},
	{"2026-01-01 01:00", "2026-01-01 02:00", "2026-01-02 01:00"}, "111", NULL},
    {"the oldest does not fill what is used up", "UTC0", {.daily = 2},
	{"2026-01-01 01:00", "2026-01-01 02:00", "2026-01-02 01:00"}, "011", NULL},
    {"daily unlimited keeps the oldest", "UTC0", {.daily = -1},
	{"2026-01-01 01:00", "2026-01-01 02:00", "2026-01-01 03:00"}, "101", NULL},
    {"local day, not UTC's", NY, {.daily = 1}, {"2026-01-02T04:30:00Z", "2026-01-02T04:59:00Z"},
	"01", "daily snapshot 2026-01-01"},
    {"hour that comes twice is two hours", NY, {.hourly = 2},
	{"2026-11-01T04:30:00Z", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"}, "011",
	"hourly snapshot 2026-11-01 01:00"},
    {"day of 25 hours is one day", NY, {.daily = 2},
	{"2026-10-31T16:00:00Z", "2026-11-01T04:00:00Z", "2026-11-02T04:59:00Z"}, "101", NULL},
    {"day of 23 hours is one day", NY, {.daily = 2},
	{"2026-03-07T16:00:00Z", "2026-03-08T05:00:00Z", "2026-03-09T03:59:00Z"}, "101", NULL},
    {"ISO week goes over the year's end", "UTC0", {.weekly = 2},
	{"2026-12-27", "2026-12-28", "2026-12-31", "2027-01-03"}, "1001",
	"weekly snapshot 2026-W53"},
    {"first days of January in last year's week", "UTC0", {.weekly = 2},
	{"2020-12-31", "2021-01-03", "2021-01-04"}, "011", "weekly snapshot 2021-W01"},
    {"monthly", "UTC0", {.monthly = 2}, {"2026-01-31", "2026-02-01", "2026-02-28", "2026-03-01"},
	"0011", "monthly snapshot 2026-03"},
    {"same month of other years", "UTC0", {.monthly = 2},
	{"2024-03-01", "2025-03-01", "2026-03-01"}, "011", NULL},
    {"yearly", "UTC0", {.yearly = 2},
	{"2024-12-31 23:59", "2025-01-01", "2025-12-31 23:59", "2026-01-01"}, "0011",
	"yearly snapshot 2026"},
    {"within counts from the newest", "UTC0", {.within_ns = 2 * 86400 * INT64_C(1000000000)},
	{"2026-01-01 11:59", "2026-01-01 12:00", "2026-01-03 12:00"}, "011", "within 2d"},
    {"within months by the calendar", "UTC0", {.within_months = 1},
	{"2026-02-27", "2026-02-28", "2026-03-31"}, "011", "within 1mo"},
    {"within over a year's end", "UTC0", {.within_months = 18, .within_ns = 3600000000000},
	{"2024-07-09 22:00", "2024-07-09 23:00", "2026-01-10"}, "011", "within 1y6mo1h"},
    {"within a month keeps the time of day over a change of clocks", NY, {.within_months = 1},
	{"2026-10-15T15:59:59Z", "2026-10-15T16:00:00Z", "2026-11-15T17:00:00Z"}, "011", NULL},
    {"tags", "UTC0", {.tags = keep_tag, .ntags = 1}, {"#2026-01-01", "2026-01-02"}, "10",
	"tag gold"},
    {"what is dated after its storing uses up nothing", "UTC0", {.last = 1},
	{"2026-01-01", "2026-01-02", "+2027-01-02"}, "011",
	"dated later than it was stored: no rule counts it"},
    {"nor moves it the window", "UTC0", {.within_ns = 86400 * INT64_C(1000000000)},
	{"2026-01-01", "2026-01-02", "+2027-01-02"}, "111", NULL},
    {"reasons add up", "UTC0", {.last = 1, .daily = 1}, {"2026-01-01", "2026-01-02"}, "01",
	"last snapshot 1, daily snapshot 2026-01-02"},
    {"nothing there", "UTC0", {.last = 1}, {NULL}, "", NULL},
};

static void check_row(const struct row *r)
{
	static char *tags[] = {(char *)"gold"};
	struct snapshot s[MAX] = {{.nparts = 0}};
	const struct snapshot *group[MAX];
	struct forget_decision d[MAX];
	size_t n = 0;

	setenv("TZ", r->tz, 1);
	tzset();
	for (; n < MAX && r->times[n] != NULL; n++) {
		const char *text = r->times[n];
		struct calendar_time t;
		struct err e;

		assert_int_equal(
		    calendar_parse_time(text + (*text == '+' || *text == '#'), &t, &e), 0);
		s[n].start_ns = t.ns;
		s[n].stored_ns = *text == '+' ? t.ns - 30 * DAY : t.ns + DAY / 24;
		s[n].tags = tags;
		s[n].ntags = *text == '#';
		group[n] = &s[n];
	}
	forget_decide(&r->p, group, n, d);
	for (size_t i = 0; i < n; i++) {
		if (d[i].keep != (r->kept[i] == '1'))
			fail_msg("%s: snapshot %zu (%s): keep %d, %s", r->what, i, r->times[i],
			    d[i].keep, d[i].reason);
		assert_ptr_equal(d[i].snapshot, group[i]);
		if (!d[i].keep)
			assert_string_equal(d[i].reason, "no rule keeps it");
	}
	for (size_t i = n; r->reason != NULL && i-- > 0;)
		if (d[i].keep) {
			assert_string_equal(d[i].reason, r->reason);
			break;
		}
}

static void policy_keeps_what_its_rules_say(void **state)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check_row(&rows[i]);
}

static void reason_never_overflows(void **state)
{
	struct forget_policy p = {1, 1, 1, 1, 1, 1, DAY, 13, keep_tag, 1};
	char *tags[] = {(char *)"gold"};
	struct snapshot s = {.start_ns = DAY, .stored_ns = DAY, .tags = tags, .ntags = 1};
	const struct snapshot *group[] = {&s};
	struct forget_decision d;

	forget_decide(&p, group, 1, &d);
	assert_true(d.keep);
	assert_true(memchr(d.reason, 0, sizeof d.reason) != NULL);
}

/* ---- A group's rhythm. */

enum { MANY = 400 };

struct flood {
	struct snapshot s[MANY];
	const struct snapshot *v[MANY];
	size_t n;
	uint64_t sequence[2];
};

/* `count` more by client 0 or 1, each so long after the last, of which every `kept`th is there. */
static void come(struct flood *f, unsigned client, size_t count, int64_t every_s, unsigned kept)
{
	int64_t last = f->n ? f->s[f->n - 1].stored_ns : 1000 * DAY;

	for (size_t i = 1; i <= count; i++) {
		f->sequence[client]++;
		if (i % kept)
			continue;
		f->s[f->n] = (struct snapshot){
		    .stored_ns = last + (int64_t)i * every_s * 1000000000,
		    .sequence = f->sequence[client],
		    .client = {(uint8_t)client}};
		f->v[f->n] = &f->s[f->n];
		f->n++;
	}
}

static const struct forget_policy last8 = {.last = 8};

static size_t burst(struct flood *f)
{
	return forget_rhythm(&last8, f->v, f->n).burst;
}

static void a_flood_in_a_group_is_seen(void **state)
{
	enum { DAILY = 86400 };

	for (unsigned client = 0; client < 2; client++) {
		struct flood f = {.n = 0};
		struct forget_rhythm r;

		come(&f, 0, 30, DAILY, 1);
		assert_int_equal(burst(&f), 0);
		come(&f, client, 50, 60, 1);
		r = forget_rhythm(&last8, f.v, f.n);
		assert_int_equal(r.burst, 51); /* with the one before */
		assert_true(r.usual_ns == DAY);
	}
}

static void an_ordinary_group_is_no_flood(void **state)
{
	struct flood f = {.n = 0};

	/* Every quarter of an hour, thinned as rules do: months, days, then all. */
	come(&f, 0, 96 * 30 * 6, 900, 96 * 30);
	come(&f, 0, 96 * 30, 900, 96);
	come(&f, 0, 96, 900, 1);
	assert_int_equal(burst(&f), 0);
	/* A few by hand in one interval. */
	f = (struct flood){.n = 0};
	come(&f, 0, 20, 86400, 1);
	come(&f, 0, 4, 600, 1);
	come(&f, 0, 20, 86400, 1);
	assert_int_equal(burst(&f), 0);
	/* Copied without its times, within a second; then daily. */
	f = (struct flood){.n = 0};
	come(&f, 0, 100, 0, 1);
	come(&f, 0, 30, 86400, 1);
	assert_int_equal(burst(&f), 0);
	/* Too few to have a rhythm. */
	f = (struct flood){.n = 0};
	come(&f, 0, 3, 86400, 1);
	come(&f, 0, 50, 60, 1);
	assert_int_equal(burst(&f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(policy_keeps_what_its_rules_say),
	    cmocka_unit_test(reason_never_overflows),
	    cmocka_unit_test(a_flood_in_a_group_is_seen),
	    cmocka_unit_test(an_ordinary_group_is_no_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
