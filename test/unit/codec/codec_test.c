#include "unit/unit.h"

#include <brotli/encode.h>
#include <lz4.h>
#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"
#include "codec/codec.h"

static const enum codec_id real[] = {CODEC_ZSTD, CODEC_LZ4, CODEC_GZIP, CODEC_BROTLI};

#define FOR_REAL(id) for (const enum codec_id *id = real; id < real + 4; id++)

enum { GUARD = 64, GUARD_BYTE = 0xa5 };

/* Words, so that it resembles text. */
static void fill_text(uint64_t *seed, uint8_t *p, size_t n)
{
	static const char *const word[] = {"backup ", "restore ", "the ", "of ", "index ", "pack\n",
	    "tree ", "a ", "snapshot ", "key "};
	size_t at = 0;

	while (at < n) {
		const char *w = word[unit_rand(seed) % 10];
		size_t k = strlen(w) < n - at ? strlen(w) : n - at;

		memcpy(p + at, w, k);
		at += k;
	}
}

/* Unpack into memory of its own with guards on both sides; -1, 0. */
static int unpack(struct codec *c, enum codec_id id, struct span in, struct span want)
{
	uint8_t *mem = malloc(want.n + 2 * GUARD);
	struct err e;
	int rc;

	memset(mem, GUARD_BYTE, want.n + 2 * GUARD);
	rc = codec_decompress(c, id, in, mem + GUARD, want.n, &e);
	for (size_t i = 0; i < GUARD; i++) {
		assert_int_equal(mem[i], GUARD_BYTE);
		assert_int_equal(mem[GUARD + want.n + i], GUARD_BYTE);
	}
	if (rc == -1)
		assert_int_equal(e.kind, ERR_CORRUPT);
	else if (want.p != NULL)
		assert_memory_equal(mem + GUARD, want.p, want.n);
	free(mem);
	return rc;
}

/* The compressed form in new memory of exactly its length. */
static struct span pack(struct codec *c, enum codec_id id, int level, struct span in)
{
	uint8_t *out = malloc(codec_bound(in.n) + GUARD);
	size_t n;

	memset(out + codec_bound(in.n), GUARD_BYTE, GUARD);
	n = codec_compress(c, id, level, in, out);
	for (size_t i = 0; i < GUARD; i++)
		assert_int_equal(out[codec_bound(in.n) + i], GUARD_BYTE);
	if (n)
		out = realloc(out, n);
	return span_of(out, n);
}

static void the_table_is_well_formed(void **state)
{
	for (unsigned i = 0; i < CODEC_COUNT; i++) {
		const struct codec_info *t = codec_info((enum codec_id)i);
		enum codec_id id;
		int level;

		assert_int_equal(t->id, i);
		assert_true(t->min <= t->dflt && t->dflt <= t->max);
		assert_int_equal(codec_parse(t->name, &id, &level), i != CODEC_PAGES);
		if (i == CODEC_PAGES) /* is chosen, not named */
			continue;
		assert_int_equal(id, i);
		assert_int_equal(level, CODEC_AUTO);
	}
	assert_null(codec_info(CODEC_COUNT));
	assert_null(codec_info((enum codec_id)99));
}

