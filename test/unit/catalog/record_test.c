/* catalog: its form, events, measurements, values; and what becomes of a damaged one. */
#include "unit/catalog/place.h"

#include <sys/stat.h>

struct events {
	size_t n;
	int64_t ids[8];
	char text[64];
};

static int see(void *arg, const struct catalog_event *ev, struct err *err)
{
	struct events *s = arg;

	s->ids[s->n++] = ev->id;
	snprintf(s->text, sizeof s->text, "%s|%s|%s|%lld", ev->name, ev->severity,
	    ev->system ? ev->system : "-", (long long)ev->run);
	return 0;
}

static void events_are_told_from_either_end(void **state)
{
	struct catalog *c = place_open();
	struct events s = {0};
	int64_t id = 0;

	for (int i = 0; i < 5; i++) {
		struct catalog_event ev = {.at_ns = i,
		    .run = i,
		    .name = "run.failed",
		    .severity = "critical",
		    .system = i % 2 ? "a" : NULL,
		    .text = "no"};

		OK(catalog_event_add(c, &ev, &id, &e));
		assert_int_equal(id, i + 1);
	}
	OK(catalog_event_list(c, 0, NULL, 2, see, &s, &e));
	assert_true(s.n == 2 && s.ids[0] == 5 && s.ids[1] == 4);
	s.n = 0;
	OK(catalog_event_list(c, 2, NULL, 0, see, &s, &e));
	assert_true(s.n == 3 && s.ids[0] == 3 && s.ids[2] == 5);
	s.n = 0;
	OK(catalog_event_list(c, 0, "a", 1, see, &s, &e));
	assert_string_equal(s.text, "run.failed|critical|a|3");
	catalog_close(c);
}

static int add_up(void *arg, int64_t at_ns, double value, struct err *err)
{
	double *sum = arg;

	*sum = *sum * 10 + value;
	return 0;
}

static void a_measurement_is_kept_by_its_time(void **state)
{
	struct catalog *c = place_open();
	double sum = 0;

	OK(catalog_measure(c, "a", "rpo", 10, 1, &e));
	OK(catalog_measure(c, "a", "rpo", 20, 7, &e));
	OK(catalog_measure(c, "a", "rpo", 20, 2, &e)); /* measured anew: it counts */
	OK(catalog_measure(c, "a", "rpo", 30, 3, &e));
	OK(catalog_measure(c, NULL, "rpo", 30, 9, &e));
	OK(catalog_measured_list(c, "a", "rpo", 20, 0, add_up, &sum, &e));
	assert_true(sum == 32);
	catalog_close(c);
}

static void a_value_outlives_who_put_it(void **state)
{
	struct catalog *c = place_open();
	char *value;

	OK(catalog_get(c, "planned", &value, &e));
	assert_null(value);
	OK(catalog_put(c, "planned", "1", &e));
	OK(catalog_put(c, "planned", "2", &e));
	catalog_close(c);
	c = place_open();
	OK(catalog_get(c, "planned", &value, &e));
	assert_string_equal(value, "2");
	free(value);
	OK(catalog_put(c, "planned", NULL, &e));
	OK(catalog_get(c, "planned", &value, &e));
	assert_null(value);
	catalog_close(c);
}

static void what_a_newer_version_made_is_left_alone(void **state)
{
	struct catalog *c = place_open();

	OK(db_run(catalog_db(c), "INSERT INTO migration (version, at_ns, what) VALUES (999, 0, '')",
	    NULL, 0, NULL, NULL, &e));
	catalog_close(c);
	assert_int_equal(catalog_open(url, &c, &e), -1);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	assert_non_null(strstr(e.msg, "999"));
}

/* Cut off anywhere, making it starts again from where it was: nothing half is left. */
static void a_step_of_its_form_is_whole_or_not_there(void **state)
{
	struct catalog *c;
	struct db *d;

	OK(db_open(url, &d, &e));
	/* What the first step makes last is there already: it cannot go through. */
	OK(db_script(d, "CREATE TABLE setting (i INTEGER)", &e));
	assert_int_equal(catalog_open(url, &c, &e), -1);
	assert_int_equal(db_run(d, "SELECT * FROM run", NULL, 0, NULL, NULL, &e), -1);
	OK(db_script(d, "DROP TABLE setting", &e));
	db_close(d);
	catalog_close(place_open());
}

