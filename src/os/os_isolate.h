/*
 * os_isolate: programs that run apart from the rest of the machine.
 *
 * What the kernel lets us have is had, and what was had is told: as its own user; without a network
 * but its own loopback; with its own process ids, so that the end of the first is the end of all;
 * its own shared memory; nothing writable but one folder; limits by cgroups or else by rlimits.
 * Without root most of it is had by a user namespace, where those are allowed.
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

struct os_isolate_params {
	const char *name;               /* of the cgroup: "holdfast-drill" */
	const char *user;               /* to become, by name; NULL: as we are */
	const char *folder;             /* absolute: the one that can be written; NULL: nothing is
					   made read-only */
	struct os_cgroup_limits limits; /* 0: none */
	bool network;                   /* leave it the machine's */
};

struct os_isolate;

/* ERR_ABSENT: no such user; ERR_DENIED: only root becomes another. */
int os_isolate_new(const struct os_isolate_params *p, struct os_isolate **out, struct err *e);
void os_isolate_free(struct os_isolate *i); /* NULL does nothing; ends what is in its cgroup */

/* What is had, each in some words: "network: own, loopback only"; NULL ends them. */
const char *const *os_isolate_had(const struct os_isolate *i);
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
 * Start it.  *pid is a process of ours that waits for it: SIGTERM, SIGINT, SIGQUIT and SIGHUP are
 * passed on, SIGKILL ends all of it; its exit status is the program's, or 128 and the signal's.
 */
int os_isolate_start(
    const struct os_isolate *i, const struct os_isolate_child *c, pid_t *pid, struct err *e);

/*
 * Run it to its end, with what it writes (the first bytes of it) in out; ERR_TIMEOUT,
 * ERR_CANCELLED: it was ended.
 */
int os_isolate_run(const struct os_isolate *i, const struct os_isolate_child *c, int64_t timeout_ns,
    struct ctx *ctx, struct buf *out, int *status, struct err *e);

/*
 * For who starts programs by himself (os_spawn.h): in the new process, before it becomes another,
 * everything but process ids of its own and the user; arg is a struct os_isolate *.  0 or
 * an errno.
 */
int os_isolate_inside(const void *arg);

#endif
