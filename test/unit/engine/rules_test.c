/* rules: each verdict by its facts. */
#include "unit/unit.h"

#include "base/calendar.h"
#include "engine/rules.h"

#define DAY (INT64_C(86400) * CALENDAR_SECOND)

static const int64_t now = INT64_C(1800000000) * CALENDAR_SECOND;

struct facts {
	struct rules_place places[2];
	bool meant[2];
	int64_t newest[2];
	bool some[2];
	struct rules_system s;
};

/* Everything as it should be. */
static void good(struct facts *f)
{
	struct proof fine = {.known = true, .when_ns = now - DAY};

	*f = (struct facts){
	    .places = {{.name = "main", .role = "primary", .location = "here", .media = "disk"},
		{.name = "far", .role = "offsite", .location = "there", .media = "tape"}},
	    .meant = {true, true},
	    .newest = {now - DAY, now - DAY},
	    .some = {true, true},
	};
	for (int i = 0; i < 2; i++) {
		f->places[i].open = true;
		f->places[i].check = fine;
	}
	f->places[1].tamper = fine;
	f->s = (struct rules_system){
	    .name = "www", .meant = f->meant, .newest_ns = f->newest, .some = f->some};
}

/* Bits of the rules that are missed; each missed one has a reason and something to do. */
static unsigned missed(const struct facts *f)
{
	struct rules_verdict v[RULE_COUNT];
	unsigned bits = 0;

	memset(v, 0, sizeof v);
	rules_judge(f->places, 2, &f->s, now, v);
	for (int r = 0; r < RULE_COUNT; r++) {
		assert_true(v[r].reason.n > 0);
		assert_int_equal(v[r].todo.n == 0, v[r].kept);
		bits |= v[r].kept ? 0 : 1u << r;
	}
	rules_fini(v);
	return bits;
}

#define R(r) (1u << RULE_##r)

static void what_is_as_it_should_be_misses_nothing(void **state)
{
	struct facts f;

	good(&f);
	assert_int_equal(missed(&f), 0);
}

static void only_what_holds_a_snapshot_now_is_a_copy(void **state)
{
	struct facts f;

	good(&f);
	f.newest[0] = 0;
	assert_int_equal(missed(&f), R(COPIES));
	good(&f);
	f.places[1].open = false;
	f.places[1].why_not = "away";
	assert_int_equal(missed(&f), R(COPIES) | R(MEDIA) | R(OFFSITE) | R(IMMUTABLE));
}

static void a_copy_that_fell_behind_is_none(void **state)
{
	struct facts f;

	good(&f);
	f.newest[1] = f.newest[0] - 32 * DAY;
	assert_int_equal(missed(&f), R(COPIES) | R(MEDIA) | R(OFFSITE) | R(IMMUTABLE));
	f.newest[1] = f.newest[0] - 30 * DAY;
	assert_int_equal(missed(&f), 0);
	f.newest[0] = f.newest[1] = now - 900 * DAY; /* all alike: that is for the RPO to say */
	assert_int_equal(missed(&f), 0);
}

static void one_repository_under_two_names_is_one_copy(void **state)
{
	struct facts f;

	good(&f);
	f.places[1].same_as = "main";
	assert_int_equal(missed(&f), R(COPIES) | R(MEDIA) | R(OFFSITE) | R(IMMUTABLE) | R(ROLES));
}

static void a_lock_counts_only_where_it_was_proven_lately(void **state)
{
	struct facts f;

	good(&f);
	f.places[1].tamper.known = false;
	f.places[1].declared_lock = true;
	assert_int_equal(missed(&f), R(IMMUTABLE));
	good(&f);
	f.places[1].tamper.problems = 1;
	assert_int_equal(missed(&f), R(IMMUTABLE));
	good(&f);
	f.places[1].tamper.when_ns = now - 32 * DAY;
	assert_int_equal(missed(&f), R(IMMUTABLE));
	good(&f);
	f.places[1].tamper.when_ns = now + 2 * DAY; /* of a clock that was wrong */
	assert_int_equal(missed(&f), R(IMMUTABLE));
	good(&f);
	f.places[1].tamper.until_ns = now + 1;
	assert_int_equal(missed(&f), 0);
	f.places[1].tamper.until_ns = now;
	assert_int_equal(missed(&f), R(IMMUTABLE));
}

