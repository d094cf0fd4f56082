/*
 * os_cgroup: a group of processes with limits that the kernel keeps, v2 or v1, where one may be
 * made: below our own group or, for root, below the root's.  Where none may, what is lacking is
 * said, and the caller has rlimits (os_isolate.h).
 *
 * A group's name holds the number of the process that made it: what one that was killed left is
 * ended and removed by the next (os_cgroup_sweep).
 *
 * Threads: one owner.
 */
#ifndef HF_OS_OS_CGROUP_H
#define HF_OS_OS_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

struct os_cgroup_limits { /* 0: none */
	uint64_t memory;  /* bytes */
	unsigned cpu;     /* percent of one processor */
	unsigned pids;
};

struct os_cgroup_had { /* which of the limits the kernel keeps: they were read back */
	bool memory, cpu, pids;
	int version; /* 1 or 2; 0: no group */
};

struct os_cgroup;

/* Never fails: had says what was got, and a group without any limit still holds its processes. */
struct os_cgroup *os_cgroup_new(
    const char *name, const struct os_cgroup_limits *l, struct os_cgroup_had *had);

/* The calling process, and all that it starts; after fork, too. */
void os_cgroup_enter(const struct os_cgroup *g);

/* Is the calling process in all that was made?  False of none; after fork, too. */
bool os_cgroup_is_in(const struct os_cgroup *g);

/* The most memory that it has used; 0: not known. */
uint64_t os_cgroup_memory_peak(const struct os_cgroup *g);

/* End (SIGKILL) what is in it, and remove it; NULL does nothing. */
void os_cgroup_free(struct os_cgroup *g);

/* Groups "NAME-PID" of processes that are no more; how many. */
unsigned os_cgroup_sweep(const char *name);

#endif
