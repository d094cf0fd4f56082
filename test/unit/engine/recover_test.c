/* recover: what is meant, which base backup, how far the log reaches; without a server. */
#include "unit/engine/engine_unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/recover_internal.h"
#include "engine/recover_line.h"
#include "engine/recover_only.h"
#include "engine/recover_plan.h"
#include "engine/recover_target.h"
#include "os/os.h"
#include "os/os_scratch.h"

enum { MIB = 1 << 20 };

#define SEG (UINT64_C(16) * MIB)

static struct recover_target parsed(const char *text)
{
	struct recover_target t;
	struct err e;

	if (recover_target_parse(text, &t, &e) == -1)
		fail_msg("%s: %s", text, e.msg);
	return t;
}

static void a_target_is_what_was_meant(void **state)
{
	static const char *const wrong[] = {"", "xid:", "xid:2", "xid:4294967296", "xid:12x",
	    "lsn:12", "2026-13-01", "2026-11-21 25:00",
	    "name:", "name:0123456789012345678901234567890123456789012345678901234567890123"};
	struct recover_target t;
	struct err e;

	(void)state;
	assert_int_equal(parsed("latest").kind, RECOVER_LATEST);
	assert_int_equal(parsed("immediate").kind, RECOVER_IMMEDIATE);
	assert_int_equal(parsed("16/B374D848").kind, RECOVER_LSN);
	assert_true(parsed("lsn:16/B374D848").lsn == UINT64_C(0x16B374D848));
	assert_int_equal(parsed("xid:4294967295").xid, UINT32_MAX);
	assert_string_equal(parsed("before the mistake").name, "before the mistake");
	assert_int_equal(parsed("name:latest").kind, RECOVER_NAME);
	/* An offset of hours, as PostgreSQL writes it. */
	t = parsed("2026-11-21 09:41:07.123456+01");
	assert_int_equal(t.kind, RECOVER_TIME);
	assert_true(t.time_us == INT64_C(1795250467123456));
	assert_true(parsed("2026-11-21T08:41:07.123456Z").time_us == t.time_us);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		if (recover_target_parse(wrong[i], &t, &e) != -1)
			fail_msg("'%s' was taken", wrong[i]);
		assert_int_equal(e.kind, ERR_USAGE);
	}
}

static void settings_say_it_and_go_away_again(void **state)
{
	/* Whoever set these for himself has them again afterwards. */
	static const char mine[] = "# Do not edit\nwork_mem = '4MB'\nrestore_command = 'old %p'\n"
				   "recovery_target_xid = '5'\nwal_recycle = 'off'";
	struct recover_settings s = {.to = parsed("name:it's \\ mine"),
	    .timeline = 3,
	    .restore_command = "sh x %f",
	    .major = 15};
	struct buf b = {0}, back = {0};
	const char *target;

	(void)state;
	buf_printf(&b, "%s\n", mine);
	recover_settings_text(&s, &b);
	target = strstr(buf_cstr(&b), "recovery_target_name = 'it''s \\\\ mine'\n");
	assert_non_null(target);
	/* No other target stands beside it, and none after it. */
	assert_non_null(strstr((char *)b.p, "recovery_target_xid = ''\n"));
	assert_null(strstr(target, "= ''\n"));
	assert_non_null(strstr((char *)b.p, "recovery_target_timeline = '3'\n"));
	assert_non_null(strstr((char *)b.p, "recovery_target_action = 'promote'\n"));
	recover_settings_strip((char *)b.p, &back);
	assert_memory_equal(back.p, mine, sizeof mine - 1);
	assert_int_equal(back.n, sizeof mine);
	/* A mark without its end takes nothing with it. */
	*strstr((char *)b.p, "# to here") = 'x';
	buf_reset(&back);
	recover_settings_strip((char *)b.p, &back);
	assert_non_null(strstr(buf_cstr(&back), "restore_command = 'sh x %f'\n"));
	/* What is shown is not read before it is used: most of it stands in the log. */
	assert_null(strstr((char *)b.p, "recovery_prefetch"));
	buf_reset(&b);
	s.shown = true;
	recover_settings_text(&s, &b);
	assert_non_null(strstr(buf_cstr(&b), "recovery_prefetch = 'off'\n"));
	/* To the latest there is no target: only then does PostgreSQL go to the end. */
	buf_reset(&b);
	s.to = parsed("latest");
	recover_settings_text(&s, &b);
	assert_null(strstr(buf_cstr(&b), "recovery_target_action"));
	buf_reset(&b);
	s.to = parsed("2026-11-21 09:41:07.123456+01");
	recover_settings_text(&s, &b);
	assert_non_null(
	    strstr(buf_cstr(&b), "recovery_target_time = '2026-11-21 08:41:07.123456+00'\n"));
	buf_fini(&b);
	buf_fini(&back);
}

