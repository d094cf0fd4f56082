/*
 * instant_fs_priv: what the parts of instant_fs share; nobody else includes it.
 *
 *   instant_fs.c    mounting, threads
 *   instant_ops.c   what the kernel may ask for
 *   instant_name.c  what has to be done before names change
 */
#ifndef HF_ENGINE_INSTANT_FS_PRIV_H
#define HF_ENGINE_INSTANT_FS_PRIV_H

#include <errno.h>
#include <pthread.h>

#include "engine/instant_fs.h"
#include "engine/mount_fuse.h"

/* More than a database has processes: each waits for one answer at a time. */
enum { INSTANT_FS_THREADS = 256 };

struct instant_fs {
	int dir;
	struct instant_set *set;
	struct instant_state *state;
	struct ctx *ctx;
	char *place;
	struct fuse *fuse;
	struct handle *open; /* instant_ops.c: given out, and not taken back */

	pthread_mutex_t lock; /* guards what follows */
	pthread_t thread[INSTANT_FS_THREADS];
	unsigned nthreads, idle; /* idle: waiting for a request */
	unsigned ended;          /* nobody can ask any more */
};

/* Of a mount that was detached the kernel does not say what is closed last. */
void instant_fs_close_handles(struct instant_fs *fs);

/* instant_ops.c: what the kernel may ask for; an instant_fs is their private data. */
extern const struct fuse_operations instant_fs_operations;

/* Paths come from the kernel, which has resolved them; "/" is the folder itself. */
static inline const char *below(const char *path)
{
	return path[1] == '\0' ? "." : path + 1;
}

static inline int answer(int rc)
{
	return rc == -1 ? -errno : 0;
}

/*
 * The last thread never waits for the repository: whatever that does, what is here is served.  EIO
 * where this is it, else 0.
 */
int instant_fs_may_wait(struct instant_fs *fs);

/* What a file of ours could not do, as the kernel takes it. */
int instant_fs_failed(struct instant_fs *fs, const struct err *e);

/* All are 0 or what the kernel is answered. */
int instant_name_taken(struct instant_fs *fs, const char *path); /* something will get it */
int instant_name_moves(struct instant_fs *fs, const char *from, const char *to);
int instant_name_over(struct instant_fs *fs, const char *to);     /* something replaces it */
int instant_name_remove(struct instant_fs *fs, const char *path); /* and does so */

#endif
