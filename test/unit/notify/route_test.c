/* notify_route: who wants what, and when. */
#include "unit/unit.h"

#include "base/calendar.h"
#include "notify/notify_route.h"

#define S CALENDAR_SECOND

static int64_t at(const char *text)
{
	struct calendar_time t;
	struct err e;

	assert_int_equal(calendar_parse_time(text, &t, &e), 0);
	return t.ns;
}

static void severity_event_and_system_choose(void **state)
{
	static const char *const on[] = {"run.*", "verify.failed"}, *const systems[] = {"db-*"};
	struct notify_route all = {0}, some = {.least = NOTIFY_INFO, .on = on, .non = 2},
			    db = {.systems = systems, .nsystems = 1}, ping = {.states = true};
	struct notify_message m = {.event = "run.failed",
	    .severity = NOTIFY_WARNING,
	    .system = "db-1",
	    .state = NOTIFY_FAILED};

	assert_true(notify_route_wants(&all, &m) && notify_route_wants(&some, &m) &&
		    notify_route_wants(&db, &m) && notify_route_wants(&ping, &m));
	m.system = "www";
	assert_false(notify_route_wants(&db, &m));
	m.system = NULL;
	assert_false(notify_route_wants(&db, &m));
	assert_true(notify_route_wants(&all, &m));
	m.severity = NOTIFY_INFO;
	assert_false(notify_route_wants(&all, &m));
	assert_true(notify_route_wants(&some, &m));
	m.event = "verify.passed";
	assert_false(notify_route_wants(&some, &m));
	m.state = NOTIFY_NEWS;
	assert_false(notify_route_wants(&ping, &m));
	m.event = "run.started", m.state = NOTIFY_STARTED;
	assert_true(notify_route_wants(&ping, &m));
	assert_false(notify_route_wants(&some, &m));
	ping.every_ns = 60 * S;
	assert_false(notify_route_wants(&ping, &m));
}

static void quiet_hours_are_the_zones_across_its_changes(void **state)
{
	struct calendar_window w[2];
	struct notify_route r = {.quiet = w, .nquiet = 2};
	struct zone *z;
	struct err e;

	assert_int_equal(calendar_parse_window("mon-fri 22:00-07:00", &w[0], &e), 0);
	assert_int_equal(calendar_parse_window("sat,sun 00:00-24:00", &w[1], &e), 0);
	assert_int_equal(zone_of_rule("CET-1CEST,M3.5.0,M10.5.0/3", &z, &e), 0);
	r.zone = z;
	/* Thursday 2026-11-19, 22:00 in Berlin is 21:00 UTC. */
	assert_false(notify_route_quiet(&r, at("2026-11-19T20:59:59Z")));
	assert_true(notify_route_quiet(&r, at("2026-11-19T21:00:00Z")));
	assert_true(
	    notify_route_quiet_end(&r, at("2026-11-19T21:00:30Z")) == at("2026-11-20T06:00:00Z"));
	/* Friday's goes on into the weekend, to Monday morning: sunday has none after midnight. */
	assert_true(
	    notify_route_quiet_end(&r, at("2026-11-20T21:00:00Z")) == at("2026-11-22T23:00:00Z"));
	/* In summer an hour earlier; the night of the change has an hour less. */
	assert_false(notify_route_quiet(&r, at("2026-07-16T19:59:59Z")));
	assert_true(notify_route_quiet(&r, at("2026-07-16T20:00:00Z")));
	assert_true(
	    notify_route_quiet_end(&r, at("2026-03-27T21:00:00Z")) == at("2026-03-29T22:00:00Z"));
	zone_free(z);
}

static void what_is_always_quiet_is_asked_again_in_eight_days(void **state)
{
	struct calendar_window w;
	struct notify_route r = {.quiet = &w, .nquiet = 1};
	struct err e;
	int64_t now = at("2026-11-19T21:00:00Z");

	assert_int_equal(calendar_parse_window("00:00-24:00", &w, &e), 0);
	assert_true(notify_route_quiet_end(&r, now) == now + 8 * 86400 * S);
}

static void tries_wait_longer_and_longer(void **state)
{
	assert_true(notify_route_backoff(1) == 30 * S);
	assert_true(notify_route_backoff(2) == 60 * S);
	assert_true(notify_route_backoff(7) == 1800 * S);
	assert_true(notify_route_backoff(1000000) == 1800 * S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(severity_event_and_system_choose),
	    cmocka_unit_test(quiet_hours_are_the_zones_across_its_changes),
	    cmocka_unit_test(what_is_always_quiet_is_asked_again_in_eight_days),
	    cmocka_unit_test(tries_wait_longer_and_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
