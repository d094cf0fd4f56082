/* Which groups are flooded, as a table of runs: so many, so long apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/calendar.h"
#include "base/mem.h"
#include "engine/op_forget.h"

enum { HOUR = 3600, DAY = 24 * HOUR };

struct row {
	const char *what;
	struct forget_policy p;
	struct {
		int n;
		int64_t apart_s;
	} runs[6];
	bool flooded;
};

static const struct row rows[] = {
    {"even", {.last = 7}, {{30, DAY}}, false},
    {"a flood", {.last = 7}, {{12, DAY}, {8, 1}}, true},
    {"a flood, and the usual after it", {.last = 7}, {{12, DAY}, {8, 1}, {3, DAY}}, true},
    {"a flood long past pushes nothing out", {.last = 7}, {{12, DAY}, {8, 1}, {12, DAY}}, false},
    {"a flood of which rules keep one", {.daily = 7}, {{12, DAY}, {20, 60}}, false},
    {"a flood that uses up hours", {.hourly = 24, .daily = 5}, {{30, DAY}, {22, HOUR}}, true},
    {"some by hand", {.last = 7}, {{12, DAY}, {4, HOUR}, {1, DAY}}, false},
    {"daily to hourly, the first day", {.last = 7}, {{12, DAY}, {20, HOUR}}, true},
    {"the same, where rules keep one a day", {.daily = 7}, {{12, DAY}, {20, HOUR}}, false},
    {"the same, with days and weeks", {.last = 3, .daily = 7, .weekly = 4}, {{60, DAY}, {20, HOUR}},
	false},
    {"daily to hourly, after four days", {.last = 7}, {{12, DAY}, {4 * 24, HOUR}}, false},
    {"weekly to daily, after a month", {.last = 7}, {{12, 7 * DAY}, {30, DAY}}, false},
    {"hourly to daily", {.last = 7}, {{100, HOUR}, {12, DAY}}, false},
    {"hourly, daily, and hourly again", {.last = 7}, {{100, HOUR}, {12, DAY}, {4 * 24, HOUR}},
	false},
    {"a new pace does not hide a flood", {.last = 7}, {{12, DAY}, {5 * 24, HOUR}, {30, 1}}, true},
    {"a flood that dwindles is no pace", {.last = 7}, {{12, DAY}, {50, 60}, {14, DAY / 7}}, true},
    {"too few before it", {.last = 7}, {{3, DAY}, {20, 1}}, false},
};

static size_t count(const struct row *r)
{
	size_t n = 0;

	for (size_t i = 0; i < 6; i++)
		n += (size_t)r->runs[i].n;
	return n;
}

static bool is_flooded(const struct row *r)
{
	size_t n = count(r), at = 0;
	struct snapshot *s = mem_zalloc(n * sizeof *s);
	const struct snapshot **group = mem_zalloc(n * sizeof *group);
	int64_t t = 1767225600 * CALENDAR_SECOND;
	bool flooded;

	for (size_t i = 0; i < 6; i++)
		for (int k = 0; k < r->runs[i].n; k++, at++) {
			t += r->runs[i].apart_s * CALENDAR_SECOND;
			s[at].start_ns = s[at].stored_ns = t;
			s[at].sequence = at + 1;
			group[at] = &s[at];
		}
	flooded = forget_rhythm(&r->p, group, n).burst > 0;
	free(s);
	free(group);
	return flooded;
}

static void floods_are_told_from_changes_of_rhythm(void **state)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (is_flooded(&rows[i]) != rows[i].flooded)
			fail_msg("%s: flooded %d", rows[i].what, !rows[i].flooded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(floods_are_told_from_changes_of_rhythm),
	};

	setenv("TZ", "UTC0", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
