/*
 * instant_fs: a folder shown at a mount point, where files that are not complete yet are filled as
 * they are read and written.
 *
 * Everything else goes straight to the folder: what is made, renamed or removed through the mount
 * is so in the folder.  Removing a file that is not complete ends it for good (instant_state);
 * renaming one, over one, or a directory with such in it, completes them first.  Content that
 * cannot be had is EIO to who asks, and an event.
 *
 * As root everybody may use the mount as the modes in it allow, else its owner alone.
 *
 * Threads: one owner; it answers requests on its own.
 */
#ifndef HF_ENGINE_INSTANT_FS_H
#define HF_ENGINE_INSTANT_FS_H

#include "base/ctx.h"
#include "engine/instant_set.h"

struct instant_fs;

/* `dir` is the folder, open; everything is borrowed until the end. */
int instant_fs_mount(int dir, struct instant_set *set, struct instant_state *state,
    const char *place, struct ctx *ctx, struct instant_fs **out, struct err *e);

/*
 * Unmount it, if nobody else did, and free it.  ERR_BUSY: somebody uses it, be it only what he has
 * open of one that was detached, and it goes on.
 */
int instant_fs_unmount(struct instant_fs *fs, struct err *e);

/* What a mount that was killed has left there: taken away.  0 also if there is none. */
int instant_fs_clear(const char *place, struct err *e);

#endif
