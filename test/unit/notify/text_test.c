/* notify_text: nothing of a message's texts ends a line, a header or a letter where none was meant.
 */
#include "unit/unit.h"

#include "base/hex.h"
#include "notify/notify_text.h"

static void texts_become_clean_and_keep_what_is_right(void **state)
{
	static const struct {
		const char *in;
		size_t max;
		bool lines;
		const char *out;
	} t[] = {
	    {"plain", 100, false, "plain"},
	    {"gr\xc3\xbc\xc3\x9f", 100, false, "gr\xc3\xbc\xc3\x9f"},
	    {"a\r\nBcc: x@y", 100, false, "a  Bcc: x@y"},
	    {"a\r\nb\tc", 100, true, "a\nb\tc"},
	    {"a\rb", 100, true, "a b"},
	    {"\x1b[31mred", 100, true, " [31mred"},
	    {"\x7f\xc2\x85\xe2\x80\xa8.", 100, true, "   ."},
	    {"\xff\xc3(\xed\xa0\x80\xc0\x80", 100, false, "?\?(?\?\?\?\?"},
	    {"\xe2\x82", 100, false, "??"},
	    {"abcdefgh", 8, false, "abcdefgh"},
	    {"abcdefghi", 8, false, "abcde..."},
	    {"abcd\xc3\xbcxyzz", 8, false, "abcd..."},
	    {"", 10, false, ""},
	    {NULL, 10, false, ""},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		char *s = notify_text_copy(t[i].in, t[i].max, t[i].lines);

		assert_string_equal(s, t[i].out);
		free(s);
	}
}

static void any_bytes_become_utf8_within_the_bound(void **state)
{
	uint64_t seed = 20261121;

	for (int i = 0; i < 2000; i++) {
		char raw[64], *s;
		size_t n = unit_rand(&seed) % 63, max = unit_rand(&seed) % 64;

		unit_rand_fill(&seed, raw, n);
		raw[n] = '\0';
		s = notify_text_copy(raw, max, i & 1);
		assert_true(strlen(s) <= max);
		assert_true(utf8_valid(span_str(s)));
		assert_null(strchr(s, '\r'));
		if (!(i & 1))
			assert_null(strchr(s, '\n'));
		free(s);
	}
}

static void a_key_is_the_event_and_the_system_unless_it_was_given(void **state)
{
	struct notify_message m = {.event = "run.failed", .system = "www"};
	char *a = notify_text_key(&m), *b;

	m.key = "disk";
	b = notify_text_key(&m);
	assert_string_equal(a, "run.failed/www");
	assert_string_equal(b, "disk");
	free(a);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts_become_clean_and_keep_what_is_right),
	    cmocka_unit_test(any_bytes_become_utf8_within_the_bound),
	    cmocka_unit_test(a_key_is_the_event_and_the_system_unless_it_was_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
