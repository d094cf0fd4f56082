/* Logs beside snapshots: what prune keeps of them, what check and copy make of them. */
#include "../repo/make_repo.h"

#include <unistd.h>

#include "engine/forget_log.h"
#include "engine/op_check.h"
#include "engine/op_log.h"
#include "engine/op_prune.h"
#include "repo/log.h"
#include "repo/repo_parity.h"
#include "repo/log_internal.h"
#include "repo/snapshot.h"

enum { N = 100 }; /* bytes of a stretch */

struct t {
	struct ctx ctx;
	struct make_events events;
	char place[32];
	struct repo *r;
	uint8_t stream[LOG_STREAM];
};

static void begin(struct t *t)
{
	memset(t, 0, sizeof *t);
	make_ctx(&t->ctx, &t->events);
	t->r = make_repo(&t->ctx, t->place, NULL);
	log_stream(t->r, "orders", "pg", t->stream);
}

static void put(struct t *t, uint32_t timeline, uint64_t start, uint64_t end)
{
	struct log_piece p = {.timeline = timeline, .start = start, .end = end};
	enum log_put_outcome out;
	struct buf b = {0};
	struct err e;

	for (uint64_t i = start; i < end; i++)
		buf_put_u8(&b, (uint8_t)(i * 7));
	p.bytes = buf_span(&b);
	memcpy(p.stream, t->stream, LOG_STREAM);
	OK(log_put(t->r, &p, &out, &e));
	buf_fini(&b);
}

/* Other bytes than what is there, as former programs kept them: put while all that is away. */
static void put_beside(struct t *t, uint32_t timeline, uint64_t start, uint64_t end)
{
	struct log_piece p = {.timeline = timeline, .start = start, .end = end};
	char name[8][LOG_NAME_MAX];
	enum log_put_outcome out;
	struct buf away[8] = {{0}}, b = {0};
	struct log_at *v;
	struct err e;
	size_t n;

	OK(log_list(t->r, t->stream, &v, &n, &e));
	assert_true(n <= 8);
	for (size_t i = 0; i < n; i++) {
		log_name(name[i], t->stream, &v[i]);
		OK(store_get_all(t->r->store, name[i], v[i].size, &away[i], &e));
		OK(store_del(t->r->store, name[i], &e));
	}
	memset(buf_extend(&b, end - start), 0x55, end - start);
	p.bytes = buf_span(&b);
	memcpy(p.stream, t->stream, LOG_STREAM);
	OK(log_put(t->r, &p, &out, &e));
	for (size_t i = 0; i < n; i++) {
		OK(store_put(t->r->store, name[i], buf_span(&away[i]), STORE_NEW, &e));
		buf_fini(&away[i]);
	}
	free(v);
	buf_fini(&b);
}

/* A backup that needs the log from there to there, and ended so many seconds ago. */
static void base(struct t *t, uint64_t start, uint64_t end, int64_t ago_s, uint64_t sequence)
{
	struct snapshot *s = mem_zalloc(sizeof *s);
	struct err e;

	s->end_ns = s->start_ns = repo_now(t->r) - ago_s * INT64_C(1000000000);
	s->deadline_ns = repo_now(t->r) + INT64_C(3600000000000);
	s->sequence = sequence;
	s->host = mem_strdup("h");
	s->user = mem_strdup("u");
	s->system = mem_strdup("orders");
	s->parts = mem_zalloc(sizeof *s->parts);
	s->nparts = 1;
	s->parts[0].name = mem_strdup("pg");
	s->parts[0].kind = mem_strdup("postgresql");
	s->parts[0].outcome = SNAPSHOT_FAILED;
	s->parts[0].has_log = true;
	s->parts[0].timeline = 1;
	s->parts[0].log_start = start;
	s->parts[0].log_end = end;
	memcpy(s->parts[0].stream, t->stream, LOG_STREAM);
	OK(snapshot_put(t->r, s, &e));
	snapshot_free(s);
}

