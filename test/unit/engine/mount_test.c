/*
 * A repository is made from a folder and mounted by a child process; what the
 * mount shows is compared with the folder.  Without /dev/fuse or fusermount3
 * what needs a mount is skipped.
 */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>

#include "base/mem.h"
#include "engine/mount_tree.h"
#include "engine/op_backup.h"
#include "engine/op_mount.h"
#include "os/os.h"

#if defined(__SANITIZE_ADDRESS__)
#define LEAKS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEAKS 1
#endif
#endif
#ifdef LEAKS
int __lsan_do_recoverable_leak_check(void);
#endif

enum { WAIT_MS = 20000, START = 1700000000 };

struct world {
	char *dir, *src, *store, *mnt;
	struct clock clock;
	struct ctx ctx;
	struct repo *repo;
	pid_t child; /* 0: none */
	int say;     /* from the child: "R" once mounted, then events' paths */
	struct err e;
};

#define OK(w, call)                                                                                \
	do {                                                                                       \
		if ((call) != 0)                                                                   \
			fail_msg("line %d: %s: %s", __LINE__, #call, (w)->e.msg);                  \
	} while (0)

/* ---- A world: folder, repository, mount point. */

static int64_t now_s; /* moves with each backup, unless a test stops it */

static int64_t our_wall(struct clock *c)
{
	return now_s * 1000000000;
}

static int64_t real_mono(struct clock *c)
{
	return os_clock()->mono_ns(os_clock());
}

static int drop(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static int world_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct world *w = mem_zalloc(sizeof *w);
	struct repo_init_params init = {
	    .cred = {true, span_of("0123456789abcdef0123456789abcdef", 32)}};
	struct store *s;

	*state = w;
	now_s = START;
	w->dir = mem_printf("%s/hf-mount-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	w->say = -1;
	w->clock = (struct clock){our_wall, real_mono};
	w->ctx.clock = &w->clock;
	if (mkdtemp(w->dir) == NULL)
		return -1;
	w->src = mem_printf("%s/src", w->dir);
	w->store = mem_printf("%s/store", w->dir);
	w->mnt = mem_printf("%s/mnt", w->dir);
	if (mkdir(w->src, 0755) == -1 || mkdir(w->mnt, 0755) == -1 ||
	    store_open(w->store, true, &w->ctx, &s, &w->e) == -1 ||
	    repo_init(s, &init, NULL, &w->ctx, &w->repo, &w->e) == -1) {
		print_error("%s\n", w->e.msg);
		return -1;
	}
	return 0;
}

static int world_teardown(void **state)
{
	struct world *w = *state;

	if (w->child > 0) {
		kill(w->child, SIGKILL);
		waitpid(w->child, NULL, 0);
	}
	umount2(w->mnt, MNT_DETACH); /* EINVAL if nothing is mounted */
	if (w->say != -1)
		close(w->say);
	repo_close(w->repo);
	nftw(w->dir, drop, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	free(w->dir);
	free(w->src);
	free(w->store);
	free(w->mnt);
	free(w);
	return 0;
}

static char *path_in(const char *dir, const char *name)
{
	return mem_printf("%s/%s", dir, name);
}

static void write_at(const char *path, uint64_t seed, off_t off, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	uint8_t *p = mem_alloc(n);

	unit_rand_fill(&seed, p, n);
	assert_int_not_equal(fd, -1);
	assert_int_equal(os_pwrite_all(fd, p, n, off), 0);
	assert_int_equal(close(fd), 0);
	free(p);
}

static void put_file(struct world *w, const char *name, size_t n)
{
	char *path = path_in(w->src, name);

	write_at(path, n + 1, 0, n);
	free(path);
}

static void put_dir(struct world *w, const char *name)
{
	char *path = path_in(w->src, name);

	assert_int_equal(mkdir(path, 0755), 0);
	free(path);
}

static void backup(struct world *w, const char *tag)
{
	const char *paths[] = {w->src};
	struct backup_params p = {.paths = paths,
	    .npaths = 1,
	    .host = "here",
	    .tags = &tag,
	    .ntags = tag ? 1 : 0,
	    .codec = CODEC_ZSTD,
	    .level = 1,
	    .jobs = 2};
	struct backup_result r;

	OK(w, op_backup(w->repo, &p, &w->ctx, &r, &w->e));
	assert_int_equal(r.stats.errors, 0);
	now_s++;
}

/* ---- The child. */

static struct ctx *child_ctx;
static int child_say;

static void on_term(int sig)
{
	atomic_store(&child_ctx->cancel, true);
}

static void say_ready(void *arg)
{
	assert_int_equal(write(child_say, "R\n", 2), 2);
}

static void say_event(struct ctx *ctx, const struct event *ev)
{
	if (ev->id == EVENT_OBJECT_DAMAGED)
		dprintf(child_say, "D %.*s\n", (int)ev->path.n, (const char *)ev->path.p);
}

static void child_main(struct world *w, const struct select_filter *f)
{
	struct mount_params p = {.mountpoint = w->mnt, .filter = *f, .ready = say_ready};
	int rc;

	child_ctx = &w->ctx;
	w->ctx.sink = say_event;
	signal(SIGTERM, on_term);
	rc = op_mount(w->repo, &p, &w->ctx, &w->e);
	if (rc == -1 && w->e.kind != ERR_CANCELLED)
		dprintf(child_say, "%s\n", w->e.msg);
	rc = rc == 0 ? 0 : w->e.kind == ERR_CANCELLED ? 2 : 1;
#ifdef LEAKS
	if (__lsan_do_recoverable_leak_check())
		rc = 3;
#endif
	_exit(rc);
}

/* The next line that the child says; "" at its end. */
static void hear(struct world *w, char *line, size_t size)
{
	struct pollfd fd = {w->say, POLLIN, 0};
	size_t n = 0;

	while (n + 1 < size) {
		if (poll(&fd, 1, WAIT_MS) != 1)
			fail_msg("the mount says nothing");
		if (read(w->say, line + n, 1) != 1 || line[n] == '\n')
			break;
		n++;
	}
	line[n] = '\0';
}

static void need_fuse(void)
{
	const char *ci = getenv("CI");

	if (access("/dev/fuse", R_OK | W_OK) == -1)
		skip();
	if (access("/usr/bin/fusermount3", X_OK) == 0 || access("/bin/fusermount3", X_OK) == 0)
		return;
	if (ci && strcmp(ci, "true") == 0)
		fail_msg("fusermount3 is missing");
	skip();
}

static void mount_with(struct world *w, const struct select_filter *f)
{
	char line[1024];
	int fd[2];

	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	fflush(NULL);
	w->child = fork();
	assert_int_not_equal(w->child, -1);
	if (w->child == 0) {
		close(fd[0]);
		child_say = fd[1];
		child_main(w, f);
	}
	close(fd[1]);
	w->say = fd[0];
	hear(w, line, sizeof line);
	assert_string_equal(line, "R");
}

static void mount_all(struct world *w)
{
	mount_with(w, &(struct select_filter){NULL});
}

/* The child's exit status: 0 unmounted, 2 interrupted. */
static void expect_end(struct world *w, int want)
{
	int status = -1;

	/* It closes its end when it ends. */
	for (char line[1024] = "x"; *line;)
		hear(w, line, sizeof line);
	assert_int_equal(waitpid(w->child, &status, 0), w->child);
	w->child = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), want);
}

static bool is_mounted(struct world *w)
{
	struct stat a, b;

	assert_int_equal(stat(w->dir, &a), 0);
	assert_int_equal(stat(w->mnt, &b), 0);
	return a.st_dev != b.st_dev;
}

/* Ends the mount, as a user would interrupt it. */
static void unmount(struct world *w)
{
	assert_int_equal(kill(w->child, SIGTERM), 0);
	expect_end(w, 2);
	assert_false(is_mounted(w));
}

static char *mounted(struct world *w, const char *name)
{
	return mem_printf("%s/latest%s/%s", w->mnt, w->src, name);
}

/* ---- Comparing. */

static void same_content(const char *a, const char *b)
{
	struct buf x = {0}, y = {0};
	struct err e;

	if (os_read_file(a, 64 << 20, &x, &e) == -1 || os_read_file(b, 64 << 20, &y, &e) == -1)
		fail_msg("%s", e.msg);
	if (!span_eq(buf_span(&x), buf_span(&y)))
		fail_msg("%s and %s differ", a, b);
	buf_fini(&x);
	buf_fini(&y);
}

static void same_xattrs(const char *a, const char *b)
{
	char x[1024], y[1024], v[1024], u[1024];
	ssize_t n = llistxattr(a, x, sizeof x), m = llistxattr(b, y, sizeof y);

	assert_int_equal(n, m);
	for (char *name = x; name < x + n; name += strlen(name) + 1) {
		ssize_t len = lgetxattr(a, name, v, sizeof v);

		assert_int_equal(lgetxattr(b, name, NULL, 0), len);
		assert_int_equal(lgetxattr(b, name, u, sizeof u), len);
		assert_memory_equal(u, v, (size_t)len);
	}
}

static void same_facts(const char *a, const char *b, const struct stat *x)
{
	char to[256] = "", to2[256] = "";
	struct stat y;

	if (lstat(b, &y) == -1)
		fail_msg("%s: %s", b, strerror(errno));
	assert_int_equal(x->st_mode, y.st_mode);
	assert_int_equal(x->st_uid, y.st_uid);
	assert_int_equal(x->st_gid, y.st_gid);
	assert_int_equal(x->st_mtim.tv_sec, y.st_mtim.tv_sec);
	assert_int_equal(x->st_mtim.tv_nsec, y.st_mtim.tv_nsec);
	assert_int_equal(y.st_nlink, 1);
	if (S_ISREG(x->st_mode)) {
		assert_int_equal(x->st_size, y.st_size);
		same_content(a, b);
	} else if (S_ISLNK(x->st_mode)) {
		assert_int_equal(x->st_size, y.st_size);
		assert_int_equal(readlink(a, to, sizeof to - 1), readlink(b, to2, sizeof to2 - 1));
		assert_string_equal(to, to2);
	} else if (S_ISCHR(x->st_mode)) {
		assert_int_equal(x->st_rdev, y.st_rdev);
	}
	same_xattrs(a, b);
}

static struct world *comparing;

static int compare_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	char *other = mem_printf("%s/latest%s", comparing->mnt, path);

	same_facts(path, other, st);
	free(other);
	return 0;
}

