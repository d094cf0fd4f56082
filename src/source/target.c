/*
 * target: the folder and its directories.  Files and other things are in
 * target_node.c, metadata in target_meta.c.
 *
 * Invariant: a descriptor of a directory is only ever opened relative to its
 * parent's, one component at a time, beneath it and through no link.
 */
#include "source/target.h"

#include <string.h>
#include <unistd.h>
#include <stdio.h>
#include <pthread.h>
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "os/os.h"
#include "source/dirlist.h"
#include "source/target_priv.h"

int target_name_check(const struct target_dir *d, struct span name, struct err *e)
{
	if (name.n > 0 && name.n <= ENTRY_NAME_MAX && memchr(name.p, '/', name.n) == NULL &&
	    memchr(name.p, '\0', name.n) == NULL && !span_eq(name, span_str(".")) &&
	    !span_eq(name, span_str("..")))
		return 0;
	return err_set(e, ERR_CORRUPT, "%s: hostile name \"%.*s\"", d->path[0] ? d->path : "/",
	    (int)(name.n < 255 ? name.n : 255), (const char *)name.p);
}

char *target_path(const struct target_dir *d, struct span name)
{
	return mem_printf(
	    "%s%s%.*s", d->path, d->path[0] ? "/" : "", (int)name.n, (const char *)name.p);
}

static size_t copy_size(const struct entry *en)
{
	size_t n = sizeof *en + en->nxattrs * sizeof(struct entry_xattr);

	n += en->nholes * sizeof(struct entry_hole);
	n += en->name.n + en->user.n + en->group.n + en->target.n;
	for (size_t i = 0; i < en->nxattrs; i++)
		n += en->xattrs[i].name.n + en->xattrs[i].value.n;
	return n;
}

static struct span copy_span(uint8_t **to, struct span s)
{
	uint8_t *p = *to;

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	*to += s.n;
	return span_of(p, s.n);
}

struct entry *target_entry_copy(const struct entry *en)
{
	struct entry *c = mem_alloc(copy_size(en));
	struct entry_xattr *x = (struct entry_xattr *)(c + 1);
	struct entry_hole *holes = (struct entry_hole *)(x + en->nxattrs);
	uint8_t *text = (uint8_t *)(holes + en->nholes);

	*c = *en;
	if (en->nholes > 0)
		memcpy(holes, en->holes, en->nholes * sizeof *holes);
	c->xattrs = x;
	c->holes = holes;
	c->name = copy_span(&text, en->name);
	c->user = copy_span(&text, en->user);
	c->group = copy_span(&text, en->group);
	c->target = copy_span(&text, en->target);
	for (size_t i = 0; i < en->nxattrs; i++) {
		x[i].name = copy_span(&text, en->xattrs[i].name);
		x[i].value = copy_span(&text, en->xattrs[i].value);
	}
	return c;
}

/* Takes fd and path. */
static struct target_dir *dir_new(struct target *t, struct target_dir *parent, int fd, char *path)
{
	struct target_dir *d = mem_zalloc(sizeof *d);

	d->target = t;
	d->parent = parent ? target_dir_ref(parent) : NULL;
	d->refs = 1;
	atomic_init(&d->owner, TARGET_OWNER_UNKNOWN);
	d->fd = fd;
	d->path = path;
	return d;
}

static void apply_meta(struct target_dir *d)
{
	if (d->meta == NULL)
		return;
	target_apply(d->target, d->fd, false, d->existed || d->inherits ? TARGET_META_OLD : 0,
	    d->meta, d->path[0] ? d->path : "/");
	free(d->meta);
	d->meta = NULL;
}

struct target_dir *target_dir_ref(struct target_dir *d)
{
	atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
	return d;
}

void target_dir_unref(struct target_dir *d)
{
	while (d != NULL) {
		struct target_dir *parent = d->parent;
		unsigned was = atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel);

		/* The target itself holds the last reference to the root. */
		if (was == 2 && parent == NULL)
			apply_meta(d);
		if (was != 1)
			return;
		apply_meta(d);
		os_close(d->fd);
		free(d->path);
		free(d);
		d = parent;
	}
}

