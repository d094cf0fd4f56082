/* wal_map: what records mean for blocks, against a plain list; bytes and back. */
#include "unit/unit.h"

#include "source/wal_place.h"
#include "source/wal_map.h"

static const struct wal_rel rel = {1663, 5, 16384};

static void touch(struct wal_map *m, struct wal_rel r, uint8_t fork, uint32_t block)
{
	struct wal_record rec = {.version = 15, .rmgr = 10, .nrefs = 1, .refs = {{r, block, fork}}};
	struct err e = {0};

	assert_int_equal(wal_map_add(m, &rec, &e), 0);
}

static int special(
    struct wal_map *m, int version, uint8_t rmgr, uint8_t info, size_t n, const uint32_t *v)
{
	struct wal_record rec = {.version = version, .rmgr = rmgr, .info = info};
	struct buf b = {0};
	struct err e = {0};
	int rc;

	for (size_t i = 0; i < n; i++)
		buf_put_u32(&b, v[i]);
	rec.main = buf_span(&b);
	rc = wal_map_add(m, &rec, &e);
	if (rc == -1)
		assert_int_equal(e.kind, ERR_UNSUPPORTED);
	buf_fini(&b);
	return rc;
}
#define SPECIAL(m, version, rmgr, info, ...)                                                       \
	special(m, version, rmgr, info, sizeof((uint32_t[]){__VA_ARGS__}) / 4,                     \
	    (uint32_t[]){__VA_ARGS__})

static bool has(const struct wal_map *m, struct wal_rel r, uint32_t block)
{
	const struct wal_map_file *f = wal_map_find(m, r);

	return f && wal_map_next(f, block) == block;
}

static void same(const struct wal_map *a, const struct wal_map *b)
{
	struct buf x = {0}, y = {0};

	wal_map_write(a, &x);
	wal_map_write(b, &y);
	assert_int_equal(x.n, y.n);
	assert_memory_equal(x.p, y.p, x.n);
	buf_fini(&x);
	buf_fini(&y);
}

static void back_from_bytes(const struct wal_map *m)
{
	struct buf b = {0};
	struct err e = {0};
	struct wal_map *again;

	wal_map_write(m, &b);
	again = wal_map_read(buf_span(&b), &e);
	assert_non_null(again);
	same(m, again);
	assert_int_equal(wal_map_blocks(again), wal_map_blocks(m));
	wal_map_free(again);
	for (size_t n = 0; n < b.n && n < 200; n++) {
		assert_null(wal_map_read(span_of(b.p, n), &e));
		assert_int_equal(e.kind, ERR_CORRUPT);
	}
	buf_fini(&b);
}

enum { BLOCKS = 20000, RELS = 5 };

/* Blocks set and files cut at random: the map says what a plain array of all blocks says. */
static void it_names_what_a_plain_list_names(void **state)
{
	static bool plain[RELS][BLOCKS + 1];
	uint64_t seed = 5;
	struct wal_map *m = wal_map_new(), *early = wal_map_new(), *late = wal_map_new();
	struct err e = {0};

	memset(plain, 0, sizeof plain);
	for (int i = 0; i < 20000; i++) {
		uint32_t k = unit_rand(&seed) % RELS, b = unit_rand(&seed) % BLOCKS;
		struct wal_rel r = {1663, 5, 100 + k};
		struct wal_map *half = i < 12000 ? early : late;

		if (i % 2000 == 1999) {
			b = BLOCKS - b / 10;
			SPECIAL(m, 15, WAL_RMGR_SMGR, WAL_SMGR_TRUNCATE, b, 1663, 5, 100 + k, 7);
			SPECIAL(half, 15, WAL_RMGR_SMGR, WAL_SMGR_TRUNCATE, b, 1663, 5, 100 + k, 7);
			for (uint32_t j = b; j <= BLOCKS; j++)
				plain[k][j] = true;
		} else {
			touch(m, r, 0, b);
			touch(half, r, 0, b);
			plain[k][b] = true;
		}
	}
	for (uint32_t k = 0; k < RELS; k++)
		for (uint32_t b = 0; b <= BLOCKS; b++)
			assert_int_equal(
			    has(m, (struct wal_rel){1663, 5, 100 + k}, b), plain[k][b]);
	assert_int_equal(wal_map_merge(early, late, &e), 0);
	same(m, early);
	back_from_bytes(m);
	wal_map_free(m);
	wal_map_free(early);
	wal_map_free(late);
}

static void files_made_cut_and_dropped_are_taken_whole(void **state)
{
	struct wal_map *m = wal_map_new();

	touch(m, rel, 0, 70);
	touch(m, rel, WAL_FORK_VM, 71);
	assert_true(has(m, rel, 70));
	assert_false(has(m, rel, 71));
	assert_int_equal(
	    SPECIAL(m, 15, WAL_RMGR_SMGR, WAL_SMGR_TRUNCATE, 50, 1663, 5, 16384, 7), 0);
	assert_true(has(m, rel, 50) && has(m, rel, UINT32_MAX - 1) && !has(m, rel, 49));
	assert_int_equal(
	    SPECIAL(m, 15, WAL_RMGR_SMGR, WAL_SMGR_TRUNCATE, 30, 1663, 5, 16384, 6), 0);
	assert_false(has(m, rel, 49));
	assert_int_equal(SPECIAL(m, 15, WAL_RMGR_SMGR, WAL_SMGR_CREATE, 1663, 5, 8, 0), 0);
	assert_true(has(m, (struct wal_rel){1663, 5, 8}, 0));
	assert_int_equal(SPECIAL(m, 15, WAL_RMGR_SMGR, WAL_SMGR_CREATE, 1663, 5, 9, 3), 0);
	assert_null(wal_map_find(m, (struct wal_rel){1663, 5, 9}));
	/* a commit: time, parts, one relation */
	assert_int_equal(SPECIAL(m, 15, WAL_RMGR_XACT, 0x80, 0, 0, 4, 1, 1663, 5, 10), 0);
	assert_true(has(m, (struct wal_rel){1663, 5, 10}, 0));
	assert_null(wal_map_find(m, (struct wal_rel){1663, 5, 11}));
	back_from_bytes(m);
	wal_map_free(m);
}