static void a_damaged_one_is_kept_and_a_new_one_begun(void **state)
{
	char *aside = NULL, *path = mem_printf("%s/bad.db", dir);
	struct catalog *c;
	struct stat st;
	FILE *f = fopen(path, "w");

	for (int i = 0; i < 9000; i++)
		fputc("damage"[i % 6], f);
	fclose(f);
	assert_int_equal(catalog_open(path, &c, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	OK(catalog_open_anew(path, &c, &aside, &e));
	assert_non_null(aside);
	assert_int_equal(stat(aside, &st), 0);
	assert_int_equal(st.st_size, 9000);
	OK(catalog_put(c, "a", "b", &e));
	catalog_close(c);
	free(aside);
	OK(catalog_open_anew(path, &c, &aside, &e));
	assert_null(aside);
	catalog_close(c);
	free(path);
}

static int count_run(void *arg, const struct run *r, struct err *err)
{
	++*(int *)arg;
	return 0;
}

static void what_is_old_is_forgotten_and_the_last_stays_known(void **state)
{
	const int64_t day = INT64_C(86400) * 1000000000, now = 2000 * day;
	static const struct {
		enum run_status status;
		int days; /* old */
	} runs[] = {{RUN_COMPLETED, 1200}, {RUN_FAILED, 1000}, {RUN_SKIPPED, 100}, {RUN_SKIPPED, 1},
	    {RUN_QUEUED, 1200}};
	struct catalog *c = place_open();
	struct run_filter all = {.limit = 0};
	struct events s = {0};
	double sum = 0;
	int64_t id;
	bool more;
	int n = 0, pieces;

	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
		struct run r = {.system = "a",
		    .kind = "backup",
		    .status = runs[i].status,
		    .queued_ns = now - runs[i].days * day,
		    .ended_ns = now - runs[i].days * day};
		struct catalog_event ev = {
		    .at_ns = r.queued_ns, .name = "x", .severity = "info", .text = ""};

		OK(run_add(c, &r, &id, &e));
		OK(catalog_event_add(c, &ev, &id, &e));
	}
	OK(catalog_measure(c, "a", "rpo", now - 1200 * day, 1, &e));
	OK(catalog_measure(c, "a", "rpo", now - 1000 * day, 2, &e));
	OK(db_run(catalog_db(c),
	    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) "
	    "INSERT INTO measurement SELECT 'b', 'rpo', i, 1 FROM n",
	    &(struct db_value){.type = DB_INT, .i = 2 * CATALOG_TRIM_ROWS}, 1, NULL, NULL, &e));
	OK(catalog_trim(c, now, &more, &e));
	for (pieces = 1; more; pieces++)
		OK(catalog_trim(c, now, &more, &e));
	assert_int_equal(pieces, 3);
	OK(catalog_measured_list(c, "b", "rpo", 0, 0, add_up, &sum, &e));
	assert_true(sum == 0);
	OK(run_list(c, &all, count_run, &n, &e));
	assert_int_equal(n, 3); /* the failed one, a skipped one, and what waits */
	OK(catalog_event_list(c, 0, NULL, 0, see, &s, &e));
	assert_int_equal(s.n, 1);
	OK(catalog_measured_list(c, "a", "rpo", 0, 0, add_up, &sum, &e));
	assert_true(sum == 2);
	catalog_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(events_are_told_from_either_end),
	    T(a_measurement_is_kept_by_its_time),
	    T(a_value_outlives_who_put_it),
	    T(what_a_newer_version_made_is_left_alone),
	    T(a_step_of_its_form_is_whole_or_not_there),
	    T(a_damaged_one_is_kept_and_a_new_one_begun),
	    T(what_is_old_is_forgotten_and_the_last_stays_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
