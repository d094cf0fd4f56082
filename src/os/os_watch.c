/* os_watch: see os_watch.h. */
#include "os/os_watch.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/mem.h"
#include "os/os.h"

enum { EVENTS_MAX = 64 << 10 };

/* IN_CLOSE_WRITE: what was written by a mapping is told by nothing else. */
static const uint32_t changes = IN_CREATE | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB |
				IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF;

struct os_watch {
	struct os_watch_params p;
	int fd;
	char **dir; /* path of each watch, by its number; NULL: none, or no more */
	size_t ndirs, n;
};

static bool is_at_or_below(const char *path, const char *above)
{
	size_t n = strlen(above);

	while (n > 0 && above[n - 1] == '/')
		n--;
	return strncmp(path, above, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* Is it one of what was asked for, or below? */
static bool is_asked(const struct os_watch *w, const char *path)
{
	for (size_t i = 0; i < w->p.npaths; i++)
		if (is_at_or_below(path, w->p.paths[i]))
			return true;
	return false;
}

static bool is_root(const struct os_watch *w, const char *path)
{
	for (size_t i = 0; i < w->p.npaths; i++)
		if (is_at_or_below(w->p.paths[i], path))
			return true;
	return false;
}

static bool is_told(const struct os_watch *w, const char *path, bool is_dir)
{
	return is_asked(w, path) &&
	       (w->p.leave_out == NULL || !w->p.leave_out(w->p.arg, path, is_dir));
}

static bool is_stopped(const struct os_watch *w)
{
	struct pollfd p = {.fd = w->p.stop, .events = POLLIN};

	return w->p.stop != -1 && poll(&p, 1, 0) > 0;
}

static char *joined(const char *dir, const char *name)
{
	return mem_printf("%s/%s", strcmp(dir, "/") == 0 ? "" : dir, name);
}

/* 1: it is watched; 0: it is gone, or none that may be read. */
static int watch_dir(struct os_watch *w, const char *path, struct err *e)
{
	int wd = inotify_add_watch(
	    w->fd, path, changes | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK);

	if (wd == -1 && errno == ENOSPC) {
		err_set(e, ERR_NO_SPACE, "more directories than can be watched: %zu", w->n);
		return err_hint(
		    e, "sysctl fs.inotify.max_user_watches=1048576: each costs about 1 KiB");
	}
	if (wd == -1 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
		return 0;
	if (wd == -1)
		return err_sys(e, "watch %s", path);
	if ((size_t)wd >= w->ndirs) {
		size_t n = (size_t)wd + 64 + w->ndirs / 2;

		w->dir = mem_realloc(w->dir, n * sizeof *w->dir);
		memset(w->dir + w->ndirs, 0, (n - w->ndirs) * sizeof *w->dir);
		w->ndirs = n;
	}
	w->n += w->dir[wd] == NULL;
	free(w->dir[wd]);
	w->dir[wd] = mem_strdup(path);
	return 1;
}

static bool is_dir(int dir, const struct dirent *en)
{
	struct stat st;

	if (en->d_type != DT_UNKNOWN)
		return en->d_type == DT_DIR;
	return os_fstatat(dir, en->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Watched before it is listed: what comes between is seen twice rather than not at all. */
static int watch_below(struct os_watch *w, const char *path, struct err *e)
{
	int rc = watch_dir(w, path, e), fd;
	const struct dirent *en;
	DIR *d;

	if (rc <= 0)
		return rc;
	fd = os_open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	d = fd == -1 ? NULL : fdopendir(fd);
	if (d == NULL) {
		os_close(fd);
		return 0;
	}
	while (rc >= 0 && (en = readdir(d)) != NULL) {
		char *below;

		if (strcmp(en->d_name, ".") == 0 || strcmp(en->d_name, "..") == 0 ||
		    !is_dir(dirfd(d), en))
			continue;
		below = joined(path, en->d_name);
		if (is_stopped(w))
			rc = err_set(e, ERR_CANCELLED, "interrupted");
		else if (is_told(w, below, true))
			rc = watch_below(w, below, e);
		free(below);
	}
	closedir(d);
	return rc < 0 ? -1 : 0;
}

/* The folder of a file, and of a directory: it is there that their own going is seen. */
static int watch_root(struct os_watch *w, const char *path, struct err *e)
{
	char *above = mem_strdup(path), *slash;
	struct stat st;
	int rc;

	for (slash = above + strlen(above); slash > above + 1 && slash[-1] == '/'; slash--)
		slash[-1] = '\0';
	if (os_fstatat(AT_FDCWD, above, &st, AT_SYMLINK_NOFOLLOW) == -1) {
		rc = err_sys(e, "%s", path);
		free(above);
		return rc;
	}
	rc = S_ISDIR(st.st_mode) ? watch_below(w, above, e) : 0;
	slash = strrchr(above, '/');
	if (rc == 0 && slash != NULL && strcmp(above, "/") != 0) {
		slash[slash == above] = '\0';
		rc = watch_dir(w, above, e) < 0 ? -1 : 0;
	}
	free(above);
	return rc;
}

int os_watch_open(const struct os_watch_params *p, struct os_watch **out, struct err *e)
{
	struct os_watch *w = mem_zalloc(sizeof *w);
	int rc = 0;

	w->p = *p;
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->fd == -1) {
		rc = err_sys(e, "watch for changes");
		if (errno == EMFILE)
			err_hint(e, "sysctl fs.inotify.max_user_instances=1024");
	}
	for (size_t i = 0; i < p->npaths && rc == 0; i++)
		rc = watch_root(w, p->paths[i], e);
	if (rc == -1) {
		os_watch_close(w);
		return -1;
	}
	*out = w;
	return 0;
}

void os_watch_close(struct os_watch *w)
{
	if (w == NULL)
		return;
	os_close(w->fd);
	for (size_t i = 0; i < w->ndirs; i++)
		free(w->dir[i]);
	free(w->dir);
	free(w);
}

size_t os_watch_count(const struct os_watch *w)
{
	return w->n;
}

static int take(
    struct os_watch *w, const struct inotify_event *ev, enum os_watch_seen *seen, struct err *e)
{
	const char *dir = ev->wd >= 0 && (size_t)ev->wd < w->ndirs ? w->dir[ev->wd] : NULL;
	bool folder = (ev->mask & IN_ISDIR) != 0;
	char *path;
	int rc = 0;

	if (ev->mask & IN_Q_OVERFLOW) {
		*seen = *seen == OS_WATCH_LOST ? OS_WATCH_LOST : OS_WATCH_CHANGED;
		return 0;
	}
	if (dir == NULL)
		return 0;
	if (ev->mask & (IN_DELETE_SELF | IN_MOVE_SELF) && is_root(w, dir))
		*seen = OS_WATCH_LOST;
	if (ev->mask & IN_IGNORED) { /* it is gone, and its number with it */
		free(w->dir[ev->wd]);
		w->dir[ev->wd] = NULL;
		w->n--;
		return 0;
	}
	path = ev->len > 0 ? joined(dir, ev->name) : mem_strdup(dir);
	if (is_told(w, path, folder || ev->len == 0)) {
		*seen = *seen == OS_WATCH_LOST ? OS_WATCH_LOST : OS_WATCH_CHANGED;
		if (folder && ev->mask & (IN_CREATE | IN_MOVED_TO))
			rc = watch_below(w, path, e);
	}
	/* One that was asked for came back under its name: its watches are of the one before. */
	if (folder && ev->mask & (IN_CREATE | IN_MOVED_TO) && is_root(w, path))
		*seen = OS_WATCH_LOST;
	free(path);
	return rc;
}

int os_watch_wait(struct os_watch *w, int ms, enum os_watch_seen *seen, struct err *e)
{
	struct pollfd p[2] = {{.fd = w->fd, .events = POLLIN}, {.fd = w->p.stop, .events = POLLIN}};
	_Alignas(struct inotify_event) char room[EVENTS_MAX];
	ssize_t n;
	int rc = 0;

	*seen = OS_WATCH_QUIET;
	if (poll(p, 2, ms) == -1 && errno != EINTR)
		return err_sys(e, "watch for changes");
	if (p[1].revents != 0) {
		*seen = OS_WATCH_STOPPED;
		return 0;
	}
	n = p[0].revents != 0 ? os_read(w->fd, room, sizeof room) : 0;
	for (ssize_t at = 0; at < n && rc == 0;) {
		const struct inotify_event *ev = (const void *)(room + at);

		rc = take(w, ev, seen, e);
		at += (ssize_t)(sizeof *ev + ev->len);
	}
	return rc;
}
