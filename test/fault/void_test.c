/*
 * Runs that are suspended at the worst moment, until prune has deleted what they
 * stored, and that die before they can take back what they told of it.  check and
 * prune tell what is left from damage; and damage from it.
 */
#include "timed.h"

#include "engine/select.h"

/* What nobody needs is marked, and two graces later deleted, its mark forgotten. */
static void days_pass(void *arg)
{
	uint64_t deleted = 0;

	for (int i = 0; i < 4; i++) {
		now_ns += 25 * HOUR;
		deleted += prune_once(arg).packs_deleted;
	}
	assert_true(deleted > 0);
}

/* A backup that falls asleep at the put of such an object, and never wakes for more. */
static void back_up_and_die(struct t *t, const char *moment)
{
	struct timed *s = timed_new(t, false);
	struct repo *r = open_timed(t, s, t->w.cache);
	struct backup_result res;
	struct err e;

	s->moment = moment;
	s->then = days_pass;
	s->arg = t;
	assert_int_equal(world_backup(&t->w, r, &res, &e), -1);
	assert_true(s->dead);
	repo_close(r);
}

static struct check_result check(struct t *t)
{
	struct repo *r = open_timed(t, timed_new(t, false), NULL);
	struct check_params p = {.read_data = true, .jobs = 1};
	struct check_result res;
	struct err e;

	OK(op_check(r, &p, &t->w.ctx, &res, &e));
	repo_close(r);
	return res;
}

static struct id latest(struct t *t)
{
	struct repo *r = open_timed(t, timed_new(t, false), NULL);
	struct snapshot *s;
	struct id id;
	char *path;
	struct err e;

	OK(select_one(r, "latest", NULL, true, &t->w.ctx, &s, &path, &e));
	id = s->id;
	free(path);
	snapshot_free(s);
	repo_close(r);
	return id;
}

/* A backup to the end, that restores. */
static void goes_on(struct t *t)
{
	struct repo *r = open_timed(t, timed_new(t, false), t->w.cache);

	world_holds(&t->w, r, "afterwards");
	repo_close(r);
}

static void a_void_snapshot_is_no_damage_nor_latest_and_goes(void **state)
{
	struct check_result c;
	struct id id;
	struct t t;

	begin(&t);
	back_up_and_die(&t, "snapshots/");
	c = check(&t);
	assert_int_equal(c.damaged_objects, 0);
	assert_int_equal(c.hurt_snapshots, 0);
	assert_int_equal(c.void_snapshots, 1);
	assert_int_equal(c.warnings, 1);
	assert_int_equal(c.findings, 0);
	id = latest(&t);
	assert_true(id_eq(&id, &t.first));
	assert_int_equal(prune_once(&t).snapshots_removed, 1);
	c = check(&t);
	assert_int_equal(c.snapshots, 1);
	assert_int_equal(c.warnings + c.findings + c.damaged_objects, 0);
	goes_on(&t);
	end(&t);
}

static void a_late_index_is_no_damage_and_nobody_relies_on_it(void **state)
{
	struct check_result c;
	struct t t;

	begin(&t);
	back_up_and_die(&t, "index/");
	c = check(&t);
	assert_int_equal(c.damaged_objects + c.hurt_snapshots + c.warnings, 0);
	assert_true(c.late_packs > 0);
	goes_on(&t); /* it must store again what that index says is there */
	prune_once(&t);
	c = check(&t);
	assert_int_equal(c.late_packs, 0);
	assert_int_equal(c.damaged_objects + c.hurt_snapshots + c.warnings, 0);
	end(&t);
}

/* A pack that is lost is lost, though a prune deleted others, and before it was stored or after. */
static void lost_packs_of_what_was_acknowledged_are_damage(void **state)
{
	for (int before = 0; before < 2; before++) {
		struct backup_result res;
		struct check_result c;
		struct id_list packs;
		char name[REPO_NAME_MAX];
		struct repo *r;
		struct err e;
		struct t t;

		begin(&t);
		r = open_timed(&t, timed_new(&t, false), t.w.cache);
		if (!before)
			OK(world_backup(&t.w, r, &res, &e));
		OK(world_forget(r, &t.first, &e));
		if (before)
			world_fill(&t.w, 9000);
		days_pass(&t);
		if (before)
			OK(world_backup(&t.w, r, &res, &e));
		packs = make_list(r, FORMAT_PACK);
		assert_true(packs.n > 0);
		for (size_t i = 0; i < packs.n; i++)
			OK(store_del(
			    r->store, repo_object_name(name, FORMAT_PACK, &packs.v[i]), &e));
		now_ns += 100 * HOUR;
		c = check(&t);
		assert_true(c.damaged_objects > 0 && c.hurt_snapshots == 1);
		assert_int_equal(c.void_snapshots, 0);
		id_list_fini(&packs);
		repo_close(r);
		end(&t);
	}
}

static int64_t ask_a_fast_clock(struct clock *c)
{
	return now_ns + 1000 * HOUR;
}

/* By this machine's clock the snapshot was pruned long ago: check must look into it all the same.
 */
static void what_is_due_is_so_by_the_stores_clock(void **state)
{
	struct t t;
	struct clock fast = {ask_a_fast_clock, ask};
	struct repo *r;
	struct err e;

	begin(&t);
	r = open_timed(&t, timed_new(&t, false), NULL);
	OK(note_put(r, &t.first, NOTE_FORGET, "3600", &e));
	repo_close(r);
	t.w.ctx.clock = &fast;
	assert_int_equal(check(&t).snapshots, 1);
	now_ns += 2 * HOUR;
	assert_int_equal(check(&t).snapshots, 0);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_void_snapshot_is_no_damage_nor_latest_and_goes),
	    cmocka_unit_test(a_late_index_is_no_damage_and_nobody_relies_on_it),
	    cmocka_unit_test(lost_packs_of_what_was_acknowledged_are_damage),
	    cmocka_unit_test(what_is_due_is_so_by_the_stores_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
