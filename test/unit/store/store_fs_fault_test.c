/*
 * Every system call of a put and of a sync is made to fail in turn.  Whatever
 * fails: the object is absent or whole, and nothing stays behind.
 */
#include <errno.h>

#include "store_dir.h"

struct t {
	char *dir;
	struct store *s;
	struct err e;
};

static void begin(struct t *t)
{
	t->dir = dir_make();
	OK(store_fs_open(t->dir, false, &t->s, &t->e), &t->e);
}

static void end(struct t *t)
{
	store_close(t->s);
	dir_remove(t->dir);
}

typedef int put_fn(struct t *t);

static int put_new(struct t *t)
{
	return store_put(t->s, "packs/b", span_str("abc"), STORE_NEW, &t->e);
}

static int put_over(struct t *t)
{
	return store_put(t->s, "packs/b", span_str("abc"), 0, &t->e);
}

static int put_upload(struct t *t)
{
	struct store_upload *up;

	if (store_begin(t->s, &up, &t->e) == -1)
		return -1;
	if (store_append(up, span_str("a"), &t->e) == -1 ||
	    store_append(up, span_str("bc"), &t->e) == -1) {
		store_abort(up);
		return -1;
	}
	return store_commit(up, "packs/b", STORE_NEW, &t->e);
}

static int put_lazily(struct t *t)
{
	if (store_put(t->s, "packs/b", span_str("abc"), STORE_NEW | STORE_LAZY, &t->e) == -1)
		return -1;
	return store_sync(t->s, &t->e);
}

/* Fail call nth with errno no, in a fresh store; did it fire? */
static bool fault_once(put_fn *put, unsigned nth, int no, bool sync_keeps)
{
	struct t t;
	int fds, rc;
	bool fired;

	begin(&t);
	fds = open_fds();
	os_fault_arm(nth, no);
	rc = put(&t);
	fired = os_fault_fired();
	if (no == EINTR && rc == -1)
		fail_msg("call %u: EINTR was not tried again: %s", nth, t.e.msg);
	if (no != EINTR && !fired && rc == -1)
		fail_msg("call %u: %s", nth, t.e.msg);
	if (rc == -1) {
		assert_int_equal(t.e.sys, no);
		assert_non_null(strstr(t.e.msg, t.s->url));
		if (no == ENOSPC) {
			assert_int_equal(t.e.kind, ERR_NO_SPACE);
			assert_true(t.e.hint[0] != '\0');
		}
	}
	if (sync_keeps && rc == -1) {
		/* A failed sync holds on to its objects until close. */
		store_close(t.s);
		fds--;
		OK(store_fs_open(t.dir, false, &t.s, &t.e), &t.e);
		fds++;
	}
	assert_int_equal(open_fds(), fds);
	assert_int_equal(dir_count(t.dir, "tmp"), 0);
	if (!whole_or_absent(t.s, "packs/b", "abc"))
		assert_int_equal(rc, -1);
	/* The next one works, unless the first was there already. */
	if (put(&t) == -1)
		assert_int_equal(t.e.kind, ERR_EXISTS);
	assert_int_equal(whole_or_absent(t.s, "packs/b", "abc"), 1);
	end(&t);
	return fired;
}

/* How many calls can fail. */
static unsigned fault_each(put_fn *put, bool sync_keeps)
{
	static const int kinds[] = {EIO, ENOSPC, EINTR, EACCES};
	unsigned calls[4];

	for (size_t i = 0; i < 4; i++)
		for (calls[i] = 0; fault_once(put, calls[i] + 1, kinds[i], sync_keeps); calls[i]++)
			;
	assert_int_equal(calls[0], calls[1]);
	assert_int_equal(calls[0], calls[3]);
	return calls[0];
}

/*
 * The counts: a new call needs a look here.  Create, in vain; tmp/: mkdir, open
 * the root to read it, in vain or not, open and fsync the parent; create; write; fsync; packs/:
 * mkdir, open and fsync the parent; link or rename; open and fsync the folder.
 */
static void put_survives_a_fault_at_every_step(void **state)
{
	assert_int_equal(fault_each(put_new, false), 14);
	assert_int_equal(fault_each(put_over, false), 14);
	assert_int_equal(fault_each(put_upload, false), 15);
}

static void sync_survives_a_fault_at_every_step(void **state)
{
	/* As above, and the look whether it is there already. */
	assert_int_equal(fault_each(put_lazily, true), 15);
}

