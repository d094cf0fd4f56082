/*
 * op_mount: snapshots as a read-only FUSE file system, in the foreground.
 *
 *     MOUNTPOINT/ids/<8 hex digits>/...       MOUNTPOINT/latest -> times/...
 *     MOUNTPOINT/times/<2026-11-21T09:41:07>/...
 *
 * Returns when unmounted or interrupted.
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
