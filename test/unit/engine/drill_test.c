/* drill: the score, what is expected of the next recovery, the room that leaves nothing behind. */
#include "unit/engine/engine_unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/drill_internal.h"
#include "engine/drill_moment.h"
#include "engine/drill_room.h"
#include "engine/op_drill.h"
#include "os/os.h"
#include "os/os_scratch.h"

static void the_table_is_well_formed(void **state)
{
	(void)state;
	for (size_t i = 0; i < DRILL_RULES; i++) {
		assert_int_equal(drill_rules[i].id, i);
		assert_non_null(strchr(drill_rules[i].name, '.'));
		assert_true(drill_rules[i].weight > 0 && drill_rules[i].says[0] != '\0');
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(drill_rules[i].name, drill_rules[j].name);
	}
}

static void only_what_was_judged_counts_and_nothing_proves_nothing(void **state)
{
	struct drill_score s;

	(void)state;
	drill_score_init(&s, DRILL_STANDARD);
	drill_score_sum(&s);
	assert_true(s.score == 0 && !s.passed && s.judged == 0);
	drill_hold(&s, DRILL_RESTORED); /* 15 */
	drill_hold(&s, DRILL_STARTS);   /* 15 */
	drill_score_sum(&s);
	assert_true(s.score == 1 && s.passed && s.judged == 2);
	drill_break(&s, DRILL_SETTINGS, "a is b"); /* 2, not critical: 30 of 32 */
	drill_score_sum(&s);
	assert_true(s.score > 0.93 && s.score < 0.94 && !s.passed && s.critical == 0);
	assert_true(drill_deduction(&s, DRILL_SETTINGS) == 2.0 / 32);
	drill_hold(&s, DRILL_CONTENT); /* 45 of 47 */
	drill_score_sum(&s);
	assert_true(s.passed && s.broken == 1);
	drill_score_fini(&s);
}

static void one_critical_failure_fails_and_its_first_reason_stays(void **state)
{
	struct drill_score s;

	(void)state;
	drill_score_init(&s, DRILL_COMPREHENSIVE);
	for (int i = 0; i < DRILL_RULES; i++)
		drill_hold(&s, (enum drill_id)i);
	for (int i = 0; i < 40; i++)
		drill_score_add(&s, "select 1", true, true, NULL);
	drill_break(&s, DRILL_CLEAN, "it stays");
	drill_break(&s, DRILL_ROLES, "role a is no more");
	drill_break(&s, DRILL_ROLES, "role b is no more");
	drill_hold(&s, DRILL_ROLES);
	drill_score_sum(&s);
	assert_true(s.score > DRILL_PASS_MARK && !s.passed && s.critical == 1);
	assert_string_equal(drill_worst(&s)->why, "role a is no more");
	drill_score_fini(&s);
	drill_score_init(&s, DRILL_COMPREHENSIVE);
	drill_hold(&s, DRILL_RESTORED);
	drill_score_add(&s, "of little weight", false, false, "no");
	assert_string_equal(s.v[DRILL_RULES].name, "checks.1");
	assert_false(drill_worst(&s)->critical);
	drill_score_fini(&s);
}

static void as_much_again_takes_as_long_and_twice_as_much_the_double(void **state)
{
	json_t *r = json_pack("{s:{s:I, s:I, s:f, s:f, s:f}}", "measured", "bytes",
	    (json_int_t)1000, "log_bytes", (json_int_t)100, "fixed_seconds", 1.0, "restore_seconds",
	    10.0, "start_seconds", 4.0);
	json_t *none = json_object();

	(void)state;
	assert_true(drill_predict(r, 1000, 100) == 15);
	assert_true(drill_predict(r, 2000, 100) == 25);
	assert_true(drill_predict(r, 2000, 200) == 29);
	assert_true(drill_predict(r, 2000, 0) == 25); /* the log's size is not known */
	assert_true(drill_predict(none, 2000, 0) == 0);
	assert_true(drill_predict(r, 0, 0) == 0); /* nobody knows how much */
	json_decref(r);
	json_decref(none);
}

