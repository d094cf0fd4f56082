/* xml: what is visited, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/xml.h"

static char seen[4096];

static int see(void *arg, const char *path, struct span text, struct err *e)
{
	size_t at = strlen(seen);

	snprintf(seen + at, sizeof seen - at, "%s=%.*s;", path, (int)text.n, (const char *)text.p);
	return arg ? err_set(e, ERR_BUSY, "enough") : 0;
}

static int read_text(const char *text, void *arg, struct err *e)
{
	seen[0] = '\0';
	return xml_read(span_str(text), see, arg, e);
}

static void each_element_comes_with_its_path_and_text(void **state)
{
	struct err e;

	assert_int_equal(
	    read_text("<?xml version='1.0'?><R a='1'><A><B>1&amp;&#65;</B><B/></A><C> x </C></R>",
		NULL, &e),
	    0);
	assert_string_equal(seen, "A/B=1&A;A/B=;A=;C= x ;=;");
}

static void a_visitor_s_error_is_what_comes_back(void **state)
{
	struct err e;

	assert_int_equal(read_text("<R><A/><B/></R>", seen, &e), -1);
	assert_int_equal(e.kind, ERR_BUSY);
	assert_string_equal(seen, "A=;");
}

static void refuses(const char *text)
{
	struct err e;

	assert_int_equal(read_text(text, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
}

static void what_could_blow_up_is_refused(void **state)
{
	char deep[200] = "";

	refuses("");
	refuses("<a>");
	refuses("{}");
	refuses("<!DOCTYPE a [<!ENTITY b 'bbbb'>]><a>&b;</a>");
	for (int i = 0; i < 20; i++)
		strcat(deep, "<a>");
	refuses(deep);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_element_comes_with_its_path_and_text),
	    cmocka_unit_test(a_visitor_s_error_is_what_comes_back),
	    cmocka_unit_test(what_could_blow_up_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
