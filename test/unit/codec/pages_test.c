/* pages: what is folded comes back, page or not; pages of rows in order shrink by it. */
#include "unit/unit.h"

#include "codec/codec.h"
#include "codec/pages.h"

enum { HEADER = 24, ROW = 64, ROWS = 100 };

static void put_u16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void put_u32(uint8_t *p, uint32_t v)
{
	put_u16(p, v & 0xffff);
	put_u16(p + 2, v >> 16);
}

static void put_item(uint8_t *page, unsigned i, unsigned at, unsigned len)
{
	put_u32(page + HEADER + 4 * i, at | 1U << 15 | len << 17);
}

static void put_header(uint8_t *page, unsigned items, unsigned upper, unsigned special)
{
	put_u16(page + 12, HEADER + 4 * items);
	put_u16(page + 14, upper);
	put_u16(page + 16, special);
	put_u16(page + 18, PAGES_SIZE | 4);
}

/* As a table of numbers has it: rows from the end down, each with its own place and number. */
static void make_page(uint8_t *page, uint32_t block, uint64_t *seed)
{
	unsigned at = PAGES_SIZE;

	memset(page, 0, PAGES_SIZE);
	for (unsigned i = 0; i < ROWS; i++) {
		at -= ROW;
		put_item(page, i, at, ROW);
		put_u32(page + at, 731);
		put_u32(page + at + 12, block);
		put_u16(page + at + 16, i + 1);
		put_u32(page + at + 24, block * ROWS + i);
		unit_rand_fill(seed, page + at + 63, 1);
	}
	put_header(page, ROWS, at, PAGES_SIZE);
}

static void a_page_of_rows_becomes_repetitions_and_comes_back(void **state)
{
	uint8_t page[PAGES_SIZE], was[PAGES_SIZE];
	uint64_t seed = 1;

	make_page(page, 7, &seed);
	memcpy(was, page, sizeof was);
	assert_int_equal(pages_fold(page, 1), 1);
	/* The first row as it was; of each other a step of place and number. */
	assert_memory_equal(page + PAGES_SIZE - ROW, was + PAGES_SIZE - ROW, ROW);
	for (unsigned i = 1; i < ROWS; i++) {
		const uint8_t *row = page + PAGES_SIZE - ROW * (i + 1);
		static const uint8_t want[28] = {[16] = 1, [24] = 1};

		assert_memory_equal(row, want, 28);
		assert_memory_equal(row + 28, was + (row - page) + 28, ROW - 28);
	}
	pages_unfold(page, 1);
	assert_memory_equal(page, was, sizeof was);
}

static void what_is_no_page_stays(void **state)
{
	static const struct {
		unsigned lower, upper, special, size;
	} bad[] = {{HEADER, 8000, 8192, 8196}, {20, 8000, 8192, 8196}, {8001, 8000, 8192, 8196},
	    {100, 8192, 8000, 8196}, {100, 8000, 8193, 8196}, {100, 8000, 8192, 4100},
	    {0, 0, 0, 0}};
	uint8_t page[PAGES_SIZE], was[PAGES_SIZE];
	uint64_t seed = 2;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		unit_rand_fill(&seed, page, sizeof page);
		put_u16(page + 12, bad[i].lower);
		put_u16(page + 14, bad[i].upper);
		put_u16(page + 16, bad[i].special);
		put_u16(page + 18, bad[i].size);
		memcpy(was, page, sizeof was);
		assert_int_equal(pages_fold(page, 1), 0);
		assert_memory_equal(page, was, sizeof was);
	}
}

/* Rows over each other, line pointers to anywhere: damage, or somebody's wish. */
static void any_bytes_under_a_header_come_back(void **state)
{
	enum { TRIALS = 3000 };
	uint8_t page[PAGES_SIZE], was[PAGES_SIZE];
	uint64_t seed = 3;

	for (unsigned trial = 0; trial < TRIALS; trial++) {
		unsigned items = 1 + (unsigned)(unit_rand(&seed) % 2042),
			 upper = HEADER + 4 * items;
		bool near = unit_rand(&seed) % 2;

		unit_rand_fill(&seed, page, sizeof page);
		upper += (unsigned)(unit_rand(&seed) % (PAGES_SIZE - upper + 1));
		put_header(page, items, upper,
		    upper + (unsigned)(unit_rand(&seed) % (PAGES_SIZE - upper + 1)));
		for (unsigned i = 0; i < items; i++)
			put_item(page, i, upper + (unsigned)(unit_rand(&seed) % (near ? 64 : 8192)),
			    (unsigned)(unit_rand(&seed) % 80));
		memcpy(was, page, sizeof was);
		assert_int_equal(pages_fold(page, 1), 1);
		assert_memory_equal(page, was, upper);
		pages_unfold(page, 1);
		assert_memory_equal(page, was, sizeof was);
	}
}

/* ---- As a frame. */

static void assert_comes_back(
    struct codec *c, const uint8_t *packed, size_t n, const uint8_t *was, size_t all)
{
	uint8_t *out = malloc(all);
	struct err e;

