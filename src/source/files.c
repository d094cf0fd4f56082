/*
 * files: directories and files of this machine, walked by descriptors, so
 * that paths may be longer than PATH_MAX and nothing moves under our feet.
 *
 * Above the paths asked for, a directory shows only the names that lead
 * there.  Reading content is in files_read.c, metadata in files_meta.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/mem.h"
#include "os/os.h"
#include "source/dirlist.h"
#include "source/files_internal.h"

static const char TAG_NAME[] = "CACHEDIR.TAG";
static const char TAG_TEXT[] = "Signature: 8a477f597d28d172789f06886806bc55";

static enum entry_type type_of(mode_t mode)
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

int files_statx(int dir, const char *name, int flags, struct source_stat *st)
{
	struct statx x;

	if (statx(dir, name, flags | AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC,
		STATX_BASIC_STATS, &x) == -1)
		return -1;
	*st = (struct source_stat){
	    .type = type_of(x.stx_mode),
	    .mode = x.stx_mode & 07777,
	    .uid = x.stx_uid,
	    .gid = x.stx_gid,
	    .size = x.stx_size,
	    .mtime = x.stx_mtime.tv_sec,
	    .mtime_ns = x.stx_mtime.tv_nsec,
	    .ctime = x.stx_ctime.tv_sec,
	    .ctime_ns = x.stx_ctime.tv_nsec,
	    .ino = x.stx_ino,
	    .dev = makedev(x.stx_dev_major, x.stx_dev_minor),
	    .nlink = x.stx_nlink,
	    .major = x.stx_rdev_major,
	    .minor = x.stx_rdev_minor,
	    .blocks = x.stx_blocks,
	};
	return 0;
}

static char *join(const struct source_dir *d, const char *name)
{
	return mem_printf("%s/%s", strcmp(d->path, "/") == 0 ? "" : d->path, name);
}

static void dir_free(struct source_dir *d)
{
	struct files_dir *fd = (struct files_dir *)d;

	os_close(fd->fd);
	free(d->path);
	free(fd);
}

/* O_NOATIME is refused for files of others. */
static int open_dir(int at, const char *name)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
	int fd = os_openat(at, name, flags | O_NOATIME, 0);

	if (fd == -1 && errno == EPERM)
		fd = os_openat(at, name, flags, 0);
	return fd;
}

static struct files_dir *dir_new(struct source *s, struct source_dir *parent, char *path, int fd)
{
	struct files_dir *d = mem_zalloc(sizeof *d);

	d->base.source = s;
	d->base.parent = parent ? source_dir_ref(parent) : NULL;
	atomic_init(&d->base.refs, 1);
	d->base.path = path;
	d->base.free = dir_free;
	d->fd = fd;
	return d;
}

/* Is this path one that was asked for? */
static bool asked(const struct files *f, const char *path)
{
	for (size_t i = 0; i < f->p.npaths; i++)
		if (strcmp(f->paths[i], path) == 0)
			return true;
	return false;
}

static struct source_dir *files_root(struct source *s, struct source_stat *st, struct err *e)
{
	struct files *f = (struct files *)s;
	struct files_dir *d;
	int fd = open_dir(AT_FDCWD, "/");

	if (fd == -1 || files_statx(fd, "", AT_EMPTY_PATH, st) == -1) {
		err_sys(e, "/");
		os_close(fd);
		return NULL;
	}
	d = dir_new(s, NULL, mem_strdup("/"), fd);
	d->full = asked(f, "/");
	d->dev = st->dev;
	return &d->base;
}

/* Names in `path` that lead to what was asked for. */
static void list_leading(const struct files *f, const char *path, struct source_names *out)
{
	size_t n = strcmp(path, "/") == 0 ? 0 : strlen(path);

	for (size_t i = 0; i < f->p.npaths; i++) {
		const char *p = f->paths[i], *end;
		char *name;

		if (strncmp(p, path, n) != 0 || p[n] != '/' || p[n + 1] == '\0')
			continue;
		end = strchrnul(p + n + 1, '/');
		name = mem_strndup(p + n + 1, (size_t)(end - p) - n - 1);
		if (!dirlist_has(out, name)) {
			dirlist_add(out, name);
			dirlist_sort(out);
		}
		free(name);
	}
}

/* Does the directory bear the mark of a cache? */
static bool is_cache(const struct files_dir *d, const struct source_names *names)
{
	char text[sizeof TAG_TEXT] = "";
	ssize_t n;
	int fd;

	if (!dirlist_has(names, TAG_NAME))
		return false;
	fd = os_openat(d->fd, TAG_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd == -1)
		return false;
	n = os_pread_full(fd, text, sizeof TAG_TEXT - 1, 0);
	os_close(fd);
	return n == sizeof TAG_TEXT - 1 && memcmp(text, TAG_TEXT, sizeof TAG_TEXT - 1) == 0;
}

