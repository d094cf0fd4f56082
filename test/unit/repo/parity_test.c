#include "unit/unit.h"

#include <time.h>

#include "base/mem.h"
#include "crypto/crypto.h"
#include "repo/parity.h"

/* An object, its parity object, and what was done to copies of both. */
struct pair {
	struct buf object, parity, hurt_object, hurt_parity;
	struct id id;
};

static uint64_t seed;

static void make(struct pair *p, size_t n, unsigned share, uint64_t max)
{
	struct parity_builder *b = parity_builder_new(share, max > n ? max : n);
	struct span parts[3];

	memset(p, 0, sizeof *p);
	unit_rand_fill(&seed, buf_extend(&p->object, n + 1), n);
	p->object.n = n;
	crypto_sha256(buf_span(&p->object), p->id.b);
	for (size_t at = 0, step; at < n; at += step) {
		step = 1 + unit_rand(&seed) % (1 << 20);
		if (step > n - at)
			step = n - at;
		parity_builder_add(b, span_of(p->object.p + at, step));
	}
	parity_builder_end(b, &p->id, parts);
	for (int i = 0; i < 3; i++)
		buf_put_span(&p->parity, parts[i]);
	parity_builder_free(b);
	buf_put_span(&p->hurt_object, buf_span(&p->object));
	buf_put_span(&p->hurt_parity, buf_span(&p->parity));
}

static void pair_fini(struct pair *p)
{
	buf_fini(&p->object);
	buf_fini(&p->parity);
	buf_fini(&p->hurt_object);
	buf_fini(&p->hurt_parity);
}

static void heal(struct pair *p)
{
	p->hurt_object.n = p->hurt_parity.n = 0;
	buf_put_span(&p->hurt_object, buf_span(&p->object));
	buf_put_span(&p->hurt_parity, buf_span(&p->parity));
}

/* Mended to the very bytes?  If not it must have been refused, or have another hash. */
static bool mends(struct pair *p)
{
	struct parity parity;
	struct err e = {0};
	struct id got;
	bool ok;

	if (parity_read(buf_span(&p->hurt_parity), &p->id, &parity, &e) == -1) {
		assert_int_equal(e.kind, ERR_CORRUPT);
		return false;
	}
	ok = parity_mend(&parity, &p->hurt_object, &e) == 0;
	parity_fini(&parity);
	if (!ok) {
		assert_int_equal(e.kind, ERR_CORRUPT);
		return false;
	}
	crypto_sha256(buf_span(&p->hurt_object), got.b);
	ok = id_eq(&got, &p->id);
	if (ok) {
		assert_int_equal(p->hurt_object.n, p->object.n);
		assert_true(
		    p->object.n == 0 || memcmp(p->hurt_object.p, p->object.p, p->object.n) == 0);
	}
	return ok;
}

static void zero(struct buf *b, size_t at, size_t n)
{
	if (at < b->n)
		memset(b->p + at, 0, n < b->n - at ? n : b->n - at);
}

static const size_t sizes[] = {
    0, 1, 2, 63, 64, 65, 500, 4095, 4096, 4097, 65536, 100000, 262143, 262144, 262145, 1000003};

#define FOR_SIZES(n) for (const size_t *n = sizes; n < sizes + sizeof sizes / sizeof *sizes; n++)

static void what_is_whole_is_sound(void **state)
{
	(void)state;
	FOR_SIZES(n)
	{
		struct parity parity;
		struct pair p;
		struct err e;

		make(&p, *n, 100, 0);
		assert_int_equal(parity_read(buf_span(&p.parity), &p.id, &parity, &e), 0);
		assert_true(parity.sound);
		assert_int_equal(parity.size, *n);
		parity_fini(&parity);
		assert_true(mends(&p));
		pair_fini(&p);
	}
}

