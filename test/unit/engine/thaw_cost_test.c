/* thaw_cost_test: what thawing takes and costs, and until when deleting does. */
#include "engine/thaw_cost.h"

#include "unit/unit.h"

static const int64_t DAY = INT64_C(86400) * 1000000000;
static const uint64_t GB = UINT64_C(1) << 30;

static void add(struct thaw_cost *c, enum store_class class, enum store_cold_state state,
    uint64_t size, int64_t days_in_it)
{
	struct store_cold p = {
	    .state = state, .class = class, .size = size, .class_ns = (1000 - days_in_it) * DAY};

	thaw_cost_add(c, &p, 1000 * DAY);
}

static void is_about(double got, double want)
{
	if (got < want * 0.999 || got > want * 1.001)
		fail_msg("%f is not about %f", got, want);
}

static void only_what_sleeps_is_paid_for(void **state)
{
	static const struct thaw_prices none;
	struct thaw_cost c = {0};

	add(&c, STORE_CLASS_S3_GLACIER, STORE_THAWING, 5 * GB, 1);
	add(&c, STORE_CLASS_S3_GLACIER, STORE_THAWED, 5 * GB, 1);
	add(&c, STORE_CLASS_USUAL, STORE_HOT, 5 * GB, 1);
	thaw_cost_offers(&c, &none, 7);
	assert_int_equal(c.all.packs, 3);
	assert_int_equal(c.asleep.packs, 0);
	assert_int_equal(c.thawing.bytes, 5 * GB);
	assert_true(c.offer[STORE_EXPEDITED].cost == 0);
}

/* A thousand packs of a GB: 1,000 GB out, 1,000 requests, and copies for 15 days. */
static void bytes_requests_and_copies_make_the_cost(void **state)
{
	static const struct thaw_prices none;
	struct thaw_prices own = {.given = {[STORE_BULK] = true}, .price = {[STORE_BULK] = {1, 3}}};
	struct thaw_cost c = {0};
	double copies = 1000 * STORE_THAWED_MONTH / 2;

	for (int i = 0; i < 1000; i++)
		add(&c, STORE_CLASS_S3_DEEP_ARCHIVE, STORE_COLD, GB, 1);
	thaw_cost_offers(&c, &none, 15);
	is_about(c.offer[STORE_STANDARD].cost, 1000 * 0.02 + 0.10 + copies);
	is_about(c.offer[STORE_BULK].cost, 1000 * 0.0025 + 0.025 + copies);
	assert_int_equal(c.offer[STORE_STANDARD].seconds, 12 * 3600);
	assert_false(c.offer[STORE_EXPEDITED].offered);
	thaw_cost_offers(&c, &own, 15);
	is_about(c.offer[STORE_BULK].cost, 1000 + 3 + copies);
	is_about(c.offer[STORE_STANDARD].cost, 1000 * 0.02 + 0.10 + copies);
}

static void an_offer_is_as_slow_as_the_slowest_and_needs_all(void **state)
{
	static const struct thaw_prices none;
	struct thaw_cost c = {0};

	add(&c, STORE_CLASS_S3_GLACIER, STORE_COLD, GB, 1);
	thaw_cost_offers(&c, &none, 7);
	assert_true(c.offer[STORE_EXPEDITED].offered);
	assert_int_equal(c.offer[STORE_STANDARD].seconds, 5 * 3600);
	add(&c, STORE_CLASS_S3_DEEP_ARCHIVE, STORE_COLD, GB, 1);
	thaw_cost_offers(&c, &none, 7);
	assert_false(c.offer[STORE_EXPEDITED].offered);
	assert_int_equal(c.offer[STORE_STANDARD].seconds, 12 * 3600);
}

/* Azure's archive is left for good: what is left of its 180 days is due. */
static void who_leaves_early_pays_the_rest(void **state)
{
	static const struct thaw_prices none;
	struct thaw_cost c = {0};

	add(&c, STORE_CLASS_AZURE_ARCHIVE, STORE_COLD, 100 * GB, 90);
	add(&c, STORE_CLASS_AZURE_ARCHIVE, STORE_COLD, 100 * GB, 180);
	thaw_cost_offers(&c, &none, 7);
	is_about(c.offer[STORE_STANDARD].early, 100 * 0.002 * 3);
	is_about(c.offer[STORE_STANDARD].cost,
	    200 * 0.022 + 2 * 0.55 / 1000 + c.offer[STORE_STANDARD].early);
	assert_false(c.offer[STORE_BULK].offered);
}

static void deleting_is_free_once_the_minimum_time_is_over(void **state)
{
	int64_t since = 1000 * DAY;

	assert_int_equal(thaw_cost_free_ns(STORE_CLASS_S3_GLACIER, since), since + 90 * DAY);
	is_about(thaw_cost_early(STORE_CLASS_S3_GLACIER, since, 10 * GB, since + 30 * DAY),
	    10 * 0.0036 * 2);
	assert_true(thaw_cost_early(STORE_CLASS_S3_GLACIER, since, 10 * GB, since + 90 * DAY) == 0);
	assert_true(thaw_cost_early(STORE_CLASS_USUAL, 0, 10 * GB, 1) == 0);
	assert_true(thaw_cost_early(STORE_CLASS_S3_INTELLIGENT, since, 10 * GB, since) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_what_sleeps_is_paid_for),
	    cmocka_unit_test(bytes_requests_and_copies_make_the_cost),
	    cmocka_unit_test(an_offer_is_as_slow_as_the_slowest_and_needs_all),
	    cmocka_unit_test(who_leaves_early_pays_the_rest),
	    cmocka_unit_test(deleting_is_free_once_the_minimum_time_is_over),
	};
	return cmocka_run_group_tests_name("thaw_cost", tests, NULL, NULL);
}
