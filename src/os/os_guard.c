/*
 * os_guard: see os_guard.h.
 *
 * After fork the guard calls only what may be called there: we may have had threads.
 */
#include "os/os_guard.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "base/mem.h"
#include "os/os.h"
#include "os/os_child.h"
#include "os/os_guard_note.h"

enum { ASK = 3, TELL = 4, NOTE = 5, ABOVE = 10, LOOK_MS = 20, TIMED_OUT = -2, BROKEN_OFF = -3 };
enum { THAW_TRIES = 3, THAW_AGAIN_MS = 500 };

static const int64_t grace_ns = 5 * INT64_C(1000000000);

enum what { FREEZE_OVER = 1, THAW_BEGINS, THAW_OVER };
struct word {
	enum what what;
	int status;
};

struct os_guard {
	struct os_guard_params p;
	pid_t pid;
	int ask, tell, note;
};

extern char **environ;

/* ---- The guard. */

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void become(const char *command, char **env, bool die_with_us)
{
	static const int usual[] = {SIGINT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGHUP};
	char *argv[] = {
	    (char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)command, NULL};

	setpgid(0, 0);
	if (die_with_us)
		prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
		signal(usual[i], SIG_DFL);
	execve("/bin/sh", argv, env);
	_exit(127);
}

/* Is there a word from who started us, or nobody left to say one? */
static bool is_asked(int ms)
{
	struct pollfd p = {.fd = ASK, .events = POLLIN};

	return poll(&p, 1, ms) > 0;
}

/* Its status as a shell's, TIMED_OUT or BROKEN_OFF: after those nothing of its group is left. */
static int run(const struct os_guard_params *p, char **env, bool freeze)
{
	int64_t began = now_ns(), asked = 0;
	pid_t pid = fork();
	int how = 0, why = 0;
	bool killed = false;

	if (pid == 0)
		become(freeze ? p->freeze : p->thaw, env, freeze);
	if (pid == -1)
		return 126;
	setpgid(pid, pid);
	while (waitpid(pid, &how, WNOHANG) == 0) {
		bool stop = false;

		if (freeze && !asked)
			stop = is_asked(LOOK_MS);
		else
			poll(NULL, 0, LOOK_MS);
		if (!asked && (stop || now_ns() - began >= p->timeout_ns)) {
			why = stop ? BROKEN_OFF : TIMED_OUT;
			asked = now_ns();
			kill(-pid, SIGTERM);
		}
		if (asked && !killed && now_ns() - asked >= grace_ns) {
			killed = true;
			kill(-pid, SIGKILL);
		}
	}
	if (why != 0) {
		kill(-pid, SIGKILL);
		return why;
	}
	return WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
}

static void tell(enum what what, int status)
{
	struct word w = {what, status};

	(void)!write(TELL, &w, sizeof w);
}

/* Nothing that belongs to others stays open here: pipes would not end, locks not be free. */
static void keep_only(int ask, int tell_fd, int note)
{
	int high[3] = {fcntl(ask, F_DUPFD, ABOVE), fcntl(tell_fd, F_DUPFD, ABOVE),
	    fcntl(note, F_DUPFD, ABOVE)};
	int in = open("/dev/null", O_RDONLY);

	dup2(in, 0);
	dup2(2, 1);
	dup3(high[0], ASK, O_CLOEXEC);
	dup3(high[1], TELL, O_CLOEXEC);
	dup3(high[2], NOTE, O_CLOEXEC);
	close_range(NOTE + 1, ~0U, 0);
}

/* What is busy for a moment is not told as a failure; after a timeout one try was long enough. */
static int thaw_tries(const struct os_guard_params *p, char **env)
{
	int status = run(p, env, false);

	for (int i = 1; i < THAW_TRIES && status != 0 && status != TIMED_OUT; i++) {
		poll(NULL, 0, THAW_AGAIN_MS);
		status = run(p, env, false);
	}
	/* After the thaw: the note may be on what was frozen. */
	if (status == 0)
		(void)!ftruncate(NOTE, 0);
	return status;
}

/* A session of its own, in which nobody's signal to us arrives. */
static void stand_apart(void)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGHUP};
	sigset_t none;

	setsid();
	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void guard(const struct os_guard_params *p, char **env, int ask, int tell_fd, int note)
{
	stand_apart();
	keep_only(ask, tell_fd, note);
	tell(FREEZE_OVER, run(p, env, true));
	is_asked(-1);
	tell(THAW_BEGINS, 0);
	tell(THAW_OVER, thaw_tries(p, env));
	_exit(0);
}

