/* os: whole files and folders, built from the wrappers of os.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>

#include "base/mem.h"
#include "os/os.h"

static int read_all(int fd, size_t max, struct buf *out, struct err *e)
{
	enum { STEP = 64 << 10 };
	size_t start = out->n;

	for (;;) {
		/* One byte more than allowed tells "just fits" from "too long". */
		size_t left = max - (out->n - start);
		size_t room = left < STEP ? left + 1 : STEP;
		ssize_t k;

		buf_reserve(out, room);
		k = os_read(fd, out->p + out->n, room);
		if (k == -1)
			return err_sys(e, "read");
		if (k == 0)
			return 0;
		out->n += (size_t)k;
		if (out->n - start > max)
			return err_set(e, ERR_FAILED, "larger than %zu bytes", max);
	}
}

int os_read_file(const char *path, size_t max, struct buf *out, struct err *e)
{
	size_t start = out->n;
	int fd = os_open(path, O_RDONLY | O_NOCTTY, 0), rc;

	rc = fd == -1 ? err_sys(e, "open") : read_all(fd, max, out, e);
	os_close(fd);
	if (rc == -1) {
		out->n = start;
		err_wrap(e, "%s", path);
	}
	return rc;
}

/* Nobody can bring a file that is not his, and is nowhere else, into a folder of his. */
static int check_plain(int fd, uid_t owner, struct err *e)
{
	struct stat st;

	if (os_fstat(fd, &st) == -1)
		return err_sys(e, "look at it");
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_DENIED, "is no plain file");
	if (st.st_uid != owner && st.st_nlink > 1)
		return err_set(e, ERR_DENIED, "is a file of user %u that has other names",
		    (unsigned)st.st_uid);
	return 0;
}

int os_read_plain(
    int dir, const char *path, uid_t owner, size_t max, struct buf *out, struct err *e)
{
	size_t start = out->n;
	int fd = os_openat(dir, path, O_RDONLY | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	int rc;

	rc = fd == -1 ? err_sys(e, "open") : check_plain(fd, owner, e);
	if (rc == 0)
		rc = read_all(fd, max, out, e);
	os_close(fd);
	if (rc == -1) {
		out->n = start;
		err_wrap(e, "%s", path);
	}
	return rc;
}

/* A name beside the target that nobody else uses. */
static void temp_name(char *out, size_t size)
{
	uint64_t r = 0;

	/* O_EXCL makes a clash harmless, so weak numbers would do as well. */
	if (getrandom(&r, sizeof r, 0) != (ssize_t)sizeof r)
		r = (uint64_t)getpid();
	snprintf(out, size, ".tmp-%016llx", (unsigned long long)r);
}

static int write_temp(int dir, const char *tmp, struct span data, mode_t mode, struct err *e)
{
	int fd = -1, rc = -1;

	if ((fd = os_openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode)) == -1) {
		err_sys(e, "create %s", tmp);
		goto out;
	}
	if (os_write_all(fd, data.p, data.n) == -1) {
		err_sys(e, "write");
		goto out;
	}
	/* Bytes before name: a crash may lose the file, never cut it short. */
	if (os_fsync(fd) == -1) {
		err_sys(e, "fsync");
		goto out;
	}
	rc = 0;
out:
	os_close(fd);
	if (fd != -1 && rc == -1)
		unlinkat(dir, tmp, 0);
	return rc;
}

int os_file_replace(const char *path, struct span data, mode_t mode, struct err *e)
{
	const char *slash = strrchr(path, '/');
	const char *leaf = slash ? slash + 1 : path;
	char *folder = slash ? mem_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : NULL;
	char tmp[32];
	int dir = -1, rc = -1;

	temp_name(tmp, sizeof tmp);
	if ((dir = os_open(folder ? folder : ".", O_RDONLY | O_DIRECTORY, 0)) == -1) {
		err_sys(e, "open folder");
		goto out;
	}
	if (write_temp(dir, tmp, data, mode, e) == -1)
		goto out;
	if (os_renameat(dir, tmp, dir, leaf) == -1) {
		err_sys(e, "rename");
		unlinkat(dir, tmp, 0);
		goto out;
	}
	/* A name is durable only once its folder is. */
	if (os_fsync(dir) == -1) {
		err_sys(e, "fsync folder");
		goto out;
	}
	rc = 0;
out:
	os_close(dir);
	free(folder);
	return rc == 0 ? 0 : err_wrap(e, "%s", path);
}

/* Some file systems write out what is renamed over another, and that takes milliseconds. */
static int take_place(const char *from, const char *to)
{
	if (os_renameat_swap(AT_FDCWD, from, AT_FDCWD, to) == 0) {
		os_unlinkat(AT_FDCWD, from, 0);
		return 0;
	}
	return os_renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int os_file_note(const char *path, struct span data, struct err *e)
{
	char *part = mem_printf("%s.new", path);
	int fd = os_open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644);
	int rc = fd == -1 || os_write_all(fd, data.p, data.n) == -1 || take_place(part, path) == -1
		     ? err_sys(e, "write %s", path)
		     : 0;

	os_close(fd);
	free(part);
	return rc;
}

/* One level; a folder that is there already is fine, anything else is not. */
static int make_dir(const char *path, mode_t mode, struct err *e)
{
	struct stat st;

	if (os_mkdirat(AT_FDCWD, path, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return err_sys(e, "%s: mkdir", path);
	if (os_fstatat(AT_FDCWD, path, &st, 0) == -1)
		return err_sys(e, "%s: stat", path);
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return err_sys(e, "%s", path);
	}
	return 0;
}

int os_mkdirs(const char *path, mode_t mode, struct err *e)
{
	char *copy = mem_strdup(path);
	struct stat st;
	int rc = -1;

	/* Folders on the way may be ones that we cannot write to, or autofs. */
	if (os_fstatat(AT_FDCWD, path, &st, 0) == 0) {
		if (S_ISDIR(st.st_mode)) {
			rc = 0;
			goto out;
		}
	} else if (errno != ENOENT) {
		err_sys(e, "%s: stat", path);
		goto out;
	}
	for (char *p = copy + 1; *copy && *p; p++) {
		if (*p != '/' || p[-1] == '/')
			continue;
		*p = '\0';
		rc = make_dir(copy, mode, e);
		*p = '/';
		if (rc == -1)
			goto out;
	}
	rc = make_dir(copy, mode, e);
out:
	free(copy);
	return rc;
}

int os_lock(int fd, bool wait, bool *busy, struct err *e)
{
	int rc;

	*busy = false;
	do
		rc = flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB));
	while (rc == -1 && errno == EINTR);
	if (rc == -1 && errno == EWOULDBLOCK) {
		*busy = true;
		return 0;
	}
	return rc == -1 ? err_sys(e, "lock") : 0;
}

enum entry_type os_entry_type(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return ENTRY_FILE;
	case S_IFDIR:
		return ENTRY_DIR;
	case S_IFLNK:
		return ENTRY_SYMLINK;
	case S_IFIFO:
		return ENTRY_FIFO;
	case S_IFCHR:
		return ENTRY_CHAR;
	case S_IFBLK:
		return ENTRY_BLOCK;
	default:
		return ENTRY_SOCKET;
	}
}
