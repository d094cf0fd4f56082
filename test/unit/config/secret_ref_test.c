/* secret_ref: secrets by reference only. */
#include "unit/unit.h"

#include <unistd.h>

#include "config/secret_ref.h"
#include "crypto/secret.h"

static void read_is(const char *ref, const char *want)
{
	struct err e = {0};
	char *s;
	size_t n;

	if (secret_ref_read(ref, &s, &n, &e) == -1)
		fail_msg("%s: %s", ref, e.msg);
	assert_int_equal(n, strlen(want));
	assert_memory_equal(s, want, n);
	secret_free(s);
}

static void each_kind_of_reference_is_read(void **state)
{
	char dir[] = "/tmp/secret_ref.XXXXXX", path[64], ref[80];
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/pw", dir);
	f = fopen(path, "w");
	fputs("hunter2\n", f);
	fclose(f);
	snprintf(ref, sizeof ref, "file:%s", path);
	read_is(ref, "hunter2\n");
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	read_is("credential:pw", "hunter2\n");
	setenv("SECRET_REF_TEST", "abc", 1);
	read_is("env:SECRET_REF_TEST", "abc");
	read_is("command:printf 'a b'", "a b");
	unlink(path);
	rmdir(dir);
}

static void what_is_no_reference_is_refused_and_not_repeated(void **state)
{
	static const char *const bad[] = {"", "hunter2", "file:pw",
	    "file:", "env:", "command:", "credential:", "credential:../x", "credential:a/b",
	    "File:/x"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err e = {0};

		assert_int_equal(secret_ref_check(bad[i], &e), -1);
		assert_int_equal(e.kind, ERR_USAGE);
		assert_null(strstr(e.msg, "hunter2"));
		assert_non_null(strstr(e.hint, "env:NAME"));
	}
}

static void what_cannot_be_read_is_told(void **state)
{
	static const struct {
		const char *ref, *message;
	} bad[] = {
	    {"file:/nonexistent/pw", "/nonexistent/pw: No such file"},
	    {"env:SECRET_REF_NONE", "env:SECRET_REF_NONE: it is not set"},
	    {"command:exit 7", "failed with status 7"},
	    {"command:head -c 100000 /dev/zero", "longer than"},
	    {"file:/dev/zero", "longer than"},
	    {"credential:none", "CREDENTIALS_DIRECTORY is not set"},
	};

	unsetenv("CREDENTIALS_DIRECTORY");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err e = {0};
		char *s;
		size_t n;

		assert_int_equal(secret_ref_read(bad[i].ref, &s, &n, &e), -1);
		assert_null(s);
		if (strstr(e.msg, bad[i].message) == NULL)
			fail_msg("'%s' lacks '%s'", e.msg, bad[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_kind_of_reference_is_read),
	    cmocka_unit_test(what_is_no_reference_is_refused_and_not_repeated),
	    cmocka_unit_test(what_cannot_be_read_is_told),
	};

	return cmocka_run_group_tests_name("secret_ref", tests, NULL, NULL);
}
