/*
 * Runs that are suspended at the worst moment, until prune has deleted what they
 * stored, and that die before they can take back what they told of it.  check and
 * prune tell what is left from damage; and damage from it.
 */
#include "fault.h"

#include "engine/select.h"
#include "repo/repo_object.h"

static const int64_t HOUR = 3600 * INT64_C(1000000000);

/* ---- A store whose clock is ours. */

static int64_t now_ns;

static struct stamp {
	char key[STORE_KEY_MAX + 1];
	int64_t ns;
} * stamps;
static size_t nstamps;

static int64_t *stamp_of(const char *key)
{
	size_t i = 0;

	while (i < nstamps && strcmp(stamps[i].key, key) != 0)
		i++;
	if (i == nstamps) {
		stamps = mem_realloc(stamps, ++nstamps * sizeof *stamps);
		snprintf(stamps[i].key, sizeof stamps[i].key, "%s", key);
	}
	return &stamps[i].ns;
}

/* Before a put of this kind time passes, and others work; after it the process is gone. */
struct timed {
	struct store base;
	const char *moment; /* a prefix of keys; NULL: never */
	void (*then)(void *arg);
	void *arg;
	bool dead;
};

static int dead(struct timed *t, struct err *e)
{
	return t->dead ? err_set(e, ERR_FAILED, "killed") : 0;
}

static int timed_put(
    struct store *s, const char *key, struct span data, unsigned flags, struct err *e)
{
	struct timed *t = (struct timed *)s;
	bool now = t->moment && strncmp(key, t->moment, strlen(t->moment)) == 0;

	if (dead(t, e) == -1)
		return -1;
	if (now)
		t->then(t->arg);
	if (store_put(s->under, key, data, flags & STORE_NEW, e) == -1)
		return -1;
	*stamp_of(key) = now_ns;
	t->dead = now;
	return dead(t, e);
}

static int timed_get(
    struct store *s, const char *key, uint64_t at, void *buf, size_t len, struct err *e)
{
	return dead((struct timed *)s, e) ? -1 : store_get(s->under, key, at, buf, len, e);
}

static int timed_stat(struct store *s, const char *key, struct store_stat *st, struct err *e)
{
	if (dead((struct timed *)s, e) || store_stat(s->under, key, st, e) == -1)
		return -1;
	st->mtime_ns = *stamp_of(key);
	return 0;
}

static int timed_del(struct store *s, const char *key, struct err *e)
{
	return dead((struct timed *)s, e) ? -1 : store_del(s->under, key, e);
}

struct visiting {
	store_visit *visit;
	void *arg;
};

static int timed_visit(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct visiting *v = arg;

	return v->visit(
	    v->arg, key, &(struct store_stat){.size = st->size, .mtime_ns = *stamp_of(key)}, e);
}

static int timed_list(
    struct store *s, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	struct visiting v = {visit, arg};

	return dead((struct timed *)s, e) ? -1 : store_list(s->under, prefix, timed_visit, &v, e);
}

static void timed_close(struct store *s)
{
	store_close(s->under);
	free(s->url);
	free(s);
}

static const struct store_ops timed_ops = {
    .scheme = "timed",
    .durability = "none",
    .put = timed_put,
    .get = timed_get,
    .stat = timed_stat,
    .del = timed_del,
    .list = timed_list,
    .close = timed_close,
};

static int64_t ask(struct clock *c)
{
	return now_ns;
}

/* ---- A world by that clock. */

struct t {
	struct world w;
	struct clock clock;
	char place[32];
	struct id first; /* acknowledged */
};

static struct timed *timed_new(struct t *t, bool create)
{
	struct timed *s = mem_zalloc(sizeof *s);

	s->base.ops = &timed_ops;
	s->base.url = mem_strdup("timed:");
	s->base.under = make_store(t->place, create);
	return s;
}

static struct repo *open_timed(struct t *t, struct timed *s, const char *cache)
{
	struct repo_cred cred = make_cred();
	struct repo *r;
	struct err e;

	OK(repo_open(&s->base, &cred, cache, &t->w.ctx, &r, &e));
	return r;
}

static void begin(struct t *t)
{
	static unsigned number;
	struct repo_init_params p = {.cred = make_cred(), .label = "test"};
	struct backup_result res;
	struct repo *r;
	struct err e;

	memset(t, 0, sizeof *t);
	now_ns = 2000000 * HOUR / 4;
	snprintf(t->place, sizeof t->place, "void-%u", ++number);
	world_begin(&t->w);
	t->clock = (struct clock){ask, ask};
	t->w.ctx.clock = &t->clock;
	OK(repo_init(&timed_new(t, true)->base, &p, t->w.cache, &t->w.ctx, &r, &e));
	OK(world_backup(&t->w, r, &res, &e));
	t->first = res.snapshot;
	repo_close(r);
	now_ns += HOUR;
	world_fill(&t->w, 5000);
}

static void end(struct t *t)
{
	world_end(&t->w);
	free(stamps);
	stamps = NULL;
	nstamps = 0;
}

static struct prune_result prune_once(struct t *t)
{
	struct repo *r = open_timed(t, timed_new(t, false), NULL);
	struct prune_params p = {.max_unused = 100};
	struct prune_result res;
	struct err e;

	OK(op_prune(r, &p, &t->w.ctx, &res, &e));
	repo_close(r);
	return res;
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_void_snapshot_is_no_damage_nor_latest_and_goes),
	    cmocka_unit_test(a_late_index_is_no_damage_and_nobody_relies_on_it),
	    cmocka_unit_test(lost_packs_of_what_was_acknowledged_are_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
