/* os_guard: the thaw follows, whatever happens to the freeze, to the guard and to us. */
#include "unit/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "os/os.h"
#include "os/os_guard.h"

static char dir[64];
static const int64_t second = 1000000000;
static int64_t timeout_ns;

static char *said(void)
{
	static char text[256];
	char path[128];
	struct buf b = {0};
	struct err e;

	snprintf(path, sizeof path, "%s/said", dir);
	text[0] = '\0';
	if (os_read_file(path, sizeof text - 1, &b, &e) == 0)
		snprintf(text, sizeof text, "%s", buf_cstr(&b));
	buf_fini(&b);
	return text;
}

/* Others are at it: until it is said. */
static void until_said(const char *what)
{
	struct ctx ctx = {.clock = os_clock()};

	for (int i = 0; i < 6000 && strcmp(said(), what) != 0; i++)
		os_sleep_ns(&ctx, 10000000);
	assert_string_equal(said(), what);
}

static int begin(const char *freeze, const char *thaw, struct ctx *ctx, struct os_guard **g,
    bool *lost, struct err *e)
{
	static char note[128], where[128];
	static const char *env[] = {where, NULL};
	static struct os_guard_params p;

	snprintf(note, sizeof note, "%s/note", dir);
	snprintf(where, sizeof where, "SAID=%s/said", dir);
	p = (struct os_guard_params){
	    .freeze = freeze, .thaw = thaw, .env = env, .timeout_ns = timeout_ns, .note = note};
	*g = NULL;
	return os_guard_begin(&p, ctx, g, lost, e);
}

static const char freeze[] = "echo freeze >>$SAID", thaw[] = "echo thaw >>$SAID";

static void the_thaw_follows_once_when_it_is_asked_for(void **state)
{
	struct os_guard *g, *other;
	struct err e;
	bool lost;

	assert_int_equal(begin(freeze, thaw, NULL, &g, &lost, &e), 0);
	assert_false(lost);
	assert_string_equal(said(), "freeze\n");
	assert_int_equal(begin(freeze, thaw, NULL, &other, &lost, &e), -1);
	assert_int_equal(e.kind, ERR_BUSY);
	assert_int_equal(os_guard_end(g, &e), 0);
	assert_string_equal(said(), "freeze\nthaw\n");
}

static void a_freeze_that_fails_or_takes_too_long_is_thawed(void **state)
{
	static const struct {
		const char *freeze;
		enum err_kind kind;
		const char *said;
		int64_t timeout_ns;
	} bad[] = {
	    {"echo half >>$SAID; exit 3", ERR_FAILED, "exit 3", 60 * second},
	    {"echo half >>$SAID; sleep 60 & sleep 60; echo never >>$SAID", ERR_TIMEOUT, "longer",
		second / 2},
	    {"echo half >>$SAID; kill -9 $$", ERR_FAILED, "signal 9", 60 * second},
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct os_guard *g;
		struct err e;
		bool lost;
		char path[128];

		timeout_ns = bad[i].timeout_ns;
		assert_int_equal(begin(bad[i].freeze, thaw, NULL, &g, &lost, &e), -1);
		assert_int_equal(e.kind, bad[i].kind);
		assert_non_null(strstr(e.msg, bad[i].said));
		/* On a slow machine it has not even said that when its time is over. */
		if (bad[i].kind != ERR_TIMEOUT || strcmp(said(), "thaw\n") != 0)
			assert_string_equal(said(), "half\nthaw\n");
		snprintf(path, sizeof path, "%s/said", dir);
		unlink(path);
	}
}

static void interrupted_it_breaks_off_the_freeze_and_thaws(void **state)
{
	struct ctx ctx = {.clock = os_clock()};
	struct os_guard *g;
	struct err e;
	bool lost;

	atomic_store(&ctx.cancel, true);
	assert_int_equal(begin("sleep 60; echo never >>$SAID", thaw, &ctx, &g, &lost, &e), -1);
	assert_int_equal(e.kind, ERR_CANCELLED);
	assert_string_equal(said(), "thaw\n");
}

