/* store_retry over store_fault: what is tried again, how often, and what not. */
#include <errno.h>

#include "store/store_backoff.h"
#include "store_dir.h"

static const struct store_pace no_wait = {.more = 5};

struct t {
	struct store *s; /* retry over fault over mem */
	struct ctx ctx;
	struct err e;
	const char *op; /* fails... */
	enum err_kind kind;
	int times; /* ...so often from now */
	bool after;
	int calls, events;
};

static enum err_kind decide(void *arg, const char *op, const char *key, bool *after)
{
	struct t *t = arg;

	if (t->op == NULL || strcmp(op, t->op) != 0)
		return ERR_NONE;
	t->calls++;
	*after = t->after;
	return t->times-- > 0 ? t->kind : ERR_NONE;
}

static void on_event(struct ctx *ctx, const struct event *ev)
{
	struct t *t = ctx->sink_arg;

	assert_int_equal(ev->id, EVENT_STORE_RETRY);
	assert_true(strlen(ev->text) > 0);
	t->events++;
}

static int setup(void **state)
{
	struct t *t = mem_zalloc(sizeof *t);
	static int serial;
	char name[32];
	struct store *mem;

	snprintf(name, sizeof name, "retry-%d", serial++);
	OK(store_mem_open(name, true, &mem, &t->e), &t->e);
	t->ctx.clock = os_clock();
	t->ctx.sink = on_event;
	t->ctx.sink_arg = t;
	t->s = store_retry_new(
	    store_fault_new(mem, &(struct store_fault_plan){decide, t}), &t->ctx);
	store_retry_pace(t->s, &no_wait);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct t *t = *state;

	store_close(t->s);
	free(t);
	return 0;
}

static void plan(struct t *t, const char *op, enum err_kind kind, int times, bool after)
{
	t->op = op;
	t->kind = kind;
	t->times = times;
	t->after = after;
	t->calls = t->events = 0;
}

static int none(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	return arg ? err_set(e, ERR_BUSY, "visitor") : 0;
}

static int run(struct t *t, const char *op)
{
	struct store_stat st;
	char c;

	if (strcmp(op, "put") == 0)
		return store_put(t->s, "a/b", span_str("x"), 0, &t->e);
	if (strcmp(op, "get") == 0)
		return store_get(t->s, "a/b", 0, &c, 1, &t->e);
	if (strcmp(op, "stat") == 0)
		return store_stat(t->s, "a/b", &st, &t->e);
	if (strcmp(op, "del") == 0)
		return store_del(t->s, "gone", &t->e);
	if (strcmp(op, "list") == 0)
		return store_list(t->s, "nothing/", none, NULL, &t->e);
	if (strcmp(op, "sync") == 0)
		return store_sync(t->s, &t->e);
	struct store_upload *up;
	int rc = store_begin(t->s, &up, &t->e);
	store_abort(up);
	return rc;
}

static const char *const ops[] = {"put", "get", "stat", "del", "list", "sync", "begin"};
enum { OPS = sizeof ops / sizeof *ops };

static void passing_troubles_are_outlived(void **state)
{
	struct t *t = *state;

	for (size_t i = 0; i < OPS; i++) {
		plan(t, ops[i], ERR_UNREACHABLE, no_wait.more, false);
		OK(run(t, ops[i]), &t->e);
		assert_int_equal(t->e.kind, ERR_NONE);
		assert_int_equal(t->calls, no_wait.more + 1);
		assert_int_equal(t->events, no_wait.more);
	}
}

static void lasting_troubles_end_after_five_more(void **state)
{
	struct t *t = *state;

	OK(run(t, "put"), &t->e);
	for (size_t i = 0; i < OPS; i++) {
		plan(t, ops[i], ERR_TIMEOUT, 1000, false);
		FAILS(run(t, ops[i]), ERR_TIMEOUT, &t->e);
		assert_int_equal(t->calls, no_wait.more + 1);
		assert_int_equal(t->events, no_wait.more);
	}
}

/* The table of err.h decides. */
static void each_kind_is_retried_as_its_table_says(void **state)
{
	struct t *t = *state;

	OK(run(t, "put"), &t->e);
	for (int k = ERR_NONE + 1; k < ERR_KINDS; k++) {
		plan(t, "get", (enum err_kind)k, 1000, false);
		FAILS(run(t, "get"), (enum err_kind)k, &t->e);
		assert_int_equal(
		    t->calls, err_info((enum err_kind)k)->retry ? no_wait.more + 1 : 1);
	}
}

static void sync_is_not_repeated_after_an_io_error(void **state)
{
	struct t *t = *state;

	plan(t, "sync", ERR_IO, 1, false);
	FAILS(run(t, "sync"), ERR_IO, &t->e);
	assert_int_equal(t->calls, 1);
}

