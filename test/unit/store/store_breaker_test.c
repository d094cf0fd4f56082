/* store_breaker over store_fault: when it opens, what it then lets through, when it closes. */
#include "store_dir.h"

static int64_t now;

static int64_t fake_mono(struct clock *c)
{
	return now;
}

static struct clock fake = {.mono_ns = fake_mono};

struct t {
	struct store *s;
	struct ctx ctx;
	struct err e;
	enum err_kind fails; /* every operation, with this */
	int calls, told;
};

static enum err_kind decide(void *arg, const char *op, const char *key, bool *after)
{
	struct t *t = arg;

	t->calls++;
	return t->fails;
}

static void on_event(struct ctx *ctx, const struct event *ev)
{
	struct t *t = ctx->sink_arg;

	assert_int_equal(ev->id, EVENT_WARNING);
	t->told++;
}

static int setup(void **state)
{
	struct t *t = mem_zalloc(sizeof *t);
	static int serial;
	struct store *mem;
	char name[32];

	snprintf(name, sizeof name, "breaker-%d", serial++);
	OK(store_mem_open(name, true, &mem, &t->e), &t->e);
	OK(store_put(mem, "a", span_str("1"), 0, &t->e), &t->e);
	t->ctx.clock = &fake;
	t->ctx.sink = on_event;
	t->ctx.sink_arg = t;
	t->s = store_breaker_new(
	    store_fault_new(mem, &(struct store_fault_plan){decide, t}), &t->ctx);
	now = 1000000000;
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

static int ask(struct t *t)
{
	struct store_stat st;

	return store_stat(t->s, "a", &st, &t->e);
}

static void open_it(struct t *t)
{
	t->fails = ERR_UNREACHABLE;
	for (int i = 0; i < STORE_BREAKER_FAILURES; i++)
		FAILS(ask(t), ERR_UNREACHABLE, &t->e);
}

static void a_silent_store_is_left_alone_and_that_is_told_once(void **state)
{
	struct t *t = *state;

	open_it(t);
	assert_int_equal(t->told, 1);
	for (int i = 0; i < 5; i++)
		FAILS(ask(t), ERR_UNREACHABLE, &t->e);
	assert_int_equal(t->calls, STORE_BREAKER_FAILURES);
	assert_int_equal(t->told, 1);
	assert_non_null(strstr(t->e.msg, "injected fault"));
	assert_true(t->e.hint[0] != '\0');
}

static void after_a_rest_one_may_try_and_a_failure_is_another_rest(void **state)
{
	struct t *t = *state;

	open_it(t);
	now += (STORE_BREAKER_REST_S + 1) * INT64_C(1000000000);
	FAILS(ask(t), ERR_UNREACHABLE, &t->e);
	FAILS(ask(t), ERR_UNREACHABLE, &t->e);
	assert_int_equal(t->calls, STORE_BREAKER_FAILURES + 1);
}

static void an_answer_after_a_rest_closes_it(void **state)
{
	struct t *t = *state;

	open_it(t);
	t->fails = ERR_NONE;
	FAILS(ask(t), ERR_UNREACHABLE, &t->e);
	now += (STORE_BREAKER_REST_S + 1) * INT64_C(1000000000);
	OK(ask(t), &t->e);
	OK(ask(t), &t->e);
	assert_int_equal(t->told, 2);
}

static void who_was_interrupted_leaves_the_trial_to_another(void **state)
{
	struct t *t = *state;

	open_it(t);
	now += (STORE_BREAKER_REST_S + 1) * INT64_C(1000000000);
	t->fails = ERR_CANCELLED;
	FAILS(ask(t), ERR_CANCELLED, &t->e);
	t->fails = ERR_NONE;
	OK(ask(t), &t->e);
}

static void refusals_are_answers(void **state)
{
	static const enum err_kind kinds[] = {ERR_DENIED, ERR_ABSENT, ERR_EXISTS, ERR_NO_SPACE};
	struct t *t = *state;

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		t->fails = kinds[i];
		for (int k = 0; k < 2 * STORE_BREAKER_FAILURES; k++)
			FAILS(ask(t), kinds[i], &t->e);
	}
	assert_int_equal(t->told, 0);
}

static void failures_between_answers_do_not_open_it(void **state)
{
	struct t *t = *state;

	for (int i = 0; i < 10; i++) {
		t->fails = i % STORE_BREAKER_FAILURES ? ERR_TIMEOUT : ERR_NONE;
		ask(t);
	}
	assert_int_equal(t->calls, 10);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    T(a_silent_store_is_left_alone_and_that_is_told_once),
	    T(after_a_rest_one_may_try_and_a_failure_is_another_rest),
	    T(an_answer_after_a_rest_closes_it),
	    T(who_was_interrupted_leaves_the_trial_to_another),
	    T(refusals_are_answers),
	    T(failures_between_answers_do_not_open_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
