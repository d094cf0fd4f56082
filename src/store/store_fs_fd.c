/*
 * store_fs_fd: objects kept open, so that reading many ranges of one opens it
 * once.  A name that may be replaced is never kept, and what was deleted by
 * somebody else is noticed by its link count.
 */
#include "base/buf.h"
#include "os/os.h"
#include "store/store_fs.h"

/* Under the lock.  Returns a descriptor to close, or -1. */
static int fd_detach(struct fs_fd *f)
{
	int fd = f->users == 0 ? f->fd : -1;

	f->key[0] = '\0';
	if (f->users == 0)
		f->fd = -1;
	return fd;
}

static int fd_lookup(struct store_fs *fs, const char *key, struct fs_fd **slot)
{
	int fd = -1;

	pthread_mutex_lock(&fs->lock);
	for (int i = 0; i < FS_FDS && fd == -1; i++)
		if (strcmp(fs->fds[i].key, key) == 0) {
			*slot = &fs->fds[i];
			(*slot)->users++;
			(*slot)->used = ++fs->ticks;
			fd = (*slot)->fd;
		}
	pthread_mutex_unlock(&fs->lock);
	return fd;
}

/* Keep an opened object in the slot used longest ago, if one is free to go. */
static void fd_keep(struct store_fs *fs, const char *key, int fd, struct fs_fd **slot)
{
	struct fs_fd *best = NULL;
	int old = -1;

	pthread_mutex_lock(&fs->lock);
	for (int i = 0; i < FS_FDS; i++) {
		struct fs_fd *f = &fs->fds[i];

		if (f->users == 0 && (best == NULL || f->used < best->used))
			best = f;
	}
	if (best) {
		old = fd_detach(best);
		memcpy(best->key, key, strlen(key) + 1);
		best->fd = fd;
		best->users = 1;
		best->used = ++fs->ticks;
	}
	pthread_mutex_unlock(&fs->lock);
	os_close(old);
	*slot = best;
}

int fs_fd_get(struct store_fs *fs, const char *key, struct fs_fd **slot)
{
	struct stat st;
	int fd = fd_lookup(fs, key, slot);

	if (fd != -1) {
		/* Somebody else may have deleted or replaced it. */
		if (os_fstat(fd, &st) == 0 && st.st_nlink > 0)
			return fd;
		fs_fd_drop(fs, key);
		fs_fd_release(fs, *slot, fd);
	}
	*slot = NULL;
	fd = os_openat(fs->root, key, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	if (fd != -1 && strchr(key, '/')) /* what has no folder may be replaced */
		fd_keep(fs, key, fd, slot);
	return fd;
}

void fs_fd_release(struct store_fs *fs, struct fs_fd *slot, int fd)
{
	if (slot == NULL) {
		os_close(fd);
		return;
	}
	fd = -1;
	pthread_mutex_lock(&fs->lock);
	if (--slot->users == 0 && slot->key[0] == '\0') {
		fd = slot->fd;
		slot->fd = -1;
		slot->used = 0;
	}
	pthread_mutex_unlock(&fs->lock);
	os_close(fd);
}

void fs_fd_drop(struct store_fs *fs, const char *key)
{
	int close_these[FS_FDS];
	int n = 0;

	pthread_mutex_lock(&fs->lock);
	for (int i = 0; i < FS_FDS; i++)
		if (key == NULL || strcmp(fs->fds[i].key, key) == 0)
			close_these[n++] = fd_detach(&fs->fds[i]);
	pthread_mutex_unlock(&fs->lock);
	while (n > 0)
		os_close(close_these[--n]);
}
