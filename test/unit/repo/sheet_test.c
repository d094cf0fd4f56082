/* sheet: what is printed comes back, however long it is. */
#include "unit/unit.h"

#include "repo/sheet.h"

static void a_sheet_of_any_config_comes_back(void **state)
{
	static const size_t sizes[] = {1, 30, 29000, 31000, 1 << 20, 4 << 20};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct buf bytes = {0}, text = {0}, got = {0};
		uint64_t seed = i;
		struct err e;

		/* Random bytes are those that compress least. */
		unit_rand_fill(&seed, buf_extend(&bytes, sizes[i]), sizes[i]);
		sheet_encode(SHEET_CONFIG, buf_span(&bytes), &text);
		assert_int_equal(sheet_decode(SHEET_CONFIG, buf_span(&text), &got, &e), 1);
		assert_int_equal(got.n, bytes.n);
		assert_memory_equal(got.p, bytes.p, got.n);
		buf_fini(&bytes);
		buf_fini(&text);
		buf_fini(&got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_sheet_of_any_config_comes_back)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
