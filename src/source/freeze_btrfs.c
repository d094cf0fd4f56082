/* freeze_btrfs: see freeze.h. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"
#include "os/os_subvolume.h"
#include "source/freeze_priv.h"

enum { DEPTH_MAX = 64, MOUNTS_MAX = 4 << 20 };

static const int64_t lock_ns = 60 * INT64_C(1000000000), look_ns = 20000000;

/* A folder that is read: by its name, and where it really is. */
struct place {
	struct freeze *f;
	const char *path, *real;
	int depth;
};

static int freeze_place(const struct place *p, struct err *e);

static bool is_below(const char *path, const char *above)
{
	size_t n = strcmp(above, "/") == 0 ? 0 : strlen(above);

	return strncmp(path, above, n) == 0 && path[n] == '/' && path[n + 1] != '\0';
}

/* "/a" and "b/c"; of "/" it is "/b/c". */
static char *joined(const char *above, const char *rest)
{
	return mem_printf("%s/%s", strcmp(above, "/") == 0 ? "" : above, rest);
}

/* What a real path is called that is below the real place. */
static char *called(const struct place *p, const char *real)
{
	size_t n = strcmp(p->real, "/") == 0 ? 0 : strlen(p->real);

	return joined(p->path, real + n + 1);
}

/* ---- Snapshots. */

