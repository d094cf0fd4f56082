/*
 * files: the source of what is in the file system; the walk of it.
 *
 * Each directory is opened relative to its parent's descriptor, so a path
 * may be longer than PATH_MAX and a directory that is moved stays itself.
 * Below the paths asked for no symbolic link is followed; the folders above
 * them are what the caller's own path leads through, links and all.
 *
 * Contents are in files_read.c, xattrs and owners in files_meta.c.
 */
#include "source/files.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "base/mem.h"
#include "os/os.h"
#include "source/dirlist.h"
#include "source/exclude.h"

static const char cache_tag[] = "CACHEDIR.TAG";
static const char cache_signature[] = "Signature: 8a477f597d28d172789f06886806bc55";

static struct files *files_of(const struct source_dir *d)
{
	return (struct files *)d->source;
}

char *files_path(const struct source_dir *d, const char *name)
{
	if (d->parent == NULL)
		return mem_printf("/%s", name);
	return mem_printf("%s/%s", d->path, name);
}

bool files_is_way(const struct files_dir *d, const char *name)
{
	const struct ask *a = ask_child(d->ask, name);

	return a != NULL && !a->whole && !files_dir_whole(d);
}

int files_openat(int dir, const char *name, int flags)
{
	int fd = os_openat(dir, name, flags | O_NOATIME | O_NOCTTY, 0);

	/* Only a file's owner and root may leave its atime alone. */
	if (fd == -1 && errno == EPERM)
		fd = os_openat(dir, name, flags | O_NOCTTY, 0);
	return fd;
}

void files_stat_take(const struct files *f, struct source_stat *out, const struct stat *st)
{
	bool device = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);

	*out = (struct source_stat){
	    .type = os_entry_type(st->st_mode),
	    .mode = st->st_mode & 07777,
	    .uid = st->st_uid,
	    .gid = st->st_gid,
	    .size = (uint64_t)st->st_size,
	    .mtime = st->st_mtim.tv_sec,
	    .ctime = st->st_ctim.tv_sec,
	    .mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
	    .ctime_ns = (uint32_t)st->st_ctim.tv_nsec,
	    .ino = st->st_ino,
	    .dev = files_dev(f, st->st_dev),
	    .nlink = st->st_nlink,
	    .major = device ? major(st->st_rdev) : 0,
	    .minor = device ? minor(st->st_rdev) : 0,
	    .blocks = (uint64_t)st->st_blocks,
	};
}

static void dir_free(struct source_dir *base)
{
	struct files_dir *d = (struct files_dir *)base;

	os_close(d->fd);
	free(base->path);
	free(d);
}

static struct files_dir *dir_new(struct source *s, struct source_dir *parent, char *path)
{
	struct files_dir *d = source_dir_new(sizeof *d, s, parent, path, dir_free);

	d->fd = -1;
	return d;
}

static struct source_dir *files_root(struct source *s, struct source_stat *st, struct err *e)
{
	struct files *f = (struct files *)s;
	const struct files_place *place = files_place_find(f, "/");
	struct files_dir *d = dir_new(s, NULL, mem_strdup("/"));
	struct stat sb;

	d->ask = f->ask;
	d->places = f->places;
	d->fd = files_openat(AT_FDCWD, place ? place->at : "/", O_RDONLY | O_DIRECTORY);
	if (d->fd == -1 || os_fstat(d->fd, &sb) == -1) {
		err_sys(e, "/: open");
		source_dir_unref(&d->base);
		return NULL;
	}
	files_stat_take(f, st, &sb);
	d->dev = st->dev;
	return &d->base;
}

