/*
 * Several repositories by one read: each is whole for itself, and what happens to one
 * (it fails, it is slow, it lacks what the others have) is no matter of the others.
 */
#include "fault.h"

#include <semaphore.h>

enum { MANY = 3 };

/* What goes wrong with one of them. */
struct trouble {
	bool dead;       /* every pack fails */
	bool slow;       /* its first pack waits until another has its snapshot */
	bool last;       /* its index waits until all others have their snapshots */
	sem_t *released; /* by each snapshot that is put */
	sem_t own;
	unsigned packs; /* that were put */
};

/* Waited for in vain it is a failure of the store's, which the test sees. */
static enum err_kind wait_for_the_others(struct trouble *t)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	for (int i = 0; i + 1 < MANY; i++)
		if (sem_timedwait(t->released, &until) == -1)
			return ERR_IO;
	return ERR_NONE;
}

static enum err_kind decide(void *arg, const char *op, const char *key, bool *after)
{
	struct trouble *t = arg;
	bool pack = strncmp(key, "packs/", 6) == 0 || strncmp(key, "meta/", 5) == 0;

	if (strncmp(key, "snapshots/", 10) == 0 && strcmp(op, "put") == 0)
		sem_post(t->released);
	if (t->slow && strcmp(op, "append") == 0) {
		sem_wait(t->released);
		t->slow = false;
	}
	if (t->last && strncmp(key, "index/", 6) == 0 && strcmp(op, "put") == 0) {
		t->last = false;
		return wait_for_the_others(t);
	}
	if (!pack || strcmp(op, "commit") != 0)
		return ERR_NONE;
	t->packs++;
	return t->dead ? ERR_IO : ERR_NONE;
}

struct t {
	struct world w;
	struct trouble trouble[MANY];
	char place[MANY][32];
	char *cache[MANY];
	struct backup_target target[MANY];
};

static struct store *place(struct t *t, int i, bool create)
{
	struct store_fault_plan plan = {decide, &t->trouble[i]};

	return store_fault_new(make_store(t->place[i], create), &plan);
}

/* The last is of another family, if asked for. */
static void begin(struct t *t, bool stranger)
{
	static unsigned number;
	struct err e;

	memset(t, 0, sizeof *t);
	world_begin(&t->w);
	t->w.jobs = 2;
	for (int i = 0; i < MANY; i++) {
		struct repo_init_params p = {.cred = make_cred(), .label = "test"};

		snprintf(t->place[i], sizeof t->place[i], "many-%u", ++number);
		t->cache[i] = mem_printf("%s/cache-%d", t->w.dir, i);
		sem_init(&t->trouble[i].own, 0, 0);
		t->trouble[i].released = &t->trouble[0].own;
		if (i > 0 && !(stranger && i == MANY - 1))
			p.family = t->target[0].repo;
		OK(repo_init(
		    place(t, i, true), &p, t->cache[i], &t->w.ctx, &t->target[i].repo, &e));
	}
}

static void end(struct t *t)
{
	for (int i = 0; i < MANY; i++) {
		repo_close(t->target[i].repo);
		sem_destroy(&t->trouble[i].own);
		free(t->cache[i]);
	}
	world_end(&t->w);
}

static int back_up(struct t *t, enum snapshot_strategy strategy)
{
	const char *paths[] = {t->w.src};
	struct backup_params p = {.paths = paths,
	    .npaths = 1,
	    .strategy = strategy,
	    .codec = CODEC_ZSTD,
	    .level = 1,
	    .jobs = world_jobs(&t->w),
	    .patience_ns = 200 * INT64_C(1000000)};
	struct err e;

	for (int i = 0; i < MANY; i++)
		t->target[i] = (struct backup_target){.repo = t->target[i].repo};
	return op_backup_many(t->target, MANY, &p, &t->w.ctx, &e);
}

static void is_whole(struct t *t, int i)
{
	char when[32];

	snprintf(when, sizeof when, "repository %d", i);
	if (t->target[i].rc == -1)
		fail_msg("%s: %s", when, t->target[i].err.msg);
	world_check(&t->w, t->target[i].repo, when);
	world_compare(&t->w, t->target[i].repo, &t->target[i].result.snapshot, when);
}

static void all_are_whole(struct t *t)
{
	for (int i = 0; i < MANY; i++)
		is_whole(t, i);
}