/* At the start, in the middle, at the end, and cut off: the whole share at once. */
static void a_burst_of_the_share_is_mended(void **state)
{
	static const unsigned shares[] = {10, 100, 250, 500};

	(void)state;
	FOR_SIZES(n)
	for (size_t s = 0; s < 4; s++) {
		size_t len = *n * shares[s] / 1000;
		size_t at[] = {0, (*n - len) / 2, *n - len, unit_rand(&seed) % (*n - len + 1)};
		struct pair p;

		make(&p, *n, shares[s], 0);
		for (size_t i = 0; i < 4; i++) {
			heal(&p);
			zero(&p.hurt_object, at[i], len);
			assert_true(mends(&p));
		}
		heal(&p);
		p.hurt_object.n -= len;
		assert_true(mends(&p));
		pair_fini(&p);
	}
}

/* Sectors anywhere in the two files together, as many as the share allows. */
static void scattered_sectors_of_both_are_mended(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		size_t n = (1 << 20) + unit_rand(&seed) % (3 << 20), sectors, left;
		unsigned share = 20 + unit_rand(&seed) % 300;
		struct pair p;

		make(&p, n, share, i % 2 ? 64 << 20 : 0);
		sectors = n / 4096 + p.parity.n / 4096;
		for (left = (n + 4095) / 4096 * share / (1000 - share); left > 0;) {
			size_t x = unit_rand(&seed) % sectors;
			struct buf *b = x < n / 4096 ? &p.hurt_object : &p.hurt_parity;

			if (x >= n / 4096)
				x -= n / 4096;
			zero(b, x * 4096, 4096);
			left--;
		}
		assert_true(mends(&p));
		pair_fini(&p);
	}
}

static void scattered_flips_are_mended(void **state)
{
	(void)state;
	FOR_SIZES(n)
	{
		struct pair p;

		if (*n == 0)
			continue;
		make(&p, *n, 100, 0);
		/* As many as there are shards of parity; 4,096 bytes or less each. */
		for (size_t left = *n / 4096 / 9 + 2; left > 0; left--) {
			p.hurt_object.p[unit_rand(&seed) % *n] ^= (uint8_t)(1 << unit_rand(&seed) %
										     8);
			if (*n > 4096) /* of a table of two blocks one flip in each is enough */
				continue;
			p.hurt_parity.p[unit_rand(&seed) % p.parity.n] ^= 1;
		}
		assert_true(mends(&p));
		pair_fini(&p);
	}
}

static void either_end_of_the_parity_is_enough(void **state)
{
	(void)state;
	FOR_SIZES(n)
	{
		struct pair p;
		size_t cut;

		make(&p, *n, 100, 0);
		cut = p.parity.n / 20 + 512;
		if (*n > 0)
			p.hurt_object.p[*n / 2] ^= 1;
		zero(&p.hurt_parity, 0, cut);
		assert_true(mends(&p));
		heal(&p);
		if (*n > 0)
			p.hurt_object.p[*n / 2] ^= 1;
		p.hurt_parity.n -= cut;
		assert_true(mends(&p));
		pair_fini(&p);
	}
}

static void what_was_appended_is_cut_off(void **state)
{
	(void)state;
	FOR_SIZES(n)
	{
		struct pair p;

		make(&p, *n, 100, 0);
		buf_put(&p.hurt_object, "garbage", 7);
		buf_put_zeros(&p.hurt_object, 5000);
		buf_put(&p.hurt_parity, "garbage", 7);
		assert_true(mends(&p));
		pair_fini(&p);
	}
}

static void a_lost_sector_is_always_within_the_share(void **state)
{
	(void)state;
	FOR_SIZES(n)
	{
		struct pair p;

		make(&p, *n, PARITY_SHARE_MIN, 0);
		zero(&p.hurt_object, *n ? unit_rand(&seed) % *n & ~(size_t)4095 : 0, 4096);
		assert_true(mends(&p));
		pair_fini(&p);
	}
}