/* Does the directory bear the tag of a cache, with the signature that makes it one? */
static bool is_cache(const struct files_dir *d, const struct source_names *names)
{
	char head[sizeof cache_signature - 1];
	int fd;
	ssize_t n;

	if (!dirlist_has(names, cache_tag))
		return false;
	fd = files_openat(d->fd, cache_tag, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	if (fd == -1)
		return false;
	n = os_pread_full(fd, head, sizeof head, 0);
	os_close(fd);
	return n == (ssize_t)sizeof head && memcmp(head, cache_signature, sizeof head) == 0;
}

static int files_list(struct source_dir *base, struct source_names *out, struct err *e)
{
	struct files_dir *d = (struct files_dir *)base;

	buf_reset(&out->text);
	out->n = 0;
	if (!files_dir_whole(d)) {
		for (size_t i = 0; i < d->ask->n; i++)
			dirlist_add(out, d->ask->child[i]->name);
		return 0;
	}
	if (d->empty)
		return 0;
	if (dirlist_read(d->fd, out, e) == -1)
		return err_wrap(e, "%s", base->path);
	if (files_of(base)->exclude_caches && is_cache(d, out)) {
		event_emit(base->source->ctx, EVENT_FILE_EXCLUDED, span_str(base->path),
		    "content of a cache (%s)", cache_tag);
		buf_reset(&out->text);
		out->n = 0;
		dirlist_add(out, cache_tag);
	}
	return 0;
}

static const struct never *find_never(
    const struct files *f, const char *path, const struct source_stat *st)
{
	for (size_t i = 0; i < f->nnever; i++) {
		const struct never *x = &f->never[i];

		if (strcmp(x->path, path) == 0 ||
		    (x->found && x->dev == st->dev && x->ino == st->ino))
			return x;
	}
	return NULL;
}

/* Numbers of a subvolume's root, and of the place where a snapshot has none of it. */
static bool is_frozen(const char *name, const struct source_stat *st)
{
	return strncmp(name, SOURCE_FROZEN, sizeof SOURCE_FROZEN - 1) == 0 &&
	       st->type == ENTRY_DIR && (st->ino == 256 || st->ino == 2);
}

/* Is this name to be left out?  Tells the sink why. */
static bool left_out(const struct files_dir *d, const char *name, const struct source_stat *st)
{
	const struct files *f = files_of(&d->base);
	struct ctx *ctx = d->base.source->ctx;
	const struct never *never;
	const char *rule;
	char *path;
	bool out = true;

	if (st->type != ENTRY_SOCKET && f->exclude == NULL && f->nnever == 0 &&
	    !f->one_file_system && !is_frozen(name, st))
		return false;
	path = files_path(&d->base, name);
	rule = f->exclude ? exclude_match(f->exclude, path, st->type == ENTRY_DIR) : NULL;
	if (rule != NULL)
		event_emit(ctx, EVENT_FILE_EXCLUDED, span_str(path), "%s", rule);
	else if ((never = find_never(f, path, st)) != NULL)
		event_emit(ctx, EVENT_FILE_EXCLUDED, span_str(path), "never read: %s", never->path);
	else if (is_frozen(name, st))
		event_emit(ctx, EVENT_FILE_EXCLUDED, span_str(path), "a frozen state of ours");
	else if (st->type == ENTRY_SOCKET)
		event_emit(ctx, EVENT_FILE_SKIPPED, span_str(path), "socket");
	else if (f->one_file_system && st->type != ENTRY_DIR && st->dev != d->dev &&
		 ask_child(d->ask, name) == NULL)
		event_emit(ctx, EVENT_FILE_EXCLUDED, span_str(path), "on another file system");
	else
		out = false;
	free(path);
	return out;
}

static int files_look(struct source_dir *base, const char *name, struct source_stat *st,
    enum source_look *what, struct err *e)
{
	struct files_dir *d = (struct files_dir *)base;
	bool way = files_is_way(d, name);
	int flags = way ? 0 : AT_SYMLINK_NOFOLLOW;
	struct files_at at = files_at(d, name);
	struct stat sb;
	int rc = 0;

	/*
	 * Not AT_STATX_DONT_SYNC: a cached size and time would let a change on a
	 * network file system pass for none.
	 */
	if (os_fstatat(at.dir, at.name, &sb, flags | AT_NO_AUTOMOUNT) == -1) {
		char *path = files_path(base, name);

		if (errno == ENOENT && ask_child(d->ask, name) == NULL) {
			event_emit(base->source->ctx, EVENT_FILE_SKIPPED, span_str(path),
			    "gone meanwhile");
			*what = SOURCE_SKIP;
		} else {
			rc = err_sys(e, "%s: stat", path);
		}
		free(path);
		return rc;
	}
	files_stat_take(files_of(base), st, &sb);
	*what = !way && left_out(d, name, st) ? SOURCE_SKIP : SOURCE_TAKE;
	return 0;
}

static int dir_open(struct files_dir *parent, struct files_dir *d, const char *name,
    const struct source_stat *want, struct err *e)
{
	int follow = files_is_way(parent, name) ? 0 : O_NOFOLLOW;
	struct files_at at = files_at(parent, name);
	struct stat sb;
	uint64_t dev;

	d->fd = files_openat(at.dir, at.name, O_RDONLY | O_DIRECTORY | follow);
	/* On the way to what was asked for, the right to pass is enough. */
	if (d->fd == -1 && errno == EACCES && d->ask != NULL && !files_dir_whole(d))
		d->fd = os_openat(at.dir, at.name, O_PATH | O_DIRECTORY | follow, 0);
	if (d->fd == -1)
		return err_sys(e, "%s: open", d->base.path);
	if (os_fstat(d->fd, &sb) == -1)
		return err_sys(e, "%s: stat", d->base.path);
	/* To open an automount point mounts it: another device, and what is wanted. */
	dev = files_dev(files_of(&parent->base), sb.st_dev);
	if (dev != want->dev && !files_of(&parent->base)->one_file_system)
		return 0;
	if (sb.st_ino != want->ino || dev != want->dev)
		return err_set(e, ERR_ABSENT, "%s: replaced meanwhile", d->base.path);
	return 0;
}

static struct source_dir *files_enter(
    struct source_dir *base, const char *name, const struct source_stat *st, struct err *e)
{
	struct files_dir *parent = (struct files_dir *)base;
	struct files_dir *d = dir_new(base->source, base, files_path(base, name));

	d->ask = ask_child(parent->ask, name);
	d->places = ask_child(parent->places, name);
	d->dev = parent->dev;
	/* A path that was asked for is read even if it is a file system of its own. */
	if (d->ask != NULL)
		d->dev = st->dev;
	d->empty = files_of(base)->one_file_system && st->dev != d->dev;
	if (!d->empty && dir_open(parent, d, name, st, e) == -1) {
		source_dir_unref(&d->base);
		return NULL;
	}
	return &d->base;
}

static void files_close(struct source *s)
{
	struct files *f = (struct files *)s;

	ask_free(f->ask);
	for (size_t i = 0; i < f->nnever; i++)
		free(f->never[i].path);
	free(f->never);
	files_places_fini(f);
	owners_fini(&f->users);
	owners_fini(&f->groups);
	free(f);
}

static const struct source_ops files_ops = {
    .kind = "files",
    .root = files_root,
    .list = files_list,
    .look = files_look,
    .enter = files_enter,
    .fill = files_fill,
    .open = files_open,
    .read = files_read,
    .finish = files_finish,
    .close = files_close,
};

/*
 * One path, step by step as the walk will go: it must be there, and no link
 * that is itself asked for (and so kept as a link) may be on the way.
 */
static int check_path(const struct ask *a, const char *path, struct err *e)
{
	int dir = os_open("/", O_PATH | O_DIRECTORY, 0), next, rc = -1;
	struct stat sb;

	if (dir == -1)
		return err_sys(e, "/: open");
	for (size_t i = 0; a->n > 0; i++) {
		size_t n;
		char *name;

		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (n == 0)
			break;
		name = mem_strndup(path, n);
		a = ask_child(a, name);
		path += n;
		next = -1;
		if (os_fstatat(dir, name, &sb, AT_SYMLINK_NOFOLLOW) == -1)
			err_sys(e, "stat");
		else if (path[strspn(path, "/")] == '\0')
			rc = 0;
		else if (a->whole && S_ISLNK(sb.st_mode))
			err_set(e, ERR_USAGE,
			    "it leads through a symbolic link that is asked for itself");
		else if ((next = os_openat(dir, name, O_PATH | O_DIRECTORY, 0)) == -1)
			err_sys(e, "open");
		free(name);
		os_close(dir);
		if ((dir = next) == -1)
			return rc;
	}
	os_close(dir);
	return 0;
}

static void set_never(struct files *f, const struct files_params *p)
{
	f->never = mem_zalloc(p->nnever * sizeof *f->never);
	f->nnever = p->nnever;
	for (size_t i = 0; i < p->nnever; i++) {
		struct stat sb;

		f->never[i].path = mem_strdup(p->never[i]);
		/* Followed: a link to the repository leads to what must not be read. */
		if (os_fstatat(AT_FDCWD, p->never[i], &sb, 0) == 0) {
			f->never[i].found = true;
			f->never[i].dev = sb.st_dev;
			f->never[i].ino = sb.st_ino;
		}
	}
}

int source_files_open(
    const struct files_params *p, struct ctx *ctx, struct source **out, struct err *e)
{
	struct files *f = mem_zalloc(sizeof *f);

	/* Every level of the walk, and every file being read, holds a descriptor. */
	os_raise_nofile();
	f->base = (struct source){&files_ops, ctx};
	f->ask = ask_new(p->paths, p->npaths);
	f->exclude = p->exclude;
	f->exclude_caches = p->exclude_caches;
	f->one_file_system = p->one_file_system;
	owners_init(&f->users);
	owners_init(&f->groups);
	set_never(f, p);
	f->have_proc = access("/proc/self/fd", X_OK) == 0;
	if (!f->have_proc)
		event_emit(ctx, EVENT_WARNING, span_str("/proc"),
		    "not mounted: extended attributes cannot be read");
	if (files_places_set(f, p, e) == -1) {
		files_close(&f->base);
		return -1;
	}
	for (size_t i = 0; i < p->npaths; i++) {
		if (check_path(f->ask, p->paths[i], e) == -1) {
			files_close(&f->base);
			return err_wrap(e, "%s", p->paths[i]);
		}
	}
	*out = &f->base;
	return 0;
}
