/* wal_file: names and heads of PostgreSQL's log, and nothing that only looks like one. */
#include "unit/unit.h"

#include "base/buf.h"
#include "source/wal_file.h"

enum { MIB = 1 << 20 };

static void names_are_read_and_written(void **state)
{
	static const struct {
		const char *name;
		int kind; /* -1: none */
		uint32_t timeline, log, segment;
	} rows[] = {
	    {"000000010000000A000000FF", WAL_FILE_SEGMENT, 1, 10, 255},
	    {"FFFFFFFFFFFFFFFF000000FF", WAL_FILE_SEGMENT, UINT32_MAX, UINT32_MAX, 255},
	    {"00000002000000000000001F.partial", WAL_FILE_PARTIAL, 2, 0, 31},
	    {"0000000A.history", WAL_FILE_HISTORY, 10, 0, 0},
	    {"000000010000000000000002.00000028.backup", WAL_FILE_BACKUP, 1, 0, 2},
	    {"", -1},
	    {"00000001", -1},
	    {"00000000.history", -1},
	    {"000000010000000a000000ff", -1},
	    {"000000010000000A000000FF.", -1},
	    {"000000010000000A000000FF.part", -1},
	    {"000000010000000A000000FF0", -1},
	    {"000000010000000000000002.00000028.backups", -1},
	    {"RECOVERYXLOG", -1},
	    {"../000000010000000A000000FF", -1},
	};
	char name[WAL_FILE_NAME];
	struct wal_file f;
	uint64_t at;
	struct err e;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (rows[i].kind == -1) {
			assert_int_equal(wal_file_parse(rows[i].name, &f, &e), -1);
			assert_int_equal(e.kind, ERR_USAGE);
			continue;
		}
		assert_int_equal(wal_file_parse(rows[i].name, &f, &e), 0);
		assert_int_equal(f.kind, rows[i].kind);
		assert_true(f.timeline == rows[i].timeline && f.log == rows[i].log &&
			    f.segment == rows[i].segment);
	}
	for (uint32_t size = WAL_FILE_MIN; size <= WAL_FILE_MAX && size > 0; size <<= 1) {
		f = (struct wal_file){.timeline = 3, .log = 7, .segment = UINT32_MAX / size};
		assert_true(wal_file_start(&f, size, &at));
		wal_file_name(name, 3, at + size - 1, size);
		assert_int_equal(wal_file_parse(name, &f, &e), 0);
		assert_true(f.log == 7 && f.segment == UINT32_MAX / size);
		f.segment++;
		assert_false(wal_file_start(&f, size, &at));
	}
	assert_false(wal_file_start(&f, 12345, &at));
}

static void put_head(
    struct buf *b, uint16_t magic, uint32_t timeline, uint64_t start, uint32_t size, uint32_t page)
{
	buf_reset(b);
	buf_put_u16(b, magic);
	buf_put_u16(b, 2);
	buf_put_u32(b, timeline);
	buf_put_u64(b, start);
	buf_put_u64(b, 0);
	buf_put_u64(b, 77);
	buf_put_u32(b, size);
	buf_put_u32(b, page);
}

static void a_head_fits_its_name_or_not(void **state)
{
	struct wal_file f = {WAL_FILE_SEGMENT, 2, 1, 3};
	struct wal_file_head h;
	struct buf b = {0};
	struct err e;

	put_head(&b, 0xd110, 2, (UINT64_C(1) << 32) + 3 * 16 * MIB, 16 * MIB, 8192);
	assert_int_equal(wal_file_head(buf_span(&b), &h, &e), 0);
	assert_true(h.system == 77 && h.size == 16 * MIB && h.page == 8192);
	assert_int_equal(wal_file_fits(&f, &h, 16 * MIB, &e), 0);
	assert_int_equal(wal_file_fits(&f, &h, 16 * MIB - 1, &e), -1);
	f.segment = 4;
	assert_int_equal(wal_file_fits(&f, &h, 16 * MIB, &e), -1);
	f.segment = 3;
	f.timeline = 1; /* a page of a later timeline than its name's */
	assert_int_equal(wal_file_fits(&f, &h, 16 * MIB, &e), -1);
	f.timeline = 3; /* of an older one it may be: the segment of a switch */
	assert_int_equal(wal_file_fits(&f, &h, 16 * MIB, &e), 0);
	for (size_t n = 0; n < b.n; n++)
		assert_int_equal(wal_file_head(span_of(b.p, n), &h, &e), -1);
	put_head(&b, 0x1234, 2, 0, 16 * MIB, 8192);
	assert_int_equal(wal_file_head(buf_span(&b), &h, &e), -1);
	put_head(&b, 0xd110, 2, 0, 15 * MIB, 8192);
	assert_int_equal(wal_file_head(buf_span(&b), &h, &e), -1);
	put_head(&b, 0xd110, 2, 0, 16 * MIB, 0);
	assert_int_equal(wal_file_head(buf_span(&b), &h, &e), -1);
	put_head(&b, 0xd110, 2, MIB, 16 * MIB, 8192);
	assert_int_equal(wal_file_head(buf_span(&b), &h, &e), -1);
	buf_fini(&b);
}

static void pages_follow_one_another(void **state)
{
	struct buf b = {0}, head = {0};
	struct err e;

	for (uint64_t i = 0; i < 8; i++) {
		put_head(&head, 0xd110, 2, MIB + i * 8192, 16 * MIB, 8192);
		buf_put_span(&b, buf_span(&head));
		buf_put_zeros(&b, 8192 - head.n);
	}
	assert_int_equal(wal_file_pages(buf_span(&b), MIB, 8192, 2, &e), 0);
	assert_int_equal(
	    wal_file_pages(span_of(b.p + 8192, b.n - 8200), MIB + 8192, 8192, 3, &e), 0);
	assert_int_equal(wal_file_pages(buf_span(&b), MIB + 8192, 8192, 2, &e), -1);
	assert_int_equal(wal_file_pages(buf_span(&b), MIB, 8192, 1, &e), -1);
	memset(b.p + 7 * 8192, 0, 8192); /* after a switch */
	assert_int_equal(wal_file_pages(buf_span(&b), MIB, 8192, 2, &e), 0);
	b.p[3 * 8192 + 9] ^= 1;
	assert_int_equal(wal_file_pages(buf_span(&b), MIB, 8192, 2, &e), -1);
	assert_non_null(strstr(e.msg, "0/106000"));
	buf_fini(&b);
	buf_fini(&head);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_read_and_written),
	    cmocka_unit_test(a_head_fits_its_name_or_not),
	    cmocka_unit_test(pages_follow_one_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
