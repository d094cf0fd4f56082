/* drill_what: what was asked comes back, and nothing else is understood. */
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "catalog/drill_what.h"

static void what_was_asked_comes_back(void **state)
{
	static const char *const texts[] = {"standard", "comprehensive", "full", "pitr",
	    "standard oldest", "from=offsite",
	    "comprehensive full from=a-b to=2026-11-21 09:41:07+01", "to=latest", "to=from=x full",
	    "latest from=main"};
	struct drill_what w;
	char *text;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		assert_true(drill_what_parse(texts[i], &w));
		text = drill_what_text(&w);
		assert_string_equal(text, texts[i]);
		free(text);
	}
	assert_true(drill_what_parse("comprehensive full from=a-b to=2026-11-21 09:41:07+01", &w));
	assert_string_equal(w.to, "2026-11-21 09:41:07+01");
	assert_string_equal(w.from, "a-b");
	assert_true(drill_what_parse(NULL, &w));
	assert_null(drill_what_text(&w));
}

static void nothing_else_is_understood(void **state)
{
	static const char *const texts[] = {"some", "full full", "full standard", "standard ",
	    " full", "to=", "from=", "from= full", "from=a full", "standard  full", "fullest",
	    "from=a from=b"};
	char *much = malloc(DRILL_WHAT_MOMENT + 10);
	struct drill_what w;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		assert_false(drill_what_parse(texts[i], &w));
		assert_null(drill_what_text(&w));
	}
	memset(much, 'x', DRILL_WHAT_MOMENT + 9);
	memcpy(much, "to=", 3);
	much[DRILL_WHAT_MOMENT + 9] = '\0';
	assert_false(drill_what_parse(much, &w));
	much[DRILL_WHAT_MOMENT + 2] = '\0';
	assert_true(drill_what_parse(much, &w));
	free(much);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_asked_comes_back),
	    cmocka_unit_test(nothing_else_is_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
