/* os_isolate: what runs apart cannot reach the rest, and never outlives us. */
#include "unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os.h"
#include "os/os_child.h"
#include "os/os_isolate.h"
#include "os/os_scratch.h"

static char *folder;

static struct os_isolate *apart(uint64_t memory)
{
	struct os_isolate_params p = {.name = "holdfast-test",
	    .user = geteuid() == 0 ? "nobody" : NULL,
	    .folder = folder,
	    .limits = {memory, 50, 64}};
	struct os_isolate *i = NULL;
	struct err e;

	if (os_isolate_new(&p, &i, &e) == -1)
		fail_msg("%s", e.msg);
	for (const char *const *w = os_isolate_had(i); *w != NULL; w++)
		print_message("# %s\n", *w);
	return i;
}

static bool had(const struct os_isolate *i, const char *what)
{
	for (const char *const *w = os_isolate_had(i); *w != NULL; w++)
		if (strncmp(*w, what, strlen(what)) == 0)
			return true;
	return false;
}

static int sh(
    const struct os_isolate *i, const char *script, int64_t timeout, struct buf *out, struct err *e)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	const char *env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	struct os_isolate_child c = {.argv = argv, .env = env};
	int status;

	return os_isolate_run(i, &c, timeout, NULL, out, &status, e) == -1 ? -1 : status;
}

static void it_is_another_and_writes_only_in_its_folder(void **state)
{
	struct os_isolate *i = apart(0);
	struct buf out = {0};
	struct err e;

	(void)state;
	assert_int_equal(
	    sh(i, "id -un; pwd; echo $HOME; echo x >in && echo wrote; exit 7", 0, &out, &e), 7);
	if (geteuid() == 0)
		assert_memory_equal(buf_cstr(&out), "nobody\n", 7);
	assert_non_null(strstr(buf_cstr(&out), "wrote"));
	assert_non_null(strstr(buf_cstr(&out), folder));
	out.n = 0;
	if (had(i, "files: all but"))
		assert_int_equal(sh(i, "echo x >/tmp/holdfast-not-here", 0, &out, &e), 2);
	assert_int_equal(access("/tmp/holdfast-not-here", F_OK), -1);
	os_isolate_free(i);
	buf_fini(&out);
}

static void no_network_but_its_own_is_reached(void **state)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct os_isolate *i = apart(0);
	socklen_t n = sizeof a;
	struct buf out = {0};
	char script[256];
	struct err e;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	snprintf(script, sizeof script,
	    "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", %d), 2)' 2>&1",
	    ntohs(a.sin_port));
	if (had(i, "network: own")) {
		assert_int_equal(sh(i, script, 0, &out, &e), 1);
		assert_non_null(strstr(buf_cstr(&out), "refused"));
		out.n = 0;
		assert_int_equal(
		    sh(i, "ls /sys/class/net; cat /proc/net/dev | grep -c :", 0, &out, &e), 0);
		assert_non_null(strstr(buf_cstr(&out), "\n1\n"));
	}
	os_close(fd);
	os_isolate_free(i);
	buf_fini(&out);
}

static void one_that_takes_too_long_is_ended_with_all_it_started(void **state)
{
	struct os_isolate *i = apart(0);
	struct buf out = {0};
	struct err e;

	(void)state;
	assert_int_equal(sh(i, "(setsid sleep 4242 &); sleep 60", 500000000, &out, &e), -1);
	assert_int_equal(e.kind, ERR_TIMEOUT);
	os_isolate_free(i);
	assert_int_not_equal(system("pgrep -f '^sleep 4242' >/dev/null"), 0);
	buf_fini(&out);
}

/* Our own sudden end is its end, too. */
static void it_never_outlives_us(void **state)
{
	const char *argv[] = {"sleep", "4343", NULL}, *env[] = {"PATH=/usr/bin:/bin", NULL};
	struct os_isolate_child c = {.argv = argv, .env = env, .out = -1};
	int talk[2], how, tries = 100;
	char word;
	pid_t us;

	(void)state;
	assert_int_equal(pipe(talk), 0);
	us = fork();
	if (us == 0) {
		struct os_isolate *i = apart(0);
		struct err e;
		pid_t pid;

		(void)!write(talk[1], os_isolate_start(i, &c, &pid, &e) == 0 ? "y" : "n", 1);
		pause();
	}
	assert_int_equal(read(talk[0], &word, 1), 1);
	assert_int_equal(word, 'y');
	assert_int_equal(system("pgrep -f '^sleep 4343' >/dev/null"), 0);
	kill(us, SIGKILL);
	waitpid(us, &how, 0);
	while (tries-- > 0 && system("pgrep -f '^sleep 4343' >/dev/null") == 0)
		poll(NULL, 0, 50);
	assert_true(tries > 0);
	assert_true(os_cgroup_sweep("holdfast-test") <= 8);
}

static void more_memory_than_allowed_is_refused(void **state)
{
	struct os_isolate *i = apart(UINT64_C(64) << 20);
	struct buf out = {0};
	struct err e;

	(void)state;
	assert_int_not_equal(
	    sh(i, "python3 -c 'b = bytearray(200 << 20); print(len(b))'", 0, &out, &e), 0);
	out.n = 0;
	assert_int_equal(
	    sh(i, "python3 -c 'b = bytearray(8 << 20); print(len(b))'", 0, &out, &e), 0);
	if (had(i, "memory: 64 MiB by"))
		assert_true(os_isolate_memory_peak(i) > (8 << 20));
	os_isolate_free(i);
	buf_fini(&out);
}

static void an_unknown_user_is_told(void **state)
{
	struct os_isolate_params p = {.name = "holdfast-test", .user = "no-such-user"};
	struct os_isolate *i;
	struct err e;

	(void)state;
	assert_int_equal(os_isolate_new(&p, &i, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_is_another_and_writes_only_in_its_folder),
	    cmocka_unit_test(no_network_but_its_own_is_reached),
	    cmocka_unit_test(one_that_takes_too_long_is_ended_with_all_it_started),
	    cmocka_unit_test(it_never_outlives_us),
	    cmocka_unit_test(more_memory_than_allowed_is_refused),
	    cmocka_unit_test(an_unknown_user_is_told),
	};
	struct err e;
	int failed;

	folder = os_scratch_new("/var/tmp", "holdfast-isolate", &e);
	if (folder == NULL || chmod(folder, 0777) == -1)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)!os_scratch_remove(folder, &e);
	free(folder);
	return failed;
}
