/*
 * store_fs: objects as files of a directory.
 *
 * Bytes are written and fsynced under a temporary name in tmp/, and only then
 * get their own by link (STORE_NEW: it refuses to replace) or rename; then
 * the folder is fsynced.  So a name stands for a whole object at any moment,
 * and a crash leaves nothing but files in tmp/.
 */
#include "store/store_fs.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/hex.h"
#include "base/mem.h"
#include "os/os.h"

int fs_fail(struct store_fs *fs, struct err *e, const char *what)
{
	int no = errno;
	struct stat st;
	/* A directory that was removed under us makes everything look absent. */
	bool gone = (no == ENOENT || no == ESTALE) && os_fstat(fs->root, &st) == 0 &&
		    st.st_nlink == 0;

	if (gone) {
		err_set(
		    e, ERR_FAILED, "%s: the directory %s was removed meanwhile", what, fs->path);
		return err_hint(e, "was it moved, or made anew? open it again");
	}
	errno = no;
	err_sys(e, "%s", what);
	switch (no) {
	case ENOSPC:
	case EDQUOT:
		return err_hint(e,
		    "the file system%s of %s is full: make room there, or run prune; what is "
		    "stored "
		    "is safe",
		    no == EDQUOT ? "'s quota" : "", fs->path);
	case EXDEV:
		return err_hint(e, "all folders of %s must be on one file system", fs->path);
	case EROFS:
		return err_hint(e, "%s is mounted read-only", fs->path);
	case EACCES:
	case EPERM:
		return err_hint(e, "check who owns the files in %s", fs->path);
	default:
		return -1;
	}
}

int fs_fail_write(struct store_fs *fs, struct err *e, const char *what)
{
	fs_fail(fs, e, what);
	if (e->kind == ERR_ABSENT) /* of a folder or our own file: no answer to a put */
		e->kind = ERR_FAILED;
	return -1;
}

/* ---- uploads ---- */

static int tmp_open(struct store_fs *fs, char *tmp, struct err *e)
{
	int fd = -1;

	snprintf(tmp, FS_TMP_MAX, FS_TMP_DIR "/" FS_TMP_PREFIX "%ld-%u-%s", (long)getpid(),
	    atomic_fetch_add(&fs->seq, 1), fs->mark);
	/* One that is there may be used as it is: nothing durable is kept in it. */
	fd = os_openat(fs->root, tmp, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd == -1 && errno == ENOENT) {
		fs_dir_forget(fs, FS_TMP_DIR);
		if (fs_dir_make(fs, FS_TMP_DIR, e) == -1)
			return -1;
		fd = os_openat(fs->root, tmp, O_WRONLY | O_CREAT | O_EXCL, 0600);
	}
	return fd == -1 ? fs_fail_write(fs, e, "create a temporary file") : fd;
}

static int fs_begin(struct store *s, struct store_upload **up, struct err *e)
{
	struct fs_upload *u = mem_zalloc(sizeof *u);

	u->base.store = s;
	u->fd = tmp_open((struct store_fs *)s, u->tmp, e);
	if (u->fd == -1) {
		free(u);
		return -1;
	}
	*up = &u->base;
	return 0;
}

static int fs_append(struct store_upload *up, struct span data, struct err *e)
{
	struct fs_upload *u = (struct fs_upload *)up;

	if (os_write_all(u->fd, data.p, data.n) == 0)
		return 0;
	u->failed = true;
	return fs_fail_write((struct store_fs *)up->store, e, "write");
}

/*
 * An object's time is that of its naming, not that of its bytes: who was
 * suspended in between comes late, and whoever looks must see it.
 */
static void stamp(struct store_fs *fs, const char *tmp)
{
	const struct timespec now[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_NOW}};

	utimensat(fs->root, tmp, now, AT_SYMLINK_NOFOLLOW);
}

