/* reader: damage is named; where there is another copy, it is used. */
#include "make_repo.h"

enum { N = 40 };

struct t {
	struct ctx ctx;
	struct make_events events;
	char place[32];
	struct repo *r;
	struct id ids[N];
};

static void begin(struct t *t)
{
	memset(t, 0, sizeof *t);
	make_ctx(&t->ctx, &t->events);
	t->r = make_repo(&t->ctx, t->place, NULL);
	make_blobs(t->r, 0, N, t->ids);
}

static void reopen(struct t *t)
{
	repo_close(t->r);
	t->r = open_repo(&t->ctx, t->place, NULL);
}

static const char *only_pack(struct t *t, char name[REPO_NAME_MAX])
{
	struct id_list l = make_list(t->r, FORMAT_PACK);

	assert_int_equal(l.n, 1);
	repo_object_name(name, FORMAT_PACK, &l.v[0]);
	id_list_fini(&l);
	return name;
}

static void an_unknown_id_is_in_no_index(void **state)
{
	struct reader *rd;
	struct index_place at;
	struct id id;
	struct span got;
	struct err e;
	struct t t;

	begin(&t);
	rd = reader_new(t.r);
	memset(&id, 9, sizeof id);
	FAILS(reader_blob(rd, 0, &id, &got, &e), ERR_CORRUPT);
	assert_int_equal(reader_find(rd, &id, &at, &e), 0);
	assert_int_equal(reader_find(rd, &t.ids[0], &at, &e), 1);
	reader_free(rd);
	repo_close(t.r);
}

static void a_blob_of_another_kind_is_corrupt(void **state)
{
	struct reader *rd;
	struct span got;
	struct err e;
	struct t t;

	begin(&t);
	rd = reader_new(t.r);
	OK(reader_blob(rd, 0, &t.ids[0], &got, &e));
	OK(reader_blob(rd, PURPOSE_CONTENT, &t.ids[0], &got, &e));
	FAILS(reader_blob(rd, PURPOSE_NAMES, &t.ids[0], &got, &e), ERR_CORRUPT);
	FAILS(reader_blob(rd, PURPOSE_REFS, &t.ids[0], &got, &e), ERR_CORRUPT);
	reader_free(rd);
	repo_close(t.r);
}

/* Every byte of the frame, which is all that a reader fetches. */
static void every_damaged_byte_of_a_frame_is_found_and_named(void **state)
{
	struct index_cache_pack pack;
	struct index_place at;
	char name[REPO_NAME_MAX];
	struct reader *rd;
	struct span got;
	struct err e;
	struct t t;

	begin(&t);
	only_pack(&t, name);
	rd = reader_new(t.r);
	assert_int_equal(reader_find(rd, &t.ids[0], &at, &e), 1);
	OK(index_cache_pack(repo_index(t.r), at.pack, &pack, &e));
	reader_free(rd);
	for (size_t i = 0; i < at.stored; i += 1 + i / 200) {
		make_damage(t.r->store, name, at.off + i, 0x10);
		rd = reader_new(t.r);
		FAILS(reader_blob(rd, 0, &t.ids[0], &got, &e), ERR_CORRUPT);
		assert_non_null(strstr(e.msg, name));
		reader_free(rd);
		make_damage(t.r->store, name, at.off + i, 0x10);
	}
	rd = reader_new(t.r);
	OK(reader_blob(rd, 0, &t.ids[0], &got, &e));
	reader_free(rd);
	repo_close(t.r);
}

static void a_pack_cut_short_or_gone_is_corrupt_and_named(void **state)
{
	char name[REPO_NAME_MAX];
	struct reader *rd;
	struct span got;
	struct err e;
	struct t t;

	begin(&t);
	only_pack(&t, name);
	OK(store_put(t.r->store, name, span_str("HOLDFAST"), 0, &e));
	rd = reader_new(t.r);
	FAILS(reader_blob(rd, 0, &t.ids[0], &got, &e), ERR_CORRUPT);
	assert_non_null(strstr(e.msg, name));
	reader_free(rd);
	OK(store_del(t.r->store, name, &e));
	rd = reader_new(t.r);
	FAILS(reader_blob(rd, 0, &t.ids[0], &got, &e), ERR_CORRUPT);
	assert_non_null(strstr(e.msg, name));
	reader_free(rd);
	repo_close(t.r);
}

