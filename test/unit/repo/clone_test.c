/*
 * clone: one machine run twice from one image: the same keys, the same state
 * of the generator of random numbers.  No key may seal two plaintexts.
 */
#include "make_repo.h"

static uint64_t state;

/* In place of the machine's: after `state` is set, the same numbers come again. */
void __wrap_crypto_random(void *p, size_t n);
void __wrap_crypto_random(void *p, size_t n)
{
	unit_rand_fill(&state, p, n);
}

enum { SALT = 32, BIG = 300 << 10 };

/* A repository made and written to from one image; the salt of its first frame. */
static void run_clone(const uint8_t *bytes, int level, uint8_t salt[SALT], struct buf *pack)
{
	struct writer_params p = {CODEC_ZSTD, level, false, 0};
	struct make_events events;
	struct writer_lane *l;
	struct writer *w;
	struct ctx ctx;
	struct repo *r;
	struct id id;
	struct id_list packs = {0};
	char place[32], name[REPO_NAME_MAX];
	struct err e;

	state = 42;
	make_ctx(&ctx, &events);
	r = make_repo(&ctx, place, NULL);
	OK(writer_begin(r, &p, &w, &e));
	l = writer_lane_new(w);
	OK(writer_add(l, PURPOSE_CONTENT, span_of(bytes, BIG), &id, NULL, &e));
	OK(writer_lane_flush(l, &e));
	OK(writer_finish(w, &e));
	writer_lane_free(l);
	writer_free(w);
	packs = make_list(r, FORMAT_PACK);
	assert_int_equal(packs.n, 1);
	buf_reset(pack);
	OK(store_get_all(
	    r->store, repo_object_name(name, FORMAT_PACK, &packs.v[0]), FORMAT_PACK_MAX, pack, &e));
	memcpy(salt, pack->p + FORMAT_HEADER + pack->p[10] * FORMAT_SEALED_KEY, SALT);
	id_list_fini(&packs);
	repo_close(r);
}

static void no_key_seals_two_plaintexts(void **unused)
{
	uint8_t *bytes = mem_zalloc(BIG), a[SALT], b[SALT];
	struct buf one = {0}, two = {0};

	for (size_t i = 0; i < BIG; i++)
		bytes[i] = (uint8_t)(i * i / 977 + (i >> 9));
	/* The clone is a true one: what it does alike is alike, byte for byte. */
	run_clone(bytes, 3, a, &one);
	run_clone(bytes, 3, b, &two);
	assert_true(span_eq(span_of(one.p, one.n / 2), span_of(two.p, two.n / 2)));
	assert_memory_equal(a, b, SALT);
	/* Another file. */
	bytes[BIG / 2] ^= 1;
	run_clone(bytes, 3, b, &two);
	assert_memory_not_equal(a, b, SALT);
	/* The same file, compressed otherwise: the same ids over other bytes. */
	bytes[BIG / 2] ^= 1;
	run_clone(bytes, 19, b, &two);
	assert_memory_not_equal(a, b, SALT);
	buf_fini(&one);
	buf_fini(&two);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(no_key_seals_two_plaintexts)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