static void databases_and_tablespaces_are_taken_whole(void **state)
{
	static const struct {
		int version;
		uint8_t info;
	} made[] = {{13, 0x00}, {15, 0x00}, {17, 0x10}};

	for (size_t i = 0; i < 3; i++) {
		struct wal_map *m = wal_map_new();

		assert_int_equal(
		    SPECIAL(m, made[i].version, WAL_RMGR_DBASE, made[i].info, 5, 1663, 1, 1663), 0);
		assert_true(has(m, rel, 0) && has(m, rel, 9999));
		assert_null(wal_map_find(m, (struct wal_rel){1663, 6, 16384}));
		assert_int_equal(
		    SPECIAL(m, made[i].version, WAL_RMGR_DBASE, i ? 0x20 : 0x10, 6, 2, 1663, 20000),
		    0);
		assert_true(has(m, (struct wal_rel){1663, 6, 16384}, 0));
		assert_true(has(m, (struct wal_rel){20000, 6, 1}, 0));
		assert_null(wal_map_find(m, (struct wal_rel){20000, 7, 1}));
		assert_int_equal(SPECIAL(m, 15, WAL_RMGR_TBLSPC, 0, 20000), 0);
		assert_true(has(m, (struct wal_rel){20000, 7, 1}, 0));
		back_from_bytes(m);
		wal_map_free(m);
	}
}

static void what_it_cannot_know_is_no_map(void **state)
{
	struct wal_map *m = wal_map_new();

	assert_int_equal(
	    SPECIAL(m, 15, WAL_RMGR_XLOG, WAL_XLOG_PARAMETERS, 100, 8, 10, 0, 64, 1, 0), 0);
	assert_int_equal(
	    SPECIAL(m, 15, WAL_RMGR_XLOG, WAL_XLOG_PARAMETERS, 100, 8, 10, 0, 64, 0, 0), -1);
	assert_int_equal(SPECIAL(m, 15, WAL_RMGR_SMGR, 0x30, 1663, 5, 9, 0), -1);
	assert_int_equal(SPECIAL(m, 15, WAL_RMGR_SMGR, WAL_SMGR_CREATE, 1663, 5, 9), -1);
	assert_int_equal(SPECIAL(m, 14, WAL_RMGR_DBASE, 0x20, 5, 1, 1663), -1);
	assert_int_equal(SPECIAL(m, 15, WAL_RMGR_DBASE, 0x20, 5, 2, 1663), -1);
	wal_map_free(m);
}

/* A database far larger than the memory for it: refused, not swapped. */
static void too_much_is_no_map(void **state)
{
	struct wal_map *m = wal_map_new();
	struct wal_record rec = {.version = 15, .rmgr = 10, .nrefs = 1, .refs = {{rel, 0, 0}}};
	struct err e = {0};
	int rc = 0;
	uint32_t n = 0;

	for (; rc == 0 && n < UINT32_MAX / 4096; n++) {
		rec.refs[0].block = n * 4096;
		rc = wal_map_add(m, &rec, &e);
	}
	assert_int_equal(rc, -1);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	assert_true(n > 100000);
	wal_map_free(m);
}

static void files_are_told_by_their_names(void **state)
{
	static const struct {
		const char *folder, *name;
		struct wal_rel rel;
		uint32_t segment;
	} all[] = {
	    {"global", "1262", {1664, 0, 1262}, 0},
	    {"base/5", "16384", {1663, 5, 16384}, 0},
	    {"base/5", "16384.12", {1663, 5, 16384}, 12},
	    {"pg_tblspc/16400/PG_15_202209061/5", "16384.1", {16400, 5, 16384}, 1},
	};
	static const char *const none[][2] = {{"base/5", "16384_vm"}, {"base/5", "16384_fsm.1"},
	    {"base/5", "t3_16384"}, {"base/5", "pg_filenode.map"}, {"base/5", "16384."},
	    {"base/5", "016384"}, {"base/5", "16384.0"}, {"base/5", "99999999999"}, {"base", "5"},
	    {"base/5/6", "7"}, {"pg_xact", "0000"}, {"pg_tblspc/16400", "1"},
	    {"pg_tblspc/16400/PG_15", "1"}, {"", "1"}, {"base/5", ""}};
	struct wal_rel got;
	uint32_t segment;

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		assert_true(wal_place_of(all[i].folder, all[i].name, &got, &segment));
		assert_memory_equal(&got, &all[i].rel, sizeof got);
		assert_int_equal(segment, all[i].segment);
	}
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		assert_false(wal_place_of(none[i][0], none[i][1], &got, &segment));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_names_what_a_plain_list_names),
	    cmocka_unit_test(files_made_cut_and_dropped_are_taken_whole),
	    cmocka_unit_test(databases_and_tablespaces_are_taken_whole),
	    cmocka_unit_test(what_it_cannot_know_is_no_map),
	    cmocka_unit_test(too_much_is_no_map),
	    cmocka_unit_test(files_are_told_by_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