static size_t count_names(const char *path)
{
	DIR *d = opendir(path);
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* ---- Tests. */

/* user::rw-, user:1:r--, group::---, mask::rw-, other::--- */
static const uint8_t acl[] = {2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 1, 0, 0, 0, 4,
    0, 0, 0, 255, 255, 255, 255, 16, 0, 6, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255};

static void shows_what_was_backed_up(void **state)
{
	struct world *w = *state;
	char *path;

	need_fuse();
	put_file(w, "empty", 0);
	put_file(w, "small", 1000);
	put_file(w, "big", 9000001);
	put_dir(w, "sub");
	put_dir(w, "sub/empty");
	put_file(w, "sub/one", 5);
	path = path_in(w->src, "sub/link");
	assert_int_equal(symlink("../small", path), 0);
	free(path);
	path = path_in(w->src, "fifo");
	assert_int_equal(mkfifo(path, 0640), 0);
	free(path);
	path = path_in(w->src, "dev"); /* only root can */
	mknod(path, S_IFCHR | 0600, makedev(1, 300));
	free(path);
	path = path_in(w->src, "small");
	setxattr(path, "user.colour", "blue", 4, 0); /* perhaps the file system has none */
	setxattr(path, "user.empty", "", 0, 0);
	setxattr(path, "system.posix_acl_access", acl, sizeof acl, 0);
	free(path);
	backup(w, NULL);
	mount_all(w);
	comparing = w;
	assert_int_equal(nftw(w->src, compare_one, 32, FTW_PHYS), 0);
	path = mounted(w, "");
	assert_int_equal(count_names(path), count_names(w->src));
	free(path);
	path = mounted(w, "nothing");
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(errno, ENOENT);
	free(path);
	path = mounted(w, "small");
	assert_int_equal(getxattr(path, "user.none", NULL, 0), -1);
	assert_int_equal(errno, ENODATA);
	assert_int_equal(open(path, O_WRONLY | O_CLOEXEC), -1);
	assert_int_equal(errno, EROFS);
	free(path);
	unmount(w);
}

static void reads_any_range_of_a_sparse_file(void **state)
{
	struct world *w = *state;
	char *a = path_in(w->src, "sparse"), *b;
	uint8_t *x = mem_alloc(3 << 20), *y = mem_alloc(3 << 20);
	uint64_t rand = 1;
	int fa, fb;

	need_fuse();
	write_at(a, 1, 1 << 20, 3000000);
	write_at(a, 2, 20 << 20, 65536);
	assert_int_equal(truncate(a, 24 << 20), 0);
	backup(w, NULL);
	mount_all(w);
	b = mounted(w, "sparse");
	same_content(a, b);
	fa = open(a, O_RDONLY | O_CLOEXEC);
	fb = open(b, O_RDONLY | O_CLOEXEC | O_DIRECT); /* past the kernel's cache */
	if (fb == -1)
		fb = open(b, O_RDONLY | O_CLOEXEC);
	assert_true(fa != -1 && fb != -1);
	for (int i = 0; i < 200; i++) {
		off_t off = (off_t)(unit_rand(&rand) % (25 << 20));
		size_t n = unit_rand(&rand) % (i % 2 ? 3 << 20 : 5000);
		ssize_t got = os_pread_full(fa, x, n, off);

		assert_int_equal(os_pread_full(fb, y, n, off), got);
		assert_memory_equal(x, y, (size_t)got);
	}
	close(fa);
	close(fb);
	unmount(w);
	free(a);
	free(b);
	free(x);
	free(y);
}

enum { MANY = 5000 };

static void lists_each_of_5000_entries_once(void **state)
{
	struct world *w = *state;
	bool *seen = mem_zalloc(MANY);
	struct dirent *de;
	char *path, name[32], at[NAME_MAX + 1];
	size_t n = 0;
	long half = 0;
	DIR *d;

	need_fuse();
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof name, "file-%d", i);
		put_file(w, name, i % 3);
	}
	backup(w, NULL);
	mount_all(w);
	path = mounted(w, "");
	d = opendir(path);
	assert_non_null(d);
	while ((de = readdir(d)) != NULL) {
		struct stat st;
		int i;

		if (sscanf(de->d_name, "file-%d", &i) != 1)
			continue;
		assert_true(i >= 0 && i < MANY && !seen[i]);
		seen[i] = true;
		assert_int_equal(fstatat(dirfd(d), de->d_name, &st, 0), 0);
		assert_int_equal(st.st_ino, de->d_ino);
		assert_int_equal(st.st_size, i % 3);
		if (++n == MANY / 2)
			half = telldir(d);
		if (n == MANY / 2 + 1)
			strcpy(at, de->d_name);
	}
	assert_int_equal(n, MANY);
	seekdir(d, half);
	assert_string_equal(readdir(d)->d_name, at);
	closedir(d);
	/* In another opening, a place is the same. */
	d = opendir(path);
	assert_non_null(readdir(d));
	seekdir(d, half);
	assert_string_equal(readdir(d)->d_name, at);
	closedir(d);
	unmount(w);
	free(path);
	free(seen);
}

