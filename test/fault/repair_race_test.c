/*
 * Indexes that come late: of a repair that is slow, or of who was suspended, beside a
 * prune that deletes what they name.  Nobody may rely on such a pack, and no later prune
 * may leave them behind.
 */
#include "timed.h"

#include "engine/op_repair.h"
#include "repo/mark.h"

enum { MANY = 17 }; /* index objects, for some to be written anew */

static void back_up(struct t *t, const char *cache, struct id *id)
{
	struct repo *r = open_timed(t, timed_new(t, false), cache);
	struct backup_result res;
	struct err e;

	OK(world_backup(&t->w, r, &res, &e));
	if (id)
		*id = res.snapshot;
	repo_close(r);
}

static void back_up_often(struct t *t, uint64_t seed)
{
	for (unsigned i = 0; i < MANY; i++) {
		world_file(&t->w, "small", 1000, seed + i);
		back_up(t, t->w.cache, NULL);
	}
}

/* The first snapshot's packs have been dead and marked for more than twice the grace. */
static void begin_with_an_old_mark(struct t *t)
{
	struct repo *r;
	struct err e;

	begin(t);
	back_up_often(t, 6000);
	r = open_timed(t, timed_new(t, false), NULL);
	OK(world_forget(r, &t->first, &e));
	repo_close(r);
	now_ns += 25 * HOUR;
	assert_true(prune_once(t).packs_marked > 0);
	now_ns += 60 * HOUR;
}

static void prune_twice(void *arg)
{
	assert_true(prune_once(arg).packs_deleted > 0);
	assert_int_equal(prune_once(arg).packs_deleted, 0);
}

static void repair_index_slowly(struct t *t, bool survives)
{
	struct timed *s = timed_new(t, false);
	struct repo *r = open_timed(t, s, NULL);
	struct repair_params p = {.index = true, .jobs = 1};
	struct repair_result res;
	struct err e;

	s->moment = "index/";
	s->then = prune_twice;
	s->arg = t;
	s->survives = survives;
	assert_int_equal(op_repair(r, &p, &t->w.ctx, &res, &e), survives ? 0 : -1);
	assert_null(s->moment);
	repo_close(r);
}

/* What the first snapshot held is backed up once more, and is there. */
static void is_stored_again(struct t *t, const char *cache)
{
	struct repo *r;
	struct id id;

	world_fill(&t->w, 1);
	back_up(t, cache, &id);
	r = open_timed(t, timed_new(t, false), NULL);
	world_check(&t->w, r, "afterwards");
	world_compare(&t->w, r, &id, "afterwards");
	repo_close(r);
}

static size_t marks_left(struct t *t)
{
	struct repo *r = open_timed(t, timed_new(t, false), NULL);
	struct id_list marks = make_list(r, FORMAT_MARK);
	size_t n = marks.n;

	id_list_fini(&marks);
	repo_close(r);
	return n;
}

static void a_backup_beside_a_slow_repair_and_a_prune_is_whole(void **state)
{
	for (int survives = 0; survives < 2; survives++) {
		char *other;
		struct t t;

		begin_with_an_old_mark(&t);
		other = mem_printf("%s/other", t.w.dir);
		back_up_often(&t, 7000);
		repair_index_slowly(&t, survives);
		is_stored_again(&t, other);
		free(other);
		end(&t);
	}
}

/* A later prune clears what came late; only then, a grace later, the mark goes too. */
static void what_a_slow_repair_named_is_cleared_and_then_its_mark(void **state)
{
	struct t t;

	begin_with_an_old_mark(&t);
	back_up_often(&t, 7000);
	repair_index_slowly(&t, false);
	prune_once(&t);
	assert_true(marks_left(&t) > 0);
	for (int i = 0; i < 4; i++) {
		now_ns += 25 * HOUR;
		prune_once(&t);
	}
	assert_int_equal(marks_left(&t), 0);
	is_stored_again(&t, t.w.cache);
	end(&t);
}

/* ---- A prune whose listing of marks lags. */