static struct recover_line line_of(const char *text, uint32_t timeline)
{
	struct recover_line l;
	struct err e;

	assert_int_equal(recover_line_parse(span_str(text), timeline, &l, &e), 0);
	return l;
}

static void a_history_is_followed_or_refused(void **state)
{
	static const char *const wrong[] = {"1\n", "x\t0/1\n", "1\t0/2000\n1\t0/3000\n",
	    "2\t0/2000\n1\t0/3000\n", "1\t0/3000\n2\t0/2000\n", "5\t0/2000\n", "0\t0/2000\n"};
	struct recover_line l = line_of("# so\n1\t0/3000148\tno target\n\n2\t0/5000000\tat x\n", 4);
	struct err e;

	(void)state;
	assert_int_equal(l.n, 3);
	assert_true(recover_line_has(&l, 1, 0x2000000, 0x3000148));
	assert_false(recover_line_has(&l, 1, 0x2000000, 0x3000149)); /* behind where it was left */
	assert_false(recover_line_has(&l, 3, 0x2000000, 0x3000148));
	assert_true(recover_line_has(&l, 4, 0x6000000, 0x7000000));
	recover_line_fini(&l);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (recover_line_parse(span_str(wrong[i]), 4, &l, &e) != -1)
			fail_msg("'%s' was taken", wrong[i]);
}

static struct log_at stretch(uint32_t timeline, uint64_t start, uint64_t end)
{
	return (struct log_at){
	    .timeline = timeline, .kind = LOG_SEGMENT, .start = start, .end = end};
}

static void a_reach_ends_at_a_gap_and_tells_it(void **state)
{
	struct log_at at[] = {stretch(1, SEG, 2 * SEG), stretch(1, 2 * SEG, 2 * SEG + 100),
	    stretch(1, 2 * SEG + 100, 3 * SEG), stretch(1, 3 * SEG, 3 * SEG + 5000),
	    stretch(1, 4 * SEG, 5 * SEG)};
	struct recover_line l = line_of("", 1);
	struct recover_reach r;
	char name[RECOVER_FILE_NAME];

	(void)state;
	recover_reach_find(&l, at, 5, SEG + 40, SEG, &r);
	assert_int_equal(r.n, 3);
	assert_true(r.end == 3 * SEG + 5000 && r.v[2].end == r.end);
	assert_true(r.gap && r.gap_end == 4 * SEG);
	recover_reach_fini(&r);
	recover_reach_find(&l, at, 4, SEG + 40, SEG, &r);
	assert_false(r.gap);
	recover_reach_fini(&r);
	/* The first byte of the start's segment is needed: its head is there. */
	at[0].start += 10;
	recover_reach_find(&l, at, 5, SEG + 40, SEG, &r);
	assert_int_equal(r.n, 0);
	assert_true(r.end == SEG + 40 && r.gap);
	recover_reach_fini(&r);
	recover_line_fini(&l);
	assert_string_equal(
	    recover_file_name(name, 3, UINT64_C(0x16B3000000), SEG), "0000000300000016000000B3");
}

