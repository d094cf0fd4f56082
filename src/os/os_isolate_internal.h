/*
 * os_isolate_internal: what the files of os_isolate share.
 *
 *   os_isolate.c         who, what is had, what is told of it
 *   os_isolate_run.c     programs, as their parent
 *   os_isolate_child.c   the way of a new process from fork to exec
 *   os_isolate_mounts.c  the files that it sees
 *   os_isolate_seen.c    what a process finds itself to have, just before it becomes the program
 */
#ifndef HF_OS_OS_ISOLATE_INTERNAL_H
#define HF_OS_OS_ISOLATE_INTERNAL_H

#include <stdbool.h>

#include "os/os_isolate.h"

enum { ISOLATE_SPACES = 4, ISOLATE_HIDDEN = 2, ISOLATE_HAD = 12, ISOLATE_NICE = 10 };

/* In this order: network, processes, shared memory, mounts (CLONE_...). */
extern const int os_isolate_spaces[ISOLATE_SPACES];

/* Folders where the machine's programs have their sockets. */
extern const char *const os_isolate_hidden[ISOLATE_HIDDEN];

struct os_isolate_seen {
	int why; /* an errno: it did not come so far; else 0 */
	uid_t uid;
	gid_t gid;
	bool one_user; /* real, effective and saved are the same, and it gains none by exec */
	struct {
		uint64_t dev, ino;
	} space[ISOLATE_SPACES], hidden[ISOLATE_HIDDEN]; /* zero: it is not there */
	bool loopback_only;
	bool read_only; /* all mounts but the folder and its own shared memory */
	bool grouped;   /* in each cgroup that was made for it */
};

enum os_isolate_bit { /* of what is had */
	ISOLATE_NETWORK = 1,
	ISOLATE_PIDS = 2,
	ISOLATE_IPC = 4,
	ISOLATE_FILES = 8,
	ISOLATE_SOCKETS = 16,
	ISOLATE_USER = 32,
	ISOLATE_GROUPED = 64,
	ISOLATE_ALL = 127
};

struct os_isolate {
	char *folder, *had[ISOLATE_HAD + 1];
	size_t nhad;
	int spaces;    /* CLONE_... that are asked for */
	unsigned bits; /* that all programs found, so far */
	struct os_isolate_seen ours;
	bool user_space, becomes;
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* of who it becomes */
	int ngroups;
	char *user;
	char *wanted; /* a user that only root becomes; or NULL */
	struct os_cgroup *group;
	struct os_cgroup_limits limits;
	struct os_cgroup_had limited;
};

/* After fork: -1 with errno. */
int os_isolate_mounts(const struct os_isolate *i);
void os_isolate_see(const char *folder, const struct os_cgroup *group, struct os_isolate_seen *out);
_Noreturn void os_isolate_wait_for(
    const struct os_isolate *i, const struct os_isolate_child *c, int report, pid_t parent);

/* Wait for it; -1 with errno: how it ended is not known. */
int os_isolate_end(pid_t pid, int *how);

/* Which of it is more than we have ourselves. */
unsigned os_isolate_judge(const struct os_isolate *i, const struct os_isolate_seen *s);

#endif
