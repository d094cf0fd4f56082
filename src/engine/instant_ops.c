/* instant_ops: what is done to names and files of a folder that is being restored: instant_fs.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/instant_fs_priv.h"
#include "os/os.h"
#include "source/dirlist.h"

enum { READ_AHEAD_MOST = 9 }; /* reads under way, from when on nothing is read ahead */

static const double FOR_EVER = 86400;

struct handle {
	struct handle *next, **at; /* of those that are open */
	int fd;                    /* -1 where it is a file of ours */
	struct instant_file *f;    /* or NULL */
};

static struct instant_fs *self(void)
{
	return mount_fuse.get_context()->private_data;
}

static struct handle *handle_of(struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

static int fd_of(struct fuse_file_info *fi)
{
	const struct handle *h = handle_of(fi);

	return h->f != NULL ? instant_file_fd(h->f) : h->fd;
}

/* ---- Names. */

static int fs_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	if (fi != NULL)
		return answer(os_fstat(fd_of(fi), st));
	return answer(os_fstatat(self()->dir, below(path), st, AT_SYMLINK_NOFOLLOW));
}

static int fs_readlink(const char *path, char *out, size_t size)
{
	ssize_t n = readlinkat(self()->dir, below(path), out, size - 1);

	if (n == -1)
		return -errno;
	out[n] = '\0';
	return 0;
}

/* What root made for somebody belongs to him. */
static int give(struct instant_fs *fs, const char *path, int rc)
{
	const struct fuse_context *c = mount_fuse.get_context();

	if (rc == -1)
		return -errno;
	if (geteuid() != 0)
		return 0;
	return answer(fchownat(fs->dir, below(path), c->uid, c->gid, AT_SYMLINK_NOFOLLOW));
}

static int fs_mkdir(const char *path, mode_t mode)
{
	int rc = instant_name_taken(self(), path);

	return rc ? rc : give(self(), path, os_mkdirat(self()->dir, below(path), mode));
}

static int fs_symlink(const char *target, const char *path)
{
	int rc = instant_name_taken(self(), path);

	return rc ? rc : give(self(), path, symlinkat(target, self()->dir, below(path)));
}

static int fs_mknod(const char *path, mode_t mode, dev_t dev)
{
	int rc = instant_name_taken(self(), path);

	return rc ? rc : give(self(), path, mknodat(self()->dir, below(path), mode, dev));
}

static int fs_unlink(const char *path)
{
	return instant_name_remove(self(), path);
}

static int fs_rmdir(const char *path)
{
	return answer(os_unlinkat(self()->dir, below(path), AT_REMOVEDIR));
}

static int fs_rename(const char *from, const char *to, unsigned flags)
{
	struct instant_fs *fs = self();
	int rc;

	if (flags & ~(unsigned)RENAME_NOREPLACE)
		return -EINVAL;
	rc = instant_name_moves(fs, from, to);
	if (rc == 0 && flags == 0)
		rc = instant_name_over(fs, to);
	if (rc != 0)
		return rc;
	return flags ? answer(os_renameat_new(fs->dir, below(from), fs->dir, below(to)))
		     : answer(os_renameat(fs->dir, below(from), fs->dir, below(to)));
}

static int fs_link(const char *from, const char *to)
{
	int rc = instant_name_moves(self(), from, to);

	return rc ? rc : answer(os_linkat(self()->dir, below(from), self()->dir, below(to)));
}

static int fs_chmod(const char *path, mode_t mode, struct fuse_file_info *fi)
{
	if (fi != NULL)
		return answer(fchmod(fd_of(fi), mode));
	return answer(fchmodat(self()->dir, below(path), mode, 0));
}

static int fs_chown(const char *path, uid_t uid, gid_t gid, struct fuse_file_info *fi)
{
	if (fi != NULL)
		return answer(fchown(fd_of(fi), uid, gid));
	return answer(fchownat(self()->dir, below(path), uid, gid, AT_SYMLINK_NOFOLLOW));
}

static int fs_utimens(const char *path, const struct timespec t[2], struct fuse_file_info *fi)
{
	if (fi != NULL)
		return answer(futimens(fd_of(fi), t));
	return answer(utimensat(self()->dir, below(path), t, AT_SYMLINK_NOFOLLOW));
}

