/* blocks: what is read by blocks is what lies there, and each block is asked for once. */
#include "make_repo.h"

#include "repo/blocks.h"

enum { SIZE = 5 * BLOCK + 12345, READS = 2000 };

struct watch {
	unsigned gets;
	bool broken;
};

static enum err_kind decide(void *arg, const char *op, const char *key, bool *after)
{
	struct watch *w = arg;

	(void)key, (void)after;
	w->gets += strcmp(op, "get") == 0;
	return w->broken ? ERR_IO : ERR_NONE;
}

struct t {
	struct watch watch;
	struct store_fault_plan plan;
	struct store *store;
	struct index_cache_pack pack;
	struct blocks blocks;
	uint8_t *data;
};

static void begin(struct t *t)
{
	uint64_t seed = 3;
	struct err e;

	memset(t, 0, sizeof *t);
	t->data = mem_alloc(SIZE);
	unit_rand_fill(&seed, t->data, SIZE);
	t->plan = (struct store_fault_plan){decide, &t->watch};
	t->store = store_fault_new(make_store("blocks", true), &t->plan);
	OK(store_put(t->store, "meta/aa/a", span_of(t->data, SIZE), 0, &e));
	t->pack = (struct index_cache_pack){.id = {{1}}, .size = SIZE};
}

static void end(struct t *t)
{
	blocks_fini(&t->blocks);
	store_close(t->store);
	free(t->data);
}

static void reads(struct t *t, uint64_t off, uint64_t n)
{
	struct buf out = {0};
	struct err e;

	buf_put(&out, "before", 6);
	OK(blocks_read(&t->blocks, t->store, "meta/aa/a", &t->pack, off, n, &out, &e));
	assert_int_equal(out.n, 6 + n);
	assert_memory_equal(out.p, "before", 6);
	assert_memory_equal(out.p + 6, t->data + off, n);
	buf_fini(&out);
}

static void any_stretch_is_what_lies_there_and_no_block_comes_twice(void **state)
{
	uint64_t seed = 5;
	struct t t;

	begin(&t);
	for (int i = 0; i < READS; i++) {
		uint64_t off = unit_rand(&seed) % SIZE;
		uint64_t n = unit_rand(&seed) % (i % 10 == 0 ? 3 * BLOCK : 20000);

		reads(&t, off, n < SIZE - off ? n : SIZE - off);
	}
	assert_in_range(t.watch.gets, 2, 6);
	end(&t);
}

static void who_reads_on_gets_several_by_one_request(void **state)
{
	for (int down = 0; down < 2; down++) {
		struct t t;

		begin(&t);
		for (uint64_t at = 0; at + 1000 <= SIZE; at += 1000)
			reads(&t, down ? SIZE - at - 1000 : at, 1000);
		assert_int_equal(t.watch.gets, 3); /* of 6 blocks: 1, 3, 2 */
		end(&t);
	}
}

static void beyond_the_end_and_what_fails_is_told_and_not_kept(void **state)
{
	struct buf out = {0};
	struct err e;
	struct t t;

	begin(&t);
	FAILS(blocks_read(&t.blocks, t.store, "meta/aa/a", &t.pack, SIZE - 5, 6, &out, &e),
	    ERR_CORRUPT);
	FAILS(blocks_read(&t.blocks, t.store, "meta/aa/a", &t.pack, UINT64_MAX, 6, &out, &e),
	    ERR_CORRUPT);
	t.watch.broken = true;
	FAILS(blocks_read(&t.blocks, t.store, "meta/aa/a", &t.pack, 10, 6, &out, &e), ERR_IO);
	t.watch.broken = false;
	reads(&t, 10, 6);
	t.pack.size = SIZE + 1; /* as an index may lie */
	FAILS(blocks_read(&t.blocks, t.store, "meta/aa/a", &t.pack, SIZE - 9, 9, &out, &e),
	    ERR_CORRUPT);
	reads(&t, 0, BLOCK);
	buf_fini(&out);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_stretch_is_what_lies_there_and_no_block_comes_twice),
	    cmocka_unit_test(who_reads_on_gets_several_by_one_request),
	    cmocka_unit_test(beyond_the_end_and_what_fails_is_told_and_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
