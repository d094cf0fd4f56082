/* near */
#include "unit/unit.h"

#include "base/near.h"

static void distances_are_edits(void **state)
{
	assert_int_equal(near_distance("", ""), 0);
	assert_int_equal(near_distance("kitten", "sitting"), 3);
	assert_int_equal(near_distance("abc", ""), 3);
	assert_int_equal(near_distance("backup", "bakup"), 1);
}

static void a_guess_has_to_be_near(void **state)
{
	const char *best = NULL;
	size_t least = 64;

	near_consider("backpu", "restore", &best, &least);
	assert_null(best);
	near_consider("backpu", "backup", &best, &least);
	assert_string_equal(best, "backup");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(distances_are_edits),
	    cmocka_unit_test(a_guess_has_to_be_near),
	};

	return cmocka_run_group_tests_name("near", tests, NULL, NULL);
}
