/* anomaly: ransomware stands out, what people and programs do does not. */
#include "engine/anomaly.h"
#include "unit/unit.h"

enum { MB = 1000 * 1000 };

/* A tree of 1,000 files of 100 kB: what one run after three ordinary ones counts. */
struct row {
	const char *what;
	uint64_t files_new, changed, unchanged;
	uint64_t added, stored; /* in MB */
	const char *kinds;
};

static const struct row rows[] = {
    {"nothing changed", 0, 0, 1000, 0, 0, ""},
    {"one file in a hundred", 0, 10, 990, 1, 0, ""},
    {"every file encrypted in place", 0, 1000, 0, 100, 100, "changed entropy "},
    {"every file encrypted and renamed", 1000, 0, 0, 100, 100, "changed entropy "},
    {"a tenth encrypted", 0, 100, 900, 10, 10, "entropy "},
    {"chmod -R", 0, 1000, 0, 0, 0, ""},
    {"the tree renamed", 1000, 0, 0, 0, 0, ""},
    {"half of it deleted", 0, 0, 500, 0, 0, ""},
    {"an update of much", 0, 400, 600, 40, 16, "changed "},
    {"films added", 20, 0, 1000, 900, 890, ""},
    {"one archive rewritten", 0, 1, 999, 50, 50, ""},
};

static struct snapshot_stats stats(
    uint64_t fresh, uint64_t changed, uint64_t same, uint64_t added, uint64_t stored)
{
	return (struct snapshot_stats){.files = fresh + changed + same,
	    .files_new = fresh,
	    .files_changed = changed,
	    .files_unchanged = same,
	    .bytes = (fresh + changed + same) * MB / 10,
	    .content_added = added * MB,
	    .content_stored = stored * MB};
}

static void push(struct anomaly_past *past, struct anomaly_run run)
{
	memmove(past->v + 1, past->v, (ANOMALY_RUNS - 1) * sizeof *past->v);
	past->v[0] = run;
	past->n += past->n < ANOMALY_RUNS;
}

static struct anomaly_past ordinary(uint64_t first_stored)
{
	struct snapshot_stats first = stats(1000, 0, 0, 100, first_stored);
	struct snapshot_stats later = stats(0, 10, 990, 1, 0);
	struct anomaly_past past = {.n = 0};

	push(&past, anomaly_run_of(&first, NULL, true));
	for (int i = 0; i < 3; i++)
		push(&past, anomaly_run_of(&later, &past.v[0], true));
	return past;
}

static void judge(const struct row *r, const struct anomaly_past *past, bool compared,
    bool compresses, char kinds[64])
{
	struct snapshot_stats s = stats(
	    r->files_new, r->changed, r->unchanged, r->added, r->stored);
	struct anomaly_run now = anomaly_run_of(&s, compared ? &past->v[0] : NULL, compresses);
	struct snapshot_anomaly out[ANOMALY_KINDS];
	size_t n = anomaly_judge(&now, past, out);

	kinds[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		strcat(kinds, out[i].kind);
		strcat(kinds, " ");
		assert_true(strlen(out[i].message) > 20);
	}
}

static void ransomware_stands_out_and_ordinary_work_does_not(void **state)
{
	struct anomaly_past past = ordinary(40);
	char kinds[64];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		judge(&rows[i], &past, true, true, kinds);
		if (strcmp(kinds, rows[i].kinds) != 0)
			fail_msg("%s: '%s', not '%s'", rows[i].what, kinds, rows[i].kinds);
	}
}

static void numbers_are_told(void **state)
{
	struct anomaly_past past = ordinary(40);
	struct snapshot_stats s = stats(0, 600, 400, 60, 60);
	struct anomaly_run now = anomaly_run_of(&s, &past.v[0], true);
	struct snapshot_anomaly out[ANOMALY_KINDS];

	assert_int_equal(anomaly_judge(&now, &past, out), 2);
	assert_string_equal(out[0].message,
	    "600 of 1000 files (60.0 %) were rewritten since the last run; 1.0 % is usual");
	assert_true(out[0].value > 0.599 && out[0].value < 0.601 && out[1].value > 0.999);
	assert_non_null(strstr(out[1].message, "60.0 MB of new content kept 100 %"));
}

static void no_alarm_without_something_to_compare_with(void **state)
{
	const struct row *all = &rows[2];
	struct anomaly_past none = {.n = 0}, past = ordinary(40), media = ordinary(98);
	char kinds[64];

	judge(all, &none, false, true, kinds); /* a first run */
	assert_string_equal(kinds, "");
	past.n = 2; /* only one run that had one before it */
	memmove(past.v, past.v + 2, 2 * sizeof *past.v);
	judge(all, &past, true, true, kinds);
	assert_string_equal(kinds, "entropy ");
	judge(all, &media, true, true, kinds); /* a tree that never compressed */
	assert_string_equal(kinds, "changed ");
	past = ordinary(40);
	judge(all, &past, false, true, kinds); /* --type full: nothing was compared */
	assert_string_equal(kinds, "");
	judge(all, &past, true, false, kinds); /* --compression none */
	assert_string_equal(kinds, "changed ");
	for (size_t i = 0; i < past.n; i++) /* builds do this every day */
		past.v[i].rewritten = past.v[i].known / 2;
	judge(all, &past, true, false, kinds);
	assert_string_equal(kinds, "");
	past = ordinary(40);
	past.v[0].files = 99; /* a small tree */
	judge(&(struct row){"", 0, 99, 0, 9, 4, ""}, &past, true, true, kinds);
	assert_string_equal(kinds, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ransomware_stands_out_and_ordinary_work_does_not),
	    cmocka_unit_test(numbers_are_told),
	    cmocka_unit_test(no_alarm_without_something_to_compare_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
