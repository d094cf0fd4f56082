/* monitor_judge, monitor_value: what differs, what is told once, and what is seen. */
#include "engine/monitor_value.h"
#include "engine_unit.h"

static void what_differs_is_told_once_until_it_is_accepted_or_back(void **state)
{
	static const struct {
		bool counts;
		const char *expect;
		const char *value; /* NULL: accept what was seen */
		const char *outcome, *accepted;
		bool differs;
	} rows[] = {
	    {false, NULL, "a", "first", "a", false}, {false, NULL, "a", "same", "a", false},
	    {false, NULL, "b", "differs", "a", true}, {false, NULL, "b", "still", "a", true},
	    {false, NULL, "c", "differs", "a", true}, /* another again */
	    {false, NULL, "a", "back", "a", false}, {false, NULL, "b", "differs", "a", true},
	    {false, NULL, NULL, "", "b", false}, {false, NULL, "b", "same", "b", false},
	    {false, "2.4", "2.4", "same", "2.4", false}, /* what is expected needs no first time */
	    {false, "2.4", "2.5", "differs", "2.4", true},
	    {false, "2.5", "2.5", "back", "2.5", false},
	    {true, NULL, "100", "differs", "2.5",
		true}, /* was another kind: compares with nothing near */
	    {true, NULL, NULL, "", "100", false},
	    {true, NULL, "105", "same", "105", false}, /* within 5 %, and accepted */
	    {true, NULL, "110", "same", "110", false}, /* so it may grow */
	    {true, NULL, "104", "differs", "110", true}, {true, NULL, "104", "still", "110", true},
	    {true, NULL, "104.5", "back", "104.5", false}, /* just 5 % of 110 */
	    {true, NULL, "0", "differs", "104.5", true}, {true, NULL, NULL, "", "0", false},
	    {true, NULL, "0", "same", "0", false},
	    {true, NULL, "1", "differs", "0", true}, /* of nothing nothing is a share */
	};
	struct monitor_memory m = {.at_ns = 0};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct monitor_rule r = {rows[i].counts, 5, rows[i].expect};
		enum monitor_outcome outcome = MONITOR_SAME;
		char *text;
		struct err e;

		print_message("%zu %s\n", i, rows[i].value ? rows[i].value : "accept");
		if (rows[i].value == NULL)
			assert_true(monitor_accept(&m));
		else
			OK(monitor_judge(&r, &m, rows[i].value, &outcome, &e));
		if (rows[i].value != NULL)
			assert_string_equal(monitor_outcome_name(outcome), rows[i].outcome);
		assert_string_equal(m.accepted, rows[i].accepted);
		assert_int_equal(m.differs, rows[i].differs);
		/* And all of it is remembered. */
		text = monitor_memory_text(&m);
		monitor_memory_read(&m, text);
		free(text);
	}
	assert_true(monitor_accept(&m));
	assert_false(monitor_accept(&m));
}

static void what_is_no_value_is_refused_and_changes_nothing(void **state)
{
	static const char *const bad[] = {"", "x", "1x", "nan", "inf", "1e999"};
	struct monitor_rule r = {true, 5, NULL};
	struct monitor_memory m = {.accepted = "7", .seen = "7"};
	enum monitor_outcome outcome;
	struct err e;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(monitor_judge(&r, &m, bad[i], &outcome, &e), -1);
		assert_string_equal(m.accepted, "7");
		assert_string_equal(m.seen, "7");
	}
	monitor_memory_read(&m, "{\"accepted\": 7}");
	assert_string_equal(m.accepted, "");
	monitor_memory_read(&m, NULL);
	assert_string_equal(m.seen, "");
}

static void checksum(struct world *w, const char *path, char out[MONITOR_VALUE])
{
	struct err e;

	OK(monitor_checksum(w->repo, "www", &path, 1, &w->ctx, out, &e));
	assert_int_equal(strncmp(out, "sha256:", 7), 0);
}

