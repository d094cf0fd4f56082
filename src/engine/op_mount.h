/*
 * op_mount: snapshots as a read-only FUSE file system, in the foreground.
 *
 *     MOUNTPOINT/ids/<8 hex digits>/...       MOUNTPOINT/latest -> times/...
 *     MOUNTPOINT/times/<2026-11-21T09:41:07>/...
 *
 * Times are local; of equal ones the later are called ...-2, -3.  Returns 0
 * when somebody unmounted it, ERR_CANCELLED when interrupted; nothing stays
 * mounted.  ERR_USAGE: the mount point is missing, no directory, not empty, or
 * inside the repository or around it.  ERR_UNSUPPORTED: no /dev/fuse or libfuse3.
 *
 * Damage is EIO to who reads it, and an event with the path below MOUNTPOINT.
 *
 * Threads: serves in the caller's; one call at a time per repo.
 */
#ifndef HF_ENGINE_OP_MOUNT_H
#define HF_ENGINE_OP_MOUNT_H

#include "engine/select.h"

struct mount_params {
	const char *mountpoint; /* an empty directory, not inside the repository */
	struct select_filter filter;
	bool allow_other;
	void (*ready)(void *arg); /* called once mounted */
	void *ready_arg;
};

int op_mount(struct repo *r, const struct mount_params *p, struct ctx *ctx, struct err *e);

#endif
