/*
 * op_mount: refuses bad places, lays snapshots out as directories, and serves
 * the kernel until somebody unmounts or interrupts.  The file system itself is
 * mount_fs.
 */
#include "engine/op_mount.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "engine/mount_fs.h"
#include "os/os.h"

enum {
	POLL_MS = 100, /* at most so long until an interruption is seen */
	NAME_SIZE = ID_HEX + 24,
};

/* ---- Where to mount. */

/* Is `path` the folder `dir` or inside it?  Both are resolved. */
static bool inside(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (strcmp(dir, "/") == 0)
		return true;
	return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static int refuse_repository(struct repo *r, const char *place, struct err *e)
{
	const char *url = repo_url(r);
	char *path = strncmp(url, "fs:", 3) == 0 ? realpath(url + 3, NULL) : NULL;
	int rc = 0;

	if (path == NULL)
		return 0;
	if (inside(place, path))
		rc = err_set(e, ERR_USAGE, "%s: is inside the repository %s", place, path);
	else if (inside(path, place))
		rc = err_set(e, ERR_USAGE, "%s: holds the repository %s", place, path);
	if (rc == -1)
		err_hint(e, "mount on an empty directory elsewhere");
	free(path);
	return rc;
}

static int refuse_full(const char *place, struct err *e)
{
	DIR *d = opendir(place);
	struct dirent *de;

	if (d == NULL)
		return err_sys(e, "%s", place);
	errno = 0;
	while ((de = readdir(d)) != NULL)
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			break;
	closedir(d);
	if (de == NULL)
		return 0;
	err_set(e, ERR_USAGE, "%s: is not empty", place);
	return err_hint(e, "mount on an empty directory: its content would be hidden");
}

/* The resolved mount point, new text, or NULL. */
static char *check_place(struct repo *r, const char *mountpoint, struct err *e)
{
	char *place = realpath(mountpoint, NULL);
	struct stat st;

	if (place == NULL || os_fstatat(AT_FDCWD, place, &st, 0) == -1) {
		int no = errno;

		err_sys(e, "%s", mountpoint);
		if (no == ENOENT) {
			e->kind = ERR_USAGE;
			err_hint(e, "make it first: mkdir -p %s", mountpoint);
		} else if (no == ENOTDIR) {
			e->kind = ERR_USAGE;
			err_hint(e, "the mount point must be a directory");
		} else if (no == ENOTCONN) {
			err_hint(e, "a mount was left here: fusermount3 -u %s", mountpoint);
		}
	} else if (!S_ISDIR(st.st_mode)) {
		err_set(e, ERR_USAGE, "%s: is not a directory", mountpoint);
		err_hint(e, "the mount point must be an empty directory");
	} else if (refuse_repository(r, place, e) == 0 && refuse_full(place, e) == 0) {
		return place;
	}
	free(place);
	return NULL;
}

static int check_system(struct err *e)
{
	struct stat st;

	if (os_fstatat(AT_FDCWD, "/dev/fuse", &st, 0) == -1) {
		err_set(e, ERR_UNSUPPORTED, "/dev/fuse: %s", strerror(errno));
		return err_hint(e, "modprobe fuse; a container needs --device /dev/fuse and "
				   "--cap-add SYS_ADMIN");
	}
	return mount_fuse_load(e);
}

/* ---- What to show. */

static struct entry dir_entry(int64_t time_ns)
{
	struct entry en = {.type = ENTRY_DIR, .mode = 0555, .uid = geteuid(), .gid = getegid()};

	en.mtime = time_ns / 1000000000;
	if (time_ns % 1000000000 < 0)
		en.mtime--;
	en.mtime_ns = (uint32_t)(time_ns - en.mtime * 1000000000);
	return en;
}

static struct mount_item *tree_item(
    const char *name, const struct snapshot *s, const struct snapshot_part *part)
{
	struct entry en = dir_entry(s->start_ns);
	struct tree_ref ref = {TREE_DIR, 0, 1, &part->tree};

	en.name = span_str(name);
	en.mode = 0755;
	return mount_item_new(&en, &ref);
}

/* A snapshot's root: its part, or a directory of its parts. */
static struct mount_item *snapshot_item(const char *name, const struct snapshot *s)
{
	struct entry like = dir_entry(s->start_ns);
	struct mount_list *l;

	if (s->nparts == 1 && s->parts[0].has_tree)
		return tree_item(name, s, &s->parts[0]);
	l = mount_list_new();
	for (size_t i = 0; i < s->nparts; i++) {
		const struct snapshot_part *part = &s->parts[i];

		if (part->has_tree && tree_name_valid(span_str(part->name)))
			mount_list_add(l, tree_item(part->name, s, part));
	}
	mount_list_sort(l);
	return mount_item_fixed(span_str(name), &like, l);
}

/* A snapshot's name in ids/ or times/. */
struct named {
	char name[ID_HEX];
	size_t at; /* in the list of all: by start time */
};

static void name_by_id(struct named *out, const struct snapshot *s)
{
	char hex[ID_HEX];

	snprintf(out->name, sizeof out->name, "%.8s", id_hex(hex, &s->id));
}

static void name_by_time(struct named *out, const struct snapshot *s)
{
	time_t t = (time_t)dir_entry(s->start_ns).mtime;
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL ||
	    strftime(out->name, sizeof out->name, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		snprintf(out->name, sizeof out->name, "%lld", (long long)t);
}

static int by_name(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c ? c : (x->at > y->at) - (x->at < y->at);
}

/* Which one is the latest; all->n if none. */
static size_t latest_of(const struct select_list *all)
{
	for (size_t i = all->n; i-- > 0;)
		if (select_counts(all->v[i]))
			return i;
	return all->n;
}

/* All snapshots below one name each; the latest's goes to latest[NAME_SIZE]. */
static struct mount_item *all_item(const char *dir, const struct select_list *all,
    void (*name)(struct named *, const struct snapshot *), char *latest)
{
	struct named *v = mem_alloc(all->n * sizeof *v);
	struct entry like = dir_entry(all->n ? all->v[all->n - 1]->start_ns : 0);
	struct mount_list *l = mount_list_new();
	size_t same = 0, last = latest_of(all);

	for (size_t i = 0; i < all->n; i++) {
		name(&v[i], all->v[i]);
		v[i].at = i;
	}
	if (all->n > 1)
		qsort(v, all->n, sizeof *v, by_name);
	for (size_t i = 0; i < all->n; i++) {
		char text[NAME_SIZE];

		same = i && strcmp(v[i].name, v[i - 1].name) == 0 ? same + 1 : 1;
		snprintf(text, sizeof text, same > 1 ? "%s-%zu" : "%s", v[i].name, same);
		if (v[i].at == last)
			strcpy(latest, text);
		mount_list_add(l, snapshot_item(text, all->v[v[i].at]));
	}
	mount_list_sort(l);
	free(v);
	return mount_item_fixed(span_str(dir), &like, l);
}

static struct mount_item *root_item(const struct select_list *all)
{
	struct entry like = dir_entry(all->n ? all->v[all->n - 1]->start_ns : 0), link = like;
	struct mount_list *l = mount_list_new();
	char latest[NAME_SIZE], target[NAME_SIZE + 8];

	mount_list_add(l, all_item("ids", all, name_by_id, latest));
	mount_list_add(l, all_item("times", all, name_by_time, latest));
	if (latest_of(all) < all->n) {
		snprintf(target, sizeof target, "times/%s", latest);
		link.type = ENTRY_SYMLINK;
		link.mode = 0777;
		link.name = span_str("latest");
		link.target = span_str(target);
		mount_list_add(l, mount_item_new(&link, &(struct tree_ref){TREE_NONE}));
	}
	mount_list_sort(l);
	return mount_item_fixed(span_str(""), &like, l);
}

/* ---- Serving. */

static int mount_failed(const struct mount_params *p, const char *place, struct err *e)
{
	int no = errno;
	const char *said = mount_fuse_said();

	err_set(e, no == EPERM || no == EACCES ? ERR_DENIED : ERR_FAILED, "mount on %s: %s", place,
	    *said ? said : "refused");
	e->sys = no;
	if (access("/dev/fuse", R_OK | W_OK) == -1)
		return err_hint(e, "this user may not open /dev/fuse");
	if (geteuid() == 0)
		return -1;
	return err_hint(e, "%s",
	    p->allow_other ? "--allow-other needs root, or user_allow_other in /etc/fuse.conf"
			   : "without root, fusermount3 (Debian: fuse3) must be installed");
}

static struct fuse_session *session_new(
    struct mount_fs *fs, const struct mount_params *p, struct err *e)
{
	char name[] = "holdfast", option[] = "-o", *argv[] = {name, option, NULL, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	struct fuse_session *se;

	argv[2] = mem_printf("ro,default_permissions,fsname=holdfast,subtype=holdfast%s",
	    p->allow_other ? ",allow_other" : "");
	se = mount_fuse.session_new(&args, &mount_fs_ops, sizeof mount_fs_ops, fs);
	mount_fuse.opt_free_args(&args);
	free(argv[2]);
	if (se == NULL)
		err_set(e, ERR_FAILED, "libfuse3: %s", mount_fuse_said());
	return se;
}

/*
 * Answer requests until unmounted.  The descriptor does not block, because a
 * request seen by poll may be taken back before it is read.
 */
static int serve(struct fuse_session *se, struct ctx *ctx, struct err *e)
{
	struct pollfd fd = {.fd = mount_fuse.session_fd(se), .events = POLLIN};
	struct fuse_buf buf = {.mem = NULL};
	int rc = 0;

	if (fcntl(fd.fd, F_SETFL, fcntl(fd.fd, F_GETFL) | O_NONBLOCK) == -1)
		return err_sys(e, "/dev/fuse");
	while (!mount_fuse.session_exited(se) && (rc = ctx_check(ctx, e)) == 0) {
		int n = poll(&fd, 1, POLL_MS);

		if (n == 0 || (n == -1 && errno == EINTR))
			continue;
		n = n == -1 ? -errno : mount_fuse.session_receive_buf(se, &buf);
		if (n == -EINTR || n == -EAGAIN)
			continue;
		if (n < 0) {
			rc = err_set(e, ERR_FAILED, "/dev/fuse: %s", strerror(-n));
			break;
		}
		if (n == 0)
			break;
		mount_fuse.session_process_buf(se, &buf);
	}
	free(buf.mem);
	return rc;
}

static int mount_and_serve(struct mount_fs *fs, const struct mount_params *p, const char *place,
    struct ctx *ctx, struct err *e)
{
	struct fuse_session *se = session_new(fs, p, e);
	int rc;

	if (se == NULL)
		return -1;
	if (mount_fuse.session_mount(se, place) == -1) {
		rc = mount_failed(p, place, e);
	} else {
		if (p->ready != NULL)
			p->ready(p->ready_arg);
		rc = serve(se, ctx, e);
		mount_fuse.session_unmount(se);
	}
	mount_fuse.session_destroy(se);
	return rc;
}

/* The domain of all of them, or 0 where they differ. */
static uint64_t common_domain(const struct select_list *l)
{
	for (size_t i = 1; i < l->n; i++)
		if (snapshot_domain(l->v[i]) != snapshot_domain(l->v[0]))
			return 0;
	return l->n ? snapshot_domain(l->v[0]) : 0;
}

int op_mount(struct repo *r, const struct mount_params *p, struct ctx *ctx, struct err *e)
{
	struct select_list all = {.v = NULL};
	struct reader *rd = NULL;
	struct mount_fs *fs = NULL;
	char *place = check_place(r, p->mountpoint, e);
	int rc = -1;

	if (place == NULL || check_system(e) == -1)
		goto out;
	if (select_all(r, &p->filter, ctx, &all, e) == -1 || repo_index_load(r, false, e) == -1)
		goto out;
	rd = reader_new(r);
	reader_keep_up(rd);
	reader_set_domain(rd, common_domain(&all));
	fs = mount_fs_new(root_item(&all), rd, ctx);
	rc = mount_and_serve(fs, p, place, ctx, e);
out:
	mount_fs_free(fs);
	reader_free(rd);
	select_list_fini(&all);
	free(place);
	return rc;
}
