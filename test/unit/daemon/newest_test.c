/* newest: a receiver counts by its own word, while that is young, and not behind a gap. */
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/newest.h"
#include "engine/archived.h"
#include "engine/follow_state.h"
#include "os/os.h"
#include "os/os_scratch.h"

static char *place;
static int64_t now;

enum { SECOND = 1000000000 };

static char db[] = "db", a[] = "a", b[] = "b";
static struct world_source sources[2];
static struct world_system system_of_two = {
    .item = {.name = db}, .sources = {.v = sources, .n = 2}};

static void say(
    const char *source, enum follow_phase phase, int64_t ago_s, int64_t lag_s, int64_t gap_ns)
{
	struct follow_state f = {.phase = phase,
	    .at_ns = now - ago_s * SECOND,
	    .since_ns = now - 3600 * (int64_t)SECOND,
	    .lag_ns = lag_s * SECOND,
	    .gap_ns = gap_ns,
	    .pid = getpid()};
	struct err e;

	snprintf(f.system, sizeof f.system, "db");
	snprintf(f.source, sizeof f.source, "%s", source);
	assert_int_equal(follow_state_write(place, &f, &e), 0);
}

static int64_t newest(size_t n, int64_t base_ns)
{
	struct newest x;

	system_of_two.sources.n = n;
	newest_look(&system_of_two, place, now, &x);
	return newest_point(&x, base_ns);
}

static int declare(void **state)
{
	(void)state;
	now = os_clock()->wall_ns(os_clock()) + 7200 * (int64_t)SECOND; /* we have to be older */
	for (int i = 0; i < 2; i++)
		sources[i] = (struct world_source){.part = i ? b : a,
		    .kind = WORLD_POSTGRESQL,
		    .postgresql = {.receive = {.enabled = true}}};
	return 0;
}

static void what_is_received_counts_by_its_receivers_word(void **state)
{
	int64_t base = now - 7200 * (int64_t)SECOND;

	(void)state;
	say("a", FOLLOW_STREAMING, 2, 3, 0);
	assert_true(newest(1, base) == now - 5 * (int64_t)SECOND);
	say("a", FOLLOW_SPOOLING, 2, 600, 0); /* the repository is away since then */
	assert_true(newest(1, base) == now - 602 * (int64_t)SECOND);
	say("a", FOLLOW_CONNECTING, 2, 0, 0); /* the server may have written since */
	assert_true(newest(1, base) == base);
	say("a", FOLLOW_STREAMING, 0, 0, 0);
	assert_true(newest(1, 0) == 0); /* without a base nothing comes back */
}

static void a_receiver_that_hangs_is_none(void **state)
{
	int64_t base = now - 7200 * (int64_t)SECOND;

	(void)state;
	say("a", FOLLOW_STREAMING, NEWEST_STALE_S - 1, 0, 0);
	assert_true(newest(1, base) > base);
	say("a", FOLLOW_STREAMING, NEWEST_STALE_S + 1, 0, 0);
	assert_true(newest(1, base) == base);
}

static void behind_a_gap_only_a_later_base_counts(void **state)
{
	int64_t gap = now - 600 * (int64_t)SECOND;

	(void)state;
	say("a", FOLLOW_STREAMING, 1, 0, gap);
	assert_true(newest(1, gap - SECOND) == gap - SECOND);
	assert_true(newest(1, gap + SECOND) == now - SECOND);
}

static void of_several_sources_the_oldest_counts(void **state)
{
	int64_t base = now - 7200 * (int64_t)SECOND;

	(void)state;
	say("a", FOLLOW_STREAMING, 1, 0, 0);
	say("b", FOLLOW_STREAMING, 1, 9, 0);
	assert_true(newest(2, base) == now - 10 * (int64_t)SECOND);
	say("b", FOLLOW_STREAMING, 1, 0, now - SECOND);
	assert_true(newest(2, base) == base);
	sources[1].postgresql.receive.enabled = false;
	assert_true(newest(2, base) == base);
	sources[1].kind = WORLD_FILES;
	assert_true(newest(2, base) == base);
}

static void hand_over(uint32_t timeline, uint32_t segment, int64_t ago_s)
{
	struct wal_file f = {WAL_FILE_SEGMENT, timeline, 0, segment};
	struct err e;

	assert_int_equal(
	    archived_note(place, "db", "a", &f, 16 << 20, now - ago_s * SECOND, &e), 0);
}

static void what_the_archiver_handed_over_counts_without_a_gap(void **state)
{
	int64_t base = now - 7200 * (int64_t)SECOND;

	(void)state;
	sources[0].postgresql.receive.enabled = false;
	hand_over(1, 7, 7300);
	assert_true(newest(1, base) == base);
	hand_over(1, 8, 300);
	hand_over(1, 7, 10); /* once more */
	assert_true(newest(1, base) == now - 300 * (int64_t)SECOND);
	assert_true(newest(2, base) == base); /* the other source has nothing */
	hand_over(2, 8, 200);                 /* a new timeline, begun in that segment */
	hand_over(2, 9, 100);
	assert_true(newest(1, base) == now - 100 * (int64_t)SECOND);
	hand_over(2, 11, 50); /* 10 is missing */
	assert_true(newest(1, base) == base);
	base = now - 20 * (int64_t)SECOND;
	hand_over(2, 12, 10);
	assert_true(newest(1, base) == now - 10 * (int64_t)SECOND);
	hand_over(2, 13, -60); /* a clock that is wrong */
	assert_true(newest(1, base) == base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(what_the_archiver_handed_over_counts_without_a_gap, declare),
	    cmocka_unit_test_setup(what_is_received_counts_by_its_receivers_word, declare),
	    cmocka_unit_test_setup(a_receiver_that_hangs_is_none, declare),
	    cmocka_unit_test_setup(behind_a_gap_only_a_later_base_counts, declare),
	    cmocka_unit_test_setup(of_several_sources_the_oldest_counts, declare),
	};
	struct err e;
	int failed;

	place = os_scratch_new("/var/tmp", "holdfast-newest", &e);
	if (place == NULL)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)!os_scratch_remove(place, &e);
	free(place);
	return failed;
}