static void a_lost_answer_to_a_put_counts_as_done(void **state)
{
	struct t *t = *state;
	struct buf big = {0};

	plan(t, "put", ERR_UNREACHABLE, 1, true);
	OK(store_put(t->s, "new", span_str("content"), STORE_NEW, &t->e), &t->e);
	assert_int_equal(t->calls, 2);
	assert_int_equal(whole_or_absent(t->s, "new", "content"), 1);
	memset(buf_extend(&big, 3 << 20), 'b', 3 << 20);
	plan(t, "put", ERR_TIMEOUT, 1, true);
	OK(store_put(t->s, "big", buf_span(&big), STORE_NEW, &t->e), &t->e);
	buf_fini(&big);
}

static void another_s_object_is_not_taken_for_ours(void **state)
{
	struct t *t = *state;

	OK(store_put(t->s, "new", span_str("theirs"), STORE_NEW, &t->e), &t->e);
	plan(t, "put", ERR_UNREACHABLE, 1, false);
	FAILS(store_put(t->s, "new", span_str("ours.."), STORE_NEW, &t->e), ERR_EXISTS, &t->e);
	FAILS(store_put(t->s, "new", span_str("longer than"), STORE_NEW, &t->e), ERR_EXISTS, &t->e);
	/* Even equal content is somebody else's if nothing failed before. */
	plan(t, NULL, ERR_NONE, 0, false);
	FAILS(store_put(t->s, "new", span_str("theirs"), STORE_NEW, &t->e), ERR_EXISTS, &t->e);
	assert_int_equal(whole_or_absent(t->s, "new", "theirs"), 1);
}

static void appends_and_commits_are_not_repeated(void **state)
{
	struct t *t = *state;
	struct store_upload *up;

	OK(store_begin(t->s, &up, &t->e), &t->e);
	plan(t, "append", ERR_UNREACHABLE, 1, false);
	FAILS(store_append(up, span_str("x"), &t->e), ERR_UNREACHABLE, &t->e);
	assert_int_equal(t->calls, 1);
	plan(t, "commit", ERR_UNREACHABLE, 1, false);
	FAILS(store_commit(up, "a", 0, &t->e), ERR_UNREACHABLE, &t->e);
	assert_int_equal(t->calls, 1);
	assert_int_equal(whole_or_absent(t->s, "a", "x"), 0);
}

static void a_list_that_began_is_not_repeated(void **state)
{
	struct t *t = *state;
	int arg;

	OK(run(t, "put"), &t->e);
	plan(t, "list", ERR_UNREACHABLE, 0, false);
	FAILS(store_list(t->s, "", none, &arg, &t->e), ERR_BUSY, &t->e);
	assert_int_equal(t->calls, 1);
	plan(t, "list", ERR_UNREACHABLE, 1, true);
	FAILS(store_list(t->s, "", none, NULL, &t->e), ERR_UNREACHABLE, &t->e);
	assert_int_equal(t->calls, 1);
}

static void a_cancelled_operation_is_not_repeated(void **state)
{
	struct t *t = *state;

	plan(t, "get", ERR_UNREACHABLE, 1000, false);
	t->ctx.cancel = true;
	FAILS(run(t, "get"), ERR_CANCELLED, &t->e);
	assert_int_equal(t->calls, 1);
	assert_int_equal(t->events, 0);
}

/* What fsync reported once it does not report again. */
static void a_local_device_error_is_not_repeated_for_writes(void **state)
{
	char *dir = dir_make();
	struct store *s;
	struct err e;
	char c;

	OK(store_fs_open(dir, false, &s, &e), &e);
	s = store_retry_new(s, NULL);
	store_retry_pace(s, &no_wait);
	OK(store_put(s, "a/b", span_str("x"), 0, &e), &e);
	os_fault_arm(3, EIO); /* create, write, fsync */
	FAILS(store_put(s, "a/c", span_str("x"), 0, &e), ERR_IO, &e);
	assert_true(os_fault_fired());
	assert_int_equal(whole_or_absent(s, "a/c", "x"), 0);
	os_fault_arm(1, EIO);
	OK(store_get(s, "a/b", 0, &c, 1, &e), &e);
	assert_true(os_fault_fired());
	store_close(s);
	dir_remove(dir);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(passing_troubles_are_outlived),
	    T(lasting_troubles_end_after_five_more),
	    T(each_kind_is_retried_as_its_table_says),
	    T(sync_is_not_repeated_after_an_io_error),
	    T(a_lost_answer_to_a_put_counts_as_done),
	    T(another_s_object_is_not_taken_for_ours),
	    T(appends_and_commits_are_not_repeated),
	    T(a_list_that_began_is_not_repeated),
	    T(a_cancelled_operation_is_not_repeated),
	    cmocka_unit_test(a_local_device_error_is_not_repeated_for_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
