#include "unit/unit.h"

#include <errno.h>

#include "base/err.h"

static void the_table_is_well_formed(void **state)
{
	for (int i = 0; i < ERR_KINDS; i++) {
		const struct err_info *t = err_info((enum err_kind)i);

		assert_int_equal(t->kind, i);
		assert_non_null(t->name);
		assert_non_null(t->meaning);
		assert_int_equal(strspn(t->name, "abcdefghijklmnopqrstuvwxyz_"), strlen(t->name));
		assert_int_equal(t->exit_status == 0, i == ERR_NONE);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(t->name, err_info((enum err_kind)j)->name);
		assert_int_equal(err_kind_of(t->name), i == ERR_NONE ? ERR_FAILED : i);
	}
	assert_int_equal(err_kind_of(NULL), ERR_FAILED);
	assert_int_equal(err_kind_of("no such kind"), ERR_FAILED);
}

static void contexts_read_outermost_first(void **state)
{
	struct err e;

	errno = ENOSPC;
	assert_int_equal(err_sys(&e, "fsync"), -1);
	assert_int_equal(e.kind, ERR_NO_SPACE);
	assert_int_equal(e.sys, ENOSPC);
	err_hint(&e, "make room");
	assert_int_equal(err_wrap(&e, "put %s", "packs/a"), -1);
	err_wrap(&e, "fs:/srv/b");
	assert_string_equal(e.msg, "fs:/srv/b: put packs/a: fsync: No space left on device");
	assert_string_equal(e.hint, "make room");
	assert_int_equal(e.kind, ERR_NO_SPACE);
	assert_int_equal(e.wraps, 2);
	assert_int_equal(e.wrap_len[0], 9);
	assert_int_equal(e.wrap_len[1], 11);
}

static void setting_anew_forgets_the_old(void **state)
{
	struct err e;

	errno = EIO;
	err_sys(&e, "read");
	err_wrap(&e, "x");
	err_hint(&e, "y");
	err_set(&e, ERR_CORRUPT, "bad %d", 7);
	assert_string_equal(e.msg, "bad 7");
	assert_string_equal(e.hint, "");
	assert_int_equal(e.wraps, 0);
	assert_int_equal(e.sys, 0);
	err_clear(&e);
	assert_int_equal(e.kind, ERR_NONE);
	assert_string_equal(e.msg, "");
}

static void arguments_may_come_from_the_error_itself(void **state)
{
	struct err e;

	err_set(&e, ERR_IO, "inner");
	err_set(&e, ERR_CORRUPT, "outer (%s)", e.msg);
	assert_string_equal(e.msg, "outer (inner)");
	err_wrap(&e, "%s", e.msg);
	assert_string_equal(e.msg, "outer (inner): outer (inner)");
	err_hint(&e, "try");
	err_hint(&e, "%s again", e.hint);
	assert_string_equal(e.hint, "try again");
}

static void too_long_loses_the_tail_and_says_so(void **state)
{
	struct err e;

	err_set(&e, ERR_FAILED, "%0900d", 1);
	err_wrap(&e, "%0400d", 2);
	err_wrap(&e, "outermost");
	assert_int_equal(strlen(e.msg), ERR_MSG_MAX - 1);
	assert_memory_equal(e.msg, "outermost: 00", 13);
	assert_string_equal(e.msg + ERR_MSG_MAX - 4, "...");
}

static void many_contexts_keep_the_outermost(void **state)
{
	struct err e;

	err_set(&e, ERR_FAILED, "x");
	for (int i = 0; i < ERR_WRAPS_MAX + 5; i++)
		err_wrap(&e, "%.*s", i + 1, "abcdefghijklmnopqrstuvwxyz");
	assert_int_equal(e.wraps, ERR_WRAPS_MAX);
	assert_int_equal(e.wrap_len[0], ERR_WRAPS_MAX + 5);
	assert_int_equal(e.wrap_len[1], ERR_WRAPS_MAX + 4);
}

static void errno_kinds_are_not_merged(void **state)
{
	assert_int_equal(err_kind_of_errno(ENOENT), ERR_ABSENT);
	assert_int_equal(err_kind_of_errno(EEXIST), ERR_EXISTS);
	assert_int_equal(err_kind_of_errno(EACCES), ERR_DENIED);
	assert_int_equal(err_kind_of_errno(EDQUOT), ERR_NO_SPACE);
	assert_int_equal(err_kind_of_errno(EIO), ERR_IO);
	assert_int_equal(err_kind_of_errno(ETIMEDOUT), ERR_TIMEOUT);
	assert_int_equal(err_kind_of_errno(ECONNREFUSED), ERR_UNREACHABLE);
	assert_int_equal(err_kind_of_errno(EINVAL), ERR_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_table_is_well_formed),
	    cmocka_unit_test(contexts_read_outermost_first),
	    cmocka_unit_test(setting_anew_forgets_the_old),
	    cmocka_unit_test(arguments_may_come_from_the_error_itself),
	    cmocka_unit_test(too_long_loses_the_tail_and_says_so),
	    cmocka_unit_test(many_contexts_keep_the_outermost),
	    cmocka_unit_test(errno_kinds_are_not_merged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