static size_t marks_of_kind(struct t *t, enum mark_kind kind, bool delete)
{
	struct repo *r = open_timed(t, timed_new(t, false), NULL);
	struct mark_set m;
	struct err e;
	size_t n = 0;

	OK(mark_load(r, &m, &e));
	for (size_t i = 0; i < m.n; i++)
		if (m.v[i].kind == kind) {
			n++;
			if (delete)
				OK(mark_del(r, &m.v[i].id, &e));
		}
	mark_set_fini(&m);
	repo_close(r);
	return n;
}

/* Old as it is: it may be all that hides its packs from who lists marks just now. */
static void a_mark_outlives_its_packs_until_a_tombstone_is_seen(void **state)
{
	struct t t;

	begin_with_an_old_mark(&t);
	assert_int_equal(marks_of_kind(&t, MARK_DOOMED, false), 1);
	assert_true(prune_once(&t).packs_deleted > 0);
	assert_int_equal(marks_of_kind(&t, MARK_GONE, true), 1);
	prune_once(&t);
	assert_int_equal(marks_of_kind(&t, MARK_DOOMED, false), 1);
	assert_int_equal(marks_of_kind(&t, MARK_GONE, false), 1);
	prune_once(&t);
	assert_int_equal(marks_left(&t), 2);
	now_ns += 3 * HOUR;
	prune_once(&t);
	assert_int_equal(marks_of_kind(&t, MARK_DOOMED, false), 0);
	assert_int_equal(marks_of_kind(&t, MARK_GONE, false), 1);
	now_ns += 46 * HOUR;
	prune_once(&t);
	assert_int_equal(marks_left(&t), 0);
	end(&t);
}

/* ---- An index that comes while its packs go. */

struct late {
	struct t *t;
	struct buf object;
	char name[REPO_NAME_MAX];
	struct repo *reader;
};

/* Its packs are there still, so all that it says is believed. */
static void come_late(void *arg)
{
	struct late *l = arg;
	struct timed *s = timed_new(l->t, false);
	struct err e;

	OK(store_put(&s->base, l->name, buf_span(&l->object), 0, &e));
	store_close(&s->base);
	OK(repo_index_load(l->reader, true, &e));
}

/* The only index that names the first snapshot's packs. */
static void take_away(struct t *t, struct late *l)
{
	struct timed *s = timed_new(t, false);
	struct repo *r = open_timed(t, s, NULL);
	struct id_list ids = make_list(r, FORMAT_INDEX);
	struct err e;

	assert_int_equal(ids.n, 1);
	repo_object_name(l->name, FORMAT_INDEX, &ids.v[0]);
	OK(store_get_all(&s->base, l->name, 1 << 20, &l->object, &e));
	OK(store_del(&s->base, l->name, &e));
	id_list_fini(&ids);
	repo_close(r);
}

static void who_read_a_late_index_before_its_packs_went_relies_on_none(void **state)
{
	struct late late = {0};
	struct prune_params p = {.max_unused = 100};
	struct prune_result res;
	struct timed *s;
	struct repo *r;
	struct err e;
	char *other;
	struct t t;

	begin(&t);
	late.t = &t;
	take_away(&t, &late);
	back_up(&t, t.w.cache, NULL);
	s = timed_new(&t, false);
	r = open_timed(&t, s, NULL);
	OK(world_forget(r, &t.first, &e));
	now_ns += 25 * HOUR;
	assert_true(prune_once(&t).packs_marked > 0);
	now_ns += 60 * HOUR;
	other = mem_printf("%s/other", t.w.dir);
	late.reader = open_timed(&t, timed_new(&t, false), other);
	s->moment = "notes/"; /* when all is read, and nothing deleted */
	s->then = come_late;
	s->arg = &late;
	s->survives = true;
	OK(op_prune(r, &p, &t.w.ctx, &res, &e));
	assert_true(s->moment == NULL && res.packs_deleted > 0);
	repo_close(r);
	repo_close(late.reader);
	is_stored_again(&t, other);
	buf_fini(&late.object);
	free(other);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_backup_beside_a_slow_repair_and_a_prune_is_whole),
	    cmocka_unit_test(what_a_slow_repair_named_is_cleared_and_then_its_mark),
	    cmocka_unit_test(a_mark_outlives_its_packs_until_a_tombstone_is_seen),
	    cmocka_unit_test(who_read_a_late_index_before_its_packs_went_relies_on_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
