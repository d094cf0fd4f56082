/* pg_sync: whom a value of synchronous_standby_names makes commits wait for. */
#include "unit/unit.h"

#include "db/pg_sync.h"

#define SIXTY_THREE "9aaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123"

static void who_is_waited_for_is_read_as_the_server_reads_it(void **state)
{
	static const struct {
		const char *names;
		enum pg_sync how;
		const char *better;
	} rows[] = {
	    {"", PG_SYNC_NOBODY, "holdfast"},
	    {" \t", PG_SYNC_NOBODY, "holdfast"},
	    {"holdfast", PG_SYNC_WAITS, "holdfast"},
	    {" \"HoldFast\" ", PG_SYNC_WAITS, "holdfast"},
	    {"FIRST 1 (holdfast)", PG_SYNC_WAITS, "holdfast"},
	    {"1(holdfast)", PG_SYNC_WAITS, "holdfast"},
	    {"any 2 (a, holdfast)", PG_SYNC_WAITS, "FIRST 2 (holdfast, a)"},
	    {"FIRST 3 (holdfast, a)", PG_SYNC_WAITS, "FIRST 2 (holdfast, a)"},
	    /* While we are away another one is enough. */
	    {"holdfast, a", PG_SYNC_OPTIONAL, "FIRST 2 (holdfast, a)"},
	    {"FIRST 1 (holdfast, \"b c\")", PG_SYNC_OPTIONAL, "FIRST 2 (holdfast, \"b c\")"},
	    {"ANY 1 (a, holdfast, b)", PG_SYNC_OPTIONAL, "FIRST 3 (holdfast, a, b)"},
	    {"*", PG_SYNC_OPTIONAL, "holdfast"},
	    {"holdfast, *", PG_SYNC_OPTIONAL, "holdfast"},
	    {"a", PG_SYNC_OTHERS, "FIRST 2 (holdfast, a)"},
	    {"holdfast2", PG_SYNC_OTHERS, "FIRST 2 (holdfast, holdfast2)"},
	    {"2, 3", PG_SYNC_OTHERS, "FIRST 3 (holdfast, \"2\", \"3\")"},
	    {"\"a\"\"b\"", PG_SYNC_OTHERS, "FIRST 2 (holdfast, \"a\"\"b\")"},
	    {"FIRST 0 (holdfast)", PG_SYNC_NONSENSE, "holdfast"},
	    {"FIRST (holdfast)", PG_SYNC_NONSENSE, "holdfast"},
	    {"ANY 1 (holdfast", PG_SYNC_NONSENSE, "holdfast"},
	    {"holdfast)", PG_SYNC_NONSENSE, "holdfast"},
	    {"holdfast,", PG_SYNC_NONSENSE, "holdfast"},
	    {"\"holdfast", PG_SYNC_NONSENSE, "holdfast"},
	    {"a;b", PG_SYNC_NONSENSE, "holdfast"},
	    /* As long as a name may be: 63 bytes. */
	    {"\"" SIXTY_THREE "\"", PG_SYNC_OTHERS, "FIRST 2 (holdfast, \"" SIXTY_THREE "\")"},
	    {"\"" SIXTY_THREE "x\"", PG_SYNC_NONSENSE, "holdfast"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char better[256];
		enum pg_sync how = pg_sync_names(rows[i].names, "holdfast", better, sizeof better);

		if (how != rows[i].how || strcmp(better, rows[i].better) != 0)
			fail_msg("'%s': %d, '%s'", rows[i].names, how, better);
	}
}

static void what_is_proposed_is_waited_for(void **state)
{
	static const char *const ours[] = {"holdfast", "any", "a b", "x\"y", "9", "FIRST"};

	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
		char better[256], again[256];

		pg_sync_names("ANY 1 (one, two)", ours[i], better, sizeof better);
		assert_int_equal(
		    pg_sync_names(better, ours[i], again, sizeof again), PG_SYNC_WAITS);
		assert_string_equal(better, again);
		/* Where there is no room for all: ours alone. */
		pg_sync_names("ANY 1 (one, two)", ours[i], better, 12);
		assert_int_equal(pg_sync_names(better, ours[i], NULL, 0), PG_SYNC_WAITS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_is_waited_for_is_read_as_the_server_reads_it),
	    cmocka_unit_test(what_is_proposed_is_waited_for),
	};

	return cmocka_run_group_tests_name("pg_sync", tests, NULL, NULL);
}
