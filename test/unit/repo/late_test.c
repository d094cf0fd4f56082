/* late: what a removed signer stores later is known by its number; whose word counts of a void one.
 */
#include "make_snapshot.h"

#include "repo/late.h"
#include "repo/note.h"

struct t {
	struct ctx ctx;
	struct make_events events;
	char place[32];
	struct repo *r;
};

static void begin(struct t *t)
{
	memset(t, 0, sizeof *t);
	make_ctx(&t->ctx, &t->events);
	t->r = make_repo(&t->ctx, t->place, NULL);
}

static struct id put_number(struct t *t, uint64_t number)
{
	struct snapshot *s = make_snapshot((int64_t)number);
	struct id id;
	struct err e;

	s->sequence = number;
	OK(snapshot_put(t->r, s, &e));
	id = s->id;
	snapshot_free(s);
	return id;
}

static void remove_signer(struct t *t)
{
	struct snapshot_list l;
	json_t *newest, *missing;
	struct err e;

	OK(snapshot_load_all(t->r, &l, &e));
	late_numbers(&l, t->r->keys->holder, &newest, &missing);
	assert_true(config_remove_writer(
	    &t->r->config, t->r->keys->holder, "2020-01-01T00:00:00Z", newest, missing));
	json_decref(newest);
	json_decref(missing);
	snapshot_list_fini(&l);
}

static bool is_late(struct t *t, uint64_t number)
{
	struct snapshot_list l;
	bool late = false, found = false;
	struct err e;

	OK(snapshot_load_all(t->r, &l, &e));
	for (size_t i = 0; i < l.n; i++)
		if (l.v[i]->sequence == number) {
			late = l.v[i]->late;
			found = true;
		}
	assert_true(found);
	snapshot_list_fini(&l);
	return late;
}

/* A thief who stores number 1000 before he is found out has none of 7 to 999 in reserve. */
static void a_number_that_was_missing_is_late(void **state)
{
	static const uint64_t before[] = {1, 2, 4, 5, 6, 1000}, after[] = {3, 7, 999, 1001};
	struct gone gone = {0};
	struct author by = {.signer = {0}};
	struct id note;
	struct err e;
	struct t t;

	begin(&t);
	for (size_t i = 0; i < sizeof before / sizeof *before; i++)
		put_number(&t, before[i]);
	/* 8 was deleted rightly: who takes that is late by another rule. */
	memcpy(by.signer, t.r->keys->holder, FORMAT_UID);
	memset(by.client, 3, FORMAT_UID);
	gone_add(&gone, &by, 8, 8);
	OK(gone_put(t.r, &gone, &note, &e));
	remove_signer(&t);
	assert_false(config_writer_missed(&t.r->config, by.signer, by.client, 8));
	for (size_t i = 0; i < sizeof after / sizeof *after; i++)
		put_number(&t, after[i]);
	for (size_t i = 0; i < sizeof before / sizeof *before; i++)
		assert_false(is_late(&t, before[i]));
	for (size_t i = 0; i < sizeof after / sizeof *after; i++)
		assert_true(is_late(&t, after[i]));
	gone_fini(&gone);
	repo_close(t.r);
}

/* What config keeps of a client is bounded, whatever its holder made of its numbers. */
static void no_number_is_in_reserve_beyond_what_config_keeps(void **state)
{
	struct t t;

	begin(&t);
	for (uint64_t n = 1; n < 200; n += 2)
		put_number(&t, n);
	remove_signer(&t);
	assert_false(is_late(&t, 129));
	assert_true(is_late(&t, 131));
	put_number(&t, 2);
	put_number(&t, 130);
	assert_true(is_late(&t, 2) && is_late(&t, 130));
	repo_close(t.r);
}

static void what_came_while_we_waited_for_our_turn_is_seen(void **state)
{
	struct snapshot_list l;
	struct err e;
	struct t t;

	begin(&t);
	put_number(&t, 1);
	OK(snapshot_load_all(t.r, &l, &e));
	put_number(&t, 2);
	OK(late_look_again(t.r, &l, &e));
	assert_int_equal(l.n, 2);
	assert_int_equal(l.v[1]->sequence, 2);
	OK(late_look_again(t.r, &l, &e));
	assert_int_equal(l.n, 2);
	snapshot_list_fini(&l);
	repo_close(t.r);
}

/* Else who holds any key could make damage of what is void. */
static void only_its_own_client_says_that_a_snapshot_was_done(void **state)
{
	struct snapshot s = {.deadline_ns = 1}, other = {.has_previous = true};
	struct snapshot *v[] = {&s, &other};
	struct pruned p = {.at_ns = INT64_MAX};
	struct snapshot_list l = {.v = v, .n = 2, .pruned = {&p, 1}};
	struct t t;

	begin(&t);
	memset(&s.id, 7, sizeof s.id);
	other.previous = s.id;
	assert_false(pruned_before(t.r, &l, &s));
	other.client[0] = 1;
	assert_true(pruned_before(t.r, &l, &s));
	other.client[0] = 0;
	other.signer[0] = 1;
	assert_true(pruned_before(t.r, &l, &s));
	repo_close(t.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_number_that_was_missing_is_late),
	    cmocka_unit_test(no_number_is_in_reserve_beyond_what_config_keeps),
	    cmocka_unit_test(what_came_while_we_waited_for_our_turn_is_seen),
	    cmocka_unit_test(only_its_own_client_says_that_a_snapshot_was_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