/* Prune; what is left of the log, as "0-100 200-300". */
static const char *left(struct t *t, int64_t keep_s, bool dry_run)
{
	static char text[1024];
	const struct prune_log_rule rule = {"orders", keep_s * INT64_C(1000000000)};
	struct prune_params p = {
	    .exclusive = true, .dry_run = dry_run, .logs = &rule, .nlogs = keep_s != 0};
	struct prune_result out;
	struct log_at *v;
	struct err e;
	size_t n, k = 0;

	OK(op_prune(t->r, &p, &t->ctx, &out, &e));
	OK(log_list(t->r, t->stream, &v, &n, &e));
	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		if (v[i].kind == LOG_SEGMENT)
			k += (size_t)snprintf(text + k, sizeof text - k, "%s%d-%d", k ? " " : "",
			    (int)v[i].start, (int)v[i].end);
	free(v);
	return text;
}

static void prune_keeps_what_brings_back_any_moment_of_the_retention(void **state)
{
	struct t t;

	begin(&t);
	for (uint64_t i = 0; i < 10; i++)
		put(&t, 1, i * N, (i + 1) * N);
	/* No backup names it: one may be on its way. */
	assert_string_equal(left(&t, 0, false), "0-100 100-200 200-300 300-400 400-500 500-600 "
						"600-700 700-800 800-900 900-1000");
	base(&t, 110, 190, 900, 1);
	base(&t, 450, 520, 600, 2);
	base(&t, 730, 760, 300, 3);
	assert_string_equal(left(&t, 0, true), "0-100 100-200 200-300 300-400 400-500 500-600 "
					       "600-700 700-800 800-900 900-1000");
	/* Without a retention the oldest backup decides. */
	assert_string_equal(left(&t, 0, false),
	    "100-200 200-300 300-400 400-500 500-600 600-700 700-800 800-900 900-1000");
	/* All is young. */
	assert_string_equal(left(&t, 3600, false),
	    "100-200 200-300 300-400 400-500 500-600 600-700 700-800 800-900 900-1000");
	repo_close(t.r);
}

static void what_only_old_backups_need_is_kept_apart(void **state)
{
	struct log_view v;
	struct snapshot_list all;
	struct err e;
	struct t t;

	begin(&t);
	for (uint64_t i = 0; i < 10; i++)
		put(&t, 1, i * N, (i + 1) * N);
	base(&t, 110, 190, 900, 1);
	base(&t, 450, 520, 600, 2);
	base(&t, 730, 760, 300, 3);
	/* Of what was stored this moment nothing is older than that, but by its own clock. */
	usleep(1100000);
	assert_string_equal(left(&t, 1, false), "100-200 400-500 500-600 700-800 800-900 900-1000");
	OK(snapshot_load_all(t.r, &all, &e));
	OK(log_view_make(t.r, t.stream, &all, &v, &e));
	assert_int_equal(v.nspans, 3);
	assert_int_equal(v.gaps, 0);
	assert_int_equal(v.spans[1].gap, LOG_BETWEEN);
	assert_int_equal(v.spans[2].gap, LOG_BETWEEN);
	assert_true(v.window.any && v.window.to == 1000);
	assert_true(v.window.from_ns == v.bases[2].ended_ns);
	log_view_fini(&v);
	snapshot_list_fini(&all);
	repo_close(t.r);
}

/* Which of the bases stay, as "1011", where a policy keeps those of `policy`. */
static const char *spared(struct t *t, const char *policy, const uint64_t (*at)[2])
{
	static char text[16];
	struct snapshot_part part[8];
	struct snapshot s[8];
	struct forget_decision d[8];
	size_t n = strlen(policy);
	struct err e;

	assert_true(n <= 8);
	for (size_t i = 0; i < n; i++) {
		part[i] = (struct snapshot_part){.outcome = SNAPSHOT_COMPLETE,
		    .has_log = true,
		    .timeline = 1,
		    .log_start = at[i][0],
		    .log_end = at[i][1]};
		memcpy(part[i].stream, t->stream, LOG_STREAM);
		s[i] = (struct snapshot){.parts = &part[i], .nparts = 1};
		d[i] = (struct forget_decision){.snapshot = &s[i], .keep = policy[i] == '1'};
	}
	OK(forget_log_spare(t->r, d, n, &e));
	for (size_t i = 0; i < n; i++)
		text[i] = d[i].keep ? '1' : '0';
	text[n] = '\0';
	return text;
}

