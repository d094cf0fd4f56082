/* wal_lost: which databases a backup has lost that were copied or moved while it ran. */
#include "unit/unit.h"

#include <string.h>

#include "base/buf.h"
#include "source/wal_lost.h"

enum { COPY = 0x00, LOGGED = 0x10, DROP = 0x20, DROP_14 = 0x10, A = 1663, B = 20000 };

static int add(struct wal_lost *l, int version, uint8_t info, const uint32_t *v, size_t n)
{
	struct wal_record r = {.version = version, .rmgr = WAL_RMGR_DBASE, .info = info};
	struct buf b = {0};
	struct err e;
	int rc;

	for (size_t i = 0; i < n; i++)
		buf_put_u32(&b, v[i]);
	r.main = buf_span(&b);
	rc = wal_lost_add(l, &r, &e);
	buf_fini(&b);
	return rc;
}

#define ADD(l, version, info, ...)                                                                 \
	add(l, version, info, (const uint32_t[]){__VA_ARGS__},                                     \
	    sizeof(uint32_t[]){__VA_ARGS__} / sizeof(uint32_t))

static void assert_lost(const struct wal_lost *l, uint32_t want_spc, uint32_t want_db)
{
	uint32_t spc = 0, db = 0;

	assert_int_equal(wal_lost_get(l, 0, &spc, &db), want_db != 0);
	assert_true(spc == want_spc && db == want_db);
	assert_false(wal_lost_get(l, 1, &spc, &db));
}

static void a_moved_one_is_lost_and_what_was_copied_of_it(void **state)
{
	for (int version = 13; version <= 17; version++) {
		struct wal_lost *l = wal_lost_new();
		uint8_t dropped = version < 15 ? DROP_14 : DROP;

		assert_int_equal(ADD(l, version, COPY, 5, A, 5, B), 0);
		assert_lost(l, 0, 0);
		assert_int_equal(ADD(l, version, dropped, 5, 1, B), 0);
		assert_lost(l, A, 5);
		/* And back; then another is made of it, and it goes. */
		ADD(l, version, COPY, 5, B, 5, A);
		ADD(l, version, dropped, 5, 1, A);
		assert_lost(l, B, 5);
		ADD(l, version, COPY, 6, A, 5, B);
		ADD(l, version, dropped, 5, 2, A, B);
		assert_lost(l, A, 6);
		ADD(l, version, dropped, 6, 1, A);
		assert_lost(l, 0, 0);
		wal_lost_free(l);
	}
}

static void what_the_log_or_the_backup_has_is_not_lost(void **state)
{
	struct wal_lost *l = wal_lost_new();

	ADD(l, 15, COPY, 7, A, 1, A); /* of a template that stays */
	ADD(l, 15, COPY, 8, A, 7, A); /* of that, which goes */
	ADD(l, 15, DROP, 7, 1, A);
	ADD(l, 15, LOGGED, 9, A);
	ADD(l, 15, COPY, 10, B, 9, A);
	ADD(l, 15, DROP, 9, 1, A);
	ADD(l, 15, DROP, 4711, 1, A); /* that nothing was made of */
	assert_lost(l, 0, 0);
	ADD(l, 15, DROP, 1, 1, A);
	assert_lost(l, A, 8);
	wal_lost_free(l);
}

/* A folder goes before the log says so: what the server has at the end tells it. */
static void what_went_before_the_log_says_so_is_lost(void **state)
{
	static const struct wal_lost_database all[] = {
	    {5, A, true}, {6, A, true}, {7, A, false}, {8, A, true}, {9, A, true}};
	struct wal_lost *l = wal_lost_new();

	ADD(l, 15, COPY, 6, A, 5, A); /* of one that stays */
	ADD(l, 15, COPY, 6, B, 5, B); /* and what that has in another tablespace */
	ADD(l, 15, LOGGED, 10, A);
	ADD(l, 15, COPY, 11, A, 10, A); /* of one that the log made, which went */
	wal_lost_end(l, all, 5);
	assert_lost(l, 0, 0);
	ADD(l, 15, COPY, 8, A, 7, A); /* of one that is being dropped */
	wal_lost_end(l, all, 5);
	assert_lost(l, A, 8);
	ADD(l, 15, DROP, 8, 1, A);
	ADD(l, 15, COPY, 8, A, 4711, A); /* of one that was */
	wal_lost_end(l, all, 5);
	assert_lost(l, A, 8);
	ADD(l, 15, DROP, 8, 1, A);
	ADD(l, 15, COPY, 9, A, 9, B); /* moved, and its folder not yet dropped */
	wal_lost_end(l, all, 5);
	assert_lost(l, A, 9);
	wal_lost_free(l);
}

static void what_is_not_understood_is_told(void **state)
{
	struct wal_lost *l = wal_lost_new();

	assert_int_equal(ADD(l, 15, 0x30, 5, A, 1, A), -1);
	assert_int_equal(ADD(l, 14, 0x20, 5, 1, A), -1);
	assert_int_equal(ADD(l, 15, COPY, 5, A, 1), -1);
	assert_int_equal(ADD(l, 15, DROP, 5, UINT32_MAX, A), -1);
	assert_lost(l, 0, 0);
	wal_lost_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_moved_one_is_lost_and_what_was_copied_of_it),
	    cmocka_unit_test(what_the_log_or_the_backup_has_is_not_lost),
	    cmocka_unit_test(what_went_before_the_log_says_so_is_lost),
	    cmocka_unit_test(what_is_not_understood_is_told),
	};

	return cmocka_run_group_tests_name("wal_lost", tests, NULL, NULL);
}
