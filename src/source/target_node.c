/* target_node: files, links, devices, and putting things out of the way. */
#include <errno.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "base/mem.h"
#include "os/os.h"
#include "source/dirlist.h"
#include "source/target_priv.h"

enum { PREALLOC_FROM = 1 << 20 };

struct target_file {
	struct target_dir *dir; /* held */
	int fd;
	struct entry *en;
	char *name;
	char *temp; /* its name until it is whole, where a good file stands there; else NULL */
	char *path;
	_Atomic uint64_t end; /* of what was written */
};

int target_look(struct target_dir *d, const char *name, struct target_stat *st, struct err *e)
{
	struct stat sb;

	*st = (struct target_stat){0};
	if (target_name_check(d, span_str(name), e) == -1)
		return -1;
	if (os_fstatat(d->fd, name, &sb, AT_SYMLINK_NOFOLLOW) == -1) {
		if (errno == ENOENT)
			return 0;
		return err_sys(e, "%s%s%s: stat", d->path, d->path[0] ? "/" : "", name);
	}
	*st = (struct target_stat){
	    .exists = true,
	    .type = os_entry_type(sb.st_mode),
	    .size = (uint64_t)sb.st_size,
	    .mtime = sb.st_mtim.tv_sec,
	    .mtime_ns = (uint32_t)sb.st_mtim.tv_nsec,
	    .mode = sb.st_mode & 07777,
	    .uid = sb.st_uid,
	    .gid = sb.st_gid,
	    .ino = sb.st_ino,
	    .dev = sb.st_dev,
	};
	return 0;
}

static int remove_at(int dir, const char *name, dev_t dev, struct err *e);

static int remove_inside(int fd, dev_t dev, struct err *e)
{
	struct source_names names = {0};
	int rc = dirlist_read(fd, &names, e);

	for (size_t i = 0; rc == 0 && i < names.n; i++) {
		rc = remove_at(fd, source_name(&names, i), dev, e);
		if (rc == -1)
			err_wrap(e, "%s", source_name(&names, i));
	}
	source_names_fini(&names);
	return rc;
}

