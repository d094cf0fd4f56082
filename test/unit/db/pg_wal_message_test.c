/* pg_wal_message: messages, positions and histories, as servers send them and as nobody should. */
#include "unit/unit.h"

#include <stdlib.h>

#include "db/pg_wal_message.h"

static struct err e;

static const uint8_t with_wal[] = {
    'w', 0, 0, 0, 1, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 1, 'a', 'b', 'c'};
static const uint8_t alive[] = {'k', 0, 0, 0, 1, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 1, 1};

static void data_is_read_with_its_positions(void **state)
{
	struct pg_wal_message m;

	assert_int_equal(pg_wal_message_read(span_of(with_wal, sizeof with_wal), &m, &e), 0);
	assert_int_equal(m.kind, PG_WAL_DATA);
	assert_int_equal(m.start, (UINT64_C(1) << 32) + 16);
	assert_int_equal(m.end, (UINT64_C(1) << 32) + 32);
	assert_int_equal(m.sent_ns, INT64_C(946684800000001000));
	assert_int_equal(m.data.n, 3);
	assert_memory_equal(m.data.p, "abc", 3);
}

static void keepalives_say_whether_an_answer_is_wanted(void **state)
{
	struct pg_wal_message m;

	assert_int_equal(pg_wal_message_read(span_of(alive, sizeof alive), &m, &e), 0);
	assert_int_equal(m.kind, PG_WAL_ALIVE);
	assert_int_equal(m.end, (UINT64_C(1) << 32) + 32);
	assert_true(m.answer);
}

static void cut_messages_are_refused_wherever_they_are_cut(void **state)
{
	struct pg_wal_message m;

	for (size_t n = 0; n < 25; n++)
		assert_int_equal(pg_wal_message_read(span_of(with_wal, n), &m, &e), -1);
	for (size_t n = 0; n < sizeof alive; n++)
		assert_int_equal(pg_wal_message_read(span_of(alive, n), &m, &e), -1);
	assert_int_equal(pg_wal_message_read(span_of("k2345678901234567890", 20), &m, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_int_equal(pg_wal_message_read(span_of("x", 1), &m, &e), -1);
	assert_int_equal(e.kind, ERR_LATER);
}

static void data_past_the_last_position_is_refused(void **state)
{
	uint8_t m[sizeof with_wal];
	struct pg_wal_message out;

	memcpy(m, with_wal, sizeof m);
	memset(m + 1, 0xff, 8);
	assert_int_equal(pg_wal_message_read(span_of(m, sizeof m), &out, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
}

static void status_has_the_server_s_form(void **state)
{
	static const uint8_t want[PG_WAL_STATUS] = {'r', 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0,
	    0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5, 1};
	struct buf b = {0};

	pg_wal_message_status(&b, 3, 2, 1, INT64_C(946684800000005000), true);
	assert_int_equal(b.n, sizeof want);
	assert_memory_equal(b.p, want, sizeof want);
	buf_fini(&b);
}

static void positions_are_read_and_written(void **state)
{
	static const char *const bad[] = {"", "/", "1/", "/1", "1", "1/2/3", "g/1", "1/123456789",
	    "123456789/1", "1/2 ", " 1/2", "-1/2"};
	char text[PG_WAL_LSN_TEXT];
	uint64_t v;

	assert_int_equal(pg_wal_lsn_read("16/B374D848", &v, &e), 0);
	assert_int_equal(v, UINT64_C(0x16B374D848));
	assert_string_equal(pg_wal_lsn(v, text), "16/B374D848");
	assert_string_equal(pg_wal_lsn(UINT64_MAX, text), "FFFFFFFF/FFFFFFFF");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (pg_wal_lsn_read(bad[i], &v, &e) == 0)
			fail_msg("'%s' was taken", bad[i]);
}

static void history_is_read_in_order(void **state)
{
	static const char text[] = "# comment\n\n1\t0/3000148\tno recovery target specified\n"
				   "2\t0/5000000\tbefore 2000-01-01\n";
	struct pg_wal_switch *v;
	size_t n;

	assert_int_equal(pg_wal_history_read(span_str(text), 3, &v, &n, &e), 0);
	assert_int_equal(n, 2);
	assert_int_equal(v[0].timeline, 1);
	assert_int_equal(v[0].at, 0x3000148);
	assert_int_equal(v[1].timeline, 2);
	free(v);
	assert_int_equal(pg_wal_history_read(span_str(""), 1, &v, &n, &e), 0);
	assert_int_equal(n, 0);
	assert_null(v);
}

static void histories_that_make_no_sense_are_refused(void **state)
{
	static const char *const bad[] = {"1\n", "x\t0/1\n", "0\t0/1\n", "3\t0/1\n", "1\t0/1x\n",
	    "2\t0/1\n1\t0/2\n", "1\t0/5\n2\t0/2\n", "99999999999999999999\t0/1\n"};
	struct pg_wal_switch *v;
	size_t n;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (pg_wal_history_read(span_str(bad[i]), 3, &v, &n, &e) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_null(v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(data_is_read_with_its_positions),
	    cmocka_unit_test(keepalives_say_whether_an_answer_is_wanted),
	    cmocka_unit_test(cut_messages_are_refused_wherever_they_are_cut),
	    cmocka_unit_test(data_past_the_last_position_is_refused),
	    cmocka_unit_test(status_has_the_server_s_form),
	    cmocka_unit_test(positions_are_read_and_written),
	    cmocka_unit_test(history_is_read_in_order),
	    cmocka_unit_test(histories_that_make_no_sense_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
