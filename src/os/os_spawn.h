/*
 * os_spawn: a program that runs beside us, as another user if need be.
 *
 * It is given none of our secrets: of our environment it gets what is not HOLDFAST_* or PG*.
 * Its standard input is /dev/null; no other descriptor of ours is open in it.
 *
 * Unless it may stay it is in a session of its own and gets the signal `die` when the *thread*
 * that started it ends, however that comes about: that thread has to outlive it.
 *
 * Threads: any.
 */
#ifndef HF_OS_OS_SPAWN_H
#define HF_OS_OS_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct os_spawn {
	const char *const *argv; /* NULL at the end; argv[0] is looked for in PATH */
	const char *const *env;  /* NAME=VALUE before what is left of ours; NULL: none */
	const char *dir;         /* to run in; NULL: ours */
	int out;                 /* standard output and error; -1: /dev/null */
	int error;               /* standard error, if that is another; 0: it is not */
	bool as_user;            /* become that user, with all its groups */
	uid_t uid;
	gid_t gid;
	bool stay; /* it survives us */
	int die;   /* 0: SIGKILL */
};

/* ERR_ABSENT: there is no such program. */
int os_spawn(const struct os_spawn *s, int *pid, struct err *e);

/*
 * Wait for its end for so long at most (0: look only): true, and its exit status, or 128 and the
 * signal that ended it.  One that is not our child, or is reaped already, has ended with -1.
 */
bool os_spawn_ended(int pid, int64_t ns, int *status);

/*
 * From now on this thread alone asks others as that user (what a Unix socket's peer sees, and the
 * rights to files), until os_act_back.  Nothing but a process of root may.
 */
int os_act_as(uid_t uid, gid_t gid, struct err *e);
void os_act_back(void);

#endif
