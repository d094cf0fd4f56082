/*
 * Power loss at every step of a backup, a forget, a prune and a repair: what the store
 * had not yet promised to keep is dropped or kept at random, each object and
 * each deletion for itself, so also in any other order than it came.  Nothing
 * that was acknowledged is lost, and no snapshot is there without its data.
 */
#include "fault.h"

#include <pthread.h>
#include <time.h>

#include "engine/op_repair.h"
#include "repo/repo_object.h"
#include "repo/repo_parity.h"

/* What was done and not yet synced, newest first. */
struct undo {
	struct undo *next;
	char *key;
	bool deleted; /* else put */
	struct buf bytes;
};

/*
 * A store whose power fails before its nth operation: a put is durable at
 * once, a lazy commit and a deletion are by the next sync (store.h).
 */
struct power {
	struct store base;
	pthread_mutex_t lock; /* guards what follows */
	struct undo *undo;
	unsigned left; /* operations until the cut; 0: never */
	bool off;
	uint64_t seed; /* decides what is lost */
};

struct power_upload {
	struct store_upload base;
	struct buf data;
};

static int off(struct power *p, struct err *e)
{
	bool is;

	pthread_mutex_lock(&p->lock);
	p->off = p->off || (p->left && --p->left == 0);
	is = p->off;
	pthread_mutex_unlock(&p->lock);
	return is ? err_set(e, ERR_FAILED, "the power is off") : 0;
}

static void remember(struct power *p, const char *key, bool deleted, struct buf *bytes)
{
	struct undo *u = mem_zalloc(sizeof *u);

	u->key = mem_strdup(key);
	u->deleted = deleted;
	u->bytes = *bytes;
	*bytes = (struct buf){0};
	pthread_mutex_lock(&p->lock);
	u->next = p->undo;
	p->undo = u;
	pthread_mutex_unlock(&p->lock);
}

static void undo_free(struct undo *u)
{
	free(u->key);
	buf_fini(&u->bytes);
	free(u);
}

static int power_put(
    struct store *s, const char *key, struct span data, unsigned flags, struct err *e)
{
	return off((struct power *)s, e) ? -1 : store_put(s->under, key, data, flags, e);
}

static int power_get(
    struct store *s, const char *key, uint64_t at, void *buf, size_t len, struct err *e)
{
	return off((struct power *)s, e) ? -1 : store_get(s->under, key, at, buf, len, e);
}

static int power_stat(struct store *s, const char *key, struct store_stat *st, struct err *e)
{
	return off((struct power *)s, e) ? -1 : store_stat(s->under, key, st, e);
}

static int power_del(struct store *s, const char *key, struct err *e)
{
	struct power *p = (struct power *)s;
	struct buf bytes = {0};
	struct err absent;

	if (off(p, e))
		return -1;
	if (store_get_all(s->under, key, FORMAT_PACK_MAX, &bytes, &absent) == 0)
		remember(p, key, true, &bytes);
	buf_fini(&bytes);
	return store_del(s->under, key, e);
}

static int power_list(
    struct store *s, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	return off((struct power *)s, e) ? -1 : store_list(s->under, prefix, visit, arg, e);
}

static int power_begin(struct store *s, struct store_upload **up, struct err *e)
{
	struct power_upload *u;

	if (off((struct power *)s, e))
		return -1;
	u = mem_zalloc(sizeof *u);
	u->base.store = s;
	*up = &u->base;
	return 0;
}

static int power_append(struct store_upload *up, struct span data, struct err *e)
{
	buf_put_span(&((struct power_upload *)up)->data, data);
	return 0;
}

static int power_commit(struct store_upload *up, const char *key, unsigned flags, struct err *e)
{
	struct power_upload *u = (struct power_upload *)up;
	struct power *p = (struct power *)up->store;
	struct buf none = {0};
	int rc = 0;

	if (key && (rc = off(p, e)) == 0) {
		rc = store_put(p->base.under, key, buf_span(&u->data), flags & STORE_NEW, e);
		if (rc == 0 && (flags & STORE_LAZY))
			remember(p, key, false, &none);
	}
	buf_fini(&u->data);
	free(u);
	return rc;
}

static int power_sync(struct store *s, struct err *e)
{
	struct power *p = (struct power *)s;
	struct undo *u;

	if (off(p, e))
		return -1;
	pthread_mutex_lock(&p->lock);
	while ((u = p->undo)) {
		p->undo = u->next;
		undo_free(u);
	}
	pthread_mutex_unlock(&p->lock);
	return 0;
}

/* The machine starts again: any of what was not synced may be undone. */
static void power_close(struct store *s)
{
	struct power *p = (struct power *)s;
	struct undo *u;
	struct err e;

	while ((u = p->undo)) {
		p->undo = u->next;
		if (p->off && unit_rand(&p->seed) % 2) {
			if (u->deleted)
				OK(store_put(s->under, u->key, buf_span(&u->bytes), 0, &e));
			else
				OK(store_del(s->under, u->key, &e));
		}
		undo_free(u);
	}
	store_close(s->under);
	pthread_mutex_destroy(&p->lock);
	free(s->url);
	free(s);
}

static const struct store_ops power_ops = {
    .scheme = "power",
    .durability = "what is synced",
    .put = power_put,
    .get = power_get,
    .stat = power_stat,
    .del = power_del,
    .list = power_list,
    .begin = power_begin,
    .append = power_append,
    .commit = power_commit,
    .sync = power_sync,
    .close = power_close,
};

/* ---- A cut at the nth operation. */

struct t {
	struct world w;
	char place[32];
	struct id first, second; /* snapshots; the first is forgotten for prune */
};