/* What says something of the backup, and what only of the day on which it was tried. */
static void a_store_that_does_not_answer_is_no_finding(void **state)
{
	static const enum err_kind away[] = {ERR_UNREACHABLE, ERR_TIMEOUT, ERR_BUSY, ERR_IO,
	    ERR_DENIED, ERR_NO_REPOSITORY, ERR_WRONG_KEY, ERR_NO_SPACE, ERR_CANCELLED, ERR_COLD,
	    ERR_LATER, ERR_FOREIGN, ERR_UNSUPPORTED};
	static const enum err_kind found[] = {
	    ERR_CORRUPT, ERR_ABSENT, ERR_DAMAGE_FOUND, ERR_FAILED, ERR_INCOMPLETE};

	(void)state;
	for (size_t i = 0; i < sizeof away / sizeof *away; i++)
		assert_false(drill_is_finding(&(struct err){.kind = away[i]}));
	for (size_t i = 0; i < sizeof found / sizeof *found; i++)
		assert_true(drill_is_finding(&(struct err){.kind = found[i]}));
}

static void each_day_has_a_moment_of_its_own_within_what_is_reached(void **state)
{
	const int64_t from = INT64_C(1763700000000000), to = from + INT64_C(7200000000);
	unsigned early = 0, same = 0;

	(void)state;
	for (int day = 0; day < 365; day++) {
		int64_t at = drill_moment_of("db", day, 0, from, to);

		assert_true(at >= from && at < to);
		assert_true(at == drill_moment_of("db", day, 0, from, to));
		early += at < from + (to - from) / 4;
		same += at == drill_moment_of("db", day + 1, 0, from, to);
		same += at == drill_moment_of("other", day, 0, from, to);
		same += at == drill_moment_of("db", day, 1, from, to);
	}
	assert_int_equal(same, 0);
	assert_true(early > 60 && early < 125); /* a quarter of them */
	assert_true(drill_moment_of("db", 1, 0, to, to) == to);
}

/* ---- The room. */

static char *base;

static struct ctx *quiet(void)
{
	static struct ctx c;

	c.clock = os_clock();
	return &c;
}

static unsigned entries(const char *dir)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2;
}

static void what_a_killed_one_left_the_next_removes_and_no_link_is_followed(void **state)
{
	char *outside = mem_printf("%s.outside", base), *command;
	struct drill_room r, other;
	struct err e;
	int talk[2], how;
	char word;
	pid_t pid;

	(void)state;
	assert_int_equal(mkdir(outside, 0700), 0);
	command = mem_printf("touch %s/precious", outside);
	assert_int_equal(system(command), 0);
	free(command);
	assert_int_equal(pipe(talk), 0);
	pid = fork();
	if (pid == 0) {
		(void)!drill_room_open(&r, base, quiet(), &e);
		command = mem_printf(
		    "cd %s && mkdir -p a/b && touch a/b/c && chmod 0 a && ln -s %s "
		    "link && ln -s %s/precious p && (cd . && exec sleep 4141 &) ",
		    r.path, outside, outside);
		(void)!system(command);
		(void)!write(talk[1], "r", 1);
		pause();
	}
	assert_int_equal(read(talk[0], &word, 1), 1);
	/* It lives: it is left alone. */
	assert_int_equal(drill_room_open(&other, base, quiet(), &e), 0);
	assert_int_equal(other.swept, 0);
	assert_int_equal(entries(base), 2);
	assert_int_equal(drill_room_close(&other, &e), 0);
	drill_room_fini(&other);
	kill(pid, SIGKILL);
	waitpid(pid, &how, 0);
	assert_int_equal(drill_room_open(&other, base, quiet(), &e), 0);
	assert_int_equal(other.swept, 1);
	assert_int_equal(entries(base), 1);
	assert_int_not_equal(system("pgrep -f '^sleep 4141' >/dev/null"), 0);
	assert_int_equal(drill_room_close(&other, &e), 0);
	drill_room_fini(&other);
	assert_int_equal(entries(base), 0);
	assert_int_equal(entries(outside), 1);
	assert_int_equal(os_scratch_remove(outside, &e), 0);
	free(outside);
}

