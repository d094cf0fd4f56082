/* os_spawn: see os_spawn.h. */
#include "os/os_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/os.h"
#include "os/os_environ.h"

enum { EXEC_FAILED = 127, GROUPS_MAX = 256, STEP_MS = 5 };

#define MS INT64_C(1000000)

struct born {
	const struct os_spawn *s;
	char **env;
	gid_t groups[GROUPS_MAX];
	int ngroups;
	pid_t parent;
	int fail; /* an errno comes this way */
};

static bool is_secret(const char *name)
{
	return strncmp(name, "HOLDFAST_", 9) == 0 || strncmp(name, "PG", 2) == 0;
}

static void find_groups(struct born *b)
{
	struct passwd pw, *found = NULL;
	char text[4096];

	b->groups[0] = b->s->gid;
	b->ngroups = 1;
	if (getpwuid_r(b->s->uid, &pw, text, sizeof text, &found) != 0 || found == NULL)
		return;
	b->ngroups = GROUPS_MAX;
	if (getgrouplist(pw.pw_name, b->s->gid, b->groups, &b->ngroups) == -1)
		b->ngroups = GROUPS_MAX;
}

/* After fork: only what may be called there.  0 or an errno. */
static int settle(const struct born *b)
{
	static const int usual[] = {
	    SIGINT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGHUP, SIGQUIT, SIGCHLD};
	const struct os_spawn *s = b->s;
	sigset_t none;
	int in = open("/dev/null", O_RDWR);

	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
		signal(usual[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (dup2(in, 0) == -1 || dup2(s->out == -1 ? in : s->out, 1) == -1 ||
	    dup2(s->error > 0 ? s->error : 1, 2) == -1)
		return errno;
	if (s->as_user && (setgroups((size_t)b->ngroups, b->groups) == -1 || setgid(s->gid) == -1 ||
			      setuid(s->uid) == -1))
		return errno;
	if (s->dir != NULL && chdir(s->dir) == -1)
		return errno;
	/* To become somebody else takes it back: so last. */
	if (!s->stay && prctl(PR_SET_PDEATHSIG, s->die ? s->die : SIGKILL) == -1)
		return errno;
	return !s->stay && getppid() != b->parent ? ESRCH : 0;
}

static void become(const struct born *b)
{
	int why = settle(b);

	if (why == 0) {
		execvpe(b->s->argv[0], (char *const *)b->s->argv, b->env);
		why = errno;
	}
	(void)!write(b->fail, &why, sizeof why);
	_exit(EXEC_FAILED);
}

int os_spawn(const struct os_spawn *s, int *pid, struct err *e)
{
	struct born b = {.s = s, .parent = getpid()};
	int fail[2], why = 0;

	*pid = -1;
	if (pipe2(fail, O_CLOEXEC) == -1)
		return err_sys(e, "run %s", s->argv[0]);
	b.env = os_environ(s->env, is_secret);
	b.fail = fail[1];
	if (s->as_user)
		find_groups(&b);
	*pid = fork();
	if (*pid == 0)
		become(&b);
	why = *pid == -1 ? errno : 0;
	free(b.env);
	os_close(fail[1]);
	if (*pid > 0)
		(void)!os_read(fail[0], &why, sizeof why);
	os_close(fail[0]);
	if (why == 0)
		return 0;
	if (*pid > 0)
		waitpid(*pid, NULL, 0);
	*pid = -1;
	errno = why;
	err_sys(e, "run %s", s->argv[0]);
	if (why == ENOENT)
		e->kind = ERR_ABSENT;
	return -1;
}

bool os_spawn_ended(int pid, int64_t ns, int *status)
{
	struct clock *clock = os_clock();
	int64_t until = clock->mono_ns(clock) + ns;
	int how = 0;
	pid_t got;

	*status = -1;
	while ((got = waitpid(pid, &how, WNOHANG)) == 0 || (got == -1 && errno == EINTR)) {
		if (clock->mono_ns(clock) >= until)
			return false;
		poll(NULL, 0, STEP_MS);
	}
	if (got == pid)
		*status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
	return true;
}

/* The system's calls change one thread; those of the C library all of them. */
int os_act_as(uid_t uid, gid_t gid, struct err *e)
{
	if (syscall(SYS_setresgid, -1, gid, -1) == -1 ||
	    syscall(SYS_setresuid, -1, uid, -1) == -1) {
		err_sys(e, "act as user %u", (unsigned)uid);
		os_act_back();
		return -1;
	}
	return 0;
}

void os_act_back(void)
{
	syscall(SYS_setresuid, -1, getuid(), -1);
	syscall(SYS_setresgid, -1, getgid(), -1);
}
