#include "unit/unit.h"

#include "base/hex.h"
#include "crypto/blake3.h"
#include "unit/crypto/blake3_vectors.h"

enum { VECTORS = sizeof blake3_vectors / sizeof *blake3_vectors, LONGEST = 102400, ALIGN = 64 };

static const uint8_t key[BLAKE3_KEY + 1] = "whats the Elvish word for friend";

/* Bytes of the test vectors, `shift` past an alignment of 64. */
static uint8_t *input(size_t shift, void **mem)
{
	uint8_t *p = *mem = aligned_alloc(ALIGN, LONGEST + 2 * ALIGN);

	p += shift;
	for (size_t i = 0; i < LONGEST; i++)
		p[i] = (uint8_t)(i % 251);
	return p;
}

static void check_hex(const uint8_t got[BLAKE3_OUT], const char *want)
{
	char text[2 * BLAKE3_OUT + 1];

	assert_string_equal(hex_encode(text, got, BLAKE3_OUT), want);
}

static void every_variant_gives_the_official_vectors_at_every_alignment(void **state)
{
	uint8_t out[BLAKE3_OUT];

	for (unsigned v = 0; blake3_variant(v); v++) {
		assert_true(blake3_use(blake3_variant(v)));
		print_message("# variant %s\n", blake3_variant(v));
		for (size_t shift = 0; shift < ALIGN; shift++) {
			void *mem;
			uint8_t *in = input(shift, &mem);

			for (size_t i = 0; i < VECTORS; i++) {
				struct span s = span_of(in, blake3_vectors[i].len);

				blake3_hash(NULL, s, out);
				check_hex(out, blake3_vectors[i].hash);
				blake3_hash(key, s, out);
				check_hex(out, blake3_vectors[i].keyed);
			}
			free(mem);
		}
	}
}

static void a_stream_in_any_pieces_is_the_hash_at_once(void **state)
{
	static const size_t piece[] = {1, 63, 64, 65, 1000, 1024, 1025, 16383, 16384, 16385, 70000};
	struct blake3 *b = blake3_new();
	uint8_t out[BLAKE3_OUT];
	void *mem;
	uint8_t *in = input(0, &mem);

	for (unsigned v = 0; blake3_variant(v); v++) {
		assert_true(blake3_use(blake3_variant(v)));
		for (size_t p = 0; p < sizeof piece / sizeof *piece; p++)
			for (size_t i = 0; i < VECTORS; i++) {
				size_t n = blake3_vectors[i].len;

				for (size_t at = 0; at < n; at += piece[p])
					blake3_add(b, span_of(in + at,
							  n - at < piece[p] ? n - at : piece[p]));
				blake3_end(b, out);
				check_hex(out, blake3_vectors[i].hash);
				blake3_reset(b);
			}
	}
	blake3_free(b);
	blake3_free(NULL);
	free(mem);
}

/* The input ends where its memory does, so that a sanitizer sees a byte read too many. */
static void one_random_input(uint64_t *seed, size_t n, struct blake3 *b)
{
	uint8_t *in = malloc(n + !n), k[BLAKE3_KEY], want[2][BLAKE3_OUT], got[BLAKE3_OUT];

	unit_rand_fill(seed, in, n);
	unit_rand_fill(seed, k, sizeof k);
	assert_true(blake3_use("portable"));
	blake3_hash(NULL, span_of(in, n), want[0]);
	blake3_hash(k, span_of(in, n), want[1]);
	for (unsigned v = 0; blake3_variant(v); v++) {
		assert_true(blake3_use(blake3_variant(v)));
		blake3_hash(NULL, span_of(in, n), got);
		assert_memory_equal(got, want[0], sizeof got);
		blake3_hash(k, span_of(in, n), got);
		assert_memory_equal(got, want[1], sizeof got);
		for (size_t at = 0; at < n;) {
			size_t most = unit_rand(seed) % 2 ? 40000 : 3000,
			       step = unit_rand(seed) % most;

			step = step < n - at ? step : n - at;
			blake3_add(b, span_of(in + at, step));
			at += step;
		}
		blake3_end(b, got);
		assert_memory_equal(got, want[0], sizeof got);
		blake3_reset(b);
	}
	free(in);
}

static void every_variant_is_the_portable_one_on_random_inputs(void **state)
{
	const char *given = getenv("HF_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)(uintptr_t)&seed >> 4;
	struct blake3 *b = blake3_new();

	print_message("# seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < 300; i++)
		one_random_input(&seed, unit_rand(&seed) % 70000, b);
	/* Beyond the largest group, so that the tree's stack is used. */
	for (int i = 0; i < 4; i++)
		one_random_input(&seed, 1 << 20 | (unit_rand(&seed) % 70000), b);
	blake3_free(b);
}

static void an_unknown_variant_is_refused(void **state)
{
	assert_false(blake3_use("abacus"));
	assert_true(blake3_use(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_variant_gives_the_official_vectors_at_every_alignment),
	    cmocka_unit_test(a_stream_in_any_pieces_is_the_hash_at_once),
	    cmocka_unit_test(every_variant_is_the_portable_one_on_random_inputs),
	    cmocka_unit_test(an_unknown_variant_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