/* Beyond the share it says so, and says how much is damaged. */
static void more_than_the_share_is_refused(void **state)
{
	struct parity parity;
	struct pair p;
	struct err e;

	(void)state;
	make(&p, 4 << 20, 100, 0);
	for (size_t i = 0; i < 1024; i++)
		if (i % 7 == 0) /* 147 of 1,024: 14 % */
			p.hurt_object.p[i * 4096] ^= 1;
	assert_int_equal(parity_read(buf_span(&p.hurt_parity), &p.id, &parity, &e), 0);
	assert_int_equal(parity_mend(&parity, &p.hurt_object, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_non_null(strstr(e.msg, "147 of its 1024"));
	parity_fini(&parity);
	/* Exactly as many as there are shards of parity, and one more. */
	for (int more = 0; more < 2; more++) {
		heal(&p);
		for (size_t i = 0; i < 116 + (size_t)more; i++)
			p.hurt_object.p[i * 5 * 4096] ^= 1;
		assert_int_equal(mends(&p), more == 0);
	}
	pair_fini(&p);
}

static void of_nothing_but_garbage_nothing_is_read(void **state)
{
	struct parity parity;
	struct pair p;
	struct err e;

	(void)state;
	make(&p, 100000, 100, 0);
	zero(&p.hurt_parity, 0, p.parity.n);
	assert_int_equal(parity_read(buf_span(&p.hurt_parity), &p.id, &parity, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_int_equal(parity_read(span_of(NULL, 0), &p.id, &parity, &e), -1);
	p.id.b[0] ^= 1; /* of another object */
	assert_int_equal(parity_read(buf_span(&p.parity), &p.id, &parity, &e), -1);
	pair_fini(&p);
}

/* Whoever forges the parity can make mending fail; what comes out has another hash. */
static void a_forged_parity_makes_no_wrong_data_pass(void **state)
{
	struct pair p, forged;

	(void)state;
	make(&p, 50000, 100, 0);
	make(&forged, 50000, 100, 0);
	buf_reset(&forged.hurt_parity);
	/* The other object's parity, made to name this one: sound in itself. */
	{
		struct parity_builder *b = parity_builder_new(100, 50000);
		struct span parts[3];

		parity_builder_add(b, buf_span(&forged.object));
		parity_builder_end(b, &p.id, parts);
		p.hurt_parity.n = 0;
		for (int i = 0; i < 3; i++)
			buf_put_span(&p.hurt_parity, parts[i]);
		parity_builder_free(b);
	}
	assert_false(mends(&p));
	pair_fini(&p);
	pair_fini(&forged);
}

static void a_pack_of_any_size_fits_in_one_builder(void **state)
{
	(void)state;
	for (unsigned share = PARITY_SHARE_MIN; share <= PARITY_SHARE_MAX; share += 245) {
		uint64_t max = parity_pack_max(share);
		struct pair p;

		assert_true(max >= PARITY_PACK_MIN);
		make(&p, share == 255 ? max : 9 << 20, share, max);
		for (size_t at = 0; at + 4096 <= p.object.n; at += 4096 * (1 + 1000 / share))
			zero(&p.hurt_object, at, 4096);
		assert_true(mends(&p));
		pair_fini(&p);
	}
}

int main(void)
{
	const char *s = getenv("HOLDFAST_TEST_SEED");
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_whole_is_sound),
	    cmocka_unit_test(a_burst_of_the_share_is_mended),
	    cmocka_unit_test(scattered_sectors_of_both_are_mended),
	    cmocka_unit_test(scattered_flips_are_mended),
	    cmocka_unit_test(either_end_of_the_parity_is_enough),
	    cmocka_unit_test(what_was_appended_is_cut_off),
	    cmocka_unit_test(a_lost_sector_is_always_within_the_share),
	    cmocka_unit_test(more_than_the_share_is_refused),
	    cmocka_unit_test(of_nothing_but_garbage_nothing_is_read),
	    cmocka_unit_test(a_forged_parity_makes_no_wrong_data_pass),
	    cmocka_unit_test(a_pack_of_any_size_fits_in_one_builder),
	};

	seed = s ? strtoull(s, NULL, 0) : (uint64_t)time(NULL);
	printf("# HOLDFAST_TEST_SEED=%llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
