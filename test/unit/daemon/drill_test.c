/* daemon_drill: what will not be proven in its time is told of each, once. */
#include "unit/unit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "catalog/drill_plan.h"
#include "daemon/daemon_internal.h"

enum { DAY = 86400 };
static const int64_t now = 1800000000;

static char told[4000];

void __wrap_daemon_tell(struct daemon *d, const char *name, enum event_level level,
    const char *system, int64_t run, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
void __wrap_daemon_tell(struct daemon *d, const char *name, enum event_level level,
    const char *system, int64_t run, const char *fmt, ...)
{
	size_t n = strlen(told);
	char text[1000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	snprintf(told + n, sizeof told - n, "%s %s %s\n", name, system ? system : "-", text);
}

static void look(struct daemon *d, const struct drill_point *v, size_t n, uint64_t disk, double s)
{
	struct drill_budget day = {.left_s = s, .disk = disk};

	told[0] = '\0';
	daemon_drill_foresee(d, v, n, &day, now);
}

static void each_that_lacks_is_told_once(void **state)
{
	struct drill_point v[] = {
	    {.system = "a", .kind = "full", .within_s = 30 * DAY, .cost_s = 10, .bytes = 100},
	    {.system = "a", .kind = "latest", .within_s = 30 * DAY, .cost_s = 10, .bytes = 100},
	    {.system = "b", .kind = "full", .within_s = 30 * DAY, .cost_s = 10, .bytes = 10},
	};
	struct daemon d = {.ndrills_told = 0};

	(void)state;
	look(&d, v, 3, 1000, 1000);
	assert_string_equal(told, "");
	look(&d, v, 3, 50, 1000);
	assert_non_null(strstr(told, "drill.uncovered a its points 'full', 'latest' will not"));
	assert_null(strstr(told, "uncovered b"));
	look(&d, v, 3, 50, 1000);
	assert_string_equal(told, "");
	/* For the same reason another system, another point. */
	v[2].bytes = 60;
	look(&d, v, 3, 50, 1000);
	assert_non_null(strstr(told, "drill.uncovered b its point 'full' will not"));
	assert_null(strstr(told, "uncovered a"));
	/* Another reason. */
	v[2].bytes = 10;
	v[2].cost_s = 2000;
	look(&d, v, 3, 50, 1000);
	assert_non_null(strstr(told, "drill.uncovered b"));
	assert_non_null(strstr(told, "takes longer than drill.budget"));
	/* What is so again is told again, and the end of all is. */
	v[0].bytes = v[1].bytes = 10;
	look(&d, v, 3, 50, 1000);
	assert_string_equal(told, "");
	v[0].bytes = 100;
	look(&d, v, 3, 50, 1000);
	assert_non_null(strstr(told, "drill.uncovered a its point 'full' will not"));
	look(&d, v, 3, 1000, 3000);
	assert_non_null(strstr(told, "drill.covered -"));
	look(&d, v, 3, 1000, 3000);
	assert_string_equal(told, "");
	daemon_drill_free(&d);
}

/* Who comes too late is another at each look; that one lacks by itself does not hide it. */
static void too_little_time_is_told_of_a_system_once(void **state)
{
	struct drill_point v[6] = {{0}};
	struct daemon d = {.ndrills_told = 0};

	(void)state;
	for (int i = 0; i < 6; i++)
		v[i] = (struct drill_point){.system = i < 3 ? "a" : "b",
		    .kind = i % 3 == 0   ? "full"
			    : i % 3 == 1 ? "latest"
					 : "oldest",
		    .within_s = 2 * DAY,
		    .cost_s = 900};
	v[5].bytes = 100;
	look(&d, v, 6, 50, 1000);
	assert_non_null(strstr(told, "drill.uncovered b its point 'oldest' will not"));
	assert_non_null(strstr(told, "not enough of drill.budget"));
	for (int i = 0; i < 6; i++) { /* another one is late each time */
		for (int k = 0; k < 6; k++)
			v[k].proven_s = k == i ? 0 : now - DAY / 2;
		look(&d, v, 6, 50, 1000);
	}
	look(&d, v, 6, 50, 1000);
	assert_string_equal(told, "");
	assert_true(d.ndrills_told <= 3);
	look(&d, v, 6, 1000, 1e6);
	assert_non_null(strstr(told, "drill.covered"));
	look(&d, v, 0, 1000, 1e6);
	assert_string_equal(told, "");
	daemon_drill_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_that_lacks_is_told_once),
	    cmocka_unit_test(too_little_time_is_told_of_a_system_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
