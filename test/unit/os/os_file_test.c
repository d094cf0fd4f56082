#include "unit/unit.h"

#include <errno.h>
#include <ftw.h>

#include "base/mem.h"
#include "os/os.h"

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char *path = mem_printf("%s/hf-file-XXXXXX", tmp && *tmp ? tmp : "/tmp");

	*state = path;
	return mkdtemp(path) == NULL ? -1 : 0;
}

static int drop(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static int teardown(void **state)
{
	char *path = *state;
	int rc = nftw(path, drop, 8, FTW_DEPTH | FTW_PHYS);

	os_fault_fired();
	free(path);
	return rc;
}

static unsigned entries(const char *path)
{
	DIR *d = opendir(path);
	unsigned n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		n += e->d_name[0] != '.' || strlen(e->d_name) > 2;
	closedir(d);
	return n;
}

static void check_content(const char *path, const char *want)
{
	struct buf b = {0};
	struct err e;

	assert_int_equal(os_read_file(path, 1000, &b, &e), 0);
	assert_string_equal(buf_cstr(&b), want);
	buf_fini(&b);
}

static void replace_makes_and_replaces(void **state)
{
	char *path = mem_printf("%s/f", (char *)*state);
	struct stat st;
	struct err e;

	assert_int_equal(os_file_replace(path, span_str("one"), 0600, &e), 0);
	check_content(path, "one");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(os_file_replace(path, span_str("two!"), 0600, &e), 0);
	check_content(path, "two!");
	assert_int_equal(os_file_replace(path, span_of(NULL, 0), 0600, &e), 0);
	check_content(path, "");
	assert_int_equal(entries(*state), 1);
	free(path);
}

/*
 * Fail the first, second, third ... call of one replacement.  After each the
 * file is the old or the new one, whole, and no temporary file is left.
 */
static void replace_survives_a_fault_at_every_step(void **state)
{
	char *path = mem_printf("%s/f", (char *)*state);
	unsigned nth = 0, fds = entries("/proc/self/fd");
	struct err e;
	bool fired;

	assert_int_equal(os_file_replace(path, span_str("old"), 0600, &e), 0);
	do {
		struct buf b = {0};
		int rc;

		os_fault_arm(++nth, EIO);
		rc = os_file_replace(path, span_str("new"), 0600, &e);
		fired = os_fault_fired();
		assert_int_equal(rc == -1, fired);
		if (fired) {
			assert_int_equal(e.kind, ERR_IO);
			assert_memory_equal(e.msg, path, strlen(path));
		}
		assert_int_equal(entries(*state), 1);
		assert_int_equal(entries("/proc/self/fd"), fds);
		assert_int_equal(os_read_file(path, 100, &b, &e), 0);
		/* Only the folder's fsync comes after the name was given. */
		assert_string_equal(buf_cstr(&b), nth < 6 ? "old" : "new");
		buf_fini(&b);
	} while (fired);
	/* open folder, create, write, fsync, rename, fsync folder */
	assert_int_equal(nth, 7);
	free(path);
}

static void replace_in_a_missing_folder_is_absent(void **state)
{
	char *path = mem_printf("%s/no/f", (char *)*state);
	struct err e;

	assert_int_equal(os_file_replace(path, span_str("x"), 0600, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	free(path);
}

static void read_file_keeps_to_its_limit(void **state)
{
	char *path = mem_printf("%s/f", (char *)*state), *big = mem_zalloc(200001);
	struct buf b = {0};
	struct err e;

	memset(big, 'q', 200000);
	assert_int_equal(os_file_replace(path, span_str(big), 0600, &e), 0);
	buf_put(&b, "ab", 2);
	assert_int_equal(os_read_file(path, 199999, &b, &e), -1);
	assert_int_equal(e.kind, ERR_FAILED);
	assert_int_equal(b.n, 2);
	assert_int_equal(os_read_file(path, 200000, &b, &e), 0);
	assert_int_equal(b.n, 200002);
	assert_memory_equal(b.p, "abqqq", 5);
	buf_reset(&b);
	assert_int_equal(os_read_file(path, SIZE_MAX, &b, &e), 0);
	assert_string_equal(buf_cstr(&b), big);
	unlink(path);
	assert_int_equal(os_read_file(path, 10, &b, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	assert_int_equal(os_read_file(*state, 10, &b, &e), -1);
	buf_fini(&b);
	free(big);
	free(path);
}

static void what_another_put_there_is_neither_read_nor_waited_for(void **state)
{
	static const char *const wrong[] = {"link", "pipe", "other"};
	char *dir = *state, *real = mem_printf("%s/real", dir), *path;
	struct buf b = {0};
	struct err e;

	assert_int_equal(os_file_replace(real, span_str("mine"), 0600, &e), 0);
	assert_int_equal(os_read_plain(AT_FDCWD, real, geteuid(), 4, &b, &e), 0);
	assert_string_equal(buf_cstr(&b), "mine");
	assert_int_equal(os_read_plain(AT_FDCWD, real, geteuid(), 3, &b, &e), -1);
	/* Whose it is matters where it could be a second name of his. */
	assert_int_equal(os_read_plain(AT_FDCWD, real, geteuid() + 1, 4, &b, &e), 0);
	path = mem_printf("%s/link", dir);
	assert_int_equal(symlink(real, path), 0);
	free(path);
	path = mem_printf("%s/pipe", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	free(path);
	path = mem_printf("%s/other", dir);
	assert_int_equal(link(real, path), 0);
	free(path);
	for (size_t i = 0; i < 3; i++) {
		path = mem_printf("%s/%s", dir, wrong[i]);
		assert_int_equal(os_read_plain(AT_FDCWD, path, geteuid() + 1, 4, &b, &e), -1);
		assert_int_not_equal(e.kind, ERR_ABSENT);
		free(path);
	}
	assert_int_equal(os_read_plain(AT_FDCWD, "/nowhere", geteuid(), 4, &b, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	assert_string_equal(buf_cstr(&b), "minemine");
	buf_fini(&b);
	free(real);
}

static void mkdirs_makes_what_is_missing(void **state)
{
	static const char *const way[] = {"a/b/c", "a/b/c", "a/b/d/", "a//e///f", "."};
	struct stat st;
	struct err e;

	for (size_t i = 0; i < sizeof way / sizeof *way; i++) {
		char *path = mem_printf("%s/%s", (char *)*state, way[i]);

		assert_int_equal(os_mkdirs(path, 0700, &e), 0);
		assert_int_equal(stat(path, &st), 0);
		assert_true(S_ISDIR(st.st_mode));
		free(path);
	}
	assert_int_equal(os_mkdirs("/", 0700, &e), 0);
	assert_int_equal(os_mkdirs("", 0700, &e), -1);
}

static void mkdirs_is_stopped_by_a_file(void **state)
{
	char *file = mem_printf("%s/f", (char *)*state), *below = mem_printf("%s/g/h", file);
	struct err e;

	assert_int_equal(os_file_replace(file, span_str("x"), 0600, &e), 0);
	assert_int_equal(os_mkdirs(file, 0700, &e), -1);
	assert_int_equal(e.sys, ENOTDIR);
	assert_int_equal(os_mkdirs(below, 0700, &e), -1);
	assert_int_equal(e.sys, ENOTDIR);
	free(file);
	free(below);
}

static void mkdirs_tells_of_a_fault_at_every_step(void **state)
{
	unsigned nth = 0;
	struct err e;
	bool fired;

	do {
		char *path = mem_printf("%s/r%u/s", (char *)*state, nth);
		int rc;

		os_fault_arm(++nth, EIO);
		rc = os_mkdirs(path, 0700, &e);
		fired = os_fault_fired();
		assert_int_equal(rc == -1, fired);
		free(path);
	} while (fired);
	assert_true(nth > 3);
}

static void a_lock_is_held_by_one(void **state)
{
	char *path = mem_printf("%s/lock", (char *)*state);
	int a = os_open(path, O_RDWR | O_CREAT, 0600), b = os_open(path, O_RDWR, 0);
	struct err e;
	bool busy = true;

	assert_int_equal(os_lock(a, false, &busy, &e), 0);
	assert_false(busy);
	assert_int_equal(os_lock(b, false, &busy, &e), 0);
	assert_true(busy);
	os_close(a);
	assert_int_equal(os_lock(b, true, &busy, &e), 0);
	assert_false(busy);
	os_close(b);
	assert_int_equal(os_lock(-1, false, &busy, &e), -1);
	free(path);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(replace_makes_and_replaces),
	    TEST(replace_survives_a_fault_at_every_step),
	    TEST(replace_in_a_missing_folder_is_absent),
	    TEST(read_file_keeps_to_its_limit),
	    TEST(what_another_put_there_is_neither_read_nor_waited_for),
	    TEST(mkdirs_makes_what_is_missing),
	    TEST(mkdirs_is_stopped_by_a_file),
	    TEST(mkdirs_tells_of_a_fault_at_every_step),
	    TEST(a_lock_is_held_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
