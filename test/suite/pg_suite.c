/* pg: questions, streams and refusals of a real server, at HOLDFAST_SUITE_URL. */
#include "unit/unit.h"

#include <time.h>

#include "base/mem.h"
#include "db/pg.h"

static struct err e;
static char host[256], port[16], user[64];

#define OK(x)                                                                                      \
	do {                                                                                       \
		if ((x) != 0)                                                                      \
			fail_msg("%s: %s", #x, e.msg);                                             \
	} while (0)

static struct pg_target target(void)
{
	const char *url = getenv("HOLDFAST_SUITE_URL");

	/* The URL is of our own making: postgresql://USER@HOST:PORT/DATABASE. */
	assert_int_equal(
	    sscanf(url, "postgresql://%63[^@]@%255[^:]:%15[0-9]", user, host, port), 3);
	return (struct pg_target){.host = host, .port = port, .user = user};
}

static struct pg *open_it(bool replication)
{
	struct pg_target t = target();
	struct pg *g;

	OK(pg_open(&t, replication, 10, &g, &e));
	return g;
}

static int gather(void *arg, const char *const *v, size_t n, struct err *err)
{
	char **text = arg, *old = *text;

	*text = mem_printf("%s%s,%zu;", old ? old : "", v[0] ? v[0] : "NULL", n);
	free(old);
	return 0;
}

static void questions_take_values_and_tell_texts(void **state)
{
	struct pg *g = open_it(false);
	const struct db_value v[] = {
	    db_int(41), db_text("it's"), db_null(), db_real(0.5), db_blob(span_str("ab"))};
	char *text = NULL;

	OK(pg_text(g,
	    "select $1::int8 + 1 || $2::text || coalesce($3, '-') || $4::float8 || "
	    "length($5::bytea)",
	    v, 5, &text, &e));
	assert_string_equal(text, "42it's-0.52");
	free(text);
	OK(pg_text(g, "select 1 where false", NULL, 0, &text, &e));
	assert_null(text);
	OK(pg_query(g, "select n, 2 from generate_series(1, 3) n", NULL, 0, gather, &text, &e));
	assert_string_equal(text, "1,2;2,2;3,2;");
	free(text);
	assert_true(pg_version(g) >= 130000);
	assert_string_equal(pg_parameter(g, "client_encoding"), "UTF8");
	pg_close(g);
}

static void a_wrong_question_is_told_and_the_next_is_answered(void **state)
{
	struct pg *g = open_it(false);
	char *text = NULL;

	assert_int_equal(pg_query(g, "selec 1", NULL, 0, NULL, NULL, &e), -1);
	assert_string_equal(pg_state(g), "42601");
	assert_non_null(strstr(e.msg, "selec 1: syntax error"));
	assert_int_equal(
	    pg_query(g, "select pg_drop_replication_slot('no_such')", NULL, 0, NULL, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	OK(pg_text(g, "select 1", NULL, 0, &text, &e));
	free(text);
	pg_close(g);
}

static void refusals_are_told_apart(void **state)
{
	struct pg_target t = target();
	struct pg *g;

	t.user = "nobody_here";
	assert_int_equal(pg_open(&t, false, 5, &g, &e), -1);
	assert_int_equal(e.kind, ERR_DENIED);
	assert_null(g);
	t = target();
	t.password = "wrong";
	assert_int_equal(pg_open(&t, false, 5, &g, &e), -1);
	assert_int_equal(e.kind, ERR_DENIED);
	assert_null(strstr(e.msg, "28P01"));
	t = target();
	t.database = "no_such";
	assert_int_equal(pg_open(&t, false, 5, &g, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	t = target();
	t.port = "1";
	assert_int_equal(pg_open(&t, false, 5, &g, &e), -1);
	assert_int_equal(e.kind, ERR_UNREACHABLE);
	assert_non_null(strstr(e.hint, "does the server run"));
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void each_wait_has_an_end(void **state)
{
	struct pg_target t = target();
	struct ctx ctx = {0};
	struct pg *g = open_it(false);
	double from = seconds();

	pg_patience(g, 1);
	assert_int_equal(pg_query(g, "select pg_sleep(30)", NULL, 0, NULL, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_TIMEOUT);
	pg_close(g);
	OK(pg_open_for(&t, false, 5, &ctx, &g, &e));
	atomic_store(&ctx.cancel, true);
	assert_int_equal(pg_query(g, "select pg_sleep(30)", NULL, 0, NULL, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_CANCELLED);
	pg_close(g);
	assert_true(seconds() - from < 10);
}

static void a_stream_of_replication_comes_goes_and_ends(void **state)
{
	struct pg *g = open_it(true), *q = open_it(false);
	char *lsn = NULL, *sql, *text = NULL;
	enum pg_copied got;
	struct span m;
	char status[34] = {'r'};

	OK(pg_query(g, "IDENTIFY_SYSTEM", NULL, 0, gather, &text, &e));
	assert_non_null(strstr(text, ",4;"));
	OK(pg_text(q, "select pg_current_wal_lsn()", NULL, 0, &lsn, &e));
	sql = mem_printf("START_REPLICATION PHYSICAL %s", lsn);
	OK(pg_copy_begin(g, sql, NULL, NULL, &e));
	assert_true(pg_socket(g) >= 0);
	OK(pg_query(q, "select txid_current(), pg_switch_wal()", NULL, 0, NULL, NULL, &e));
	do
		OK(pg_copy_read(g, 5000000000, &got, &m, &e));
	while (got == PG_MESSAGE && m.p[0] != 'w');
	assert_int_equal(got, PG_MESSAGE);
	OK(pg_copy_write(g, span_of(status, sizeof status), &e));
	OK(pg_copy_end(g, NULL, NULL, NULL, &e));
	OK(pg_query(g, "IDENTIFY_SYSTEM", NULL, 0, NULL, NULL, &e));
	OK(pg_copy_begin(g, "START_REPLICATION PHYSICAL 0/1", NULL, NULL, &e));
	do
		OK(pg_copy_read(g, 5000000000, &got, &m, &e));
	while (got == PG_MESSAGE);
	assert_int_equal(got, PG_END);
	assert_int_equal(pg_copy_end(g, NULL, NULL, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	assert_non_null(strstr(e.msg, "has already been removed"));
	free(sql);
	free(lsn);
	free(text);
	pg_close(q);
	pg_close(g);
}

static void one_stream_after_the_other_of_a_base_backup(void **state)
{
	struct pg *g = open_it(true);
	bool more = false;
	size_t bytes = 0;
	char *text = NULL;
	int streams = 0;

	OK(pg_copy_begin(
	    g, "BASE_BACKUP (LABEL 'suite', CHECKPOINT 'fast', WAIT false)", gather, &text, &e));
	do {
		enum pg_copied got;
		struct span m;

		do {
			OK(pg_copy_read(g, 20000000000, &got, &m, &e));
			bytes += m.n;
		} while (got == PG_MESSAGE);
		assert_int_equal(got, PG_END);
		streams++;
		OK(pg_copy_end(g, gather, &text, &more, &e));
	} while (more);
	assert_true(bytes > 10 << 20);
	assert_true(streams >= 1);
	assert_non_null(text);
	free(text);
	pg_close(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(questions_take_values_and_tell_texts),
	    cmocka_unit_test(a_wrong_question_is_told_and_the_next_is_answered),
	    cmocka_unit_test(refusals_are_told_apart),
	    cmocka_unit_test(each_wait_has_an_end),
	    cmocka_unit_test(a_stream_of_replication_comes_goes_and_ends),
	    cmocka_unit_test(one_stream_after_the_other_of_a_base_backup),
	};

	return cmocka_run_group_tests_name("pg", tests, NULL, NULL);
}
