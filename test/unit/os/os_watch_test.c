/* os_watch: what changes below the paths is seen, and nothing else. */
#include "unit/unit.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "os/os.h"
#include "os/os_watch.h"

static char dir[64];

static char *at(const char *name)
{
	static char path[4][256];
	static int i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof path[i], "%s/%s", dir, name);
	return path[i];
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(at(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static bool leave_out(void *arg, const char *path, bool is_dir)
{
	return strstr(path, "skipped") != NULL;
}

static struct os_watch *open_at(const char *a, const char *b)
{
	static const char *paths[2];
	static char texts[2][256];
	struct os_watch_params p = {
	    .paths = paths, .npaths = 2, .leave_out = leave_out, .stop = -1};
	struct os_watch *w;
	struct err e;

	snprintf(texts[0], sizeof *texts, "%s", at(a));
	snprintf(texts[1], sizeof *texts, "%s", at(b));
	paths[0] = texts[0];
	paths[1] = texts[1];
	if (os_watch_open(&p, &w, &e) == -1)
		fail_msg("%s", e.msg);
	return w;
}

/* All that is in the queue: it was put there by what we did before. */
static enum os_watch_seen seen(struct os_watch *w)
{
	enum os_watch_seen one, all = OS_WATCH_QUIET;
	struct err e;

	do {
		assert_int_equal(os_watch_wait(w, 0, &one, &e), 0);
		all = one > all ? one : all;
	} while (one != OS_WATCH_QUIET);
	return all;
}

static void each_change_below_is_seen_and_no_other(void **state)
{
	struct os_watch *w = open_at("in/", "file");
	static const char *const others[] = {"beside", "in/skipped.tmp", "in/skipped/x", "filed"};

	assert_int_equal(
	    os_watch_count(w), 4); /* in, in/deep, in/deep/er, and the folder of file */
	assert_int_equal(seen(w), OS_WATCH_QUIET);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		put(others[i], "x");
		assert_int_equal(seen(w), OS_WATCH_QUIET);
	}
	put("in/new", "x");
	assert_int_equal(seen(w), OS_WATCH_CHANGED);
	put("in/deep/er/f", "changed");
	assert_int_equal(seen(w), OS_WATCH_CHANGED);
	put("file", "changed");
	assert_int_equal(seen(w), OS_WATCH_CHANGED);
	assert_int_equal(chmod(at("in/deep/er/f"), 0600), 0);
	assert_int_equal(seen(w), OS_WATCH_CHANGED);
	assert_int_equal(rename(at("in/deep/er/f"), at("in/deep/er/g")), 0);
	assert_int_equal(seen(w), OS_WATCH_CHANGED);
	assert_int_equal(unlink(at("in/deep/er/g")), 0);
	assert_int_equal(seen(w), OS_WATCH_CHANGED);
	assert_int_equal(seen(w), OS_WATCH_QUIET);
	os_watch_close(w);
}

static void what_comes_is_watched_as_well(void **state)
{
	struct os_watch *w = open_at("in", "file");

	assert_int_equal(mkdir(at("in/came"), 0700), 0);
	assert_int_equal(mkdir(at("in/came/below"), 0700), 0);
	assert_int_equal(seen(w), OS_WATCH_CHANGED);
	put("in/came/below/f", "x");
	assert_int_equal(seen(w), OS_WATCH_CHANGED);
	assert_int_equal(rename(at("in/came"), at("in/deep/moved")), 0);
	assert_int_equal(seen(w), OS_WATCH_CHANGED);
	put("in/deep/moved/below/f", "y");
	assert_int_equal(seen(w), OS_WATCH_CHANGED);
	os_watch_close(w);
}

static void what_is_written_through_a_mapping_is_seen_when_it_is_let_go(void **state)
{
	struct os_watch *w;
	char *p;
	int fd;

	put("in/mapped", "text");
	w = open_at("in", "file");
	fd = open(at("in/mapped"), O_RDWR);
	assert_int_not_equal(fd, -1);
	p = mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	close(fd);
	assert_int_equal(seen(w), OS_WATCH_QUIET);
	p[0] = 'x';
	munmap(p, 4);
	assert_int_equal(seen(w), OS_WATCH_CHANGED);
	os_watch_close(w);
}

static void a_path_that_is_replaced_is_told_as_lost(void **state)
{
	struct os_watch *w = open_at("in", "file");

	assert_int_equal(rename(at("in"), at("away")), 0);
	assert_int_equal(seen(w), OS_WATCH_LOST);
	assert_int_equal(mkdir(at("in"), 0700), 0);
	assert_int_equal(seen(w), OS_WATCH_LOST);
	os_watch_close(w);
	w = open_at("in", "file");
	put("in/f", "x");
	assert_int_equal(seen(w), OS_WATCH_CHANGED);
	os_watch_close(w);
}

/* In a namespace of our own, where we may watch two directories. */
static int with_few(void)
{
	const char *paths[] = {at("in")};
	struct os_watch_params p = {.paths = paths, .npaths = 1, .stop = -1};
	struct os_watch *w;
	struct err e;
	FILE *f;

	if (unshare(CLONE_NEWUSER) == -1 ||
	    (f = fopen("/proc/sys/user/max_inotify_watches", "w")) == NULL)
		return 77;
	fputs("2\n", f);
	if (fclose(f) != 0)
		return 77;
	if (os_watch_open(&p, &w, &e) == 0)
		return 1;
	return e.kind == ERR_NO_SPACE && strstr(e.hint, "max_user_watches") ? 0 : 2;
}

static void more_than_may_be_watched_is_told_with_what_to_do(void **state)
{
	pid_t pid = fork();
	int how;

	if (pid == 0)
		_exit(with_few());
	assert_int_equal(waitpid(pid, &how, 0), pid);
	if (WEXITSTATUS(how) == 77)
		skip();
	assert_int_equal(how, 0);
}

static int setup(void **state)
{
	snprintf(dir, sizeof dir, "/tmp/os_watch_test.XXXXXX");
	if (mkdtemp(dir) == NULL || mkdir(at("in"), 0700) || mkdir(at("in/deep"), 0700) ||
	    mkdir(at("in/deep/er"), 0700) || mkdir(at("in/skipped"), 0700))
		return -1;
	put("file", "x");
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(each_change_below_is_seen_and_no_other),
	    T(what_comes_is_watched_as_well),
	    T(what_is_written_through_a_mapping_is_seen_when_it_is_let_go),
	    T(a_path_that_is_replaced_is_told_as_lost),
	    T(more_than_may_be_watched_is_told_with_what_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