/* Whatever is there; never into another file system, never through a link. */
static int remove_at(int dir, const char *name, dev_t dev, struct err *e)
{
	struct stat st;
	int fd, rc;

	if (os_fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : err_sys(e, "stat");
	if (!S_ISDIR(st.st_mode)) {
		if (os_unlinkat(dir, name, 0) == -1 && errno != ENOENT)
			return err_sys(e, "remove");
		return 0;
	}
	if (st.st_dev != dev)
		return err_set(e, ERR_BUSY, "another file system is mounted here");
	fd = os_open_beneath(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd == -1)
		return err_sys(e, "open");
	rc = remove_inside(fd, dev, e);
	os_close(fd);
	if (rc == 0 && os_unlinkat(dir, name, AT_REMOVEDIR) == -1 && errno != ENOENT)
		return err_sys(e, "remove");
	return rc;
}

int target_remove(struct target_dir *d, const char *name, struct err *e)
{
	struct stat st;

	if (target_name_check(d, span_str(name), e) == -1)
		return -1;
	if (os_fstat(d->fd, &st) == -1)
		return err_sys(e, "%s: stat", d->path[0] ? d->path : "/");
	if (remove_at(d->fd, name, st.st_dev, e) == -1)
		return err_wrap(e, "%s%s%s", d->path, d->path[0] ? "/" : "", name);
	return 0;
}

int target_clear_name(struct target_dir *d, const char *name, struct err *e)
{
	struct stat st;

	if (os_fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : err_sys(e, "stat");
	if (!target_replaces(d->target))
		return err_set(e, ERR_EXISTS, "something is there already");
	if (os_fstat(d->fd, &st) == -1)
		return err_sys(e, "stat");
	return remove_at(d->fd, name, st.st_dev, e);
}

static void file_free(struct target_file *f)
{
	os_close(f->fd);
	target_dir_unref(f->dir);
	free(f->en);
	free(f->name);
	free(f->temp);
	free(f->path);
	free(f);
}

static const char *name_now(const struct target_file *f)
{
	return f->temp ? f->temp : f->name;
}

/* FNV-1a, 64 bits: a name of a fixed length for a name of any. */
static uint64_t name_hash(const char *name)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3;
	return h;
}

/*
 * A file that is there and is to be replaced stays until the new one is
 * whole: its content may turn out to be lost.  Not so for hard links, whose
 * other names point to the first one while it is written.
 */
static int make_room(struct target_file *f, struct err *e)
{
	struct target_stat st;

	if (target_look(f->dir, f->name, &st, e) == -1)
		return -1;
	if (st.exists && st.type == ENTRY_FILE && !f->en->linked &&
	    f->dir->target->overwrite >= TARGET_IF_CHANGED) {
		/* Always the same name, so that a restore that was killed leaves none behind. */
		f->temp = mem_printf(
		    "%s%016llx", TARGET_TEMP_PREFIX, (unsigned long long)name_hash(f->name));
		if (os_unlinkat(f->dir->fd, f->temp, 0) == -1 && errno != ENOENT)
			return err_sys(e, "remove what an interrupted restore left");
		return 0;
	}
	return target_clear_name(f->dir, f->name, e);
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

int target_file_begin(
    struct target_dir *d, const struct entry *en, struct target_file **out, struct err *e)
{
	struct target_file *f;

	if (target_name_check(d, en->name, e) == -1)
		return -1;
	if (en->type != ENTRY_FILE || en->size > INT64_MAX)
		return err_set(e, ERR_CORRUPT, "%s: hostile entry", d->path[0] ? d->path : "/");
	f = mem_zalloc(sizeof *f);
	f->dir = target_dir_ref(d);
	f->fd = -1;
	f->en = target_entry_copy(en);
	f->name = mem_dup(en->name.p, en->name.n);
	f->path = target_path(d, en->name);
	if (make_room(f, e) == -1) {
		err_wrap(e, "%s", f->path);
		goto out;
	}
	f->fd = os_open_beneath(d->fd, name_now(f), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (f->fd == -1) {
		err_sys(e, "%s: create", f->path);
		goto out;
	}
	/*
	 * Advice, so its failure is none of ours.  The size stays 0: a file that
	 * is found half done after a crash must not look whole.
	 */
	if (en->size > PREALLOC_FROM && en->nholes == 0)
		(void)!fallocate(f->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)en->size);
	*out = f;
	return 0;
out:
	file_free(f);
	return -1;
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

int target_file_end(struct target_file *f, struct err *e)
{
	int fd = f->fd, rc = 0;

	if (atomic_load(&f->end) < f->en->size && os_ftruncate(fd, (off_t)f->en->size) == -1) {
		rc = err_sys(e, "%s: set size", f->path);
		file_unmake(f);
	} else {
		target_apply(f->dir->target, fd, false, f->dir->inherits, f->en, f->path);
		/* Some file systems only now say that there is no room. */
		f->fd = -1;
		if (os_close(fd) == -1)
			rc = err_sys(e, "%s: close", f->path);
		else if (f->temp != NULL &&
			 os_renameat(f->dir->fd, f->temp, f->dir->fd, f->name) == -1)
			rc = err_sys(e, "%s: replace", f->path);
		if (rc == -1 && f->temp != NULL)
			os_unlinkat(f->dir->fd, f->temp, 0);
	}
	file_free(f);
	return rc;
}

void target_file_abort(struct target_file *f)
{
	file_unmake(f);
	file_free(f);
}

static int make_symlink(
    struct target_dir *d, const char *name, const struct entry *en, struct err *e)
{
	char *to;
	int rc;

	if (en->target.n == 0 || en->target.n > ENTRY_TARGET_MAX ||
	    memchr(en->target.p, '\0', en->target.n) != NULL)
		return err_set(e, ERR_CORRUPT, "hostile link target");
	to = mem_dup(en->target.p, en->target.n);
	rc = symlinkat(to, d->fd, name);
	if (rc == -1)
		err_sys(e, "make link");
	free(to);
	return rc;
}

static int make_node(struct target_dir *d, const char *name, const struct entry *en, struct err *e)
{
	mode_t kind = en->type == ENTRY_CHAR ? S_IFCHR : S_IFBLK;

	switch (en->type) {
	case ENTRY_SYMLINK:
		return make_symlink(d, name, en, e);
	case ENTRY_FIFO:
		return mknodat(d->fd, name, S_IFIFO | 0600, 0) == 0 ? 0 : err_sys(e, "make fifo");
	case ENTRY_CHAR:
	case ENTRY_BLOCK:
		if (mknodat(d->fd, name, kind | 0600, makedev(en->major, en->minor)) == 0)
			return 0;
		return err_sys(e, "make device");
	default:
		return err_set(e, ERR_CORRUPT, "hostile type %d", (int)en->type);
	}
}

/* Metadata by name: through a descriptor that is surely of the right thing. */
static int apply_at(struct target_dir *d, const char *name, const char *path, bool old,
    const struct entry *en, struct err *e)
{
	int fd = os_open_beneath(d->fd, name, O_PATH | O_NOFOLLOW, 0), rc = 0;
	struct stat st;

	if (fd == -1)
		return err_sys(e, "open");
	if (os_fstat(fd, &st) == -1)
		rc = err_sys(e, "stat");
	else if (os_entry_type(st.st_mode) != en->type)
		rc = err_set(e, ERR_EXISTS, "replaced meanwhile");
	else
		target_apply(d->target, fd, true, old, en, path);
	os_close(fd);
	return rc;
}

int target_node(struct target_dir *d, const struct entry *en, struct err *e)
{
	char *name, *path;
	int rc = -1;

	if (target_name_check(d, en->name, e) == -1)
		return -1;
	name = mem_dup(en->name.p, en->name.n);
	path = target_path(d, en->name);
	if (target_clear_name(d, name, e) == 0 && make_node(d, name, en, e) == 0)
		rc = apply_at(d, name, path, d->inherits && en->type != ENTRY_SYMLINK, en, e);
	if (rc == -1)
		err_wrap(e, "%s", path);
	free(name);
	free(path);
	return rc;
}

int target_meta(struct target_dir *d, const struct entry *en, struct err *e)
{
	char *name, *path;
	int rc;

	if (target_name_check(d, en->name, e) == -1)
		return -1;
	name = mem_dup(en->name.p, en->name.n);
	path = target_path(d, en->name);
	rc = apply_at(d, name, path, en->type != ENTRY_SYMLINK, en, e);
	if (rc == -1)
		err_wrap(e, "%s", path);
	free(name);
	free(path);
	return rc;
}

/*
 * The directory that holds `path`, step by step, for it may be longer than
 * PATH_MAX; *leaf is the last component.  Returns a new descriptor, or -1.
 */
static int open_parent(struct target *t, const char *path, char **leaf, struct err *e)
{
	int fd = os_open_beneath(t->root->fd, ".", O_PATH | O_DIRECTORY, 0);

	while (fd != -1) {
		size_t n = strcspn(path, "/");
		char *name = mem_strndup(path, n);
		int next;

		if (target_name_check(t->root, span_str(name), e) == -1) {
			free(name);
			os_close(fd);
			return -1;
		}
		if (path[n] == '\0') {
			*leaf = name;
			return fd;
		}
		next = os_open_beneath(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
		free(name);
		os_close(fd);
		fd = next;
		path += n + 1;
	}
	return err_sys(e, "%s: open", path);
}

static bool same_file(int dir, const char *name, int dir2, const char *name2)
{
	struct stat a, b;

	return os_fstatat(dir, name, &a, AT_SYMLINK_NOFOLLOW) == 0 &&
	       os_fstatat(dir2, name2, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

int target_link(struct target_dir *d, const char *name, const char *path, struct err *e)
{
	char *leaf = NULL, *to;
	int from, rc = -1;

	if (target_name_check(d, span_str(name), e) == -1)
		return -1;
	to = target_path(d, span_str(name));
	from = open_parent(d->target, path, &leaf, e);
	if (from == -1)
		goto out;
	if (same_file(from, leaf, d->fd, name))
		rc = 0;
	else if (target_clear_name(d, name, e) == 0 &&
		 (rc = os_linkat(from, leaf, d->fd, name)) == -1)
		err_sys(e, "link to %s", path);
out:
	if (rc == -1)
		err_wrap(e, "%s", to);
	os_close(from);
	free(leaf);
	free(to);
	return rc;
}