static void each_has_all_of_it_under_its_own_keys(void **state)
{
	struct t t;

	begin(&t, false);
	assert_int_equal(back_up(&t, SNAPSHOT_INCREMENTAL), 0);
	all_are_whole(&t);
	for (int i = 1; i < MANY; i++) {
		const struct config *a = &t.target[0].repo->config, *b = &t.target[i].repo->config;

		assert_int_equal(
		    t.target[i].result.stats.stored_bytes, t.target[0].result.stats.stored_bytes);
		assert_memory_not_equal(a->repo, b->repo, FORMAT_UID);
		assert_memory_not_equal(a->content, b->content, CRYPTO_KEY);
		assert_memory_not_equal(a->root, b->root, CRYPTO_KEY);
	}
	assert_int_equal(back_up(&t, SNAPSHOT_INCREMENTAL), 0);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(t.target[i].result.stats.content_added, 0);
	all_are_whole(&t);
	end(&t);
}

static void one_that_fails_is_alone_with_it_and_catches_up(void **state)
{
	for (int dead = 0; dead < MANY; dead++) {
		uint64_t added;
		struct t t;

		begin(&t, false);
		t.trouble[dead].dead = true;
		assert_int_equal(back_up(&t, SNAPSHOT_INCREMENTAL), 0);
		for (int i = 0; i < MANY; i++)
			if (i != dead)
				is_whole(&t, i);
		assert_int_equal(t.target[dead].rc, -1);
		assert_int_equal(t.target[dead].err.kind, ERR_IO);
		assert_false(t.target[dead].result.has_snapshot);
		added = t.target[(dead + 1) % MANY].result.stats.content_added;
		t.trouble[dead].dead = false;
		assert_int_equal(back_up(&t, SNAPSHOT_INCREMENTAL), 0);
		all_are_whole(&t);
		for (int i = 0; i < MANY; i++)
			assert_int_equal(
			    t.target[i].result.stats.content_added, i == dead ? added : 0);
		end(&t);
	}
}

static void no_repository_that_works_is_a_failure(void **state)
{
	struct t t;

	begin(&t, false);
	for (int i = 0; i < MANY; i++)
		t.trouble[i].dead = true;
	assert_int_equal(back_up(&t, SNAPSHOT_INCREMENTAL), -1);
	for (int i = 0; i < MANY; i++) {
		t.trouble[i].dead = false;
		assert_int_equal(t.target[i].rc, -1);
	}
	assert_int_equal(back_up(&t, SNAPSHOT_INCREMENTAL), 0);
	all_are_whole(&t);
	end(&t);
}

static void one_that_could_not_be_opened_is_left_out(void **state)
{
	struct repo *away;
	struct t t;

	begin(&t, false);
	away = t.target[1].repo;
	t.target[1].repo = NULL;
	assert_int_equal(back_up(&t, SNAPSHOT_INCREMENTAL), 0);
	is_whole(&t, 0);
	is_whole(&t, 2);
	assert_int_equal(t.trouble[1].packs, 0);
	t.target[1].repo = away;
	end(&t);
}

static void another_family_has_a_pass_of_its_own(void **state)
{
	struct t t;

	begin(&t, true);
	assert_int_equal(back_up(&t, SNAPSHOT_INCREMENTAL), 0);
	assert_int_equal(t.w.events.n[EVENT_NOTICE], 1);
	all_are_whole(&t);
	end(&t);
}

/* It waits for what only comes when the others are done. */
static void one_that_is_slow_holds_up_nobody(void **state)
{
	struct t t;

	begin(&t, false);
	for (int i = 0; i < 2; i++)
		world_file(&t.w, i ? "sub/big" : "big", 30 << 20, 77 + (uint64_t)i);
	t.trouble[2].slow = true;
	assert_int_equal(back_up(&t, SNAPSHOT_FULL), 0);
	assert_true(t.target[2].behind);
	assert_int_equal(t.w.events.n[EVENT_NOTICE], 1);
	all_are_whole(&t);
	end(&t);
}

static void none_waits_for_another_to_get_its_snapshot(void **state)
{
	for (int last = 0; last < MANY; last++) {
		struct t t;

		begin(&t, false);
		t.trouble[last].last = true;
		assert_int_equal(back_up(&t, SNAPSHOT_INCREMENTAL), 0);
		assert_false(t.trouble[last].last);
		all_are_whole(&t);
		end(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_has_all_of_it_under_its_own_keys),
	    cmocka_unit_test(one_that_fails_is_alone_with_it_and_catches_up),
	    cmocka_unit_test(no_repository_that_works_is_a_failure),
	    cmocka_unit_test(one_that_could_not_be_opened_is_left_out),
	    cmocka_unit_test(another_family_has_a_pass_of_its_own),
	    cmocka_unit_test(one_that_is_slow_holds_up_nobody),
	    cmocka_unit_test(none_waits_for_another_to_get_its_snapshot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