static void a_thaw_that_fails_is_told_and_tried_by_the_next(void **state)
{
	static const char may[] = "[ -e ${SAID%said}may ] && echo first >>$SAID || exit 4";
	struct os_guard *g;
	char path[128];
	struct err e;
	bool lost;

	assert_int_equal(begin(freeze, may, NULL, &g, &lost, &e), 0);
	assert_int_equal(os_guard_end(g, &e), -1);
	assert_non_null(strstr(e.msg, "exit 4: exit 4"));
	assert_non_null(strstr(e.hint, "frozen still"));
	assert_non_null(strstr(e.hint, "/note")); /* what to remove when it was thawed by hand */
	assert_int_equal(begin(freeze, thaw, NULL, &g, &lost, &e), -1);
	assert_non_null(strstr(e.msg, "an earlier run had frozen it"));
	assert_non_null(strstr(e.hint, "/note"));
	assert_string_equal(said(), "freeze\n");
	snprintf(path, sizeof path, "%s/may", dir);
	assert_int_equal(os_file_replace(path, span_str(""), 0600, &e), 0);
	assert_int_equal(begin(freeze, thaw, NULL, &g, &lost, &e), 0);
	assert_true(lost);
	assert_string_equal(said(), "freeze\nfirst\nfreeze\n");
	assert_int_equal(os_guard_end(g, &e), 0);
	assert_int_equal(begin("exit 3", "exit 4", NULL, &g, &lost, &e), -1);
	assert_non_null(strstr(e.msg, "and then thaw"));
}

static void a_thaw_that_fails_for_a_moment_is_no_failure(void **state)
{
	struct os_guard *g;
	struct err e;
	bool lost;

	assert_int_equal(begin(freeze,
			     "grep -q try $SAID && echo thaw >>$SAID || "
			     "{ echo try >>$SAID; exit 1; }",
			     NULL, &g, &lost, &e),
	    0);
	assert_int_equal(os_guard_end(g, &e), 0);
	assert_string_equal(said(), "freeze\ntry\nthaw\n");
}

/* In a process of its own, which is killed without a word. */
static void whoever_froze_may_be_killed(void **state)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		struct os_guard *g;
		struct err e;
		bool lost;

		(void)!write(ready[1], "x", begin(freeze, thaw, NULL, &g, &lost, &e) == 0);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_string_equal(said(), "freeze\n");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	until_said("freeze\nthaw\n");
}

/* Then there is nobody but us. */
static void the_guard_may_be_killed(void **state)
{
	struct os_guard *g;
	struct err e;
	bool lost;

	/* The shell's parent is the guard. */
	assert_int_equal(
	    begin("echo freeze >>$SAID; kill -9 $PPID; exec sleep 60", thaw, NULL, &g, &lost, &e),
	    -1);
	assert_non_null(strstr(e.msg, "guard of the freeze was killed"));
	assert_string_equal(said(), "freeze\nthaw\n");
	assert_int_equal(begin(freeze, thaw, NULL, &g, &lost, &e), 0);
	assert_false(lost);
	assert_int_equal(os_guard_end(g, &e), 0);
}

/* Both are gone at once, neither sees the other go: the note is all that there is. */
static void lose_a_freeze(void)
{
	char kill_both[128];
	pid_t pid = fork();

	if (pid == 0) {
		struct os_guard *g;
		struct err e;
		bool lost;

		snprintf(kill_both, sizeof kill_both,
		    "%s; kill -STOP $PPID; kill -9 %ld; kill -9 $PPID", freeze, (long)getpid());
		begin(kill_both, thaw, NULL, &g, &lost, &e);
		for (;;)
			pause();
	}
	waitpid(pid, NULL, 0);
	assert_string_equal(said(), "freeze\n");
}

