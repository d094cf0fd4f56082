/* api_route: the table is well-formed, finds its rows, and lets nothing unchecked through. */
#include "unit/unit.h"

#include "api/api_route.h"
#include "catalog/catalog.h"

static const struct api_route *find(
    const char *method, const char *target, struct api_call *c, struct api_uri *u, char allow[64])
{
	struct err e = {0};

	memset(c, 0, sizeof *c);
	assert_int_equal(api_uri_parse(span_str(target), u, &e), 0);
	return api_route_find(method, u, c, allow);
}

static void rows_are_well_formed(void **state)
{
	for (size_t i = 0; i < api_routes_count; i++) {
		const struct api_route *r = &api_routes[i];
		const char *brace = r->path;
		size_t named = 0;

		assert_true(strcmp(r->method, "GET") == 0 || strcmp(r->method, "POST") == 0);
		assert_non_null(r->run);
		assert_true(r->summary[strlen(r->summary) - 1] != '.');
		/* What the path names are the first params, in that order. */
		while ((brace = strchr(brace, '{')) != NULL) {
			size_t n = strcspn(++brace, "}");

			assert_int_equal(r->params[named].in, API_IN_PATH);
			assert_int_equal(strlen(r->params[named].name), n);
			assert_memory_equal(r->params[named++].name, brace, n);
		}
		for (; named < API_PARAMS_MAX && r->params[named].name; named++) {
			assert_true(r->params[named].in != API_IN_PATH);
			assert_true(r->params[named].type != API_COUNT || r->params[named].max);
			assert_true(
			    r->params[named].type != API_CHOICE || r->params[named].choices);
			assert_true(
			    r->params[named].in != API_IN_BODY || strcmp(r->method, "POST") == 0);
		}
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(r->id, api_routes[j].id);
			assert_false(strcmp(r->path, api_routes[j].path) == 0 &&
				     strcmp(r->method, api_routes[j].method) == 0);
		}
	}
}

static void a_path_finds_its_row_or_the_methods_that_it_takes(void **state)
{
	struct api_call c;
	struct api_uri u;
	char allow[64];

	assert_string_equal(find("GET", "/health", &c, &u, allow)->id, "getHealth");
	assert_string_equal(find("HEAD", "/api/v1/runs/7", &c, &u, allow)->id, "getRun");
	assert_string_equal(c.value[0], "7");
	assert_null(find("POST", "/api/v1/runs/7", &c, &u, allow));
	assert_string_equal(allow, "GET, HEAD");
	assert_null(find("GET", "/api/v1/reload", &c, &u, allow));
	assert_string_equal(allow, "POST");
	assert_null(find("GET", "/api/v1/nothing", &c, &u, allow));
	assert_string_equal(allow, "");
	assert_null(find("GET", "/", &c, &u, allow));
	assert_null(find("GET", "/healthy", &c, &u, allow));
	assert_null(find("GET", "/api", &c, &u, allow));
}

