/*
 * store_fs_sync: lazy commits.  They wait under their temporary names; sync
 * fsyncs all of them, then names all, then fsyncs each folder once.
 *
 * An fsync that failed has lost what it was for, and a second one would claim
 * success: from then on every sync of this store fails.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "os/os.h"
#include "store/store_fs.h"

/* More lazy commits than this are fsynced when they come, to bound descriptors. */
enum { LAZY_FDS_MAX = 256 };

static bool taken(struct store_fs *fs, const char *key)
{
	struct stat st;
	bool yes = os_fstatat(fs->root, key, &st, AT_SYMLINK_NOFOLLOW) == 0;

	pthread_mutex_lock(&fs->lock);
	for (struct fs_lazy *l = fs->lazy; l && !yes; l = l->next)
		yes = strcmp(l->key, key) == 0;
	pthread_mutex_unlock(&fs->lock);
	return yes;
}

int fs_lazy_add(
    struct store_fs *fs, struct fs_upload *u, const char *key, unsigned flags, struct err *e)
{
	struct fs_lazy *l;
	bool crowded;

	if ((flags & STORE_NEW) && taken(fs, key))
		return err_set(e, ERR_EXISTS, "there already");
	pthread_mutex_lock(&fs->lock);
	crowded = fs->lazy_fds >= LAZY_FDS_MAX;
	fs->lazy_fds += !crowded;
	pthread_mutex_unlock(&fs->lock);
	/*
	 * The descriptor stays open, for an error of writing back is told to
	 * those who hold the file open, and may be forgotten otherwise.
	 */
	if (!crowded) {
		os_start_writeback(u->fd);
	} else {
		if (os_fsync(u->fd) == -1)
			return fs_fail_write(fs, e, "fsync");
		os_close(u->fd);
		u->fd = -1;
	}
	l = mem_zalloc(sizeof *l);
	l->key = mem_strdup(key);
	memcpy(l->tmp, u->tmp, sizeof l->tmp);
	l->fd = u->fd;
	l->flags = flags;
	u->fd = -1;
	u->tmp[0] = '\0';
	pthread_mutex_lock(&fs->lock);
	*fs->lazy_end = l;
	fs->lazy_end = &l->next;
	pthread_mutex_unlock(&fs->lock);
	return 0;
}

static void lazy_free(struct fs_lazy *l)
{
	os_close(l->fd);
	free(l->key);
	free(l);
}

/* Move what was committed lazily to the end of what this sync works on. */
static void sync_take(struct store_fs *fs)
{
	struct fs_lazy **end = &fs->syncing;

	while (*end)
		end = &(*end)->next;
	pthread_mutex_lock(&fs->lock);
	*end = fs->lazy;
	fs->lazy = NULL;
	fs->lazy_end = &fs->lazy;
	fs->lazy_fds = 0;
	pthread_mutex_unlock(&fs->lock);
}

static int sync_lost(struct store_fs *fs, const char *what, struct err *e)
{
	fs->lost = errno;
	fs_fail_write(fs, e, what);
	return err_hint(e, "objects were lost on their way to the disk: look at the system's log; "
			   "what was stored before is safe");
}

static int sync_data(struct store_fs *fs, struct err *e)
{
	for (struct fs_lazy *l = fs->syncing; l; l = l->next) {
		if (l->fd == -1)
			continue;
		if (os_fsync(l->fd) == -1) {
			sync_lost(fs, "fsync", e);
			return err_wrap(e, "%s", l->key);
		}
		os_close(l->fd);
		l->fd = -1;
	}
	return 0;
}

/* The folders of those that are named already, or of those that are not. */
static void sync_folders(struct store_fs *fs, bool named, struct fs_names *out)
{
	char buf[STORE_KEY_MAX + 1];

	for (struct fs_lazy *l = fs->syncing; l; l = l->next)
		if (l->named == named)
			fs_names_add(out, fs_dir_of(l->key, buf));
	fs_names_unique(out);
}

/*
 * A name that somebody else took meanwhile is its loser's error alone: the
 * others go on, and it is told at the end.
 */
static int sync_names(struct store_fs *fs, struct err *e)
{
	struct fs_names dirs = {0};
	int rc;

	sync_folders(fs, false, &dirs);
	rc = fs_dirs_make(fs, &dirs, e);
	for (struct fs_lazy *l = fs->syncing; l && rc == 0; l = l->next) {
		if (l->named)
			continue;
		if (fs_publish(fs, l->tmp, l->key, l->flags, e) == -1) {
			if (e->kind != ERR_EXISTS) {
				rc = err_wrap(e, "%s", l->key);
				break;
			}
			l->taken = true;
			unlinkat(fs->root, l->tmp, 0);
		}
		l->named = true;
	}
	fs_names_fini(&dirs);
	return rc;
}

static int sync_dir(struct store_fs *fs, const char *dir, struct err *e)
{
	int fd = fs_dir_open(fs, dir);
	int rc = 0;

	if (fd == -1) {
		/* Gone, and its objects with it: that is a deletion, no loss. */
		fs_fail(fs, e, "open the folder");
		return e->kind == ERR_ABSENT ? 0 : -1;
	}
	if (fs_fsync_dir(fd) == -1)
		rc = sync_lost(fs, "fsync the folder", e);
	os_close(fd);
	return rc;
}

static int sync_dirs(struct store_fs *fs, struct err *e)
{
	struct fs_names dirs;
	int rc = 0;

	pthread_mutex_lock(&fs->lock);
	dirs = fs->emptied;
	fs->emptied = (struct fs_names){0};
	pthread_mutex_unlock(&fs->lock);
	sync_folders(fs, true, &dirs);
	for (size_t i = 0; i < dirs.n && rc == 0; i++)
		if ((rc = sync_dir(fs, dirs.v[i], e)) == -1)
			err_wrap(e, "%s", *dirs.v[i] ? dirs.v[i] : "top");
	pthread_mutex_lock(&fs->lock);
	for (size_t i = 0; i < dirs.n && rc == -1; i++) /* still to do */
		fs_names_add(&fs->emptied, dirs.v[i]);
	pthread_mutex_unlock(&fs->lock);
	fs_names_fini(&dirs);
	return rc;
}

static int sync_locked(struct store_fs *fs, struct err *e)
{
	struct fs_lazy *l;
	int rc = 0;

	if (fs->lost) {
		errno = fs->lost;
		err_sys(e, "an earlier sync lost objects");
		return err_hint(e, "open the store again and repeat the run");
	}
	sync_take(fs);
	if (sync_data(fs, e) == -1 || sync_names(fs, e) == -1 || sync_dirs(fs, e) == -1)
		return -1;
	while ((l = fs->syncing)) {
		if (l->taken)
			rc = err_set(e, ERR_EXISTS, "%s: there already", l->key);
		fs->syncing = l->next;
		lazy_free(l);
	}
	return rc;
}

int fs_sync(struct store *s, struct err *e)
{
	struct store_fs *fs = (struct store_fs *)s;
	int rc;

	pthread_mutex_lock(&fs->sync_lock);
	rc = sync_locked(fs, e);
	pthread_mutex_unlock(&fs->sync_lock);
	return rc;
}

static void drop(struct store_fs *fs, struct fs_lazy *l)
{
	for (struct fs_lazy *next; l; l = next) {
		next = l->next;
		if (!l->named)
			unlinkat(fs->root, l->tmp, 0);
		lazy_free(l);
	}
}

void fs_lazy_drop(struct store_fs *fs)
{
	drop(fs, fs->lazy);
	drop(fs, fs->syncing);
}
