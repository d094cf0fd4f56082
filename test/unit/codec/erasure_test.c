#include "unit/unit.h"

#include <time.h>

#include "codec/erasure.h"

/* One code word: k data shards and what belongs to them. */
struct word {
	unsigned log_t;
	size_t shard, k, m;
	uint8_t *data, *copy, *parity;
	bool *data_ok, *parity_ok;
};

static void encode(struct word *w)
{
	size_t t = (size_t)1 << w->log_t, part = t / 2, parts = (w->k + part - 1) / part;
	uint8_t *sum = calloc(t, w->shard), *some = malloc(part * w->shard);

	for (size_t i = 0; i < parts; i++) {
		size_t n = w->k - i * part < part ? w->k - i * part : part;

		memcpy(some, w->data + i * part * w->shard, n * w->shard);
		erasure_add(w->log_t, w->shard, i, n, some, sum);
	}
	erasure_end(w->log_t, w->shard, w->m, sum);
	w->parity = malloc(w->m * w->shard + 1);
	memcpy(w->parity, sum, w->m * w->shard);
	free(sum);
	free(some);
}

static struct word word_new(uint64_t *seed, unsigned log_t, size_t shard, size_t k, size_t m)
{
	struct word w = {.log_t = log_t, .shard = shard, .k = k, .m = m};

	w.data = malloc(k * shard + 1);
	w.copy = malloc(k * shard + 1);
	unit_rand_fill(seed, w.data, k * shard);
	memcpy(w.copy, w.data, k * shard);
	w.data_ok = malloc(k + 1);
	w.parity_ok = malloc(m + 1);
	memset(w.data_ok, true, k);
	memset(w.parity_ok, true, m);
	encode(&w);
	return w;
}

static void word_free(struct word *w)
{
	free(w->data);
	free(w->copy);
	free(w->parity);
	free(w->data_ok);
	free(w->parity_ok);
}

/* Lose so many shards, anywhere; lost bytes are garbage. */
static void lose(uint64_t *seed, struct word *w, size_t n)
{
	while (n > 0) {
		size_t x = unit_rand(seed) % (w->k + w->m);
		bool *ok = x < w->k ? &w->data_ok[x] : &w->parity_ok[x - w->k];

		if (!*ok)
			continue;
		*ok = false;
		unit_rand_fill(seed,
		    x < w->k ? w->data + x * w->shard : w->parity + (x - w->k) * w->shard,
		    w->shard);
		n--;
	}
}

static bool mend(struct word *w)
{
	struct erasure_damage d = {
	    w->log_t, w->shard, w->data, w->data_ok, w->k, w->parity, w->parity_ok, w->m};

	return erasure_mend(&d);
}

static uint64_t seed_of(void)
{
	const char *s = getenv("HOLDFAST_TEST_SEED");
	uint64_t seed = s ? strtoull(s, NULL, 0) : (uint64_t)time(NULL);

	print_message("HOLDFAST_TEST_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

static void as_many_lost_as_there_is_parity_come_back(void **state)
{
	uint64_t seed = seed_of();

	(void)state;
	for (int i = 0; i < 150; i++) {
		unsigned log_t = 1 + unit_rand(&seed) % 7;
		size_t k = unit_rand(&seed) % 300;
		size_t m = 1 + unit_rand(&seed) % ((size_t)1 << log_t);
		struct word w = word_new(&seed, log_t, 64 + 2 * (unit_rand(&seed) % 40), k, m);

		lose(&seed, &w, m);
		assert_true(mend(&w));
		assert_memory_equal(w.data, w.copy, w.k * w.shard);
		word_free(&w);
	}
}

static void one_lost_more_is_refused(void **state)
{
	uint64_t seed = seed_of();
	struct word w = word_new(&seed, 3, 64, 40, 5);

	(void)state;
	lose(&seed, &w, 6);
	assert_false(mend(&w));
	word_free(&w);
}

/* Of a size where mending goes slice by slice. */
static void a_large_word_comes_back(void **state)
{
	uint64_t seed = seed_of();
	struct word w = word_new(&seed, 11, 4096, 6000, 700);

	(void)state;
	lose(&seed, &w, 700);
	assert_true(mend(&w));
	assert_memory_equal(w.data, w.copy, w.k * w.shard);
	word_free(&w);
}

/* The numbers come from an interpolation by Lagrange, by the words of format.md 9.1. */
static void the_code_is_the_one_in_the_format(void **state)
{
	struct word w = {.log_t = 1, .shard = 2, .k = 3, .m = 2};
	uint8_t data[6] = {1, 0, 2, 0, 3, 4};

	(void)state;
	w.data = data;
	encode(&w);
	assert_memory_equal(w.parity, "\xb7\x25\xb7\x21", 4);
	free(w.parity);
	assert_true(erasure_crc(span_of("123456789", 9)) == 0x995dc9bbdf1939faULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(as_many_lost_as_there_is_parity_come_back),
	    cmocka_unit_test(one_lost_more_is_refused),
	    cmocka_unit_test(a_large_word_comes_back),
	    cmocka_unit_test(the_code_is_the_one_in_the_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
