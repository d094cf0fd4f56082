/* run_logs: the newest are kept, whatever gaps their ids have, and nothing else is touched. */
#include "unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "daemon/run_logs.h"
#include "os/os.h"

static void touch(const char *path)
{
	int fd = os_open(path, O_WRONLY | O_CREAT, 0600);

	assert_int_not_equal(fd, -1);
	os_close(fd);
}

static bool is_there(const char *dir, const char *name)
{
	char *path = mem_printf("%s/log/%s", dir, name);
	bool is = access(path, F_OK) == 0;

	free(path);
	return is;
}

static void remove_folder(const char *dir)
{
	char *cmd = mem_printf("rm -rf %s", dir);

	assert_int_equal(system(cmd), 0);
	free(cmd);
}

static void the_newest_are_kept_and_nothing_else_is_touched(void **state)
{
	static const int64_t ids[] = {7, 90000, 91, 8, 12345678901234, 1000};
	static const char *const others[] = {
	    "run-1.log.old", "run-.log", "run-x.log", "run-01.log", "notes"};
	char dir[] = "/tmp/holdfast-logs.XXXXXX";
	struct err e;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(run_logs_trim(dir, 3, &e), 0); /* no folder yet */
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		char *path = run_log_path(dir, ids[i], &e);

		touch(path);
		free(path);
	}
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		char *path = mem_printf("%s/log/%s", dir, others[i]);

		touch(path);
		free(path);
	}
	assert_int_equal(run_logs_trim(dir, 6, &e), 0);
	assert_true(is_there(dir, "run-7.log"));
	assert_int_equal(run_logs_trim(dir, 3, &e), 0);
	assert_false(is_there(dir, "run-7.log"));
	assert_false(is_there(dir, "run-8.log"));
	assert_false(is_there(dir, "run-91.log"));
	assert_true(is_there(dir, "run-1000.log"));
	assert_true(is_there(dir, "run-90000.log"));
	assert_true(is_there(dir, "run-12345678901234.log"));
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_true(is_there(dir, others[i]));
	remove_folder(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_newest_are_kept_and_nothing_else_is_touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
