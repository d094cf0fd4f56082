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
#include <sys/un.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
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

static bool had(struct os_isolate *i, const char *what)
{
	for (const char *const *w = os_isolate_had(i); *w != NULL; w++)
		if (strncmp(*w, what, strlen(what)) == 0)
			return true;
	return false;
}

static int sh(
    struct os_isolate *i, const char *script, int64_t timeout, struct buf *out, struct err *e)
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

/* Who tries to reach a socket of the machine's by its name, or by one without a file. */
static const char reach[] = "import socket, sys\n"
			    "s = socket.socket(socket.AF_UNIX)\n"
			    "try: s.connect(sys.argv[1].replace('@', chr(0)))\n"
			    "except OSError: sys.exit(3)\n"
			    "print('reached')\n";

static void no_socket_of_the_machine_is_reached(void **state)
{
	static const char *const names[] = {"/tmp/holdfast-isolate-%d.sock",
	    "/run/holdfast-isolate-%d.sock", "@holdfast-isolate-%d"};
	struct os_isolate *i = apart(0);
	struct buf out = {0};
	struct err e;

	(void)state;
	for (size_t k = 0; k < 3; k++) {
		struct sockaddr_un a = {.sun_family = AF_UNIX};
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		char name[64], script[600];

		snprintf(name, sizeof name, names[k], (int)getpid());
		snprintf(a.sun_path, sizeof a.sun_path, "%s", name);
		if (*name == '@')
			a.sun_path[0] = '\0';
		if (bind(fd, (struct sockaddr *)&a,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))) == -1) {
			os_close(fd); /* /run is root's */
			continue;
		}
		assert_int_equal(listen(fd, 4), 0);
		if (*name != '@')
			assert_int_equal(chmod(name, 0777), 0);
		snprintf(script, sizeof script, "python3 -c \"%s\" %s", reach, name);
		assert_int_equal(system(script), 0);
		if (had(i, "sockets of the machine: none in /run and /tmp, no abstract"))
			assert_int_equal(sh(i, script, 0, &out, &e), 3);
		os_close(fd);
		unlink(*name == '@' ? "/nowhere" : name);
	}
	if (geteuid() == 0)
		assert_true(had(i,
		    "sockets of the machine: none in /run and /tmp, no abstract ones; others by"));
	os_isolate_free(i);
	buf_fini(&out);
}

/* Its folder may lie in what is hidden: it is seen there, alone. */
static void a_folder_in_tmp_is_there_and_nothing_beside_it(void **state)
{
	struct err e;
	char *was = folder, *in = os_scratch_new("/tmp", "holdfast-isolate", &e);
	struct os_isolate *i;
	struct buf out = {0};

	(void)state;
	assert_non_null(in);
	assert_int_equal(chmod(in, 0777), 0);
	folder = in;
	i = apart(0);
	folder = was;
	assert_int_equal(sh(i, "pwd; echo x >it && ls /tmp | wc -l", 0, &out, &e), 0);
	assert_non_null(strstr(buf_cstr(&out), in));
	if (had(i, "sockets of the machine: none in /run and /tmp, no abstract"))
		assert_non_null(strstr(buf_cstr(&out), "\n1\n"));
	if (had(i, "files: all but"))
		assert_int_equal(sh(i, "echo x >/tmp/other", 0, &out, &e), 2);
	os_isolate_free(i);
	assert_int_equal(os_scratch_remove(in, &e), 0);
	free(in);
	buf_fini(&out);
}