static void a_folder_that_others_write_to_is_refused(void **state)
{
	struct drill_room r;
	struct err e;

	(void)state;
	assert_int_equal(chmod(base, 0777), 0);
	assert_int_equal(drill_room_open(&r, base, quiet(), &e), -1);
	assert_int_equal(e.kind, ERR_DENIED);
	drill_room_fini(&r);
	assert_int_equal(chmod(base, 0711), 0);
}

static json_t *with_rows(const char *rows, const char *exact)
{
	char *text = mem_printf("{\"databases\": [{\"name\": \"d\", \"tables\": [{\"schema\": "
				"\"public\", \"name\": \"t\", \"rows\": %s, \"exact\": %s}]}]}",
	    rows, exact);
	json_t *o = json_loads(text, 0, NULL);

	assert_non_null(o);
	free(text);
	return o;
}

/* An estimate that came back with the catalogue proves nothing; what was counted does. */
static void rows_are_judged_by_what_was_counted(void **state)
{
	static const struct {
		const char *was, *was_exact, *is, *is_exact;
		enum drill_state then, less;
	} v[] = {
	    {"1000", "true", "1000", "true", DRILL_HELD, DRILL_HELD},
	    {"1000", "true", "940", "true", DRILL_BROKEN, DRILL_BROKEN},
	    {"1000", "false", "500", "true", DRILL_BROKEN, DRILL_BROKEN},
	    {"1000", "false", "940", "true", DRILL_HELD, DRILL_HELD},
	    {"1000", "false", "1000", "false", DRILL_NOT_JUDGED, DRILL_HELD},
	    {"1000", "true", "0", "false", DRILL_NOT_JUDGED, DRILL_HELD},
	    {"1000", "false", "null", "false", DRILL_NOT_JUDGED, DRILL_HELD},
	    {"null", "false", "0", "true", DRILL_NOT_JUDGED, DRILL_HELD},
	};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		json_t *was = with_rows(v[i].was, v[i].was_exact);
		json_t *is = with_rows(v[i].is, v[i].is_exact);
		struct drill_params p = {0};
		struct snapshot_part part = {.name = (char *)"postgresql"};
		struct drill_source one = {.part = &part, .differs = "it may", .facts = is};
		struct drill d = {.p = &p,
		    .sources = &one,
		    .nsources = 1,
		    .at = &one,
		    .before = json_pack("{s:{s:O}}", "facts", "postgresql", was),
		    .facts = json_object()};

		drill_score_init(&d.score, DRILL_STANDARD);
		drill_compare_databases(&d, was, is);
		drill_compare_before(&d);
		assert_int_equal(d.score.v[DRILL_ROWS].state, v[i].then);
		assert_int_equal(d.score.v[DRILL_NOT_LESS].state, v[i].less);
		drill_score_fini(&d.score);
		json_decref(d.facts);
		json_decref(d.before);
		json_decref(was);
		json_decref(is);
	}
}