static void a_checksum_is_of_content_and_attributes_and_not_of_times(void **state)
{
	struct world *w = world_new("mem:monitor-checksum");
	char first[MONITOR_VALUE], now[MONITOR_VALUE], *path = world_path(w, "a"),
						       *one = world_path(w, "a/one");
	const struct timespec old[2] = {{1, 0}, {1, 0}};
	const char *none = "/nowhere";
	struct err e;

	assert_int_equal(
	    monitor_checksum(w->repo, "www", (const char *[]){path}, 1, &w->ctx, now, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	world_mkdir(w, "a");
	world_write(w, "a/one", "1", 1);
	world_write(w, "other", "x", 1);
	world_backup(w, "h", "www");
	checksum(w, path, first);
	world_write(w, "other", "changed", 7); /* not among its paths */
	assert_int_equal(utimensat(AT_FDCWD, one, old, 0), 0);
	world_backup(w, "h", "www");
	checksum(w, path, now);
	assert_string_equal(first, now);
	world_write(w, "a/one", "2", 1);
	world_backup(w, "h", "www");
	checksum(w, path, now);
	assert_string_not_equal(first, now);
	world_write(w, "a/one", "1", 1);
	assert_int_equal(chmod(one, 0600), 0);
	world_backup(w, "h", "www");
	checksum(w, path, now);
	assert_string_not_equal(first, now);
	assert_int_equal(chmod(one, 0644), 0);
	world_backup(w, "h", "www");
	checksum(w, one, now);
	assert_string_not_equal(first, now); /* of the file alone */
	assert_int_equal(monitor_checksum(w->repo, "www", &none, 1, &w->ctx, now, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	free(path);
	free(one);
	world_free(w);
}

static void a_state_is_of_files_as_they_are(void **state)
{
	struct world *w = world_new("mem:monitor-state");
	char first[MONITOR_VALUE], now[MONITOR_VALUE], *path = world_path(w, "a"),
						       *none = world_path(w, "none");
	const char *const paths[] = {path}, *const nones[] = {path, none};
	struct err e;

	world_mkdir(w, "a");
	world_write(w, "a/one", "1", 1);
	OK(monitor_state(paths, 1, &w->ctx, first, &e));
	OK(monitor_state(paths, 1, &w->ctx, now, &e));
	assert_string_equal(first, now);
	world_write(w, "a/one", "2", 1);
	OK(monitor_state(paths, 1, &w->ctx, now, &e));
	assert_string_not_equal(first, now);
	assert_int_equal(monitor_state(nones, 2, &w->ctx, now, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	world_write(w, "a/version", "2.4 \xff\n3\n", 8);
	free(path);
	path = world_path(w, "a/version");
	OK(monitor_line(path, now, &e));
	assert_string_equal(now, "2.4 ?");
	free(path);
	free(none);
	world_free(w);
}

static void a_command_is_heard_and_its_failure_is_no_value(void **state)
{
	struct world *w = world_new("mem:monitor-command");
	struct monitor_command p = {
	    "echo; echo \" $HOLDFAST_SYSTEM 7\"; echo 8", "www", INT64_C(60000000000), false};
	char out[MONITOR_VALUE], hash[MONITOR_VALUE];
	struct err e;

	OK(monitor_command(&p, &w->ctx, out, &e));
	assert_string_equal(out, " www 7");
	p.hash = true;
	OK(monitor_command(&p, &w->ctx, hash, &e));
	OK(monitor_command(&p, &w->ctx, out, &e));
	assert_string_equal(out, hash);
	p.command = "echo 7; exit 3";
	assert_int_equal(monitor_command(&p, &w->ctx, out, &e), -1);
	assert_int_equal(e.kind, ERR_FAILED);
	p.command = "exec sleep 600";
	p.timeout_ns = INT64_C(50000000);
	assert_int_equal(monitor_command(&p, &w->ctx, out, &e), -1);
	assert_int_equal(e.kind, ERR_TIMEOUT);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_differs_is_told_once_until_it_is_accepted_or_back),
	    cmocka_unit_test(what_is_no_value_is_refused_and_changes_nothing),
	    cmocka_unit_test(a_checksum_is_of_content_and_attributes_and_not_of_times),
	    cmocka_unit_test(a_state_is_of_files_as_they_are),
	    cmocka_unit_test(a_command_is_heard_and_its_failure_is_no_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