/* ---- Ours. */

static int no_success(const char *what, const char *command, int status, struct err *e)
{
	if (status == TIMED_OUT)
		err_set(e, ERR_TIMEOUT, "it took longer than it may, and was ended");
	else if (status == BROKEN_OFF)
		err_set(e, ERR_CANCELLED, "interrupted");
	else if (status > 128)
		err_set(e, ERR_FAILED, "ended by signal %d", status - 128);
	else
		err_set(e, ERR_FAILED, "exit %d", status);
	return err_wrap(e, "%s: %s", what, command);
}

static int thaw_here(const struct os_guard_params *p, int note, struct err *e)
{
	const char *argv[] = {"/bin/sh", "-c", p->thaw, NULL};
	struct os_child c = {
	    .argv = argv, .env = p->env, .timeout_ns = p->timeout_ns, .grace_ns = grace_ns};
	int status = 1;

	for (int i = 0; i < THAW_TRIES && status != 0; i++) {
		if (i > 0)
			poll(NULL, 0, THAW_AGAIN_MS);
		if (os_child_run(&c, NULL, &status, e) == -1)
			return err_wrap(e, "thaw: %s", p->thaw);
	}
	if (status != 0)
		return no_success("thaw", p->thaw, status, e);
	os_ftruncate(note, 0);
	return 0;
}

/* -1: the other end is closed. */
static int hear(int tell_fd, enum what *what, int *status)
{
	struct word w;

	if (os_read(tell_fd, &w, sizeof w) != (ssize_t)sizeof w)
		return -1;
	*what = w.what;
	*status = w.status;
	return 0;
}

/* Open and locked, and what it says. */
static int open_note(const char *path, int how, int *fd, struct guard_note *said, struct err *e)
{
	bool busy = false;

	*said = (struct guard_note){0};
	*fd = os_open(path, how | O_RDWR | O_NOFOLLOW, 0600);
	if (*fd == -1)
		return err_sys(e, "%s", path);
	if (os_lock(*fd, false, &busy, e) == -1 || (!busy && guard_note_read(*fd, said, e) == -1))
		return err_wrap(e, "%s", path);
	if (busy)
		return err_set(e, ERR_BUSY, "it is frozen by another run, or being thawed");
	return 0;
}

/* As the note says, if it does: what is declared now may be of something else. */
static int thaw_noted(const struct guard_note *said, const struct os_guard_params *p,
    const char *path, int fd, struct err *e)
{
	if (said->p.thaw == NULL && p == NULL)
		err_set(e, ERR_UNSUPPORTED, "%s does not say how to thaw", path);
	else if (thaw_here(said->p.thaw ? &said->p : p, fd, e) == 0)
		return 0;
	err_wrap(e, "an earlier run had frozen it, and it could not be thawed");
	return err_hint(e, "look, and thaw it by hand; then remove %s", path);
}

static int take_note(const struct os_guard_params *p, int *note, bool *lost, struct err *e)
{
	struct guard_note said;
	int rc = open_note(p->note, O_CREAT, note, &said, e);

	*lost = rc == 0 && said.text[0] != '\0';
	if (*lost)
		rc = thaw_noted(&said, p, p->note, *note, e);
	guard_note_fini(&said);
	if (rc == 0 && guard_note_write(*note, p, e) == -1)
		return err_wrap(e, "%s", p->note);
	return rc;
}

static char **environment(const char *const *more)
{
	size_t n = 0, m = 0, at = 0;
	char **v;

	for (; environ[n] != NULL; n++)
		;
	for (; more != NULL && more[m] != NULL; m++)
		;
	v = mem_alloc((n + m + 1) * sizeof *v);
	for (; at < m; at++)
		v[at] = (char *)(uintptr_t)more[at];
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "HOLDFAST_RUN_", 13) != 0)
			v[at++] = environ[i];
	v[at] = NULL;
	return v;
}