static void names_snapshots_by_id_and_time(void **state)
{
	struct world *w = *state;
	time_t start = START;
	char first[64], *path, to[256] = "";
	struct tm tm;

	need_fuse();
	for (int i = 0; i < 3; i++) {
		now_s = START;
		backup(w, "a");
	}
	mount_all(w);
	path = path_in(w->mnt, "ids");
	assert_int_equal(count_names(path), 5);
	free(path);
	strftime(first, sizeof first, "%Y-%m-%dT%H:%M:%S", localtime_r(&start, &tm));
	for (int i = 1; i <= 3; i++) {
		path = i == 1 ? mem_printf("%s/times/%s", w->mnt, first)
			      : mem_printf("%s/times/%s-%d", w->mnt, first, i);
		if (access(path, F_OK) == -1)
			fail_msg("%s: %s", path, strerror(errno));
		free(path);
	}
	path = path_in(w->mnt, "latest");
	assert_int_not_equal(readlink(path, to, sizeof to - 1), -1);
	assert_int_equal(strlen(to), strlen("times/") + strlen(first) + 2);
	assert_memory_equal(to + 6, first, strlen(first));
	assert_string_equal(to + 6 + strlen(first), "-3");
	free(path);
	unmount(w);
}

static void latest_is_not_from_the_future(void **state)
{
	struct world *w = *state;
	char *path = path_in(w->mnt, "latest"), *times = path_in(w->mnt, "times");
	struct stat st;

	need_fuse();
	backup(w, NULL);
	now_s += (int64_t)100 * 365 * 86400;
	backup(w, NULL);
	mount_all(w);
	assert_int_equal(count_names(times), 4);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, START);
	unmount(w);
	free(path);
	free(times);
}

