/* The grammar of SNAPSHOT, and what is a candidate. */
#include "engine/select.h"

#include <time.h>

#include "engine/op_forget.h"
#include "engine/op_tree.h"
#include "engine_unit.h"
#include "repo/note.h"

static const int64_t SEC = 1000000000;

/* A snapshot of nothing, dated as wanted. */
static struct id put(struct world *w, const char *host, const char *system, int64_t start_ns)
{
	struct snapshot s = {.start_ns = start_ns,
	    .end_ns = start_ns,
	    .host = (char *)host,
	    .user = (char *)"u",
	    .system = (char *)system};
	char *paths[] = {(char *)"/data"};
	struct snapshot_part part = {
	    .name = (char *)"files", .kind = (char *)"files", .paths = paths, .npaths = 1};
	struct err e;

	s.parts = &part;
	s.nparts = 1;
	snapshot_group(w->repo, host, system, (const char *const *)paths, 1, s.group);
	OK(snapshot_put(w->repo, &s, &e));
	return s.id;
}

/* The error's kind, or ERR_NONE with what was found. */
static enum err_kind pick(struct world *w, const char *spec, const struct select_filter *f,
    bool one_group, const struct id *want, const char *want_path, struct err *e)
{
	struct snapshot *s = NULL;
	char *path = NULL;

	err_clear(e);
	if (select_one(w->repo, spec, f, one_group, &w->ctx, &s, &path, e) == -1) {
		assert_null(s);
		assert_null(path);
		return e->kind;
	}
	if (want != NULL && !id_eq(&s->id, want))
		fail_msg("%s: another snapshot", spec);
	if (want_path != NULL)
		assert_string_equal(path, want_path);
	snapshot_free(s);
	free(path);
	return ERR_NONE;
}

static int64_t at(int y, int mo, int d, int h, int mi, int s)
{
	struct tm tm = {.tm_year = y - 1900,
	    .tm_mon = mo - 1,
	    .tm_mday = d,
	    .tm_hour = h,
	    .tm_min = mi,
	    .tm_sec = s};

	return (int64_t)timegm(&tm) * SEC;
}

static void spec_is_read_as_the_manual_says(void **state)
{
	struct world *w = world_new("mem:select-grammar");
	struct id a = put(w, "h", NULL, at(2025, 11, 20, 9, 41, 30));
	struct id b = put(w, "h", NULL, at(2025, 11, 21, 9, 41, 30));
	struct id c = put(w, "h", "orders-db", at(2025, 11, 19, 0, 0, 0));
	char hex[ID_HEX], spec[200];
	struct err e;

	setenv("TZ", "UTC-1", 1); /* one hour east */
	tzset();
	assert_int_equal(pick(w, "latest", NULL, false, &b, "/", &e), ERR_NONE);
	assert_int_equal(pick(w, "latest:/etc//x/", NULL, false, &b, "/etc/x", &e), ERR_NONE);
	assert_int_equal(pick(w, "latest:/", NULL, false, &b, "/", &e), ERR_NONE);
	assert_int_equal(pick(w, "latest:orders-db", NULL, true, &c, "/", &e), ERR_NONE);
	assert_int_equal(
	    pick(w, "latest:orders-db:/base/1:/2", NULL, true, &c, "/base/1:/2", &e), ERR_NONE);
	/* Local time: 10:41 there is 09:41 UTC; a minute is all of it. */
	assert_int_equal(pick(w, "2025-11-21 10:41:/etc", NULL, false, &b, "/etc", &e), ERR_NONE);
	assert_int_equal(pick(w, "2025-11-21 10:40", NULL, false, &a, "/", &e), ERR_NONE);
	assert_int_equal(pick(w, "2025-11-21", NULL, false, &b, "/", &e), ERR_NONE);
	assert_int_equal(pick(w, "2025-11-20", NULL, false, &a, "/", &e), ERR_NONE);
	assert_int_equal(
	    pick(w, "2025-11-21T10:41:29+01:00:/x", NULL, false, &a, "/x", &e), ERR_NONE);
	assert_int_equal(pick(w, "2025-11-21T09:41:30Z", NULL, false, &b, "/", &e), ERR_NONE);
	assert_int_equal(pick(w, "2024-01-01", NULL, false, NULL, NULL, &e), ERR_ABSENT);
	snprintf(spec, sizeof spec, "%.12s:/p", id_hex(hex, &a));
	spec[0] = (char)(spec[0] >= 'a' ? spec[0] - 32 : spec[0]);
	assert_int_equal(pick(w, spec, NULL, true, &a, "/p", &e), ERR_NONE);
	assert_int_equal(pick(w, id_hex(hex, &c), NULL, true, &c, "/", &e), ERR_NONE);
	world_free(w);
}

