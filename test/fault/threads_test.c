/*
 * A backup, a check and a restore by four threads, of what makes them meet: small files that
 * share frames, one that several read, the same content in many places, hard links; then again
 * with changes.  For the thread sanitizer above all.
 */
#include "fault.h"

enum { SMALL = 60, BIG = 9 << 20 };

static void fill(struct world *w, uint64_t seed)
{
	char name[32];

	for (unsigned i = 0; i < SMALL; i++) {
		snprintf(name, sizeof name, "sub/f%u", i);
		/* A third of them have the content of another. */
		world_file(w, name, 500 + i % 7 * 3000, seed + (i % 3 ? i : i % 9));
	}
	world_file(w, "big", BIG, seed);
}

static void four_threads_back_up_check_and_restore_what_is_there(void **state)
{
	struct backup_result res;
	struct world w;
	char place[32], *from, *to;
	struct repo *r;
	struct err e;

	world_begin(&w);
	w.jobs = 4;
	fill(&w, 1000);
	from = mem_printf("%s/big", w.src);
	to = mem_printf("%s/linked", w.src);
	assert_int_equal(link(from, to), 0);
	r = make_repo(&w.ctx, place, w.cache);
	for (uint64_t i = 0; i < 2; i++) {
		OK(world_backup(&w, r, &res, &e));
		assert_int_equal(res.stats.errors, 0);
		world_compare(&w, r, &res.snapshot, i ? "the second" : "the first");
		world_file(&w, "sub/f1", 100000, 7000 + i);
		world_file(&w, "sub/deep/leaf", 700000, 8000 + i);
	}
	world_holds(&w, r, "at the end");
	repo_close(r);
	free(from);
	free(to);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(four_threads_back_up_check_and_restore_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
