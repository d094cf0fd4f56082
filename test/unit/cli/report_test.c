/* Whatever a record says, the page has no other tags than its own. */
#include "unit/unit.h"

#include "base/buf.h"
#include "cli/report.h"

#define BAD "<script>x</script>"

static json_t *hostile(void)
{
	json_t *o = json_pack(
	    "{s:{s:s, s:s, s:f, s:f}, s:[{s:s, s:s, s:s, s:s}], s:[{s:s, s:s}], s:[s, i]}", "rto",
	    "basis", BAD, "met", BAD, "target", 1.0, "seconds", 1.0, "assertions", "name", BAD,
	    "state", "failed", "says", BAD, "why", BAD, "steps", "name", BAD, "outcome", BAD,
	    "isolation", BAD, 1);
	static const char *const texts[] = {"id", "system", "source", "repository", "level",
	    "started", "host", "user", "verdict", "reason", "point", "snapshot", "repository_id",
	    "key", "signature"};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		json_object_set_new(o, texts[i], json_string(BAD));
	return o;
}

static void a_page_has_only_its_own_tags(void **state)
{
	json_t *o = hostile();
	struct buf b = {0};
	const char *at;
	int scripts = 0;

	report_html(&b, o, span_str("line"), BAD);
	for (at = buf_cstr(&b); (at = strstr(at, "<script")) != NULL; at++)
		scripts++;
	assert_int_equal(scripts, 1); /* the record itself */
	assert_non_null(strstr(buf_cstr(&b), "&lt;script&gt;x"));
	assert_null(strstr(buf_cstr(&b), "class=\"badge <"));
	json_decref(o);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_page_has_only_its_own_tags)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
