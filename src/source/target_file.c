/*
 * target_file: regular files, made whole before they take the place of what
 * stands there.
 *
 * Most files are small, so what counts is the number of system calls for each:
 * create, write, times, close.  Owner and mode are set only where creation
 * did not give them already.  A larger file, which takes several writes, has
 * another name until it is whole; a small one that was cut off by a crash shows
 * by its size.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"
#include "source/target_priv.h"

enum { PREALLOC_FROM = 1 << 20, RENAME_FROM = 64 << 10 };

struct target_file {
	struct target_dir *dir; /* held */
	int fd;
	struct entry *en;
	char *name;
	char *temp;               /* its name until it is whole, NULL: the final one */
	struct target_file *next; /* of the target's that have such names, under its lock */
	char *path;
	unsigned made;        /* enum target_meta_flag: what creation gave it */
	bool again;           /* it was there, and stays */
	_Atomic uint64_t end; /* of what was written */
};

/* From now on until file_free that name is in use. */
static void take_temp(struct target_file *f)
{
	struct target *t = f->dir->target;

	f->temp = target_temp_name(f->name);
	pthread_mutex_lock(&t->lock);
	f->next = t->writing;
	t->writing = f;
	pthread_mutex_unlock(&t->lock);
}

static void give_temp(struct target_file *f)
{
	struct target *t = f->dir->target;
	struct target_file **at = &t->writing;

	pthread_mutex_lock(&t->lock);
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	pthread_mutex_unlock(&t->lock);
	free(f->temp);
}

bool target_temp_in_use(const struct target_dir *d, const char *name)
{
	const struct target_file *f = d->target->writing;

	while (f != NULL && (f->dir != d || strcmp(f->temp, name) != 0))
		f = f->next;
	return f != NULL;
}

static void file_free(struct target_file *f)
{
	os_close(f->fd);
	if (f->temp != NULL)
		give_temp(f);
	target_dir_unref(f->dir);
	free(f->en);
	free(f->name);
	free(f->path);
	free(f);
}

static const char *name_now(const struct target_file *f)
{
	return f->temp ? f->temp : f->name;
}

/*
 * Something stands there.  A file that is to be replaced stays until the new
 * one is whole: its content may turn out to be lost.  Anything else goes now.
 */
static int make_room(struct target_file *f, struct err *e)
{
	struct target_stat st;

	if (!target_replaces(f->dir->target))
		return err_set(e, ERR_EXISTS, "something is there already");
	if (target_look(f->dir, f->name, &st, e) == -1)
		return -1;
	if (!st.exists || st.type != ENTRY_FILE)
		return target_clear_name(f->dir, f->name, e);
	take_temp(f);
	return 0;
}

/* A mode that may stand from the start: plain bits that neither umask nor ACL changes. */
static bool mode_is_plain(const struct target_dir *d, const struct entry *en)
{
	return (en->mode & ~(0777U & ~d->target->umask)) == 0 && !d->inherits && en->nxattrs == 0;
}

/*
 * Whom new files in this directory belong to, as the first one shows: set-gid
 * directories, mount options and id maps all have their say.  Until that is
 * known, and where the owner will change, nobody else may look inside.
 */
static int create(struct target_file *f, const char *name)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
	struct target_dir *d = f->dir;
	const struct target *t = d->target;
	uint64_t want = t->given ? target_owner(t->uid, t->gid)
				 : target_owner(f->en->uid, f->en->gid);
	uint64_t owner = atomic_load(&d->owner);
	bool plain = owner == want && mode_is_plain(d, f->en);
	struct stat st;

	f->fd = os_open_beneath(d->fd, name, flags, plain ? f->en->mode : 0600);
	if (f->fd == -1)
		return -1;
	if (owner == TARGET_OWNER_UNKNOWN && os_fstat(f->fd, &st) == 0) {
		owner = target_owner(st.st_uid, st.st_gid);
		atomic_store(&d->owner, owner);
	}
	f->made = (owner == want ? TARGET_META_OWNED : 0) | (plain ? TARGET_META_MODED : 0) |
		  (d->inherits ? TARGET_META_OLD : 0);
	return 0;
}

/* Always the same name, so that a restore that was killed leaves none behind. */
static int create_temp(struct target_file *f, struct err *e)
{
	if (create(f, f->temp) == 0)
		return 0;
	if (errno != EEXIST)
		return err_sys(e, "create");
	if (os_unlinkat(f->dir->fd, f->temp, 0) == -1 && errno != ENOENT)
		return err_sys(e, "remove what an interrupted restore left");
	return create(f, f->temp) == 0 ? 0 : err_sys(e, "create");
}

static int create_somewhere(struct target_file *f, struct err *e)
{
	struct target_stat st;

	if (f->en->size >= RENAME_FROM) {
		if (target_look(f->dir, f->name, &st, e) == -1 ||
		    (st.exists && make_room(f, e) == -1))
			return -1;
		if (f->temp == NULL)
			take_temp(f);
		return create_temp(f, e);
	}
	if (create(f, f->name) == 0)
		return 0;
	if (errno != EEXIST)
		return err_sys(e, "create");
	if (make_room(f, e) == -1)
		return -1;
	if (f->temp != NULL)
		return create_temp(f, e);
	return create(f, f->name) == 0 ? 0 : err_sys(e, "create");
}

