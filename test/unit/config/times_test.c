/* world_times: what is due when, and contradictions that are refused. */
#include "unit/config/load.h"

#include <stdlib.h>

#include "base/mem.h"
#include "config/world_times.h"

#define TIER(rest)                                                                                 \
	"repositories: {main: {url: /srv/a}}\n"                                                    \
	"tiers: {gold: {destinations: main, " rest "}}\n"
#define REPO(rest)     "repositories: {main: {url: /srv/a, " rest "}}\n"
#define WWW(rest)      "systems: {www: {tier: gold, sources: [{files: {paths: /w}}]" rest "}}\n"
#define DB(keys, rest) "systems: {db: {tier: gold, sources: [{postgresql: {" keys "}}]" rest "}}\n"
#define TWO(a, b)                                                                                  \
	"systems:\n"                                                                               \
	"  a: {tier: gold, sources: [{files: {paths: /a}}]" a "}\n"                                \
	"  b: {tier: gold, sources: [{files: {paths: /b}}]" b "}\n"

enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };
static const int64_t from = 1767225600; /* 2026-01-01, a thursday */

static struct world_times *times(const struct world *w)
{
	const struct world_system *s = world_system(w, "www");
	struct world_times *t;
	struct err e;

	assert_int_equal(world_times_new(world_tier(w, s->tier), s, &t, &e), 0);
	return t;
}

static int64_t next(const struct world_times *t, enum times_what what, int64_t after_s)
{
	int64_t due;

	return t->is[what] && schedule_next(&t->v[what], after_s, &due) ? due : 0;
}

static void a_repository_is_pruned_as_it_says_or_as_its_locks_need_it(void **state)
{
	static const struct {
		const char *text;
		bool derived;
		int64_t first, second; /* after thursday, 2026-01-01; 0: never */
	} rows[] = {
	    {"repositories: {main: {url: /srv/a}}\n", false, 0, 0},
	    {"repositories: {main: {url: /srv/a, prune: {every: weekly, timezone: UTC}}}\n", false,
		from + 3 * DAY, from + 10 * DAY},
	    {"repositories: {main: {url: \"s3:h/b\", object_lock: 4d, prune: {every: daily, "
	     "timezone: UTC}}}\n",
		false, from + DAY, from + 2 * DAY},
	    {"repositories: {main: {url: \"s3:h/b\", object_lock: 2d}}\n", true, from + 8 * HOUR,
		from + 16 * HOUR},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct world *w = load(rows[i].text);
		struct world_times *t;
		struct err e;

		assert_int_equal(world_prune_times(world_repository(w, "main"), &t, &e), 0);
		assert_int_equal(t->derived, rows[i].derived);
		assert_int_equal(next(t, TIMES_PRUNE, from), rows[i].first);
		assert_int_equal(next(t, TIMES_PRUNE, rows[i].first), rows[i].second);
		world_times_free(t);
		world_free(w);
	}
}

#define ARCHIVE(rest)                                                                              \
	"repositories: {main: {url: /a}, far: {url: /b, role: offsite}, old: {url: /c, role: "     \
	"archive}}\n"                                                                              \
	"tiers: {gold: {" rest "}}\n"                                                              \
	"systems: {www: {tier: gold, sources: [{files: {paths: /w}}]}}\n"

static void archives_are_filled_by_copies_and_others_by_each_backup(void **state)
{
	static const struct {
		const char *text;
		size_t written, archives;
		int64_t first;
	} rows[] = {
	    {ARCHIVE("schedule: {timezone: UTC}"), 2, 1, from + 31 * DAY}, /* monthly */
	    {ARCHIVE("schedule: {archive: weekly, timezone: UTC}"), 2, 1, from + 3 * DAY},
	    {ARCHIVE("destinations: [main, far]"), 2, 0, 0},
	    {ARCHIVE("destinations: old"), 1, 0, 0},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct world *w = load(rows[i].text);
		const struct world_repository *v[3];
		const struct world_tier *gold = world_tier(w, "gold");
		struct world_times *t = times(w);

		assert_int_equal(world_written(w, gold, v), rows[i].written);
		assert_int_equal(world_archives(w, gold, v), rows[i].archives);
		assert_int_equal(next(t, TIMES_ARCHIVE, from), rows[i].first);
		world_times_free(t);
		world_free(w);
	}
}

