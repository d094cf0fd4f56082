/* os_isolate_child: see os_isolate_internal.h; only what may be called after fork. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os.h"
#include "os/os_isolate_internal.h"

enum { FAILED = 127 };

static bool put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd != -1 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	os_close(fd);
	return done;
}

/* Without root: as ourselves in a user namespace, which makes the others ours. */
static int enter_user_space(uid_t uid, gid_t gid)
{
	char text[64];

	if (unshare(CLONE_NEWUSER) == -1)
		return -1;
	put_file("/proc/self/setgroups", "deny");
	snprintf(text, sizeof text, "%u %u 1", (unsigned)uid, (unsigned)uid);
	if (!put_file("/proc/self/uid_map", text))
		return -1;
	snprintf(text, sizeof text, "%u %u 1", (unsigned)gid, (unsigned)gid);
	return put_file("/proc/self/gid_map", text) ? 0 : -1;
}

static int loopback_up(void)
{
	struct ifreq r = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc;

	if (fd == -1)
		return -1;
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	rc = ioctl(fd, SIOCSIFFLAGS, &r);
	os_close(fd);
	return rc;
}

static void hold_rlimits(const struct os_isolate *i)
{
	struct rlimit none = {0, 0}, memory = {i->limits.memory, i->limits.memory};

	setrlimit(RLIMIT_CORE, &none);
	if (i->limits.memory && !i->limited.memory)
		setrlimit(RLIMIT_DATA, &memory);
	if (i->limits.cpu && !i->limited.cpu)
		(void)!setpriority(PRIO_PROCESS, 0, ISOLATE_NICE);
}

static int become(const struct os_isolate *i)
{
	hold_rlimits(i);
	if (i->becomes && (setgroups((size_t)i->ngroups, i->groups) == -1 || setgid(i->gid) == -1 ||
			      setuid(i->uid) == -1))
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static void usual_signals(void)
{
	static const int usual[] = {
	    SIGINT, SIGTERM, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2, SIGHUP, SIGCHLD};
	sigset_t none;

	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
		signal(usual[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void fail(int report)
{
	struct os_isolate_seen s = {.why = errno ? errno : EPERM};

	(void)!write(report, &s, sizeof s);
	_exit(FAILED);
}

/* The program itself, once the one that waits for it is known to be there. */
static _Noreturn void be_program(
    const struct os_isolate *i, const struct os_isolate_child *c, int talk, int report)
{
	const char *dir = c->dir ? c->dir : i->folder ? i->folder : "/";
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct os_isolate_seen seen;
	char word = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* another user's is another: again below */
	setsid();
	if ((i->spaces & CLONE_NEWNET) && loopback_up() == -1)
		fail(report);
	if ((i->spaces & CLONE_NEWNS) && os_isolate_mounts(i) == -1)
		fail(report);
	if (become(i) == -1 || chdir(dir) == -1)
		fail(report);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	os_isolate_see(i->folder, i->group, &seen);
	if (write(report, &seen, sizeof seen) != sizeof seen || write(talk, "r", 1) != 1 ||
	    read(talk, &word, 1) != 1)
		_exit(FAILED);
	usual_signals();
	dup2(null, 0);
	dup2(c->out == -1 ? null : c->out, 1);
	dup2(c->out == -1 ? null : c->out, 2);
	execvpe(c->argv[0], (char *const *)c->argv, (char *const *)c->env);
	fail(report);
}

static volatile sig_atomic_t passed_to; /* the program, of the one that waits for it */

static void pass_on(int sig)
{
	if (passed_to > 1)
		kill((pid_t)passed_to, sig);
}

/* No descriptor of ours stays with it but these: locks and pipes end with their owner. */
static void close_others(int a, int b, int c)
{
	int keep[3] = {a, b, c};
	unsigned from = 3;

	for (int i = 0; i < 3; i++) /* three are sorted by hand */
		for (int j = i + 1; j < 3; j++)
			if (keep[j] < keep[i]) {
				int t = keep[i];

				keep[i] = keep[j];
				keep[j] = t;
			}
	for (int i = 0; i < 3; i++) {
		if (keep[i] < (int)from)
			continue;
		if (keep[i] > (int)from)
			close_range(from, (unsigned)keep[i] - 1, 0);
		from = (unsigned)keep[i] + 1;
	}
	close_range(from, ~0U, 0);
}

_Noreturn void os_isolate_wait_for(
    const struct os_isolate *i, const struct os_isolate_child *c, int report, pid_t parent)
{
	static const int passed[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1};
	int talk[2], how = 0;
	char word;
	pid_t pid;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, talk) == -1)
		_exit(FAILED);
	os_cgroup_enter(i->group);
	if ((i->user_space && enter_user_space(i->uid, i->gid) == -1) ||
	    (i->spaces && unshare(i->spaces) == -1))
		fail(report);
	usual_signals();
	pid = fork();
	if (pid == -1)
		fail(report);
	if (pid == 0) {
		os_close(talk[0]);
		be_program(i, c, talk[1], report);
	}
	os_close(talk[1]);
	close_others(talk[0], -1, -1);
	passed_to = pid;
	for (size_t k = 0; k < sizeof passed / sizeof *passed; k++)
		signal(passed[k], pass_on);
	if (read(talk[0], &word, 1) == 1)
		(void)!write(talk[0], "g", 1);
	if (os_isolate_end(pid, &how) == -1)
		_exit(FAILED);
	_exit(WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how));
}