/* What is told is what a process itself finds, whoever starts it. */
static void what_is_told_is_what_there_is(void **state)
{
	static const struct {
		const char *told, *file;
	} spaces[] = {{"network: own", "net"}, {"processes: own", "pid"},
	    {"shared memory: own", "ipc"}, {"files: all but", "mnt"}};
	struct os_isolate *i = apart(UINT64_C(256) << 20);
	struct buf out = {0};
	struct err e;
	char ours[64];

	(void)state;
	for (size_t k = 0; k < sizeof spaces / sizeof *spaces; k++) {
		const char *argv[] = {"readlink", NULL, NULL};
		char *path = mem_printf("/proc/self/ns/%s", spaces[k].file);
		struct os_spawn s = {.argv = argv, .out = -1};
		ssize_t n = readlink(path, ours, sizeof ours - 1);
		int fd[2], pid, status;
		char text[64] = "";

		assert_true(n > 0);
		ours[n] = '\0';
		argv[1] = path;
		assert_int_equal(pipe(fd), 0);
		s.out = fd[1];
		assert_int_equal(os_isolate_spawn(i, &s, &pid, &e), 0);
		assert_true(os_spawn_ended(pid, INT64_C(10000000000), &status));
		assert_true(read(fd[0], text, sizeof text - 1) > 0);
		text[strcspn(text, "\n")] = '\0';
		assert_int_equal(had(i, spaces[k].told), strcmp(text, ours) != 0);
		close(fd[0]);
		close(fd[1]);
		free(path);
	}
	if (geteuid() == 0) {
		struct os_spawn other = {
		    .argv = (const char *[]){"true", NULL}, .out = -1, .as_user = true, .uid = 0};
		int pid;

		assert_true(had(i, "user: nobody"));
		assert_int_equal(os_isolate_spawn(i, &other, &pid, &e), -1);
	} else {
		assert_true(had(i, "user: "));
	}
	os_isolate_free(i);
	buf_fini(&out);
}

static void what_it_writes_is_kept_in_part_and_read_to_its_end(void **state)
{
	struct os_isolate *i = apart(0);
	struct buf out = {0};
	struct err e;

	(void)state;
	assert_int_equal(sh(i, "head -c 40000000 /dev/zero | tr '\\0' x; exit 9", 0, &out, &e), 9);
	assert_int_equal(out.n, OS_ISOLATE_OUT);
	os_isolate_free(i);
	buf_fini(&out);
}

/* What someone else reaped is no success. */
static void an_end_that_is_not_known_is_an_error(void **state)
{
	struct os_isolate *i = apart(0);
	struct buf out = {0};
	struct err e;

	(void)state;
	signal(SIGCHLD, SIG_IGN);
	assert_int_equal(sh(i, "exit 3", 0, &out, &e), -1);
	signal(SIGCHLD, SIG_DFL);
	assert_non_null(strstr(e.msg, "not known"));
	os_isolate_free(i);
	buf_fini(&out);
}

/* None of ours, all of its own. */
static void its_groups_are_its_users(void **state)
{
	struct os_isolate *i = apart(0);
	struct buf out = {0};
	struct err e;

	(void)state;
	assert_int_equal(
	    sh(i, "test \"$(id -G)\" = \"$(id -G $(id -un))\" && id -G", 0, &out, &e), 0);
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
	int talk[2], how, tries = 1200;
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

/* Who is not root stays who he is, and that is what is told. */
static void only_root_becomes_another(void **state)
{
	struct os_isolate_params p = {.name = "holdfast-test", .user = "daemon"};
	pid_t pid = fork();
	int how;

	(void)state;
	if (pid == 0) {
		struct os_isolate *i = NULL;
		struct err e;
		bool ok = geteuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0);

		ok = ok && os_isolate_new(&p, &i, &e) == 0 && os_isolate_uid(i) == geteuid() &&
		     strstr(os_isolate_had(i)[0], "the same user as who drills: only root") != NULL;
		_exit(ok ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_int_equal(how, 0);
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
	    cmocka_unit_test(no_socket_of_the_machine_is_reached),
	    cmocka_unit_test(a_folder_in_tmp_is_there_and_nothing_beside_it),
	    cmocka_unit_test(what_is_told_is_what_there_is),
	    cmocka_unit_test(what_it_writes_is_kept_in_part_and_read_to_its_end),
	    cmocka_unit_test(an_end_that_is_not_known_is_an_error),
	    cmocka_unit_test(its_groups_are_its_users),
	    cmocka_unit_test(one_that_takes_too_long_is_ended_with_all_it_started),
	    cmocka_unit_test(it_never_outlives_us),
	    cmocka_unit_test(more_memory_than_allowed_is_refused),
	    cmocka_unit_test(only_root_becomes_another),
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
