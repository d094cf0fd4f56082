/* os_library: what is there is found; what is not is told with what to install, each time. */
#include "unit/unit.h"

#include "os/os_library.h"

static struct {
	double (*cos)(double);
	int (*none)(void);
} table;

static const struct os_symbol good[] = {{"cos", 0}, {NULL}};
static const struct os_symbol bad[] = {{"cos", 0}, {"no_such_function", 8}, {NULL}};

static const char *refuse(void)
{
	return "it does not want to";
}

static void what_is_there_is_found(void **state)
{
	struct os_library l = {"libm.so.6", "libc6", good, &table, OS_LIBRARY_INIT};
	struct err e;

	assert_int_equal(os_library_open(&l, &e), 0);
	assert_int_equal(os_library_open(&l, &e), 0);
	assert_true(table.cos(0) > 0.999);
}

static void what_is_missing_is_told_with_its_package(void **state)
{
	struct os_library none = {"libnowhere.so.1", "libnowhere1", good, &table, OS_LIBRARY_INIT};
	struct os_library old = {"libm.so.6", "libc6", bad, &table, OS_LIBRARY_INIT};
	struct os_library broken = {
	    "libm.so.6", "libc6", good, &table, OS_LIBRARY_INIT, .begin = refuse};
	struct err e;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(os_library_open(&none, &e), -1);
		assert_int_equal(e.kind, ERR_UNSUPPORTED);
		assert_non_null(strstr(e.msg, "libnowhere.so.1"));
		assert_string_equal(e.hint, "install the package libnowhere1");
	}
	assert_int_equal(os_library_open(&old, &e), -1);
	assert_string_equal(e.msg, "libm.so.6 lacks no_such_function");
	assert_int_equal(os_library_open(&broken, &e), -1);
	assert_string_equal(e.msg, "libm.so.6: it does not want to");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_there_is_found),
	    cmocka_unit_test(what_is_missing_is_told_with_its_package),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
