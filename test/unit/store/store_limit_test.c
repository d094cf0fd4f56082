/* store_limit over mem, with a clock that only sleeping moves. */
#include <pthread.h>

#include <time.h>

#include "base/calendar_rate.h"
#include "store_dir.h"

enum { KIB = 1024, SECOND = 1000000000 };

static int64_t now;
static int sleeps;

static int64_t fake_mono(struct clock *c)
{
	return now;
}

/* Noon of 2026-11-20, a friday, is at `now` 1000 s. */
static int64_t fake_wall(struct clock *c)
{
	return now + INT64_C(1795175000) * SECOND;
}

static struct clock fake = {.mono_ns = fake_mono, .wall_ns = fake_wall};

static void fake_sleep(struct ctx *ctx, int64_t ns)
{
	assert_true(ns > 0);
	sleeps++;
	now += ns;
}

struct t {
	struct store *s;
	struct ctx ctx;
	struct err e;
};

static int setup(void **state)
{
	struct t *t = mem_zalloc(sizeof *t);
	static int serial;
	char name[32];
	struct store *mem;

	snprintf(name, sizeof name, "limit-%d", serial++);
	OK(store_mem_open(name, true, &mem, &t->e), &t->e);
	t->s = store_limit_new(
	    mem, &(struct store_limits){.upload = 100 * KIB, .download = 400 * KIB}, &t->ctx);
	store_limit_time(t->s, &fake, fake_sleep);
	now = 1000 * (int64_t)SECOND;
	sleeps = 0;
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

static double passed(int64_t since)
{
	return (double)(now - since) / SECOND;
}

static void up(struct t *t, const char *key, size_t n)
{
	uint8_t *p = mem_zalloc(n);

	OK(store_put(t->s, key, span_of(p, n), 0, &t->e), &t->e);
	free(p);
}

static void a_put_takes_its_bytes_time(void **state)
{
	struct t *t = *state;
	int64_t began = now;

	for (int i = 0; i < 40; i++)
		up(t, "packs/a", 50 * KIB);
	/* 2,000 KiB at 100 KiB/s, a quarter of a second of them at once. */
	assert_true(passed(began) > 19.7 && passed(began) < 20.01);
}

static void an_upload_pays_as_it_goes(void **state)
{
	struct t *t = *state;
	struct store_upload *u;
	static uint8_t data[100 * KIB];
	int64_t began = now;

	OK(store_begin(t->s, &u, &t->e), &t->e);
	for (int i = 0; i < 10; i++)
		OK(store_append(u, span_of(data, sizeof data), &t->e), &t->e);
	assert_true(passed(began) > 9.7 && passed(began) < 10.01);
	OK(store_commit(u, "packs/b", 0, &t->e), &t->e);
	assert_true(passed(began) < 10.01);
}

static void each_way_has_its_own_rate(void **state)
{
	struct t *t = *state;
	static uint8_t data[400 * KIB];
	int64_t began;

	up(t, "packs/a", sizeof data);
	began = now;
	for (int i = 0; i < 10; i++)
		OK(store_get(t->s, "packs/a", 0, data, sizeof data, &t->e), &t->e);
	assert_true(passed(began) > 9.7 && passed(began) < 10.01);
}

static void idle_time_is_not_saved_up(void **state)
{
	struct t *t = *state;
	int64_t began;

	up(t, "packs/a", KIB);
	now += 3600 * (int64_t)SECOND;
	began = now;
	up(t, "packs/a", 1000 * KIB);
	assert_true(passed(began) > 9.7);
}

static void what_moves_no_bytes_is_free(void **state)
{
	struct t *t = *state;
	struct store_stat st;

	up(t, "packs/a", 200 * KIB);
	sleeps = 0;
	for (int i = 0; i < 1000; i++)
		OK(store_stat(t->s, "packs/a", &st, &t->e), &t->e);
	OK(store_del(t->s, "packs/a", &t->e), &t->e);
	OK(store_sync(t->s, &t->e), &t->e);
	assert_int_equal(sleeps, 0);
}

static void once_cancelled_nothing_waits(void **state)
{
	struct t *t = *state;

	t->ctx.cancel = true;
	up(t, "packs/a", 10000 * KIB);
	assert_int_equal(sleeps, 0);
}

static void without_a_limit_nothing_waits(void **state)
{
	struct t *t = *state;
	struct store *mem, *s;

	OK(store_mem_open("limit-none", true, &mem, &t->e), &t->e);
	s = store_limit_new(mem, &(struct store_limits){.download = 1}, &t->ctx);
	store_limit_time(s, &fake, fake_sleep);
	OK(store_put(s, "packs/a", span_str("abc"), 0, &t->e), &t->e);
	assert_int_equal(sleeps, 0);
	store_close(s);
}

/* Three years of waiting, again and again, overflow nothing. */
static void the_slowest_limit_is_bounded(void **state)
{
	struct t *t = *state;
	struct store *mem, *s;

	OK(store_mem_open("limit-slow", true, &mem, &t->e), &t->e);
	s = store_limit_new(mem, &(struct store_limits){.upload = 1}, &t->ctx);
	store_limit_time(s, &fake, fake_sleep);
	for (int i = 0; i < 5; i++) {
		int64_t began = now;
		uint8_t *p = mem_zalloc(64 << 20);

		OK(store_put(s, "packs/a", span_of(p, 64 << 20), 0, &t->e), &t->e);
		assert_true(passed(began) > 6e7 && passed(began) < 2e8);
		free(p);
	}
	store_close(s);
}

/* 100 KiB/s until a minute past noon, then 10 KiB/s until the next, then none. */
static void rates_change_with_the_time_of_the_week_during_a_run(void **state)
{
	struct calendar_rate v[] = {
	    {{1 << 5, 700, 721}, 100 * KIB}, {{1 << 5, 721, 722}, 10 * KIB}};
	struct calendar_rates rates = {0, v, 2};
	struct store_limits limits = {.upload_in = &rates};
	struct t *t = *state;
	struct store *mem, *s;
	struct store_upload *up;
	uint8_t *data = mem_zalloc(8000 * KIB);
	int64_t start = now;

	OK(store_mem_open("limit-windows", true, &mem, &t->e), &t->e);
	s = store_limit_new(mem, &limits, &t->ctx);
	store_limit_time(s, &fake, fake_sleep);
	OK(store_begin(s, &up, &t->e), &t->e);
	OK(store_append(up, span_of(data, 6000 * KIB), &t->e), &t->e);
	assert_true(passed(start) > 59 && passed(start) < 63);
	now = start + 60 * (int64_t)SECOND;
	OK(store_append(up, span_of(data, 300 * KIB), &t->e), &t->e);
	assert_true(passed(start) > 87 && passed(start) < 93);
	/* This is more than the rest of the minute pays for: what is left then is free. */
	OK(store_append(up, span_of(data, 8000 * KIB), &t->e), &t->e);
	assert_true(passed(start) >= 120 && passed(start) < 122);
	OK(store_append(up, span_of(data, 8000 * KIB), &t->e), &t->e);
	assert_true(passed(start) < 122);
	OK(store_commit(up, "a/b", 0, &t->e), &t->e);
	store_close(s);
	free(data);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(a_put_takes_its_bytes_time),
	    T(an_upload_pays_as_it_goes),
	    T(each_way_has_its_own_rate),
	    T(idle_time_is_not_saved_up),
	    T(what_moves_no_bytes_is_free),
	    T(once_cancelled_nothing_waits),
	    T(without_a_limit_nothing_waits),
	    T(the_slowest_limit_is_bounded),
	    T(rates_change_with_the_time_of_the_week_during_a_run),
	};

	setenv("TZ", "UTC0", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
