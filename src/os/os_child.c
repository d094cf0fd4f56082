/* os_child: see os_child.h. */
#include "os/os_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/os.h"
#include "os/os_environ.h"

#define SECOND INT64_C(1000000000)

enum { LOOK_MS = 200, EXEC_FAILED = 127 };

struct running {
	const struct os_child *c;
	struct ctx *ctx;
	pid_t pid;
	int out; /* its standard output; -1: at its end, or ours */
	struct buf line;
	int64_t started, asked; /* when it was asked to end; 0: not */
	bool late, killed;
};

/* After fork: only what may be called there. */
static void become(const struct os_child *c, char **env, int out, int fail, pid_t parent)
{
	static const int usual[] = {SIGINT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGHUP};
	sigset_t none;
	int in, why;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(EXEC_FAILED);
	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
		signal(usual[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	in = open("/dev/null", O_RDONLY);
	dup2(in, 0);
	if (out != -1)
		dup2(out, 1);
	execvpe(c->argv[0], (char *const *)c->argv, env);
	why = errno;
	(void)!write(fail, &why, sizeof why);
	_exit(EXEC_FAILED);
}

static int start(struct running *r, struct err *e)
{
	char **env = os_environ(r->c->env, NULL);
	int out[2] = {-1, -1}, fail[2], why = 0;
	pid_t parent = getpid();

	if ((r->c->line != NULL && pipe2(out, O_CLOEXEC) == -1) || pipe2(fail, O_CLOEXEC) == -1) {
		os_close(out[0]);
		os_close(out[1]);
		free(env);
		return err_sys(e, "run %s", r->c->argv[0]);
	}
	r->pid = fork();
	if (r->pid == 0)
		become(r->c, env, out[1], fail[1], parent);
	why = r->pid == -1 ? errno : 0;
	free(env);
	os_close(out[1]);
	os_close(fail[1]);
	if (r->pid > 0) {
		setpgid(r->pid, r->pid); /* whoever comes first */
		(void)!os_read(fail[0], &why, sizeof why);
	}
	os_close(fail[0]);
	r->out = out[0];
	if (why == 0)
		return 0;
	if (r->pid > 0)
		waitpid(r->pid, NULL, 0);
	os_close(out[0]);
	errno = why;
	err_sys(e, "run %s", r->c->argv[0]);
	if (why == ENOENT)
		e->kind = ERR_ABSENT;
	return -1;
}

static void take(struct running *r, const char *p, size_t n)
{
	while (n > 0) {
		const char *end = memchr(p, '\n', n);
		size_t k = end ? (size_t)(end - p) : n;

		if (r->line.n + k <= OS_CHILD_LINE)
			buf_put(&r->line, p, k);
		if (end != NULL) {
			r->c->line(r->c->arg, buf_cstr(&r->line));
			r->line.n = 0;
		}
		k += end != NULL;
		p += k;
		n -= k;
	}
}

/* Wait a little for output, or for the end. */
static void listen_for(struct running *r)
{
	char some[16384];
	ssize_t n;

	if (r->out == -1) {
		poll(NULL, 0, LOOK_MS / 4);
		return;
	}
	if (os_readable(r->out, LOOK_MS) != 1)
		return;
	n = os_read(r->out, some, sizeof some);
	if (n > 0) {
		take(r, some, (size_t)n);
		return;
	}
	os_close(r->out);
	r->out = -1;
}

static void ask_to_end(struct running *r, int64_t now)
{
	int64_t grace = r->c->grace_ns ? r->c->grace_ns : 30 * INT64_C(1000000000);

	if (r->c->timeout_ns && now - r->started >= r->c->timeout_ns)
		r->late = true;
	if (!r->late && !(r->ctx != NULL && ctx_cancelled(r->ctx)))
		return;
	if (r->asked == 0) {
		r->asked = now;
		kill(-r->pid, SIGTERM);
	} else if (!r->killed && now - r->asked >= grace) {
		r->killed = true;
		kill(-r->pid, SIGKILL);
	}
}

/* What it has written before its end is still told; what its own children write is not. */
static void drain(struct running *r)
{
	char some[16384];
	ssize_t n;

	while (r->out != -1 && os_readable(r->out, 0) == 1 &&
	       (n = os_read(r->out, some, sizeof some)) > 0)
		take(r, some, (size_t)n);
	if (r->line.n > 0)
		r->c->line(r->c->arg, buf_cstr(&r->line));
	os_close(r->out);
	buf_fini(&r->line);
}

int os_child_run(const struct os_child *c, struct ctx *ctx, int *status, struct err *e)
{
	struct clock *clock = os_clock();
	struct running r = {.c = c, .ctx = ctx, .out = -1};
	int how = 0;

	*status = -1;
	if (start(&r, e) == -1)
		return -1;
	r.started = clock->mono_ns(clock);
	while (waitpid(r.pid, &how, WNOHANG) == 0) {
		listen_for(&r);
		ask_to_end(&r, clock->mono_ns(clock));
		if (c->idle != NULL)
			c->idle(c->arg);
	}
	if (r.asked)
		kill(-r.pid, SIGKILL); /* what is left of its group */
	drain(&r);
	*status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
	if (r.late)
		return err_set(
		    e, ERR_TIMEOUT, "%s took longer than it may, and was ended", c->argv[0]);
	return r.asked ? err_set(e, ERR_CANCELLED, "interrupted") : 0;
}

bool os_die_with_parent(int pid)
{
	/* It comes once for each of the parent's threads: SIGTERM would say "at once" by the
	 * second. */
	prctl(PR_SET_PDEATHSIG, SIGUSR2);
	return getppid() == pid;
}

/* When it began, in ns of CLOCK_BOOTTIME; -1: there is none. */
static int64_t began_ns(int64_t pid)
{
	enum { START_TIME = 22 - 3 }; /* fields after the state, which follows the name's ')' */
	char path[64], text[1024];
	const char *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
	fd = os_open(path, O_RDONLY, 0);
	n = fd == -1 ? -1 : os_pread_full(fd, text, sizeof text - 1, 0);
	os_close(fd);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	p = strrchr(text, ')');
	p = p ? strchr(p, ' ') : NULL;
	for (int i = 0; p != NULL && i < START_TIME; i++)
		p = strchr(p + 1, ' ');
	return p ? strtoll(p, NULL, 10) * (SECOND / sysconf(_SC_CLK_TCK)) : -1;
}

static int64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

bool os_process_lives(int64_t pid, int64_t before_ns)
{
	int64_t began = pid > 0 ? began_ns(pid) : -1;
	int64_t slack = SECOND; /* clocks tick */

	if (began < 0)
		return false;
	began += clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME);
	return began - slack <= before_ns;
}