static void shows_only_what_the_filter_passes(void **state)
{
	struct world *w = *state;
	const char *tag = "b";
	char *path = path_in(w->mnt, "ids");

	need_fuse();
	backup(w, "a");
	backup(w, "b");
	mount_with(w, &(struct select_filter){.tags = &tag, .ntags = 1});
	assert_int_equal(count_names(path), 3);
	unmount(w);
	close(w->say);
	tag = "c";
	mount_with(w, &(struct select_filter){.tags = &tag, .ntags = 1});
	assert_int_equal(count_names(path), 2);
	free(path);
	path = path_in(w->mnt, "latest");
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(count_names(w->mnt), 4);
	unmount(w);
	free(path);
}

static void ends_when_unmounted(void **state)
{
	struct world *w = *state;
	char *command = mem_printf("fusermount3 -u '%s'", w->mnt);

	need_fuse();
	backup(w, NULL);
	mount_all(w);
	assert_true(is_mounted(w));
	assert_int_equal(system(command), 0);
	expect_end(w, 0);
	assert_false(is_mounted(w));
	free(command);
}

static void unmounts_when_cancelled_with_files_open(void **state)
{
	struct world *w = *state;
	char *path, b[10];
	int fd, dir;

	need_fuse();
	put_file(w, "f", 100000);
	backup(w, NULL);
	mount_all(w);
	path = mounted(w, "f");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	dir = open(w->mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd != -1 && dir != -1);
	assert_int_equal(read(fd, b, 10), 10);
	unmount(w);
	close(fd);
	close(dir);
	free(path);
}

