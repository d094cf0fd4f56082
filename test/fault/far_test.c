/*
 * Restoring from a store that is far away: neighbours in a pack come by one request, each frame
 * about once, and what one request does not bring another does.
 */
#include "fault.h"

enum { FAR = 8, MIBS = 40, SMALL = 3000 };

struct watch {
	_Atomic unsigned gets, trees; /* of packs/ and meta/ */
	unsigned fail_every;          /* of gets: that one fails; 0: none */
};

static enum err_kind decide(void *arg, const char *op, const char *key, bool *after)
{
	struct watch *w = arg;

	(void)after;
	if (strcmp(op, "get") != 0)
		return ERR_NONE;
	w->trees += strncmp(key, "meta/", 5) == 0;
	if (strncmp(key, "packs/", 6) != 0)
		return ERR_NONE;
	return ++w->gets % (w->fail_every ? w->fail_every : UINT32_MAX) == 0 ? ERR_IO : ERR_NONE;
}

struct t {
	struct world w;
	struct watch watch;
	struct store_fault_plan plan;
	char place[32];
	struct repo *repo;
	struct id snapshot;
};

static void begin(struct t *t)
{
	struct backup_result res;
	struct err e;

	memset(t, 0, sizeof *t);
	world_begin(&t->w);
	for (int i = 0; i < MIBS; i++) {
		char name[32];

		snprintf(name, sizeof name, "mib%02d", i);
		world_file(&t->w, name, 1 << 20, 1000 + (uint64_t)i);
	}
	for (int i = 0; i < SMALL; i++) {
		char name[32];

		snprintf(name, sizeof name, "sub/%04d", i);
		world_file(&t->w, name, (size_t)i % 500, 5000 + (uint64_t)i);
	}
	t->repo = make_repo(&t->w.ctx, t->place, NULL);
	OK(world_backup(&t->w, t->repo, &res, &e));
	t->snapshot = res.snapshot;
	t->plan = (struct store_fault_plan){decide, &t->watch};
	t->repo->store = store_fault_new(t->repo->store, &t->plan);
}

static void end(struct t *t)
{
	repo_close(t->repo);
	world_end(&t->w);
}

static unsigned restore(struct t *t, unsigned far)
{
	t->repo->store->parallel = far;
	t->watch.gets = t->watch.trees = 0;
	world_compare(&t->w, t->repo, &t->snapshot, far > 1 ? "far" : "near");
	return t->watch.gets;
}

static void neighbours_come_by_one_request(void **state)
{
	unsigned near, far;
	struct t t;

	begin(&t);
	near = restore(&t, 1);
	assert_true(near >= MIBS / 2);
	far = restore(&t, FAR);
	assert_in_range(far, FAR, near * 2 / 3);
	assert_true(t.watch.trees <= 3);
	end(&t);
}

static void what_one_request_does_not_bring_another_does(void **state)
{
	struct t t;

	begin(&t);
	for (t.watch.fail_every = 2; t.watch.fail_every < 6; t.watch.fail_every++) {
		unsigned before = t.w.events.n[EVENT_FILE_FAILED];

		t.repo->store->parallel = FAR;
		t.watch.gets = 0;
		t.w.jobs = 1; /* or two in a row may fail for one frame */
		world_compare(&t.w, t.repo, &t.snapshot, "with failures");
		assert_int_equal(t.w.events.n[EVENT_FILE_FAILED], before);
	}
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(neighbours_come_by_one_request),
	    cmocka_unit_test(what_one_request_does_not_bring_another_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
