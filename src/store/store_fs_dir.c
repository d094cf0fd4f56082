/*
 * store_fs_dir: the folders of a directory store: making them, walking them,
 * sweeping what crashed writers left in tmp/; and the cache of open objects.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/os.h"
#include "store/store_fs.h"

/* ---- folders ---- */

int fs_dir_open(struct store_fs *fs, const char *dir)
{
	return os_openat(fs->root, *dir ? dir : ".", O_RDONLY | O_DIRECTORY, 0);
}

int fs_dir_sync(struct store_fs *fs, const char *dir)
{
	int fd = fs_dir_open(fs, dir);
	int rc;

	if (fd == -1)
		return -1;
	rc = os_fsync(fd);
	/* Some network and FUSE file systems have no fsync for folders. */
	if (rc == -1 && (errno == EINVAL || errno == EOPNOTSUPP))
		rc = 0;
	os_close(fd);
	return rc;
}

const char *fs_dir_of(const char *key, char *out)
{
	const char *slash = strrchr(key, '/');
	size_t n = slash ? (size_t)(slash - key) : 0;

	memcpy(out, key, n);
	out[n] = '\0';
	return out;
}

/* Index of dir among the known, or where it belongs; under the lock. */
static size_t folder_find(const struct store_fs *fs, const char *dir, bool *known)
{
	size_t lo = 0, hi = fs->folder_count;
	int c = 1;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if ((c = strcmp(fs->folders[mid], dir)) == 0) {
			*known = true;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*known = false;
	return lo;
}

static bool folder_known(struct store_fs *fs, const char *dir)
{
	bool known;

	pthread_mutex_lock(&fs->lock);
	folder_find(fs, dir, &known);
	pthread_mutex_unlock(&fs->lock);
	return known;
}

static void folder_remember(struct store_fs *fs, const char *dir)
{
	bool known;
	size_t i;

	pthread_mutex_lock(&fs->lock);
	i = folder_find(fs, dir, &known);
	if (!known) {
		if (fs->folder_count == fs->folder_cap) {
			fs->folder_cap = fs->folder_cap ? 2 * fs->folder_cap : 64;
			fs->folders = mem_realloc(
			    fs->folders, fs->folder_cap * sizeof *fs->folders);
		}
		memmove(fs->folders + i + 1, fs->folders + i,
		    (fs->folder_count - i) * sizeof *fs->folders);
		fs->folders[i] = mem_strdup(dir);
		fs->folder_count++;
	}
	pthread_mutex_unlock(&fs->lock);
}

/* Is it dir, or below it? */
static bool within(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return n == 0 || (strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/'));
}

void fs_dir_forget(struct store_fs *fs, const char *dir)
{
	size_t kept = 0;

	pthread_mutex_lock(&fs->lock);
	for (size_t i = 0; i < fs->folder_count; i++) {
		/* What is above it may be gone as well. */
		if (within(fs->folders[i], dir) || within(dir, fs->folders[i]))
			free(fs->folders[i]);
		else
			fs->folders[kept++] = fs->folders[i];
	}
	fs->folder_count = kept;
	pthread_mutex_unlock(&fs->lock);
}

int fs_dir_make(struct store_fs *fs, const char *dir, struct err *e)
{
	char part[STORE_KEY_MAX + 1], above[STORE_KEY_MAX + 1];

	if (*dir == '\0' || folder_known(fs, dir))
		return 0;
	for (const char *p = dir; p; p = strchr(p + 1, '/')) {
		const char *end = strchr(p + 1, '/');
		size_t n = end ? (size_t)(end - dir) : strlen(dir);

		memcpy(part, dir, n);
		part[n] = '\0';
		if (folder_known(fs, part))
			continue;
		if (os_mkdirat(fs->root, part, 0700) == -1 && errno != EEXIST)
			return fs_fail(fs, e, "make a folder");
		/* Who made it before us may not have got this far. */
		if (fs_dir_sync(fs, fs_dir_of(part, above)) == -1)
			return fs_fail(fs, e, "fsync a new folder's parent");
		folder_remember(fs, part);
	}
	return 0;
}

/* ---- list ---- */

struct walk {
	struct store_fs *fs;
	store_visit *visit;
	void *arg;
};

static int walk_dir(struct walk *w, const char *dir, struct err *e);

static int walk_entry(struct walk *w, int fd, const char *key, const char *name, struct err *e)
{
	struct store_stat out;
	struct stat st;

	if (os_fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : fs_fail(w->fs, e, "stat");
	if (S_ISDIR(st.st_mode))
		return walk_dir(w, key, e);
	if (!S_ISREG(st.st_mode))
		return 0;
	out.size = (uint64_t)st.st_size;
	out.mtime_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
	return w->visit(w->arg, key, &out, e);
}

static int walk_open(struct walk *w, const char *dir, DIR **d, struct err *e)
{
	int fd = fs_dir_open(w->fs, dir);

	*d = NULL;
	if (fd == -1) {
		int no = errno;

		fs_fail(w->fs, e, "open a folder");
		return no == ENOTDIR || e->kind == ERR_ABSENT ? 0 : -1;
	}
	if ((*d = fdopendir(fd)) == NULL) {
		fs_fail(w->fs, e, "open a folder");
		os_close(fd);
		return -1;
	}
	return 0;
}

static int walk_dir(struct walk *w, const char *dir, struct err *e)
{
	struct dirent *ent;
	DIR *d;
	int rc;

	if ((rc = walk_open(w, dir, &d, e)) == -1 || d == NULL)
		return rc;
	while (rc == 0) {
		char *key;

		errno = 0;
		if ((ent = readdir(d)) == NULL) {
			if (errno)
				rc = fs_fail(w->fs, e, "read a folder");
			break;
		}
		key = mem_printf("%s%s%s", dir, *dir ? "/" : "", ent->d_name);
		/* Strangers' names, and our own tmp/, are no objects. */
		if (store_key_valid(key))
			rc = walk_entry(w, dirfd(d), key, ent->d_name, e);
		free(key);
	}
	closedir(d);
	return rc;
}

int fs_list(struct store *s, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	struct walk w = {(struct store_fs *)s, visit, arg};
	char dir[STORE_KEY_MAX + 1];

	return walk_dir(&w, fs_dir_of(prefix, dir), e);
}

/* ---- sweep ---- */

static int sweep_one(struct store_fs *fs, int dir, const char *name, int64_t before,
    uint64_t *removed, struct err *e)
{
	size_t n = strlen(name), m = strlen(fs->mark);
	struct stat st;

	if (strncmp(name, FS_TMP_PREFIX, strlen(FS_TMP_PREFIX)) != 0)
		return 0;
	if (n > m && strcmp(name + n - m, fs->mark) == 0)
		return 0; /* our own, in use */
	if (os_fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : fs_fail(fs, e, "stat a temporary file");
	if (!S_ISREG(st.st_mode) ||
	    st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec > before)
		return 0;
	if (os_unlinkat(dir, name, 0) == 0)
		(*removed)++;
	else if (errno != ENOENT)
		return fs_fail(fs, e, "remove a temporary file");
	return 0;
}

static int fs_sweep(struct store_fs *fs, int64_t older_than_ns, uint64_t *removed, struct err *e)
{
	struct clock *clock = os_clock();
	int64_t before = clock->wall_ns(clock) - older_than_ns;
	struct walk w = {fs, NULL, NULL};
	struct dirent *ent;
	DIR *d;
	int rc;

	if ((rc = walk_open(&w, FS_TMP_DIR, &d, e)) == -1 || d == NULL)
		return rc;
	while (rc == 0 && (ent = readdir(d)))
		rc = sweep_one(fs, dirfd(d), ent->d_name, before, removed, e);
	closedir(d);
	return rc;
}

int store_tmp_sweep(struct store *s, int64_t older_than_ns, uint64_t *removed, struct err *e)
{
	*removed = 0;
	while (s->under)
		s = s->under;
	if (s->ops->list != fs_list)
		return 0;
	if (fs_sweep((struct store_fs *)s, older_than_ns, removed, e) == -1)
		return err_wrap(e, "%s: sweep", s->url);
	return 0;
}

/* ---- open objects ---- */

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
