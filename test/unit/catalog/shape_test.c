/* shape: what is written is read back, and what is no such object is as nothing. */
#include "unit/unit.h"

#include "catalog/catalog.h"
#include "catalog/shape.h"

static const struct run whole = {.id = INT64_MAX,
    .system = "www",
    .kind = "backup",
    .type = "full",
    .status = RUN_PROBLEMS,
    .priority = -3,
    .after = 7,
    .due_ns = 1,
    .started_ns = INT64_C(1763799999123456789),
    .ended_ns = INT64_C(1763800000000000000),
    .exit_status = 3,
    .encrypted = true,
    .files = INT64_MAX,
    .score = 0.5};

static void a_run_is_read_back_as_it_was(void **state)
{
	json_t *o = shape_json(&shape_run, &whole), *again;
	struct run r = {0};

	shape_read(&shape_run, o, &r);
	assert_int_equal(r.id, whole.id);
	assert_string_equal(r.type, "full");
	assert_null(r.message);
	assert_int_equal(r.status, RUN_PROBLEMS);
	assert_int_equal(r.started_ns, whole.started_ns);
	again = shape_json(&shape_run, &r);
	assert_true(json_equal(o, again));
	assert_true(json_real_value(json_object_get(o, "seconds")) > 0.876);
	json_decref(o);
	json_decref(again);
}

static void a_stranger_is_read_as_nothing(void **state)
{
	static const char odd[] =
	    "{\"id\": \"1\", \"system\": 4, \"status\": \"sleeping\", \"started\": \"noon\", "
	    "\"files\": -1, \"priority\": 99999999999, \"score\": [], \"encryption_enabled\": 1}";
	static const char *const texts[] = {"[]", "{}", "null", odd};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		json_t *o = json_loads(texts[i], JSON_DECODE_ANY, NULL);
		struct run r = whole;

		shape_read(&shape_run, o, &r);
		assert_int_equal(r.id, 0);
		assert_null(r.system);
		assert_int_equal(r.status, 0);
		assert_int_equal(r.started_ns, 0);
		assert_int_equal(r.files, 0);
		assert_int_equal(r.priority, 0);
		assert_true(r.score < 0);
		assert_false(r.encrypted);
		json_decref(o);
	}
}

static void some_of_it_is_what_was_named(void **state)
{
	struct err e;
	uint64_t fields = shape_fields(&shape_run, "id,log,status", &e);
	json_t *o = shape_json_of(&shape_run, &whole, fields);

	assert_int_equal(json_object_size(o), 3);
	assert_string_equal(json_string_value(json_object_get(o, "status")), "problems");
	json_decref(o);
	assert_true(shape_fields(&shape_run, NULL, &e) == SHAPE_ALL);
	assert_int_equal(shape_fields(&shape_run, "id,lo", &e), 0);
	assert_string_equal(e.msg, "a Run has no 'lo'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_run_is_read_back_as_it_was),
	    cmocka_unit_test(a_stranger_is_read_as_nothing),
	    cmocka_unit_test(some_of_it_is_what_was_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
