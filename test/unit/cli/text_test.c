/* Values as text: what terminals must not obey, columns, tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <string.h>

#include "cli/cli_out.h"

static void terminals_see_no_controls(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {{"plain", "plain"}, {"zo\xc3\xab", "zo\xc3\xab"},
	    {"a\x1b[31mb", "a\\x1b[31mb"}, {"a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f"},
	    {"\xc2\x9b", "\\xc2\\x9b"}, {"l\xff", "l\\xff"}, {"\xe2\x80\xae", "\\xe2\\x80\\xae"},
	    {"\xc0\xaf", "\\xc0\\xaf"}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf b = {0};

		text_escape(&b, span_str(cases[i].in));
		assert_string_equal(buf_cstr(&b), cases[i].out);
		buf_fini(&b);
	}
}

static void columns_are_counted_not_bytes(void **state)
{
	assert_int_equal(text_width(span_str("zo\xc3\xab")), 3);
	assert_int_equal(text_width(span_str("\xe6\x97\xa5\xe6\x9c\xac")), 4);
	assert_int_equal(text_width(span_str("e\xcc\x81")), 1);
	assert_int_equal(text_cut(span_str("\xe6\x97\xa5\xe6\x9c\xac"), 3), 3);
	assert_int_equal(text_cut(span_str("abc"), 2), 2);
}

static void sizes_and_times_read_well(void **state)
{
	char t[32];

	assert_string_equal(text_bytes(t, 0), "0 B");
	assert_string_equal(text_bytes(t, 999), "999 B");
	assert_string_equal(text_bytes(t, 1024), "1.00 KiB");
	assert_string_equal(text_bytes(t, 1023 << 10), "1.00 MiB");
	assert_string_equal(text_bytes(t, UINT64_MAX), "16.0 EiB");
	assert_string_equal(text_count(t, 0), "0");
	assert_string_equal(text_count(t, 999), "999");
	assert_string_equal(text_count(t, 1234567), "1,234,567");
	assert_string_equal(text_seconds(t, 4.21), "4.2 s");
	assert_string_equal(text_seconds(t, 61), "1:01");
	assert_string_equal(text_seconds(t, 3723), "1:02:03");
	assert_string_equal(text_mode(t, ENTRY_FILE, 04755), "-rwsr-xr-x");
	assert_string_equal(text_mode(t, ENTRY_DIR, 01777), "drwxrwxrwt");
	assert_string_equal(text_mode(t, ENTRY_SYMLINK, 02644), "lrw-r-Sr--");
}

static void tables_line_up(void **state)
{
	struct text_table t = {.align = "<>", .ncols = 2};
	struct buf b = {0};

	text_row(&t, (const char *[]){"zo\xc3\xab", "1"});
	text_row(&t, (const char *[]){"longer", "100"});
	text_table_put(&b, &t);
	assert_string_equal(buf_cstr(&b), "zo\xc3\xab       1\nlonger  100\n");
	text_table_fini(&t);
	buf_fini(&b);
}

static void text_wraps_at_words(void **state)
{
	struct buf b = {0};

	text_wrap(&b, "one two three", 0, 2, 9);
	assert_string_equal(buf_cstr(&b), "one two\n  three\n");
	buf_fini(&b);
}

static void one_of_a_thing_is_no_plural(void **state)
{
	char out[TEXT_AMOUNT];

	assert_string_equal(text_amount(out, 1, "pack", "packs"), "1 pack");
	assert_string_equal(text_amount(out, 0, "pack", "packs"), "0 packs");
	assert_string_equal(text_amount(out, 12345, "pack", "packs"), "12,345 packs");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(terminals_see_no_controls),
	    cmocka_unit_test(columns_are_counted_not_bytes),
	    cmocka_unit_test(sizes_and_times_read_well),
	    cmocka_unit_test(tables_line_up),
	    cmocka_unit_test(text_wraps_at_words),
	    cmocka_unit_test(one_of_a_thing_is_no_plural),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