static void a_reach_goes_over_to_the_next_timeline_where_the_last_was_left(void **state)
{
	/* Timeline 2 was begun in the middle of segment 3, which both have; 1 went on. */
	struct log_at at[] = {stretch(1, 2 * SEG, 3 * SEG), stretch(1, 3 * SEG, 4 * SEG),
	    stretch(1, 4 * SEG, 5 * SEG), stretch(2, 3 * SEG, 4 * SEG),
	    stretch(2, 4 * SEG, 4 * SEG + 9)};
	struct recover_line l = line_of("1\t0/3800000\n", 2), old = line_of("", 1);
	struct recover_reach r;

	(void)state;
	recover_reach_find(&l, at, 5, 2 * SEG, SEG, &r);
	assert_int_equal(r.n, 3);
	assert_int_equal(r.v[0].timeline, 1);
	assert_int_equal(r.v[1].timeline, 2);
	assert_int_equal(r.v[2].timeline, 2);
	assert_true(r.end == 4 * SEG + 9);
	recover_reach_fini(&r);
	recover_reach_find(&old, at, 5, 2 * SEG, SEG, &r);
	assert_true(r.end == 5 * SEG && r.timeline == 1);
	recover_reach_fini(&r);
	/* Without the second's first file the old one is good to where it was left. */
	at[3].start += 5;
	recover_reach_find(&l, at, 4, 2 * SEG, SEG, &r);
	assert_true(r.end == 0x3800000 && r.gap);
	recover_reach_fini(&r);
	recover_line_fini(&l);
	recover_line_fini(&old);
}

static void the_newest_base_that_ended_before_is_chosen(void **state)
{
	const int64_t s = INT64_C(1000000000);
	struct recover_base v[] = {{.timeline = 1, .start = 100, .end = 200, .end_ns = 10 * s},
	    {.timeline = 1, .start = 300, .end = 400, .end_ns = 20 * s},
	    {.timeline = 2, .start = 500, .end = 600, .end_ns = 30 * s},
	    {.timeline = 1, .start = 700, .end = 800, .end_ns = 40 * s}};
	struct recover_line two = line_of("1\t0/1C2\n", 2), one = line_of("", 1);
	struct recover_target latest = {0}, t = {.kind = RECOVER_TIME}, l = {.kind = RECOVER_LSN};

	(void)state;
	assert_ptr_equal(
	    recover_choose(v, 4, &two, &latest), &v[2]); /* 3 is on what was given up */
	assert_ptr_equal(recover_choose(v, 4, &one, &latest), &v[3]);
	t.time_us = 20 * 1000000;
	assert_ptr_equal(recover_choose(v, 4, &two, &t), &v[1]);
	t.time_us--;
	assert_ptr_equal(recover_choose(v, 4, &two, &t), &v[0]);
	t.time_us = 9 * 1000000;
	assert_null(recover_choose(v, 4, &two, &t));
	l.lsn = 399;
	assert_ptr_equal(recover_choose(v, 4, &one, &l), &v[0]);
	recover_line_fini(&two);
	recover_line_fini(&one);
}

static void a_log_that_ended_early_is_no_latest(void **state)
{
	struct recover_plan pl = {.last = {.there = true, .lsn = 0x5000, .end = 0x5022}};
	struct recover_target latest = {0}, at = {.kind = RECOVER_LSN, .lsn = 0x4000};
	struct err e;

	(void)state;
	/* The commit's end, or what came behind it; not its beginning, where what is before ends.
	 */
	assert_false(recover_fell_short(&pl, &latest, 0x5028, &e));
	assert_false(recover_fell_short(&pl, &latest, 0x6000, &e));
	assert_true(recover_fell_short(&pl, &latest, 0x5000, &e));
	assert_int_equal(e.kind, ERR_ABSENT);
	assert_non_null(strstr(e.msg, "0/5000"));
	assert_true(recover_fell_short(&pl, &latest, 0x1000, &e));
	/* What is before it can be had, by its number. */
	assert_false(recover_fell_short(&pl, &at, 0x4000, &e));
	assert_true(recover_fell_short(&pl, &at, 0x3ff8, &e));
	/* Short of any other target the server fails by itself. */
	pl.to.kind = at.kind = RECOVER_TIME;
	assert_false(recover_fell_short(&pl, &at, 0x1000, &e));
	/* Nothing was committed. */
	pl = (struct recover_plan){0};
	assert_false(recover_fell_short(&pl, &latest, 0x1000, &e));
}

