/* A prune after a prune finds nothing to do; what others left in between is cleared in time. */
#include "timed.h"

enum { RUNS = 24 };

static void back_up(struct t *t, uint64_t seed)
{
	struct repo *r = open_timed(t, timed_new(t, false), t->w.cache);
	struct backup_result res;
	struct err e;

	world_file(&t->w, "small", 1000, seed);
	OK(world_backup(&t->w, r, &res, &e));
	repo_close(r);
}

static void the_second_of_two_prunes_rewrites_nothing(void **state)
{
	struct prune_result res;
	struct t t;

	begin(&t);
	for (uint64_t i = 0; i < RUNS; i++)
		back_up(&t, 8000 + i);
	assert_true(prune_once(&t).packs_repacked > 0);
	for (int i = 0; i < 4; i++) {
		res = prune_once(&t);
		assert_int_equal(res.packs_repacked, 0);
		assert_int_equal(res.packs_marked, 0);
		now_ns += 25 * HOUR;
	}
	end(&t);
}

static bool is_there(struct store *s, const char *name)
{
	struct store_stat st;
	struct err e;

	return store_stat(s, name, &st, &e) == 0;
}

/* Who asked for the store's clock and died left an object; one that asks just now needs his. */
static void clocks_left_behind_go_after_a_day(void **state)
{
	static const char old[] = "leases/00112233445566778899aabbccddeeff";
	static const char young[] = "leases/ff112233445566778899aabbccddeeff";
	static const char lease[] = "leases/config.1.0";
	struct timed *s;
	struct err e;
	struct t t;

	begin(&t);
	s = timed_new(&t, false);
	OK(store_put(&s->base, old, span_str("clock\n"), 0, &e));
	OK(store_put(&s->base, lease, span_str("x"), 0, &e));
	now_ns += 25 * HOUR;
	OK(store_put(&s->base, young, span_str("clock\n"), 0, &e));
	prune_once(&t);
	assert_false(is_there(&s->base, old));
	assert_true(is_there(&s->base, young));
	assert_true(is_there(&s->base, lease));
	store_close(&s->base);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_second_of_two_prunes_rewrites_nothing),
	    cmocka_unit_test(clocks_left_behind_go_after_a_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