static struct repo *open_power(struct t *t, unsigned nth, uint64_t seed, struct err *e)
{
	struct power *p = mem_zalloc(sizeof *p);
	struct repo_cred cred = make_cred();
	struct repo *r;

	p->base.ops = &power_ops;
	pthread_mutex_init(&p->lock, NULL);
	p->base.url = mem_strdup("power:");
	p->base.under = make_store(t->place, false);
	p->left = nth;
	p->seed = seed;
	return repo_open(&p->base, &cred, t->w.cache, &t->w.ctx, &r, e) == 0 ? r : NULL;
}

typedef int operation(struct t *t, struct repo *r, struct err *e);

static int do_backup(struct t *t, struct repo *r, struct err *e)
{
	struct backup_result res;

	return world_backup(&t->w, r, &res, e);
}

static int do_forget(struct t *t, struct repo *r, struct err *e)
{
	return world_forget(r, &t->first, e);
}

static int do_prune(struct t *t, struct repo *r, struct err *e)
{
	return world_prune(&t->w, r, e);
}

/* Of a repository with parity, in which a pack of each kind and an index have a flipped bit. */
static int do_repair(struct t *t, struct repo *r, struct err *e)
{
	struct repair_params p = {.jobs = world_jobs(&t->w)};
	struct repair_result res;

	return op_repair(r, &p, &t->w.ctx, &res, e);
}

static void damage_one(struct repo *r, enum format_type type)
{
	struct id_list l = make_list(r, type);
	char name[REPO_NAME_MAX];

	assert_true(l.n > 0);
	make_damage(r->store, repo_object_name(name, type, &l.v[0]), 100, 1);
	id_list_fini(&l);
}

static void begin(struct t *t, bool prune, bool parity, bool damaged)
{
	struct backup_result res;
	struct repo *r;
	struct err e;

	memset(t, 0, sizeof *t);
	world_begin(&t->w);
	r = make_repo(&t->w.ctx, t->place, t->w.cache);
	if (parity)
		OK(repo_set_parity(r, 100, &e));
	OK(world_backup(&t->w, r, &res, &e));
	t->first = res.snapshot;
	world_fill(&t->w, 2000);
	OK(world_backup(&t->w, r, &res, &e));
	t->second = res.snapshot;
	if (prune)
		OK(do_forget(t, r, &e));
	for (size_t i = 0; damaged && i < 3; i++)
		damage_one(r, (enum format_type[]){FORMAT_PACK, FORMAT_META, FORMAT_INDEX}[i]);
	repo_close(r);
}

static bool has_first(struct t *t, struct repo *r)
{
	char name[REPO_NAME_MAX];
	struct store_stat st;
	struct err e;

	repo_object_name(name, FORMAT_SNAPSHOT, &t->first);
	return store_stat(repo_store(r), name, &st, &e) == 0;
}

/* Cut at the nth operation: was there an nth? */
static bool cut_at(operation *op, bool parity, unsigned nth, uint64_t seed)
{
	struct repo *r;
	char when[96];
	struct err e;
	struct t t;
	int rc;

	begin(&t, op == do_prune, parity, op == do_repair);
	t.w.jobs = nth % 2 ? 3 : 1;
	if (op == do_backup)
		world_fill(&t.w, 3000);
	snprintf(when, sizeof when, "power cut at operation %u, HOLDFAST_TEST_SEED=%llu", nth,
	    (unsigned long long)seed);
	rc = -1;
	if ((r = open_power(&t, nth, seed, &e)))
		rc = op(&t, r, &e);
	repo_close(r);
	r = open_repo(&t.w.ctx, t.place, t.w.cache);
	/* What is damaged is no worse, and the next repair goes on with it. */
	if (op == do_repair) {
		world_compare(&t.w, r, &t.second, when);
		OK(do_repair(&t, r, &e));
	}
	world_check(&t.w, r, when);
	if (op == do_prune && rc == 0)
		assert_false(has_first(&t, r)); /* else no deletion was ever cut */
	if (op != do_backup)
		world_compare(&t.w, r, &t.second, when);
	world_holds(&t.w, r, when);
	repo_close(r);
	world_end(&t.w);
	return rc == -1;
}

static void cut_everywhere(operation *op, bool parity, unsigned least)
{
	const char *given = getenv("HOLDFAST_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	bool full = getenv("HOLDFAST_TEST_FULL") != NULL;
	unsigned times = full ? 8 : 1, step = parity && !full ? 7 : 1, n = 1;

	print_message("# HOLDFAST_TEST_SEED=%llu\n", (unsigned long long)seed);
	for (bool more = true; more; n += step)
		for (unsigned i = 0; i < times; i++)
			more = cut_at(op, parity, n, seed + i);
	print_message("# up to operation %u\n", n - step);
	assert_true(n > least);
}

static void a_backup_survives_power_loss_anywhere(void **state)
{
	cut_everywhere(do_backup, false, 10);
}

static void a_forget_survives_power_loss_anywhere(void **state)
{
	cut_everywhere(do_forget, false, 3);
}

static void a_prune_survives_power_loss_anywhere(void **state)
{
	cut_everywhere(do_prune, false, 20);
}

static void with_parity_a_backup_and_a_prune_survive_it_too(void **state)
{
	cut_everywhere(do_backup, true, 10);
	cut_everywhere(do_prune, true, 20);
}

static void a_repair_survives_power_loss_anywhere(void **state)
{
	cut_everywhere(do_repair, true, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_backup_survives_power_loss_anywhere),
	    cmocka_unit_test(a_forget_survives_power_loss_anywhere),
	    cmocka_unit_test(a_prune_survives_power_loss_anywhere),
	    cmocka_unit_test(with_parity_a_backup_and_a_prune_survive_it_too),
	    cmocka_unit_test(a_repair_survives_power_loss_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