/* One that is broken breaks all, with its name; one that was not judged leaves it said. */
static void of_several_sources_the_worst_counts(void **state)
{
	struct drill_score all, a, b;

	(void)state;
	drill_score_init(&all, DRILL_STANDARD);
	drill_score_init(&a, DRILL_STANDARD);
	drill_score_init(&b, DRILL_STANDARD);
	drill_hold(&a, DRILL_STARTS);
	drill_break(&b, DRILL_STARTS, "it ended");
	drill_hold(&a, DRILL_ROWS);
	drill_leave(&b, DRILL_ROWS, "no time");
	drill_leave(&a, DRILL_PAGES, "no checksums");
	drill_hold(&b, DRILL_PAGES);
	drill_break(&a, DRILL_ROLES, "one is gone");
	drill_hold(&b, DRILL_ROLES);
	drill_score_merge(&all, &a, "one");
	drill_score_merge(&all, &b, "two");
	assert_int_equal(all.v[DRILL_STARTS].state, DRILL_BROKEN);
	assert_string_equal(all.v[DRILL_STARTS].why, "source two: it ended");
	assert_string_equal(all.v[DRILL_ROLES].why, "source one: one is gone");
	assert_int_equal(all.v[DRILL_ROWS].state, DRILL_HELD);
	assert_string_equal(all.v[DRILL_ROWS].why, "not judged of source two: no time");
	assert_int_equal(all.v[DRILL_PAGES].state, DRILL_HELD);
	assert_string_equal(all.v[DRILL_PAGES].why, "not judged of source one: no checksums");
	assert_int_equal(all.v[DRILL_LOG].state, DRILL_NOT_JUDGED);
	drill_score_fini(&all);
	drill_score_fini(&a);
	drill_score_fini(&b);
}

/* Out of time at the second one's turn, nothing is said of both. */
static void what_one_of_several_proved_is_not_said_of_all(void **state)
{
	struct snapshot_part part[2] = {{.name = (char *)"a"}, {.name = (char *)"b"}};
	struct drill_source s[2] = {
	    {.part = &part[0], .point_ns = 5}, {.part = &part[1], .point_ns = 3}};
	struct drill d = {
	    .sources = s, .nsources = 2, .at = s, .clock = os_clock(), .ctx = quiet()};
	struct err e;

	(void)state;
	assert_true(drill_sources_point(&d) == 3);
	s[1].point_ns = 0;
	assert_true(drill_sources_point(&d) == 0);
	drill_score_init(&d.score, DRILL_STANDARD);
	drill_step(&d, "restore");
	assert_int_equal(drill_restore_end(&d, 0, false, &e), 0);
	assert_int_equal(d.score.v[DRILL_RESTORED].state, DRILL_NOT_JUDGED);
	for (size_t i = 0; i < 2; i++) {
		drill_score_init(&s[i].score, DRILL_STANDARD);
		drill_hold(&s[i].score, DRILL_RESTORED);
		drill_hold(&s[0].score, DRILL_STARTS);
		drill_score_merge(&d.score, &s[i].score, s[i].part->name);
		drill_sources_take_back(&d);
		assert_int_equal(
		    d.score.v[DRILL_RESTORED].state, i == 0 ? DRILL_NOT_JUDGED : DRILL_HELD);
		assert_int_equal(d.score.v[DRILL_STARTS].state, DRILL_NOT_JUDGED);
	}
	assert_non_null(strstr(d.score.v[DRILL_STARTS].why, "source b"));
	drill_score_fini(&d.score);
	drill_score_fini(&s[0].score);
	drill_score_fini(&s[1].score);
	free(d.steps);
}

