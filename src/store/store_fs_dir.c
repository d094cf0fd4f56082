/*
 * store_fs_dir: the folders of a directory store: making them, walking them,
 * and sweeping what crashed writers left in tmp/.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/os.h"
#include "store/store_fs.h"

enum { ROOT_FOLDERS = 64 };

/* ---- folders ---- */

int fs_dir_open(struct store_fs *fs, const char *dir)
{
	return os_openat(fs->root, *dir ? dir : ".", O_RDONLY | O_DIRECTORY, 0);
}

int fs_fsync_dir(int fd)
{
	int rc = os_fsync(fd);

	/* Some network and FUSE file systems have no fsync for folders. */
	return rc == -1 && (errno == EINVAL || errno == EOPNOTSUPP) ? 0 : rc;
}

int fs_dir_sync(struct store_fs *fs, const char *dir)
{
	int fd = fs_dir_open(fs, dir);
	int rc;

	if (fd == -1)
		return -1;
	rc = fs_fsync_dir(fd);
	os_close(fd);
	return rc;
}

const char *fs_dir_of(const char *key, char *out)
{
	const char *slash = strrchr(key, '/');
	size_t n = slash ? (size_t)(slash - key) : 0;

	memcpy(out, key, n);
	out[n] = '\0';
	return out;
}

void fs_names_add(struct fs_names *names, const char *name)
{
	if (names->n == names->cap) {
		names->cap = names->cap ? 2 * names->cap : 16;
		names->v = mem_realloc(names->v, names->cap * sizeof *names->v);
	}
	names->v[names->n++] = mem_strdup(name);
}

static int names_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void fs_names_unique(struct fs_names *names)
{
	size_t kept = 0;

	if (names->n)
		qsort(names->v, names->n, sizeof *names->v, names_cmp);
	for (size_t i = 0; i < names->n; i++) {
		if (kept && strcmp(names->v[kept - 1], names->v[i]) == 0)
			free(names->v[i]);
		else
			names->v[kept++] = names->v[i];
	}
	names->n = kept;
}

void fs_names_fini(struct fs_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->v[i]);
	free(names->v);
	*names = (struct fs_names){0};
}