/* 100-200 is missing; nothing but what the backup brought is at 800. */
static void the_first_base_behind_a_gap_is_not_forgotten(void **state)
{
	static const uint64_t at[][2] = {{10, 90}, {210, 220}, {310, 320}, {410, 420}, {810, 890}};
	struct t t;

	(void)state;
	begin(&t);
	put(&t, 1, 0, 100);
	put(&t, 1, 200, 500);
	put(&t, 1, 500, 600);
	put(&t, 1, 800, 900);
	assert_string_equal(spared(&t, "10010", at), "11010");
	assert_string_equal(spared(&t, "11010", at), "11010");
	assert_string_equal(
	    spared(&t, "00010", at), "00010"); /* before all that stays, or no more of the log */
	put(&t, 1, 100, 200);
	assert_string_equal(spared(&t, "10010", at), "10010");
	repo_close(t.r);
}

/* Where a segment is stored in pieces, all of them are the backup's own: its facts say how large
 * one is.
 */
static void a_segment_in_pieces_is_no_more_of_the_log(void **state)
{
	static const uint64_t M = 1 << 20;
	char facts[] =
	    "{\"postgresql\":{\"name\":\"\\\"segment_size\\\":4\",\"segment_size\":2097152}}";
	char standby[] = "{\"postgresql\":{\"segment_size\":2097152,\"standby\":true}}";
	struct snapshot_part part[2] = {
	    {.outcome = SNAPSHOT_COMPLETE, .has_log = true, .timeline = 1, .log_end = 90},
	    {.outcome = SNAPSHOT_COMPLETE,
		.has_log = true,
		.timeline = 1,
		.log_start = 4 * M + 10,
		.log_end = 4 * M + 90}};
	struct snapshot s[2] = {{.parts = &part[0], .nparts = 1}, {.parts = &part[1], .nparts = 1}};
	struct forget_decision d[2] = {
	    {.snapshot = &s[0], .keep = true}, {.snapshot = &s[1], .keep = false}};
	struct snapshot *all[2] = {&s[0], &s[1]};
	const struct snapshot_list list = {.v = all, .n = 2};
	char name[LOG_NAME_MAX];
	struct log_view v;
	struct log_at *at;
	struct err e;
	size_t n;
	struct t t;

	(void)state;
	begin(&t);
	for (size_t i = 0; i < 2; i++) {
		memcpy(part[i].stream, t.stream, LOG_STREAM);
		put(&t, 1, 4 * i * M, (4 * i + 1) * M);
		put(&t, 1, (4 * i + 1) * M, (4 * i + 2) * M);
	}
	OK(log_view_make(t.r, t.stream, &list, &v, &e));
	assert_int_equal(v.gaps, 1);
	log_view_fini(&v);
	part[0].facts = part[1].facts = facts;
	assert_true(log_base_stop(&part[1]) == 6 * M);
	OK(log_view_make(t.r, t.stream, &list, &v, &e));
	assert_int_equal(v.gaps, 0);
	log_view_fini(&v);
	OK(forget_log_spare(t.r, d, 2, &e));
	assert_false(d[1].keep);
	part[1].facts = NULL;
	OK(forget_log_spare(t.r, d, 2, &e));
	assert_true(d[1].keep);
	/* A standby's backup brought none of them. */
	d[1].keep = false;
	part[1].facts = standby;
	assert_true(log_base_stop(&part[1]) == part[1].log_end);
	OK(forget_log_spare(t.r, d, 2, &e));
	assert_true(d[1].keep);
	part[0].facts = standby;
	OK(log_view_make(t.r, t.stream, &list, &v, &e));
	assert_int_equal(v.gaps, 1);
	log_view_fini(&v);
	/* What was received on and broke off within it is none of it either. */
	part[0].facts = part[1].facts = facts;
	OK(log_list(t.r, t.stream, &at, &n, &e));
	OK(repo_del_named(t.r, log_name(name, t.stream, &at[1]), &e));
	free(at);
	put(&t, 1, M, M + 500);
	OK(log_view_make(t.r, t.stream, &list, &v, &e));
	assert_int_equal(v.gaps, 1);
	log_view_fini(&v);
	repo_close(t.r);
}

/* It reads no names and no content: heads say what is needed, and what is part of a whole one only
 * where whole cuts say so. */
