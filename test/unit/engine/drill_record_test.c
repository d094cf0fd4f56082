/* drill_record: what a drill is held against, and what its record says. */
#include "unit/engine/engine_unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "engine/drill_internal.h"
#include "os/os.h"

enum { DAY = 86400 };

static int64_t day(int n)
{
	return (INT64_C(1800000000) + n * DAY) * CALENDAR_SECOND;
}

static json_t *proven(const char *id, const char *verdict, int point, int snapshot)
{
	char a[CALENDAR_TEXT], b[CALENDAR_TEXT];

	return json_pack("{s:s, s:s, s:s, s:s, s:{s:{s:i}}}", "id", id, "verdict", verdict, "point",
	    calendar_format_utc(a, day(point)), "snapshot_time",
	    calendar_format_utc(b, day(snapshot)), "facts", "files", "files", 40);
}

/* Against the newest at its point or before: an older one rightly has less than a newer one. */
static void an_older_point_is_not_held_against_a_newer_one(void **state)
{
	json_t *records[] = {/* the newest first */
	    proven("of-tomorrow", "passed", 9, 9), proven("oldest-again", "passed", 1, 1),
	    proven("newest", "missed", 5, 5), proven("failed", "failed", 5, 5),
	    proven("same-point", "passed", 5, 5), proven("middle", "passed", 3, 3),
	    proven("files-later", "passed", 2, 6), proven("oldest", "passed", 1, 1)};
	static const struct {
		int point;
		const char *then;
	} v[] = {{0, NULL}, {1, "oldest-again"}, {2, "oldest-again"}, {4, "middle"}, {5, "newest"},
	    {8, "newest"}};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct snapshot at = {.start_ns = day(v[i].point)};
		struct drill_params p = {.snapshot = &at};
		struct drill d = {.p = &p, .snapshot = &at};

		for (size_t k = 0; k < sizeof records / sizeof *records; k++)
			drill_before_take(&d, records[k]);
		if (v[i].then == NULL)
			assert_null(d.before);
		else
			assert_string_equal(
			    json_string_value(json_object_get(d.before, "id")), v[i].then);
		json_decref(d.before);
	}
	for (size_t k = 0; k < sizeof records / sizeof *records; k++)
		json_decref(records[k]);
}

/* Of several sources none may be at an older place than it was then. */
static void of_several_sources_each_is_at_its_point_or_past_it(void **state)
{
	struct snapshot_part parts[2] = {{.name = (char *)"a", .kind = (char *)"postgresql"},
	    {.name = (char *)"b", .kind = (char *)"postgresql"}};
	char a[CALENDAR_TEXT], b[CALENDAR_TEXT];
	json_t *record = json_pack("{s:s, s:s, s:[{s:s, s:s}, {s:s, s:s}], s:{}}", "verdict",
	    "passed", "point", calendar_format_utc(a, day(3)), "sources", "name", "a", "point", a,
	    "name", "b", "point", calendar_format_utc(b, day(5)), "facts");

	(void)state;
	for (int then = 4; then <= 5; then++) {
		struct snapshot at = {.parts = parts, .nparts = 2, .start_ns = day(9)};
		struct drill_source s[2] = {
		    {.part = &parts[0], .snapshot = &at, .point_ns = day(4)},
		    {.part = &parts[1], .snapshot = &at, .point_ns = day(then)}};
		struct drill_params p = {.snapshot = &at};
		struct drill d = {.p = &p, .snapshot = &at, .sources = s, .nsources = 2, .at = s};

		drill_before_take(&d, record);
		assert_int_equal(d.before != NULL, then == 5);
		json_decref(d.before);
	}
	json_decref(record);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_older_point_is_not_held_against_a_newer_one),
	    cmocka_unit_test(of_several_sources_each_is_at_its_point_or_past_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