static int files_list(struct source_dir *dir, struct source_names *out, struct err *e)
{
	struct files_dir *d = (struct files_dir *)dir;
	struct files *f = (struct files *)dir->source;

	buf_reset(&out->text);
	out->n = 0;
	if (d->empty)
		return 0;
	if (!d->full) {
		list_leading(f, dir->path, out);
		return 0;
	}
	if (dirlist_read(d->fd, out, e) == -1)
		return -1;
	if (f->p.exclude_caches && is_cache(d, out)) {
		event_emit(f->base.ctx, EVENT_FILE_EXCLUDED, span_str(dir->path),
		    "--exclude-caches: content of a tagged cache");
		buf_reset(&out->text);
		out->n = 0;
		dirlist_add(out, TAG_NAME);
	}
	return 0;
}

/* Why not to take it, or NULL. */
static const char *refuse(
    const struct files *f, const struct files_dir *d, const char *path, const struct source_stat *st)
{
	for (size_t i = 0; i < f->nnever; i++)
		if (st->type == ENTRY_DIR && st->ino == f->never[i].ino &&
		    st->dev == f->never[i].dev)
			return "holdfast's own repository or cache";
	if (d->full && f->p.exclude != NULL)
		return exclude_match(f->p.exclude, path, st->type == ENTRY_DIR);
	return NULL;
}

static int files_look(struct source_dir *dir, const char *name, struct source_stat *st,
    enum source_look *what, struct err *e)
{
	struct files_dir *d = (struct files_dir *)dir;
	struct files *f = (struct files *)dir->source;
	const char *why;
	char *path;

	*what = SOURCE_SKIP;
	if (files_statx(d->fd, name, 0, st) == -1) {
		if (errno != ENOENT)
			return err_sys(e, "look at it");
		path = join(dir, name);
		event_emit(f->base.ctx, EVENT_FILE_SKIPPED, span_str(path), "gone meanwhile");
		free(path);
		return 0;
	}
	if (st->type != ENTRY_SOCKET && f->nnever == 0 && f->p.exclude == NULL) {
		*what = SOURCE_TAKE;
		return 0;
	}
	path = join(dir, name);
	why = refuse(f, d, path, st);
	if (st->type == ENTRY_SOCKET)
		event_emit(f->base.ctx, EVENT_FILE_SKIPPED, span_str(path), "socket");
	else if (why != NULL)
		event_emit(f->base.ctx, EVENT_FILE_EXCLUDED, span_str(path), "%s", why);
	else
		*what = SOURCE_TAKE;
	free(path);
	return 0;
}

static struct source_dir *files_enter(
    struct source_dir *dir, const char *name, const struct source_stat *st, struct err *e)
{
	struct files_dir *up = (struct files_dir *)dir, *d;
	struct files *f = (struct files *)dir->source;
	struct source_stat now;
	int fd = open_dir(up->fd, name);

	if (fd == -1 || files_statx(fd, "", AT_EMPTY_PATH, &now) == -1) {
		err_sys(e, "open directory");
		os_close(fd);
		return NULL;
	}
	if (now.ino != st->ino || now.dev != st->dev) {
		/* An automount, perhaps; whatever it is, it is not what we looked at. */
		os_close(fd);
		err_set(e, ERR_BUSY, "replaced while it was opened");
		return NULL;
	}
	d = dir_new(dir->source, dir, join(dir, name), fd);
	d->full = up->full || asked(f, d->base.path);
	d->dev = up->full ? up->dev : st->dev;
	d->empty = f->p.one_file_system && up->full && st->dev != up->dev;
	if (d->empty)
		event_emit(f->base.ctx, EVENT_FILE_EXCLUDED, span_str(d->base.path),
		    "--one-file-system: another file system is mounted here");
	return &d->base;
}

static void files_close(struct source *s)
{
	struct files *f = (struct files *)s;

	for (size_t i = 0; i < f->p.npaths; i++)
		free(f->paths[i]);
	free(f->paths);
	free(f->never);
	files_owners_fini(f);
	pthread_mutex_destroy(&f->owners_lock);
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

int source_files_open(
    const struct files_params *p, struct ctx *ctx, struct source **out, struct err *e)
{
	struct files *f = mem_zalloc(sizeof *f);
	struct source_stat st;

	f->base.ops = &files_ops;
	f->base.ctx = ctx;
	f->p = *p;
	f->paths = mem_zalloc(p->npaths * sizeof *f->paths);
	f->never = mem_zalloc(p->nnever * sizeof *f->never);
	pthread_mutex_init(&f->owners_lock, NULL);
	for (size_t i = 0; i < p->npaths; i++)
		f->paths[i] = mem_strdup(p->paths[i]);
	for (size_t i = 0; i < p->nnever; i++)
		if (p->never[i] != NULL && files_statx(AT_FDCWD, p->never[i], 0, &st) == 0)
			f->never[f->nnever++] = (struct files_never){st.dev, st.ino};
	for (size_t i = 0; i < p->npaths; i++)
		if (files_statx(AT_FDCWD, f->paths[i], 0, &st) == -1) {
			err_sys(e, "%s", f->paths[i]);
			files_close(&f->base);
			return -1;
		}
	os_raise_nofile();
	*out = &f->base;
	return 0;
}
