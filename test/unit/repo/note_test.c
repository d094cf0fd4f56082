/* note: a snapshot's state is the fold of its notes, in order of time, then id. */
#include <stdlib.h>
#include <time.h>

#include "make_snapshot.h"

#include "repo/note.h"

static const int64_t SECOND = 1000000000;

struct ticking {
	struct clock clock;
	int64_t now;
};

static int64_t tick(struct clock *c)
{
	return ((struct ticking *)c)->now++;
}

struct t {
	struct ctx ctx;
	struct make_events events;
	struct ticking clock;
	char place[32];
	struct repo *r;
	struct id snap, other;
};

static void begin(struct t *t)
{
	struct err e;

	memset(t, 0, sizeof *t);
	make_ctx(&t->ctx, &t->events);
	t->clock = (struct ticking){{tick, tick}, 1763700000000000000};
	t->ctx.clock = &t->clock.clock;
	t->r = make_repo(&t->ctx, t->place, NULL);
	for (int i = 0; i < 2; i++) {
		struct snapshot *s = make_snapshot(i);

		OK(snapshot_put(t->r, s, &e));
		*(i ? &t->other : &t->snap) = s->id;
		snapshot_free(s);
	}
}

static void put_note(struct t *t, enum note_op op, const char *value)
{
	struct err e;

	OK(note_put(t->r, &t->snap, op, value, &e));
}

/* The snapshot as everything sees it; the caller finishes the list. */
static const struct snapshot *folded(struct t *t, struct snapshot_list *l)
{
	struct err e;

	OK(snapshot_load_all(t->r, l, &e));
	for (size_t i = 0; i < l->n; i++)
		if (id_eq(&l->v[i]->id, &t->snap))
			return l->v[i];
	fail();
	return NULL;
}

static int64_t real_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

static void tags_come_and_go(void **state)
{
	const struct snapshot *s;
	struct snapshot_list l;
	struct t t;

	begin(&t);
	put_note(&t, NOTE_TAG, "three");
	put_note(&t, NOTE_TAG, "three");
	put_note(&t, NOTE_TAG, "\303\244");
	put_note(&t, NOTE_UNTAG, "one");
	put_note(&t, NOTE_UNTAG, "never there");
	s = folded(&t, &l);
	assert_int_equal(s->ntags, 3);
	assert_string_equal(s->tags[0], "two");
	assert_string_equal(s->tags[1], "three");
	assert_string_equal(s->tags[2], "\303\244");
	/* The other snapshot is as it was. */
	for (size_t i = 0; i < l.n; i++)
		if (id_eq(&l.v[i]->id, &t.other))
			assert_int_equal(l.v[i]->ntags, 2);
	snapshot_list_fini(&l);
	put_note(&t, NOTE_TAG, "one");
	put_note(&t, NOTE_UNTAG, "three");
	s = folded(&t, &l);
	assert_int_equal(s->ntags, 3);
	assert_string_equal(s->tags[2], "one");
	snapshot_list_fini(&l);
	repo_close(t.r);
}

static void the_last_of_forget_and_release_counts(void **state)
{
	const struct snapshot *s;
	struct snapshot_list l;
	struct t t;

	begin(&t);
	for (int i = 0; i < 6; i++) {
		if (i % 2 == 0)
			put_note(&t, NOTE_FORGET, i == 0 ? "3600" : "86400");
		else
			put_note(&t, NOTE_RELEASE, "");
		s = folded(&t, &l);
		assert_int_equal(s->forgotten, i % 2 == 0);
		/* Due by the store's clock, not by ours, which is a year behind. */
		if (i == 2)
			assert_true(llabs(s->due_ns - real_now() - 86400 * SECOND) < 600 * SECOND);
		snapshot_list_fini(&l);
	}
	repo_close(t.r);
}

/* Notes that were written in another order than their times: another machine's clock. */
static void times_order_notes_not_their_arrival(void **state)
{
	const struct snapshot *s;
	struct snapshot_list l;
	struct t t;

	begin(&t);
	t.clock.now += 1000000000;
	put_note(&t, NOTE_RELEASE, "");
	t.clock.now -= 1000000000;
	put_note(&t, NOTE_FORGET, "86400");
	s = folded(&t, &l);
	assert_false(s->forgotten);
	snapshot_list_fini(&l);
	t.clock.now += 2000000000;
	put_note(&t, NOTE_FORGET, "86400");
	s = folded(&t, &l);
	assert_true(s->forgotten);
	snapshot_list_fini(&l);
	repo_close(t.r);
}

