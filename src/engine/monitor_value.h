/*
 * monitor_value: what an integrity monitor sees, as a short text.
 *
 * Threads: any; a repository's owner.
 */
#ifndef HF_ENGINE_MONITOR_VALUE_H
#define HF_ENGINE_MONITOR_VALUE_H

#include "base/ctx.h"
#include "engine/monitor_judge.h"

struct repo;

/*
 * A hash over all that the system's newest snapshot has at these paths: names, types, modes,
 * owners, link targets and content, but no times.  ERR_ABSENT: no snapshot, or no such path.
 */
int monitor_checksum(struct repo *r, const char *system, const char *const *paths, size_t n,
    struct ctx *ctx, char out[MONITOR_VALUE], struct err *e);

/* The same over files as they are now, without owners.  ERR_ABSENT: there is no such path. */
int monitor_state(
    const char *const *paths, size_t n, struct ctx *ctx, char out[MONITOR_VALUE], struct err *e);

/* The first line of a file. */
int monitor_line(const char *path, char out[MONITOR_VALUE], struct err *e);

/*
 * A command for /bin/sh: a hash of what it prints, or its first line that is not empty.  It gets
 * HOLDFAST_SYSTEM.  ERR_FAILED where it fails, ERR_TIMEOUT.
 */
struct monitor_command {
	const char *command, *system;
	int64_t timeout_ns;
	bool hash;
};
int monitor_command(
    const struct monitor_command *p, struct ctx *ctx, char out[MONITOR_VALUE], struct err *e);

#endif
