/* drill_record: what a drill is held against, and what its record says. */
#include "unit/engine/engine_unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "engine/drill_internal.h"
#include "engine/drill_moment.h"
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

/* ---- What a line of evidence has room for. */

static size_t length(const json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII);
	size_t n = strlen(text);

	free(text);
	return n;
}

static json_t *with_checks(int n, const char *why, int tables)
{
	struct drill_score s;
	json_t *o = json_object(), *list = json_array();

	drill_score_init(&s, DRILL_COMPREHENSIVE);
	for (int i = 0; i < n; i++)
		drill_score_add(&s, why, true, i % 2 != 0, why);
	drill_score_sum(&s);
	json_object_set_new(o, "assertions", drill_score_json(&s));
	drill_score_fini(&s);
	for (int i = 0; i < tables; i++)
		json_array_append_new(
		    list, json_pack("{s:s, s:s, s:i, s:i, s:b}", "schema", "public", "name",
			      "a_table", "rows", i, "bytes", i, "exact", 1));
	json_object_set_new(o, "facts",
	    json_pack(
		"{s:{s:[{s:s, s:o}]}}", "postgresql", "databases", "name", "d", "tables", list));
	return o;
}

static void a_record_fits_whatever_checks_have_to_say(void **state)
{
	static const struct {
		int checks, tables, length;
		bool texts, facts, all; /* what is left */
	} v[] = {{2, 10, 300, true, true, true}, {100, 10, 300, false, true, true},
	    {100, 5000, 300, false, true, true}, {160, 10, 500, false, true, true},
	    {3000, 10, 500, false, false, false}};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		char why[2000] = "";
		json_t *o, *one;

		for (int k = 0; k < v[i].length; k++)
			strcat(why, "\xc3\xa4");
		o = with_checks(v[i].checks, why, v[i].tables);
		drill_fit(o);
		assert_true(length(o) <= 56000);
		one = json_array_get(json_object_get(o, "assertions"), DRILL_RULES);
		assert_int_equal(strlen(json_string_value(json_object_get(one, "why"))) ==
				     2 * (size_t)v[i].length,
		    v[i].texts);
		assert_string_equal(json_string_value(json_object_get(one, "state")), "failed");
		assert_int_equal(
		    json_object_get(json_object_get(o, "facts"), "postgresql") != NULL, v[i].facts);
		assert_int_equal(json_is_true(json_object_get(o, "facts_cut")), !v[i].facts);
		assert_int_equal(json_object_get(o, "assertions_more") == NULL, v[i].all);
		assert_int_equal((int)json_array_size(json_object_get(o, "assertions")) +
				     json_integer_value(json_object_get(o, "assertions_more")),
		    DRILL_RULES + v[i].checks);
		json_decref(o);
	}
}

/* ---- Its name. */

static int64_t wall;

static int64_t wall_ns(struct clock *c)
{
	return wall;
}

/* Records are listed by their names, the newest first. */
static void two_within_a_second_are_in_their_order(void **state)
{
	struct world *w = world_new("mem:drill-name");
	struct clock clock = {.wall_ns = wall_ns, .mono_ns = wall_ns};
	char first[100] = "";

	(void)state;
	for (int i = 0; i < 40; i++) {
		struct snapshot at = {.id = {{1}}};
		struct drill_params p = {.system = "s", .repository = "main", .snapshot = &at};
		struct drill d = {.repo = w->repo,
		    .p = &p,
		    .snapshot = &at,
		    .clock = &clock,
		    .facts = json_object(),
		    .room = {.name = (char *)(i % 2 ? "drill-1" : "drill-9")}};
		struct drill_result r = {0};
		const char *id;

		d.began_ns = wall = day(0) + i * INT64_C(50000000);
		drill_score_init(&d.score, DRILL_STANDARD);
		drill_judge(&d, &r);
		id = json_string_value(json_object_get(r.record, "id"));
		assert_true(strcmp(first, id) < 0);
		strcpy(first, id);
		json_decref(r.record);
		json_decref(d.facts);
		drill_score_fini(&d.score);
	}
	world_free(w);
}

/* ---- A moment within the log. */

/* What is not stored is not known: that nothing was committed is not said of it. */
static void why_there_is_no_moment_is_what_is_known(void **state)
{
	static const struct {
		struct drill_moment_stretch v[2];
		size_t n;
		const char *why;
		int64_t from, to;
	} v[] = {{{{10, 20, true}}, 1, NULL, 10, 20},
	    {{{0, 0, false}}, 1, "from none of its base backups", 0, 0},
	    {{{10, 0, true}}, 1, "no commit since its first base backup", 0, 0},
	    {{{10, 10, true}}, 1, "no commit since its first base backup", 0, 0},
	    {{{10, 0, false}}, 1, "from none but its newest base backups", 0, 0},
	    {{{10, 30, true}, {20, 40, false}}, 2, NULL, 20, 30},
	    {{{10, 20, true}, {20, 40, true}}, 2, "none in common", 0, 0},
	    {{{10, 20, true}, {20, 0, false}}, 2, "from none but", 0, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		int64_t from, to;
		const char *why = drill_moment_common(v[i].v, v[i].n, &from, &to);

		assert_int_equal(why == NULL, v[i].why == NULL);
		if (why != NULL)
			assert_non_null(strstr(why, v[i].why));
		else
			assert_true(from == v[i].from && to == v[i].to);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_older_point_is_not_held_against_a_newer_one),
	    cmocka_unit_test(of_several_sources_each_is_at_its_point_or_past_it),
	    cmocka_unit_test(a_record_fits_whatever_checks_have_to_say),
	    cmocka_unit_test(why_there_is_no_moment_is_what_is_known),
	    cmocka_unit_test(two_within_a_second_are_in_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
