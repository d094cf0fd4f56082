/* os_child: what runs to its end, and what is ended. */
#include "unit/unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "os/os.h"
#include "os/os_child.h"

struct heard {
	char text[4096];
	struct ctx *cancel; /* once something was said */
	int grandchild;
};

static void hear(void *arg, const char *line)
{
	struct heard *h = arg;

	strncat(h->text, line, sizeof h->text - strlen(h->text) - 2);
	strcat(h->text, "|");
	sscanf(line, "pid %d", &h->grandchild);
	if (h->cancel != NULL)
		atomic_store(&h->cancel->cancel, true);
}

static int sh(const char *script, struct heard *h, struct ctx *ctx, int64_t timeout, int *status,
    struct err *e)
{
	const char *argv[] = {"sh", "-c", script, NULL}, *env[] = {"WORD=ours", NULL};
	struct os_child c = {.argv = argv,
	    .env = env,
	    .line = hear,
	    .arg = h,
	    .timeout_ns = timeout,
	    .grace_ns = 300000000};

	return os_child_run(&c, ctx, status, e);
}

static void its_lines_and_its_status_are_told(void **state)
{
	struct heard h = {0};
	struct err e;
	int status;

	(void)state;
	assert_int_equal(sh("echo $WORD; printf 'no\\nend'; exit 7", &h, NULL, 0, &status, &e), 0);
	assert_string_equal(h.text, "ours|no|end|");
	assert_int_equal(status, 7);
	assert_int_equal(sh("kill -9 $$", &h, NULL, 0, &status, &e), 0);
	assert_int_equal(status, 128 + 9);
}

static void no_such_program_is_told_as_that(void **state)
{
	const char *argv[] = {"/nonexistent/x", NULL};
	struct os_child c = {.argv = argv};
	struct err e;
	int status;

	(void)state;
	assert_int_equal(os_child_run(&c, NULL, &status, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
}

/* Ended, or a zombie that its new parent has not waited for yet. */
static bool is_gone(int pid)
{
	char path[64], text[256] = "";
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	if ((f = fopen(path, "r")) == NULL)
		return true;
	(void)!fread(text, 1, sizeof text - 1, f);
	fclose(f);
	return strstr(text, ") Z") != NULL;
}

static void who_takes_too_long_is_ended_with_all_that_is_its(void **state)
{
	struct ctx ctx = {.clock = os_clock()};
	struct heard h = {0};
	struct err e;
	int status;

	(void)state;
	/* Neither listens to SIGTERM. */
	assert_int_equal(sh("trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & "
			    "echo pid $!; while :; do sleep 1; done",
			     &h, NULL, 100000000, &status, &e),
	    -1);
	assert_int_equal(e.kind, ERR_TIMEOUT);
	assert_int_equal(status, 128 + 9);
	assert_true(h.grandchild > 0);
	for (int i = 0; i < 3000 && !is_gone(h.grandchild); i++)
		os_sleep_ns(&ctx, 20000000);
	assert_true(is_gone(h.grandchild));
}

static void who_is_cancelled_may_end_well(void **state)
{
	struct ctx ctx = {.clock = os_clock()};
	struct heard h = {.cancel = &ctx};
	struct err e;
	int status;

	(void)state;
	assert_int_equal(sh("trap 'echo bye; exit 130' TERM; echo here; sleep 60 & wait", &h, &ctx,
			     0, &status, &e),
	    -1);
	assert_int_equal(e.kind, ERR_CANCELLED);
	assert_int_equal(status, 130);
	assert_string_equal(h.text, "here|bye|");
}

static void a_number_that_is_anothers_now_is_not_taken_for_the_process(void **state)
{
	struct clock *c = os_clock();

	(void)state;
	assert_true(os_process_lives(getpid(), c->wall_ns(c)));
	assert_false(os_process_lives(getpid(), c->wall_ns(c) - 3600 * INT64_C(1000000000)));
	assert_false(os_process_lives(0, c->wall_ns(c)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(its_lines_and_its_status_are_told),
	    cmocka_unit_test(no_such_program_is_told_as_that),
	    cmocka_unit_test(who_takes_too_long_is_ended_with_all_that_is_its),
	    cmocka_unit_test(who_is_cancelled_may_end_well),
	    cmocka_unit_test(a_number_that_is_anothers_now_is_not_taken_for_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