static void each_wrong_parameter_has_its_message(void **state)
{
	static const struct {
		const char *method, *target, *body, *message, *hint;
	} bad[] = {
	    {"GET", "/api/v1/runs?limit=0", "", "limit: a number from 1 to 500", ""},
	    {"GET", "/api/v1/runs?limit=501", "", "limit: a number from 1 to 500", ""},
	    {"GET", "/api/v1/runs?limit=1e3", "", "limit: a number", ""},
	    {"GET", "/api/v1/runs?cursor=-1", "", "cursor: a number from 1", ""},
	    {"GET", "/api/v1/runs?limits=1", "", "'limits' is not taken", "did you mean 'limit'?"},
	    {"GET", "/api/v1/runs?status=lost", "", "status: 'lost'", "there are: queued|running"},
	    {"GET", "/api/v1/runs?since=soon", "", "since: ", ""},
	    {"GET", "/api/v1/runs?system=", "", "system: 1 to 1024 bytes", ""},
	    {"GET", "/api/v1/runs/x", "", "id: a number from 1", ""},
	    {"GET", "/api/v1/runs/7?id=8", "", "'id' is not taken here", ""},
	    {"POST", "/api/v1/systems/a/run", "{", "no JSON: line 1", ""},
	    {"POST", "/api/v1/systems/a/run", "[]", "a JSON object", ""},
	    {"POST", "/api/v1/systems/a/run", "{\"kind\":\"backup\",\"kind\":\"check\"}", "no JSON",
		""},
	    {"POST", "/api/v1/systems/a/run", "{\"kind\":\"rm\"}", "kind: 'rm'", "backup|verify"},
	    {"POST", "/api/v1/systems/a/run", "{\"kind\":[]}", "'kind' has to be a text", ""},
	    {"POST", "/api/v1/systems/a/run", "{\"kind\":7}", "kind: '7'", ""},
	    {"POST", "/api/v1/systems/a/run", "{\"x\":7}", "'x' has to be a text", ""},
	    {"POST", "/api/v1/systems/a/run", "{\"knd\":\"a\"}", "'knd' is not", "'kind'"},
	    {"POST", "/api/v1/systems/a/run", "{\"name\":\"b\"}", "'name' is not taken", ""},
	    {"POST", "/api/v1/systems/a/run?kind=check", "", "'kind' is not taken", ""},
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct api_call c;
		struct api_uri u;
		struct err e = {0};
		char allow[64];

		assert_non_null(find(bad[i].method, bad[i].target, &c, &u, allow));
		assert_int_equal(api_route_bind(&c, &u, span_str(bad[i].body), &e), -1);
		assert_int_equal(e.kind, ERR_USAGE);
		if (!strstr(e.msg, bad[i].message) || !strstr(e.hint, bad[i].hint))
			fail_msg("%s %s: '%s' (%s)", bad[i].target, bad[i].body, e.msg, e.hint);
		api_call_fini(&c);
	}
}

static void good_parameters_are_bound(void **state)
{
	struct api_call c;
	struct api_uri u;
	struct err e = {0};
	char allow[64];

	find("GET", "/api/v1/runs?limit=5&since=2026-01-01&status=failed", &c, &u, allow);
	assert_int_equal(api_route_bind(&c, &u, span_str(""), &e), 0);
	assert_int_equal(api_value_number(&c, "limit"), 5);
	assert_null(api_value(&c, "system"));
	api_call_fini(&c);
	find("POST", "/api/v1/systems/a%20b/run", &c, &u, allow);
	assert_int_equal(
	    api_route_bind(&c, &u, span_str("{\"schema\":1,\"kind\":\"verify\"}"), &e), 0);
	assert_string_equal(api_value(&c, "name"), "a b");
	assert_string_equal(api_value(&c, "kind"), "verify");
	api_call_fini(&c);
}

static void scopes_may_what_their_names_say(void **state)
{
	static const struct {
		enum api_scope scope;
		bool read, operate, administer;
	} rows[] = {{0, false, false, false}, {API_VIEWER, true, false, false},
	    {API_OPERATOR, true, true, false}, {API_APPROVER, true, false, false},
	    {API_AUDITOR, true, false, false}, {API_ADMIN, true, true, true}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(api_may(rows[i].scope, API_READ), rows[i].read);
		assert_int_equal(api_may(rows[i].scope, API_OPERATE), rows[i].operate);
		assert_int_equal(api_may(rows[i].scope, API_ADMINISTER), rows[i].administer);
	}
}

static void the_statuses_of_runs_are_those_of_the_catalog(void **state)
{
	char all[256] = "";

	for (int i = 1; i < RUN_STATUSES; i++) {
		strcat(all, i > 1 ? "|" : "");
		strcat(all, run_status_name((enum run_status)i));
	}
	for (size_t i = 0; i < api_routes_count; i++)
		for (int j = 0; j < API_PARAMS_MAX && api_routes[i].params[j].name; j++)
			if (strcmp(api_routes[i].params[j].name, "status") == 0)
				assert_string_equal(api_routes[i].params[j].choices, all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rows_are_well_formed),
	    cmocka_unit_test(a_path_finds_its_row_or_the_methods_that_it_takes),
	    cmocka_unit_test(each_wrong_parameter_has_its_message),
	    cmocka_unit_test(good_parameters_are_bound),
	    cmocka_unit_test(scopes_may_what_their_names_say),
	    cmocka_unit_test(the_statuses_of_runs_are_those_of_the_catalog),
	};

	return cmocka_run_group_tests_name("api_route", tests, NULL, NULL);
}
