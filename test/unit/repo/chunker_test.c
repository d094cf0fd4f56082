/* chunker: cuts depend on content alone. */
#include <stddef.h>
#include <stdint.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/mem.h"
#include "repo/chunker.h"

static const uint8_t key_a[32] = {1}, key_b[32] = {2};

static uint64_t next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static void fill_random(uint8_t *p, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i += 8) {
		uint64_t v = next_random(&seed);

		memcpy(p + i, &v, n - i < 8 ? n - i : 8);
	}
}

/* 8 KiB pages, alike but for a counter, as a database leaves them. */
static void fill_pages(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i % 8192 % 251);
	for (size_t i = 0; i + 8 <= n; i += 8192) {
		uint64_t v = i / 8192;

		memcpy(p + i, &v, 8);
	}
}

static void fill_text(uint8_t *p, size_t n)
{
	static const char *words[] = {
	    "alpha ", "beta ", "gamma\n", "delta, ", "of ", "the ", "and "};
	uint64_t seed = 7;

	for (size_t i = 0; i < n;) {
		const char *w = words[next_random(&seed) % 7];

		for (; *w && i < n; i++)
			p[i] = (uint8_t)*w++;
	}
}

static size_t cut_all(const struct chunker *c, const uint8_t *p, size_t n, size_t *ends)
{
	size_t at = 0, count = 0;

	while (at < n) {
		size_t len = chunker_next(c, span_of(p + at, n - at), true);

		assert_true(len > 0 && len <= c->max && len <= n - at);
		assert_true(len >= c->min || len == n - at);
		at += len;
		ends[count++] = at;
	}
	return count;
}

/* How many chunks of the changed stream are not chunks of the first. */
static size_t changed_by_insertion(uint8_t *p, size_t n, size_t at, size_t len)
{
	static size_t a[4096], b[4096];
	size_t na, nb, changed = 0;
	uint8_t *q = mem_alloc(n + len);
	struct chunker c;

	chunker_init(&c, CHUNKER_GEAR, key_a, 0, 0, 0);
	memcpy(q, p, at);
	fill_random(q + at, len, 99);
	memcpy(q + at + len, p + at, n - at);
	na = cut_all(&c, p, n, a);
	nb = cut_all(&c, q, n + len, b);
	for (size_t i = 0; i < nb; i++) {
		bool found = false;
		size_t from = i ? b[i - 1] : 0;

		for (size_t k = 0; k < na && !found; k++) {
			size_t f = k ? a[k - 1] : 0;

			found = a[k] - f == b[i] - from &&
				memcmp(p + f, q + from, b[i] - from) == 0;
		}
		changed += !found;
	}
	free(q);
	return changed;
}

enum { BIG = 64 << 20 };

static void insertion_changes_few_chunks_of_random_data(void **state)
{
	uint8_t *p = mem_alloc(BIG);

	fill_random(p, BIG, 42);
	assert_in_range(changed_by_insertion(p, BIG, BIG / 2 + 12345, 1024), 1, 3);
	free(p);
}

static void insertion_changes_few_chunks_of_pages(void **state)
{
	uint8_t *p = mem_alloc(BIG);

	fill_pages(p, BIG);
	assert_in_range(changed_by_insertion(p, BIG, BIG / 2 + 12345, 1024), 1, 3);
	assert_in_range(changed_by_insertion(p, BIG, BIG / 4 + 1, 9 * 1024), 1, 4);
	free(p);
}

static void insertion_changes_few_chunks_of_text(void **state)
{
	uint8_t *p = mem_alloc(BIG);

	fill_text(p, BIG);
	assert_in_range(changed_by_insertion(p, BIG, BIG / 2 + 777, 1024), 1, 3);
	free(p);
}

static void average_is_near_what_was_asked(void **state)
{
	static size_t ends[4096];
	uint8_t *p = mem_alloc(BIG);
	struct chunker c;
	size_t n;

	fill_random(p, BIG, 4711);
	chunker_init(&c, CHUNKER_GEAR, key_a, 0, 0, 0);
	n = cut_all(&c, p, BIG, ends);
	print_message("# %zu chunks of 64 MiB\n", n);
	assert_in_range(n, BIG / (CHUNKER_AVG / 10 * 16), BIG / (CHUNKER_AVG / 10 * 7));
	free(p);
}

static void equal_bytes_are_cut_at_max(void **state)
{
	uint8_t *p = mem_zalloc(10 << 20);
	struct chunker c;

	chunker_init(&c, CHUNKER_GEAR, key_a, 0, 0, 0);
	assert_int_equal(chunker_next(&c, span_of(p, 10 << 20), false), CHUNKER_MAX);
	assert_int_equal(chunker_next(&c, span_of(p, 100), true), 100);
	assert_int_equal(chunker_next(&c, span_of(p, 0), true), 0);
	free(p);
}

static void cuts_need_only_what_follows_the_last_one(void **state)
{
	enum { N = 8 << 20 };
	static size_t whole[4096];
	uint8_t *p = mem_alloc(N), *copy;
	struct chunker c;
	size_t n, at = 0;

	fill_random(p, N / 2, 5);
	fill_pages(p + N / 2, N / 2);
	chunker_init(&c, CHUNKER_GEAR, key_a, 64 << 10, 128 << 10, 512 << 10);
	n = cut_all(&c, p, N, whole);
	for (size_t i = 0; i < n; i++) {
		size_t len = 0, show = 1000;

		/* Shown in growing pieces, from memory of its own. */
		for (; len == 0; show += 33333) {
			bool last = at + show >= N;

			show = last ? N - at : show;
			copy = mem_dup(p + at, show);
			len = chunker_next(&c, span_of(copy, show), last);
			free(copy);
		}
		at += len;
		assert_int_equal(at, whole[i]);
	}
	free(p);
}

static void the_key_decides_the_cuts(void **state)
{
	static size_t x[4096], y[4096];
	enum { N = 16 << 20 };
	uint8_t *p = mem_alloc(N);
	struct chunker a, b;
	size_t n, m;

	fill_random(p, N, 6);
	chunker_init(&a, CHUNKER_GEAR, key_a, 0, 0, 0);
	chunker_init(&b, CHUNKER_GEAR, key_a, 0, 0, 0);
	n = cut_all(&a, p, N, x);
	assert_int_equal(cut_all(&b, p, N, y), n);
	assert_memory_equal(x, y, n * sizeof *x);
	chunker_init(&b, CHUNKER_GEAR, key_b, 0, 0, 0);
	m = cut_all(&b, p, N, y);
	assert_false(m == n && memcmp(x, y, n * sizeof *x) == 0);
	free(p);
}

static void fixed_cuts_every_avg_bytes(void **state)
{
	uint8_t p[1000] = {0};
	struct chunker c;

	chunker_init(&c, CHUNKER_FIXED, key_a, 256, 256, 256);
	assert_int_equal(chunker_next(&c, span_of(p, 1000), false), 256);
	assert_int_equal(chunker_next(&c, span_of(p, 255), false), 0);
	assert_int_equal(chunker_next(&c, span_of(p, 255), true), 255);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(insertion_changes_few_chunks_of_random_data),
	    cmocka_unit_test(insertion_changes_few_chunks_of_pages),
	    cmocka_unit_test(insertion_changes_few_chunks_of_text),
	    cmocka_unit_test(average_is_near_what_was_asked),
	    cmocka_unit_test(equal_bytes_are_cut_at_max),
	    cmocka_unit_test(cuts_need_only_what_follows_the_last_one),
	    cmocka_unit_test(the_key_decides_the_cuts),
	    cmocka_unit_test(fixed_cuts_every_avg_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
