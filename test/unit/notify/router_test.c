/* notify_router: keys, quiet hours, caps, tries, fallbacks, by a clock that is a number. */
#include "router.h"

static void what_is_told_again_is_counted_and_then_told_as_a_number(void **state)
{
	const struct notify_route routes[] = {{.channel = "team", .dedupe_ns = H}};
	struct notify_router *r = notify_router_new(routes, 1, NULL, NULL);

	push(r, message("failed", NOTIFY_WARNING), T0);
	sent(r, T0, "team: failed\n");
	push(r, message("failed", NOTIFY_WARNING), T0 + MIN);
	push(r, message("failed", NOTIFY_WARNING), T0 + 2 * MIN);
	sent(r, T0 + 2 * MIN, "");
	assert_true(notify_router_next(r) == T0 + H);
	sent(r, T0 + H - 1, "");
	sent(r, T0 + H, "team: 2 more times: failed\n");
	assert_true(notify_router_next(r) == INT64_MAX);
	/* The number began a period of its own; after a silent one it is news again. */
	push(r, message("failed", NOTIFY_WARNING), T0 + H + MIN);
	sent(r, T0 + H + MIN, "");
	sent(r, T0 + 2 * H, "team: 1 more time: failed\n");
	push(r, message("failed", NOTIFY_WARNING), T0 + 5 * H);
	sent(r, T0 + 5 * H, "team: failed\n");
	/* What has become worse is told at once, and other keys are other matters. */
	push(r, message("failed", NOTIFY_CRITICAL), T0 + 5 * H + 1);
	sent(r, T0 + 5 * H + 1, "team: failed\n");
	struct notify_message other = message("disk", NOTIFY_WARNING);
	other.key = NULL;
	push(r, other, T0 + 5 * H + 2);
	sent(r, T0 + 5 * H + 2, "team: disk\n");
	notify_router_free(r);
}

static void who_was_told_of_it_is_told_when_it_is_over(void **state)
{
	const struct notify_route routes[] = {
	    {.channel = "team", .dedupe_ns = H},
	    {.channel = "boss", .least = NOTIFY_CRITICAL},
	    {.channel = "all", .least = NOTIFY_INFO},
	};
	struct notify_router *r = notify_router_new(routes, 3, NULL, NULL);
	struct notify_message ok = message("succeeded", NOTIFY_INFO),
			      over = message("over", NOTIFY_INFO);
	struct notify_delivery *d;

	ok.state = NOTIFY_SUCCEEDED;
	over.recovered = true;
	push(r, ok, T0);
	push(r, over, T0);
	sent(r, T0, "all: succeeded\n"); /* nothing was wrong: only who wants to know all */
	push(r, message("failed", NOTIFY_WARNING), T0 + 1);
	push(r, message("failed", NOTIFY_WARNING), T0 + 2);
	sent(r, T0 + 2, "team: failed\nall: failed\nall: failed\n");
	push(r, ok, T0 + 3);
	d = notify_router_take(r, T0 + 3);
	assert_true(d->message->recovered);
	assert_string_equal(d->message->subject, "Back to normal: succeeded");
	assert_non_null(strstr(d->message->text, "1 more time."));
	notify_router_done(r, d, NULL, T0 + 3);
	sent(r, T0 + 3, "all: Back to normal: succeeded\n");
	assert_true(notify_router_next(r) == INT64_MAX);
	/* Over is over: the next one is news. */
	push(r, message("failed", NOTIFY_WARNING), T0 + 4);
	sent(r, T0 + 4, "team: failed\nall: failed\n");
	notify_router_free(r);
}

static void quiet_hours_hold_and_end_in_one_digest(void **state)
{
	struct calendar_window night;
	struct notify_route routes[] = {
	    {.channel = "team", .quiet = &night, .nquiet = 1, .least = NOTIFY_INFO}};
	struct notify_router *r = notify_router_new(routes, 1, NULL, NULL);
	struct notify_delivery *d;
	struct zone *utc;
	struct err e;

	assert_int_equal(calendar_parse_window("22:00-07:00", &night, &e), 0);
	assert_int_equal(zone_of_rule("UTC0", &utc, &e), 0);
	routes[0].zone = utc;
	push(r, message("before", NOTIFY_WARNING), T0 + H - 1);
	sent(r, T0 + H, "team: before\n"); /* it was no quiet hour when it happened */
	for (int i = 0; i < 3; i++)
		push(r, message("held", NOTIFY_INFO), T0 + 2 * H);
	push(r, message("worse", NOTIFY_WARNING), T0 + 3 * H);
	push(r, message("worst", NOTIFY_CRITICAL), T0 + 4 * H);
	sent(r, T0 + 4 * H, "team: worst\n");
	assert_int_equal(notify_router_pending(r), 4);
	assert_true(notify_router_next(r) == T0 + 10 * H);
	sent(r, T0 + 10 * H - 1, "");
	d = notify_router_take(r, T0 + 10 * H);
	assert_string_equal(d->message->subject, "4 messages that were held back");
	assert_int_equal(d->message->severity, NOTIFY_WARNING);
	assert_non_null(strstr(d->message->text, "warning  www  worse\n"));
	assert_null(notify_router_take(r, T0 + 10 * H)); /* one at a time */
	notify_router_done(r, d, NULL, T0 + 10 * H);
	sent(r, T0 + 10 * H, "");
	/* One alone is told as it is; told so, even the critical ones wait. */
	routes[0].hold_critical = true;
	push(r, message("alone", NOTIFY_CRITICAL), T0 + 26 * H);
	sent(r, T0 + 26 * H, "");
	sent(r, T0 + 34 * H, "team: alone\n");
	notify_router_free(r);
	zone_free(utc);
}

