/* prune_choose: what is repacked is what gets less by that; else no two prunes would differ. */
#include "unit/unit.h"

#include "base/mem.h"
#include "engine/prune_internal.h"

static const struct ppack small_pack = {.type = FORMAT_PACK,
    .present = true,
    .indexed = true,
    .live = true,
    .size = 2000000,
    .live_bytes = 100000,
    .keys = 2};

/* How many of n packs like this one would be repacked. */
static uint64_t chosen(struct ppack like, unsigned n, unsigned domains)
{
	struct prune_params p = {.max_unused = 5};
	struct prune_result out = {.bytes_live = n * like.live_bytes};
	struct prune pr = {.p = &p, .out = &out, .packs = idmap_new(sizeof(struct ppack))};

	for (unsigned i = 0; i < n; i++) {
		struct id id = {{(uint8_t)i, (uint8_t)(i >> 8)}};

		like.domain = i % domains;
		*(struct ppack *)idmap_put(pr.packs, &id, NULL) = like;
	}
	prune_choose(&pr);
	idmap_free(pr.packs);
	return out.packs_repacked;
}

static void many_small_packs_are_joined(void **state)
{
	struct ppack p = small_pack;

	p.blobs = 10;
	assert_int_equal(chosen(p, 31, 1), 31);
	assert_int_equal(chosen(p, 16, 1), 0);
}

static void packs_that_are_full_of_tiny_blobs_stay(void **state)
{
	struct ppack p = small_pack;

	p.blobs = FORMAT_PACK_BLOBS_AIM;
	assert_int_equal(chosen(p, 31, 1), 0);
	p.blobs = FORMAT_PACK_BLOBS_AIM / 2 - 1;
	assert_int_equal(chosen(p, 31, 1), 0); /* 16 would be left: more than half */
	assert_int_equal(chosen(p, 32, 1), 32);
	p.blobs = FORMAT_PACK_BLOBS_AIM / 4;
	assert_int_equal(chosen(p, 32, 1), 32);
}

static void packs_that_cannot_be_joined_stay(void **state)
{
	struct ppack p = small_pack;

	p.blobs = 10;
	assert_int_equal(chosen(p, 31, 31), 0); /* no two of one domain */
	p.keys = FORMAT_KEYS_MAX;
	assert_int_equal(chosen(p, 31, 1), 0); /* nor more keys in one header */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(many_small_packs_are_joined),
	    cmocka_unit_test(packs_that_are_full_of_tiny_blobs_stay),
	    cmocka_unit_test(packs_that_cannot_be_joined_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