static char *largest;
static off_t largest_size;

static int find_largest(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	if (flag == FTW_F && st->st_size > largest_size) {
		free(largest);
		largest = mem_strdup(path);
		largest_size = st->st_size;
	}
	return 0;
}

static void damage_is_an_io_error_and_told(void **state)
{
	struct world *w = *state;
	char *bad, *good, *want, line[1024], *p = mem_alloc(3 << 20);
	int fd;

	need_fuse();
	put_file(w, "bad", 3 << 20);
	backup(w, NULL);
	largest_size = 0;
	assert_int_equal(nftw(w->store, find_largest, 16, FTW_PHYS), 0);
	assert_true(largest_size > 2 << 20);
	put_file(w, "good", 5000);
	backup(w, NULL);
	write_at(largest, 7, largest_size / 2, 100);
	mount_all(w);
	bad = mounted(w, "bad");
	good = mounted(w, "good");
	fd = open(bad, O_RDONLY | O_CLOEXEC);
	assert_int_not_equal(fd, -1);
	assert_int_equal(os_pread_full(fd, p, 3 << 20, 0), -1);
	assert_int_equal(errno, EIO);
	close(fd);
	hear(w, line, sizeof line);
	want = mem_printf("%s/bad", w->src);
	assert_true(strncmp(line, "D /times/", 9) == 0);
	assert_non_null(strstr(line, want));
	fd = open(good, O_RDONLY | O_CLOEXEC);
	assert_int_not_equal(fd, -1);
	assert_int_equal(os_pread_full(fd, p, 5000, 0), 5000);
	close(fd);
	unmount(w);
	free(bad);
	free(good);
	free(want);
	free(p);
	free(largest);
	largest = NULL;
}