static void a_lost_freeze_is_thawed_as_its_own_run_said(void **state)
{
	struct ctx ctx = {.clock = os_clock()};
	struct os_guard *g;
	struct err e;
	bool lost;

	lose_a_freeze();
	/* Its guard is killed, but may not be gone yet. */
	for (int i = 0; i < 6000; i++) {
		if (begin("true", "echo another >>$SAID", NULL, &g, &lost, &e) == 0)
			break;
		assert_int_equal(e.kind, ERR_BUSY);
		os_sleep_ns(&ctx, 10000000);
	}
	assert_non_null(g);
	assert_true(lost);
	assert_string_equal(said(), "freeze\nthaw\n");
	assert_int_equal(os_guard_end(g, &e), 0);
	assert_string_equal(said(), "freeze\nthaw\nanother\n");
}

static void a_lost_freeze_is_thawed_by_whoever_finds_its_note(void **state)
{
	static const char whole[] = "holdfast-freeze 60000000000 ";
	struct ctx ctx = {.clock = os_clock()};
	struct err e;
	bool lost;
	char path[128];

	snprintf(path, sizeof path, "%s/note", dir);
	for (int apart = 0; apart < 2; apart++) {
		int rc = -1;

		lose_a_freeze();
		for (int i = 0; i < 6000 && rc == -1; i++) {
			rc = apart ? os_guard_thaw_apart(path, &e)
				   : os_guard_thaw_left(path, &lost, &e);
			if (rc == -1)
				os_sleep_ns(&ctx, 10000000);
		}
		assert_int_equal(rc, 0);
		assert_true(lost);
		until_said("freeze\nthaw\n");
		while (os_guard_thaw_left(path, &lost, &e) == -1) /* it is at the note still */
			assert_int_equal(e.kind, ERR_BUSY);
		assert_false(lost);
		assert_string_equal(said(), "freeze\nthaw\n");
		lost = true;
		snprintf(path, sizeof path, "%s/said", dir);
		unlink(path);
		snprintf(path, sizeof path, "%s/note", dir);
	}
	/* One that does not say all of it is not run. */
	assert_int_equal(os_file_replace(path, span_str(whole), 0600, &e), 0);
	assert_int_equal(os_guard_thaw_left(path, &lost, &e), -1);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	/* Nor what others may have written. */
	assert_int_equal(os_file_replace(path, span_str("x"), 0600, &e), 0);
	assert_int_equal(chmod(path, 0622), 0);
	assert_int_equal(os_guard_thaw_left(path, &lost, &e), -1);
	assert_int_equal(e.kind, ERR_DENIED);
}

/* The power was cut, and the note is of a version that did not say how to thaw. */
static void what_a_lost_run_left_frozen_is_thawed_first(void **state)
{
	struct os_guard *g;
	struct err e;
	bool lost;
	char path[128];

	snprintf(path, sizeof path, "%s/note", dir);
	assert_int_equal(os_file_replace(path, span_str("F\n"), 0600, &e), 0);
	assert_int_equal(begin(freeze, thaw, NULL, &g, &lost, &e), 0);
	assert_true(lost);
	assert_string_equal(said(), "thaw\nfreeze\n");
	assert_int_equal(os_guard_end(g, &e), 0);
}

static int setup(void **state)
{
	timeout_ns = 60 * second;
	snprintf(dir, sizeof dir, "/tmp/os_guard_test.XXXXXX");
	return mkdtemp(dir) == NULL;
}

static int teardown(void **state)
{
	char path[128];

	snprintf(path, sizeof path, "%s/said", dir);
	unlink(path);
	snprintf(path, sizeof path, "%s/may", dir);
	unlink(path);
	snprintf(path, sizeof path, "%s/note", dir);
	unlink(path);
	return rmdir(dir);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(the_thaw_follows_once_when_it_is_asked_for),
	    T(a_freeze_that_fails_or_takes_too_long_is_thawed),
	    T(interrupted_it_breaks_off_the_freeze_and_thaws),
	    T(a_thaw_that_fails_is_told_and_tried_by_the_next),
	    T(a_thaw_that_fails_for_a_moment_is_no_failure),
	    T(whoever_froze_may_be_killed),
	    T(the_guard_may_be_killed),
	    T(a_lost_freeze_is_thawed_as_its_own_run_said),
	    T(a_lost_freeze_is_thawed_by_whoever_finds_its_note),
	    T(what_a_lost_run_left_frozen_is_thawed_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