static void a_promotion_has_a_bound(void **state)
{
	const int64_t s = INT64_C(1000000000);
	struct recover_stuck k = {0};

	(void)state;
	assert_int_equal(recover_patience(&k, true, 100 * s), RECOVER_GO_ON);
	assert_int_equal(recover_patience(&k, true, 110 * s), RECOVER_GO_ON);
	/* It went on meanwhile. */
	assert_int_equal(recover_patience(&k, false, 114 * s), RECOVER_GO_ON);
	assert_int_equal(recover_patience(&k, true, 120 * s), RECOVER_GO_ON);
	assert_int_equal(recover_patience(&k, true, 136 * s), RECOVER_SAY);
	assert_int_equal(recover_patience(&k, true, 140 * s), RECOVER_GO_ON);
	assert_int_equal(recover_patience(&k, true, 719 * s), RECOVER_GO_ON);
	assert_int_equal(recover_patience(&k, true, 720 * s), RECOVER_GIVE_UP);
}

static void a_promotion_that_cannot_be_asked_for_is_an_error(void **state)
{
	char data[] = "/tmp/hf-recover-XXXXXX", *word;
	struct recovering g = {.data = data};
	struct err e;

	(void)state;
	assert_non_null(mkdtemp(data));
	word = mem_printf("%s/promote", data);
	os_fault_arm(1, ENOSPC);
	assert_int_equal(recover_put_promote(&g, &e), -1);
	assert_true(os_fault_fired());
	assert_int_equal(e.kind, ERR_NO_SPACE);
	assert_non_null(strstr(e.msg, word));
	assert_int_equal(recover_put_promote(&g, &e), 0);
	assert_int_equal(recover_put_promote(&g, &e), 0); /* not heard yet */
	assert_int_equal(unlink(word), 0);
	assert_int_equal(rmdir(data), 0);
	free(word);
}

static void names_are_taken_apart_or_refused(void **state)
{
	static const char *const wrong[] = {
	    "", ".", "a.", ".b", "a..b", "a.b.c.d", "\"a", "a.\"b", "\"a\"b", "\"\".b"};
	struct recover_names n;
	struct err e;

	(void)state;
	assert_int_equal(recover_names_parse("a.\"b.\"\"c\".d", &n, &e), 0);
	assert_string_equal(n.database, "a");
	assert_string_equal(n.schema, "b.\"c");
	assert_string_equal(n.table, "d");
	recover_names_fini(&n);
	assert_int_equal(recover_names_parse("a", &n, &e), 0);
	assert_null(n.schema);
	recover_names_fini(&n);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (recover_names_parse(wrong[i], &n, &e) != -1)
			fail_msg("'%s' was taken", wrong[i]);
}

static void a_password_stands_in_no_argument(void **state)
{
	static const char *const typed[] = {"postgresql://me:s%20cret@h:1/db?sslmode=require",
	    "postgresql://h/db?password=s%20cret&user=me", "host=h dbname=db password='s cret'",
	    "postgres://me:s%20cret@%2Ftmp/db"};
	struct pg_conninfo i;
	struct err e;

	(void)state;
	for (size_t n = 0; n < sizeof typed / sizeof *typed; n++) {
		assert_int_equal(pg_conninfo_parse(typed[n], &i, &e), 0);
		assert_string_equal(i.env, "PGPASSWORD=s cret");
		assert_null(strstr(i.text, "cret"));
		assert_null(strstr(i.shown, "cret"));
		assert_non_null(strstr(i.text, "dbname='db'"));
		pg_conninfo_fini(&i);
	}
	assert_int_equal(pg_conninfo_parse("service=it's", &i, &e), 0);
	assert_string_equal(i.text, "service='it\\'s'");
	assert_string_equal(i.shown, "service=it's");
	assert_null(i.env);
	pg_conninfo_fini(&i);
	assert_int_equal(pg_conninfo_parse("orders", &i, &e), 0);
	assert_string_equal(i.text, "orders");
	pg_conninfo_fini(&i);
	assert_int_equal(pg_conninfo_parse("postgresql://me:s%2@h/db", &i, &e), -1);
	assert_null(strstr(e.msg, "s%2"));
	assert_int_equal(pg_conninfo_parse("host=h sslpassword=secret", &i, &e), -1);
	assert_null(strstr(e.msg, "secret"));
}

