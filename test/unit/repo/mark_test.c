/* mark: what is marked is found again; what is damaged marks nothing and is told. */
#include "make_repo.h"

#include "repo/mark.h"

struct t {
	struct ctx ctx;
	struct make_events events;
	char place[32];
	struct repo *r;
	struct id packs[5];
};

static void begin(struct t *t)
{
	memset(t, 0, sizeof *t);
	make_ctx(&t->ctx, &t->events);
	t->r = make_repo(&t->ctx, t->place, NULL);
	crypto_random(t->packs, sizeof t->packs);
}

static void marks_come_back(void **state)
{
	struct mark_set m;
	struct id a, b;
	struct err e;
	struct t t;

	begin(&t);
	OK(mark_load(t.r, &m, &e));
	assert_int_equal(m.n, 0);
	mark_set_fini(&m);
	OK(mark_put(t.r, MARK_DOOMED, t.packs, 3, &a, &e));
	OK(mark_put(t.r, MARK_GONE, t.packs + 3, 1, &b, &e));
	OK(mark_load(t.r, &m, &e));
	assert_int_equal(m.n, 2);
	assert_true(mark_has(&m, &a) && mark_has(&m, &b) && !mark_has(&m, &t.packs[0]));
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(mark_has_pack(&m, &t.packs[i]), i < 4);
	assert_true(m.v[0].stored_ns != 0);
	mark_set_fini(&m);
	OK(mark_del(t.r, &a, &e));
	OK(mark_load(t.r, &m, &e));
	assert_int_equal(m.n, 1);
	assert_false(mark_has_pack(&m, &t.packs[0]));
	assert_true(mark_has_pack(&m, &t.packs[3]));
	assert_int_equal(m.v[0].kind, MARK_GONE);
	mark_set_fini(&m);
	repo_close(t.r);
}

static void a_damaged_mark_is_told_and_marks_nothing(void **state)
{
	char name[REPO_NAME_MAX];
	struct store_stat st;
	struct mark_set m;
	struct id a;
	struct err e;
	struct t t;

	begin(&t);
	OK(mark_put(t.r, MARK_DOOMED, t.packs, 3, &a, &e));
	repo_object_name(name, FORMAT_MARK, &a);
	OK(store_stat(t.r->store, name, &st, &e));
	for (size_t i = 0; i < st.size; i++) {
		memset(&t.events, 0, sizeof t.events);
		make_damage(t.r->store, name, i, 2);
		OK(mark_load(t.r, &m, &e));
		assert_int_equal(m.n, 1);
		assert_int_equal(m.v[0].npacks, 0);
		assert_int_equal(t.events.n[EVENT_OBJECT_DAMAGED], 1);
		mark_set_fini(&m);
		make_damage(t.r->store, name, i, 2);
	}
	repo_close(t.r);
}

/* Sealed and signed, yet malformed. */
static void hostile_payloads_are_damage(void **state)
{
	static const struct {
		uint64_t kind, count;
		size_t bytes;
		bool ok;
	} rows[] = {{0, 0, 0, true}, {0, 2, 64, true}, {0, 1, 31, false}, {0, 1, 33, false},
	    {0, 2, 32, false}, {0, UINT64_MAX, 32, false}, {0, UINT64_MAX, 0, false},
	    {0, 1, 0, false}, {0, 0, 32, false}, {1, 1, 32, true}, {1, 1, 33, false},
	    {UINT64_MAX, 1, 32, true}, {7, 1, 33, true}, {7, 0, 5, true}, {7, 2, 32, false}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf payload = {0}, object = {0};
		struct mark_set m;
		struct sealer s;
		struct id id;
		struct err e;
		struct t t;

		begin(&t);
		buf_put_varint(&payload, rows[i].kind);
		buf_put_varint(&payload, rows[i].count);
		buf_put_zeros(&payload, rows[i].bytes);
		sealer_init(&s, t.r->config.repo);
		envelope_begin(&object, FORMAT_MARK, NULL, 0);
		envelope_section(&s, &object, t.r->mark_key, PURPOSE_MARK, buf_span(&payload));
		envelope_sign(&s, &object, t.r->mark_key, t.r->keys->holder, t.r->keys->signing);
		OK(repo_put_object(t.r, FORMAT_MARK, buf_span(&object), &id, &e));
		OK(mark_load(t.r, &m, &e));
		assert_int_equal(m.n, 1);
		assert_int_equal(t.events.n[EVENT_OBJECT_DAMAGED], rows[i].ok ? 0 : 1);
		assert_int_equal(m.v[0].unread, rows[i].ok ? ERR_NONE : ERR_CORRUPT);
		/* What is malformed is of no kind, so that it goes like any junk. */
		assert_int_equal(m.v[0].kind == MARK_KINDS, rows[i].ok && rows[i].kind > MARK_GONE);
		assert_int_equal(m.v[0].npacks, rows[i].ok ? rows[i].count : 0);
		mark_set_fini(&m);
		sealer_fini(&s);
		buf_fini(&payload);
		buf_fini(&object);
		repo_close(t.r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(marks_come_back),
	    cmocka_unit_test(a_damaged_mark_is_told_and_marks_nothing),
	    cmocka_unit_test(hostile_payloads_are_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
