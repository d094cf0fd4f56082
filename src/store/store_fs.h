/*
 * store_fs, inside: what its files share.  store_fs.c gives objects their
 * names, store_fs_sync.c does so lazily, store_fs_dir.c knows the folders and
 * what is in them, store_fs_fd.c keeps objects open.
 */
#ifndef HF_STORE_STORE_FS_H
#define HF_STORE_STORE_FS_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/store_drivers.h"

enum { FS_TMP_MAX = 80, FS_FDS = 16 };

#define FS_TMP_DIR    "tmp"
#define FS_TMP_PREFIX ".tmp-"

/* An open object, so that reading many ranges of one pack opens it once. */
struct fs_fd {
	char key[STORE_KEY_MAX + 1]; /* "" if free or dropped */
	int fd;                      /* -1 if none */
	unsigned users;
	uint64_t used; /* when last, by fs->ticks */
};

/* A lazy commit on its way: written, then synced, then named, then durable. */
struct fs_lazy {
	struct fs_lazy *next;
	char *key;
	char tmp[FS_TMP_MAX];
	int fd; /* -1 once synced */
	unsigned flags;
	bool named; /* has its name, or lost it */
	bool taken; /* ...to somebody else */
};

/* Set of names, in order after fs_names_unique. */
struct fs_names {
	char **v;
	size_t n, cap;
};

struct store_fs {
	struct store base;
	char *path;
	int root;
	char mark[32]; /* ends the names of our temporary files */
	atomic_uint seq;

	pthread_mutex_t lock; /* guards what follows; never held across I/O */
	struct fs_lazy *lazy, **lazy_end;
	unsigned lazy_fds;
	char **folders; /* known to exist and to be durable */
	size_t folder_count, folder_cap;
	bool root_read;          /* the folders at the root were looked for, once */
	struct fs_names emptied; /* folders where names went, for sync */
	struct fs_fd fds[FS_FDS];
	uint64_t ticks;

	/*
	 * Held across a whole sync, I/O and all: who syncs must wait for the
	 * sync that took his objects.  Guards what follows.
	 */
	pthread_mutex_t sync_lock;
	struct fs_lazy *syncing;
	int lost; /* errno of an fsync that failed, for good */
};

struct fs_upload {
	struct store_upload base;
	char tmp[FS_TMP_MAX]; /* "" once it isn't ours any more */
	int fd;
	bool failed;
};

void fs_names_add(struct fs_names *names, const char *name);
void fs_names_unique(struct fs_names *names);
void fs_names_fini(struct fs_names *names);

/* Set e from errno, with the hints that a directory store can give. */
int fs_fail(struct store_fs *fs, struct err *e, const char *what);
int fs_fail_write(struct store_fs *fs, struct err *e, const char *what); /* never ERR_ABSENT */

/* Open or fsync a folder below the root; "" is the root itself. */
int fs_dir_open(struct store_fs *fs, const char *dir);
int fs_fsync_dir(int fd);
int fs_dir_sync(struct store_fs *fs, const char *dir);

/* The folder part of a key into out[STORE_KEY_MAX + 1]; "" if it has none. */
const char *fs_dir_of(const char *key, char *out);

/* Make folders and those above them, durably, unless known. */
int fs_dirs_make(struct store_fs *fs, const struct fs_names *dirs, struct err *e);
int fs_dir_make(struct store_fs *fs, const char *dir, struct err *e);
void fs_dir_emptied(struct store_fs *fs, const char *key); /* sync must fsync its folder */
int fs_root_make(const char *path, struct err *e);
void fs_dir_forget(struct store_fs *fs, const char *dir); /* with all below it */

/*
 * Give a written file its name.  After success or ERR_EXISTS the caller makes
 * the folder durable: who is told "exists" may rely on it.
 */
int fs_publish(
    struct store_fs *fs, const char *tmp, const char *key, unsigned flags, struct err *e);

/* Take an upload's temporary file and descriptor into the list for sync. */
int fs_lazy_add(
    struct store_fs *fs, struct fs_upload *u, const char *key, unsigned flags, struct err *e);
void fs_lazy_drop(struct store_fs *fs); /* what was never synced, at close */
int fs_sync(struct store *s, struct err *e);

int fs_list(struct store *s, const char *prefix, store_visit *visit, void *arg, struct err *e);

/* The object's descriptor, from the cache or new; give it back with release. */
int fs_fd_get(struct store_fs *fs, const char *key, struct fs_fd **slot);
void fs_fd_release(struct store_fs *fs, struct fs_fd *slot, int fd);
void fs_fd_drop(struct store_fs *fs, const char *key); /* NULL: all */

#endif