/* Across the heads of pages, of which a segment's first one is larger. */
static void a_record_goes_on_behind_the_heads_of_pages(void **state)
{
	(void)state;
	assert_int_equal(recover_byte_at(SEG + 40, 0, SEG), SEG + 40);
	assert_int_equal(recover_byte_at(SEG + 8176, 15, SEG), SEG + 8191);
	assert_int_equal(recover_byte_at(SEG + 8176, 16, SEG), SEG + 8192 + 24);
	assert_int_equal(recover_byte_at(SEG + 8176, 20, SEG), SEG + 8192 + 28);
	assert_int_equal(recover_byte_at(2 * SEG - 8, 7, SEG), 2 * SEG - 1);
	assert_int_equal(recover_byte_at(2 * SEG - 8, 8, SEG), 2 * SEG + 40);
	assert_int_equal(recover_byte_at(2 * SEG - 8, 8 + 8152, SEG), 2 * SEG + 8192 + 24);
}

/* A scratch server writes nowhere else, even where nothing is. */
static void an_empty_folder_is_taken_for_a_tablespace_but_not_by_a_scratch_server(void **state)
{
	struct err e;
	char *folder = os_scratch_new("/var/tmp", "holdfast-recovertest", &e);
	struct recover_base one = {.start = SEG};
	struct buf main = {0};

	(void)state;
	assert_non_null(folder);
	buf_put(&main, "\x01\x40\0\0", 4);
	buf_put(&main, folder, strlen(folder) + 1);
	for (int scratch = 0; scratch <= 1; scratch++) {
		struct wal_record r = {
		    .lsn = SEG + 80, .rmgr = WAL_RMGR_TBLSPC, .main = buf_span(&main)};
		struct recover_params p = {.scratch = scratch};
		struct recover_result out = {0};
		struct recovering g = {.p = &p, .out = &out, .data = (char *)"/none"};

		g.pl.base = &one;
		g.pl.stop = UINT64_MAX;
		assert_int_equal(recover_watch(&g, &r, &e), scratch ? -1 : 0);
		assert_true(out.met_space == (bool)scratch);
		assert_int_equal(g.nlater, !scratch);
		for (size_t i = 0; i < g.nlater; i++)
			free(g.later[i]);
		free(g.later);
	}
	buf_fini(&main);
	assert_int_equal(os_scratch_remove(folder, &e), 0);
	free(folder);
}

/* Both the base and the log have it: it goes where it was put, and its record to nowhere. */
static void a_tablespace_of_the_base_that_the_log_makes_again_stays_where_it_was_put(void **state)
{
	struct err e;
	char *folder = os_scratch_new("/var/tmp", "holdfast-recovertest", &e);
	char *full = mem_printf("%s/PG_15", folder);
	struct recover_base one = {.start = SEG};
	struct buf main = {0};

	(void)state;
	assert_int_equal(os_mkdirs(full, 0700, &e), 0);
	buf_put(&main, "\x01\x40\0\0/none/of/it", 16);
	for (int looked = 0; looked <= 1; looked++) {
		struct recover_space space = {.oid = 0x4001, .mapped = true, .location = folder};
		struct wal_record r = {.lsn = SEG + 80,
		    .size = 24 + 16,
		    .rmgr = WAL_RMGR_TBLSPC,
		    .main = buf_span(&main)};
		struct recover_params p = {.scratch = true, .delta = true};
		struct recover_result out = {0};
		struct recovering g = {.p = &p, .out = &out, .spaces = &space, .nspaces = 1};

		g.data = (char *)"/none";
		g.pl.base = &one;
		g.pl.stop = UINT64_MAX;
		g.pl.segment = SEG;
		g.looking = looked;
		assert_int_equal(recover_watch(&g, &r, &e), looked ? 0 : -1);
		assert_int_equal(g.npatches, looked ? 5 : 0);
		assert_int_equal(g.nspaces, 1);
		assert_true(out.met_space == !looked);
		/* While the log is given, it is known. */
		g.looking = false;
		assert_int_equal(recover_watch(&g, &r, &e), looked ? 0 : -1);
		assert_int_equal(g.npatches, looked ? 5 : 0);
		free(g.patches);
	}
	buf_fini(&main);
	assert_int_equal(os_scratch_remove(folder, &e), 0);
	free(full);
	free(folder);
}

