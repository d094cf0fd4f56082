/* store_queue over store_fault: what a sync says of uploads that failed, and who waits for whom. */
#include <pthread.h>
#include <time.h>

#include "store_dir.h"

struct t {
	struct store *s; /* queue over fault over mem */
	struct err e;
	_Atomic bool fails;            /* every put */
	void (*meanwhile)(struct t *); /* during the next put, once */
};

static enum err_kind decide(void *arg, const char *op, const char *key, bool *after)
{
	struct t *t = arg;
	void (*f)(struct t *) = t->meanwhile;

	if (strcmp(op, "put") != 0)
		return ERR_NONE;
	t->meanwhile = NULL;
	if (f)
		f(t);
	return t->fails ? ERR_UNREACHABLE : ERR_NONE;
}

static int setup(void **state)
{
	struct t *t = mem_zalloc(sizeof *t);
	static int serial;
	struct store *mem;
	char name[32];

	snprintf(name, sizeof name, "queue-%d", serial++);
	OK(store_mem_open(name, true, &mem, &t->e), &t->e);
	t->s = store_queue_new(store_fault_new(mem, &(struct store_fault_plan){decide, t}), 2);
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

static int commit(struct t *t, const char *key, struct err *e)
{
	struct store_upload *up;

	if (store_begin(t->s, &up, e) == -1)
		return -1;
	OK(store_append(up, span_str("content"), e), e);
	return store_commit(up, key, STORE_LAZY, e);
}

static void what_failed_is_told_and_then_tried_again(void **state)
{
	struct t *t = *state;

	t->fails = true;
	OK(commit(t, "a", &t->e), &t->e);
	FAILS(store_sync(t->s, &t->e), ERR_UNREACHABLE, &t->e);
	FAILS(commit(t, "b", &t->e), ERR_UNREACHABLE, &t->e);
	FAILS(store_sync(t->s, &t->e), ERR_UNREACHABLE, &t->e);
	t->fails = false;
	OK(store_sync(t->s, &t->e), &t->e);
	assert_int_equal(whole_or_absent(t->s, "a", "content"), 1);
	OK(commit(t, "b", &t->e), &t->e);
	OK(store_sync(t->s, &t->e), &t->e);
	assert_int_equal(whole_or_absent(t->s, "b", "content"), 1);
}

static void *commit_another(void *arg)
{
	struct err e;

	commit(arg, "other", &e); /* refused or not: it has an answer */
	return NULL;
}

static void others_get_an_answer(struct t *t)
{
	struct timespec end;
	pthread_t thread;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 120;
	assert_int_equal(pthread_create(&thread, NULL, commit_another, t), 0);
	if (pthread_timedjoin_np(thread, NULL, &end) != 0)
		abort(); /* it waits for us, and we for it */
}

static void nobody_waits_for_what_a_sync_uploads(void **state)
{
	struct t *t = *state;

	t->fails = true;
	OK(commit(t, "a", &t->e), &t->e);
	FAILS(store_sync(t->s, &t->e), ERR_UNREACHABLE, &t->e);
	t->fails = false;
	t->meanwhile = others_get_an_answer;
	OK(store_sync(t->s, &t->e), &t->e);
	assert_int_equal(whole_or_absent(t->s, "a", "content"), 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    T(what_failed_is_told_and_then_tried_again),
	    T(nobody_waits_for_what_a_sync_uploads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