static void a_maintenance_key_prunes_logs(void **state)
{
	static const uint8_t other[32] = {8, 8};
	struct repo_key_params kp = {.cred = {true, span_of(other, 32)}, .role = ROLE_MAINTENANCE};
	struct repo_cred cred = {true, span_of(other, 32)};
	struct repo *full;
	struct id id;
	struct err e;
	struct t t;

	begin(&t);
	for (uint64_t i = 0; i < 4; i++)
		put(&t, 1, i * N, (i + 1) * N);
	base(&t, 210, 290, 900, 1);
	put(&t, 1, 290, 350);
	put(&t, 1, 350, 390);
	put(&t, 1, 390, 410);
	put(&t, 1, 290, 410);
	put(&t, 2, 0, FORMAT_LOG_CUT);
	put(&t, 2, 0, FORMAT_LOG_CUT + 5);
	OK(repo_key_add(t.r, &kp, &id, &e));
	full = t.r;
	OK(repo_open(make_store(t.place, false), &cred, NULL, &t.ctx, &t.r, &e));
	assert_string_equal(left(&t, 0, false), "200-300 290-410 300-400 390-410 0-2097157");
	repo_close(t.r);
	repo_close(full);
}

static void small_stretches_go_once_a_whole_one_covers_them(void **state)
{
	char name[LOG_NAME_MAX];
	struct log_at *v;
	struct err e;
	size_t n;
	struct t t;

	begin(&t);
	base(&t, 0, 10, 100, 1);
	put(&t, 1, 0, 10);
	put(&t, 1, 10, 55);
	put(&t, 1, 55, 100);
	put(&t, 1, 0, 100);
	put(&t, 1, 90, 130); /* it goes farther */
	put(&t, 2, 20, 30);  /* another's */
	assert_string_equal(left(&t, 0, false), "0-100 90-130 20-30");
	/* What does not say itself that it is a whole one covers nothing. */
	put(&t, 3, 0, 10);
	put(&t, 3, 10, 55);
	put(&t, 3, 55, 100);
	put(&t, 3, 0, 100);
	OK(log_list(t.r, t.stream, &v, &n, &e));
	for (size_t i = 0; i < n; i++)
		if (v[i].timeline == 3 && v[i].end == 100 && v[i].start == 0)
			make_damage(
			    t.r->store, log_name(name, t.stream, &v[i]), v[i].size - 100, 1);
	free(v);
	assert_string_equal(left(&t, 0, false), "0-100 90-130 20-30 0-10 0-100 10-55 55-100");
	repo_close(t.r);
}

/* Another server's, or one whose frames are rotten, takes no good one's place. */
static void a_whole_one_covers_only_what_it_holds(void **state)
{
	struct pack_dir dir = {0};
	struct buf hold = {0};
	struct index_pack desc;
	char name[LOG_NAME_MAX];
	struct log_at *v;
	struct err e;
	size_t n;

	for (int rotten = 0; rotten < 2; rotten++) {
		struct t t;

		begin(&t);
		base(&t, 0, 10, 100, 1);
		put(&t, 1, 0, 10);
		put(&t, 1, 10, 55);
		put(&t, 1, 55, 100);
		if (rotten)
			put(&t, 1, 0, 100);
		else
			put_beside(&t, 1, 0, 100);
		OK(log_list(t.r, t.stream, &v, &n, &e));
		assert_int_equal(n, 4);
		assert_true(v[1].start == 0 && v[1].end == 100);
		if (rotten) {
			log_name(name, t.stream, &v[1]);
			OK(pack_read_directory_of(
			    t.r, FORMAT_LOG, name, v[1].size, &dir, &hold, &desc, &e));
			make_damage(t.r->store, name, desc.first_off + FORMAT_BOX_HEAD, 1);
			/* It says no less what it is. */
			OK(log_read_dir(t.r, t.stream, &v[1], &dir, &e));
			assert_int_equal(dir.nblobs, 1);
		}
		free(v);
		assert_string_equal(left(&t, 0, false), "0-10 0-100 10-55 55-100");
		repo_close(t.r);
	}
	pack_dir_fini(&dir);
	buf_fini(&hold);
}