static void each_contradiction_has_its_own_message(void **state)
{
	static const struct {
		const char *text, *message, *hint;
	} bad[] = {
	    {TIER("rpo: {acceptable: 5m}"), "rpo: 'target' is missing", ""},
	    {TIER("rpo: {target: 5}"), "a unit is missing", ""},
	    {TIER("rpo: {target: 15m, acceptable: 5m}"), "acceptable (5m) is less than the target",
		"still borne"},
	    {TIER("rto: {target: 2h, acceptable: 90m}"), "rto: what is acceptable (90m)", ""},
	    {TIER("availability: 101"), "availability: '101' is not a percentage", ""},
	    {TIER("availability: 0"), "'0' is not a percentage", ""},
	    {TIER("availability: nine"), "'nine' is not a percentage", ""},
	    {TIER("strategy: sometimes"), "strategy: there is no 'sometimes'", "continuous"},
	    {TIER("schedule: daily"), "schedule has to be a mapping", ""},
	    {TIER("schedule: {full: {at: 3}}"), "a schedule is one text", "every: 15m"},
	    {TIER("schedule: {full: {every: 1h, cron: x}}"), "a schedule is one text", ""},
	    {TIER("schedule: {full: [1h]}"), "has to be a schedule, not a list", ""},
	    {TIER("schedule: {full: dayly}"), "full: ", "cron's five fields"},
	    {TIER("schedule: {full: \"61 * * * *\"}"), "full: ", ""},
	    {TIER("schedule: {full: \"0 0 * *\"}"), "full: ", ""},
	    {TIER("schedule: {full: \"0 0 30 2 *\"}"), "full is never due", ""},
	    {TIER("schedule: {incremental: 36h}"), "not whole days", ""},
	    {TIER("schedule: {incremental: 500ms}"), "not whole seconds", ""},
	    {TIER("schedule: {hourly: 15m}"), "no key 'hourly'", ""},
	    {TIER("schedule: {full: daily, timezone: Europe/Berln}"),
		"there is no time zone 'Europe/Berln'", "Europe/Berlin"},
	    {TIER("schedule: {full: daily, timezone: ../../etc/passwd}"), "there is no time zone",
		""},
	    {TIER("schedule: {full: daily, only: \"22-05\"}"), "is not a window of time",
		"mon-fri"},
	    {TIER("schedule: {full: daily, only: [\"22:00-05:00\", {a: b}]}"), "has to be a window",
		""},
	    {TIER("schedule: {full: daily, only: \"mon 08:00-09:00\", never: \"mon 00:00-24:00\"}"),
		"full can never begin", "never narrower"},
	    {TIER("schedule: {full: daily, jitter: 10}"), "a unit is missing", ""},
	    {TIER("schedule: {full: daily, catch_up: always}"), "there is no 'always'",
		"once|skip"},
	    {TIER("rpo: {target: 1h}, schedule: {incremental: 2h}"),
		"cannot meet the rpo of 1h: two backups are up to 2h apart", "one is derived"},
	    {TIER("rpo: {target: 1d}, schedule: {full: \"0 2 * * mon-fri\", timezone: UTC}"),
		"up to 3d apart", ""},
	    {TIER("rpo: {target: 1h}, schedule: {incremental: 15m, never: \"08:00-18:00\"}"),
		"cannot meet the rpo", ""},
	    {TIER("retention: {last: 3, hourly: 24, logs: 72h}, schedule: {full: hourly}"),
		"any moment of the last 3d is promised, and no backup is kept for longer than 1d",
		"daily: 4"},
	    {TIER("verify: {level: standard}"), "verify: 'every' is missing", ""},
	    {TIER("verify: {every: 1d, level: deep}"), "there is no 'deep'",
		"standard|comprehensive"},
	    {TIER("verify: {every: never}"), "every: ", ""},
	    {TIER("schedule: {archive: monthly}"),
		"archive: gold has no destination of role archive",
		"archives alone are written by each backup"},
	    {TIER("schedule: {archive: sometimes}"), "archive: ", ""},
	    {REPO("prune: weekly"), "prune has to be a mapping", ""},
	    {REPO("prune: {only: \"01:00-02:00\"}"), "prune: 'every' is missing", ""},
	    {REPO("prune: {every: weakly}"), "every: ", "cron's five fields"},
	    {REPO("prune: {every: \"0 0 31 4 *\"}"), "prune is never due", ""},
	    {REPO("prune: {every: daily, timezone: Moon}"), "prune: there is no time zone 'Moon'",
		"Europe/Berlin"},
	    {REPO("prune: {every: daily, only: \"01:00-02:00\", never: \"00:00-24:00\"}"),
		"prune can never begin", "make only wider"},
	    {"repositories: {main: {url: \"s3:h/b\", object_lock: 7d, prune: {every: monthly}}}\n",
		"is what makes locks of 7d longer", "left out it is derived"},
	    {TIER("priority: high"), "'high' is not a number", ""},
	    {TIER("rpo: {target: 1h}") WWW(", schedule: {full: daily, timezone: UTC}"),
		"f:3:72: the schedule cannot meet the rpo of 1h: two backups are up to 1d apart",
		""},
	    {TIER("priority: 1") WWW(", depends_on: wwww"), "there is no system 'wwww'",
		"did you mean 'www'?"},
	    {TIER("priority: 1") WWW(", depends_on: www"), "www and www wait for each other", ""},
	    {TIER("priority: 1") TWO(", depends_on: b", ", depends_on: [a]"), "wait for each other",
		"take one"},
	    {TIER("rpo: {target: 30s}, strategy: continuous") DB("port: 1", ""),
		"f:3:38: an rpo of 30s is promised, and nothing brings this server's log here: "
		"backups alone are up to 1m apart",
		"archived: yes, where archive_command is 'holdfast log push %p'"},
	    {TIER("rpo: {target: 5m}, strategy: continuous, schedule: {full: daily}")
		    DB("receive: {enabled: no}", ""),
		"are up to 1d apart", "receive: {enabled: yes}"},
	    {TIER("rpo: {target: 5m}, strategy: continuous")
		    DB("port: 1", ", schedule: {full: daily, timezone: UTC}"),
		"are up to 1d apart", ""},
	    {TIER("rpo: {target: 10s}, strategy: continuous")
		    DB("receive: {enabled: yes, every: 1m}", ""),
		"every 1m is more than the rpo of 10s allows", "every: 2s"},
	    {TIER("priority: 1") DB("receive: {enabled: yes, synchronous: yes}", ", paused: yes"),
		"paused ends the receiver of db, and its commits wait for that",
		"synchronous_standby_names = ''"},
	    {TIER("priority: 1") WWW(", paused: maybe"), "neither yes nor no", ""},
	    {TIER("priority: 1") WWW(", hooks: {before: \"true\"}"), "before has to be a list", ""},
	    {TIER("priority: 1") WWW(", hooks: {before: [{}]}"), "'run' is missing", ""},
	    {TIER("priority: 1") WWW(", hooks: {during: []}"), "no key 'during'", ""},
	    {TIER("priority: 1") WWW(", hooks: {after: [{run: x, on_error: shout}]}"),
		"there is no 'shout'", "fail|warn|ignore"},
	    {TIER("priority: 1") WWW(", hooks: {after: [{run: x, timeout: long}]}"),
		"timeout: ", ""},
	    {TIER("priority: 1") WWW(", hooks: {after: [{run: x, environment: {\"a-b\": c}}]}"),
		"'a-b' is no name for a variable", ""},
	    {"jobs: {parallel: some}\n", "'some' is not a number", ""},
	    {"jobs: {nice: 20}\n", "nice: '20' is not a number from -20 to 19", ""},
	    {"jobs: {ionice: fast}\n", "there is no 'fast'", "idle|best-effort"},
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct world *w;
		struct err e = {0};

		if (world_of_text(span_str(bad[i].text), "f", &w, &e) == 0)
			fail_msg("taken: %s", bad[i].text);
		if (strncmp(e.msg, "f:", 2) != 0 || strstr(e.msg, bad[i].message) == NULL)
			fail_msg("'%s' lacks '%s'", e.msg, bad[i].message);
		if (strstr(e.hint, bad[i].hint) == NULL)
			fail_msg("'%s': hint '%s' lacks '%s'", e.msg, e.hint, bad[i].hint);
	}
}

