/* instant_name: what files that are not complete have to be before names change: instant_fs.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "engine/instant_fs_priv.h"
#include "os/os.h"

enum { COPY_MOST = 64 << 20 };

/* What a file of ours could not do: the server sees a device that fails, and we say why. */
int instant_fs_failed(struct instant_fs *fs, const struct err *e)
{
	if (e->kind == ERR_NO_SPACE)
		return -ENOSPC;
	if (e->sys == EFBIG || e->sys == EINVAL)
		return -e->sys;
	event_emit(fs->ctx, EVENT_WARNING, span_of(NULL, 0), "%s", e->msg);
	return -EIO;
}

/* The file that is there, if it is not complete; *out NULL: it is, or nothing is there. */
static int incomplete(
    struct instant_fs *fs, const char *path, struct instant_file **out, uint32_t *n)
{
	struct stat st;

	*out = NULL;
	if (os_fstatat(fs->dir, below(path), &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISREG(st.st_mode))
		*out = instant_set_find(fs->set, &st, n);
	return 0;
}

/*
 * Its name is gone: say so for good, once that is on disk, before anything else has the name. Until
 * that is done it stays in the set.
 */
static int forget(struct instant_fs *fs, const char *path, uint32_t n, struct err *e)
{
	const char *end = strrchr(path, '/');
	char *up = mem_strndup(path, end == path ? 1 : (size_t)(end - path));
	int fd = os_openat(fs->dir, below(up), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), rc;

	free(up);
	rc = fd == -1 || os_fsync(fd) == -1 ? err_sys(e, "sync of a directory") : 0;
	os_close(fd);
	if (rc == 0)
		rc = instant_state_done(fs->state, n, e);
	if (rc == 0)
		instant_set_drop(fs->set, n);
	return rc;
}

/* Something gets this name: whose it was must not be looked for under it after a crash. */
int instant_name_taken(struct instant_fs *fs, const char *path)
{
	struct stat st;
	struct err e;
	uint32_t n;
	struct instant_file *f = instant_set_named(fs->set, below(path), &n);
	int rc = 0;

	if (f == NULL)
		return 0;
	if (os_fstatat(fs->dir, below(path), &st, AT_SYMLINK_NOFOLLOW) == -1)
		rc = errno != ENOENT                 ? -errno
		     : forget(fs, path, n, &e) == -1 ? instant_fs_failed(fs, &e)
						     : 0;
	instant_file_unref(f);
	return rc;
}

static int complete(struct instant_fs *fs, struct instant_file *f, uint32_t n, struct err *e)
{
	uint64_t left = 1;

	if (instant_file_left(f) > 0 && instant_fs_may_wait(fs) != 0)
		return err_set(e, ERR_BUSY, "too many wait for the repository");
	while (left > 0)
		if (instant_file_copy(f, COPY_MOST, &left, INSTANT_FRONT, e) == -1)
			return -1;
	instant_set_drop(fs->set, n);
	return 0;
}

static int complete_below(struct instant_fs *fs, const char *folder, struct err *e)
{
	struct instant_file *f;
	uint32_t n;
	int rc = 0;

	while (rc == 0 && (f = instant_set_below(fs->set, below(folder), &n)) != NULL) {
		rc = complete(fs, f, n, e);
		instant_file_unref(f);
	}
	return rc;
}

/* The state knows files by the names that they began with. */
int instant_name_moves(struct instant_fs *fs, const char *from, const char *to)
{
	struct stat st;
	struct err e;
	int rc;

	if (os_fstatat(fs->dir, below(from), &st, AT_SYMLINK_NOFOLLOW) == -1)
		return -errno;
	rc = S_ISDIR(st.st_mode) ? complete_below(fs, from, &e) : 0;
	if (rc == -1)
		return instant_fs_failed(fs, &e);
	rc = instant_name_over(fs, from);
	return rc ? rc : instant_name_taken(fs, to);
}

/* Killed right after it, we would take what replaces it for what it was. */
int instant_name_over(struct instant_fs *fs, const char *path)
{
	struct instant_file *f;
	struct err e;
	uint32_t n;
	int rc = incomplete(fs, path, &f, &n);

	if (f != NULL && complete(fs, f, n, &e) == -1)
		rc = instant_fs_failed(fs, &e);
	instant_file_unref(f);
	return rc;
}

int instant_name_remove(struct instant_fs *fs, const char *path)
{
	struct instant_file *f;
	struct err e;
	uint32_t n;
	int rc = incomplete(fs, path, &f, &n);

	if (rc == 0)
		rc = answer(os_unlinkat(fs->dir, below(path), 0));
	if (rc == 0 && f != NULL && forget(fs, path, n, &e) == -1)
		rc = instant_fs_failed(fs, &e);
	instant_file_unref(f);
	return rc;
}
