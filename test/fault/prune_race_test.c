/* A pin that comes while prune is about to delete: one of the two gives way, and tells. */
#include "fault.h"

#include "repo/gone.h"
#include "repo/repo_object.h"

/* A clock that is asked when prune writes what it will delete. */
struct late {
	struct clock clock;
	struct clock *real;
	struct repo *other;
	struct id snapshot;
	int pinned;
};

static int64_t late_wall(struct clock *c)
{
	struct late *l = (struct late *)c;
	struct err e;

	if (l->pinned++ == 0)
		OK(note_put(l->other, &l->snapshot, NOTE_PIN, "", &e));
	return l->real->wall_ns(l->real);
}

static int64_t late_mono(struct clock *c)
{
	struct late *l = (struct late *)c;

	return l->real->mono_ns(l->real);
}

static bool is_there(struct repo *r, const struct id *snapshot)
{
	char name[REPO_NAME_MAX];
	struct store_stat st;
	struct err e;

	repo_object_name(name, FORMAT_SNAPSHOT, snapshot);
	return store_stat(repo_store(r), name, &st, &e) == 0;
}

static void a_pin_that_comes_while_prune_records_saves_its_snapshot(void **state)
{
	struct prune_params p = {.exclusive = true};
	struct prune_result res;
	struct backup_result first, second;
	struct note_list notes;
	struct late late = {.clock = {late_wall, late_mono}};
	struct ctx ctx;
	struct world w;
	char place[32];
	struct repo *r;
	struct err e;

	world_begin(&w);
	r = make_repo(&w.ctx, place, w.cache);
	OK(world_backup(&w, r, &first, &e));
	world_fill(&w, 2000);
	OK(world_backup(&w, r, &second, &e));
	OK(world_forget(r, &first.snapshot, &e));
	late.real = os_clock_of(&w.ctx);
	late.other = open_repo(&w.ctx, place, w.cache);
	late.snapshot = first.snapshot;
	ctx = w.ctx;
	ctx.clock = &late.clock;
	late.pinned = -1; /* the first question is prune's own */
	repo_set_ctx(r, &ctx);
	FAILS(op_prune(r, &p, &ctx, &res, &e), ERR_BUSY);
	repo_set_ctx(r, &w.ctx);
	assert_true(late.pinned > 0);
	assert_true(is_there(r, &first.snapshot));
	/* What it had said it would delete is taken back. */
	OK(note_load_all(r, &notes, &e));
	for (size_t i = 0; i < notes.n; i++)
		assert_false(gone_is(&notes.v[i]));
	note_list_fini(&notes);
	OK(op_prune(r, &p, &w.ctx, &res, &e));
	assert_true(is_there(r, &first.snapshot));
	world_check(&w, r, "afterwards");
	repo_close(late.other);
	repo_close(r);
	world_end(&w);
}

static void who_protects_what_a_prune_is_deleting_is_told(void **state)
{
	struct snapshot_list l;
	struct backup_result res;
	struct gone gone = {0};
	struct world w;
	struct id note;
	char place[32];
	struct author by;
	struct repo *r;
	struct err e;

	world_begin(&w);
	r = make_repo(&w.ctx, place, w.cache);
	OK(world_backup(&w, r, &res, &e));
	OK(snapshot_load_all(r, &l, &e));
	by = snapshot_author(l.v[0]);
	gone_add(&gone, &by, l.v[0]->sequence, l.v[0]->sequence);
	OK(gone_put(r, &gone, &note, &e));
	OK(note_add(r, l.v[0], NOTE_TAG, "x", &e));
	FAILS(note_add(r, l.v[0], NOTE_PIN, "", &e), ERR_BUSY);
	FAILS(note_add(r, l.v[0], NOTE_RELEASE, "", &e), ERR_BUSY);
	OK(gone_withdraw(r, &note, &e));
	OK(note_add(r, l.v[0], NOTE_PIN, "", &e));
	gone_fini(&gone);
	snapshot_list_fini(&l);
	repo_close(r);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_pin_that_comes_while_prune_records_saves_its_snapshot),
	    cmocka_unit_test(who_protects_what_a_prune_is_deleting_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
