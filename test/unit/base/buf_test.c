#include "unit/unit.h"

#include "base/buf.h"
#include "base/cursor.h"

static void grows_and_keeps_what_it_had(void **state)
{
	struct buf b = {0};

	for (unsigned i = 0; i < 10000; i++)
		buf_put_u8(&b, (uint8_t)(i * 7));
	assert_int_equal(b.n, 10000);
	for (unsigned i = 0; i < 10000; i++)
		assert_int_equal(b.p[i], (uint8_t)(i * 7));
	buf_fini(&b);
	assert_null(b.p);
	assert_int_equal(b.n, 0);
}

static void reset_keeps_the_memory(void **state)
{
	struct buf b = {0};
	uint8_t *p;

	buf_put_zeros(&b, 1000);
	p = b.p;
	buf_reset(&b);
	assert_int_equal(b.n, 0);
	buf_put_zeros(&b, 1000);
	assert_ptr_equal(b.p, p);
	buf_fini(&b);
}

static void nothing_can_be_put_into_nothing(void **state)
{
	struct buf b = {0};

	buf_put(&b, NULL, 0);
	buf_put_zeros(&b, 0);
	buf_put_span(&b, span_of(NULL, 0));
	assert_int_equal(b.n, 0);
	assert_non_null(buf_extend(&b, 0));
	assert_string_equal(buf_cstr(&b), "");
	assert_int_equal(b.n, 0);
	buf_fini(&b);
}

static void integers_are_little_endian(void **state)
{
	static const uint8_t want[] = {1, 3, 2, 7, 6, 5, 4, 15, 14, 13, 12, 11, 10, 9, 8};
	struct buf b = {0};

	buf_put_u8(&b, 1);
	buf_put_u16(&b, 0x0203);
	buf_put_u32(&b, 0x04050607);
	buf_put_u64(&b, 0x08090a0b0c0d0e0f);
	assert_int_equal(b.n, sizeof want);
	assert_memory_equal(b.p, want, sizeof want);
	buf_fini(&b);
}

static void varints_have_their_known_bytes(void **state)
{
	static const uint8_t want[] = {0, 0x7f, 0x80, 1, 0xac, 2, 1, 2, 4};
	struct buf b = {0};

	buf_put_varint(&b, 0);
	buf_put_varint(&b, 127);
	buf_put_varint(&b, 128);
	buf_put_varint(&b, 300);
	buf_put_svarint(&b, -1);
	buf_put_svarint(&b, 1);
	buf_put_svarint(&b, 2);
	assert_int_equal(b.n, sizeof want);
	assert_memory_equal(b.p, want, sizeof want);
	buf_reset(&b);
	buf_put_varint(&b, UINT64_MAX);
	assert_int_equal(b.n, 10);
	buf_fini(&b);
}

static void printf_appends_without_counting_the_nul(void **state)
{
	struct buf b = {0};

	buf_printf(&b, "%s-%d", "ab", 12);
	buf_printf(&b, "%0200d", 7);
	assert_int_equal(b.n, 205);
	assert_memory_equal(b.p, "ab-12000", 8);
	assert_int_equal(strlen(buf_cstr(&b)), 205);
	buf_fini(&b);
}

static void strings_come_back_through_a_cursor(void **state)
{
	struct buf b = {0};
	struct cursor c;

	buf_put_string(&b, span_str("hello"));
	buf_put_string(&b, span_str(""));
	c = cursor_of(buf_span(&b));
	assert_true(span_eq(cursor_string(&c, 5), span_str("hello")));
	assert_int_equal(cursor_string(&c, 5).n, 0);
	assert_true(cursor_done(&c));
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(grows_and_keeps_what_it_had),
	    cmocka_unit_test(reset_keeps_the_memory),
	    cmocka_unit_test(nothing_can_be_put_into_nothing),
	    cmocka_unit_test(integers_are_little_endian),
	    cmocka_unit_test(varints_have_their_known_bytes),
	    cmocka_unit_test(printf_appends_without_counting_the_nul),
	    cmocka_unit_test(strings_come_back_through_a_cursor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
