/*
 * A backup in which the nth system call fails.  It succeeds or says why not;
 * afterwards the repository is whole, the next backup restores equal, and no
 * descriptor is left open.  Every nth is tried with HOLDFAST_TEST_FULL=1, else
 * some.
 */
#include "fault.h"

#include <errno.h>

static struct repo *open_world(struct world *w)
{
	struct repo_cred cred = make_cred();
	struct store *s;
	struct repo *r;
	struct err e;

	OK(store_fs_open(w->repo, false, &s, &e));
	OK(repo_open(s, &cred, w->cache, &w->ctx, &r, &e));
	return r;
}

static void init_world(struct world *w)
{
	struct repo_init_params p = {.cred = make_cred(), .label = "test"};
	struct store *s;
	struct repo *r;
	struct err e;

	world_begin(w);
	OK(store_fs_open(w->repo, true, &s, &e));
	OK(repo_init(s, &p, w->cache, &w->ctx, &r, &e));
	repo_close(r);
}

/* One backup whose nth call fails; was there an nth? */
static bool fail_nth(unsigned nth, int no, bool second)
{
	struct backup_result res;
	struct world w;
	struct repo *r;
	char when[64];
	struct err e;
	bool fired;
	int rc, fds = open_fds();

	snprintf(when, sizeof when, "call %u, %s%s", nth, strerrorname_np(no),
	    second ? ", second backup" : "");
	init_world(&w);
	w.jobs = nth % 2 ? 3 : 1; /* the steps between calls are odd, so each comes in turn */
	r = open_world(&w);
	if (second) {
		OK(world_backup(&w, r, &res, &e));
		repo_close(r);
		world_fill(&w, 1000);
		r = open_world(&w);
	}
	err_clear(&e);
	os_fault_arm(nth, no);
	rc = world_backup(&w, r, &res, &e);
	fired = os_fault_fired();
	if (rc == -1 && (e.kind == ERR_NONE || e.kind == ERR_BUG || e.msg[0] == '\0'))
		fail_msg("%s: fails without saying why: '%s'", when, e.msg);
	/* A damaged repository is not what happened. */
	if (rc == -1 && (e.kind == ERR_CORRUPT || e.kind == ERR_NO_REPOSITORY))
		fail_msg("%s: told as %s: %s", when, err_info(e.kind)->name, e.msg);
	if (no == EINTR && (rc == -1 || res.stats.errors))
		fail_msg("%s: not tried again: %s", when, e.msg);
	if (!fired && rc == -1)
		fail_msg("%s: nothing failed, yet: %s", when, e.msg);
	if (rc == 0 && res.stats.errors == 0)
		world_compare(&w, r, &res.snapshot, when);
	repo_close(r);
	r = open_world(&w);
	world_holds(&w, r, when);
	repo_close(r);
	/* A name that could not be made is not used. */
	if (access("(null).new", F_OK) == 0)
		fail_msg("%s: a file is left in the current directory", when);
	if (open_fds() != fds)
		fail_msg("%s: descriptors are left open", when);
	world_end(&w);
	return fired;
}

static void fail_each(int no, bool second)
{
	unsigned step = getenv("HOLDFAST_TEST_FULL") ? 1 : 23, n = 1;

	/* Not the same calls for every errno, between them all of the early ones. */
	for (n += step > 1 ? (unsigned)no % step : 0; fail_nth(n, no, second); n += step)
		;
	print_message("# %s: up to call %u\n", strerrorname_np(no), n);
	assert_true(n > 50);
}

static void any_call_may_say_no_space(void **state)
{
	fail_each(ENOSPC, false);
	fail_each(ENOSPC, true);
}

static void any_call_may_say_io_error(void **state)
{
	fail_each(EIO, false);
	fail_each(EIO, true);
}

static void any_call_may_be_interrupted(void **state)
{
	fail_each(EINTR, false);
	fail_each(EINTR, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_call_may_say_no_space),
	    cmocka_unit_test(any_call_may_say_io_error),
	    cmocka_unit_test(any_call_may_be_interrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