/* Each is compared with what was proven of it, by its name; one that is gone is missed. */
static void each_source_is_compared_with_its_own_past(void **state)
{
	static const struct {
		const char *was;
		enum drill_state then;
		const char *why;
	} v[] = {
	    {"{\"sources\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"facts\":{\"sources\":{\"a\":@1000@"
	     ","
	     "\"b\":@50@}}}",
		DRILL_HELD, ""},
	    {"{\"sources\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"facts\":{\"sources\":{\"a\":@1000@"
	     ","
	     "\"b\":@60@}}}",
		DRILL_BROKEN, "source b: 50 rows in public.t"},
	    {"{\"sources\":[{\"name\":\"a\"},{\"name\":\"c\"}],\"facts\":{\"sources\":{\"a\":@1000@"
	     ","
	     "\"c\":@60@}}}",
		DRILL_BROKEN, "source c"},
	    {"{\"facts_cut\":true,\"facts\":{}}", DRILL_NOT_JUDGED, ""},
	    {"{\"sources\":[{\"name\":\"b\"}],\"facts\":{\"postgresql\":@60@}}", DRILL_BROKEN,
		"source b: 50 rows"},
	    {"{\"facts\":{\"postgresql\":@9999@}}", DRILL_HELD, ""}, /* of which, is not said */
	};
	json_t *is[2] = {with_rows("1000", "true"), with_rows("50", "true")};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct buf text = {0};
		struct drill_params p = {0};
		struct snapshot_part part[2] = {{.name = (char *)"a"}, {.name = (char *)"b"}};
		struct drill_source s[2] = {
		    {.part = &part[0], .facts = is[0]}, {.part = &part[1], .facts = is[1]}};
		struct drill d = {
		    .p = &p, .sources = s, .nsources = 2, .at = s, .facts = json_object()};

		for (const char *c = v[i].was; *c != '\0'; c++) {
			if (*c != '@') {
				buf_put(&text, c, 1);
				continue;
			}
			buf_printf(&text,
			    "{\"databases\":[{\"name\":\"d\",\"tables\":[{\"schema\":\"public\","
			    "\"name\":\"t\",\"rows\":%.*s,\"exact\":true}]}]}",
			    (int)strcspn(c + 1, "@"), c + 1);
			c += 1 + strcspn(c + 1, "@");
		}
		d.before = json_loads(buf_cstr(&text), 0, NULL);
		assert_non_null(d.before);
		drill_score_init(&d.score, DRILL_STANDARD);
		drill_compare_before(&d);
		assert_int_equal(d.score.v[DRILL_NOT_LESS].state, v[i].then);
		if (v[i].then == DRILL_BROKEN)
			assert_non_null(strstr(d.score.v[DRILL_NOT_LESS].why, v[i].why));
		assert_int_equal(s[1].score.critical, strncmp(v[i].why, "source b", 8) == 0);
		assert_int_equal(s[0].score.critical, 0);
		drill_score_fini(&s[0].score);
		drill_score_fini(&s[1].score);
		assert_int_equal(json_object_size(json_object_get(d.facts, "sources")), 2);
		drill_score_fini(&d.score);
		json_decref(d.facts);
		json_decref(d.before);
		buf_fini(&text);
	}
	json_decref(is[0]);
	json_decref(is[1]);
}