static void nonsense_is_refused(void **state)
{
	static const char *const bad[] = {"", "abc", "latest:", ":/etc", "newest", "/etc",
	    "latest:/a/../b", "latest:/.", "latest:/..", "09:41", "xyzw",
	    "00000000000000000000000000000000000000000000000000000000000000000"};
	struct world *w = world_new("mem:select-bad");
	struct err e;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (pick(w, bad[i], NULL, false, NULL, NULL, &e) != ERR_USAGE)
			fail_msg("'%s' is not refused as usage: %s", bad[i], e.msg);
	assert_int_equal(pick(w, "latest", NULL, false, NULL, NULL, &e), ERR_ABSENT);
	assert_int_equal(pick(w, "0123abcd", NULL, false, NULL, NULL, &e), ERR_ABSENT);
	world_free(w);
}

static void several_groups_are_listed(void **state)
{
	struct world *w = world_new("mem:select-groups");
	struct id a, b;
	struct select_filter f = {.host = "one"};
	char hex[ID_HEX], id8[9] = "";
	struct err e;

	put(w, "one", NULL, at(2025, 1, 1, 0, 0, 0));
	a = put(w, "one", NULL, at(2025, 1, 2, 0, 0, 0));
	b = put(w, "two", NULL, at(2025, 1, 3, 0, 0, 0));
	assert_int_equal(pick(w, "latest", NULL, false, &b, "/", &e), ERR_NONE);
	assert_int_equal(pick(w, "latest", NULL, true, NULL, NULL, &e), ERR_USAGE);
	memcpy(id8, id_hex(hex, &a), 8);
	assert_non_null(strstr(e.hint, id8));
	memcpy(id8, id_hex(hex, &b), 8);
	assert_non_null(strstr(e.hint, id8));
	assert_non_null(strstr(e.hint, "two /data"));
	assert_int_equal(pick(w, "latest", &f, true, &a, "/", &e), ERR_NONE);
	assert_int_equal(pick(w, "2025-01-02", NULL, true, &a, "/", &e), ERR_NONE);
	assert_int_equal(pick(w, "2025-01-03", NULL, true, NULL, NULL, &e), ERR_USAGE);
	world_free(w);
}

static void many_groups_still_fit_a_hint(void **state)
{
	struct world *w = world_new("mem:select-many");
	char host[16];
	struct err e;

	for (int i = 0; i < 30; i++) {
		snprintf(host, sizeof host, "host-%d", i);
		put(w, host, NULL, at(2025, 1, 1, 0, i, 0));
	}
	assert_int_equal(pick(w, "latest", NULL, true, NULL, NULL, &e), ERR_USAGE);
	assert_non_null(strstr(e.hint, "more"));
	world_free(w);
}

static void forgotten_and_future_ones_are_not_latest(void **state)
{
	struct world *w = world_new("mem:select-future");
	struct id a = put(w, "h", NULL, at(2025, 1, 1, 0, 0, 0));
	struct id gone = put(w, "h", NULL, at(2025, 1, 2, 0, 0, 0));
	struct id future = put(w, "h", NULL, at(2150, 1, 1, 0, 0, 0));
	char hex[ID_HEX];
	struct err e;

	OK(note_put(w->repo, &gone, NOTE_FORGET, "0", &e));
	assert_int_equal(pick(w, "latest", NULL, true, &a, "/", &e), ERR_NONE);
	assert_int_equal(w->warnings, 1);
	assert_int_equal(pick(w, "2151-01-01", NULL, true, &a, "/", &e), ERR_NONE);
	assert_int_equal(pick(w, id_hex(hex, &gone), NULL, true, &gone, "/", &e), ERR_NONE);
	assert_int_equal(pick(w, id_hex(hex, &future), NULL, true, &future, "/", &e), ERR_NONE);
	world_free(w);
}

