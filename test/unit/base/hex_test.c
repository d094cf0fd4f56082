#include "unit/unit.h"

#include "base/hex.h"

static void hex_round_trips_either_case(void **state)
{
	uint8_t all[256], back[256];
	char text[513];

	for (int i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	hex_encode(text, all, sizeof all);
	assert_int_equal(strlen(text), 512);
	assert_memory_equal(text, "000102", 6);
	assert_true(hex_decode(back, sizeof back, text));
	assert_memory_equal(back, all, sizeof all);
	assert_true(hex_decode(back, 2, "aBcD"));
	assert_memory_equal(back, "\xab\xcd", 2);
}

static void hex_of_another_length_or_digit_is_refused(void **state)
{
	static const char *const bad[] = {"", "a", "ab", "abc", "abcde", "abcdef", "abcg", "ab d"};
	uint8_t out[2];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(hex_decode(out, 2, bad[i]));
	assert_true(hex_decode(out, 0, ""));
}

static void base64_has_its_known_texts(void **state)
{
	/* RFC 4648, section 10 */
	static const char *const v[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
	    {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		char *text = base64_encode(span_str(v[i][0]));
		size_t n;
		uint8_t *back = base64_decode(v[i][1], &n);

		assert_string_equal(text, v[i][1]);
		assert_non_null(back);
		assert_int_equal(n, strlen(v[i][0]));
		assert_memory_equal(back, v[i][0], n);
		free(text);
		free(back);
	}
}

static void what_is_no_base64_is_refused(void **state)
{
	static const char *const bad[] = {
	    "Z", "Zg", "Zg=", "Zg=v", "====", "Z===", "Zm9v=", "Zm 9", "Zm9v\n", "Zg==Zg=="};
	size_t n;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_null(base64_decode(bad[i], &n));
}

static void utf8_is_told_from_what_only_resembles_it(void **state)
{
	static const char *const good[] = {"", "a", "\x7f", "\xc3\xa9", "\xe2\x82\xac",
	    "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"};
	static const char *const bad[] = {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80",
	    "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xc3",
	    "\xe2\x82", "a\xff", "\xc3\x41"};

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(utf8_valid(span_str(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(utf8_valid(span_str(bad[i])));
	assert_false(utf8_valid(span_of("a\0b", 3)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hex_round_trips_either_case),
	    cmocka_unit_test(hex_of_another_length_or_digit_is_refused),
	    cmocka_unit_test(base64_has_its_known_texts),
	    cmocka_unit_test(what_is_no_base64_is_refused),
	    cmocka_unit_test(utf8_is_told_from_what_only_resembles_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