static int fs_statfs(const char *path, struct statvfs *out)
{
	return answer(fstatvfs(self()->dir, out));
}

/* ---- Files. */

static int cut(struct instant_fs *fs, const struct handle *h, off_t size)
{
	struct err e;

	if (h->f == NULL)
		return answer(os_ftruncate(h->fd, size));
	return instant_file_cut(h->f, size, &e) == -1 ? instant_fs_failed(fs, &e) : 0;
}

static void handle_close(struct handle *h)
{
	os_close(h->fd);
	instant_file_unref(h->f);
	free(h);
}

static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER; /* guards the lists of handles */

static void give_out(struct instant_fs *fs, struct handle *h, struct fuse_file_info *fi)
{
	pthread_mutex_lock(&open_lock);
	h->at = &fs->open;
	h->next = fs->open;
	if (h->next != NULL)
		h->next->at = &h->next;
	fs->open = h;
	pthread_mutex_unlock(&open_lock);
	fi->fh = (uintptr_t)h;
}

static void take_back(struct handle *h)
{
	pthread_mutex_lock(&open_lock);
	*h->at = h->next;
	if (h->next != NULL)
		h->next->at = h->at;
	pthread_mutex_unlock(&open_lock);
	handle_close(h);
}

void instant_fs_close_handles(struct instant_fs *fs)
{
	while (fs->open != NULL)
		take_back(fs->open);
}

static int open_at(
    struct instant_fs *fs, const char *path, int flags, mode_t mode, struct handle **out)
{
	int keep = flags & (O_ACCMODE | O_CREAT | O_EXCL);
	int fd = os_openat(fs->dir, below(path), keep | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, mode);
	struct handle *h;
	struct stat st;
	uint32_t n;
	int rc = 0;

	if (fd == -1 || os_fstat(fd, &st) == -1) {
		rc = -errno;
		os_close(fd);
		return rc;
	}
	h = mem_zalloc(sizeof *h);
	h->f = instant_set_find(fs->set, &st, &n);
	h->fd = h->f == NULL ? fd : -1;
	if (h->f != NULL)
		os_close(fd);
	if (flags & O_TRUNC)
		rc = cut(fs, h, 0);
	if (rc != 0)
		handle_close(h);
	else
		*out = h;
	return rc;
}

static int fs_open(const char *path, struct fuse_file_info *fi)
{
	struct handle *h = NULL;
	int rc = open_at(self(), path, fi->flags & ~(O_CREAT | O_EXCL), 0, &h);

	if (rc == 0)
		give_out(self(), h, fi);
	return rc;
}

static int fs_create(const char *path, mode_t mode, struct fuse_file_info *fi)
{
	struct handle *h = NULL;
	int rc = instant_name_taken(self(), path);

	if (rc == 0)
		rc = open_at(self(), path, fi->flags | O_CREAT, mode, &h);
	if (rc == 0 && (rc = give(self(), path, 0)) != 0)
		handle_close(h);
	else if (rc == 0)
		give_out(self(), h, fi);
	return rc;
}

static int fs_release(const char *path, struct fuse_file_info *fi)
{
	take_back(handle_of(fi));
	return 0;
}

static int fs_read(const char *path, char *p, size_t n, off_t off, struct fuse_file_info *fi)
{
	const struct handle *h = handle_of(fi);
	struct err e;
	ssize_t got;
	int rc;

	if (h->f == NULL) {
		got = os_pread_full(h->fd, p, n, off);
		return got == -1 ? -errno : (int)got;
	}
	if (instant_file_waits(h->f, n, off, false) && (rc = instant_fs_may_wait(self())) != 0)
		return rc;
	got = instant_file_read(h->f, p, n, off, &e);
	return got == -1 ? instant_fs_failed(self(), &e) : (int)got;
}

static int fs_write(const char *path, const char *p, size_t n, off_t off, struct fuse_file_info *fi)
{
	const struct handle *h = handle_of(fi);
	struct err e;
	int rc;

	if (h->f == NULL)
		return os_pwrite_all(h->fd, p, n, off) == -1 ? -errno : (int)n;
	if (instant_file_waits(h->f, n, off, true) && (rc = instant_fs_may_wait(self())) != 0)
		return rc;
	return instant_file_write(h->f, p, n, off, &e) == -1 ? instant_fs_failed(self(), &e)
							     : (int)n;
}

