/* os_spawn: what it is given and not given, as whom it runs, and that it does not outlive us. */
#include "unit/unit.h"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os.h"
#include "os/os_spawn.h"

#define SECOND INT64_C(1000000000)

/* What `script` writes. */
static const char *said(struct os_spawn *s, const char *script, int *status)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	static char text[4096];
	char path[] = "/tmp/hfspawnXXXXXX";
	struct err e;
	int pid;
	ssize_t n;

	s->argv = argv;
	s->out = mkstemp(path);
	assert_int_equal(fchmod(s->out, 0666), 0);
	assert_int_equal(os_spawn(s, &pid, &e), 0);
	assert_true(os_spawn_ended(pid, 20 * SECOND, status));
	n = os_pread_full(s->out, text, sizeof text - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	close(s->out);
	unlink(path);
	return text;
}

static void secrets_of_ours_are_not_its(void **state)
{
	const char *env[] = {"WORD=ours", "PGAPPNAME=mine", NULL};
	struct os_spawn s = {.env = env, .dir = "/"};
	int status;

	(void)state;
	setenv("HOLDFAST_PASSWORD", "secret", 1);
	setenv("PGPASSWORD", "secret", 1);
	setenv("HARMLESS", "there", 1);
	assert_string_equal(
	    said(&s, "echo $WORD $PGAPPNAME $HOLDFAST_PASSWORD $PGPASSWORD $HARMLESS; pwd; exit 3",
		&status),
	    "ours mine there\n/\n");
	assert_int_equal(status, 3);
}

static void no_such_program_is_told(void **state)
{
	const char *argv[] = {"/nonexistent/x", NULL};
	struct os_spawn s = {.argv = argv, .out = -1};
	struct err e;
	int pid;

	(void)state;
	assert_int_equal(os_spawn(&s, &pid, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
}

static void root_becomes_another_with_its_groups(void **state)
{
	struct passwd *pw = getpwnam("nobody");
	struct os_spawn s = {.as_user = true};
	char want[32];
	int status;
	struct err e;

	(void)state;
	if (geteuid() != 0 || pw == NULL)
		skip();
	s.uid = pw->pw_uid;
	s.gid = pw->pw_gid;
	snprintf(want, sizeof want, "%u %u %u\n", pw->pw_uid, pw->pw_gid, pw->pw_gid);
	assert_string_equal(said(&s, "echo $(id -u) $(id -g) $(id -G)", &status), want);
	/* For a moment, this thread alone. */
	assert_int_equal(os_act_as(pw->pw_uid, pw->pw_gid, &e), 0);
	assert_int_equal(geteuid(), pw->pw_uid);
	os_act_back();
	assert_int_equal(geteuid(), 0);
	assert_int_equal(getegid(), getgid());
}

static void it_ends_when_we_do(void **state)
{
	int come[2], pid = -1;
	pid_t us;

	(void)state;
	assert_int_equal(pipe(come), 0);
	us = fork();
	if (us == 0) {
		const char *argv[] = {"sleep", "600", NULL};
		struct os_spawn s = {.argv = argv, .out = -1, .die = SIGTERM};
		struct err e;

		if (os_spawn(&s, &pid, &e) == 0)
			(void)!write(come[1], &pid, sizeof pid);
		raise(SIGKILL);
	}
	assert_int_equal(read(come[0], &pid, sizeof pid), sizeof pid);
	waitpid(us, NULL, 0);
	/* It is somebody else's child now, whoever reaps it. */
	for (int i = 0; i < 2000 && kill(pid, 0) == 0; i++) {
		char path[64], stat[256] = "";
		int fd;

		snprintf(path, sizeof path, "/proc/%d/stat", pid);
		fd = open(path, O_RDONLY);
		if (fd != -1 && read(fd, stat, sizeof stat - 1) > 0 && strstr(stat, ") Z ") != NULL)
			i = 3000;
		close(fd);
		usleep(5000);
		if (i < 3000)
			continue;
		return;
	}
	assert_int_equal(kill(pid, 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(secrets_of_ours_are_not_its),
	    cmocka_unit_test(no_such_program_is_told),
	    cmocka_unit_test(root_becomes_another_with_its_groups),
	    cmocka_unit_test(it_ends_when_we_do),
	};

	return cmocka_run_group_tests_name("os_spawn", tests, NULL, NULL);
}