static void of_two_at_one_moment_the_fuller_one_is_run(void **state)
{
	struct world *w = load(TIER("schedule: {full: \"0 2 * * sun\", incremental: {every: 15m}, "
				    "timezone: UTC}") WWW(""));
	struct world_times *t = times(w);
	enum times_what what;
	int64_t due, start;

	assert_true(world_times_next(t, from, true, &what, &due, &start));
	assert_int_equal(what, TIMES_INCREMENTAL);
	assert_int_equal(due, from + 15 * MINUTE);
	assert_true(world_times_next(t, from + 3 * DAY + 2 * HOUR - 1, true, &what, &due, &start));
	assert_int_equal(due, from + 3 * DAY + 2 * HOUR);
	assert_int_equal(what, TIMES_FULL);
	assert_int_equal(world_times_gap(t, from), 15 * MINUTE);
	world_times_free(t);
	world_free(w);
}

static void a_system_says_more_than_its_tier(void **state)
{
	struct world *w = load(TIER("schedule: {full: daily, timezone: UTC}, verify: {every: 1w}")
		WWW(", schedule: {incremental: 6h, timezone: Asia/Kolkata}"));
	struct world_times *t = times(w);

	assert_false(t->is[TIMES_FULL]);
	assert_true(t->is[TIMES_INCREMENTAL]);
	assert_true(t->is[TIMES_VERIFY]);
	assert_string_equal(t->zone_name, "Asia/Kolkata");
	world_times_free(t);
	world_free(w);
}