/* What lost runs have left there: nobody holds a lock on it. */
static int sweep(int dir, struct err *e)
{
	int fd = os_openat(dir, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *d = fd == -1 ? NULL : fdopendir(fd);
	const struct dirent *en;
	int rc = 0;

	if (d == NULL) {
		os_close(fd);
		return err_sys(e, "list");
	}
	while (rc == 0 && (en = readdir(d)) != NULL) {
		bool busy = true, is = false;
		int old;
		struct err why;

		if (strncmp(en->d_name, SOURCE_FROZEN, sizeof SOURCE_FROZEN - 1) != 0)
			continue;
		old = os_openat(dir, en->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
		if (old != -1 && os_subvolume_is(old, &is, &why) == 0 && is &&
		    os_lock(old, false, &busy, &why) == 0 && !busy)
			rc = os_subvolume_delete(dir, en->d_name, e);
		os_close(old);
	}
	closedir(d);
	return rc;
}

/* Not for ever: whoever can read it can lock it. */
static int lock(const struct freeze *f, int fd, struct err *e)
{
	struct clock *clock = os_clock();
	int64_t until = clock->mono_ns(clock) + lock_ns;
	bool busy;

	while (os_lock(fd, false, &busy, e) == 0) {
		if (!busy)
			return 0;
		if (ctx_cancelled(f->ctx))
			return err_set(e, ERR_CANCELLED, "interrupted");
		if (clock->mono_ns(clock) >= until)
			return err_set(e, ERR_BUSY, "somebody else holds a lock on it");
		os_sleep_ns(f->ctx, look_ns);
	}
	return -1;
}

/*
 * Whoever sweeps waits until a new one is locked: at a file of ours, as no subvolume is, which
 * anybody may lock.
 */
static int make(const struct freeze *f, struct frozen_root *r, struct err *e)
{
	struct clock *clock = os_clock();
	int turn = os_open(f->p->turn, O_RDWR | O_CREAT | O_NOFOLLOW, 0600), rc = -1;

	snprintf(r->name, sizeof r->name, SOURCE_FROZEN "%lld-%ld",
	    (long long)clock->wall_ns(clock), (long)getpid());
	if (turn == -1)
		return err_sys(e, "%s", f->p->turn);
	if (lock(f, turn, e) == -1 || sweep(r->dir, e) == -1)
		goto out;
	if (os_subvolume_snapshot(r->dir, r->dir, r->name, e) == -1) {
		r->name[0] = '\0';
		goto out;
	}
	r->hold = os_openat(r->dir, r->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	rc = r->hold == -1 ? err_sys(e, "%s", r->name) : lock(f, r->hold, e);
out:
	os_close(turn);
	return rc;
}

/* One step of the way up: -1, or 0 and whether it is the root. */
static int look_up(const char *path, dev_t *dev, int *dir, bool *is, struct err *e)
{
	struct stat st;

	*dir = os_open(path, O_RDONLY | O_DIRECTORY, 0);
	if (*dir == -1 || os_fstat(*dir, &st) == -1)
		return err_sys(e, "%s", path);
	if (os_subvolume_is(*dir, is, e) == -1)
		return err_wrap(e, "%s", path);
	/* Each subvolume has a number of its own. */
	if ((*dev != 0 && *dev != st.st_dev) || (!*is && strcmp(path, "/") == 0))
		return err_set(e, ERR_UNSUPPORTED, "the root of its subvolume is not mounted");
	*dev = st.st_dev;
	return 0;
}

/* The root of the subvolume that a real path is in; new text, and open. */
static char *find_root(const char *real, int *dir, struct err *e)
{
	char *path = mem_strdup(real);
	bool is = false;
	dev_t dev = 0;

	while (look_up(path, &dev, dir, &is, e) == 0) {
		char *slash = strrchr(path, '/');

		if (is)
			return path;
		os_close(*dir);
		slash[slash == path] = '\0';
	}
	os_close(*dir);
	*dir = -1;
	free(path);
	return NULL;
}

/* The snapshot of the subvolume that it is in; -1 in *out: what is in it never changes. */
static int root_of(struct freeze *f, const char *real, char **path, ssize_t *out, struct err *e)
{
	struct frozen_root r = {.dir = -1, .hold = -1};
	bool readonly = false;

	r.path = find_root(real, &r.dir, e);
	if (r.path == NULL)
		return -1;
	*path = mem_strdup(r.path);
	for (size_t i = 0; i < f->nroots; i++)
		if (strcmp(f->root[i].path, r.path) == 0) {
			*out = (ssize_t)i;
			os_close(r.dir);
			free(r.path);
			return 0;
		}
	*out = -1;
	if (os_subvolume_is_readonly(r.dir, &readonly, e) == -1 || readonly) {
		os_close(r.dir);
		free(r.path);
		return readonly ? 0 : -1;
	}
	*out = (ssize_t)f->nroots;
	f->root = mem_realloc(f->root, (f->nroots + 1) * sizeof *f->root);
	f->root[f->nroots] = r; /* taken back at the end, whole or not */
	return make(f, &f->root[f->nroots++], e);
}

/* ---- What else is below. */

struct nested {
	const struct place *p;
	const char *root;
};

/* A snapshot has an empty folder in its place. */
static int freeze_nested(void *arg, const char *rel, struct err *e)
{
	const struct nested *n = arg;
	char *real = joined(n->root, rel), *path;
	const char *name = strrchr(real, '/') + 1;
	int rc = 0;

	if (strncmp(name, SOURCE_FROZEN, sizeof SOURCE_FROZEN - 1) != 0 &&
	    is_below(real, n->p->real)) {
		path = called(n->p, real);
		rc = freeze_place(&(struct place){n->p->f, path, real, n->p->depth + 1}, e);
		free(path);
	}
	free(real);
	return rc;
}

/* Octal for what would end the field. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s != '\0'; s++) {
		if (s[0] == '\\' && s[1] && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

static int freeze_mount(const struct place *p, const char *real, struct err *e)
{
	char *path = called(p, real);
	struct place below = {p->f, path, real, p->depth + 1};
	struct err why;
	int rc = freeze_place(&below, &why);

	if (rc == -1 && why.kind == ERR_UNSUPPORTED) {
		event_emit(
		    p->f->ctx, EVENT_NOTICE, span_str(path), "is read as it is: %s", why.msg);
		freeze_add_place(p->f, path, mem_strdup(real));
		rc = 0;
	} else if (rc == -1) {
		*e = why;
	}
	free(path);
	return rc;
}

/* /proc/self/mountinfo: its fifth field is the mount point. */
static int freeze_mounts(const struct place *p, struct err *e)
{
	struct buf b = {0};
	char *save = NULL;
	int rc = os_read_file("/proc/self/mountinfo", MOUNTS_MAX, &b, e);

	buf_put_u8(&b, 0);
	for (char *line = rc == 0 ? strtok_r((char *)b.p, "\n", &save) : NULL;
	     line != NULL && rc == 0; line = strtok_r(NULL, "\n", &save)) {
		char real[PATH_MAX];

		if (sscanf(line, "%*s %*s %*s %*s %4095s", real) != 1)
			continue;
		unescape(real);
		if (is_below(real, p->real))
			rc = freeze_mount(p, real, e);
	}
	buf_fini(&b);
	return rc;
}

/* Is it the same folder, and not one of which just the mount point is in the snapshot? */
static int check_same(const char *real, const char *at, struct err *e)
{
	struct stat live, frozen;

	if (os_fstatat(AT_FDCWD, real, &live, 0) == -1)
		return err_sys(e, "%s", real);
	if (os_fstatat(AT_FDCWD, at, &frozen, 0) == 0 && frozen.st_ino == live.st_ino)
		return 0;
	return err_set(e, ERR_UNSUPPORTED, "it is a mount of a part of a subvolume");
}

static int freeze_here(const struct place *p, char **root, struct err *e)
{
	const struct frozen_root *r;
	ssize_t i;
	char *at;

	if (p->depth > DEPTH_MAX)
		return err_set(e, ERR_UNSUPPORTED, "too many subvolumes in each other");
	if (root_of(p->f, p->real, root, &i, e) == -1)
		return -1;
	if (i == -1) {
		freeze_add_place(p->f, p->path, mem_strdup(p->real));
		return 0;
	}
	r = &p->f->root[i];
	at = joined(r->path, r->name);
	if (is_below(p->real, r->path)) {
		size_t n = strcmp(r->path, "/") == 0 ? 0 : strlen(r->path);
		char *whole = joined(at, p->real + n + 1);

		free(at);
		at = whole;
	}
	if (check_same(p->real, at, e) == -1) {
		free(at);
		return -1;
	}
	freeze_add_place(p->f, p->path, at);
	return 0;
}

static int freeze_place(const struct place *p, struct err *e)
{
	struct nested n = {p, NULL};
	char *root = NULL;
	int rc = freeze_here(p, &root, e), dir;

	if (rc == 0 && !p->f->p->one_file_system) {
		n.root = root;
		dir = os_open(root, O_RDONLY | O_DIRECTORY, 0);
		rc = dir == -1 ? err_sys(e, "%s", root)
			       : os_subvolume_each(dir, freeze_nested, &n, e);
		os_close(dir);
	}
	free(root);
	return rc;
}

/* ---- */

/* Of a file, or a link, the folder that it is in; NULL: it is not there, as the backup will say. */
static char *folder_of(const char *path)
{
	char *folder = freeze_tidy(path), *slash = strrchr(folder, '/');
	struct stat st;

	if (os_fstatat(AT_FDCWD, folder, &st, AT_SYMLINK_NOFOLLOW) == -1) {
		free(folder);
		return NULL;
	}
	if (!S_ISDIR(st.st_mode))
		slash[slash == folder] = '\0';
	return folder;
}

int freeze_btrfs_begin(struct freeze *f, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < f->p->npaths && rc == 0; i++) {
		char *folder = folder_of(f->p->paths[i]);
		char *real = folder ? os_real_path(folder) : NULL;
		struct place p = {f, folder, real, 0};

		if (real != NULL) {
			rc = freeze_place(&p, e);
			if (rc == 0)
				rc = freeze_mounts(&p, e);
			if (rc == -1)
				err_wrap(e, "freeze %s", folder);
		}
		free(folder);
		free(real);
	}
	return rc;
}

int freeze_btrfs_end(struct freeze *f, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < f->nroots; i++) {
		struct frozen_root *r = &f->root[i];

		os_close(r->hold);
		if (r->name[0] != '\0' && os_subvolume_delete(r->dir, r->name, e) == -1) {
			rc = err_wrap(e, "%s", r->path);
			err_hint(e, "the next run tries to delete it again; it keeps disk space "
				    "in use until then");
		}
		os_close(r->dir);
		free(r->path);
	}
	f->nroots = 0;
	return rc;
}