static void beyond_the_cap_is_held_until_the_hour_is_over(void **state)
{
	const struct notify_route routes[] = {{.channel = "team", .max_per_hour = 3}};
	struct buf log = {0};
	struct notify_router *r = notify_router_new(routes, 1, log_to_buf, &log);

	for (int i = 0; i < 500; i++)
		push(r, message("flood", NOTIFY_CRITICAL), T0 + i);
	sent(r, T0 + MIN, "team: flood\nteam: flood\nteam: flood\n");
	sent(r, T0 + H - 1, "");
	sent(r, T0 + H, "team: 497 messages that were held back\n");
	assert_int_equal(notify_router_pending(r), 0);
	assert_int_equal(strncmp(buf_cstr(&log), "held team flood\n", 16), 0);
	notify_router_free(r);
	buf_fini(&log);
}

static void a_try_that_failed_is_repeated_later_and_in_order(void **state)
{
	const struct notify_route routes[] = {{.channel = "team", .tries = 4}};
	struct buf log = {0};
	struct notify_router *r = notify_router_new(routes, 1, log_to_buf, &log);
	struct notify_delivery *d;
	int64_t now = T0;

	push(r, message("first", NOTIFY_WARNING), now);
	push(r, message("second", NOTIFY_WARNING), now);
	fails(r, now, ERR_UNREACHABLE, 0);
	assert_null(notify_router_take(r, now)); /* the second waits behind the first */
	assert_true(notify_router_next(r) == now + 30 * S);
	now += 30 * S;
	fails(r, now, ERR_BUSY, 10 * MIN); /* it said how long */
	assert_true(notify_router_next(r) == now + 10 * MIN);
	now += 10 * MIN;
	fails(r, now, ERR_CANCELLED, 0); /* we are stopping: no try of its own */
	d = notify_router_take(r, now);
	assert_int_equal(d->attempt, 3);
	assert_string_equal(d->message->subject, "first");
	notify_router_done(r, d, NULL, now);
	sent(r, now, "team: second\n");
	assert_string_equal(buf_cstr(&log), "failed team first again\nfailed team first "
					    "again\nsent team first\nsent team second\n");
	notify_router_free(r);
	buf_fini(&log);
}

static void what_fails_for_good_goes_to_the_fallback_once(void **state)
{
	const struct notify_route routes[] = {
	    {.channel = "team", .fallback = "boss", .tries = 2},
	    {.channel = "boss", .least = NOTIFY_CRITICAL, .fallback = "phone"},
	    {.channel = "phone", .least = NOTIFY_CRITICAL},
	};
	struct buf log = {0};
	struct notify_router *r = notify_router_new(routes, 3, log_to_buf, &log);
	struct notify_delivery *d;

	push(r, message("a", NOTIFY_WARNING), T0);
	fails(r, T0, ERR_DENIED, 0); /* in vain: no second try */
	d = notify_router_take(r, T0);
	assert_string_equal(d->channel, "boss");
	assert_string_equal(d->message->text, "why\n\n(team could not be told: because)");
	notify_router_done(r, d, NULL, T0);
	push(r, message("b", NOTIFY_WARNING), T0 + 1);
	fails(r, T0 + 1, ERR_TIMEOUT, 0);
	fails(r, T0 + H, ERR_TIMEOUT, 0); /* that was the last */
	fails(r, T0 + H, ERR_ABSENT, 0);  /* the boss is gone too */
	sent(r, T0 + H, "phone: b\n");
	/* Who is told anyway is not told twice. */
	push(r, message("c", NOTIFY_CRITICAL), T0 + 2 * H);
	fails(r, T0 + 2 * H, ERR_DENIED, 0);
	sent(r, T0 + 2 * H, "boss: c\nphone: c\n");
	assert_string_equal(buf_cstr(&log), "failed team a instead boss\nsent boss a\n"
					    "failed team b again\nfailed team b instead "
					    "boss\nfailed boss b instead phone\nsent phone b\n"
					    "failed team c\nsent boss c\nsent phone c\n");
	notify_router_free(r);
	buf_fini(&log);
}