/* Index of dir among the known, or where it belongs; under the lock. */
static size_t folder_find(const struct store_fs *fs, const char *dir, bool *known)
{
	size_t lo = 0, hi = fs->folder_count;
	int c = 1;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if ((c = strcmp(fs->folders[mid], dir)) == 0) {
			*known = true;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*known = false;
	return lo;
}

static bool folder_known(struct store_fs *fs, const char *dir)
{
	bool known;

	pthread_mutex_lock(&fs->lock);
	folder_find(fs, dir, &known);
	pthread_mutex_unlock(&fs->lock);
	return known;
}

static void folder_remember(struct store_fs *fs, const char *dir)
{
	bool known;
	size_t i;

	pthread_mutex_lock(&fs->lock);
	i = folder_find(fs, dir, &known);
	if (!known) {
		if (fs->folder_count == fs->folder_cap) {
			fs->folder_cap = fs->folder_cap ? 2 * fs->folder_cap : 64;
			fs->folders = mem_realloc(
			    fs->folders, fs->folder_cap * sizeof *fs->folders);
		}
		memmove(fs->folders + i + 1, fs->folders + i,
		    (fs->folder_count - i) * sizeof *fs->folders);
		fs->folders[i] = mem_strdup(dir);
		fs->folder_count++;
	}
	pthread_mutex_unlock(&fs->lock);
}

/* Is it dir, or below it? */
static bool within(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return n == 0 || (strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/'));
}

void fs_dir_forget(struct store_fs *fs, const char *dir)
{
	size_t kept = 0;

	pthread_mutex_lock(&fs->lock);
	for (size_t i = 0; i < fs->folder_count; i++) {
		/* What is above it may be gone as well. */
		if (within(fs->folders[i], dir) || within(dir, fs->folders[i]))
			free(fs->folders[i]);
		else
			fs->folders[kept++] = fs->folders[i];
	}
	fs->folder_count = kept;
	pthread_mutex_unlock(&fs->lock);
}

void fs_dir_emptied(struct store_fs *fs, const char *key)
{
	enum { MANY = 2048 }; /* then look for doubles */
	char dir[STORE_KEY_MAX + 1];

	pthread_mutex_lock(&fs->lock);
	fs_names_add(&fs->emptied, fs_dir_of(key, dir));
	if (fs->emptied.n % MANY == 0)
		fs_names_unique(&fs->emptied);
	pthread_mutex_unlock(&fs->lock);
}

/* Make dir and what is above it; add what is new, and its parents, to the lists. */
static int make_parts(struct store_fs *fs, const char *dir, struct fs_names *made,
    struct fs_names *parents, struct err *e)
{
	char part[STORE_KEY_MAX + 1], above[STORE_KEY_MAX + 1];

	if (*dir == '\0' || folder_known(fs, dir))
		return 0;
	for (size_t n = 1; n <= strlen(dir); n++) {
		if (dir[n] != '/' && dir[n] != '\0')
			continue;
		memcpy(part, dir, n);
		part[n] = '\0';
		if (folder_known(fs, part))
			continue;
		if (os_mkdirat(fs->root, part, 0700) == -1 && errno != EEXIST)
			return fs_fail_write(fs, e, "make a folder");
		/* Who made it before us may have died before fsync. */
		fs_names_add(made, part);
		fs_names_add(parents, fs_dir_of(part, above));
	}
	return 0;
}

/* The folders at the root, few as they are: one fsync of it makes all that stand in it durable. */
static void root_folders(struct store_fs *fs, struct fs_names *out)
{
	struct dirent *x;
	bool read;
	DIR *d;
	int fd;

	pthread_mutex_lock(&fs->lock);
	read = fs->root_read;
	fs->root_read = true;
	pthread_mutex_unlock(&fs->lock);
	if (read)
		return;
	fd = fs_dir_open(fs, "");
	d = fd == -1 ? NULL : fdopendir(fd);
	while (d != NULL && out->n < ROOT_FOLDERS && (x = readdir(d)) != NULL)
		if (x->d_type == DT_DIR && x->d_name[0] != '.')
			fs_names_add(out, x->d_name);
	if (d != NULL)
		closedir(d);
	else
		os_close(fd);
}

int fs_dirs_make(struct store_fs *fs, const struct fs_names *dirs, struct err *e)
{
	struct fs_names made = {0}, parents = {0};
	int rc = 0;

	for (size_t i = 0; i < dirs->n && rc == 0; i++)
		rc = make_parts(fs, dirs->v[i], &made, &parents, e);
	fs_names_unique(&parents);
	if (parents.n > 0 && parents.v[0][0] == '\0' && rc == 0)
		root_folders(fs, &made);
	for (size_t i = 0; i < parents.n && rc == 0; i++)
		if (fs_dir_sync(fs, parents.v[i]) == -1)
			rc = fs_fail_write(fs, e, "fsync a new folder's parent");
	for (size_t i = 0; i < made.n && rc == 0; i++)
		folder_remember(fs, made.v[i]);
	fs_names_fini(&made);
	fs_names_fini(&parents);
	return rc;
}

int fs_dir_make(struct store_fs *fs, const char *dir, struct err *e)
{
	char *one = (char *)dir;

	return fs_dirs_make(fs, &(struct fs_names){.v = &one, .n = 1}, e);
}

/* The length of what exists of a path: whole components; 0 is ".". */
static size_t existing_part(char *path)
{
	size_t n = strlen(path);
	struct stat st;

	while (n > 0) {
		char c = path[n];
		int rc;

		path[n] = '\0';
		rc = os_fstatat(AT_FDCWD, path, &st, 0);
		path[n] = c;
		if (rc == 0)
			break;
		while (n > 0 && path[n - 1] != '/')
			n--;
		while (n > 1 && path[n - 1] == '/')
			n--;
	}
	return n;
}

static int path_sync(const char *path, size_t n, struct err *e)
{
	char *dir = n ? mem_strndup(path, n) : mem_strdup(".");
	int fd = os_open(dir, O_RDONLY | O_DIRECTORY, 0);
	int rc = fd == -1 ? -1 : fs_fsync_dir(fd);

	if (rc == -1)
		err_sys(e, "%s: fsync", dir);
	os_close(fd);
	free(dir);
	return rc;
}

int fs_root_make(const char *path, struct err *e)
{
	char *copy = mem_strdup(path);
	size_t len = strlen(copy), n;
	int rc;

	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	n = existing_part(copy);
	rc = os_mkdirs(copy, 0700, e);
	/* Each new name is durable once the folder it is in is. */
	while (rc == 0 && n < len) {
		rc = path_sync(copy, n, e);
		while (copy[n] == '/')
			n++;
		while (copy[n] && copy[n] != '/')
			n++;
	}
	free(copy);
	return rc;
}

/* ---- list ---- */

struct walk {
	struct store_fs *fs;
	store_visit *visit;
	void *arg;
};

static int walk_dir(struct walk *w, const char *dir, struct err *e);

static int walk_entry(struct walk *w, int fd, const char *key, const char *name, struct err *e)
{
	struct store_stat out = {0};
	struct stat st;

	if (os_fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : fs_fail(w->fs, e, "stat");
	if (S_ISDIR(st.st_mode))
		return walk_dir(w, key, e);
	if (!S_ISREG(st.st_mode))
		return 0;
	out.size = (uint64_t)st.st_size;
	out.mtime_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
	return w->visit(w->arg, key, &out, e);
}

static int walk_open(struct walk *w, const char *dir, DIR **d, struct err *e)
{
	int fd = fs_dir_open(w->fs, dir);

	*d = NULL;
	if (fd == -1) {
		int no = errno;

		fs_fail(w->fs, e, "open a folder");
		return no == ENOTDIR || e->kind == ERR_ABSENT ? 0 : -1;
	}
	if ((*d = fdopendir(fd)) == NULL) {
		fs_fail(w->fs, e, "open a folder");
		os_close(fd);
		return -1;
	}
	return 0;
}

static int walk_dir(struct walk *w, const char *dir, struct err *e)
{
	struct dirent *ent;
	DIR *d;
	int rc;

	if ((rc = walk_open(w, dir, &d, e)) == -1 || d == NULL)
		return rc;
	while (rc == 0) {
		char *key;

		errno = 0;
		if ((ent = readdir(d)) == NULL) {
			if (errno)
				rc = fs_fail(w->fs, e, "read a folder");
			break;
		}
		key = mem_printf("%s%s%s", dir, *dir ? "/" : "", ent->d_name);
		/* Strangers' names, and our own tmp/, are no objects. */
		if (store_key_valid(key))
			rc = walk_entry(w, dirfd(d), key, ent->d_name, e);
		free(key);
	}
	closedir(d);
	return rc;
}

int fs_list(struct store *s, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	struct walk w = {(struct store_fs *)s, visit, arg};
	char dir[STORE_KEY_MAX + 1];

	return walk_dir(&w, fs_dir_of(prefix, dir), e);
}

/* ---- sweep ---- */

static int sweep_one(struct store_fs *fs, int dir, const char *name, int64_t before,
    uint64_t *removed, struct err *e)
{
	size_t n = strlen(name), m = strlen(fs->mark);
	struct stat st;

	if (strncmp(name, FS_TMP_PREFIX, strlen(FS_TMP_PREFIX)) != 0)
		return 0;
	if (n > m && strcmp(name + n - m, fs->mark) == 0)
		return 0; /* our own, in use */
	if (os_fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : fs_fail(fs, e, "stat a temporary file");
	if (!S_ISREG(st.st_mode) ||
	    st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec > before)
		return 0;
	if (os_unlinkat(dir, name, 0) == 0)
		(*removed)++;
	else if (errno != ENOENT)
		return fs_fail(fs, e, "remove a temporary file");
	return 0;
}

static int fs_sweep(struct store_fs *fs, int64_t older_than_ns, uint64_t *removed, struct err *e)
{
	struct clock *clock = os_clock();
	int64_t before = clock->wall_ns(clock) - older_than_ns;
	struct walk w = {fs, NULL, NULL};
	struct dirent *ent;
	DIR *d;
	int rc;

	if ((rc = walk_open(&w, FS_TMP_DIR, &d, e)) == -1 || d == NULL)
		return rc;
	while (rc == 0 && (ent = readdir(d)))
		rc = sweep_one(fs, dirfd(d), ent->d_name, before, removed, e);
	closedir(d);
	return rc;
}

int store_tmp_sweep(struct store *s, int64_t older_than_ns, uint64_t *removed, struct err *e)
{
	*removed = 0;
	while (s->under)
		s = s->under;
	if (s->ops->list != fs_list)
		return 0;
	if (fs_sweep((struct store_fs *)s, older_than_ns, removed, e) == -1)
		return err_wrap(e, "%s: sweep", s->url);
	return 0;
}