static int start(struct os_guard *g, struct err *e)
{
	int ask[2] = {-1, -1}, told[2] = {-1, -1};
	char **env = environment(g->p.env);

	if (pipe2(ask, O_CLOEXEC) == 0 && pipe2(told, O_CLOEXEC) == 0)
		g->pid = fork();
	if (g->pid == 0) {
		os_close(ask[1]);
		guard(&g->p, env, ask[0], told[1], g->note);
	}
	free(env);
	os_close(ask[0]);
	os_close(told[1]);
	g->ask = ask[1];
	g->tell = told[0];
	return g->pid == -1 ? err_sys(e, "start the guard of a freeze") : 0;
}

static void guard_free(struct os_guard *g)
{
	os_close(g->ask);
	os_close(g->tell);
	os_close(g->note);
	free(g);
}

/* Interrupted, we say so to the guard: it ends what it is at, and thaws. */
static int wait_frozen(struct os_guard *g, struct ctx *ctx, struct err *e)
{
	enum what what;
	int status;

	while (os_readable(g->tell, 10 * LOOK_MS) == 0)
		if (ctx != NULL && ctx_cancelled(ctx)) {
			os_close(g->ask);
			g->ask = -1;
		}
	if (hear(g->tell, &what, &status) == -1)
		return err_set(e, ERR_FAILED, "the guard of the freeze was killed");
	return status == 0 ? 0 : no_success("freeze", g->p.freeze, status, e);
}

int os_guard_begin(const struct os_guard_params *p, struct ctx *ctx, struct os_guard **out,
    bool *lost, struct err *e)
{
	struct os_guard *g = mem_zalloc(sizeof *g);
	struct err why;

	*g = (struct os_guard){.p = *p, .pid = -1, .ask = -1, .tell = -1, .note = -1};
	if (take_note(p, &g->note, lost, e) == -1) {
		guard_free(g);
		return -1;
	}
	if (start(g, e) == -1) {
		os_ftruncate(g->note, 0);
		guard_free(g);
		return -1;
	}
	if (wait_frozen(g, ctx, e) == 0) {
		*out = g;
		return 0;
	}
	if (os_guard_end(g, &why) == -1) {
		struct err first = *e;

		err_set(e, first.kind, "%s; and then %s", first.msg, why.msg);
	}
	return -1;
}

int os_guard_end(struct os_guard *g, struct err *e)
{
	bool begun = false, over = false;
	enum what what;
	int status = -1, rc = 0;

	os_close(g->ask);
	g->ask = -1;
	while (!over && hear(g->tell, &what, &status) == 0) {
		begun = begun || what == THAW_BEGINS;
		over = what == THAW_OVER;
	}
	waitpid(g->pid, NULL, 0);
	if (over && status != 0)
		rc = no_success("thaw", g->p.thaw, status, e);
	else if (!over && begun)
		rc = err_set(e, ERR_FAILED, "thaw: %s: whoever ran it was killed", g->p.thaw);
	else if (!over)
		rc = thaw_here(&g->p, g->note, e);
	if (rc == -1)
		err_hint(e, "it may be frozen still: look, and thaw it by hand; then remove %s",
		    g->p.note);
	guard_free(g);
	return rc;
}

int os_guard_thaw_left(const char *note, bool *lost, struct err *e)
{
	struct guard_note said;
	int fd, rc = open_note(note, 0, &fd, &said, e);

	*lost = rc == 0 && said.text[0] != '\0';
	if (*lost)
		rc = thaw_noted(&said, NULL, note, fd, e);
	guard_note_fini(&said);
	os_close(fd);
	return rc;
}

/* Its parent ends at once, so that it is nobody's child. */
static int start_apart(const struct os_guard_params *p, int note, struct err *e)
{
	char **env = environment(p->env);
	pid_t pid = fork();

	if (pid == 0) {
		if (fork() != 0)
			_exit(0);
		stand_apart();
		keep_only(note, note, note);
		_exit(thaw_tries(p, env) != 0);
	}
	while (pid != -1 && waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		;
	free(env);
	return pid == -1 ? err_sys(e, "start a thaw") : 0;
}

int os_guard_thaw_apart(const char *note, struct err *e)
{
	struct guard_note said;
	int fd, rc = open_note(note, 0, &fd, &said, e);

	if (rc == 0 && said.text[0] != '\0')
		rc = said.p.thaw == NULL
			 ? err_set(e, ERR_UNSUPPORTED, "%s does not say how to thaw", note)
			 : start_apart(&said.p, fd, e);
	guard_note_fini(&said);
	os_close(fd);
	return rc;
}
