/* crc32c: the published vectors, and one answer however it is computed. */
#include "unit/unit.h"

#include "codec/crc32c.h"

static void vectors_are_those_of_rfc_3720(void **state)
{
	uint8_t b[48];

	assert_int_equal(crc32c(0, "", 0), 0);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	memset(b, 0, 32);
	assert_int_equal(crc32c(0, b, 32), 0x8a9136aa);
	memset(b, 0xff, 32);
	assert_int_equal(crc32c(0, b, 32), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		b[i] = (uint8_t)i;
	assert_int_equal(crc32c(0, b, 32), 0x46dd794e);
	for (int i = 0; i < 32; i++)
		b[i] = (uint8_t)(31 - i);
	assert_int_equal(crc32c(0, b, 32), 0x113fdb5c);
}

static void every_way_gives_one_answer(void **state)
{
	uint64_t seed = 7;
	uint8_t b[4096];

	unit_rand_fill(&seed, b, sizeof b);
	for (int i = 0; i < 500; i++) {
		size_t at = unit_rand(&seed) % 64, n = unit_rand(&seed) % (sizeof b - 64);
		size_t cut = n ? unit_rand(&seed) % n : 0;
		uint32_t whole = crc32c(0, b + at, n);

		assert_int_equal(whole, crc32c_portable(0, b + at, n));
		assert_int_equal(whole, crc32c(crc32c(0, b + at, cut), b + at + cut, n - cut));
		assert_int_equal(
		    whole, crc32c_portable(crc32c(0, b + at, cut), b + at + cut, n - cut));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(vectors_are_those_of_rfc_3720),
	    cmocka_unit_test(every_way_gives_one_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
