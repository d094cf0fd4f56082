/* pg_page, pg_layout, pg_label: what a data directory holds, and what of it is believed. */
#include "source_unit.h"

#include "codec/crc32c.h"
#include "source/dirlist.h"
#include "source/pg_label.h"
#include "source/pg_layout.h"
#include "source/pg_page.h"
#include "source/pg_session.h"
#include "source/pg_source.h"

static void pages_of_another_size_are_refused_before_any_is_read(void **state)
{
	struct pg_session s = {.block_size = PG_PAGE};
	struct err e;

	assert_int_equal(pg_session_has_pages(&s, &e), 0);
	s.block_size = 2 * PG_PAGE;
	assert_int_equal(pg_session_has_pages(&s, &e), -1);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	assert_non_null(strstr(e.msg, "16384"));
}

/* A page as PostgreSQL 15 wrote it, at block 1 of its relation. */
static void real_page(uint8_t p[PG_PAGE])
{
	static const uint8_t head[] = {0x00, 0x00, 0x00, 0x00, 0x00, 0xee, 0x45, 0x01, 0x64, 0xe2,
	    0x00, 0x00, 0x1c, 0x00, 0xe0, 0x1f, 0xf0, 0x1f, 0x04, 0x20, 0x00, 0x00, 0x00, 0x00,
	    0xe0, 0x9f, 0x20, 0x00};
	static const uint8_t tail[] = {0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x10, 0x40, 0x70, 0x6c,
	    0x70, 0x67, 0x73, 0x71, 0x6c, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	    0x00, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00};

	memset(p, 0, PG_PAGE);
	memcpy(p, head, sizeof head);
	memcpy(p + PG_PAGE - sizeof tail, tail, sizeof tail);
}

static void a_real_page_has_the_checksum_that_its_server_gave_it(void **state)
{
	uint8_t p[PG_PAGE];

	real_page(p);
	assert_int_equal(pg_page_checksum(p, 1), p[8] | p[9] << 8);
	assert_true(pg_page_good(p, 1));
}

static void any_bit_and_any_other_place_is_noticed(void **state)
{
	uint64_t seed = 42;
	uint8_t p[PG_PAGE];

	for (int i = 0; i < 2000; i++) {
		size_t at = unit_rand(&seed) % PG_PAGE;

		real_page(p);
		p[at] ^= (uint8_t)(1 << unit_rand(&seed) % 8);
		assert_false(pg_page_good(p, 1));
	}
	real_page(p);
	assert_false(pg_page_good(p, 1 + 1));
	assert_false(pg_page_good(p, 1 + 131072));
}

static void a_page_that_was_never_used_is_all_zeroes(void **state)
{
	uint8_t p[PG_PAGE] = {0};

	assert_true(pg_page_good(p, 7));
	p[PG_PAGE - 1] = 1;
	assert_false(pg_page_good(p, 7));
	real_page(p);
	p[14] = p[15] = 0; /* pd_upper: as if it were one */
	assert_false(pg_page_good(p, 1));
}

/* A server whose backup began at 1000, and which is at 2000 when it is asked. */
static int is_at_2000(void *arg, uint64_t *lsn, struct err *e)
{
	++*(unsigned *)arg;
	*lsn = 2000;
	return 0;
}

static void put_page(int fd, uint64_t lsn, bool zero_upper)
{
	uint32_t half[2] = {(uint32_t)(lsn >> 32), (uint32_t)lsn};
	uint8_t p[PG_PAGE];

	memset(p, 0x5a, sizeof p); /* its checksum is wrong */
	memcpy(p, half, sizeof half);
	if (zero_upper)
		p[14] = p[15] = 0;
	assert_int_equal(write(fd, p, sizeof p), sizeof p);
}

static void read_all(struct fix *f, struct source_dir *d, const char *name)
{
	const struct source_ops *ops = d->source->ops;
	struct source_stat st;
	enum source_look what;
	struct source_reader *r;
	uint8_t block[3 * PG_PAGE];
	uint64_t size;
	bool changed;

	OK(f, ops->look(d, name, &st, &what, &f->e));
	OK(f, ops->open(d, name, &st, &r, &f->e));
	while (ops->read(r, block, sizeof block, &f->e) > 0)
		;
	OK(f, ops->finish(r, &changed, &size, &f->e));
}

