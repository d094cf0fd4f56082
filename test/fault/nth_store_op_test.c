/*
 * Backup, forget and prune in which the nth operation of the store fails,
 * before it was done or after (a lost answer).  Whatever fails, nothing that
 * was acknowledged is lost.
 */
#include "fault.h"

struct plan {
	_Atomic int left; /* it fails where this becomes 0 */
	_Atomic bool fired;
	bool after;
	enum err_kind kind;
};

static enum err_kind decide(void *arg, const char *op, const char *key, bool *after)
{
	struct plan *p = arg;

	if (atomic_fetch_sub(&p->left, 1) != 1)
		return ERR_NONE;
	atomic_store(&p->fired, true);
	*after = p->after;
	return p->kind;
}

struct t {
	struct world w;
	char place[32];
	struct plan plan;
	struct id first, second; /* snapshots; the first is forgotten for prune */
};

static struct repo *open_plain(struct t *t)
{
	return open_repo(&t->w.ctx, t->place, t->w.cache);
}

static struct repo *open_faulty(struct t *t)
{
	struct store_fault_plan fp = {decide, &t->plan};
	struct repo_cred cred = make_cred();
	struct repo *r;
	struct err e;

	OK(repo_open(store_fault_new(make_store(t->place, false), &fp), &cred, t->w.cache,
	    &t->w.ctx, &r, &e));
	return r;
}

static void backup_once(struct t *t, struct repo *r, struct id *id)
{
	struct backup_result res;
	struct err e;

	OK(world_backup(&t->w, r, &res, &e));
	assert_int_equal(res.stats.errors, 0);
	*id = res.snapshot;
}

static void begin(struct t *t, bool snapshots)
{
	struct repo *r;

	memset(t, 0, sizeof *t);
	world_begin(&t->w);
	r = make_repo(&t->w.ctx, t->place, t->w.cache);
	if (snapshots) {
		backup_once(t, r, &t->first);
		world_fill(&t->w, 2000);
		backup_once(t, r, &t->second);
	}
	repo_close(r);
}

static void arm(struct t *t, unsigned nth, unsigned variant)
{
	t->plan.after = variant % 2;
	t->plan.kind = variant / 2 ? ERR_NO_SPACE : ERR_IO;
	atomic_store(&t->plan.left, (int)nth);
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

/* Fail the nth operation of `op`; was there an nth? */
static bool fail_nth(operation *op, bool snapshots, unsigned nth, unsigned variant)
{
	struct repo *r;
	char when[64];
	struct err e;
	struct t t;
	int rc;

	begin(&t, snapshots);
	if (op == do_prune) {
		r = open_plain(&t);
		OK(do_forget(&t, r, &e));
		repo_close(r);
	}
	/* By several threads, in turn: then another operation is the nth each time. */
	t.w.jobs = nth / 4 % 2 ? 3 : 1;
	snprintf(when, sizeof when, "operation %u, %s %s, %u jobs", nth,
	    variant / 2 ? "no space" : "io", variant % 2 ? "after" : "before", t.w.jobs);
	r = open_faulty(&t);
	arm(&t, nth, variant);
	err_clear(&e);
	rc = op(&t, r, &e);
	atomic_store(&t.plan.left, 0);
	if (rc == -1 && !t.plan.fired)
		fail_msg("%s: nothing failed, yet: %s", when, e.msg);
	if (rc == -1 && (e.kind == ERR_NONE || e.kind == ERR_BUG || e.kind == ERR_CORRUPT))
		fail_msg("%s: told as %s: %s", when, err_info(e.kind)->name, e.msg);
	repo_close(r);

	r = open_plain(&t);
	world_check(&t.w, r, when);
	if (snapshots && op != do_backup)
		world_compare(&t.w, r, &t.second, when);
	/* It can be done again, to the end. */
	if (op(&t, r, &e) == -1)
		fail_msg("%s: again: %s", when, e.msg);
	if (snapshots && op != do_backup)
		world_compare(&t.w, r, &t.second, when);
	world_holds(&t.w, r, when);
	repo_close(r);
	world_end(&t.w);
	return t.plan.fired;
}

static void fail_each(operation *op, bool snapshots, unsigned least)
{
	bool full = getenv("HOLDFAST_TEST_FULL") != NULL;
	unsigned most = 0;

	/* Short: every second operation, before and after in turn. */
	for (unsigned variant = 0; variant < (full ? 4 : 2); variant++) {
		unsigned n = full ? 1 : 1 + 2 * variant;

		for (; fail_nth(op, snapshots, n, variant); n += full ? 1 : 4)
			;
		most = n > most ? n : most;
	}
	print_message("# up to operation %u\n", most);
	assert_true(most > least);
}

static void any_operation_of_a_first_backup_may_fail(void **state)
{
	fail_each(do_backup, false, 5);
}

static void any_operation_of_a_later_backup_may_fail(void **state)
{
	fail_each(do_backup, true, 5);
}

static void any_operation_of_a_forget_may_fail(void **state)
{
	fail_each(do_forget, true, 1);
}

static void any_operation_of_a_prune_may_fail(void **state)
{
	fail_each(do_prune, true, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_operation_of_a_first_backup_may_fail),
	    cmocka_unit_test(any_operation_of_a_later_backup_may_fail),
	    cmocka_unit_test(any_operation_of_a_forget_may_fail),
	    cmocka_unit_test(any_operation_of_a_prune_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