static void without_a_schedule_one_is_derived_that_keeps_the_rpo(void **state)
{
	static const char *const targets[] = {
	    "1m", "5m", "15m", "30m", "1h", "4h", "24h", "3d", "1w"};

	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
		char *text = mem_printf(
		    TIER("rpo: {target: %s}, schedule: {timezone: Europe/Berlin}") WWW(""),
		    targets[i]);
		struct world *w = load(text);
		struct world_times *t = times(w);
		struct calendar_duration d;
		struct err e;

		assert_int_equal(calendar_parse_duration(targets[i], &d, &e), 0);
		assert_true(t->derived);
		assert_true(world_times_gap(t, from) > 0);
		assert_true(world_times_gap(t, from) <= d.ns / CALENDAR_SECOND);
		world_times_free(t);
		world_free(w);
		free(text);
	}
}

static void continuous_is_not_judged_by_its_schedule(void **state)
{
	world_free(load(TIER("rpo: {target: 5m}, strategy: continuous, schedule: {full: weekly}")));
	world_free(load(TIER("rpo: {target: 5s}, strategy: continuous, schedule: {full: weekly}")
		DB("receive: {enabled: yes}", ", paused: yes")));
	world_free(load(TIER("rpo: {target: 5m}, strategy: continuous, schedule: {full: weekly}")
		DB("archived: yes", "")));
	world_free(load(TIER("rpo: {target: 5m}, strategy: continuous") DB("port: 1", "")));
	world_free(load(TIER("rpo: {target: 5s}, strategy: continuous, schedule: {full: weekly}")
		DB("receive: {enabled: yes, synchronous: yes, every: 1h}", "")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_repository_is_pruned_as_it_says_or_as_its_locks_need_it),
	    cmocka_unit_test(archives_are_filled_by_copies_and_others_by_each_backup),
	    cmocka_unit_test(each_contradiction_has_its_own_message),
	    cmocka_unit_test(of_two_at_one_moment_the_fuller_one_is_run),
	    cmocka_unit_test(a_system_says_more_than_its_tier),
	    cmocka_unit_test(without_a_schedule_one_is_derived_that_keeps_the_rpo),
	    cmocka_unit_test(continuous_is_not_judged_by_its_schedule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