static void only_what_the_server_has_written_since_the_begin_excuses_a_page(void **state)
{
	struct fix *f = *state;
	unsigned asked = 0;
	struct pg_source_params p = {.data = f->dir,
	    .major = 15,
	    .checksums = true,
	    .since = 1000,
	    .relation = 131072,
	    .written = is_at_2000,
	    .arg = &asked};
	const struct pg_bad_page *bad;
	struct source_dir *d;
	struct source *s;
	uint64_t all;
	size_t n;
	int fd;

	dir(f, "base");
	dir(f, "base/5");
	fd = open(at(f, "base/5/777"), O_WRONLY | O_CREAT, 0600);
	put_page(fd, 1000, false);
	put_page(fd, 999, false);
	put_page(fd, 2000, false);
	put_page(fd, 2001, false);
	put_page(fd, 0x5a5a5a5a5a5a5a5a, false);
	put_page(fd, 999, true);
	put_page(fd, 0x5a5a5a5a5a5a5a5a, true);
	close(fd);
	OK(f, source_pg_open(&p, &f->ctx, &s, &f->e));
	d = src_dir(f, s, "/base/5");
	read_all(f, d, "777");
	bad = source_pg_bad(s, &n, &all);
	assert_int_equal(n, 5);
	assert_int_equal(all, 5);
	for (size_t i = 0; i < n; i++) {
		static const uint32_t blocks[] = {1, 3, 4, 5, 6};

		assert_string_equal(bad[i].file, "base/5/777");
		assert_int_equal(bad[i].block, blocks[i]);
	}
	assert_true(asked > 1);
	source_dir_unref(d);
	source_close(s);
}

enum { CONTROL_CRC = 288 };

static void control(uint8_t p[PG_PAGE], bool torn)
{
	uint32_t c;

	memset(p, 0, PG_PAGE);
	memset(p, 0x5a, CONTROL_CRC);
	c = crc32c(0, p, CONTROL_CRC);
	memcpy(p + CONTROL_CRC, &c, sizeof c);
	p[17] ^= torn;
}

static void a_torn_control_file_is_known_by_its_checksum(void **state)
{
	uint8_t p[PG_PAGE] = {0};

	assert_false(pg_control_good(span_of(p, sizeof p)));
	control(p, true);
	assert_false(pg_control_good(span_of(p, sizeof p)));
	control(p, false);
	assert_true(pg_control_good(span_of(p, sizeof p)));
	assert_true(pg_control_good(span_of(p, CONTROL_CRC + 4)));
	assert_false(pg_control_good(span_of(p, CONTROL_CRC + 3)));
	assert_false(pg_control_good(span_of(p, 0)));
}

static void write_control(struct fix *f, bool torn)
{
	uint8_t p[PG_PAGE];
	int fd = open(at(f, "global/pg_control"), O_WRONLY | O_CREAT, 0600);

	control(p, torn);
	assert_int_equal(write(fd, p, sizeof p), sizeof p);
	close(fd);
}

static int stops(void *arg, char **label, char **map, struct err *e)
{
	*label = strdup("x");
	return 0;
}

static void a_control_file_is_taken_only_if_it_is_whole(void **state)
{
	struct fix *f = *state;
	struct pg_source_params p = {.data = f->dir, .major = 15, .stop = stops};
	struct source_stat st;
	enum source_look what;
	struct source_dir *d;
	struct source *s;

	dir(f, "global");
	write_control(f, true);
	OK(f, source_pg_open(&p, &f->ctx, &s, &f->e));
	FAILS(f, ERR_CORRUPT, s->ops->late(s, &f->e));
	assert_non_null(strstr(f->e.msg, "global/pg_control: its checksum is wrong"));
	write_control(f, false);
	OK(f, s->ops->late(s, &f->e));
	d = src_dir(f, s, "/global");
	OK(f, s->ops->look(d, "pg_control", &st, &what, &f->e));
	assert_true(what == SOURCE_TAKE && st.size == PG_PAGE);
	source_dir_unref(d);
	source_close(s);
}

