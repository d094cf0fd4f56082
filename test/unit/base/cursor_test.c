#include "unit/unit.h"

#include "base/buf.h"
#include "base/cursor.h"

static void numbers_round_trip(void **state)
{
	static const uint64_t v[] = {
	    0, 1, 127, 128, 16383, 16384, UINT32_MAX, INT64_MAX, 1ull << 63, UINT64_MAX};
	struct buf b = {0};
	struct cursor c;

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		buf_put_varint(&b, v[i]);
		buf_put_svarint(&b, (int64_t)v[i]);
		buf_put_svarint(&b, (int64_t)(0 - v[i]));
		buf_put_u16(&b, (uint16_t)v[i]);
		buf_put_u32(&b, (uint32_t)v[i]);
		buf_put_u64(&b, v[i]);
	}
	c = cursor_of(buf_span(&b));
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		assert_true(cursor_varint(&c) == v[i]);
		assert_true(cursor_svarint(&c) == (int64_t)v[i]);
		assert_true(cursor_svarint(&c) == (int64_t)(0 - v[i]));
		assert_true(cursor_u16(&c) == (uint16_t)v[i]);
		assert_true(cursor_u32(&c) == (uint32_t)v[i]);
		assert_true(cursor_u64(&c) == v[i]);
	}
	assert_true(cursor_done(&c));
	buf_fini(&b);
}

static void reading_past_the_end_is_bad_and_gives_zeros(void **state)
{
	static const uint8_t p[] = {0xff, 0xff, 0xff};
	struct cursor c = cursor_of(span_of(p, sizeof p));

	assert_int_equal(cursor_u32(&c), 0);
	assert_true(c.bad);
	assert_int_equal(cursor_left(&c), 0);
	/* Once bad, always bad: nothing more is given out. */
	assert_int_equal(cursor_u8(&c), 0);
	assert_int_equal(cursor_bytes(&c, 1).n, 0);
	assert_false(cursor_done(&c));
}

static void an_empty_span_may_be_nowhere(void **state)
{
	struct cursor c = cursor_of(span_of(NULL, 0));

	assert_int_equal(cursor_bytes(&c, 0).n, 0);
	assert_true(cursor_done(&c));
	assert_int_equal(cursor_varint(&c), 0);
	assert_true(c.bad);
}

static void a_varint_of_more_than_64_bits_is_bad(void **state)
{
	static const uint8_t ten[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2};
	static const uint8_t more[] = {
	    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x81, 0};
	static const uint8_t cut[] = {0x80};
	struct cursor c = cursor_of(span_of(ten, sizeof ten));

	assert_int_equal(cursor_varint(&c), 0);
	assert_true(c.bad);
	c = cursor_of(span_of(more, sizeof more));
	assert_int_equal(cursor_varint(&c), 0);
	assert_true(c.bad);
	c = cursor_of(span_of(cut, sizeof cut));
	assert_int_equal(cursor_varint(&c), 0);
	assert_true(c.bad);
}

static void a_string_longer_than_allowed_is_bad(void **state)
{
	static const uint8_t p[] = {3, 'a', 'b', 'c'};
	struct cursor c = cursor_of(span_of(p, sizeof p));

	assert_int_equal(cursor_string(&c, 2).n, 0);
	assert_true(c.bad);
	c = cursor_of(span_of(p, 3));
	assert_int_equal(cursor_string(&c, 9).n, 0);
	assert_true(c.bad);
	c = cursor_of(span_of(p, sizeof p));
	assert_int_equal(cursor_string(&c, 3).n, 3);
	assert_false(c.bad);
}

static void a_count_must_fit_what_is_left(void **state)
{
	static const uint8_t p[] = {3, 1, 2, 3, 4, 5, 6};
	static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1};
	struct cursor c = cursor_of(span_of(p, sizeof p));

	assert_int_equal(cursor_count(&c, 2, 3), 3);
	assert_false(c.bad);
	c = cursor_of(span_of(p, sizeof p));
	assert_int_equal(cursor_count(&c, 3, 3), 0);
	assert_true(c.bad);
	c = cursor_of(span_of(p, sizeof p));
	assert_int_equal(cursor_count(&c, 1, 2), 0);
	assert_true(c.bad);
	c = cursor_of(span_of(huge, sizeof huge));
	assert_int_equal(cursor_count(&c, 1, SIZE_MAX), 0);
	assert_true(c.bad);
}

static void any_bytes_are_read_without_overrun(void **state)
{
	uint64_t seed = 42;

	print_message("# seed %llu\n", (unsigned long long)seed);
	for (int round = 0; round < 5000; round++) {
		size_t n = unit_rand(&seed) % 40;
		uint8_t *p = malloc(n ? n : 1);
		struct cursor c = cursor_of(span_of(p, n));

		unit_rand_fill(&seed, p, n);
		for (int i = 0; i < 20 && !c.bad; i++) {
			switch (unit_rand(&seed) % 5) {
			case 0:
				cursor_varint(&c);
				break;
			case 1:
				cursor_string(&c, 100);
				break;
			case 2:
				cursor_u64(&c);
				break;
			case 3:
				assert_true(cursor_count(&c, 2, 50) * 2 <= cursor_left(&c));
				break;
			default:
				cursor_bytes(&c, unit_rand(&seed) % 9);
			}
			assert_true(c.off <= c.n);
		}
		free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_round_trip),
	    cmocka_unit_test(reading_past_the_end_is_bad_and_gives_zeros),
	    cmocka_unit_test(an_empty_span_may_be_nowhere),
	    cmocka_unit_test(a_varint_of_more_than_64_bits_is_bad),
	    cmocka_unit_test(a_string_longer_than_allowed_is_bad),
	    cmocka_unit_test(a_count_must_fit_what_is_left),
	    cmocka_unit_test(any_bytes_are_read_without_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
