/* drill_look: which recovery points there are, and when each was proven, and tried. */
#include "unit/unit.h"

#include <string.h>

#include "base/calendar.h"
#include "catalog/drill_look.h"

enum { DAY = 86400, FULL = 0, INCREMENTAL, DIFFERENTIAL, PITR, LATEST, OLDEST, FIRST_PLACE };
static const int64_t now = 1800000000;

static struct drill_look l;

static void begin(void)
{
	drill_look_init(&l, now);
}

static void backup(const char *type, int64_t ended_s)
{
	struct run r = {.kind = "backup",
	    .type = type,
	    .status = RUN_COMPLETED,
	    .bytes = 1000,
	    .started_ns = (ended_s - 60) * CALENDAR_SECOND,
	    .ended_ns = ended_s * CALENDAR_SECOND};
	struct err e;

	assert_int_equal(drill_look_backup(&l, &r, &e), 0);
}

static void record(const char *kind, const char *asked, const char *verdict, int64_t at_s)
{
	char text[CALENDAR_TEXT];
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:f, s:b, s:b}", "started",
	    calendar_format_utc(text, at_s * CALENDAR_SECOND), "kind", kind, "verdict", verdict,
	    "repository", "main", "seconds", 10.0, "newest", strcmp(kind, "pitr") != 0, "oldest",
	    asked != NULL);
	struct err e;

	if (asked != NULL)
		json_object_set_new(o, "asked", json_string(asked));
	assert_int_equal(drill_look_record(&l, o, span_str(""), &e), 0);
	json_decref(o);
}

static int next(void)
{
	struct drill_budget b = {.left_s = 3600};
	struct drill_point v[DRILL_LOOK_POINTS];

	for (size_t i = 0; i < l.n; i++) {
		v[i] = l.v[i];
		v[i].within_s = l.there[i] ? 30 * DAY : 0;
	}
	return drill_plan_next(v, l.n, &b, now);
}

static void what_was_proven_is_noted_of_each_point_that_it_is(void **state)
{
	(void)state;
	begin();
	drill_look_place(&l, "main");
	drill_look_place(&l, "offsite");
	backup("full", now - DAY);
	record("full", NULL, "passed", now - 3600);
	record("full", NULL, "failed", now - 2 * DAY);
	drill_look_end(&l, false);
	assert_true(l.there[FULL] && l.there[LATEST] && !l.there[OLDEST] && !l.there[PITR]);
	assert_true(!l.there[INCREMENTAL] && l.there[FIRST_PLACE] && l.there[FIRST_PLACE + 1]);
	assert_string_equal(l.v[FIRST_PLACE + 1].kind, "from=offsite");
	assert_int_equal(l.v[FULL].proven_s, now - 3600);
	assert_int_equal(l.v[LATEST].proven_s, now - 3600);
	assert_int_equal(l.v[FIRST_PLACE].proven_s, now - 3600);
	assert_int_equal(l.v[FIRST_PLACE + 1].tried_s, 0);
	assert_true(l.spent_s == 10.0 && l.bytes == 1000);
	assert_int_equal(next(), FIRST_PLACE + 1);
	drill_look_fini(&l);
}

/* A first backup is a full one, whatever its run says: what is not there is not asked for again. */
static void a_kind_that_a_drill_did_not_find_is_not_asked_for_again(void **state)
{
	(void)state;
	begin();
	backup("incremental", now - 600);
	drill_look_end(&l, false);
	assert_int_equal(next(), INCREMENTAL);
	drill_look_fini(&l);
	begin();
	backup("incremental", now - 600);
	record("full", "incremental", "passed", now - 300);
	drill_look_end(&l, false);
	assert_false(l.there[INCREMENTAL]);
	assert_int_equal(next(), -1);
	drill_look_fini(&l);
	/* The next backup may be one, but it was tried today. */
	begin();
	backup("incremental", now - 60);
	backup("incremental", now - 600);
	record("full", "incremental", "passed", now - 300);
	drill_look_end(&l, false);
	assert_true(l.there[INCREMENTAL]);
	assert_int_equal(next(), -1);
	l.v[INCREMENTAL].tried_s -= DAY;
	assert_int_equal(next(), INCREMENTAL);
	drill_look_fini(&l);
	/* It was found. */
	begin();
	backup("incremental", now - 600);
	record("incremental", "incremental", "passed", now - 300);
	drill_look_end(&l, false);
	assert_true(l.there[INCREMENTAL] && l.v[INCREMENTAL].proven_s == now - 300);
	drill_look_fini(&l);
}

static void drill(const char *type, enum run_status status, enum err_kind kind, int64_t ended_s)
{
	struct run r = {.kind = "drill",
	    .type = type,
	    .status = status,
	    .error_kind = status == RUN_FAILED ? err_info(kind)->name : NULL,
	    .started_ns = (ended_s - 30) * CALENDAR_SECOND,
	    .ended_ns = ended_s * CALENDAR_SECOND};
	struct err e;

	assert_int_equal(drill_look_drill(&l, &r, &e), 0);
}

