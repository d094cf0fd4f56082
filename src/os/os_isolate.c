/* os_isolate: see os_isolate.h. */
#include "os/os_isolate.h"

#include <errno.h>
#include <grp.h>
#include <net/if.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "os/os.h"

enum { HAD = 12, NICE = 10, FAILED = 127, OUT_MOST = 1 << 20, LOOK_MS = 100 };

#define SECOND INT64_C(1000000000)

static const int spaces[] = {CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWIPC, CLONE_NEWNS};
static const char *const space_words[][2] = {
    {"network: own, loopback only", "network: the machine's"},
    {"processes: own, they end with the first", "processes: among the machine's"},
    {"shared memory: own", "shared memory: the machine's"},
    {"files: all but its folder read-only", "files: by its user's rights"}};

struct os_isolate {
	char *folder, *had[HAD + 1];
	size_t nhad;
	int spaces; /* CLONE_... that are had */
	bool user_space, becomes;
	uid_t uid;
	gid_t gid;
	char *user;
	struct os_cgroup *group;
	struct os_cgroup_limits limits;
	struct os_cgroup_had limited;
};

/* ---- In the child: only what may be called after fork. */

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

/* Everything read-only but the folder; a /proc of its own processes; shared memory of its own. */
static int settle_mounts(const struct os_isolate *i)
{
	struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY};
	struct mount_attr rw = {.attr_clr = MOUNT_ATTR_RDONLY};

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
		return -1;
	if ((i->spaces & CLONE_NEWPID) &&
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == -1 &&
	    !i->user_space)
		return -1;
	if (i->folder == NULL)
		return 0;
	if (mount(i->folder, i->folder, NULL, MS_BIND, NULL) == -1 ||
	    mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &ro, sizeof ro) == -1 ||
	    mount_setattr(AT_FDCWD, i->folder, 0, &rw, sizeof rw) == -1)
		return -1;
	if (access("/dev/shm", F_OK) == 0 &&
	    mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") == -1)
		return -1;
	return 0;
}

static void hold_rlimits(const struct os_isolate *i)
{
	struct rlimit none = {0, 0}, memory = {i->limits.memory, i->limits.memory};

	setrlimit(RLIMIT_CORE, &none);
	if (i->limits.memory && !i->limited.memory)
		setrlimit(RLIMIT_DATA, &memory);
	if (i->limits.cpu && !i->limited.cpu)
		(void)!setpriority(PRIO_PROCESS, 0, NICE);
}