/* A dropped index is told and fails nothing by itself; large objects that are gone do. */
static void of_what_is_no_table_fewer_are_told(void **state)
{
	static const char *const was =
	    "{\"logins\": 2, \"databases\": [{\"name\": \"d\", \"tables_more\": 7, "
	    "\"objects\": {\"indexes\": 4, \"functions\": 1, \"large objects\": 40}}]}";
	static const struct {
		const char *is;
		enum drill_state objects, less, schema;
	} v[] = {
	    {"{\"logins\": 2, \"databases\": [{\"name\": \"d\", \"objects\": {\"indexes\": 5, "
	     "\"functions\": 1, \"large objects\": 39}}]}",
		DRILL_HELD, DRILL_HELD, DRILL_BROKEN},
	    {"{\"logins\": 2, \"databases\": [{\"name\": \"d\", \"objects\": {\"indexes\": 3, "
	     "\"functions\": 1, \"large objects\": 40}}]}",
		DRILL_BROKEN, DRILL_HELD, DRILL_BROKEN},
	    {"{\"logins\": 1, \"databases\": [{\"name\": \"d\", \"objects\": {\"indexes\": 4, "
	     "\"functions\": 1, \"large objects\": 37}}]}",
		DRILL_BROKEN, DRILL_BROKEN, DRILL_BROKEN},
	    {"{\"databases\": [{\"name\": \"d\"}]}", DRILL_NOT_JUDGED, DRILL_HELD,
		DRILL_NOT_JUDGED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		json_t *before = json_loads(was, 0, NULL), *is = json_loads(v[i].is, 0, NULL);
		struct drill_params p = {0};
		struct snapshot_part part = {.name = (char *)"postgresql"};
		struct drill_source one = {.part = &part, .facts = is};
		struct drill d = {.p = &p,
		    .sources = &one,
		    .nsources = 1,
		    .at = &one,
		    .before = json_pack("{s:{s:O}}", "facts", "postgresql", before),
		    .facts = json_object()};

		drill_score_init(&d.score, DRILL_STANDARD);
		drill_compare_databases(&d, before, is);
		drill_compare_before(&d);
		assert_int_equal(d.score.v[DRILL_OBJECTS].state, v[i].objects);
		assert_int_equal(d.score.v[DRILL_NOT_LESS].state, v[i].less);
		assert_int_equal(v[i].less == DRILL_HELD,
		    strstr(d.score.v[DRILL_NOT_LESS].why, "7 smaller tables") != NULL);
		assert_int_equal(d.score.v[DRILL_SCHEMA].state, v[i].schema);
		drill_score_fini(&d.score);
		json_decref(d.facts);
		json_decref(d.before);
		json_decref(before);
		json_decref(is);
	}
}

/* Of files the snapshot that they came from; of databases alone the base that was taken. */
static void the_record_names_the_snapshot_of_what_came_back(void **state)
{
	struct world *w = world_new("mem:drill-record");
	struct snapshot_part parts[2] = {
	    {.name = (char *)"db", .kind = (char *)"postgresql"}, {.name = (char *)"www"}};

	(void)state;
	for (size_t n = 1; n <= 2; n++) {
		struct snapshot from = {.id = {{1}}}, at = {.id = {{2}}, .parts = parts};
		struct drill_source one = {.part = &parts[0], .snapshot = &from};
		struct drill_params p = {
		    .system = "s", .repository = "main", .to = "immediate", .snapshot = &at};
		struct drill d = {.repo = w->repo,
		    .p = &p,
		    .snapshot = &at,
		    .sources = &one,
		    .nsources = 1,
		    .at = &one,
		    .clock = os_clock(),
		    .facts = json_object()};
		struct drill_result r = {0};
		char hex[ID_HEX];

		at.nparts = n;
		drill_score_init(&d.score, DRILL_STANDARD);
		drill_judge(&d, &r);
		assert_string_equal(json_string_value(json_object_get(r.record, "snapshot")),
		    id_hex(hex, n == 1 ? &from.id : &at.id));
		assert_string_equal(
		    json_string_value(json_object_get(
			json_array_get(json_object_get(r.record, "sources"), 0), "snapshot")),
		    id_hex(hex, &from.id));
		json_decref(r.record);
		json_decref(d.facts);
		drill_score_fini(&d.score);
	}
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_table_is_well_formed),
	    cmocka_unit_test(only_what_was_judged_counts_and_nothing_proves_nothing),
	    cmocka_unit_test(one_critical_failure_fails_and_its_first_reason_stays),
	    cmocka_unit_test(as_much_again_takes_as_long_and_twice_as_much_the_double),
	    cmocka_unit_test(a_store_that_does_not_answer_is_no_finding),
	    cmocka_unit_test(each_day_has_a_moment_of_its_own_within_what_is_reached),
	    cmocka_unit_test(what_a_killed_one_left_the_next_removes_and_no_link_is_followed),
	    cmocka_unit_test(a_folder_that_others_write_to_is_refused),
	    cmocka_unit_test(rows_are_judged_by_what_was_counted),
	    cmocka_unit_test(of_several_sources_the_worst_counts),
	    cmocka_unit_test(what_one_of_several_proved_is_not_said_of_all),
	    cmocka_unit_test(each_source_is_compared_with_its_own_past),
	    cmocka_unit_test(of_what_is_no_table_fewer_are_told),
	    cmocka_unit_test(the_record_names_the_snapshot_of_what_came_back),
	};
	struct err e;
	int failed;

	base = os_scratch_new("/var/tmp", "holdfast-drilltest", &e);
	if (base == NULL)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)!os_scratch_remove(base, &e);
	free(base);
	return failed;
}
