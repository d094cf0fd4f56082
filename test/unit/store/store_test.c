/* store_open, and what it makes of URLs. */
#include "store_dir.h"

static void opens(const char *url, bool create, const char *scheme)
{
	struct store *s = NULL;
	struct err e;

	OK(store_open(url, create, NULL, &s, &e), &e);
	assert_string_equal(s->ops->scheme, scheme);
	assert_true(strlen(s->ops->durability) > 0);
	store_close(s);
}

static void refuses(const char *url, bool create, enum err_kind kind, const char *hint)
{
	struct store *s = (struct store *)1;
	struct err e;

	FAILS(store_open(url, create, NULL, &s, &e), kind, &e);
	assert_null(s);
	if (strstr(e.hint, hint) == NULL)
		fail_msg("%s: hint is \"%s\", without %s", url, e.hint, hint);
}

static void paths_and_fs_urls_open_directories(void **state)
{
	char *dir = dir_make(), *path = mem_printf("%s/a/b", dir), *url = mem_printf("fs:%s", path);

	opens(dir, false, "fs");
	refuses(path, false, ERR_NO_REPOSITORY, "holdfast init");
	refuses(url, false, ERR_NO_REPOSITORY, "holdfast init");
	opens(url, true, "fs");
	opens(path, false, "fs");
	opens(path, true, "fs");
	free(path);
	free(url);
	dir_remove(dir);
}

static void a_relative_path_may_look_like_a_scheme(void **state)
{
	char *dir = dir_make(), *cwd = getcwd(NULL, 0);

	assert_int_equal(chdir(dir), 0);
	opens("./s3:x", true, "fs");
	opens("plain//", true, "fs");
	opens("deep/er/still", true, "fs");
	opens("fs:own:odd", true, "fs");
	assert_int_equal(dir_count(dir, "own:odd"), 0);
	assert_int_equal(dir_count(dir, ""), 4);
	assert_int_equal(chdir(cwd), 0);
	free(cwd);
	dir_remove(dir);
}

static void a_file_is_no_repository(void **state)
{
	char *dir = dir_make(), *path = mem_printf("%s/file", dir),
	     *below = mem_printf("%s/file/below", dir);

	dir_write(dir, "file", "x");
	refuses(path, false, ERR_NO_REPOSITORY, "directory");
	refuses(below, false, ERR_NO_REPOSITORY, "directory");
	refuses(path, true, ERR_FAILED, "directory");
	refuses(below, true, ERR_FAILED, "directory");
	free(path);
	free(below);
	dir_remove(dir);
}

static void other_schemes_are_unsupported(void **state)
{
	static const char *const urls[] = {"sftp:host:/p", "gcs:b", "azure:c",
	    "ftp://user:pw@host/p", "webdav:https://h/", "https://h/", "rest:http://h", "b2:x"};

	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		struct store *s;
		struct err e;

		refuses(urls[i], true, ERR_UNSUPPORTED, "this version has");
		store_open(urls[i], false, NULL, &s, &e);
		assert_null(strstr(e.msg, "pw"));
	}
	refuses("", false, ERR_USAGE, "");
	refuses("fs:", true, ERR_USAGE, "");
}

static void mem_is_shared_by_name(void **state)
{
	struct store *a, *b, *c;
	struct err e;
	char x;

	refuses("mem:one", false, ERR_NO_REPOSITORY, "");
	OK(store_open("mem:one", true, NULL, &a, &e), &e);
	OK(store_open("mem:one", false, NULL, &b, &e), &e);
	OK(store_open("mem:two", true, NULL, &c, &e), &e);
	OK(store_put(a, "k", span_str("v"), 0, &e), &e);
	OK(store_get(b, "k", 0, &x, 1, &e), &e);
	FAILS(store_get(c, "k", 0, &x, 1, &e), ERR_ABSENT, &e);
	store_close(a);
	store_close(b);
	store_close(c);
	OK(store_open("mem:one", false, NULL, &a, &e), &e);
	OK(store_get(a, "k", 0, &x, 1, &e), &e);
	store_close(a);
	store_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths_and_fs_urls_open_directories),
	    cmocka_unit_test(a_relative_path_may_look_like_a_scheme),
	    cmocka_unit_test(a_file_is_no_repository),
	    cmocka_unit_test(other_schemes_are_unsupported),
	    cmocka_unit_test(mem_is_shared_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
