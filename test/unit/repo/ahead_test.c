/* ahead: many small objects from far away: one request for each, several at a time, none wrong. */
#include "make_repo.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#include "repo/ahead.h"

enum { MANY = 300, FAR = 8 };

struct watch {
	_Atomic unsigned gets, stats, failures; /* of index/; failures: gets still to fail */
	_Atomic bool meet;                      /* the first two gets wait for each other */
	sem_t met;
	_Atomic unsigned arrived, alone;
};

static void meet(struct watch *w)
{
	struct timespec until;

	if (atomic_fetch_add(&w->arrived, 1) == 0) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += 60;
		if (sem_timedwait(&w->met, &until) == -1)
			w->alone++;
		w->meet = false;
	} else {
		sem_post(&w->met);
	}
}

static enum err_kind decide(void *arg, const char *op, const char *key, bool *after)
{
	struct watch *w = arg;

	if (strncmp(key, "index/", 6) != 0)
		return ERR_NONE;
	w->stats += strcmp(op, "stat") == 0;
	if (strcmp(op, "get") != 0)
		return ERR_NONE;
	w->gets++;
	if (w->meet)
		meet(w);
	if (w->failures == 0)
		return ERR_NONE;
	w->failures--;
	return ERR_UNREACHABLE;
}

struct t {
	struct ctx ctx;
	struct make_events events;
	char place[32];
	struct repo *repo;
	struct watch watch;
	struct store_fault_plan plan;
	struct id id[MANY];
};

static size_t length(size_t i)
{
	return i == 50 ? (size_t)12 << 20 : i * 7919 % 3000;
}

static void content(size_t i, struct buf *b)
{
	uint64_t seed = i + 1;

	buf_reset(b);
	unit_rand_fill(&seed, buf_extend(b, length(i)), length(i));
}

static void begin(struct t *t, unsigned far)
{
	struct buf b = {0};
	struct err e;

	memset(t, 0, sizeof *t);
	make_ctx(&t->ctx, &t->events);
	sem_init(&t->watch.met, 0, 0);
	t->repo = make_repo(&t->ctx, t->place, NULL);
	t->plan = (struct store_fault_plan){decide, &t->watch};
	for (size_t i = 0; i < MANY; i++) {
		content(i, &b);
		OK(repo_put_object(t->repo, FORMAT_INDEX, buf_span(&b), &t->id[i], &e));
	}
	buf_fini(&b);
	t->repo->store = store_fault_new(t->repo->store, &t->plan);
	t->repo->store->parallel = far;
}

static void end(struct t *t)
{
	repo_close(t->repo);
	sem_destroy(&t->watch.met);
}

static struct ahead *plan(struct t *t)
{
	struct ahead *a = ahead_new(t->repo);
	char name[REPO_NAME_MAX];

	for (size_t i = 0; i < MANY; i++)
		ahead_add(a, repo_object_name(name, FORMAT_INDEX, &t->id[i]), &t->id[i], length(i));
	return a;
}

static void take(struct ahead *a, size_t from, size_t to)
{
	struct buf want = {0}, got = {0};
	struct err e;

	for (size_t i = from; i < to; i++) {
		OK(ahead_next(a, &got, &e));
		content(i, &want);
		assert_int_equal(got.n, want.n);
		assert_memory_equal(got.p, want.p, want.n);
	}
	buf_fini(&want);
	buf_fini(&got);
}

static void each_is_asked_for_once_and_several_are_under_way(void **state)
{
	struct ahead *a;
	struct t t;

	begin(&t, FAR);
	t.watch.meet = true;
	a = plan(&t);
	take(a, 0, MANY);
	ahead_free(a);
	assert_int_equal(t.watch.gets, MANY);
	assert_int_equal(t.watch.stats, 0);
	assert_int_equal(t.watch.alone, 0);
	end(&t);
}

static void what_fails_on_the_way_is_asked_for_again(void **state)
{
	struct ahead *a;
	struct t t;

	begin(&t, FAR);
	t.watch.failures = 1;
	a = plan(&t);
	take(a, 0, MANY);
	ahead_free(a);
	assert_int_equal(t.watch.gets, MANY + 1);
	end(&t);
}

static void damage_and_loss_are_those_of_the_object_itself(void **state)
{
	for (unsigned far = 1; far <= FAR; far += FAR - 1) {
		char name[REPO_NAME_MAX];
		struct buf got = {0};
		struct ahead *a;
		struct err e;
		struct t t;

		begin(&t, far);
		make_damage(t.repo->store, repo_object_name(name, FORMAT_INDEX, &t.id[7]), 3, 1);
		OK(store_del(t.repo->store, repo_object_name(name, FORMAT_INDEX, &t.id[9]), &e));
		a = plan(&t);
		take(a, 0, 7);
		FAILS(ahead_next(a, &got, &e), ERR_CORRUPT);
		assert_non_null(strstr(e.msg, repo_object_name(name, FORMAT_INDEX, &t.id[7])));
		take(a, 8, 9);
		FAILS(ahead_next(a, &got, &e), ERR_ABSENT);
		take(a, 10, 20);
		ahead_free(a); /* with much under way, and more to come */
		buf_fini(&got);
		end(&t);
	}
}

/* The bound is of memory: nothing runs away from who is slow to take. */
static void no_more_is_fetched_than_a_window_holds(void **state)
{
	struct ahead *a;
	struct t t;

	begin(&t, FAR);
	a = plan(&t);
	take(a, 0, 1);
	ahead_free(a);
	assert_true(t.watch.gets <= 1 + 64);
	end(&t);
}

static void an_index_far_away_is_loaded_by_one_request_an_object(void **state)
{
	enum { INDEXES = 12, BLOBS = 20 };
	struct repo *far;
	struct index_place at;
	struct id id[BLOBS * INDEXES];
	struct err e;
	struct t t;

	memset(&t, 0, sizeof t);
	make_ctx(&t.ctx, &t.events);
	sem_init(&t.watch.met, 0, 0);
	t.plan = (struct store_fault_plan){decide, &t.watch};
	t.repo = make_repo(&t.ctx, t.place, NULL);
	for (size_t i = 0; i < INDEXES; i++)
		make_blobs(t.repo, i * BLOBS, (i + 1) * BLOBS, &id[i * BLOBS]);
	far = open_repo(&t.ctx, t.place, NULL);
	far->store = store_fault_new(far->store, &t.plan);
	far->store->parallel = FAR;
	OK(repo_index_load(far, false, &e));
	assert_int_equal(t.watch.gets, INDEXES);
	assert_int_equal(t.watch.stats, 0);
	for (size_t i = 0; i < BLOBS * INDEXES; i++)
		assert_int_equal(index_cache_find(repo_index(far), &id[i], &at, &e), 1);
	repo_close(far);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_is_asked_for_once_and_several_are_under_way),
	    cmocka_unit_test(what_fails_on_the_way_is_asked_for_again),
	    cmocka_unit_test(damage_and_loss_are_those_of_the_object_itself),
	    cmocka_unit_test(no_more_is_fetched_than_a_window_holds),
	    cmocka_unit_test(an_index_far_away_is_loaded_by_one_request_an_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
