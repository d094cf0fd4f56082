/* instant_fs_priv: what the two parts of instant_fs share; nobody else includes it. */
#ifndef HF_ENGINE_INSTANT_FS_PRIV_H
#define HF_ENGINE_INSTANT_FS_PRIV_H

#include <pthread.h>

#include "engine/instant_fs.h"
#include "engine/mount_fuse.h"

enum { INSTANT_FS_THREADS = 4 };

struct instant_fs {
	int dir;
	struct instant_set *set;
	struct instant_state *state;
	struct ctx *ctx;
	char *place;
	struct fuse *fuse;
	pthread_t thread[INSTANT_FS_THREADS];
	unsigned nthreads;
	_Atomic unsigned ended; /* of them: nobody can ask any more */
};

/* instant_ops.c: what the kernel may ask for; an instant_fs is their private data. */
extern const struct fuse_operations instant_fs_operations;

#endif
