/* store_class_test: the table of storage classes. */
#include "store/store_class.h"

#include "unit/unit.h"

static void every_class_is_found_by_its_store_s_name(void **state)
{
	for (unsigned i = STORE_CLASS_USUAL + 1; i < STORE_CLASSES; i++) {
		const struct store_class_info *c = store_class_info(i);

		assert_int_equal(store_class_find(c->scheme, span_str(c->name)), i);
		assert_int_equal(store_class_find("fs", span_str(c->name)), STORE_CLASS_USUAL);
	}
	assert_int_equal(store_class_find("s3", span_str("glacier")), STORE_CLASS_S3_GLACIER);
	assert_int_equal(store_class_find("s3", span_str("STANDARD")), STORE_CLASS_USUAL);
	assert_int_equal(store_class_find("s3", span_str("")), STORE_CLASS_USUAL);
	assert_int_equal(store_class_find("s3", span_str("COLDLINE")), STORE_CLASS_GCS_COLDLINE);
	assert_int_equal(store_class_find("azure", span_str("Hot")), STORE_CLASS_USUAL);
}

static void what_sleeps_can_be_woken_at_standard_speed_and_faster_costs_more(void **state)
{
	for (unsigned i = 0; i < STORE_CLASSES; i++) {
		const struct store_class_info *c = store_class_info(i);

		assert_false(c->asleep && c->thaw[STORE_STANDARD].seconds == 0);
		assert_false(c->asleep && c->read > 0);
		assert_true((c->min_days == 0) == (c->month == 0));
		for (int k = STORE_BULK + 1; k < STORE_SPEEDS; k++) {
			if (c->thaw[k].seconds == 0 || c->thaw[k - 1].seconds == 0)
				continue;
			assert_true(c->thaw[k].seconds < c->thaw[k - 1].seconds);
			assert_true(c->thaw[k].price.gb >= c->thaw[k - 1].price.gb);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_class_is_found_by_its_store_s_name),
	    cmocka_unit_test(what_sleeps_can_be_woken_at_standard_speed_and_faster_costs_more),
	};
	return cmocka_run_group_tests_name("store_class", tests, NULL, NULL);
}