static void what_a_server_makes_anew_is_left_and_the_rest_taken(void **state)
{
	static const struct {
		const char *folder, *name;
		enum pg_take take;
	} all[] = {
	    {"", "base", PG_TAKE},
	    {"", "PG_VERSION", PG_TAKE},
	    {"", "standby.signal", PG_TAKE},
	    {"", "postmaster.pid", PG_LEAVE},
	    {"", "postmaster.opts", PG_LEAVE},
	    {"", "pg_wal", PG_EMPTY},
	    {"", "pg_replslot", PG_EMPTY},
	    {"", "pg_stat_tmp", PG_EMPTY},
	    {"", "pg_stat", PG_TAKE},
	    {"", "backup_label", PG_LATE},
	    {"", "tablespace_map", PG_LATE},
	    {"", "pgsql_tmp", PG_LEAVE},
	    {"base", "pgsql_tmp", PG_LEAVE},
	    {"base/5", "pg_internal.init", PG_LEAVE},
	    {"base/5", "pg_internal.init.4711", PG_LEAVE},
	    {"base/5", "t3_16384", PG_LEAVE},
	    {"base/5", "t3_16384_fsm", PG_LEAVE},
	    {"base/5", "t3_16384.1", PG_LEAVE},
	    {"base/5", "t3", PG_TAKE},
	    {"base/5", "1259", PG_TAKE},
	    {"global", "pg_control", PG_LATE},
	    {"base/5", "pg_control", PG_TAKE},
	    {"pg_tblspc", "16400", PG_FOLLOWED},
	    {"pg_tblspc", "other", PG_TAKE},
	    {"pg_tblspc/16400", "PG_15_202209061", PG_TAKE},
	    {"pg_tblspc/16400", "PG_14_202107181", PG_LEAVE},
	    {"pg_tblspc/16400", "lost+found", PG_LEAVE},
	    {"pg_tblspc/16400/PG_15_202209061/5", "t1_2", PG_LEAVE},
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (pg_layout_take(all[i].folder, all[i].name, 15) != all[i].take)
			fail_msg("%s/%s", all[i].folder, all[i].name);
}

static void pages_are_known_by_their_place_and_segment(void **state)
{
	uint32_t segment;

	assert_true(pg_layout_relation("base/5", "16384", &segment));
	assert_int_equal(segment, 0);
	assert_true(pg_layout_relation("base/5", "16384.12", &segment));
	assert_int_equal(segment, 12);
	assert_true(pg_layout_relation("global", "1262_fsm", &segment));
	assert_true(pg_layout_relation("base/5", "16384_vm.1", &segment));
	assert_true(pg_layout_relation("pg_tblspc/9/PG_15_202209061/5", "7_init", &segment));
	assert_false(pg_layout_relation("base/5", "PG_VERSION", &segment));
	assert_false(pg_layout_relation("base/5", "pg_filenode.map", &segment));
	assert_false(pg_layout_relation("base/5", "16384.x", &segment));
	assert_false(pg_layout_relation("base/5", "16384_other", &segment));
	assert_false(pg_layout_relation("base", "16384", &segment));
	assert_false(pg_layout_relation("pg_xact", "0000", &segment));
	assert_false(pg_layout_relation("pg_tblspc/9", "0000", &segment));
}

static void of_unlogged_relations_only_what_empties_them_is_kept(void **state)
{
	static const char *const in[] = {"16384", "16384.1", "16384_fsm", "16384_init", "163840",
	    "16385", "16385_vm", "PG_VERSION"};
	static const char *const out[] = {
	    "16384_init", "163840", "16385", "16385_vm", "PG_VERSION"};
	struct source_names names = {0};

	for (size_t i = 0; i < sizeof in / sizeof *in; i++)
		dirlist_add(&names, in[i]);
	pg_layout_drop_unlogged(&names);
	assert_int_equal(names.n, sizeof out / sizeof *out);
	for (size_t i = 0; i < names.n; i++)
		assert_string_equal(source_name(&names, i), out[i]);
	source_names_fini(&names);
}

#define LABEL                                                                                      \
	"START WAL LOCATION: 16/B374D848 (file 0000000300000016000000B3)\n"                        \
	"CHECKPOINT LOCATION: 16/B374D880\nBACKUP METHOD: streamed\nBACKUP FROM: standby\n"        \
	"START TIME: 2026-11-22 07:37:56 UTC\nLABEL: x\nSTART TIMELINE: 3\n"

static void a_label_says_where_recovery_begins(void **state)
{
	static const char *const bad[] = {"", "\n", "\n\n", "START WAL LOCATION: x\n",
	    "START TIMELINE: 3\n", "START WAL LOCATION: 1/2\nCHECKPOINT LOCATION: 1/2\n",
	    "START WAL LOCATION: 1/2\nCHECKPOINT LOCATION: 1/2\nSTART TIMELINE: 0\n",
	    "xSTART WAL LOCATION: 1/2\nCHECKPOINT LOCATION: 1/2\nSTART TIMELINE: 1\n",
	    "START WAL LOCATION: 123456789/2\nCHECKPOINT LOCATION: 1/2\nSTART TIMELINE: 1\n"};
	struct pg_label l;
	struct err e;

	assert_int_equal(pg_label_parse(span_str(LABEL), &l, &e), 0);
	assert_true(l.start == 0x16b374d848 && l.checkpoint == 0x16b374d880);
	assert_true(l.timeline == 3 && l.from_standby);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(pg_label_parse(span_str(bad[i]), &l, &e), -1);
		assert_int_equal(e.kind, ERR_CORRUPT);
	}
}

