/*
 * os_isolate: programs that run apart from the rest of the machine.
 *
 * What the kernel lets us have is had: as its own user; without a network but its own loopback;
 * with its own process ids, so that the end of the first is the end of all; its own shared memory;
 * nothing writable but one folder; none of the machine's sockets in /run and /tmp, which are empty
 * (but for that folder), nor abstract ones, which belong to a network (any that lie elsewhere are
 * left to its user's rights); limits by cgroups or else by rlimits.
 * Without root most of it is had by a user namespace, where those are allowed.
 *
 * What is told is what each new process found just before it became the program: its user, its
 * namespaces that are not ours, its interfaces, mounts and cgroups.  What one of them did not have
 * is not told.
 *
 * A Unix socket in the folder is reached from outside.  What runs apart never outlives the process
 * (the thread, to be exact) that started it.
 *
 * Threads: one owner.
 */
#ifndef HF_OS_OS_ISOLATE_H
#define HF_OS_OS_ISOLATE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/ctx.h"
#include "os/os_cgroup.h"
#include "os/os_spawn.h"

struct os_isolate_params {
	const char *name;               /* of the cgroup: "holdfast-drill" */
	const char *user;               /* to become, by name; NULL, or not root: as we are */
	const char *folder;             /* absolute: the one that can be written; NULL: nothing is
					   made read-only */
	struct os_cgroup_limits limits; /* 0: none */
	bool network;                   /* leave it the machine's */
};

struct os_isolate;

/* ERR_ABSENT: no such user. */
int os_isolate_new(const struct os_isolate_params *p, struct os_isolate **out, struct err *e);
void os_isolate_free(struct os_isolate *i); /* NULL does nothing; ends what is in its cgroup */

/* What was had, each in some words: "network: own, loopback only"; NULL ends them. */
const char *const *os_isolate_had(struct os_isolate *i);
uid_t os_isolate_uid(const struct os_isolate *i);
gid_t os_isolate_gid(const struct os_isolate *i);
uint64_t os_isolate_memory_peak(const struct os_isolate *i); /* 0: not known */

struct os_isolate_child {
	const char *const *argv; /* NULL at the end; argv[0] is looked for in PATH */
	const char *const *env;  /* all of it: nothing of ours is passed on */
	const char *dir;         /* where it begins; NULL: the folder, or / */
	int out;                 /* its standard output and standard error; -1: /dev/null */
};

/*
 * Start it.  *pid is a process of ours that waits for it: SIGTERM, SIGINT, SIGQUIT, SIGHUP and
 * SIGUSR1 are passed on, SIGKILL ends all of it; its exit status is the program's, or 128 and the
 * signal's.
 */
int os_isolate_start(
    struct os_isolate *i, const struct os_isolate_child *c, pid_t *pid, struct err *e);

/*
 * Run it to its end, with what it writes in out: the first OS_ISOLATE_OUT bytes, where there are so
 * many there may have been more; ERR_TIMEOUT, ERR_CANCELLED: it was ended.
 */
enum { OS_ISOLATE_OUT = 64 << 10 };
int os_isolate_run(struct os_isolate *i, const struct os_isolate_child *c, int64_t timeout_ns,
    struct ctx *ctx, struct buf *out, int *status, struct err *e);

/*
 * As os_spawn (os_spawn.h) does, for who starts programs through that; of s: argv, env, dir, out.
 * ERR_BUG: it asks for another user than ours.  isolate is a struct os_isolate *.
 */
int os_isolate_spawn(void *isolate, const struct os_spawn *s, int *pid, struct err *e);

#endif
