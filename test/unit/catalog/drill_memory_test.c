/* drill_memory: records are read in one pass for all systems, and only where some came or went. */
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#include "base/calendar.h"
#include "base/mem.h"
#include "catalog/drill_memory.h"
#include "catalog/evidence_drill.h"

static const int64_t now = 1800000000;
static unsigned passes;
static size_t unnamed; /* by the chain */

/* Three records, the newest first. */
int __wrap_evidence_drill_list(const char *state, const char *system, evidence_drill_row *each,
    void *arg, size_t *bad, struct err *e);
int __wrap_evidence_drill_list(const char *state, const char *system, evidence_drill_row *each,
    void *arg, size_t *bad, struct err *e)
{
	static const char *const of[] = {"a", "b", "a"};

	assert_null(system);
	passes++;
	*bad = unnamed;
	for (int i = 0; i < 3; i++) {
		char text[CALENDAR_TEXT];
		json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:b, s:{s:s}}", "system", of[i],
		    "started", calendar_format_utc(text, (now - 100 * i - 100) * CALENDAR_SECOND),
		    "kind", "full", "verdict", i == 0 ? "failed" : "passed", "newest", 1, "facts",
		    "much", "of it");

		assert_int_equal(each(arg, o, span_str("line"), e), 0);
		json_decref(o);
	}
	return 0;
}

static void told(const struct drill_memory *m, const char *system, int64_t tried, int64_t proven)
{
	struct drill_look l;

	drill_look_init(&l, now);
	drill_memory_tell(m, system, &l);
	assert_int_equal(l.v[0].tried_s, tried);
	assert_int_equal(l.v[0].proven_s, proven);
	drill_look_fini(&l);
}

static void dated(const char *dir, time_t at)
{
	assert_int_equal(utime(dir, &(struct utimbuf){at, at}), 0);
}

static void what_did_not_change_is_not_read_again(void **state)
{
	char dir[64] = "/tmp/hf-drillmemory-XXXXXX", *drills;
	struct drill_memory *m = drill_memory_new();
	struct err e;

	(void)state;
	assert_non_null(mkdtemp(dir));
	drills = mem_printf("%s/drills", dir);
	assert_int_equal(mkdir(drills, 0700), 0);
	dated(drills, now - 50);
	assert_int_equal(drill_memory_read(m, dir, now, &e), 0);
	told(m, "a", now - 100, now - 300);
	told(m, "b", now - 200, now - 200);
	told(m, "c", 0, 0);
	assert_int_equal(drill_memory_read(m, dir, now + 300, &e), 0);
	told(m, "a", now - 100, now - 300);
	assert_int_equal(passes, 1);
	dated(drills, now + 299); /* one came, perhaps another at once */
	assert_int_equal(drill_memory_read(m, dir, now + 300, &e), 0);
	assert_int_equal(drill_memory_read(m, dir, now + 600, &e), 0);
	assert_int_equal(drill_memory_read(m, dir, now + 900, &e), 0);
	assert_int_equal(passes, 3);
	told(m, "b", now - 200, now - 200);
	unnamed = 1; /* the chain names it soon */
	dated(drills, now + 800);
	for (int i = 0; i < 3; i++)
		assert_int_equal(drill_memory_read(m, dir, now + 900, &e), 0);
	assert_int_equal(passes, 6);
	drill_memory_free(m);
	rmdir(drills);
	rmdir(dir);
	free(drills);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_did_not_change_is_not_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