/* Nothing is queued at once again because nobody kept a record of it. */
static void a_drill_without_a_record_is_not_begun_at_once_again(void **state)
{
	static const struct {
		enum run_status status;
		enum err_kind kind;
	} v[] = {{RUN_FAILED, ERR_DRILL_FAILED}, {RUN_FAILED, ERR_OBJECTIVE_MISSED},
	    {RUN_FAILED, ERR_NO_SPACE}, {RUN_FAILED, ERR_USAGE}, {RUN_INTERRUPTED, 0},
	    {RUN_CANCELLED, 0}, {RUN_COMPLETED, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		begin();
		backup("full", now - DAY);
		drill("standard full", v[i].status, v[i].kind, now - 100);
		drill("latest", v[i].status, v[i].kind, now - 300);
		drill_look_end(&l, false);
		assert_int_equal(l.v[FULL].lost_s, now - 100);
		assert_int_equal(next(), -1);
		l.v[LATEST].lost_s -= DRILL_PLAN_LOST_S;
		assert_int_equal(next(), LATEST);
		drill_look_fini(&l);
	}
	/* What has a record is tried by that. */
	begin();
	backup("full", now - DAY);
	drill("full", RUN_FAILED, ERR_DRILL_FAILED, now - 100);
	drill(NULL, RUN_COMPLETED, 0, now - 200);
	record("full", "full", "failed", now - 110);
	record("full", NULL, "passed", now - 210);
	drill_look_end(&l, false);
	assert_true(l.v[FULL].lost_s == 0 && l.v[LATEST].lost_s == 0);
	drill_look_fini(&l);
}

/* A destination that is away keeps nothing else from its turn; that none answers, everything. */
static void one_that_cannot_be_tried_keeps_no_other_from_its_turn(void **state)
{
	(void)state;
	for (int all = 0; all < 2; all++) {
		begin();
		drill_look_place(&l, "main");
		drill_look_place(&l, "offsite");
		backup("full", now - 50 * DAY);
		for (int k = 0; k < 40; k++)
			drill(all ? "full" : "from=offsite", RUN_FAILED, ERR_UNREACHABLE,
			    now - 100 - k * DRILL_PLAN_LOST_S);
		record("full", NULL, "passed", now - 35 * DAY);
		drill_look_end(&l, false);
		assert_int_equal(l.v[FIRST_PLACE + 1].lost_s, now - 100);
		assert_int_equal(l.v[FIRST_PLACE + 1].vain_s, now - 100 - 39 * DRILL_PLAN_LOST_S);
		assert_int_equal(l.v[FULL].lost_s, all ? now - 100 : 0);
		assert_int_equal(next(), all ? -1 : FULL);
		drill_look_fini(&l);
	}
}

/* Since when is told of what did not succeed after it was proven. */
static void in_vain_is_what_failed_since_it_was_proven(void **state)
{
	(void)state;
	begin();
	backup("full", now - 50 * DAY);
	drill("full", RUN_INTERRUPTED, 0, now - 10 * DAY);
	drill("full", RUN_INTERRUPTED, 0, now - 30 * DAY);
	record("full", "full", "failed", now - 100);
	record("full", "full", "failed", now - 12 * DAY);
	record("full", "full", "passed", now - 20 * DAY);
	record("full", "full", "failed", now - 22 * DAY);
	drill_look_end(&l, false);
	assert_int_equal(l.v[FULL].vain_s, now - 12 * DAY);
	drill_look_fini(&l);
	begin();
	backup("full", now - 50 * DAY);
	record("full", "full", "passed", now - 100);
	record("full", "full", "failed", now - 200);
	drill_look_end(&l, false);
	assert_int_equal(l.v[FULL].vain_s, 0);
	drill_look_fini(&l);
}

static void what_was_proven_after_now_was_not(void **state)
{
	(void)state;
	begin();
	backup("full", now - DAY);
	record("full", NULL, "passed", now + 3650 * (int64_t)DAY);
	drill_look_end(&l, false);
	assert_true(l.v[FULL].proven_s == 0 && l.v[FULL].tried_s == 0 && l.measured == NULL);
	assert_int_equal(next(), FULL);
	drill_look_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_proven_is_noted_of_each_point_that_it_is),
	    cmocka_unit_test(a_kind_that_a_drill_did_not_find_is_not_asked_for_again),
	    cmocka_unit_test(a_drill_without_a_record_is_not_begun_at_once_again),
	    cmocka_unit_test(one_that_cannot_be_tried_keeps_no_other_from_its_turn),
	    cmocka_unit_test(in_vain_is_what_failed_since_it_was_proven),
	    cmocka_unit_test(what_was_proven_after_now_was_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