static const char noted[] =
    "{\"other_databases\": [\"template1\"], \"databases\": [{\"name\": \"shop\", \"oid\": "
    "7, "
    "\"schemas\": [\"empty\", \"public\"], \"others\": [[\"public\", \"parts\"]], "
    "\"tables\": [{\"schema\": \"public\", \"name\": \"Items\"}]}, {\"name\": \"mine\", "
    "\"oid\": 8, \"error\": \"permission denied\"}, {\"name\": \"b\xc3\xbc\", \"oid\": 9, "
    "\"schemas\": [\"public\"], \"others\": [], \"tables\": []}]}";

/* What is said of a name: not there only where all were noted. */
static void a_name_is_missed_only_where_all_names_were_noted(void **state)
{
	static const struct {
		const char *what, *like;
		enum recover_known is;
	} v[] = {
	    {"shop", "", RECOVER_THERE},
	    {"Shop", "shop, mine, b\xc3\xbc", RECOVER_NO_DATABASE},
	    {"Shop.public.Items", "shop, mine, b\xc3\xbc", RECOVER_NO_DATABASE},
	    {"template1", "", RECOVER_NOT_SAID},
	    {"sh\xc3\xb6p", "shop, mine, b\xc3\xbc", RECOVER_NOT_SAID},
	    {"b\xc3\xbc", "", RECOVER_THERE},
	    {"b\xc3\xbc.public.x", "", RECOVER_NOT_THERE},
	    {"b\xc3\xbc.public.\xc3\xbc", "", RECOVER_NOT_SAID},
	    {"shop.empty", "empty, public", RECOVER_THERE},
	    {"shop.none", "empty, public", RECOVER_NOT_THERE},
	    {"shop.pg_catalog.pg_class", "", RECOVER_NOT_SAID},
	    {"shop.public.Items", "public.Items", RECOVER_THERE},
	    {"shop.public.parts", "public.parts", RECOVER_THERE},
	    {"shop.public.items", "public.Items", RECOVER_NOT_THERE},
	    {"shop.empty.parts", "public.parts", RECOVER_NOT_THERE},
	    {"mine.public.items", "", RECOVER_NOT_SAID},
	};
	json_t *facts = json_loads(noted, 0, NULL), *none = json_object();
	struct buf like = {0};
	struct err e;

	(void)state;
	assert_non_null(facts);
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct recover_names n;

		assert_int_equal(recover_names_parse(v[i].what, &n, &e), 0);
		if (recover_known(facts, &n, &like) != v[i].is ||
		    strcmp(buf_cstr(&like), v[i].like) != 0)
			fail_msg("%s: like %s", v[i].what, buf_cstr(&like));
		assert_int_equal(recover_known(none, &n, &like), RECOVER_NOT_SAID);
		recover_names_fini(&n);
	}
	buf_fini(&like);
	json_decref(facts);
	json_decref(none);
}

struct heard {
	unsigned warnings;
	char last[600];
};

static void hear(struct ctx *ctx, const struct event *ev)
{
	struct heard *h = ctx->sink_arg;

	if (ev->id != EVENT_WARNING)
		return;
	h->warnings++;
	snprintf(h->last, sizeof h->last, "%s", ev->text);
}

/* It may have come since, or be older than the facts are: it is told, once, and nothing else. */
static void what_was_not_noted_is_a_warning_and_no_refusal(void **state)
{
	static const struct {
		const char *what, *said, *like;
	} v[] = {
	    {"shop.public.Items", NULL, NULL},
	    {"mine.public.items", NULL, NULL},
	    {"shop.public.items", "public.items of shop is not among", "; there is public.Items: "},
	    {"shop.none", "schema none of shop is not among", "; there is empty, public: "},
	    {"Shop.public.x", "database Shop is not among", "; there is shop, mine"},
	};
	json_t *facts = json_loads(noted, 0, NULL);
	struct err e;

	(void)state;
	for (size_t i = 0; i < 2 * sizeof v / sizeof *v; i++) {
		bool again = i % 2;
		struct heard h = {0};
		struct ctx ctx = {.sink = hear, .sink_arg = &h};
		struct recover_names n;
		struct recover_params p = {.only = &n, .look = again};
		struct recovering g = {.p = &p, .ctx = &ctx, .pl = {.facts = facts}};

		assert_int_equal(recover_names_parse(v[i / 2].what, &n, &e), 0);
		recover_warn_only(&g);
		assert_int_equal(h.warnings, v[i / 2].said != NULL && !again);
		if (h.warnings > 0 && (strstr(h.last, v[i / 2].said) != h.last ||
					  strstr(h.last, v[i / 2].like) == NULL ||
					  strstr(h.last, "made or renamed since") == NULL))
			fail_msg("%s: %s", v[i / 2].what, h.last);
		recover_names_fini(&n);
	}
	json_decref(facts);
}

