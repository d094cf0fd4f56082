/* db: what a statement takes and gives, and what two at once meet. */
#include "unit/unit.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "db/db.h"

static struct err e;

#define OK(x)                                                                                      \
	do {                                                                                       \
		if ((x) != 0)                                                                      \
			fail_msg("%s: %s", #x, e.msg);                                             \
	} while (0)

static char dir[64];

/* The same tests hold for a server, which each of them has for itself. */
static const char *server(void)
{
	return getenv("HOLDFAST_SUITE_URL");
}

static struct db *open_in(const char *name)
{
	char *path = server() ? mem_strdup(server()) : mem_printf("%s/%s", dir, name);
	struct db *d;

	OK(db_open(path, &d, &e));
	free(path);
	return d;
}

static int setup(void **state)
{
	strcpy(dir, "/tmp/hf-db-XXXXXX");
	assert_non_null(mkdtemp(dir));
	if (server() != NULL) {
		struct db *d = open_in("");

		OK(db_script(d, "DROP SCHEMA public CASCADE; CREATE SCHEMA public", &e));
		db_close(d);
	}
	return 0;
}

static int teardown(void **state)
{
	char *cmd = mem_printf("rm -rf %s", dir);
	int rc = system(cmd);

	free(cmd);
	return rc;
}

struct seen {
	size_t rows;
	struct db_value first[8];
	char text[64];
	int64_t sum;
};

static int see(void *arg, const struct db_value *v, size_t n, struct err *err)
{
	struct seen *s = arg;

	if (s->rows++ == 0) {
		memcpy(s->first, v, n * sizeof *v);
		for (size_t i = 0; i < n; i++)
			if (v[i].type == DB_TEXT)
				snprintf(s->text, sizeof s->text, "%.*s", (int)v[i].s.n,
				    (const char *)v[i].s.p);
	}
	s->sum += v[0].i;
	return 0;
}

static void values_come_back_as_they_went(void **state)
{
	static const char bytes[] = "a\0b";
	struct db *d = open_in("a");
	struct db_value v[] = {db_int(INT64_MIN), db_real(0.25), db_text("t\xc3\xa4xt"),
	    db_blob(span_of(bytes, 3)), db_null(), db_blob(span_of(NULL, 0))};
	struct seen s = {0};

	OK(db_script(d, "CREATE TABLE t (i INTEGER, r REAL, t TEXT, b BLOB, n TEXT, z BLOB)", &e));
	OK(db_run(d, "INSERT INTO t VALUES (?1, ?2, ?3, ?4, ?5, ?6)", v, 6, NULL, NULL, &e));
	assert_int_equal(db_changed(d), 1);
	OK(db_run(d, "SELECT i, r, t, n, z, length(b) FROM t", NULL, 0, see, &s, &e));
	assert_int_equal(s.rows, 1);
	assert_true(s.first[0].i == INT64_MIN && s.first[1].d == 0.25);
	assert_string_equal(s.text, "t\xc3\xa4xt");
	assert_int_equal(s.first[3].type, DB_NULL);
	assert_int_equal(s.first[4].type, DB_BLOB);
	assert_int_equal(s.first[5].i, 3);
	db_close(d);
}

static void what_is_not_committed_is_undone(void **state)
{
	struct db *d = open_in("a");
	struct seen s = {0};

	OK(db_script(d, "CREATE TABLE t (i INTEGER PRIMARY KEY)", &e));
	OK(db_begin(d, &e));
	OK(db_run(d, "INSERT INTO t VALUES (1)", NULL, 0, NULL, NULL, &e));
	db_close(d);
	d = open_in("a");
	OK(db_begin(d, &e));
	OK(db_run(d, "INSERT INTO t VALUES (2)", NULL, 0, NULL, NULL, &e));
	OK(db_commit(d, &e));
	OK(db_run(d, "SELECT i FROM t", NULL, 0, see, &s, &e));
	assert_int_equal(s.sum, 2);
	db_close(d);
}

static void a_unique_key_that_is_there_is_told_apart(void **state)
{
	struct db *d = open_in("a");
	struct db_value one = db_int(1);

	OK(db_script(d, "CREATE TABLE t (i INTEGER PRIMARY KEY)", &e));
	OK(db_run(d, "INSERT INTO t VALUES (?1)", &one, 1, NULL, NULL, &e));
	assert_int_equal(db_run(d, "INSERT INTO t VALUES (?1)", &one, 1, NULL, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_EXISTS);
	assert_int_equal(db_run(d, "SELEC 1", NULL, 0, NULL, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_BUG);
	db_close(d);
}

static int nest(void *arg, const struct db_value *v, size_t n, struct err *err)
{
	struct seen s = {0};
	struct db_value i = v[0];

	return db_run(arg, "SELECT count(*) FROM t WHERE i <= ?1", &i, 1, see, &s, err) == -1 ||
		       s.sum != i.i
		   ? -1
		   : 0;
}

/* More statements than are kept, and some within others. */
static void statements_are_kept_and_may_nest(void **state)
{
	struct db *d = open_in("a");

	OK(db_script(d, "CREATE TABLE t (i INTEGER PRIMARY KEY)", &e));
	for (int i = 1; i <= 100; i++) {
		char *sql = mem_printf("INSERT INTO t VALUES (%d)", i);

		OK(db_run(d, sql, NULL, 0, NULL, NULL, &e));
		free(sql);
	}
	OK(db_run(d, "SELECT i FROM t ORDER BY i", NULL, 0, nest, d, &e));
	db_close(d);
}

struct streamed {
	struct db *d;
	int64_t sum, last;
};

static int add_up(void *arg, const struct db_value *v, size_t n, struct err *err)
{
	struct streamed *s = arg;
	struct seen inner = {0};

	OK(db_run(s->d, "SELECT i FROM t WHERE i = ?1", v, 1, see, &inner, err));
	assert_true(inner.rows == 1 && v[0].i > s->last);
	s->sum += inner.sum;
	s->last = v[0].i;
	return s->last == 1200 ? err_set(err, ERR_CANCELLED, "enough") : 0;
}

static void a_long_answer_is_told_as_it_comes_and_may_be_left(void **state)
{
	static const char sql[] = "SELECT i FROM t WHERE i > ?1 AND i < ?2 ORDER BY i";
	struct db *d = open_in("a");
	struct streamed s = {.d = d};
	struct db_value v[] = {db_int(10), db_int(1111)};

	OK(db_script(d,
	    "CREATE TABLE t (i INTEGER PRIMARY KEY); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL "
	    "SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO t SELECT i FROM n",
	    &e));
	OK(db_stream(d, sql, v, 2, add_up, &s, &e));
	assert_int_equal(s.sum, 1110 * 1111 / 2 - 55);
	v[1].i = 9999;
	s.last = 0;
	assert_int_equal(db_stream(d, sql, v, 2, add_up, &s, &e), -1);
	assert_int_equal(e.kind, ERR_CANCELLED);
	assert_int_equal(db_stream(d, "SELECT nothing FROM nowhere", NULL, 0, add_up, &s, &e), -1);
	assert_int_equal(e.kind, ERR_BUG);
	OK(db_begin(d, &e)); /* nothing is left behind */
	OK(db_commit(d, &e));
	db_close(d);
}

/* Eight processes count together: none of them loses one, however they meet. */
static void who_writes_at_the_same_time_waits(void **state)
{
	struct db *d = open_in("a");
	struct seen s = {0};

	OK(db_script(d, "CREATE TABLE t (i INTEGER); INSERT INTO t VALUES (0)", &e));
	db_close(d);
	for (int i = 0; i < 8; i++)
		if (fork() == 0) {
			d = open_in("a");
			for (int k = 0; k < 25; k++)
				if (db_begin(d, &e) == -1 ||
				    db_run(d, "UPDATE t SET i = i + 1", NULL, 0, NULL, NULL, &e) ==
					-1 ||
				    db_commit(d, &e) == -1)
					_exit(1);
			db_close(d);
			_exit(0);
		}
	for (int i = 0; i < 8; i++) {
		int status;

		assert_true(wait(&status) > 0 && status == 0);
	}
	d = open_in("a");
	OK(db_run(d, "SELECT i FROM t", NULL, 0, see, &s, &e));
	assert_int_equal(s.sum, 200);
	db_close(d);
}

static void what_is_no_database_is_refused_and_nobody_else_reads_it(void **state)
{
	char *path = mem_printf("%s/x", dir);
	struct stat st;
	struct db *d;
	FILE *f = fopen(path, "w");

	for (int i = 0; i < 5000; i++)
		fputc("junk"[i % 4], f);
	fclose(f);
	assert_int_equal(db_open(path, &d, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_int_equal(db_open("relative", &d, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	free(path);
	db_close(open_in("new"));
	path = mem_printf("%s/new", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	free(path);
}

static int take_pid(void *arg, const struct db_value *v, size_t n, struct err *err)
{
	*(int64_t *)arg = v[0].i;
	return 0;
}

static void a_lost_connection_is_told_and_the_next_call_has_another(void **state)
{
	struct db *d, *other;
	struct db_value pid = db_int(0);
	struct seen s = {0};

	d = open_in("a");
	other = open_in("a");
	for (int within = 0; within < 2; within++) {
		OK(db_run(
		    d, "SELECT CAST(pg_backend_pid() AS INTEGER)", NULL, 0, take_pid, &pid.i, &e));
		if (within)
			OK(db_begin(d, &e));
		OK(db_run(other, "SELECT pg_terminate_backend(CAST(?1 AS int), 5000)", &pid, 1,
		    NULL, NULL, &e));
		assert_int_equal(db_run(d, "SELECT 1", NULL, 0, NULL, NULL, &e), -1);
		assert_int_equal(e.kind, ERR_UNREACHABLE);
		if (within) { /* what it began is lost: nothing goes on as if it were not */
			assert_int_equal(db_run(d, "SELECT 1", NULL, 0, NULL, NULL, &e), -1);
			assert_int_equal(e.kind, ERR_UNREACHABLE);
			db_rollback(d);
		}
		OK(db_run(d, "SELECT 7", NULL, 0, see, &s, &e));
	}
	assert_int_equal(s.sum, 14);
	db_close(d);
	db_close(other);
	assert_int_equal(db_open("postgresql://127.0.0.1:1/x", &d, &e), -1);
	assert_int_equal(e.kind, ERR_UNREACHABLE);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest file = T(what_is_no_database_is_refused_and_nobody_else_reads_it);
	const struct CMUnitTest far = T(a_lost_connection_is_told_and_the_next_call_has_another);
	const struct CMUnitTest tests[] = {
	    T(values_come_back_as_they_went),
	    T(what_is_not_committed_is_undone),
	    T(a_unique_key_that_is_there_is_told_apart),
	    T(statements_are_kept_and_may_nest),
	    T(a_long_answer_is_told_as_it_comes_and_may_be_left),
	    T(who_writes_at_the_same_time_waits),
	    server() ? far : file,
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