	assert_int_equal(codec_decompress(c, CODEC_PAGES, span_of(packed, n), out, all, &e), 0);
	assert_memory_equal(out, was, all);
	/* Cut anywhere it is corrupt, and nothing is overrun. */
	for (size_t k = 0; k < n; k += 1 + n / 50) {
		uint8_t *cut = malloc(k + 1);

		memcpy(cut, packed, k);
		assert_int_equal(
		    codec_decompress(c, CODEC_PAGES, span_of(cut, k), out, all, &e), -1);
		free(cut);
	}
	assert_int_equal(
	    codec_decompress(c, CODEC_PAGES, span_of(packed, n), out, all - 1, &e), -1);
	free(out);
}

static void a_frame_of_odd_pieces_and_pages_comes_back_smaller(void **state)
{
	/* Files without pages, of pages, of pages and a rest. */
	static const uint32_t lens[] = {3, 16384, 65536, 512, 8192 + 100, 8192, 0, 5, 65536};
	enum { N = sizeof lens / sizeof *lens };
	struct codec *c = codec_new();
	size_t all = 0, n, plain_n;
	uint8_t *plain, *was, *out;
	uint64_t seed = 4;

	for (size_t i = 0; i < N; i++)
		all += lens[i];
	plain = malloc(all);
	was = malloc(all);
	out = malloc(codec_bound(all));
	for (size_t i = 0, at = 0; i < N; at += lens[i++]) {
		memset(plain + at, 'x', lens[i]);
		for (uint32_t k = 0; k + PAGES_SIZE <= lens[i]; k += PAGES_SIZE)
			make_page(plain + at + k, (uint32_t)at, &seed);
	}
	memcpy(was, plain, all);
	plain_n = codec_compress(c, CODEC_ZSTD, 3, span_of(plain, all), out);
	n = codec_compress_pages(c, 3, plain, lens, N, out);
	assert_in_range(n, 1, plain_n * 9 / 10);
	assert_comes_back(c, out, n, was, all);
	free(plain);
	free(was);
	free(out);
	codec_free(c);
}

/* More stretches than are noted: those beyond stay. */
static void however_many_pieces_there_are_they_fit(void **state)
{
	enum { N = 400, EACH = PAGES_SIZE + 1 };
	struct codec *c = codec_new();
	uint8_t *plain = malloc(N * EACH), *was = malloc(N * EACH),
		*out = malloc(codec_bound(N * EACH));
	uint32_t lens[N];
	uint64_t seed = 5;
	size_t n;

	for (size_t i = 0; i < N; i++) {
		lens[i] = EACH;
		make_page(plain + i * EACH, (uint32_t)i, &seed);
		plain[i * EACH + PAGES_SIZE] = 0;
	}
	memcpy(was, plain, N * EACH);
	n = codec_compress_pages(c, CODEC_QUICK, plain, lens, N, out);
	assert_true(n > 0);
	assert_comes_back(c, out, n, was, N * EACH);
	free(plain);
	free(was);
	free(out);
	codec_free(c);
}

static void what_gains_nothing_is_left_as_it_was(void **state)
{
	enum { SIZE = 4 * PAGES_SIZE };
	static uint8_t plain[SIZE], was[SIZE], out[SIZE + SIZE / 128 + 1024];
	static const uint32_t one = SIZE, odd = PAGES_SIZE - 1;
	struct codec *c = codec_new();
	uint64_t seed = 6;

	/* No page; no room for one; a page of noise. */
	memset(plain, 'x', SIZE);
	assert_int_equal(codec_compress_pages(c, 3, plain, &one, 1, out), 0);
	assert_int_equal(codec_compress_pages(c, 3, plain, &odd, 1, out), 0);
	unit_rand_fill(&seed, plain, SIZE);
	for (size_t i = 0; i < 4; i++) {
		put_header(plain + i * PAGES_SIZE, 2, 1000, PAGES_SIZE);
		put_item(plain + i * PAGES_SIZE, 0, 4000, 2000);
		put_item(plain + i * PAGES_SIZE, 1, 1000, 2000);
	}
	memcpy(was, plain, SIZE);
	assert_int_equal(codec_compress_pages(c, 3, plain, &one, 1, out), 0);
	assert_memory_equal(plain, was, SIZE);
	codec_free(c);
}

static void stretches_that_cannot_be_are_corrupt(void **state)
{
	/* None; too many; longer than the frame, also where numbers run over. */
	static const struct {
		uint8_t n, p[24];
	} bad[] = {{0, {0}}, {1, {0}}, {1, {65}}, {3, {1, 0, 3}}, {4, {1, 0x81, 0x40, 2}},
	    {12, {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1}},
	    {12, {1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}}};
	struct codec *c = codec_new();
	static uint8_t out[2 * PAGES_SIZE];
	struct err e;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(codec_decompress(c, CODEC_PAGES, span_of(bad[i].p, bad[i].n), out,
				     sizeof out, &e),
		    -1);
		assert_int_equal(e.kind, ERR_CORRUPT);
	}
	codec_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_page_of_rows_becomes_repetitions_and_comes_back),
	    cmocka_unit_test(what_is_no_page_stays),
	    cmocka_unit_test(any_bytes_under_a_header_come_back),
	    cmocka_unit_test(a_frame_of_odd_pieces_and_pages_comes_back_smaller),
	    cmocka_unit_test(however_many_pieces_there_are_they_fit),
	    cmocka_unit_test(what_gains_nothing_is_left_as_it_was),
	    cmocka_unit_test(stretches_that_cannot_be_are_corrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
