/* api_limit: so many, and no more, of each. */
#include "unit/unit.h"

#include "api/api_limit.h"

#define SECOND INT64_C(1000000000)

static void a_burst_then_the_rate(void **state)
{
	struct api_limit *l = api_limit_new(2, 3);
	struct span key = span_str("a");
	unsigned wait;

	for (int i = 0; i < 3; i++)
		assert_true(api_limit_take(l, key, SECOND, &wait));
	assert_false(api_limit_take(l, key, SECOND, &wait));
	assert_int_equal(wait, 1);
	assert_true(api_limit_take(l, span_str("b"), SECOND, &wait));
	assert_true(api_limit_take(l, key, SECOND + SECOND / 2, &wait));
	assert_false(api_limit_take(l, key, SECOND + SECOND / 2, &wait));
	/* A clock that goes back gives nothing. */
	assert_false(api_limit_take(l, key, 1, &wait));
	api_limit_free(l);
}

static void a_slow_rate_says_how_long_to_wait(void **state)
{
	struct api_limit *l = api_limit_new(0.1, 1);
	unsigned wait;

	assert_true(api_limit_take(l, span_str("a"), SECOND, &wait));
	assert_false(api_limit_take(l, span_str("a"), SECOND, &wait));
	assert_int_equal(wait, 10);
	assert_true(api_limit_take(l, span_str("a"), 12 * SECOND, &wait));
	api_limit_free(l);
}

static void many_keys_take_no_more_memory_and_are_limited_still(void **state)
{
	struct api_limit *l = api_limit_new(1, 1);
	unsigned wait;
	int may = 0;

	for (int i = 0; i < 100000; i++)
		may += api_limit_take(l, span_of(&i, sizeof i), SECOND + i, &wait);
	assert_int_equal(may, 100000); /* each is new */
	assert_true(api_limit_take(l, span_str("a"), 2 * SECOND, &wait));
	assert_false(api_limit_take(l, span_str("a"), 2 * SECOND, &wait));
	api_limit_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_burst_then_the_rate),
	    cmocka_unit_test(a_slow_rate_says_how_long_to_wait),
	    cmocka_unit_test(many_keys_take_no_more_memory_and_are_limited_still),
	};

	return cmocka_run_group_tests_name("api_limit", tests, NULL, NULL);
}