static void pings_follow_runs_and_say_alive(void **state)
{
	const struct notify_route routes[] = {
	    {.channel = "runs", .states = true, .dedupe_ns = H, .max_per_hour = 1},
	    {.channel = "alive", .states = true, .every_ns = 5 * MIN},
	};
	struct notify_router *r = notify_router_new(routes, 2, NULL, NULL);
	struct notify_message m = message("run", NOTIFY_INFO);

	sent(r, T0, "alive: holdfast is alive\n");
	m.state = NOTIFY_STARTED, m.subject = "started";
	push(r, m, T0 + 1);
	m.state = NOTIFY_SUCCEEDED, m.subject = "done";
	push(r, m, T0 + 2);
	push(r, message("news", NOTIFY_CRITICAL), T0 + 3);
	sent(r, T0 + 3, "runs: started\nruns: done\n");
	assert_true(notify_router_next(r) == T0 + 5 * MIN);
	fails(r, T0 + 5 * MIN, ERR_UNREACHABLE, 0);
	assert_int_equal(notify_router_pending(r), 1);
	/* While one waits no others are added. */
	sent(r, T0 + 30 * MIN, "alive: holdfast is alive\n");
	notify_router_free(r);
}

static void a_clock_that_was_set_back_delays_nothing_for_long(void **state)
{
	struct calendar_window night;
	struct notify_route routes[] = {{.channel = "team", .dedupe_ns = H, .max_per_hour = 1},
	    {.channel = "alive", .states = true, .every_ns = MIN}};
	struct notify_router *r = notify_router_new(routes, 2, NULL, NULL);
	struct err e;

	assert_int_equal(calendar_parse_window("22:00-07:00", &night, &e), 0);
	push(r, message("a", NOTIFY_WARNING), T0);
	fails(r, T0, ERR_BUSY, 0);
	push(r, message("b", NOTIFY_CRITICAL), T0);
	sent(r, T0 - 400 * 24 * H, "team: a\nalive: holdfast is alive\nteam: b\n");
	push(r, message("b", NOTIFY_CRITICAL), T0 - 399 * 24 * H);
	sent(r, T0 - 399 * 24 * H, "team: b\nalive: holdfast is alive\n");
	notify_router_free(r);
}

/* Of several recipients those that have it are not told again, across a restart too. */
static void who_has_it_already_is_remembered_between_tries(void **state)
{
	const struct notify_route routes[] = {{.channel = "phone"}};
	struct notify_router *a = notify_router_new(routes, 1, NULL, NULL),
			     *b = notify_router_new(routes, 1, NULL, NULL);
	struct notify_delivery *d;
	struct err e;
	char *text;

	push(a, message("x", NOTIFY_WARNING), T0);
	d = notify_router_take(a, T0);
	assert_int_equal(d->result.done, 0);
	d->result.done = 5;
	err_set(&e, ERR_BUSY, "the second of three");
	notify_router_done(a, d, &e, T0);
	text = notify_router_save(a);
	assert_int_equal(notify_router_load(b, text, &e), 0);
	d = notify_router_take(b, T0 + H);
	assert_int_equal(d->result.done, 5);
	notify_router_done(b, d, NULL, T0 + H);
	free(text);
	notify_router_free(a);
	notify_router_free(b);
}

/* Whatever is pushed is sent, held for a digest, counted, or told in the log: nothing is lost. */
static void nothing_is_lost_while_servers_fail_at_random(void **state)
{
	const struct notify_route routes[] = {{.channel = "team", .tries = 1000, .dedupe_ns = 0}};
	uint64_t seed = 4711, pushed = 0, got = 0;
	struct notify_router *r = notify_router_new(routes, 1, NULL, NULL);
	int64_t now = T0;

	for (int i = 0; i < 3000; i++) {
		struct notify_delivery *d;
		struct err e;

		now += (int64_t)(unit_rand(&seed) % (10 * MIN));
		if (i < 1000) {
			push(r, message("x", NOTIFY_WARNING), now);
			pushed++;
		}
		while ((d = notify_router_take(r, now)) != NULL) {
			unsigned n = 1;

			sscanf(d->message->subject, "%u messages", &n);
			if (unit_rand(&seed) % 3 == 0) {
				err_set(&e, ERR_UNREACHABLE, "away");
				notify_router_done(r, d, &e, now);
			} else {
				got += n;
				notify_router_done(r, d, NULL, now);
			}
		}
	}
	assert_int_equal(notify_router_pending(r), 0);
	assert_int_equal(got, pushed);
	notify_router_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_told_again_is_counted_and_then_told_as_a_number),
	    cmocka_unit_test(who_was_told_of_it_is_told_when_it_is_over),
	    cmocka_unit_test(quiet_hours_hold_and_end_in_one_digest),
	    cmocka_unit_test(beyond_the_cap_is_held_until_the_hour_is_over),
	    cmocka_unit_test(a_try_that_failed_is_repeated_later_and_in_order),
	    cmocka_unit_test(what_fails_for_good_goes_to_the_fallback_once),
	    cmocka_unit_test(pings_follow_runs_and_say_alive),
	    cmocka_unit_test(a_clock_that_was_set_back_delays_nothing_for_long),
	    cmocka_unit_test(who_has_it_already_is_remembered_between_tries),
	    cmocka_unit_test(nothing_is_lost_while_servers_fail_at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
