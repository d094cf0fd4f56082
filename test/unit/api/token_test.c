/* api_token: shown once, kept as a hash, gone when it is removed or has expired. */
#include "unit/unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "api/api_token.h"
#include "base/buf.h"
#include "os/os.h"

static char dir[64], path[96];

static int make_dir(void **state)
{
	strcpy(dir, "/tmp/hf-token.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/tokens.json", dir);
	return 0;
}

static int remove_dir(void **state)
{
	char lock[112];

	snprintf(lock, sizeof lock, "%s.lock", path);
	unlink(lock);
	unlink(path);
	return rmdir(dir);
}

static void a_token_is_found_by_its_text_alone(void **state)
{
	struct api_token_file *f = api_token_file_new(path);
	char one[API_TOKEN_TEXT], two[API_TOKEN_TEXT];
	struct api_token t;
	struct buf b = {0};
	struct stat st;
	struct err e = {0};

	assert_int_equal(api_token_file_find(f, span_str("hft_x"), 5, &t, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	assert_int_equal(api_token_add(path, "one", API_VIEWER, 1, 0, one, &e), 0);
	assert_int_equal(api_token_add(path, "two", API_ADMIN, 1, 0, two, &e), 0);
	assert_int_equal(strlen(one), API_TOKEN_TEXT - 1);
	assert_string_not_equal(one, two);
	assert_int_equal(api_token_file_find(f, span_str(two), 5, &t, &e), 0);
	assert_string_equal(t.name, "two");
	assert_int_equal(t.scope, API_ADMIN);
	two[10] ^= 1;
	assert_int_equal(api_token_file_find(f, span_str(two), 5, &t, &e), -1);
	/* Neither text stands in the file, which is nobody else's. */
	assert_int_equal(os_read_file(path, 65536, &b, &e), 0);
	assert_null(strstr(buf_cstr(&b), one + 4));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* A removed one is none at once. */
	assert_int_equal(api_token_remove(path, "one", &e), 0);
	assert_int_equal(api_token_file_find(f, span_str(one), 5, &t, &e), -1);
	assert_int_equal(api_token_remove(path, "one", &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	buf_fini(&b);
	api_token_file_free(f);
}

static void a_token_expires(void **state)
{
	struct api_token_file *f = api_token_file_new(path);
	char text[API_TOKEN_TEXT];
	int64_t end = INT64_C(1800000000000000000);
	struct api_token t;
	struct err e = {0};

	assert_int_equal(api_token_add(path, "short", API_VIEWER, 1, end, text, &e), 0);
	assert_int_equal(api_token_file_find(f, span_str(text), end - 1, &t, &e), 0);
	assert_int_equal(api_token_file_find(f, span_str(text), end, &t, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	api_token_file_free(f);
}

static void names_are_names_and_stand_there_once(void **state)
{
	static const char *const bad[] = {"", "-x", ".x", "a b", "a/b", "a\n"};
	char text[API_TOKEN_TEXT];
	struct err e = {0};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(api_token_add(path, bad[i], API_VIEWER, 1, 0, text, &e), -1);
		assert_int_equal(e.kind, ERR_USAGE);
	}
	assert_int_equal(api_token_add(path, "ci", API_VIEWER, 1, 0, text, &e), 0);
	assert_int_equal(api_token_add(path, "ci", API_ADMIN, 1, 0, text, &e), -1);
	assert_int_equal(e.kind, ERR_EXISTS);
}

static void with_a_file_that_is_damaged_or_open_to_others_nobody_comes_in(void **state)
{
	static const char *const bad[] = {"", "{", "[]", "{\"schema\":1}",
	    "{\"schema\":2,\"tokens\":[]}", "{\"schema\":1,\"tokens\":[{\"name\":\"a\"}]}",
	    "{\"schema\":1,\"tokens\":[{\"name\":\"a\",\"scope\":\"god\",\"sha256\":\"00\"}]}"};
	struct api_token_file *f = api_token_file_new(path);
	char text[API_TOKEN_TEXT];
	struct api_token t;
	struct err e = {0};

	assert_int_equal(api_token_add(path, "a", API_VIEWER, 1, 0, text, &e), 0);
	assert_int_equal(api_token_file_find(f, span_str(text), 5, &t, &e), 0);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(api_token_file_find(f, span_str(text), 5, &t, &e), -1);
	assert_int_equal(e.kind, ERR_DENIED);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(api_token_file_find(f, span_str(text), 5, &t, &e), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(os_file_replace(path, span_str(bad[i]), 0600, &e), 0);
		assert_int_equal(api_token_file_find(f, span_str(text), 5, &t, &e), -1);
		assert_int_equal(e.kind, ERR_CORRUPT);
	}
	api_token_file_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		a_token_is_found_by_its_text_alone, make_dir, remove_dir),
	    cmocka_unit_test_setup_teardown(a_token_expires, make_dir, remove_dir),
	    cmocka_unit_test_setup_teardown(
		names_are_names_and_stand_there_once, make_dir, remove_dir),
	    cmocka_unit_test_setup_teardown(
		with_a_file_that_is_damaged_or_open_to_others_nobody_comes_in, make_dir,
		remove_dir),
	};

	return cmocka_run_group_tests_name("api_token", tests, NULL, NULL);
}
