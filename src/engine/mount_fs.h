/*
 * mount_fs: the FUSE side of a mount: requests of the kernel answered from a
 * mount_tree and mount_files.
 *
 * What is shown never changes, so the kernel is told to keep all it learns.
 * Damage is EIO to who asked, and an event.
 *
 * Threads: one owner; requests are answered one after another.
 */
#ifndef HF_ENGINE_MOUNT_FS_H
#define HF_ENGINE_MOUNT_FS_H

#include "engine/mount_fuse.h"
#include "engine/mount_tree.h"

struct mount_fs;

/* Takes the root; `rd` is borrowed. */
struct mount_fs *mount_fs_new(struct mount_item *root, struct reader *rd, struct ctx *ctx);
void mount_fs_free(struct mount_fs *fs); /* NULL does nothing */

/* For fuse_session_new, with the mount_fs as its userdata. */
extern const struct fuse_lowlevel_ops mount_fs_ops;

#endif