/* Two machines that stored the same at the same time. */
static void two_copies(struct t *t, struct id packs[2])
{
	struct repo *other;
	struct id_list l;
	struct err e;

	memset(t, 0, sizeof *t);
	make_ctx(&t->ctx, &t->events);
	t->r = make_repo(&t->ctx, t->place, NULL);
	other = open_repo(&t->ctx, t->place, NULL);
	OK(repo_index_load(other, false, &e));
	make_blobs(t->r, 0, N, t->ids);
	make_blobs(other, 0, N, NULL);
	repo_close(other);
	l = make_list(t->r, FORMAT_PACK);
	assert_int_equal(l.n, 2);
	packs[0] = l.v[0];
	packs[1] = l.v[1];
	id_list_fini(&l);
	reopen(t);
}

static void assert_all_readable(struct t *t)
{
	struct reader *rd = reader_new(t->r);
	struct buf want = {0};
	struct span got;
	struct err e;

	for (size_t i = 0; i < N; i++) {
		make_blob(&want, i);
		OK(reader_blob(rd, PURPOSE_CONTENT, &t->ids[i], &got, &e));
		assert_true(span_eq(got, buf_span(&want)));
	}
	buf_fini(&want);
	reader_free(rd);
}

static void the_second_copy_stands_in_for_a_damaged_one(void **state)
{
	for (int which = 0; which < 2; which++)
		for (int gone = 0; gone < 2; gone++) {
			char name[REPO_NAME_MAX];
			struct id packs[2];
			struct buf b = {0};
			struct err e;
			struct t t;

			two_copies(&t, packs);
			repo_object_name(name, FORMAT_PACK, &packs[which]);
			if (gone) {
				OK(store_del(t.r->store, name, &e));
			} else {
				OK(store_get_all(t.r->store, name, FORMAT_PACK_MAX, &b, &e));
				for (size_t i = FORMAT_HEADER; i < b.n; i++)
					b.p[i] ^= 0x40;
				OK(store_put(t.r->store, name, buf_span(&b), 0, &e));
			}
			assert_all_readable(&t);
			buf_fini(&b);
			repo_close(t.r);
		}
}

/* Another machine repacks while we read: our index is old. */
static void an_index_that_moved_is_loaded_again(void **state)
{
	char name[REPO_NAME_MAX];
	struct id_list indexes;
	struct repo *other;
	struct err e;
	struct t t;

	begin(&t);
	only_pack(&t, name);
	indexes = make_list(t.r, FORMAT_INDEX);
	/* They delete the index and the pack, and store all anew. */
	other = open_repo(&t.ctx, t.place, NULL);
	OK(store_del(other->store,
	    repo_object_name((char[REPO_NAME_MAX]){0}, FORMAT_INDEX, &indexes.v[0]), &e));
	make_blobs(other, 0, N, NULL);
	OK(store_del(other->store, name, &e));
	repo_close(other);
	assert_all_readable(&t);
	id_list_fini(&indexes);
	repo_close(t.r);
}

/* They delete index and pack of all blobs, and store them anew; the pack stays if it is damaged. */
static void store_anew(struct t *t, bool damage)
{
	struct id_list indexes = make_list(t->r, FORMAT_INDEX),
		       packs = make_list(t->r, FORMAT_PACK);
	struct repo *other = open_repo(&t->ctx, t->place, NULL);
	char name[REPO_NAME_MAX];
	struct err e;

	for (size_t i = 0; i < indexes.n; i++)
		OK(store_del(
		    other->store, repo_object_name(name, FORMAT_INDEX, &indexes.v[i]), &e));
	make_blobs(other, 0, N, NULL);
	for (size_t i = 0; i < packs.n; i++) {
		repo_object_name(name, FORMAT_PACK, &packs.v[i]);
		if (!damage)
			OK(store_del(other->store, name, &e));
	}
	repo_close(other);
	id_list_fini(&indexes);
	id_list_fini(&packs);
}

/* Every byte behind the header of the packs that are there. */
static void damage_packs(struct t *t)
{
	struct id_list packs = make_list(t->r, FORMAT_PACK);
	char name[REPO_NAME_MAX];
	struct buf b = {0};
	struct err e;

	for (size_t i = 0; i < packs.n; i++) {
		buf_reset(&b);
		repo_object_name(name, FORMAT_PACK, &packs.v[i]);
		OK(store_get_all(t->r->store, name, FORMAT_PACK_MAX, &b, &e));
		for (size_t at = FORMAT_HEADER; at < b.n; at++)
			b.p[at] ^= 0x40;
		OK(store_put(t->r->store, name, buf_span(&b), 0, &e));
	}
	buf_fini(&b);
	id_list_fini(&packs);
}

struct slow_clock {
	struct clock clock;
	int64_t now;
};

static int64_t slow_now(struct clock *c)
{
	return ((struct slow_clock *)c)->now;
}

/* Counts what is listed. */
static struct store_ops counting;
static int (*real_list)(struct store *, const char *, store_visit *, void *, struct err *);
static unsigned lists;

static int count_list(
    struct store *s, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	lists++;
	return real_list(s, prefix, visit, arg, e);
}

