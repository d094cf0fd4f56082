#include "unit/unit.h"

#include <sys/resource.h>

#include "os/os.h"

static void the_clocks_run(void **state)
{
	struct clock *c = os_clock();
	int64_t a = c->mono_ns(c), b = c->mono_ns(c);

	assert_true(b >= a && a > 0);
	/* Any time between 2024 and 2200. */
	assert_true(c->wall_ns(c) > 1704067200ll * 1000000000);
	assert_true(c->wall_ns(c) < 7258118400ll * 1000000000);
}

static void the_machine_has_a_name_a_user_and_a_processor(void **state)
{
	char user[64] = "", small[3];

	assert_true(os_cpus() >= 1);
	assert_true(strlen(os_host()) > 0);
	os_user(user, sizeof user);
	assert_true(strlen(user) > 0);
	os_user(small, sizeof small);
	assert_memory_equal(small, user, strlen(small));
}

static void more_descriptors_are_allowed_after_raising(void **state)
{
	struct rlimit old, now;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	now = old;
	if (now.rlim_cur > 100)
		now.rlim_cur = 100;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	os_raise_nofile();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
	assert_true(now.rlim_cur == now.rlim_max);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static void sleep_lasts_and_cancel_ends_it(void **state)
{
	struct ctx ctx = {0};
	struct clock *c = os_clock();
	int64_t start = c->mono_ns(c);

	os_sleep_ns(&ctx, 2000000);
	assert_true(c->mono_ns(c) - start >= 2000000);
	os_sleep_ns(&ctx, 0);
	os_sleep_ns(&ctx, -1);
	/* An hour, if it were not cancelled. */
	ctx.cancel = true;
	os_sleep_ns(&ctx, 3600ll * 1000000000);
}

static void check_place(char *(*place)(void), const char *want)
{
	char *got = place();

	assert_string_equal(got, want);
	free(got);
}

static void places_follow_the_environment(void **state)
{
	bool root = geteuid() == 0;

	unsetenv("HOLDFAST_CACHE_DIR");
	unsetenv("HOLDFAST_STATE_DIR");
	setenv("HOME", "/h", 1);
	setenv("XDG_CACHE_HOME", "/xc", 1);
	setenv("XDG_STATE_HOME", "/xs", 1);
	check_place(os_cache_dir, root ? "/var/cache/holdfast" : "/xc/holdfast");
	check_place(os_state_dir, root ? "/var/lib/holdfast" : "/xs/holdfast");
	setenv("XDG_CACHE_HOME", "relative", 1);
	unsetenv("XDG_STATE_HOME");
	check_place(os_cache_dir, root ? "/var/cache/holdfast" : "/h/.cache/holdfast");
	check_place(os_state_dir, root ? "/var/lib/holdfast" : "/h/.local/state/holdfast");
	setenv("HOLDFAST_CACHE_DIR", "/own/c", 1);
	setenv("HOLDFAST_STATE_DIR", "/own/s", 1);
	check_place(os_cache_dir, "/own/c");
	check_place(os_state_dir, "/own/s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_clocks_run),
	    cmocka_unit_test(the_machine_has_a_name_a_user_and_a_processor),
	    cmocka_unit_test(more_descriptors_are_allowed_after_raising),
	    cmocka_unit_test(sleep_lasts_and_cancel_ends_it),
	    cmocka_unit_test(places_follow_the_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