const char *target_dir_path(const struct target_dir *d)
{
	return d->path;
}

static dev_t dev_of(int fd)
{
	struct stat st;

	return os_fstat(fd, &st) == 0 ? st.st_dev : 0;
}

/* A directory that was there may be on another file system, which target_sync must know. */
static int note_mount(struct target *t, const struct target_dir *d)
{
	bool known = false;
	int fd = 0;

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->nmounts && !known; i++)
		known = t->mounts[i].dev == d->dev;
	if (!known && (fd = os_open_beneath(d->fd, ".", O_RDONLY | O_DIRECTORY, 0)) != -1) {
		t->mounts = mem_realloc(t->mounts, (t->nmounts + 1) * sizeof *t->mounts);
		t->mounts[t->nmounts++] = (struct target_mount){d->dev, fd};
	}
	pthread_mutex_unlock(&t->lock);
	return fd == -1 ? -1 : 0;
}

int target_sync(struct target *t, struct err *e)
{
	for (size_t i = 0; i < t->nmounts; i++)
		if (os_syncfs(t->mounts[i].fd) == -1)
			return err_sys(e, "bring what was restored to disk");
	return 0;
}

static int refuse_filled(int fd, const char *path, struct err *e)
{
	struct source_names names = {0};
	int rc = dirlist_read(fd, &names, e);

	if (rc == -1) {
		err_wrap(e, "%s", path);
	} else if (names.n > 1 ||
		   (names.n == 1 && strcmp(source_name(&names, 0), TARGET_UNFINISHED) != 0)) {
		rc = err_set(
		    e, ERR_USAGE, "%s: is not empty (there is %s)", path, source_name(&names, 0));
		err_hint(e, "choose an empty folder, or say what to do with what is there: "
			    "--overwrite never, if-changed or always");
	}
	source_names_fini(&names);
	return rc;
}

int target_open(const char *path, enum target_overwrite overwrite, struct ctx *ctx,
    struct target **out, struct err *e)
{
	struct target *t;
	int fd;

	os_raise_nofile();
	if (os_mkdirs(path, 0777, e) == -1)
		return -1;
	fd = os_open(path, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -1)
		return err_sys(e, "%s: open", path);
	if (overwrite == TARGET_REFUSE && refuse_filled(fd, path, e) == -1) {
		os_close(fd);
		return -1;
	}
	t = mem_zalloc(sizeof *t);
	t->ctx = ctx;
	t->overwrite = overwrite;
	t->root_user = geteuid() == 0;
	t->umask = os_umask();
	pthread_mutex_init(&t->lock, NULL);
	atomic_flag_clear(&t->owner_told);
	t->root = dir_new(t, NULL, fd, mem_strdup(""));
	t->root->existed = true;
	t->root->dev = dev_of(fd);
	if (note_mount(t, t->root) == -1) {
		err_sys(e, "%s: open", path);
		target_close(t);
		return -1;
	}
	t->root->inherits = target_has_default_acl(fd);
	*out = t;
	return 0;
}

