/*
 * os_child: a program that we run to its end, in a process group of its own.
 *
 * It ends when we do, however we end (PR_SET_PDEATHSIG), and so that nothing of it is left
 * behind: SIGTERM goes to its whole group, SIGKILL to what is still there after the grace.
 * Its standard input is /dev/null, its standard error ours.
 *
 * Threads: any; the child must not outlive the thread that runs it.
 */
#ifndef HF_OS_OS_CHILD_H
#define HF_OS_OS_CHILD_H

#include "base/ctx.h"
#include "base/err.h"

enum { OS_CHILD_LINE = 1 << 20 }; /* bytes of a line that are told; the rest of it is not */

struct os_child {
	const char *const *argv; /* NULL at the end; argv[0] is looked for in PATH */
	const char *const *env;  /* NAME=VALUE before our own environment; NULL: none */
	void (*line)(void *arg, const char *line); /* of its standard output; NULL: it is ours */
	void (*idle)(void *arg);                   /* some times a second while it runs; or NULL */
	void *arg;
	int64_t timeout_ns; /* 0: none */
	int64_t grace_ns;   /* between SIGTERM and SIGKILL; 0: 30 s */
};

/*
 * *status is its exit status, or 128 and the signal that ended it.
 * ERR_TIMEOUT it was ended; ERR_CANCELLED the ctx was, and so it was ended (*status is set);
 * ERR_ABSENT there is no such program.
 */
int os_child_run(const struct os_child *c, struct ctx *ctx, int *status, struct err *e);

/*
 * From now on we are asked to end (SIGUSR2, which main() takes for a wish to stop, however often it
 * comes) when the thread of that process which started us does; false: it is gone already.
 */
bool os_die_with_parent(int pid);

/* Is that process there, and was it started before that moment (wall clock)? */
bool os_process_lives(int64_t pid, int64_t before_ns);

#endif
