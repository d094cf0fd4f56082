/* pack_dir, index: what is encoded comes back; what is hostile is corrupt. */
#include <stddef.h>
#include <stdint.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include "make_index.h"

static int decode(const struct buf *b, struct err *e)
{
	struct pack_dir d = {0};
	struct cursor c = cursor_of(buf_span(b));
	int rc = pack_dir_decode(&c, &d, e);

	pack_dir_fini(&d);
	return rc;
}

static void put_frame(struct buf *b, uint8_t kind, uint8_t codec, uint64_t stored, uint64_t plain,
    uint64_t nblobs, uint64_t len)
{
	buf_put_u8(b, kind);
	buf_put_u8(b, 0);
	buf_put_u8(b, codec);
	buf_put_varint(b, stored);
	buf_put_varint(b, plain);
	buf_put_varint(b, nblobs);
	buf_put_zeros(b, ID_SIZE);
	buf_put_varint(b, len);
}

static void hostile_numbers_are_corrupt(void **state)
{
	static const struct {
		uint64_t frames, kind, codec, stored, plain, blobs, len;
		int rc;
	} rows[] = {
	    {1, 1, 0, 148, 100, 1, 100, 0},
	    {1, 3, 4, 60, 100, 1, 100, 0},
	    {0, 1, 0, 148, 100, 1, 100, 0}, /* the rest is the caller's */
	    {2, 1, 0, 148, 100, 1, 100, -1},
	    {UINT64_MAX, 1, 0, 148, 100, 1, 100, -1},
	    {1, 0, 0, 148, 100, 1, 100, -1},
	    {1, 4, 0, 148, 100, 1, 100, -1},
	    {1, 1, 5, 60, 100, 1, 100, 0},
	    {1, 2, 5, 60, 100, 1, 100, -1}, /* no names are pages */
	    {1, 1, 6, 148, 100, 1, 100, -1},
	    {1, 1, 0, 149, 100, 1, 100, -1},
	    {1, 1, 1, 47, 100, 1, 100, -1},
	    {1, 1, 1, UINT64_MAX, 100, 1, 100, -1},
	    {1, 1, 1, 100, UINT64_MAX, 1, UINT64_MAX, -1},
	    {1, 1, 1, 100, FORMAT_BLOB_MAX + 1, 1, FORMAT_BLOB_MAX + 1, -1},
	    {1, 1, 0, 148, 100, 0, 100, -1},
	    {1, 1, 0, 148, 100, 2, 100, -1},
	    {1, 1, 0, 148, 100, UINT64_MAX, 100, -1},
	    {1, 1, 0, 148, 100, 1, 99, -1},
	    {1, 1, 0, 148, 100, 1, UINT64_C(100) + (UINT64_C(1) << 32), -1},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b = {0};
		struct err e = {0};

		buf_put_varint(&b, rows[i].frames);
		put_frame(&b, (uint8_t)rows[i].kind, (uint8_t)rows[i].codec, rows[i].stored,
		    rows[i].plain, rows[i].blobs, rows[i].len);
		assert_int_equal(decode(&b, &e), rows[i].rc);
		if (rows[i].rc == -1)
			assert_int_equal(e.kind, ERR_CORRUPT);
		buf_fini(&b);
	}
}

static void more_than_a_pack_holds_is_corrupt(void **state)
{
	struct buf b = {0};
	struct err e = {0};

	buf_put_varint(&b, 11);
	for (int i = 0; i < 11; i++)
		put_frame(&b, 1, 0, FORMAT_BLOB_MAX + 48, FORMAT_BLOB_MAX, 1, FORMAT_BLOB_MAX);
	assert_int_equal(decode(&b, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	buf_fini(&b);
}

static int rebuild(void *arg, const struct index_pack *p, struct err *e)
{
	index_builder_add(arg, p);
	return 0;
}

static void an_index_comes_back_as_it_was(void **state)
{
	struct index_builder *b = index_builder_new();
	struct buf one = {0}, two = {0};
	struct err e = {0};

	make_payload(4, 9, 20, &one);
	assert_int_equal(index_decode(buf_span(&one), rebuild, b, &e), 0);
	assert_int_equal(index_builder_packs(b), 9);
	assert_int_equal(index_builder_blobs(b), 180);
	index_builder_finish(b, &two);
	index_set_deadline(&two, index_deadline(buf_span(&one)));
	assert_int_equal(index_builder_packs(b), 0);
	assert_true(span_eq(buf_span(&one), buf_span(&two)));
	index_builder_free(b);
	buf_fini(&one);
	buf_fini(&two);
}

static void every_shortened_index_is_corrupt(void **state)
{
	struct buf b = {0};

	make_payload(4, 2, 5, &b);
	for (size_t n = 0; n < b.n; n++) {
		struct index_builder *ib = index_builder_new();
		uint8_t *copy = mem_dup(b.p, n);
		struct err e = {0};

		assert_int_equal(index_decode(span_of(copy, n), rebuild, ib, &e), -1);
		assert_int_equal(e.kind, ERR_CORRUPT);
		free(copy);
		index_builder_free(ib);
	}
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hostile_numbers_are_corrupt),
	    cmocka_unit_test(more_than_a_pack_holds_is_corrupt),
	    cmocka_unit_test(an_index_comes_back_as_it_was),
	    cmocka_unit_test(every_shortened_index_is_corrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
