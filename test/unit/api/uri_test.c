/* api_uri: one meaning or none. */
#include "unit/unit.h"

#include "api/api_uri.h"

static int parse(const char *raw, struct api_uri *u)
{
	struct err e = {0};
	int status = api_uri_parse(span_str(raw), u, &e);

	assert_int_equal(status != 0, e.kind != ERR_NONE);
	return status;
}

static void segments_and_parameters_are_decoded(void **state)
{
	struct api_uri u;

	assert_int_equal(parse("/api/v1/systems/a%20b?x=1&y=a%26b+c&z", &u), 0);
	assert_int_equal(u.nsegments, 4);
	assert_string_equal(u.segment[3], "a b");
	assert_int_equal(u.nquery, 3);
	assert_string_equal(u.query[1].value, "a&b c");
	assert_string_equal(u.query[2].name, "z");
	assert_string_equal(u.query[2].value, "");
}

static void tricks_with_paths_are_refused(void **state)
{
	static const char *const bad[] = {"", "api", "*", "http://h/health", "//health", "/api//v1",
	    "/health/", "/../etc/passwd", "/api/%2e%2e/x", "/api/.%2E", "/./health", "/a%2fb",
	    "/a%00b", "/a%0ab", "/a%zz", "/a%4", "/a%", "/%ff%fe", "/a\x01", "/a\x7f", "/?=1",
	    "/?a=1&a=2", "/?a=%00", "/1/2/3/4/5/6/7/8/9",
	    "/?1&2&3&4&5&6&7&8&9&10&11&12&13&14&15&16&17"};
	struct api_uri u;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (parse(bad[i], &u) != 400)
			fail_msg("'%s' was taken", bad[i]);
}

static void a_target_that_is_too_long_is_told_as_that(void **state)
{
	char *long_one = test_malloc(API_URI_MAX + 1);
	struct api_uri u;

	memset(long_one, 'a', API_URI_MAX);
	long_one[0] = '/';
	long_one[API_URI_MAX] = '\0';
	assert_int_equal(parse(long_one, &u), 414);
	test_free(long_one);
}

static void ids_of_events_are_whole_numbers(void **state)
{
	assert_int_equal(api_uri_number("12"), 12);
	assert_int_equal(api_uri_number("0"), 0);
	assert_int_equal(api_uri_number("-1"), 0);
	assert_int_equal(api_uri_number("1x"), 0);
	assert_int_equal(api_uri_number(""), 0);
	assert_int_equal(api_uri_number("99999999999999999999"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(segments_and_parameters_are_decoded),
	    cmocka_unit_test(tricks_with_paths_are_refused),
	    cmocka_unit_test(a_target_that_is_too_long_is_told_as_that),
	    cmocka_unit_test(ids_of_events_are_whole_numbers),
	};

	return cmocka_run_group_tests_name("api_uri", tests, NULL, NULL);
}
