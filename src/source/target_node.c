/* target_node: links and devices, and putting things out of the way. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/mem.h"
#include "os/os.h"
#include "source/dirlist.h"
#include "source/target_priv.h"

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
	    .nlink = sb.st_nlink,
	};
	return 0;
}

int target_read(struct target_dir *d, const char *name)
{
	return os_open_beneath(d->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
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

/* What an interrupted restore left; not what a worker began since it was seen. */
static int remove_temp(struct target_dir *d, const char *name)
{
	int rc = 0;

	pthread_mutex_lock(&d->target->lock);
	if (!target_temp_in_use(d, name))
		rc = os_unlinkat(d->fd, name, 0);
	pthread_mutex_unlock(&d->target->lock);
	return rc;
}

int target_remove(struct target_dir *d, const char *name, struct err *e)
{
	struct stat st;

	if (target_name_check(d, span_str(name), e) == -1)
		return -1;
	if (os_fstat(d->fd, &st) == -1)
		return err_sys(e, "%s: stat", d->path[0] ? d->path : "/");
	if (strncmp(name, TARGET_TEMP_PREFIX, strlen(TARGET_TEMP_PREFIX)) == 0 &&
	    remove_temp(d, name) == 0)
		return 0;
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

/* FNV-1a, 64 bits: a name of a fixed length for a name of any. */
static uint64_t name_hash(const char *name)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3;
	return h;
}

char *target_temp_name(const char *name)
{
	return mem_printf("%s%016llx", TARGET_TEMP_PREFIX, (unsigned long long)name_hash(name));
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
		target_apply(d->target, fd, true, old ? TARGET_META_OLD : 0, en, path);
	os_close(fd);
	return rc;
}

static int new_node(
    struct target_dir *d, const char *name, const char *path, const struct entry *en, struct err *e)
{
	if (target_clear_name(d, name, e) == -1 || make_node(d, name, en, e) == -1)
		return -1;
	return apply_at(d, name, path, d->inherits && en->type != ENTRY_SYMLINK, en, e);
}

/* A running system may need the link that stands there: it is replaced in one step. */
static int replace_node(
    struct target_dir *d, const char *name, const char *path, const struct entry *en, struct err *e)
{
	char *temp = target_temp_name(name);
	int rc;

	os_unlinkat(d->fd, temp, 0);
	rc = new_node(d, temp, path, en, e);
	if (rc == 0 && (rc = os_renameat(d->fd, temp, d->fd, name)) == -1)
		err_sys(e, "replace");
	if (rc == -1)
		os_unlinkat(d->fd, temp, 0);
	free(temp);
	return rc;
}

int target_node(struct target_dir *d, const struct entry *en, struct err *e)
{
	struct target_stat st;
	char *name, *path;
	int rc = -1;

	if (target_name_check(d, en->name, e) == -1)
		return -1;
	name = mem_dup(en->name.p, en->name.n);
	path = target_path(d, en->name);
	if (target_look(d, name, &st, e) == 0)
		rc = st.exists && st.type != ENTRY_DIR && target_replaces(d->target)
			 ? replace_node(d, name, path, en, e)
			 : new_node(d, name, path, en, e);
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

/* A link in the place of whatever is there, which stays until it is replaced. */
static int link_over(
    int from, const char *leaf, struct target_dir *d, const char *name, struct err *e)
{
	struct target_stat st;
	char *temp;
	int rc;

	if (os_linkat(from, leaf, d->fd, name) == 0)
		return 0;
	if (errno != EEXIST)
		return err_sys(e, "link");
	if (target_look(d, name, &st, e) == -1)
		return -1;
	if (!target_replaces(d->target) || st.type == ENTRY_DIR) {
		if (target_clear_name(d, name, e) == -1)
			return -1;
		return os_linkat(from, leaf, d->fd, name) == 0 ? 0 : err_sys(e, "link");
	}
	temp = target_temp_name(name);
	os_unlinkat(d->fd, temp, 0);
	rc = os_linkat(from, leaf, d->fd, temp);
	if (rc == 0)
		rc = os_renameat(d->fd, temp, d->fd, name);
	if (rc == -1) {
		err_sys(e, "link");
		os_unlinkat(d->fd, temp, 0);
	}
	free(temp);
	return rc;
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
	else if ((rc = link_over(from, leaf, d, name, e)) == -1)
		err_wrap(e, "link to %s", path);
out:
	if (rc == -1)
		err_wrap(e, "%s", to);
	os_close(from);
	free(leaf);
	free(to);
	return rc;
}

int target_read_path(struct target *t, const char *path, struct err *e)
{
	char *leaf = NULL;
	int dir = open_parent(t, path, &leaf, e), fd;

	if (dir == -1)
		return -1;
	fd = os_open_beneath(dir, leaf, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	if (fd == -1)
		err_sys(e, "open");
	os_close(dir);
	free(leaf);
	return fd;
}

bool target_linked(struct target_dir *d, const char *name, const char *path)
{
	char *leaf = NULL;
	struct err ignored;
	int from = open_parent(d->target, path, &leaf, &ignored);
	bool linked = from != -1 && same_file(from, leaf, d->fd, name);

	os_close(from);
	free(leaf);
	return linked;
}