/* It comes back empty, which its being dropped meanwhile explains, and little else. */
static void a_tablespace_that_the_base_has_not_is_told(void **state)
{
	struct world *w = world_new("mem:recover-space");
	struct world *to = world_new("mem:recover-space-to");
	char *data = world_path(to, "data"), *one = world_path(to, "1"), *two = world_path(to, "2");
	char *file = world_path(to, "1/PG_15");
	struct recover_space spaces[] = {{.oid = 100, .name = (char *)"here", .location = one},
	    {.oid = 200, .name = (char *)"side", .location = two}};
	struct heard h = {0};
	struct recover_params p = {.jobs = 1};
	struct recover_result out = {0};
	struct recover_base base = {0};
	struct recovering g = {.repo = w->repo,
	    .p = &p,
	    .ctx = &w->ctx,
	    .out = &out,
	    .data = data,
	    .spaces = spaces,
	    .nspaces = 2};
	struct snapshot *s;
	struct err e;
	struct id id;

	(void)state;
	world_mkdir(w, "global");
	world_write(w, "global/pg_control", "c", 1);
	world_mkdir(w, "pg_tblspc");
	world_mkdir(w, "pg_tblspc/100");
	world_write(w, "pg_tblspc/100/PG_15", "t", 1);
	id = world_backup(w, "h", "db");
	OK(snapshot_load(w->repo, &id, &s, &e));
	base.snapshot = s;
	g.pl.base = &base;
	g.pl.path = w->dir;
	w->ctx.sink = hear;
	w->ctx.sink_arg = &h;
	OK(recover_restore(&g, &e));
	assert_int_equal(h.warnings, 1);
	assert_non_null(strstr(h.last, "tablespace side (200)"));
	assert_non_null(strstr(h.last, "dropped while"));
	assert_int_equal(access(file, F_OK), 0);
	assert_int_equal(access(two, F_OK), 0);
	snapshot_free(s);
	free(file);
	free(one);
	free(two);
	free(data);
	world_free(to);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_target_is_what_was_meant),
	    cmocka_unit_test(settings_say_it_and_go_away_again),
	    cmocka_unit_test(a_history_is_followed_or_refused),
	    cmocka_unit_test(a_reach_ends_at_a_gap_and_tells_it),
	    cmocka_unit_test(a_reach_goes_over_to_the_next_timeline_where_the_last_was_left),
	    cmocka_unit_test(the_newest_base_that_ended_before_is_chosen),
	    cmocka_unit_test(a_password_stands_in_no_argument),
	    cmocka_unit_test(a_log_that_ended_early_is_no_latest),
	    cmocka_unit_test(a_promotion_has_a_bound),
	    cmocka_unit_test(a_promotion_that_cannot_be_asked_for_is_an_error),
	    cmocka_unit_test(names_are_taken_apart_or_refused),
	    cmocka_unit_test(a_record_goes_on_behind_the_heads_of_pages),
	    cmocka_unit_test(an_empty_folder_is_taken_for_a_tablespace_but_not_by_a_scratch_server),
	    cmocka_unit_test(
		a_tablespace_of_the_base_that_the_log_makes_again_stays_where_it_was_put),
	    cmocka_unit_test(a_name_is_missed_only_where_all_names_were_noted),
	    cmocka_unit_test(what_was_not_noted_is_a_warning_and_no_refusal),
	    cmocka_unit_test(a_tablespace_that_the_base_has_not_is_told),
	};

	return cmocka_run_group_tests_name("recover", tests, NULL, NULL);
}