/* After a failed fsync the kernel forgets what it lost: nor may we claim success. */
static void a_sync_after_a_lost_fsync_never_succeeds(void **state)
{
	struct t t;
	bool fired = true;

	for (unsigned nth = 1; fired; nth++) {
		bool lost;

		begin(&t);
		for (int i = 0; i < 3; i++) {
			char key[16];

			snprintf(key, sizeof key, "packs/%d", i);
			OK(store_put(t.s, key, span_str("abc"), STORE_LAZY, &t.e), &t.e);
		}
		os_fault_arm(nth, EIO);
		lost = store_sync(t.s, &t.e) == -1 && strstr(t.e.msg, "fsync") &&
		       strstr(t.e.msg, "parent") == NULL;
		fired = os_fault_fired();
		if (lost) {
			FAILS(store_sync(t.s, &t.e), ERR_IO, &t.e);
			FAILS(store_sync(t.s, &t.e), ERR_IO, &t.e);
			assert_true(t.e.hint[0] != '\0');
		} else {
			OK(store_sync(t.s, &t.e), &t.e);
			for (int i = 0; i < 3; i++) {
				char key[16];

				snprintf(key, sizeof key, "packs/%d", i);
				assert_int_equal(whole_or_absent(t.s, key, "abc"), 1);
			}
		}
		end(&t);
	}
}

/* A first sync that failed otherwise is finished by the next. */
static void sync_goes_on_where_it_failed(void **state)
{
	struct t t;
	bool fired = true;

	for (unsigned nth = 1; fired; nth++) {
		begin(&t);
		OK(store_put(t.s, "packs/a", span_str("abc"), STORE_LAZY | STORE_NEW, &t.e), &t.e);
		OK(store_put(t.s, "packs/b", span_str("abc"), STORE_LAZY | STORE_NEW, &t.e), &t.e);
		os_fault_arm(nth, ENOSPC);
		store_sync(t.s, &t.e);
		fired = os_fault_fired();
		if (store_sync(t.s, &t.e) == -1) {
			assert_non_null(strstr(t.e.msg, "earlier"));
		} else {
			assert_int_equal(whole_or_absent(t.s, "packs/a", "abc"), 1);
			assert_int_equal(whole_or_absent(t.s, "packs/b", "abc"), 1);
			assert_int_equal(dir_count(t.dir, "tmp"), 0);
		}
		end(&t);
	}
}

static void file_systems_without_links_work(void **state)
{
	static const int kinds[] = {EPERM, EOPNOTSUPP};
	struct t t;

	for (int i = 0; i < 2; i++) {
		begin(&t);
		OK(store_put(t.s, "packs/a", span_str("one"), STORE_NEW, &t.e), &t.e);
		/* create, write, fsync, link */
		os_fault_arm(4, kinds[i]);
		OK(put_new(&t), &t.e);
		assert_true(os_fault_fired());
		assert_int_equal(whole_or_absent(t.s, "packs/b", "abc"), 1);
		os_fault_arm(4, kinds[i]);
		FAILS(put_new(&t), ERR_EXISTS, &t.e);
		assert_true(os_fault_fired());
		assert_int_equal(dir_count(t.dir, "tmp"), 0);
		end(&t);
	}
}

static void get_and_list_report_what_fails(void **state)
{
	struct t t;
	int fds;
	bool fired = true;

	begin(&t);
	OK(put_new(&t), &t.e);
	for (unsigned nth = 1; fired; nth++) {
		char got[3];
		int rc;

		store_close(t.s);
		OK(store_fs_open(t.dir, false, &t.s, &t.e), &t.e);
		os_fault_arm(nth, EIO);
		rc = store_get(t.s, "packs/b", 0, got, 3, &t.e);
		fired = os_fault_fired();
		assert_int_equal(rc == -1, fired);
		if (fired)
			assert_int_equal(t.e.kind, ERR_IO);
	}
	fds = open_fds();
	fired = true;
	for (unsigned nth = 1; fired; nth++) {
		struct store_stat st;

		os_fault_arm(nth, EIO);
		assert_int_equal(store_stat(t.s, "packs/b", &st, &t.e) == -1, nth == 1);
		fired = os_fault_fired();
	}
	assert_int_equal(open_fds(), fds);
	end(&t);
}

static int ignore(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	return 0;
}

static void list_fails_rather_than_leave_out(void **state)
{
	struct t t;
	bool fired = true;
	int fds;

	begin(&t);
	OK(put_new(&t), &t.e);
	fds = open_fds();
	for (unsigned nth = 1; fired; nth++) {
		int rc;

		os_fault_arm(nth, EACCES);
		rc = store_list(t.s, "", ignore, NULL, &t.e);
		fired = os_fault_fired();
		assert_int_equal(rc == -1, fired);
		if (fired)
			assert_int_equal(t.e.kind, ERR_DENIED);
		assert_int_equal(open_fds(), fds);
	}
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(put_survives_a_fault_at_every_step),
	    cmocka_unit_test(sync_survives_a_fault_at_every_step),
	    cmocka_unit_test(a_sync_after_a_lost_fsync_never_succeeds),
	    cmocka_unit_test(sync_goes_on_where_it_failed),
	    cmocka_unit_test(file_systems_without_links_work),
	    cmocka_unit_test(get_and_list_report_what_fails),
	    cmocka_unit_test(list_fails_rather_than_leave_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
