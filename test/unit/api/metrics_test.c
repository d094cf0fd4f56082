/* api_metrics: what is known is told, what is not is left out, and no label breaks a line. */
#include "unit/unit.h"

#include "api/api_metrics.h"
#include "api/api_route.h"

#define SECOND INT64_C(1000000000)

static void samples_tell_what_is_known(void **state)
{
	struct run_latest backup = {.system = "a\"\\\nb",
	    .kind = "backup",
	    .success_id = 3,
	    .last_status = RUN_FAILED,
	    .last_ended_ns = 95 * SECOND,
	    .success_started_ns = 40 * SECOND,
	    .success_ended_ns = 42 * SECOND,
	    .bytes = 1234,
	    .runs = 5,
	    .failures = 2,
	    .failed_in_row = 1};
	struct survey_system systems[] = {{.name = (char *)"a\"\\\nb",
					      .declared = true,
					      .rpo_ns = 50 * SECOND,
					      .rpo_age_ns = 60 * SECOND,
					      .verify_ns = -1,
					      .verify_age_ns = -1},
	    {.name = (char *)"new",
		.tier = (char *)"gold",
		.rpo_ns = -1,
		.rpo_age_ns = -1,
		.verify_ns = -1,
		.verify_age_ns = -1}};
	struct survey_queue queue = {(char *)"main", 1, 4};
	struct api_survey s = {.now_ns = 100 * SECOND,
	    .systems = systems,
	    .nsystems = 2,
	    .latest = &backup,
	    .nlatest = 1,
	    .queues = &queue,
	    .nqueues = 1,
	    .running = 1};
	struct api_counters counters = {.limited = 7};
	struct metrics_more more = {10 * SECOND, false, &counters};
	static const char *const lines[] = {"\nholdfast_up 1\n", "\nholdfast_ready 0\n",
	    "\nholdfast_start_time_seconds 10\n",
	    "\nholdfast_rpo_age_seconds{system=\"a\\\"\\\\\\nb\",tier=\"\"} 60\n",
	    "\nholdfast_rpo_target_seconds{system=\"a\\\"\\\\\\nb\",tier=\"\"} 50\n",
	    "{system=\"a\\\"\\\\\\nb\",kind=\"backup\"} 1234\n",
	    "success_duration_seconds{system=\"a\\\"\\\\\\nb\",kind=\"backup\"} 2\n",
	    "\nholdfast_last_run_success{system=\"a\\\"\\\\\\nb\",kind=\"backup\"} 0\n",
	    "\nholdfast_queue_length{queue=\"main\"} 4\n",
	    "\nholdfast_system_declared{system=\"new\",tier=\"gold\"} 0\n",
	    "\nholdfast_api_rate_limited_total 7\n"};
	struct buf out = {0};

	api_metrics_text(&s, &more, &out);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		if (strstr(buf_cstr(&out), lines[i]) == NULL)
			fail_msg("'%s' is missing in %s", lines[i], buf_cstr(&out));
	assert_null(strstr(buf_cstr(&out), "rpo_age_seconds{system=\"new\""));
	assert_null(strstr(buf_cstr(&out), "\nholdfast_verification_age_seconds"));
	buf_fini(&out);
}

static void every_name_is_a_good_one_and_stands_there_once(void **state)
{
	for (size_t i = 0; api_metrics_name(i) != NULL; i++) {
		const char *name = api_metrics_name(i);

		assert_memory_equal(name, "holdfast_", 9);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(name, api_metrics_name(j));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(samples_tell_what_is_known),
	    cmocka_unit_test(every_name_is_a_good_one_and_stands_there_once),
	};

	return cmocka_run_group_tests_name("api_metrics", tests, NULL, NULL);
}