static void note_space(void *arg, uint32_t oid, const char *location)
{
	buf_printf(arg, "%u=%s;", (unsigned)oid, location);
}

static void a_map_of_tablespaces_says_where_each_lies(void **state)
{
	static const char *const bad[] = {"x /a\n", "16400 /a", "16400/a\n", "0 /a\n", " /a\n",
	    "16400 \n", "99999999999 /a\n", "16400 /a\\", "\n", "16400 /a\n1"};
	struct buf out = {0};
	struct err e;

	assert_int_equal(pg_map_parse(span_str("16400 /srv/a b\n4294967295 /x\\\n\\\\y\n"),
			     note_space, &out, &e),
	    0);
	assert_string_equal(buf_cstr(&out), "16400=/srv/a b;4294967295=/x\n\\y;");
	assert_int_equal(pg_map_parse(span_str(""), note_space, &out, &e), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(pg_map_parse(span_str(bad[i]), note_space, &out, &e), -1);
		assert_int_equal(e.kind, ERR_CORRUPT);
	}
	buf_fini(&out);
}

static void positions_and_segments_have_their_names(void **state)
{
	char text[PG_LSN_TEXT], name[PG_WAL_NAME];
	uint64_t lsn;

	assert_true(pg_lsn_parse("16/B374D848", &lsn));
	assert_string_equal(pg_lsn_text(text, lsn), "16/B374D848");
	assert_false(pg_lsn_parse("16/B374D848 ", &lsn));
	assert_false(pg_lsn_parse("16", &lsn));
	assert_false(pg_lsn_parse("/1", &lsn));
	assert_string_equal(pg_wal_name(name, 3, lsn, 16 << 20), "0000000300000016000000B3");
	assert_string_equal(pg_wal_name(name, 3, lsn, 1 << 20), "000000030000001600000B37");
	assert_string_equal(pg_wal_name(name, 1, lsn, 1 << 30), "000000010000001600000002");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_real_page_has_the_checksum_that_its_server_gave_it),
	    cmocka_unit_test(any_bit_and_any_other_place_is_noticed),
	    cmocka_unit_test(a_page_that_was_never_used_is_all_zeroes),
	    cmocka_unit_test(pages_of_another_size_are_refused_before_any_is_read),
	    cmocka_unit_test_setup_teardown(
		only_what_the_server_has_written_since_the_begin_excuses_a_page, fix_setup,
		fix_teardown),
	    cmocka_unit_test(a_torn_control_file_is_known_by_its_checksum),
	    cmocka_unit_test_setup_teardown(
		a_control_file_is_taken_only_if_it_is_whole, fix_setup, fix_teardown),
	    cmocka_unit_test(a_map_of_tablespaces_says_where_each_lies),
	    cmocka_unit_test(what_a_server_makes_anew_is_left_and_the_rest_taken),
	    cmocka_unit_test(pages_are_known_by_their_place_and_segment),
	    cmocka_unit_test(of_unlogged_relations_only_what_empties_them_is_kept),
	    cmocka_unit_test(a_label_says_where_recovery_begins),
	    cmocka_unit_test(positions_and_segments_have_their_names),
	};

	return cmocka_run_group_tests_name("pg", tests, NULL, NULL);
}
