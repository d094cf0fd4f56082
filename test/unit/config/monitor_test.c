/* world_monitor: what a tier and a system say together, and what is refused. */
#include "unit/config/load.h"

#include <stdlib.h>
#include <string.h>

#include "config/world.h"
#include "config/world_monitor.h"

#define TIER(rest)                                                                                 \
	"repositories: {main: {url: /srv/a}}\n"                                                    \
	"tiers: {gold: {destinations: main, monitors: {" rest "}}}\n"
#define WWW(rest)                                                                                  \
	"systems: {www: {tier: gold, sources: [{files: {paths: [/w, /x/]}}], monitors: {" rest     \
	"}}}\n"

static void a_system_completes_what_its_tier_begins(void **state)
{
	struct world *w = load(TIER("checksum: {every: 15m, action: block_on_mismatch}, "
				    "state: {type: state_hash, every: 5m, command: a}")
		WWW("checksum: {paths: /w/lib}, state: {paths: [/etc/state], every: 1m}, "
		    "own: {type: version_check, every: 1h, command: v, expect: \"2\"}"));
	struct world_monitor v[8];

	assert_int_equal(world_monitors(w, world_system(w, "www"), v), 3);
	assert_int_equal(v[0].type, WORLD_CHECKSUM);
	assert_int_equal(v[0].action, WORLD_BLOCK_ON_MISMATCH);
	assert_int_equal(v[0].every.ns, 900 * CALENDAR_SECOND);
	assert_string_equal(v[0].paths.v[0], "/w/lib");
	assert_int_equal(v[1].every.ns, 60 * CALENDAR_SECOND);
	assert_null(v[1].command); /* it says what else is looked at */
	assert_string_equal(v[1].paths.v[0], "/etc/state");
	assert_int_equal(v[1].action, WORLD_ALERT_ON_MISMATCH);
	assert_string_equal(v[2].item.name, "own");
	assert_string_equal(v[2].expect, "2");
	for (int i = 0; i < 3; i++)
		assert_null(world_monitor_lacks(&v[i]));
	world_free(w);
}

static void a_threshold_may_be_said_with_its_sign(void **state)
{
	struct world *w = load(TIER("record_count: {every: 5m, threshold: 2.5%}")
		WWW("a: {type: record_count, every: 1m}"));
	struct world_monitor v[8];

	assert_int_equal(world_monitors(w, world_system(w, "www"), v), 2);
	assert_true(v[0].threshold == 2.5);
	assert_true(v[1].threshold == WORLD_MONITOR_THRESHOLD);
	assert_int_equal(v[1].action, WORLD_ALERT_ON_THRESHOLD);
	world_free(w);
}

static void each_mistake_is_told(void **state)
{
	static const struct {
		const char *text, *message, *hint;
	} bad[] = {
	    {TIER("sum: {every: 5m}"), "what kind is 'sum'?", "type: checksum"},
	    {TIER("sum: {type: crc}"), "there is no 'crc'", "checksum|record_count"},
	    {TIER("checksum: {every: often}"), "every: ", ""},
	    {TIER("checksum: {every: 5s}"), "more often than every 10s", ""},
	    {TIER("checksum: {action: page}"), "there is no 'page'", "block_on_mismatch"},
	    {TIER("checksum: {interval: 5m}"), "no key 'interval'", ""},
	    {TIER("record_count: {threshold: 5%%}"), "is not a percentage", ""},
	    {TIER("record_count: {threshold: 0}"), "is not a percentage", ""},
	    {TIER("record_count: {every: 5m, paths: /w}"), "records are counted by a command",
		"the newest backup's files"},
	    {TIER("checksum: {every: 5m, command: x}"), "a checksum is of paths in the snapshot",
		"state_hash"},
	    {TIER("state_hash: {every: 5m, command: x, paths: /y}"), "not both", ""},
	    {TIER("state_hash: {every: 5m, paths: y}"), "'y' is not an absolute path", ""},
	    {TIER("state_hash: {every: 5m, expect: y}"), "only a version_check expects", ""},
	    {TIER("state_hash: {every: 5m, action: alert_on_threshold}"),
		"only a record_count has a threshold", "alert_on_mismatch"},
	    {TIER("version_check: {every: 5m, paths: [/a, /b]}"), "a version is of one file", ""},
	    {TIER("version_check: {timeout: long}"), "timeout: ", ""},
	    {TIER("checksum: {every: 5m}") WWW(""), "www: checksum needs paths", ""},
	    {TIER("state_hash: {every: 5m}") WWW(""), "www: state_hash needs paths or a command",
		""},
	    {TIER("") WWW("state_hash: {command: x}"), "www: state_hash needs every", ""},
	    {TIER("") WWW("checksum: {every: 5m, paths: /y}"),
		"'/y' is not among the sources of www", ""},
	    {TIER("") WWW("checksum: {every: 5m, paths: /ww}"), "is not among the sources", ""},
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_system_completes_what_its_tier_begins),
	    cmocka_unit_test(a_threshold_may_be_said_with_its_sign),
	    cmocka_unit_test(each_mistake_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
