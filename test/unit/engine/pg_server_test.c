/* pg_server: a real server on a data directory, up and down whatever happens. */
#include "unit/unit.h"

#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/pg_binaries.h"
#include "engine/pg_server_internal.h"
#include "os/os.h"
#include "os/os_scratch.h"
#include "os/os_spawn.h"

#define SECOND INT64_C(1000000000)

static char folder[] = "/tmp/hfpgXXXXXX";
static char *data, *bin;
static struct ctx ctx;

static int make(void **state)
{
	char *initdb;
	struct passwd *pw = getpwnam("postgres");
	struct err e;
	int status, pid;

	(void)state;
	for (int major = 18; bin == NULL && major >= 13; major--)
		bin = pg_binaries_find(major, NULL, &e);
	if (bin == NULL || (geteuid() == 0 && pw == NULL) || mkdtemp(folder) == NULL)
		return 0;
	data = mem_printf("%s/data", folder);
	initdb = mem_printf("%s/initdb", bin);
	const char *argv[] = {initdb, "-D", data, "-N", "-A", "reject", "-U", "postgres", "-E",
	    "UTF8", "--locale=C", NULL};
	struct os_spawn s = {.argv = argv, .out = -1};

	if (geteuid() == 0) {
		s.as_user = true;
		s.uid = pw->pw_uid;
		s.gid = pw->pw_gid;
		(void)!chown(folder, s.uid, s.gid);
	}
	s.dir = folder;
	if (os_spawn(&s, &pid, &e) == -1 || !os_spawn_ended(pid, 60 * SECOND, &status) || status)
		return -1;
	free(initdb);
	return 0;
}

static int clean(void **state)
{
	struct err e;

	(void)state;
	if (data != NULL)
		os_scratch_remove(folder, &e);
	free(data);
	free(bin);
	return 0;
}

static void it_takes_connections_and_is_gone_afterwards(void **state)
{
	const char *settings[] = {"shared_buffers=8MB"};
	struct pg_server_params p = {.data = data,
	    .settings = settings,
	    .nsettings = 1,
	    .wait = PG_SERVER_READY,
	    .timeout_ns = 60 * SECOND};
	struct pg_server *s, *second;
	char *socket, *dir;
	struct err e;
	int pid;

	(void)state;
	if (data == NULL)
		skip();
	assert_int_equal(pg_server_start(&p, &ctx, &s, &e), 0);
	assert_int_equal(pg_server_phase(s), PG_SERVER_READY);
	assert_true(pg_server_runs(data, &pid));
	assert_int_equal(pid, pg_server_pid(s));
	dir = mem_strdup(pg_server_socket_dir(s));
	socket = mem_printf("%s/.s.PGSQL.5432", dir);
	assert_int_equal(access(socket, F_OK), 0);
	assert_int_equal(pg_server_start(&p, &ctx, &second, &e), -1);
	assert_int_equal(e.kind, ERR_BUSY);
	assert_int_equal(pg_server_stop(s, &e), 0);
	assert_int_equal(pg_server_phase(s), PG_SERVER_ENDED);
	pg_server_free(s);
	assert_int_equal(access(dir, F_OK), -1);
	assert_false(pg_server_runs(data, &pid));
	free(dir);
	free(socket);
}

static void what_its_log_says_stands_in_the_error(void **state)
{
	const char *settings[] = {"shared_buffers=nonsense"};
	struct pg_server_params p = {
	    .data = data, .settings = settings, .nsettings = 1, .wait = PG_SERVER_READY};
	struct pg_server *s;
	struct err e;

	(void)state;
	if (data == NULL)
		skip();
	assert_int_equal(pg_server_start(&p, &ctx, &s, &e), -1);
	assert_non_null(strstr(e.hint, "nonsense"));
}

static void it_dies_with_us(void **state)
{
	struct pg_server_params p = {.data = data, .wait = PG_SERVER_READY};
	struct pg_server *s;
	struct err e;
	pid_t us;
	int how, pid, left = 12000;

	(void)state;
	if (data == NULL)
		skip();
	us = fork();
	if (us == 0) {
		if (pg_server_start(&p, &ctx, &s, &e) == -1)
			_exit(1);
		raise(SIGKILL);
	}
	waitpid(us, &how, 0);
	assert_true(WIFSIGNALED(how));
	while (pg_server_runs(data, &pid) && --left > 0)
		usleep(5000);
	assert_true(left > 0);
}

static void what_is_no_data_directory_is_refused(void **state)
{
	struct pg_server_params p = {.data = "/tmp"};
	struct pg_server *s;
	struct err e;

	(void)state;
	assert_int_equal(pg_server_start(&p, &ctx, &s, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
}

static void its_control_file_is_read(void **state)
{
	struct pg_control c;
	struct err e;

	(void)state;
	if (data == NULL)
		skip();
	assert_int_equal(pg_control_read(bin, data, &ctx, &c, &e), 0);
	assert_int_equal(c.segment_size, 16 << 20);
	assert_int_equal(c.timeline, 1);
	assert_true(c.system_identifier > 0 && c.redo > 0 && c.max_connections > 0);
	assert_int_equal(pg_control_read(bin, "/tmp", &ctx, &c, &e), -1);
}

static void positions_are_understood_or_refused(void **state)
{
	uint64_t v;

	(void)state;
	assert_true(pg_lsn_parse("16/B374D848", &v));
	assert_true(v == UINT64_C(0x16B374D848));
	assert_false(pg_lsn_parse("16/B374D848 ", &v));
	assert_false(pg_lsn_parse("16", &v));
	assert_false(pg_lsn_parse("/1", &v));
	assert_false(pg_lsn_parse("1/", &v));
	assert_false(pg_lsn_parse("1/1FFFFFFFF", &v));
}

/* A server that has just begun takes no signal yet: it is told again. */
static void one_that_did_not_hear_is_told_again(void **state)
{
	struct pg_server s = {.data = (char *)"/none"};
	struct err e;

	(void)state;
	signal(SIGINT, SIG_IGN);
	s.pid = fork();
	if (s.pid == 0) {
		usleep(400000);
		signal(SIGINT, SIG_DFL);
		sleep(60);
		_exit(1);
	}
	signal(SIGINT, SIG_DFL);
	assert_true(s.pid > 0);
	assert_int_equal(pg_server_stop(&s, &e), 0);
	assert_int_equal(s.status, 128 + SIGINT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(its_control_file_is_read),
	    cmocka_unit_test(it_takes_connections_and_is_gone_afterwards),
	    cmocka_unit_test(what_its_log_says_stands_in_the_error),
	    cmocka_unit_test(it_dies_with_us),
	    cmocka_unit_test(what_is_no_data_directory_is_refused),
	    cmocka_unit_test(one_that_did_not_hear_is_told_again),
	    cmocka_unit_test(positions_are_understood_or_refused),
	};

	return cmocka_run_group_tests_name("pg_server", tests, make, clean);
}