static void pins_and_holds(void **state)
{
	const struct snapshot *s;
	struct snapshot_list l;
	struct t t;

	begin(&t);
	put_note(&t, NOTE_PIN, "");
	put_note(&t, NOTE_HOLD, "");
	s = folded(&t, &l);
	assert_true(s->pinned && s->held);
	snapshot_list_fini(&l);
	put_note(&t, NOTE_UNPIN, "");
	s = folded(&t, &l);
	assert_true(!s->pinned && s->held);
	snapshot_list_fini(&l);
	repo_close(t.r);
}

/* A note dated in the future is as old as its object: it outdoes nothing that comes later. */
static void a_note_from_the_future_counts_from_when_it_was_stored(void **state)
{
	const struct snapshot *s;
	struct snapshot_list l;
	struct t t;
	struct err e;

	begin(&t);
	t.clock.now += 50 * 365 * 86400 * SECOND;
	put_note(&t, NOTE_FORGET, "60");
	s = folded(&t, &l);
	assert_true(s->forgotten && s->due_ns < real_now() + 120 * SECOND);
	t.clock.now = 1763700000000000000;
	OK(note_add(t.r, s, NOTE_RELEASE, "", &e)); /* dated after what it saw */
	snapshot_list_fini(&l);
	s = folded(&t, &l);
	assert_false(s->forgotten);
	snapshot_list_fini(&l);
	repo_close(t.r);
}

static void only_a_full_holder_takes_a_protection_away(void **state)
{
	static const enum note_op denied[] = {NOTE_FORGET, NOTE_UNPIN, NOTE_UNHOLD, NOTE_UNTAG};
	const struct snapshot *s;
	struct snapshot_list l;
	struct t t;
	struct err e;

	begin(&t);
	put_note(&t, NOTE_PIN, "");
	put_note(&t, NOTE_HOLD, "");
	t.r->config.writers[0].role = ROLE_WRITE;
	put_note(&t, NOTE_TAG, "by anybody");
	for (size_t i = 0; i < sizeof denied / sizeof *denied; i++)
		put_note(&t, denied[i], denied[i] == NOTE_UNTAG ? "one" : "0");
	s = folded(&t, &l);
	assert_true(s->pinned && s->held && !s->forgotten);
	assert_int_equal(s->ntags, 3);
	assert_int_equal(t.events.n[EVENT_FINDING], 4);
	FAILS(note_add(t.r, s, NOTE_UNPIN, "", &e), ERR_WRONG_KEY);
	snapshot_list_fini(&l);
	assert_true(note_role_may(ROLE_MAINTENANCE, NOTE_FORGET));
	assert_false(note_role_may(ROLE_MAINTENANCE, NOTE_UNPIN));
	assert_true(note_role_may(ROLE_MAINTENANCE, NOTE_GONE));
	assert_false(note_role_may(ROLE_WRITE, NOTE_GONE));
	repo_close(t.r);
}

static void a_hold_never_becomes_shorter_and_ends_by_itself(void **state)
{
	const int64_t end = 1798761600 * SECOND; /* 2027-01-01 */
	const struct snapshot *s;
	struct snapshot_list l;
	struct t t;

	begin(&t);
	put_note(&t, NOTE_FORGET, "0");
	put_note(&t, NOTE_HOLD, "2027-01-01T00:00:00Z");
	put_note(&t, NOTE_HOLD, "2026-12-01T00:00:00Z");
	s = folded(&t, &l);
	assert_true(s->held_until_ns == end);
	assert_true(snapshot_kept(s, end - 1) && !snapshot_goes(s, end - 1));
	assert_true(!snapshot_kept(s, end) && snapshot_goes(s, end));
	snapshot_list_fini(&l);
	put_note(&t, NOTE_HOLD, "");
	put_note(&t, NOTE_HOLD, "2027-01-01T00:00:00Z");
	s = folded(&t, &l);
	assert_true(s->held_until_ns == 0 && snapshot_kept(s, INT64_MAX));
	snapshot_list_fini(&l);
	put_note(&t, NOTE_UNHOLD, "");
	s = folded(&t, &l);
	assert_true(snapshot_goes(s, INT64_MAX));
	snapshot_list_fini(&l);
	repo_close(t.r);
}