/* Suspended just between the two: the time of its naming is in its inode. */
static void stamp_late(struct store_fs *fs, const char *key)
{
	struct stat st;

	if (fstatat(fs->root, key, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_ctim.tv_sec > st.st_mtim.tv_sec + 1)
		stamp(fs, key);
}

/* One attempt to name it; the folder may turn out to be gone. */
static int publish_once(struct store_fs *fs, const char *tmp, const char *key, unsigned flags)
{
	if (!(flags & STORE_NEW))
		return os_renameat(fs->root, tmp, fs->root, key);
	if (os_linkat(fs->root, tmp, fs->root, key) == -1) {
		/* Not every file system has links: vfat, some network shares. */
		if (errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS)
			return os_renameat_new(fs->root, tmp, fs->root, key);
		return -1;
	}
	unlinkat(fs->root, tmp, 0); /* failing, it leaves a second name to sweep */
	return 0;
}

int fs_publish(struct store_fs *fs, const char *tmp, const char *key, unsigned flags, struct err *e)
{
	char dir[STORE_KEY_MAX + 1];

	fs_dir_of(key, dir);
	for (int tries = 0;; tries++) {
		if (fs_dir_make(fs, dir, e) == -1)
			return -1;
		stamp(fs, tmp);
		if (publish_once(fs, tmp, key, flags) == 0)
			break;
		if (errno != ENOENT || tries > 0 || dir[0] == '\0')
			return fs_fail_write(fs, e, flags & STORE_NEW ? "link" : "rename");
		fs_dir_forget(fs, dir);
	}
	stamp_late(fs, key);
	fs_fd_drop(fs, key);
	return 0;
}

static int publish_durably(
    struct store_fs *fs, const char *tmp, const char *key, unsigned flags, struct err *e)
{
	char dir[STORE_KEY_MAX + 1];
	int rc = fs_publish(fs, tmp, key, flags, e);

	if (rc == -1 && e->kind != ERR_EXISTS)
		return -1;
	if (fs_dir_sync(fs, fs_dir_of(key, dir)) == -1)
		return fs_fail_write(fs, e, "fsync the folder");
	return rc;
}

static int commit_now(
    struct store_fs *fs, struct fs_upload *u, const char *key, unsigned flags, struct err *e)
{
	/* Bytes before name: a crash may lose the object, never cut it short. */
	if (os_fsync(u->fd) == -1)
		return fs_fail_write(fs, e, "fsync");
	return publish_durably(fs, u->tmp, key, flags, e);
}

static int fs_commit(struct store_upload *up, const char *key, unsigned flags, struct err *e)
{
	struct fs_upload *u = (struct fs_upload *)up;
	struct store_fs *fs = (struct store_fs *)up->store;
	int rc = 0;

	if (key && u->failed)
		rc = err_set(e, ERR_FAILED, "an append failed before");
	else if (key && (flags & STORE_LAZY))
		rc = fs_lazy_add(fs, u, key, flags, e);
	else if (key)
		rc = commit_now(fs, u, key, flags, e);
	os_close(u->fd);
	if (u->tmp[0] && (key == NULL || rc == -1))
		unlinkat(fs->root, u->tmp, 0);
	free(u);
	return rc;
}

static int fs_put(struct store *s, const char *key, struct span data, unsigned flags, struct err *e)
{
	struct store_upload *up = NULL;
	struct err ignored;

	if (fs_begin(s, &up, e) == -1)
		return -1;
	if (fs_append(up, data, e) == -1) {
		fs_commit(up, NULL, 0, &ignored);
		return -1;
	}
	return fs_commit(up, key, flags, e);
}

int store_fs_now(struct store *s, int64_t *ns, struct err *e)
{
	struct store_fs *fs;
	char tmp[FS_TMP_MAX];
	struct stat st;
	int fd, rc = 1;

	while (s->under)
		s = s->under;
	if (s->ops->put != fs_put)
		return 0;
	fs = (struct store_fs *)s;
	if ((fd = tmp_open(fs, tmp, e)) == -1)
		return err_wrap(e, "%s: look at its clock", s->url);
	if (os_fstat(fd, &st) == -1)
		rc = fs_fail(fs, e, "stat");
	else
		*ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
	os_close(fd);
	unlinkat(fs->root, tmp, 0);
	return rc;
}

/* ---- reading ---- */

static int absent(struct store_fs *fs, struct err *e)
{
	if (errno != ENOENT && errno != ENOTDIR)
		return fs_fail(fs, e, "open");
	fs_fail(fs, e, "no such object");
	return e->kind == ERR_ABSENT ? err_set(e, ERR_ABSENT, "no such object") : -1;
}

static int read_range(
    struct store_fs *fs, int fd, uint64_t off, void *buf, size_t len, struct err *e)
{
	struct stat st;
	ssize_t n;

	if (os_fstat(fd, &st) == -1)
		return fs_fail(fs, e, "stat");
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_ABSENT, "no such object");
	if (off > (uint64_t)st.st_size || len > (uint64_t)st.st_size - off)
		return err_set(e, ERR_CORRUPT, "%zu bytes at %llu are beyond its end at %lld", len,
		    (unsigned long long)off, (long long)st.st_size);
	n = os_pread_full(fd, buf, len, (off_t)off);
	if (n == -1)
		return fs_fail(fs, e, "read");
	if ((size_t)n != len)
		return err_set(e, ERR_CORRUPT, "it became shorter while it was read");
	return 0;
}

