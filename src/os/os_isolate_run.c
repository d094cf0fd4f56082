/* os_isolate_run: see os_isolate_internal.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os.h"
#include "os/os_isolate_internal.h"

enum { LOOK_MS = 100, REPORT_MS = 60000 };

int os_isolate_end(pid_t pid, int *how)
{
	int rc;

	do
		rc = waitpid(pid, how, 0);
	while (rc == -1 && errno == EINTR);
	return rc == -1 ? -1 : 0;
}

/*
 * What it reports: what it found, and nothing more if it became the program; else why not.  0 or an
 * errno.
 */
static int hear_report(struct os_isolate *i, int fd)
{
	struct os_isolate_seen s, more;

	if (os_readable(fd, REPORT_MS) != 1)
		return ETIMEDOUT;
	if (os_read(fd, &s, sizeof s) != sizeof s)
		return ECHILD;
	if (s.why == 0 && os_readable(fd, REPORT_MS) != 1)
		s.why = ETIMEDOUT;
	if (s.why == 0 && os_read(fd, &more, sizeof more) == sizeof more)
		s.why = more.why;
	if (s.why == 0)
		i->bits &= os_isolate_judge(i, &s);
	return s.why;
}

int os_isolate_start(
    struct os_isolate *i, const struct os_isolate_child *c, pid_t *pid, struct err *e)
{
	pid_t parent = getpid();
	int report[2], why, how;

	if (pipe2(report, O_CLOEXEC) == -1)
		return err_sys(e, "run %s", c->argv[0]);
	*pid = fork();
	if (*pid == 0)
		os_isolate_wait_for(i, c, report[1], parent);
	why = *pid == -1 ? errno : 0;
	os_close(report[1]);
	if (*pid > 0) {
		setpgid(*pid, *pid);
		why = hear_report(i, report[0]);
	}
	os_close(report[0]);
	if (why == 0)
		return 0;
	if (*pid > 0) {
		kill(*pid, SIGKILL); /* it may wait for ever for what never came */
		(void)os_isolate_end(*pid, &how);
	}
	errno = why;
	return err_sys(e, "run %s apart", c->argv[0]);
}

int os_isolate_spawn(void *isolate, const struct os_spawn *s, int *pid, struct err *e)
{
	static const char *const env[] = {
	    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	struct os_isolate *i = isolate;
	struct os_isolate_child c = {
	    .argv = s->argv, .env = s->env ? s->env : env, .dir = s->dir, .out = s->out};
	pid_t p = -1;
	int rc;

	*pid = -1;
	if (s->as_user && s->uid != i->uid)
		return err_set(e, ERR_BUG, "run %s apart: as user %u, and it is of %s", s->argv[0],
		    (unsigned)s->uid, i->user);
	rc = os_isolate_start(i, &c, &p, e);
	*pid = rc == 0 ? (int)p : -1;
	return rc;
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
	if ((size_t)n > OS_ISOLATE_OUT - out->n)
		n = (ssize_t)(OS_ISOLATE_OUT - out->n);
	buf_put(out, some, (size_t)n); /* the rest is read all the same, or it would wait for us */
}

int os_isolate_run(struct os_isolate *i, const struct os_isolate_child *c, int64_t timeout_ns,
    struct ctx *ctx, struct buf *out, int *status, struct err *e)
{
	struct clock *clock = os_clock();
	int64_t began = clock->mono_ns(clock);
	struct os_isolate_child child = *c;
	bool late = false, asked = false;
	int fd[2], how = 0;
	pid_t pid, ended;

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
	while ((ended = waitpid(pid, &how, WNOHANG)) == 0) {
		hear(fd[0], out);
		late |= timeout_ns && clock->mono_ns(clock) - began > timeout_ns;
		asked |= ctx != NULL && ctx_cancelled(ctx);
		if (late || asked)
			kill(pid, SIGKILL);
	}
	while (os_readable(fd[0], 0) == 1 && out->n < OS_ISOLATE_OUT) {
		size_t before = out->n;

		hear(fd[0], out);
		if (out->n == before)
			break;
	}
	os_close(fd[0]);
	if (ended == -1)
		return err_set(e, ERR_FAILED, "%s: how it ended is not known", c->argv[0]);
	*status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
	if (late)
		return err_set(e, ERR_TIMEOUT, "%s took longer than it may", c->argv[0]);
	return asked ? err_set(e, ERR_CANCELLED, "interrupted") : 0;
}
