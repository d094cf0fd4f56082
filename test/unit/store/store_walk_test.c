/* What a server names is measured. */
#include "store/store_walk.h"
#include "unit/unit.h"

static void folders_come_back_the_last_one_first(void **state)
{
	struct store_walk w = {0};
	char *a, *b;

	for (int i = 0; i < 100; i++)
		store_walk_add(&w, i == 99 ? "last" : "other");
	a = store_walk_next(&w);
	b = store_walk_next(&w);
	assert_string_equal(a, "last/");
	assert_string_equal(b, "other/");
	free(a);
	free(b);
	store_walk_fini(&w);
	assert_null(store_walk_next(&w));
}

static void what_is_too_far_down_is_not_followed(void **state)
{
	struct store_walk w = {0};
	char path[200] = "a";
	size_t n;

	for (n = 1; n < STORE_WALK_DEPTH; n++)
		strcat(path, "/a");
	store_walk_add(&w, path);
	assert_int_equal(w.n, 1);
	store_walk_add(&w, strcat(path, "/a"));
	assert_int_equal(w.n, 1);
	store_walk_fini(&w);
}

static void a_server_that_names_things_for_ever_is_told(void **state)
{
	struct store_walk w = {.entries = STORE_WALK_MAX - 1};
	struct err e = {0};

	assert_int_equal(store_walk_count(&w, &e), 0);
	assert_int_equal(store_walk_count(&w, &e), -1);
	assert_int_equal(e.kind, ERR_FAILED);
	assert_int_equal(store_walk_count(&w, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(folders_come_back_the_last_one_first),
	    cmocka_unit_test(what_is_too_far_down_is_not_followed),
	    cmocka_unit_test(a_server_that_names_things_for_ever_is_told),
	};

	return cmocka_run_group_tests_name("store_walk", tests, NULL, NULL);
}
