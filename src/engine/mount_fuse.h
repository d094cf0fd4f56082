/*
 * mount_fuse: libfuse3, opened at first use, so that a program which mounts
 * nothing does not load it.
 *
 * Threads: load by any; the table is only read after that.
 */
#ifndef HF_ENGINE_MOUNT_FUSE_H
#define HF_ENGINE_MOUNT_FUSE_H

#include <fuse.h>
#include <fuse_lowlevel.h>

#include "base/err.h"

#define MOUNT_FUSE_CALLS(X)                                                                        \
	X(session_new)                                                                             \
	X(session_mount)                                                                           \
	X(session_unmount)                                                                         \
	X(session_destroy)                                                                         \
	X(session_fd)                                                                              \
	X(session_exited)                                                                          \
	X(session_receive_buf)                                                                     \
	X(session_process_buf)                                                                     \
	X(opt_free_args)                                                                           \
	X(set_log_func)                                                                            \
	X(req_userdata)                                                                            \
	X(reply_none)                                                                              \
	X(reply_err)                                                                               \
	X(reply_entry)                                                                             \
	X(reply_attr)                                                                              \
	X(reply_open)                                                                              \
	X(reply_buf)                                                                               \
	X(reply_readlink)                                                                          \
	X(reply_statfs)                                                                            \
	X(reply_xattr)                                                                             \
	X(add_direntry)                                                                            \
	X(add_direntry_plus)                                                                       \
	X(mount)                                                                                   \
	X(unmount)                                                                                 \
	X(destroy)                                                                                 \
	X(get_session)                                                                             \
	X(get_context)

struct mount_fuse {
#define X(name) __typeof__(fuse_##name) *name;
	MOUNT_FUSE_CALLS(X)
#undef X
	/* fuse_new, which has a version in its name. */
	struct fuse *(*new_31)(
	    struct fuse_args *args, const struct fuse_operations *op, size_t size, void *data);
};

extern struct mount_fuse mount_fuse; /* written by load alone */

/* ERR_UNSUPPORTED with a hint if the library isn't there. */
int mount_fuse_load(struct err *e);

/* What the library said last in this thread, instead of printing it; "" if nothing. */
const char *mount_fuse_said(void);

#endif