static void a_value_that_is_not_text_is_refused(void **state)
{
	struct err e;
	struct t t;

	begin(&t);
	FAILS(note_put(t.r, &t.snap, NOTE_TAG, "\377", &e), ERR_USAGE);
	assert_int_equal(make_count(t.r, "notes/"), 0);
	repo_close(t.r);
}

static int first_key(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	snprintf(arg, REPO_NAME_MAX, "%s", key);
	return 0;
}

/* It may have been a release. */
static void a_damaged_note_keeps_its_snapshot(void **state)
{
	char key[REPO_NAME_MAX] = "";
	const struct snapshot *s;
	struct snapshot_list l;
	struct store_stat st;
	struct err e;
	struct t t;

	begin(&t);
	put_note(&t, NOTE_TAG, "x");
	OK(store_list(t.r->store, "notes/", first_key, key, &e));
	put_note(&t, NOTE_FORGET, "86400");
	OK(store_stat(t.r->store, key, &st, &e));
	for (size_t i = 0; i < st.size; i += 7) {
		memset(&t.events, 0, sizeof t.events);
		make_damage(t.r->store, key, i, 4);
		s = folded(&t, &l);
		assert_false(s->forgotten);
		assert_int_equal(t.events.n[EVENT_OBJECT_DAMAGED], 1);
		snapshot_list_fini(&l);
		make_damage(t.r->store, key, i, 4);
	}
	s = folded(&t, &l);
	assert_true(s->forgotten);
	snapshot_list_fini(&l);
	repo_close(t.r);
}

/* A note moved to another snapshot's name must not speak for it. */
static void a_note_of_another_snapshot_is_damage(void **state)
{
	char key[REPO_NAME_MAX] = "", moved[REPO_NAME_MAX], hex[ID_HEX];
	struct buf b = {0};
	struct snapshot_list l;
	struct err e;
	struct t t;

	begin(&t);
	put_note(&t, NOTE_FORGET, "86400");
	OK(store_list(t.r->store, "notes/", first_key, key, &e));
	OK(store_get_all(t.r->store, key, FORMAT_SMALL_MAX, &b, &e));
	snprintf(moved, sizeof moved, "notes/%s%s", id_hex(hex, &t.other), key + 70);
	OK(store_put(t.r->store, moved, buf_span(&b), 0, &e));
	OK(snapshot_load_all(t.r, &l, &e));
	for (size_t i = 0; i < l.n; i++)
		assert_int_equal(l.v[i]->forgotten, id_eq(&l.v[i]->id, &t.snap));
	assert_int_equal(t.events.n[EVENT_OBJECT_DAMAGED], 1);
	snapshot_list_fini(&l);
	buf_fini(&b);
	repo_close(t.r);
}

static void notes_go_with_their_snapshot(void **state)
{
	struct note_list l;
	struct err e;
	struct t t;

	begin(&t);
	put_note(&t, NOTE_TAG, "a");
	put_note(&t, NOTE_TAG, "b");
	OK(note_put(t.r, &t.other, NOTE_TAG, "c", &e));
	OK(note_load_all(t.r, &l, &e));
	assert_int_equal(l.n, 3);
	OK(note_del_all(t.r, &l, &t.snap, &e));
	note_list_fini(&l);
	OK(note_load_all(t.r, &l, &e));
	assert_int_equal(l.n, 1);
	assert_true(id_eq(&l.v[0].snapshot, &t.other));
	assert_string_equal(l.v[0].value, "c");
	note_list_fini(&l);
	repo_close(t.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tags_come_and_go),
	    cmocka_unit_test(the_last_of_forget_and_release_counts),
	    cmocka_unit_test(times_order_notes_not_their_arrival),
	    cmocka_unit_test(pins_and_holds),
	    cmocka_unit_test(a_note_from_the_future_counts_from_when_it_was_stored),
	    cmocka_unit_test(only_a_full_holder_takes_a_protection_away),
	    cmocka_unit_test(a_hold_never_becomes_shorter_and_ends_by_itself),
	    cmocka_unit_test(a_value_that_is_not_text_is_refused),
	    cmocka_unit_test(a_damaged_note_keeps_its_snapshot),
	    cmocka_unit_test(a_note_of_another_snapshot_is_damage),
	    cmocka_unit_test(notes_go_with_their_snapshot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
