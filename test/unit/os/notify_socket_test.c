#include "unit/unit.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "os/notify_socket.h"
#include "os/os.h"

static struct err e;

/* A manager's end, at a path or an abstract name that the kernel makes up; $NOTIFY_SOCKET is it. */
static int manager(bool abstract, char path[108])
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	socklen_t n = sizeof(sa_family_t);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (!abstract) {
		char dir[] = "/tmp/notify.XXXXXX";

		assert_non_null(mkdtemp(dir));
		snprintf(path, 108, "%s/socket", dir);
		strcpy(a.sun_path, path);
		n = sizeof a;
	}
	assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
	if (abstract) {
		n = sizeof a;
		assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
		snprintf(path, 108, "@%.*s", (int)(n - sizeof(sa_family_t) - 1), a.sun_path + 1);
	}
	setenv("NOTIFY_SOCKET", path, 1);
	return fd;
}

static void done(int fd, char *path)
{
	close(fd);
	if (path[0] == '/') {
		unlink(path);
		*strrchr(path, '/') = '\0';
		rmdir(path);
	}
	unsetenv("NOTIFY_SOCKET");
}

static void expect(int fd, const char *what)
{
	char got[256] = "";
	ssize_t n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);

	assert_int_equal(n, (ssize_t)strlen(what));
	assert_string_equal(got, what);
}

static void a_manager_hears_each_state(void **state)
{
	for (int abstract = 0; abstract < 2; abstract++) {
		char path[108];
		int fd = manager(abstract, path);

		assert_true(notify_socket_wanted());
		assert_int_equal(notify_socket_send(NOTIFY_READY "\nSTATUS=2 jobs", &e), 0);
		expect(fd, "READY=1\nSTATUS=2 jobs");
		assert_int_equal(notify_socket_send(NOTIFY_WATCHDOG, &e), 0);
		expect(fd, "WATCHDOG=1");
		assert_int_equal(notify_socket_send(NOTIFY_STOPPING, &e), 0);
		expect(fd, "STOPPING=1");
		done(fd, path);
	}
}

static void reloading_comes_with_the_time(void **state)
{
	char path[108], got[128] = "";
	int fd = manager(true, path);
	long long us = 0;

	assert_int_equal(notify_socket_reloading(&e), 0);
	assert_true(recv(fd, got, sizeof got - 1, MSG_DONTWAIT) > 0);
	assert_int_equal(sscanf(got, "RELOADING=1\nMONOTONIC_USEC=%lld", &us), 1);
	assert_true(us > 0);
	done(fd, path);
}

static void nobody_asked_nothing_sent(void **state)
{
	unsetenv("NOTIFY_SOCKET");
	assert_false(notify_socket_wanted());
	assert_int_equal(notify_socket_send(NOTIFY_READY, &e), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	assert_false(notify_socket_wanted());
	assert_int_equal(notify_socket_send(NOTIFY_READY, &e), 0);
}

static void a_bad_address_is_told(void **state)
{
	char longer[300];
	const char *bad[] = {"relative", "@", "/", longer};

	memset(longer, 'x', sizeof longer - 1);
	longer[0] = '/';
	longer[sizeof longer - 1] = '\0';
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		setenv("NOTIFY_SOCKET", bad[i], 1);
		assert_int_equal(notify_socket_send(NOTIFY_READY, &e), -1);
		assert_int_equal(e.kind, ERR_USAGE);
	}
	setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
	assert_int_equal(notify_socket_send(NOTIFY_READY, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	unsetenv("NOTIFY_SOCKET");
}

static void the_watchdog_is_for_one_process(void **state)
{
	char pid[32];

	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	assert_int_equal(notify_socket_watchdog_ns(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	assert_true(notify_socket_watchdog_ns() == 30000000000);
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_true(notify_socket_watchdog_ns() == 30000000000);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(notify_socket_watchdog_ns(), 0);
	unsetenv("WATCHDOG_PID");
	for (const char **p = (const char *[]){"", "0", "-5", "3s", "99999999999999999999", NULL};
	     *p; p++) {
		setenv("WATCHDOG_USEC", *p, 1);
		assert_int_equal(notify_socket_watchdog_ns(), 0);
	}
	unsetenv("WATCHDOG_USEC");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_manager_hears_each_state),
	    cmocka_unit_test(reloading_comes_with_the_time),
	    cmocka_unit_test(nobody_asked_nothing_sent),
	    cmocka_unit_test(a_bad_address_is_told),
	    cmocka_unit_test(the_watchdog_is_for_one_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