static void what_is_offline_counts_while_it_is_away_and_was_seen_lately(void **state)
{
	struct facts f;

	good(&f);
	f.places[1].tamper.known = false;
	f.places[1].offline = true;
	assert_int_equal(missed(&f), R(IMMUTABLE)); /* connected */
	f.places[1].open = false;
	f.places[1].why_not = "away";
	f.places[1].seen_ns = now - 2 * DAY;
	assert_int_equal(missed(&f), 0);
	f.places[1].seen_ns = now - 32 * DAY;
	assert_int_equal(missed(&f), R(COPIES) | R(MEDIA) | R(OFFSITE) | R(IMMUTABLE));
	f.places[1].seen_ns = now - 2 * DAY;
	f.places[1].offline = false; /* it only failed */
	assert_int_equal(missed(&f), R(COPIES) | R(MEDIA) | R(OFFSITE) | R(IMMUTABLE));
}

static void each_copy_has_to_be_checked_lately_and_whole(void **state)
{
	struct facts f;

	for (int i = 0; i < 2; i++) {
		good(&f);
		f.places[i].check.known = false;
		assert_int_equal(missed(&f), R(ERRORS));
		good(&f);
		f.places[i].check.problems = 1;
		assert_int_equal(missed(&f), R(ERRORS));
		good(&f);
		f.places[i].check.when_ns = now - 32 * DAY;
		assert_int_equal(missed(&f), R(ERRORS));
	}
}

static void roles_and_locations_have_to_fit(void **state)
{
	struct facts f;

	good(&f);
	f.places[1].location = "here";
	assert_int_equal(missed(&f), R(OFFSITE) | R(ROLES));
	good(&f);
	f.places[1].location = NULL;
	assert_int_equal(missed(&f), R(OFFSITE) | R(ROLES));
	good(&f);
	f.places[1].role = "secondary";
	assert_int_equal(missed(&f), R(OFFSITE));
	good(&f);
	f.places[0].role = "";
	assert_int_equal(missed(&f), R(ROLES));
	good(&f);
	f.places[1].media = "disk";
	assert_int_equal(missed(&f), R(MEDIA));
}

static void residency_goes_for_whatever_holds_some_of_it(void **state)
{
	static const char *const only_here[] = {"here"}, *const both[] = {"there", "here"};
	struct facts f;

	good(&f);
	f.s.residency = only_here;
	f.s.nresidency = 1;
	assert_int_equal(missed(&f), R(RESIDENCY));
	f.meant[1] = false; /* no destination, but a snapshot is there */
	assert_int_equal(missed(&f), R(RESIDENCY));
	f.newest[1] = 0; /* or something incomplete or forgotten */
	assert_true(missed(&f) & R(RESIDENCY));
	f.some[1] = false;
	assert_false(missed(&f) & R(RESIDENCY));
	f.places[1].open = false; /* nobody knows */
	f.places[1].why_not = "away";
	assert_true(missed(&f) & R(RESIDENCY));
	good(&f);
	f.s.residency = only_here;
	f.s.nresidency = 1;
	f.s.residency = both;
	f.s.nresidency = 2;
	assert_int_equal(missed(&f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_as_it_should_be_misses_nothing),
	    cmocka_unit_test(only_what_holds_a_snapshot_now_is_a_copy),
	    cmocka_unit_test(a_copy_that_fell_behind_is_none),
	    cmocka_unit_test(one_repository_under_two_names_is_one_copy),
	    cmocka_unit_test(a_lock_counts_only_where_it_was_proven_lately),
	    cmocka_unit_test(what_is_offline_counts_while_it_is_away_and_was_seen_lately),
	    cmocka_unit_test(each_copy_has_to_be_checked_lately_and_whole),
	    cmocka_unit_test(roles_and_locations_have_to_fit),
	    cmocka_unit_test(residency_goes_for_whatever_holds_some_of_it),
	};

	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