static int fs_fsync(const char *path, int data_only, struct fuse_file_info *fi)
{
	const struct handle *h = handle_of(fi);
	struct err e;

	if (h->f == NULL)
		return answer(data_only ? fdatasync(h->fd) : os_fsync(h->fd));
	return instant_file_sync(h->f, &e) == -1 ? instant_fs_failed(self(), &e) : 0;
}

static int fs_truncate(const char *path, off_t size, struct fuse_file_info *fi)
{
	struct handle *h = NULL;
	int rc;

	if (fi != NULL)
		return cut(self(), handle_of(fi), size);
	rc = open_at(self(), path, O_WRONLY, 0, &h);
	if (rc != 0)
		return rc;
	rc = cut(self(), h, size);
	handle_close(h);
	return rc;
}

static int fs_fallocate(const char *path, int mode, off_t off, off_t n, struct fuse_file_info *fi)
{
	const struct handle *h = handle_of(fi);
	struct err e;

	/* Room at the end: what is there already stays as it is, here or not. */
	if (mode != 0)
		return -EOPNOTSUPP;
	if (h->f == NULL)
		return answer(fallocate(h->fd, 0, off, n));
	return instant_file_room(h->f, off, n, &e) == -1 ? instant_fs_failed(self(), &e) : 0;
}

/* ---- Directories. */

static int fs_opendir(const char *path, struct fuse_file_info *fi)
{
	struct instant_fs *fs = self();
	int fd = os_openat(
	    fs->dir, below(path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	struct handle *h;

	if (fd == -1)
		return -errno;
	h = mem_zalloc(sizeof *h);
	h->fd = fd;
	give_out(self(), h, fi);
	return 0;
}

static int fs_readdir(const char *path, void *to, fuse_fill_dir_t fill, off_t off,
    struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
	struct source_names names = {.n = 0};
	struct err e;
	int rc = dirlist_read(handle_of(fi)->fd, &names, &e) == -1 ? -EIO : 0;

	if (rc == 0 && (fill(to, ".", NULL, 0, 0) || fill(to, "..", NULL, 0, 0)))
		rc = -ENOMEM;
	for (size_t i = 0; rc == 0 && i < names.n; i++)
		if (fill(to, source_name(&names, i), NULL, 0, 0))
			rc = -ENOMEM;
	source_names_fini(&names);
	return rc;
}

static int fs_fsyncdir(const char *path, int data_only, struct fuse_file_info *fi)
{
	return answer(os_fsync(handle_of(fi)->fd));
}

/* What the kernel knows stays true: nobody but the mount changes what it shows. */
static void *fs_init(struct fuse_conn_info *conn, struct fuse_config *cfg)
{
	conn->want &= ~(unsigned)FUSE_CAP_AUTO_INVAL_DATA;
	/* Reads count as background: so many may hang before one of what is here does. */
	conn->max_background = INSTANT_FS_THREADS;
	conn->congestion_threshold = READ_AHEAD_MOST;
	cfg->use_ino = 1;
	cfg->nullpath_ok = 1;
	/* Else a removed file that is open gets another name, which would be left at a kill. */
	cfg->hard_remove = 1;
	cfg->kernel_cache = 1;
	cfg->entry_timeout = cfg->attr_timeout = FOR_EVER;
	cfg->negative_timeout = 0;
	return mount_fuse.get_context()->private_data;
}

const struct fuse_operations instant_fs_operations = {
    .init = fs_init,
    .getattr = fs_getattr,
    .readlink = fs_readlink,
    .mknod = fs_mknod,
    .mkdir = fs_mkdir,
    .unlink = fs_unlink,
    .rmdir = fs_rmdir,
    .symlink = fs_symlink,
    .rename = fs_rename,
    .link = fs_link,
    .chmod = fs_chmod,
    .chown = fs_chown,
    .truncate = fs_truncate,
    .open = fs_open,
    .create = fs_create,
    .read = fs_read,
    .write = fs_write,
    .statfs = fs_statfs,
    .release = fs_release,
    .fsync = fs_fsync,
    .opendir = fs_opendir,
    .readdir = fs_readdir,
    .releasedir = fs_release,
    .fsyncdir = fs_fsyncdir,
    .utimens = fs_utimens,
    .fallocate = fs_fallocate,
};
