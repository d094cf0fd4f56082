/*
 * Config that changes while a run is at work: what a key that was added meanwhile marks is not
 * relied on, and who may write no more makes no snapshot.
 */
#include "timed.h"

static const uint8_t other_secret[32] = {8, 8};

/* A run that is at work while a key is added, and a prune by that key. */
struct race {
	struct t t;
	struct timed *s; /* the run's */
	char holder[33]; /* whose key it uses */
};

static struct repo *open_as(struct t *t, const uint8_t secret[32])
{
	struct repo_cred cred = {.key_file = true, .secret = span_of(secret, 32)};
	struct repo *r;
	struct err e;

	OK(repo_open(&timed_new(t, false)->base, &cred, NULL, &t->w.ctx, &r, &e));
	return r;
}

static struct prune_result prune_as(struct t *t, const uint8_t secret[32])
{
	struct prune_params p = {.max_unused = 100};
	struct repo *r = open_as(t, secret);
	struct prune_result res;
	struct err e;

	OK(op_prune(r, &p, &t->w.ctx, &res, &e));
	repo_close(r);
	return res;
}

static void add_key(struct t *t, enum role role)
{
	struct repo_key_params p = {
	    .cred = {.key_file = true, .secret = span_of(other_secret, 32)}, .role = role};
	struct repo *r = open_as(t, make_secret);
	struct id id;
	struct err e;

	OK(repo_key_add(r, &p, &id, &e));
	repo_close(r);
}

/* Its prune is at work when the run, having looked, puts its snapshot. */
static void delete_what_was_marked(void *arg)
{
	struct race *x = arg;

	assert_true(prune_as(&x->t, other_secret).packs_deleted > 0);
}

/* The run has relied on what is there, and stores what is new. */
static void mark_by_a_new_key(void *arg)
{
	struct race *x = arg;

	add_key(&x->t, ROLE_MAINTENANCE);
	assert_true(prune_as(&x->t, other_secret).packs_marked > 0);
	now_ns += 25 * HOUR;
	x->s->moment = "snapshots/";
	x->s->then = delete_what_was_marked;
	x->s->survives = true;
}

static void begin_race(struct race *x, const char *moment, void (*then)(void *arg))
{
	struct repo *r;
	struct err e;

	memset(x, 0, sizeof *x);
	begin(&x->t);
	world_fill(&x->t.w, 1);
	r = open_timed(&x->t, timed_new(&x->t, false), NULL);
	OK(world_forget(r, &x->t.first, &e));
	repo_close(r);
	now_ns += 30 * HOUR; /* its packs are old enough to be marked */
	world_file(&x->t.w, "new", 50000, 77);
	x->s = timed_new(&x->t, false);
	x->s->moment = moment;
	x->s->then = then;
	x->s->arg = x;
	x->s->survives = true;
}

static void a_mark_of_a_key_that_was_added_meanwhile_is_heeded(void **state)
{
	struct backup_result res;
	struct repo *r;
	struct err e;
	struct race x;

	begin_race(&x, "packs/", mark_by_a_new_key);
	r = open_timed(&x.t, x.s, x.t.w.cache);
	FAILS(world_backup(&x.t.w, r, &res, &e), ERR_BUSY);
	repo_close(r);
	r = open_timed(&x.t, timed_new(&x.t, false), x.t.w.cache);
	world_holds(&x.t.w, r, "after a new key's prune");
	repo_close(r);
	end(&x.t);
}

static void forbid(void *arg)
{
	struct race *x = arg;
	struct repo *r = open_as(&x->t, make_secret);

	make_later(r, "required_to_write", "[\"later\"]");
	repo_close(r);
}

static void who_must_know_what_came_meanwhile_makes_no_snapshot(void **state)
{
	struct backup_result res;
	struct repo *r;
	struct err e;
	struct race x;

	begin_race(&x, "packs/", forbid);
	r = open_timed(&x.t, x.s, x.t.w.cache);
	FAILS(world_backup(&x.t.w, r, &res, &e), ERR_UNSUPPORTED);
	assert_non_null(strstr(e.hint, "newer holdfast"));
	assert_int_equal(make_count(r, "snapshots/"), 1);
	repo_close(r);
	end(&x.t);
}

static void remove_the_runs_key(void *arg)
{
	struct race *x = arg;
	struct repo *r = open_as(&x->t, make_secret);
	struct err e;

	OK(repo_key_remove(r, x->holder, &e));
	repo_close(r);
}

static void a_key_that_was_removed_meanwhile_makes_no_snapshot(void **state)
{
	struct backup_result res;
	struct repo *r;
	struct err e;
	struct race x;

	begin_race(&x, "packs/", remove_the_runs_key);
	add_key(&x.t, ROLE_WRITE);
	timed_close(&x.s->base);
	r = open_as(&x.t, other_secret);
	snprintf(x.holder, sizeof x.holder, "%s", repo_key_holder(r));
	x.s = (struct timed *)repo_store(r);
	x.s->moment = "packs/";
	x.s->then = remove_the_runs_key;
	x.s->arg = &x;
	x.s->survives = true;
	FAILS(world_backup(&x.t.w, r, &res, &e), ERR_WRONG_KEY);
	assert_int_equal(make_count(r, "snapshots/"), 1);
	repo_close(r);
	end(&x.t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_mark_of_a_key_that_was_added_meanwhile_is_heeded),
	    cmocka_unit_test(who_must_know_what_came_meanwhile_makes_no_snapshot),
	    cmocka_unit_test(a_key_that_was_removed_meanwhile_makes_no_snapshot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