static void count_lists(struct repo *r)
{
	counting = *r->store->ops;
	real_list = counting.list;
	counting.list = count_list;
	r->store->ops = &counting;
	lists = 0;
}

/* A long life: what is moved is found each time, not once. */
static void who_keeps_up_finds_what_moved_however_often(void **state)
{
	struct slow_clock clock = {{slow_now, slow_now}, 1};
	struct reader *rd, *other;
	struct span got;
	struct err e;
	struct t t;

	begin(&t);
	t.ctx.clock = &clock.clock;
	rd = reader_new(t.r);
	reader_keep_up(rd);
	other = reader_new(t.r);
	OK(reader_blob(rd, 0, &t.ids[0], &got, &e));
	for (int i = 1; i <= 3; i++) {
		store_anew(&t, false);
		reader_shrink(rd, 0); /* or it has it still */
		OK(reader_blob(rd, 0, &t.ids[i], &got, &e));
	}
	/* Who does not gets it where it is known by now. */
	OK(reader_blob(other, 0, &t.ids[5], &got, &e));
	reader_free(other);
	reader_free(rd);
	repo_close(t.r);
}

/* A repair, or the next backup, stores anew what is damaged. */
static void who_keeps_up_finds_what_was_stored_anew_for_damage(void **state)
{
	struct slow_clock clock = {{slow_now, slow_now}, 1};
	struct reader *rd;
	struct span got;
	struct err e;
	struct t t;

	begin(&t);
	t.ctx.clock = &clock.clock;
	damage_packs(&t);
	rd = reader_new(t.r);
	reader_keep_up(rd);
	for (int i = 0; i < 3; i++)
		FAILS(reader_blob(rd, 0, &t.ids[0], &got, &e), ERR_CORRUPT);
	store_anew(&t, true);
	clock.now += INT64_C(61000000000);
	OK(reader_blob(rd, 0, &t.ids[0], &got, &e));
	reader_free(rd);
	repo_close(t.r);
}

static void many_that_are_missing_make_no_storm(void **state)
{
	struct slow_clock clock = {{slow_now, slow_now}, 1};
	struct index_place at;
	struct reader *rd;
	struct span got;
	struct id id;
	struct err e;
	struct t t;

	begin(&t);
	t.ctx.clock = &clock.clock;
	rd = reader_new(t.r);
	reader_keep_up(rd);
	count_lists(t.r);
	for (int i = 0; i < 1000; i++) {
		memset(&id, 9, sizeof id);
		memcpy(&id, &i, sizeof i);
		FAILS(reader_blob(rd, 0, &id, &got, &e), ERR_CORRUPT);
		assert_int_equal(reader_find(rd, &id, &at, &e), 0);
		clock.now += INT64_C(600000000); /* ten minutes in all */
	}
	/* 1, 2, 4, 8, 16, 32, and each minute. */
	assert_in_range(lists, 10, 20);
	reader_free(rd);
	repo_close(t.r);
}

static void a_damaged_index_is_told_and_left_out(void **state)
{
	char name[REPO_NAME_MAX];
	struct id_list indexes;
	struct err e;
	struct t t;

	begin(&t);
	make_blobs(t.r, N, 2 * N, NULL);
	indexes = make_list(t.r, FORMAT_INDEX);
	assert_int_equal(indexes.n, 2);
	make_damage(t.r->store, repo_object_name(name, FORMAT_INDEX, &indexes.v[0]), 50, 1);
	reopen(&t);
	OK(repo_index_load(t.r, false, &e));
	assert_int_equal(repo_bad_indexes(t.r), 1);
	assert_true(id_eq(repo_bad_index(t.r, 0), &indexes.v[0]));
	assert_int_equal(t.events.n[EVENT_OBJECT_DAMAGED], 1);
	assert_int_equal(index_cache_packs(repo_index(t.r)), 1);
	id_list_fini(&indexes);
	repo_close(t.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_unknown_id_is_in_no_index),
	    cmocka_unit_test(a_blob_of_another_kind_is_corrupt),
	    cmocka_unit_test(every_damaged_byte_of_a_frame_is_found_and_named),
	    cmocka_unit_test(a_pack_cut_short_or_gone_is_corrupt_and_named),
	    cmocka_unit_test(the_second_copy_stands_in_for_a_damaged_one),
	    cmocka_unit_test(an_index_that_moved_is_loaded_again),
	    cmocka_unit_test(who_keeps_up_finds_what_moved_however_often),
	    cmocka_unit_test(who_keeps_up_finds_what_was_stored_anew_for_damage),
	    cmocka_unit_test(many_that_are_missing_make_no_storm),
	    cmocka_unit_test(a_damaged_index_is_told_and_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