static void a_gap_and_a_backup_that_lacks_its_log_are_found(void **state)
{
	struct check_params p = {.read_data = true};
	struct check_result out;
	struct log_verify_result done = {0};
	struct snapshot_list all;
	struct log_view v;
	char name[LOG_NAME_MAX];
	struct err e;
	struct t t;

	begin(&t);
	put(&t, 1, 0, 100);
	put(&t, 1, 200, 300);
	base(&t, 10, 90, 100, 1);
	OK(op_check(t.r, &p, &t.ctx, &out, &e));
	assert_int_equal(out.logs, 2);
	assert_int_equal(out.damaged_objects, 0);
	base(&t, 50, 250, 50, 2);
	OK(op_check(t.r, &p, &t.ctx, &out, &e));
	assert_int_equal(out.damaged_objects, 1);
	OK(snapshot_load_all(t.r, &all, &e));
	OK(log_view_make(t.r, t.stream, &all, &v, &e));
	assert_int_equal(v.gaps, 2);
	assert_true(!v.bases[1].whole && v.bases[1].missing == 100);
	make_damage(t.r->store, log_name(name, t.stream, &v.at[0]), 200, 4);
	OK(op_log_verify(t.r, &v, &t.ctx, &done, &e));
	assert_int_equal(done.damaged, 1);
	/* What went meanwhile, as a part of a whole one does, is no damage. */
	done = (struct log_verify_result){0};
	OK(repo_del_named(t.r, log_name(name, t.stream, &v.at[1]), &e));
	OK(op_log_verify(t.r, &v, &t.ctx, &done, &e));
	assert_int_equal(done.damaged, 1);
	put(&t, 1, 200, 300);
	assert_int_equal(done.gaps, 2);
	OK(op_check(t.r, &p, &t.ctx, &out, &e));
	assert_int_equal(out.damaged_objects, 2);
	log_view_fini(&v);
	snapshot_list_fini(&all);
	repo_close(t.r);
}

static void two_contents_at_one_place_are_told(void **state)
{
	struct check_params check = {.read_data = true};
	struct log_verify_result got = {0};
	struct snapshot_list none = {0};
	struct check_result out;
	struct log_view v;
	struct err e;
	struct t t;

	begin(&t);
	for (uint64_t i = 0; i < 3; i++)
		put(&t, 1, i * N, (i + 1) * N);
	base(&t, 0, 50, 900, 1);
	OK(log_view_make(t.r, t.stream, &none, &v, &e));
	assert_int_equal(v.divergences, 0);
	log_view_fini(&v);
	put_beside(&t, 1, N, 2 * N);
	OK(log_view_make(t.r, t.stream, &none, &v, &e));
	assert_int_equal(v.divergences, 1);
	assert_true(v.n == 4 && v.beside[2] + v.beside[1] == 1);
	OK(op_log_verify(t.r, &v, &t.ctx, &got, &e));
	assert_true(got.divergences == 1 && got.gaps == 0);
	log_view_fini(&v);
	/* Also where places differ, by content. */
	put(&t, 2, 10, 2 * N); /* not at the head of a page, which it is not */
	put_beside(&t, 2, N + 10, 3 * N);
	memset(&got, 0, sizeof got);
	OK(log_view_make(t.r, t.stream, &none, &v, &e));
	assert_int_equal(v.divergences, 1);
	OK(op_log_verify(t.r, &v, &t.ctx, &got, &e));
	assert_int_equal(got.divergences, 2);
	log_view_fini(&v);
	t.events.n[EVENT_WARNING] = 0;
	OK(op_check(t.r, &check, &t.ctx, &out, &e));
	assert_int_equal(t.events.n[EVENT_WARNING], 1);
	repo_close(t.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(prune_keeps_what_brings_back_any_moment_of_the_retention),
	    cmocka_unit_test(what_only_old_backups_need_is_kept_apart),
	    cmocka_unit_test(the_first_base_behind_a_gap_is_not_forgotten),
	    cmocka_unit_test(a_segment_in_pieces_is_no_more_of_the_log),
	    cmocka_unit_test(a_maintenance_key_prunes_logs),
	    cmocka_unit_test(small_stretches_go_once_a_whole_one_covers_them),
	    cmocka_unit_test(a_whole_one_covers_only_what_it_holds),
	    cmocka_unit_test(a_gap_and_a_backup_that_lacks_its_log_are_found),
	    cmocka_unit_test(two_contents_at_one_place_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