static void parse_takes_names_and_levels_and_nothing_else(void **state)
{
	static const char *const bad[] = {"", ":", "zst", "zstdx", "zstd:", "zstd:0", "zstd:20",
	    "zstd:-1", "zstd:3x", "zstd: 3", "ZSTD", "none:1", "zstd:99999999999999999999",
	    "lz4:13"};
	enum codec_id id = CODEC_NONE;
	int level = -1;

	assert_true(codec_parse("zstd:9", &id, &level));
	assert_int_equal(id, CODEC_ZSTD);
	assert_int_equal(level, 9);
	assert_true(codec_parse("brotli:0", &id, &level));
	assert_int_equal(id, CODEC_BROTLI);
	assert_int_equal(level, 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(codec_parse(bad[i], &id, &level));
}

static void the_bound_holds_for_every_library(void **state)
{
	static const size_t n[] = {0, 1, 100, 1000, 65535, 131072, 1 << 20, 8 << 20, 80 << 20};

	for (size_t i = 0; i < sizeof n / sizeof *n; i++) {
		assert_true(codec_bound(n[i]) >= ZSTD_compressBound(n[i]));
		assert_true(codec_bound(n[i]) >= (size_t)LZ4_compressBound((int)n[i]));
		assert_true(codec_bound(n[i]) >= compressBound(n[i]));
		assert_true(codec_bound(n[i]) >= BrotliEncoderMaxCompressedSize(n[i]));
	}
}

static void every_level_of_every_codec_round_trips(void **state)
{
	enum { N = 100000 };
	struct codec *c = codec_new();
	uint8_t *data = malloc(N);
	uint64_t seed = 1;

	fill_text(&seed, data, N);
	FOR_REAL(id)
	{
		/* Down and up, so that a level change is seen to take effect. */
		for (int l = codec_info(*id)->max; l >= CODEC_LOG; l--) {
			struct span z;

			if (l > CODEC_AUTO && l < codec_info(*id)->min)
				continue;
			z = pack(c, *id, l, span_of(data, N));

			assert_true(z.n > 0 && z.n < N / 2);
			assert_int_equal(unpack(c, *id, z, span_of(data, N)), 0);
			free((void *)z.p);
		}
	}
	free(data);
	codec_free(c);
}

static void a_higher_level_packs_tighter(void **state)
{
	enum { N = 300000 };
	struct codec *c = codec_new();
	uint8_t *data = malloc(N);
	uint64_t seed = 2;

	fill_text(&seed, data, N);
	FOR_REAL(id)
	{
		struct span lo = pack(c, *id, codec_info(*id)->min, span_of(data, N));
		struct span hi = pack(c, *id, codec_info(*id)->max, span_of(data, N));

		assert_true(hi.n < lo.n);
		free((void *)lo.p);
		free((void *)hi.p);
	}
	free(data);
	codec_free(c);
}

static void sizes_around_zero_round_trip_or_stay(void **state)
{
	static uint8_t zeros[70];
	struct codec *c = codec_new();

	FOR_REAL(id)
	{
		for (size_t n = 0; n <= sizeof zeros; n++) {
			struct span z = pack(c, *id, codec_info(*id)->dflt, span_of(zeros, n));

			assert_true(z.n == 0 || z.n < n);
			if (z.n)
				assert_int_equal(unpack(c, *id, z, span_of(zeros, n)), 0);
			free((void *)z.p);
		}
		/* No bytes are no stream, and there is nothing to point at. */
		assert_int_equal(unpack(c, *id, span_of(NULL, 0), span_of(zeros, 1)), -1);
		assert_int_equal(
		    codec_decompress(c, *id, span_of("x", 1), NULL, 0, &(struct err){0}), -1);
	}
	assert_int_equal(unpack(c, CODEC_NONE, span_of(NULL, 0), span_of(NULL, 0)), 0);
	codec_free(c);
	codec_free(NULL);
}

static void none_copies_exactly(void **state)
{
	struct codec *c = codec_new();

	assert_int_equal(unpack(c, CODEC_NONE, span_str("abc"), span_str("abc")), 0);
	assert_int_equal(unpack(c, CODEC_NONE, span_str("abc"), span_str("ab")), -1);
	assert_int_equal(unpack(c, CODEC_NONE, span_str("abc"), span_str("abcd")), -1);
	codec_free(c);
}

static void an_unknown_codec_is_unsupported(void **state)
{
	struct codec *c = codec_new();
	uint8_t out[4];
	struct err e;

	assert_int_equal(codec_decompress(c, (enum codec_id)77, span_str("abcd"), out, 4, &e), -1);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	codec_free(c);
}

/* Does anything come of n bytes, by zstd? */
static bool gains(const uint8_t *data, size_t n)
{
	struct codec *c = codec_new();
	struct span a = pack(c, CODEC_ZSTD, 3, span_of(data, n));
	bool yes = a.n > 0;

	free((void *)a.p);
	codec_free(c);
	return yes;
}

static void random_bytes_are_stored(void **state)
{
	uint8_t *data = malloc(1 << 20);
	uint64_t seed = 7;

	print_message("# seed %llu\n", (unsigned long long)seed);
	for (size_t n = 1; n <= 1 << 20; n *= 4) {
		unit_rand_fill(&seed, data, n);
		assert_false(gains(data, n));
	}
	free(data);
}

static void the_gain_must_be_a_thirty_second(void **state)
{
	enum { N = 12800 }; /* small enough to be tried always */
	struct codec *c = codec_new();
	uint8_t *data = malloc(N);
	uint64_t seed = 8;

	FOR_REAL(id)
	{
		for (size_t zeros = 0; zeros < 1200; zeros += 20) {
			struct span z;

			unit_rand_fill(&seed, data, N);
			memset(data, 0, zeros);
			z = pack(c, *id, codec_info(*id)->dflt, span_of(data, N));
			assert_true(z.n <= N - N / 32);
			assert_int_equal(zeros > 600, z.n > 0 && zeros > 600);
			if (zeros < 400)
				assert_int_equal(z.n, 0);
			free((void *)z.p);
		}
	}
	free(data);
	codec_free(c);
}

static void structured_bytes_are_not_taken_for_random(void **state)
{
	enum { N = 1 << 20 };
	uint8_t *data = malloc(N);
	uint64_t seed = 9;

	/* Perfectly even counts, yet nothing but a counter. */
	for (size_t i = 0; i < N; i++)
		data[i] = (uint8_t)i;
	assert_true(gains(data, N));
	/* Rising 32-bit numbers. */
	for (uint32_t i = 0; i < N / 4; i++)
		memcpy(data + 4 * i, &(uint32_t){i * 2654435761u >> 8}, 4);
	assert_true(gains(data, N));
	/* Random digits in hex: half the bits. */
	for (size_t i = 0; i < N; i++)
		data[i] = (uint8_t) "0123456789abcdef"[unit_rand(&seed) & 15];
	assert_true(gains(data, N));
	/* Seven bits of eight: an eighth to gain. */
	for (size_t i = 0; i < N; i++)
		data[i] = (uint8_t)(unit_rand(&seed) & 0x7f);
	assert_true(gains(data, N));
	fill_text(&seed, data, N);
	assert_true(gains(data, N));
	free(data);
}

static void half_random_is_still_compressed(void **state)
{
	enum { N = 1 << 20 };
	uint8_t *data = malloc(N);
	uint64_t seed = 10;

	unit_rand_fill(&seed, data, N);
	fill_text(&seed, data, N / 2);
	assert_true(gains(data, N));
	unit_rand_fill(&seed, data, N);
	fill_text(&seed, data + N / 2, N / 2);
	assert_true(gains(data, N));
	for (size_t at = 0; at < N; at += 32 << 10) {
		unit_rand_fill(&seed, data + at, 16 << 10);
		fill_text(&seed, data + at + (16 << 10), 16 << 10);
	}
	assert_true(gains(data, N));
	free(data);
}

static void our_own_program_is_compressed(void **state)
{
	FILE *f = fopen("/proc/self/exe", "rb");
	uint8_t *data = malloc(1 << 20);
	size_t n;

	assert_non_null(f);
	n = fread(data, 1, 1 << 20, f);
	fclose(f);
	assert_true(gains(data, n));
	free(data);
}

static void a_wrong_declared_length_is_corrupt(void **state)
{
	enum { N = 200000 };
	static const long off[] = {-N, -N + 1, -1000, -1, 1, 2, 1000, 1000000};
	struct codec *c = codec_new();
	uint8_t *data = calloc(1, N); /* zeros: the worst ratio, a bomb */

	FOR_REAL(id)
	{
		struct span z = pack(c, *id, codec_info(*id)->dflt, span_of(data, N));

		assert_true(z.n > 0 && z.n < 2000);
		for (size_t i = 0; i < sizeof off / sizeof *off; i++)
			assert_int_equal(
			    unpack(c, *id, z, span_of(NULL, (size_t)(N + off[i]))), -1);
		/* And it is none the worse for that. */
		assert_int_equal(unpack(c, *id, z, span_of(data, N)), 0);
		free((void *)z.p);
	}
	free(data);
	codec_free(c);
}

static void truncated_input_is_corrupt_everywhere(void **state)
{
	enum { N = 3000 };
	struct codec *c = codec_new();
	uint8_t *data = malloc(N);
	uint64_t seed = 11;

	fill_text(&seed, data, N);
	FOR_REAL(id)
	{
		struct span z = pack(c, *id, codec_info(*id)->dflt, span_of(data, N));

		for (size_t n = 0; n < z.n; n++) {
			uint8_t *cut = malloc(n ? n : 1);

			memcpy(cut, z.p, n);
			assert_int_equal(unpack(c, *id, span_of(cut, n), span_of(NULL, N)), -1);
			free(cut);
		}
		free((void *)z.p);
	}
	free(data);
	codec_free(c);
}

static void bytes_after_the_end_are_corrupt(void **state)
{
	enum { N = 3000 };
	struct codec *c = codec_new();
	uint8_t *data = malloc(N);
	uint64_t seed = 12;

	fill_text(&seed, data, N);
	FOR_REAL(id)
	{
		struct span z = pack(c, *id, codec_info(*id)->dflt, span_of(data, N));
		uint8_t *longer = calloc(1, z.n + 1);

		memcpy(longer, z.p, z.n);
		assert_int_equal(unpack(c, *id, span_of(longer, z.n + 1), span_of(NULL, N)), -1);
		free(longer);
		free((void *)z.p);
	}
	free(data);
	codec_free(c);
}

/* Whether a flip is noticed is up to the seal; here, nothing may break. */
static void flipped_bits_never_overrun(void **state)
{
	enum { N = 3000 };
	struct codec *c = codec_new();
	uint8_t *data = malloc(N);
	uint64_t seed = 13;

	print_message("# seed %llu\n", (unsigned long long)seed);
	fill_text(&seed, data, N);
	FOR_REAL(id)
	{
		struct span z = pack(c, *id, codec_info(*id)->dflt, span_of(data, N));
		uint8_t *bad = malloc(z.n);

		for (size_t bit = 0; bit < 8 * z.n; bit++) {
			memcpy(bad, z.p, z.n);
			bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
			unpack(c, *id, span_of(bad, z.n), span_of(NULL, N));
		}
		for (int i = 0; i < 2000; i++) {
			unit_rand_fill(&seed, bad, z.n);
			unpack(c, *id, span_of(bad, z.n), span_of(NULL, N));
		}
		assert_int_equal(unpack(c, *id, z, span_of(data, N)), 0);
		free(bad);
		free((void *)z.p);
	}
	free(data);
	codec_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_table_is_well_formed),
	    cmocka_unit_test(parse_takes_names_and_levels_and_nothing_else),
	    cmocka_unit_test(the_bound_holds_for_every_library),
	    cmocka_unit_test(every_level_of_every_codec_round_trips),
	    cmocka_unit_test(a_higher_level_packs_tighter),
	    cmocka_unit_test(sizes_around_zero_round_trip_or_stay),
	    cmocka_unit_test(none_copies_exactly),
	    cmocka_unit_test(an_unknown_codec_is_unsupported),
	    cmocka_unit_test(random_bytes_are_stored),
	    cmocka_unit_test(the_gain_must_be_a_thirty_second),
	    cmocka_unit_test(structured_bytes_are_not_taken_for_random),
	    cmocka_unit_test(half_random_is_still_compressed),
	    cmocka_unit_test(our_own_program_is_compressed),
	    cmocka_unit_test(a_wrong_declared_length_is_corrupt),
	    cmocka_unit_test(truncated_input_is_corrupt_everywhere),
	    cmocka_unit_test(bytes_after_the_end_are_corrupt),
	    cmocka_unit_test(flipped_bits_never_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