void target_close(struct target *t)
{
	if (t == NULL)
		return;
	target_dir_unref(t->root);
	for (size_t i = 0; i < t->nmounts; i++)
		os_close(t->mounts[i].fd);
	free(t->mounts);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

void target_give(struct target *t, uint32_t uid, uint32_t gid)
{
	t->given = true;
	t->uid = uid;
	t->gid = gid;
}

uint64_t target_problems(const struct target *t)
{
	return atomic_load(&t->problems);
}

struct target_dir *target_root(struct target *t)
{
	return target_dir_ref(t->root);
}

void target_root_meta(struct target_dir *root, const struct entry *en)
{
	if (root->target->overwrite == TARGET_NEVER)
		return;
	free(root->meta);
	root->meta = target_entry_copy(en);
}

/* As owner of a directory that its mode locks us out of: let us in until its end. */
static int unlock_dir(struct target_dir *parent, const char *name)
{
	int fd = os_open_beneath(parent->fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0), rc;
	char proc[32];

	if (fd == -1)
		return -1;
	snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
	rc = chmod(proc, 0700);
	os_close(fd);
	return rc;
}

static int open_dir(struct target_dir *parent, const char *name, bool existed)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
	const struct target *t = parent->target;
	struct stat st;

	if (existed && !t->root_user && t->overwrite != TARGET_NEVER &&
	    os_fstatat(parent->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid == geteuid() &&
	    (st.st_mode & 0700) != 0700)
		(void)!unlock_dir(parent, name);
	return os_open_beneath(parent->fd, name, flags, 0);
}

/* Sees to it that there is a directory of that name; *existed if there was. */
static int make_dir(struct target_dir *parent, const char *name, bool *existed, struct err *e)
{
	struct stat st;

	*existed = false;
	if (os_mkdirat(parent->fd, name, 0700) == 0)
		return 0;
	if (errno != EEXIST)
		return err_sys(e, "make directory");
	if (os_fstatat(parent->fd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return err_sys(e, "stat");
	if (S_ISDIR(st.st_mode)) {
		*existed = true;
		return 0;
	}
	if (target_clear_name(parent, name, e) == -1)
		return -1;
	if (os_mkdirat(parent->fd, name, 0700) == -1)
		return err_sys(e, "make directory");
	return 0;
}

int target_mkdir(
    struct target_dir *parent, const struct entry *en, struct target_dir **out, struct err *e)
{
	const struct target *t = parent->target;
	struct target_dir *d;
	char *name, *path;
	bool existed;
	int fd = -1;

	if (target_name_check(parent, en->name, e) == -1)
		return -1;
	name = mem_dup(en->name.p, en->name.n);
	path = target_path(parent, en->name);
	if (make_dir(parent, name, &existed, e) == -1)
		err_wrap(e, "%s", path);
	else if ((fd = open_dir(parent, name, existed)) == -1)
		err_sys(e, "%s: open", path);
	free(name);
	if (fd == -1) {
		free(path);
		return -1;
	}
	d = dir_new(parent->target, parent, fd, path);
	d->existed = existed;
	d->dev = existed ? dev_of(fd) : parent->dev;
	if (d->dev != parent->dev && note_mount(d->target, d) == -1) {
		err_sys(e, "%s: open", path);
		target_dir_unref(d);
		return -1;
	}
	d->inherits = existed ? target_has_default_acl(fd) : parent->inherits;
	if (!existed || t->overwrite != TARGET_NEVER)
		d->meta = target_entry_copy(en);
	*out = d;
	return 0;
}

int target_list(struct target_dir *d, int (*visit)(void *, const char *name, struct err *),
    void *arg, struct err *e)
{
	struct source_names names = {0};
	int rc = -1;
	/* A descriptor of its own, for others may be listing too. */
	int fd = os_open_beneath(d->fd, ".", O_RDONLY | O_DIRECTORY, 0);

	if (fd == -1) {
		err_sys(e, "%s: open", d->path[0] ? d->path : "/");
		goto out;
	}
	if (dirlist_read(fd, &names, e) == -1) {
		err_wrap(e, "%s", d->path[0] ? d->path : "/");
		goto out;
	}
	for (size_t i = 0; i < names.n; i++) {
		const char *name = source_name(&names, i);
		bool in_use;

		if (d->parent == NULL && strcmp(name, TARGET_UNFINISHED) == 0)
			continue;
		pthread_mutex_lock(&d->target->lock);
		in_use = target_temp_in_use(d, name);
		pthread_mutex_unlock(&d->target->lock);
		if (!in_use && visit(arg, name, e) == -1)
			goto out;
	}
	rc = 0;
out:
	source_names_fini(&names);
	os_close(fd);
	return rc;
}