static void refused(struct world *w, const char *place, const char *why)
{
	struct mount_params p = {.mountpoint = place};

	assert_int_equal(op_mount(w->repo, &p, &w->ctx, &w->e), -1);
	if (w->e.kind != ERR_USAGE || strstr(w->e.msg, why) == NULL || w->e.hint[0] == '\0')
		fail_msg("%s: %s: %s", place, w->e.msg, w->e.hint);
}

static void refuses_bad_mount_points(void **state)
{
	struct world *w = *state;
	char *missing = path_in(w->dir, "missing"), *file = path_in(w->src, "f");
	char *in = path_in(w->store, "in"), *link = path_in(w->dir, "link");
	char *below = path_in(file, "x");

	put_file(w, "f", 1);
	assert_int_equal(mkdir(in, 0755), 0);
	assert_int_equal(symlink(in, link), 0);
	refused(w, missing, "No such file");
	refused(w, file, "not a directory");
	refused(w, below, "Not a directory");
	refused(w, w->src, "not empty");
	refused(w, w->store, "inside the repository");
	refused(w, in, "inside the repository");
	refused(w, link, "inside the repository");
	refused(w, w->dir, "holds the repository");
	assert_false(is_mounted(w));
	free(missing);
	free(file);
	free(in);
	free(link);
	free(below);
}

/* A made-up directory of n empty directories. */
static struct mount_item *made_up(const char *name, unsigned n)
{
	struct entry en = {.mode = 0755};
	struct mount_list *l = mount_list_new();

	for (unsigned i = 0; i < n; i++) {
		char text[16];

		snprintf(text, sizeof text, "%u", i);
		mount_list_add(l, mount_item_fixed(span_str(text), &en, mount_list_new()));
	}
	mount_list_sort(l);
	return mount_item_fixed(span_str(name), &en, l);
}

static void forgotten_nodes_go_and_keep_their_numbers(void **state)
{
	struct ctx ctx = {.clock = NULL};
	struct mount_tree *t = mount_tree_new(made_up("", MANY), NULL, &ctx);
	struct mount_node *root = mount_tree_node(t, 1), *n, *below;
	struct entry en = {.mode = 0755};
	struct mount_item *it = mount_item_fixed(span_str("x"), &en, mount_list_new());
	struct mount_list *l = mount_tree_list(t, root);
	uint64_t *ino = mem_alloc(MANY * sizeof *ino);

	for (size_t i = 0; i < MANY; i++)
		ino[i] = mount_tree_enter(t, root, l->v[i])->ino;
	assert_int_equal(mount_tree_count(t), MANY + 1);
	/* What has something below it stays until that goes. */
	n = mount_tree_node(t, ino[0]);
	below = mount_tree_enter(t, n, it);
	mount_tree_forget(t, n, 1);
	assert_ptr_equal(mount_tree_node(t, ino[0]), n);
	mount_tree_forget(t, below, 1);
	assert_null(mount_tree_node(t, ino[0]));
	/* Nobody can forget more than he was told, nor the root. */
	for (size_t i = 1; i < MANY; i++)
		mount_tree_forget(t, mount_tree_node(t, ino[i]), i % 2 ? 1 : 1000);
	mount_tree_forget(t, root, 5);
	assert_int_equal(mount_tree_count(t), 1);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(mount_tree_enter(t, root, l->v[i])->ino, ino[i]);
	mount_list_unref(l);
	mount_item_unref(it);
	mount_tree_free(t);
	free(ino);
}

#define WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD(shows_what_was_backed_up),
	    WORLD(reads_any_range_of_a_sparse_file),
	    WORLD(lists_each_of_5000_entries_once),
	    WORLD(names_snapshots_by_id_and_time),
	    WORLD(latest_is_not_from_the_future),
	    WORLD(shows_only_what_the_filter_passes),
	    WORLD(ends_when_unmounted),
	    WORLD(unmounts_when_cancelled_with_files_open),
	    WORLD(damage_is_an_io_error_and_told),
	    WORLD(refuses_bad_mount_points),
	    cmocka_unit_test(forgotten_nodes_go_and_keep_their_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