static int become(const struct os_isolate *i)
{
	hold_rlimits(i);
	if (i->becomes &&
	    (initgroups(i->user, i->gid) == -1 || setgid(i->gid) == -1 || setuid(i->uid) == -1))
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

int os_isolate_inside(const void *arg)
{
	struct os_isolate i = *(const struct os_isolate *)arg;

	os_cgroup_enter(i.group);
	i.spaces &= ~CLONE_NEWPID; /* that takes another process */
	if ((i.user_space && enter_user_space(i.uid, i.gid) == -1) ||
	    (i.spaces && unshare(i.spaces) == -1) ||
	    ((i.spaces & CLONE_NEWNET) && loopback_up() == -1) ||
	    ((i.spaces & CLONE_NEWNS) && settle_mounts(&i) == -1))
		return errno ? errno : EPERM;
	hold_rlimits(&i);
	return 0;
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
	int why = errno ? errno : EPERM;

	(void)!write(report, &why, sizeof why);
	_exit(FAILED);
}

/* The program itself, once the one that waits for it is known to be there. */
static _Noreturn void be_program(
    const struct os_isolate *i, const struct os_isolate_child *c, int talk, int report)
{
	const char *dir = c->dir ? c->dir : i->folder ? i->folder : "/";
	int null = open("/dev/null", O_RDWR);
	char word = 0;

	setsid();
	if ((i->spaces & CLONE_NEWNET) && loopback_up() == -1)
		fail(report);
	if ((i->spaces & CLONE_NEWNS) && settle_mounts(i) == -1)
		fail(report);
	if (become(i) == -1 || chdir(dir) == -1)
		fail(report);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (write(talk, "r", 1) != 1 || read(talk, &word, 1) != 1)
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

static _Noreturn void be_waiter(
    const struct os_isolate *i, const struct os_isolate_child *c, int report, pid_t parent)
{
	static const int passed[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP};
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
	while (waitpid(pid, &how, 0) == -1 && errno == EINTR)
		;
	_exit(WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how));
}

/* ---- What can be had. */

static int spaces_of(unsigned set)
{
	int all = 0;

	for (unsigned k = 0; k < sizeof spaces / sizeof *spaces; k++)
		all |= set & 1U << k ? spaces[k] : 0;
	return all;
}

/* Does a program start with what i says? */
static bool try(const struct os_isolate *i)
{
	const char *argv[] = {"true", NULL}, *env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	struct os_isolate_child c = {.argv = argv, .env = env, .out = -1};
	struct err ignored;
	pid_t pid;
	int how;

	if (os_isolate_start(i, &c, &pid, &ignored) == -1)
		return false;
	while (waitpid(pid, &how, 0) == -1 && errno == EINTR)
		;
	return WIFEXITED(how) && WEXITSTATUS(how) == 0;
}

/* All of them, or else as many as go. */
static void find_spaces(struct os_isolate *i, bool network)
{
	unsigned wanted = network ? 14 : 15, had = 0;

	i->user_space = geteuid() != 0;
	i->spaces = spaces_of(wanted);
	if (try(i))
		return;
	for (unsigned k = 0; k < sizeof spaces / sizeof *spaces; k++) {
		if (!(wanted & 1U << k))
			continue;
		i->spaces = spaces_of(had | 1U << k);
		if (try(i))
			had |= 1U << k;
	}
	i->spaces = spaces_of(had);
	i->user_space = i->user_space && had != 0;
}

static void tell(struct os_isolate *i, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void tell(struct os_isolate *i, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (i->nhad < HAD)
		i->had[i->nhad++] = mem_strdup(text);
}

static void tell_limits(struct os_isolate *i)
{
	const struct os_cgroup_limits *l = &i->limits;
	int v = i->limited.version;

	if (l->memory && i->limited.memory)
		tell(i, "memory: %llu MiB by cgroup v%d", (unsigned long long)(l->memory >> 20), v);
	else if (l->memory)
		tell(i, "memory: %llu MiB a process by rlimit",
		    (unsigned long long)(l->memory >> 20));
	if (l->cpu && i->limited.cpu)
		tell(i, "cpu: %u %% of a processor by cgroup v%d", l->cpu, v);
	else if (l->cpu)
		tell(i, "cpu: not limited, but nice %d", NICE);
	if (l->pids)
		tell(i,
		    i->limited.pids ? "number of processes: %u by cgroup v%d"
				    : "number of processes: not limited",
		    l->pids, v);
}

static void tell_all(struct os_isolate *i)
{
	tell(i, "user: %s", i->user);
	if (i->folder != NULL)
		tell(i, "folder: its own");
	for (size_t k = 0; k < sizeof spaces / sizeof *spaces; k++)
		tell(i, "%s", space_words[k][(i->spaces & spaces[k]) == 0]);
	tell_limits(i);
}

static int find_user(struct os_isolate *i, const char *name, struct err *e)
{
	struct passwd p, *found = NULL;
	char room[4096], own[256];

	i->uid = geteuid();
	i->gid = getegid();
	if (name == NULL) {
		os_user(own, sizeof own);
		i->user = mem_strdup(own);
		return 0;
	}
	i->user = mem_strdup(name);
	if (getpwnam_r(name, &p, room, sizeof room, &found) != 0 || found == NULL) {
		err_set(e, ERR_ABSENT, "there is no user '%.64s' here", name);
		return err_hint(e, "drill.user names one, or left out: as who drills");
	}
	i->becomes = p.pw_uid != i->uid;
	if (i->becomes && geteuid() != 0)
		return err_set(e, ERR_DENIED, "become user %.64s: only root can", name);
	i->uid = p.pw_uid;
	i->gid = p.pw_gid;
	return 0;
}

int os_isolate_new(const struct os_isolate_params *p, struct os_isolate **out, struct err *e)
{
	struct os_isolate *i = mem_zalloc(sizeof *i);

	i->folder = p->folder ? mem_strdup(p->folder) : NULL;
	i->limits = p->limits;
	if (find_user(i, p->user, e) == -1) {
		os_isolate_free(i);
		return -1;
	}
	i->group = os_cgroup_new(p->name, &p->limits, &i->limited);
	find_spaces(i, p->network);
	tell_all(i);
	*out = i;
	return 0;
}

void os_isolate_free(struct os_isolate *i)
{
	if (i == NULL)
		return;
	os_cgroup_free(i->group);
	for (size_t k = 0; k < i->nhad; k++)
		free(i->had[k]);
	free(i->folder);
	free(i->user);
	free(i);
}

const char *const *os_isolate_had(const struct os_isolate *i)
{
	return (const char *const *)i->had;
}

uid_t os_isolate_uid(const struct os_isolate *i)
{
	return i->uid;
}

gid_t os_isolate_gid(const struct os_isolate *i)
{
	return i->gid;
}

uint64_t os_isolate_memory_peak(const struct os_isolate *i)
{
	return os_cgroup_memory_peak(i->group);
}

/* ---- Programs. */

int os_isolate_start(
    const struct os_isolate *i, const struct os_isolate_child *c, pid_t *pid, struct err *e)
{
	pid_t parent = getpid();
	int report[2], why = 0;

	if (pipe2(report, O_CLOEXEC) == -1)
		return err_sys(e, "run %s", c->argv[0]);
	*pid = fork();
	if (*pid == 0)
		be_waiter(i, c, report[1], parent);
	why = *pid == -1 ? errno : 0;
	os_close(report[1]);
	if (*pid > 0) {
		setpgid(*pid, *pid);
		(void)!os_read(report[0], &why, sizeof why);
	}
	os_close(report[0]);
	if (why == 0)
		return 0;
	if (*pid > 0)
		waitpid(*pid, NULL, 0);
	errno = why;
	return err_sys(e, "run %s apart", c->argv[0]);
}

/* Some of what it writes, or its end. */
static void hear(int fd, struct buf *out)
{
	char some[8192];
	ssize_t n;

	if (os_readable(fd, LOOK_MS) != 1)
		return;
	n = os_read(fd, some, sizeof some);
	if (n <= 0) {
		poll(NULL, 0, LOOK_MS / 5); /* its end: only the program's own is left to come */
		return;
	}
	if (out->n < OUT_MOST)
		buf_put(out, some, (size_t)n);
}

int os_isolate_run(const struct os_isolate *i, const struct os_isolate_child *c, int64_t timeout_ns,
    struct ctx *ctx, struct buf *out, int *status, struct err *e)
{
	struct clock *clock = os_clock();
	int64_t began = clock->mono_ns(clock);
	struct os_isolate_child child = *c;
	bool late = false, asked = false;
	int fd[2], how = 0;
	pid_t pid;

	*status = -1;
	if (pipe2(fd, O_CLOEXEC) == -1)
		return err_sys(e, "run %s", c->argv[0]);
	child.out = fd[1];
	if (os_isolate_start(i, &child, &pid, e) == -1) {
		os_close(fd[0]);
		os_close(fd[1]);
		return -1;
	}
	os_close(fd[1]);
	while (waitpid(pid, &how, WNOHANG) == 0) {
		hear(fd[0], out);
		late |= timeout_ns && clock->mono_ns(clock) - began > timeout_ns;
		asked |= ctx != NULL && ctx_cancelled(ctx);
		if (late || asked)
			kill(pid, SIGKILL);
	}
	while (os_readable(fd[0], 0) == 1 && out->n < OUT_MOST) {
		size_t before = out->n;

		hear(fd[0], out);
		if (out->n == before)
			break;
	}
	os_close(fd[0]);
	*status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
	if (late)
		return err_set(e, ERR_TIMEOUT, "%s took longer than it may", c->argv[0]);
	return asked ? err_set(e, ERR_CANCELLED, "interrupted") : 0;
}