/* Remove what we made, unless somebody has put another thing there. */
static void file_unmake(const struct target_file *f)
{
	struct stat ours, there;

	if (os_fstat(f->fd, &ours) == 0 &&
	    os_fstatat(f->dir->fd, name_now(f), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	    ours.st_ino == there.st_ino && ours.st_dev == there.st_dev)
		os_unlinkat(f->dir->fd, name_now(f), 0);
}

static struct target_file *file_new(struct target_dir *d, const struct entry *en, struct err *e)
{
	struct target_file *f;

	if (target_name_check(d, en->name, e) == -1)
		return NULL;
	if (en->type != ENTRY_FILE || en->size > INT64_MAX) {
		err_set(e, ERR_CORRUPT, "%s: hostile entry", d->path[0] ? d->path : "/");
		return NULL;
	}
	f = mem_zalloc(sizeof *f);
	f->dir = target_dir_ref(d);
	f->fd = -1;
	f->en = target_entry_copy(en);
	f->name = mem_dup(en->name.p, en->name.n);
	f->path = target_path(d, en->name);
	return f;
}

int target_file_again(
    struct target_dir *d, const struct entry *en, struct target_file **out, struct err *e)
{
	struct target_file *f = file_new(d, en, e);
	struct stat st;

	if (f == NULL)
		return -1;
	f->again = true;
	f->made = TARGET_META_OLD;
	atomic_store(&f->end, en->size);
	f->fd = os_open_beneath(d->fd, f->name, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
	if (f->fd == -1 || os_fstat(f->fd, &st) == -1 || !S_ISREG(st.st_mode) || st.st_nlink != 1 ||
	    ((uint64_t)st.st_size != en->size && os_ftruncate(f->fd, (off_t)en->size) == -1)) {
		file_free(f);
		return 0;
	}
	*out = f;
	return 1;
}

ssize_t target_file_read(struct target_file *f, uint64_t off, void *buf, size_t n)
{
	return os_pread_full(f->fd, buf, n, (off_t)off);
}

int target_file_begin(
    struct target_dir *d, const struct entry *en, struct target_file **out, struct err *e)
{
	struct target_file *f = file_new(d, en, e);

	if (f == NULL)
		return -1;
	if (create_somewhere(f, e) == -1) {
		err_wrap(e, "%s", f->path);
		file_free(f);
		return -1;
	}
	/* Advice, so its failure is none of ours. */
	if (en->size > PREALLOC_FROM && en->nholes == 0)
		(void)!fallocate(f->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)en->size);
	*out = f;
	return 0;
}

int target_file_write(struct target_file *f, uint64_t off, struct span data, struct err *e)
{
	uint64_t end = off + data.n, was = atomic_load(&f->end);

	if (data.n > f->en->size || off > f->en->size - data.n)
		return err_set(e, ERR_CORRUPT, "%s: more data than its size", f->path);
	if (os_pwrite_all(f->fd, data.p, data.n, (off_t)off) == -1)
		return err_sys(e, "%s: write", f->path);
	while (was < end && !atomic_compare_exchange_weak(&f->end, &was, end))
		;
	return 0;
}

/* Give it its name, over another only where that is allowed. */
static int file_rename(const struct target_file *f)
{
	int dir = f->dir->fd, rc;

	if (target_replaces(f->dir->target))
		return os_renameat(dir, f->temp, dir, f->name);
	rc = os_renameat_new(dir, f->temp, dir, f->name);
	if (rc == -1 && (errno == EINVAL || errno == ENOSYS))
		rc = os_renameat(dir, f->temp, dir, f->name); /* not on this file system */
	return rc;
}

int target_file_end(struct target_file *f, struct err *e)
{
	int fd = f->fd, rc = 0;

	if (atomic_load(&f->end) < f->en->size && os_ftruncate(fd, (off_t)f->en->size) == -1) {
		rc = err_sys(e, "%s: set size", f->path);
		if (!f->again)
			file_unmake(f);
	} else {
		target_apply(f->dir->target, fd, false, f->made, f->en, f->path);
		/* Some file systems only now say that there is no room. */
		f->fd = -1;
		if (os_close_written(fd) == -1)
			rc = err_sys(e, "%s: close", f->path);
		else if (f->temp != NULL && file_rename(f) == -1)
			rc = err_sys(e, "%s: give it its name", f->path);
		/* Its size may be right and its data lost, so it must not stay. */
		if (rc == -1 && !f->again)
			os_unlinkat(f->dir->fd, name_now(f), 0);
	}
	file_free(f);
	return rc;
}

void target_file_abort(struct target_file *f)
{
	if (!f->again)
		file_unmake(f);
	file_free(f);
}