/* ---- op_forget and op_tag, on the same snapshots. */

static size_t count(struct world *w)
{
	struct select_filter f = {.host = NULL};
	struct select_list l;
	struct err e;
	size_t n;

	OK(select_all(w->repo, &f, &w->ctx, &l, &e));
	n = l.n;
	select_list_fini(&l);
	return n;
}

static void forget_works_by_group_and_spares_pins(void **state)
{
	struct world *w = world_new("mem:select-forget");
	struct forget_params p = {.policy = {.last = 1}, .dry_run = true};
	struct forget_result r;
	struct id pinned;
	struct err e;

	pinned = put(w, "one", NULL, at(2025, 1, 1, 0, 0, 0));
	put(w, "one", NULL, at(2025, 1, 2, 0, 0, 0));
	put(w, "one", NULL, at(2025, 1, 3, 0, 0, 0));
	put(w, "two", NULL, at(2025, 1, 1, 0, 0, 0));
	OK(note_put(w->repo, &pinned, NOTE_PIN, "", &e));
	OK(op_forget(w->repo, &p, &w->ctx, NULL, NULL, &r, &e));
	assert_int_equal(count(w), 4);
	p.dry_run = false;
	OK(op_forget(w->repo, &p, &w->ctx, NULL, NULL, &r, &e));
	assert_int_equal(r.groups, 2);
	assert_int_equal(r.kept, 3);
	assert_int_equal(r.dropped, 1);
	assert_int_equal(r.refused, 1);
	assert_int_equal(count(w), 3);
	p.policy = (struct forget_policy){.last = 0};
	assert_int_equal(op_forget(w->repo, &p, &w->ctx, NULL, NULL, &r, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	world_free(w);
}

static void policy_never_empties_a_group(void **state)
{
	static const char *const tags[] = {"gold"};
	struct world *w = world_new("mem:select-empty");
	struct forget_params p = {.policy = {.tags = tags, .ntags = 1}};
	struct id id = put(w, "one", NULL, at(2025, 1, 1, 0, 0, 0));
	struct snapshot s = {.id = id}, *v[] = {&s};
	struct forget_result r;
	struct err e;

	put(w, "one", NULL, at(2025, 1, 2, 0, 0, 0));
	put(w, "one", NULL, at(2025, 1, 3, 0, 0, 0));
	OK(op_forget(w->repo, &p, &w->ctx, NULL, NULL, &r, &e));
	assert_int_equal(r.groups_unkept, 1);
	assert_int_equal(r.refused, 0);
	assert_int_equal(count(w), 3);
	OK(op_tag(w->repo, &s, tags, 1, NULL, 0, &w->ctx, &e));
	/* Nor does it drop the newest complete one. */
	OK(op_forget(w->repo, &p, &w->ctx, NULL, NULL, &r, &e));
	assert_int_equal(r.dropped, 1);
	assert_int_equal(count(w), 2);
	/* By name anything goes. */
	p.named = (const struct snapshot *const *)v;
	p.nnamed = 1;
	OK(op_forget(w->repo, &p, &w->ctx, NULL, NULL, &r, &e));
	assert_int_equal(count(w), 1);
	assert_int_equal(op_tag(w->repo, &s, tags, 1, tags, 1, &w->ctx, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(spec_is_read_as_the_manual_says),
	    cmocka_unit_test(nonsense_is_refused),
	    cmocka_unit_test(several_groups_are_listed),
	    cmocka_unit_test(many_groups_still_fit_a_hint),
	    cmocka_unit_test(forgotten_and_future_ones_are_not_latest),
	    cmocka_unit_test(forget_works_by_group_and_spares_pins),
	    cmocka_unit_test(policy_never_empties_a_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