static int fs_get(
    struct store *s, const char *key, uint64_t off, void *buf, size_t len, struct err *e)
{
	struct store_fs *fs = (struct store_fs *)s;
	struct fs_fd *slot;
	int fd = fs_fd_get(fs, key, &slot);
	int rc;

	if (fd == -1)
		return absent(fs, e);
	rc = read_range(fs, fd, off, buf, len, e);
	fs_fd_release(fs, slot, fd);
	return rc;
}

static int fs_stat(struct store *s, const char *key, struct store_stat *out, struct err *e)
{
	struct store_fs *fs = (struct store_fs *)s;
	struct stat st;

	if (os_fstatat(fs->root, key, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return absent(fs, e);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_ABSENT, "no such object");
	*out = (struct store_stat){.size = (uint64_t)st.st_size,
	    .mtime_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec};
	return 0;
}

static int fs_del(struct store *s, const char *key, struct err *e)
{
	struct store_fs *fs = (struct store_fs *)s;

	fs_fd_drop(fs, key);
	if (os_unlinkat(fs->root, key, 0) == 0) {
		fs_dir_emptied(fs, key);
		return 0;
	}
	if (errno == EISDIR)
		return 0;
	fs_fail(fs, e, "unlink");
	return e->kind == ERR_ABSENT ? 0 : -1;
}

/* ---- opening ---- */

static void fs_close(struct store *s)
{
	struct store_fs *fs = (struct store_fs *)s;

	fs_lazy_drop(fs);
	fs_fd_drop(fs, NULL);
	fs_dir_forget(fs, "");
	free(fs->folders);
	fs_names_fini(&fs->emptied);
	os_close(fs->root);
	pthread_mutex_destroy(&fs->lock);
	pthread_mutex_destroy(&fs->sync_lock);
	free(fs->path);
	free(s->url);
	free(fs);
}

static const struct store_ops fs_ops = {
    .scheme = "fs",
    .durability = "survives power loss (fsync of every file and its folder)",
    .put = fs_put,
    .get = fs_get,
    .stat = fs_stat,
    .del = fs_del,
    .list = fs_list,
    .begin = fs_begin,
    .append = fs_append,
    .commit = fs_commit,
    .sync = fs_sync,
    .close = fs_close,
};

static int open_failed(const char *path, bool create, struct err *e)
{
	if (errno == ENOTDIR) {
		err_set(e, create ? ERR_FAILED : ERR_NO_REPOSITORY, "fs:%s: not a directory", path);
		return err_hint(e, "a repository is a directory: give the path of one");
	}
	if (errno == ENOENT && !create) {
		err_set(e, ERR_NO_REPOSITORY, "fs:%s: no such directory", path);
		return err_hint(
		    e, "holdfast init makes a repository there; or is a disk not mounted?");
	}
	return err_sys(e, "fs:%s: open", path);
}

static int mark_init(struct store_fs *fs, struct err *e)
{
	uint8_t random[8];

	if (getrandom(random, sizeof random, 0) != sizeof random)
		return err_sys(e, "random bytes");
	hex_encode(fs->mark, random, sizeof random);
	return 0;
}

static struct store_fs *fs_new(const char *path, int root)
{
	struct store_fs *fs = mem_zalloc(sizeof *fs);

	fs->base.ops = &fs_ops;
	fs->base.url = mem_printf("fs:%s", path);
	fs->path = mem_strdup(path);
	fs->root = root;
	fs->lazy_end = &fs->lazy;
	for (int i = 0; i < FS_FDS; i++)
		fs->fds[i].fd = -1;
	pthread_mutex_init(&fs->lock, NULL);
	pthread_mutex_init(&fs->sync_lock, NULL);
	return fs;
}

int store_fs_open(const char *path, bool create, struct store **out, struct err *e)
{
	struct store_fs *fs;
	int root;

	*out = NULL;
	if (*path == '\0')
		return err_set(e, ERR_USAGE, "fs: needs a path");
	if (create && fs_root_make(path, e) == -1) {
		errno = e->sys;
		return e->sys == ENOTDIR ? open_failed(path, create, e)
					 : err_wrap(e, "fs:%s", path);
	}
	root = os_open(path, O_RDONLY | O_DIRECTORY, 0);
	if (root == -1)
		return open_failed(path, create, e);
	fs = fs_new(path, root);
	if (mark_init(fs, e) == -1) {
		fs_close(&fs->base);
		return -1;
	}
	*out = &fs->base;
	return 0;
}
