/* instant: see instant.h. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/instant_priv.h"
#include "engine/op_restore.h"
#include "repo/snapshot.h"
#include "os/os.h"
#include "os/os_child.h"

enum { HOLLOW_ABOVE = 1 << 20 };

/* ---- What the state has told. */

static int known_add(struct instant *in, uint32_t n, const char *path, struct err *e)
{
	if (n != in->nknown)
		return err_set(e, ERR_CORRUPT, "the numbers of its files are not in order");
	if (in->nknown == in->cap) {
		in->cap = in->cap ? 2 * in->cap : 64;
		in->known = mem_realloc(in->known, in->cap * sizeof *in->known);
	}
	in->known[in->nknown++] = (struct known){.path = mem_strdup(path)};
	instant_content_add(in->content, path);
	return 0;
}

/* The local file of a number; none where it is gone. */
static int known_open(struct instant *in, uint32_t n, uint64_t size, struct err *e)
{
	struct known *k = &in->known[n];
	int fd = os_open_beneath(in->dir, k->path, O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0);
	struct stat st;

	if (fd == -1 && errno == ENOENT)
		return 0;
	if (fd == -1 || os_fstat(fd, &st) == -1) {
		err_sys(e, "%s/%s", in->data, k->path);
		os_close(fd);
		return -1;
	}
	k->dev = st.st_dev;
	k->ino = st.st_ino;
	k->file = instant_file_new(n, fd, size, NULL, instant_content_fetch, in->content);
	instant_file_heard_cut(k->file, (uint64_t)st.st_size);
	return 0;
}

static int heard_file(void *arg, uint32_t n, uint64_t size, const char *path, struct err *e)
{
	struct instant *in = arg;

	if (known_add(in, n, path, e) == -1)
		return -1;
	return in->dir == -1 ? 0 : known_open(in, n, size, e);
}

static struct instant_file *heard_of(struct instant *in, uint32_t n)
{
	return n < in->nknown ? in->known[n].file : NULL;
}

static int heard_have(
    void *arg, uint32_t n, uint64_t first, uint64_t count, bool hard, struct err *e)
{
	struct instant_file *f = heard_of(arg, n);

	return f == NULL ? 0 : instant_file_heard(f, first, count, hard, e);
}

static int heard_cut(void *arg, uint32_t n, uint64_t limit, struct err *e)
{
	struct instant_file *f = heard_of(arg, n);

	if (f != NULL)
		instant_file_heard_cut(f, limit);
	return 0;
}

static int heard_done(void *arg, uint32_t n, struct err *e)
{
	struct instant *in = arg;

	if (n < in->nknown) {
		instant_file_unref(in->known[n].file);
		in->known[n].file = NULL;
	}
	return 0;
}

static int heard_lost(void *arg, uint32_t n, struct err *e)
{
	struct instant_file *f = heard_of(arg, n);

	if (f != NULL)
		instant_file_heard_lost(f);
	return 0;
}

static void known_fini(struct instant *in)
{
	for (size_t i = 0; i < in->nknown; i++) {
		instant_file_unref(in->known[i].file);
		free(in->known[i].path);
	}
	free(in->known);
	in->known = NULL;
	in->nknown = in->cap = 0;
}

/* From here on files are found by their inode. */
static void known_settle(struct instant *in)
{
	in->set = instant_set_new();
	instant_set_on_drop(in->set, instant_content_done, in->content);
	for (size_t i = 0; i < in->nknown; i++) {
		struct known *k = &in->known[i];
		struct stat st = {.st_dev = k->dev, .st_ino = k->ino};

		if (k->file == NULL)
			continue;
		instant_file_set_state(k->file, in->state);
		instant_set_add(in->set, &st, (uint32_t)i, k->path, k->file);
		k->file = NULL;
	}
	known_fini(in);
}

/* ---- Beginning. */

/* Path in the snapshot -> path below the folder. */
static int prepared(void *arg, const char *path, uint64_t size, struct err *e)
{
	struct instant *in = arg;
	size_t root = strcmp(in->root, "/") == 0 ? 0 : strlen(in->root);
	uint32_t n = (uint32_t)in->nknown;

	path += root;
	path += *path == '/';
	if (known_add(in, n, path, e) == -1)
		return -1;
	return instant_state_file(in->state, n, size, path, e);
}

static int prepare(struct instant *in, struct err *e)
{
	struct restore_params rp = {
	    .snapshot = in->snapshot,
	    .path = in->root,
	    .target = in->data,
	    .jobs = in->jobs,
	    .hollow_above = HOLLOW_ABOVE,
	    .hollow = prepared,
	    .hollow_arg = in,
	};
	struct restore_result res;

	if (instant_state_create(in->state_path, &in->snapshot->id, &in->state, e) == -1)
		return -1;
	if (op_restore(in->repo, &rp, in->ctx, &res, e) == -1)
		return -1;
	if (res.problems > 0)
		return err_set(e, res.damaged ? ERR_DAMAGE_FOUND : ERR_INCOMPLETE,
		    "%llu files could not be restored", (unsigned long long)res.problems);
	return instant_state_ready(in->state, e);
}

static int remove_all(const char *one, const char *other, struct ctx *ctx, struct err *e)
{
	const char *argv[] = {"rm", "-rf", "--one-file-system", "--", one, other, NULL};
	struct os_child c = {.argv = argv};
	int status;

	if (os_child_run(&c, ctx, &status, e) == -1)
		return -1;
	return status == 0 ? 0 : err_set(e, ERR_FAILED, "rm: status %d", status);
}

/* What an interrupted preparation has left is not worth keeping: it was not used yet. */
static int remove_work(struct instant *in, struct err *e)
{
	char *settled = mem_printf("%s/settled", in->work);
	int rc = 0;

	/* It is of another time, and of a folder that is gone. */
	if (os_unlinkat(AT_FDCWD, settled, 0) == -1 && errno != ENOENT)
		rc = err_sys(e, "remove %s", settled);
	free(settled);
	return rc == 0 ? remove_all(in->data, in->state_path, in->ctx, e) : -1;
}

int instant_discard(const char *target, struct ctx *ctx, struct err *e)
{
	char *work = instant_work(target), *ready = mem_printf("%s/ready", work);
	struct stat st;
	int rc = instant_fs_clear(target, e);

	if (rc == 0 && os_fstatat(AT_FDCWD, ready, &st, AT_SYMLINK_NOFOLLOW) == 0)
		rc = err_set(e, ERR_EXISTS, "%s holds what was recovered", work);
	else if (rc == 0 && errno != ENOENT)
		rc = err_sys(e, "%s", ready);
	if (rc == 0)
		rc = remove_all(work, NULL, ctx, e);
	free(ready);
	free(work);
	return rc;
}

static int open_data(struct instant *in, struct err *e)
{
	in->dir = os_open(in->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	return in->dir == -1 ? err_sys(e, "%s", in->data) : 0;
}

static const struct instant_heard *heard_by(struct instant *in, struct instant_heard *h)
{
	*h = (struct instant_heard){heard_file, heard_have, heard_cut, heard_done, heard_lost, in};
	return h;
}

/* 1: it goes on; 0: there is nothing to go on with; -1. */
static int resume(struct instant *in, struct err *e)
{
	struct instant_heard h;
	struct id of;
	bool ready;

	if (open_data(in, e) == -1) {
		if (e->kind != ERR_ABSENT)
			return -1;
		return 0;
	}
	if (instant_state_open(in->state_path, heard_by(in, &h), &of, &ready, &in->state, e) == -1)
		return e->kind == ERR_ABSENT ? 0 : -1;
	if (!ready)
		return 0;
	if (id_eq(&of, &in->snapshot->id))
		return 1;
	err_set(e, ERR_EXISTS, "%s: a recovery from another backup was begun here", in->target);
	return err_hint(e, "finish it (recover --finish), or remove %s", in->work);
}

static void forget_try(struct instant *in)
{
	known_fini(in);
	instant_state_close(in->state);
	in->state = NULL;
	os_close(in->dir);
	in->dir = -1;
	instant_content_free(in->content);
	in->content = instant_content_new(in->repo, in->snapshot, in->root);
}

/* Whether somebody was told that he may use it: nothing of it is ever thrown away then. */
static bool marked(const struct instant *in)
{
	char *path = mem_printf("%s/ready", in->work);
	struct stat st;
	bool is = os_fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;

	free(path);
	return is;
}

static int not_whole(const struct instant *in, struct err *e)
{
	return err_hint(e,
	    "what was written is in %s, where zeros stand for what did not come yet: keep a copy, "
	    "remove %s, and recover anew",
	    in->data, in->work);
}

static int begin(struct instant *in, struct err *e)
{
	int rc = resume(in, e);

	if (rc == 0 && marked(in))
		rc = err_set(e, ERR_CORRUPT,
		    "%s was in use, and its data or its state are not whole", in->work);
	if (rc == -1 && e->kind == ERR_CORRUPT)
		return not_whole(in, e);
	if (rc == 0) {
		forget_try(in);
		if (remove_work(in, e) == -1 || prepare(in, e) == -1)
			return -1;
		/* What was prepared is told once more, by what is on disk. */
		forget_try(in);
		rc = resume(in, e);
		if (rc == 0)
			rc = err_set(e, ERR_BUG, "%s: prepared, and not ready", in->work);
	}
	if (rc == -1)
		return -1;
	known_settle(in);
	return 0;
}

static int check_target(const char *target, struct err *e)
{
	char *up = NULL, *slash;
	struct stat st, above;
	int rc = -1;

	if (instant_fs_clear(target, e) == -1 || os_mkdirs(target, 0700, e) == -1)
		return -1;
	up = os_real_path(target);
	if (up == NULL || os_fstatat(AT_FDCWD, up, &st, 0) == -1) {
		err_sys(e, "%s", target);
		goto out;
	}
	slash = strrchr(up, '/');
	*(slash == up ? slash + 1 : slash) = '\0';
	if (os_fstatat(AT_FDCWD, up, &above, 0) == -1) {
		err_sys(e, "%s", up);
		goto out;
	}
	if (st.st_dev != above.st_dev) {
		err_set(e, ERR_UNSUPPORTED, "%s is a file system of its own", target);
		err_hint(e, "name a folder below it, or recover without --instant");
		goto out;
	}
	if (rmdir(target) == -1 && errno == ENOTEMPTY) {
		err_set(e, ERR_EXISTS, "%s is not empty", target);
		err_hint(e,
		    "what was recovered so far, if anything, is in %s.holdfast: empty %s, and "
		    "again",
		    target, target);
		goto out;
	}
	rc = os_mkdirs(target, 0700, e);
out:
	free(up);
	return rc;
}

static int take_lock(struct instant *in, struct err *e)
{
	char *path = mem_printf("%s/lock", in->work);
	bool busy = false;
	int rc = 0;

	in->lock = os_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (in->lock == -1)
		rc = err_sys(e, "%s", path);
	else if (os_lock(in->lock, false, &busy, e) == -1)
		rc = -1;
	else if (busy)
		rc = err_set(e, ERR_BUSY, "%s: somebody serves it", in->target);
	free(path);
	return rc == -1 ? -1 : instant_tell(in, UINT64_MAX, 0, e);
}

int instant_open(
    const struct instant_params *p, struct ctx *ctx, struct instant **out, struct err *e)
{
	struct instant *in = mem_zalloc(sizeof *in);

	in->repo = p->repo;
	in->ctx = ctx;
	in->jobs = p->jobs;
	in->root = mem_strdup(p->root);
	in->target = mem_strdup(p->target);
	in->lock = in->dir = -1;
	in->work = instant_work(p->target);
	in->data = mem_printf("%s/data", in->work);
	in->state_path = mem_printf("%s/state", in->work);
	if (snapshot_load(p->repo, &p->snapshot, &in->snapshot, e) == -1) {
		instant_close(in);
		return -1;
	}
	in->content = instant_content_new(in->repo, in->snapshot, in->root);
	/* The lock first: a mount that somebody serves is none that was left. */
	if (os_mkdirs(in->work, 0700, e) == -1 || take_lock(in, e) == -1 ||
	    check_target(p->target, e) == -1 || repo_index_load(p->repo, false, e) == -1 ||
	    begin(in, e) == -1) {
		instant_close(in);
		return -1;
	}
	instant_keep(in);
	*out = in;
	return 0;
}

void instant_close(struct instant *in)
{
	/* Who still reads through a mount may not lose what it reads from. */
	if (in == NULL || in->fs != NULL)
		return;
	known_fini(in);
	instant_set_free(in->set);
	instant_content_free(in->content);
	instant_state_close(in->state);
	os_close(in->dir);
	os_close(in->lock);
	snapshot_free(in->snapshot);
	free(in->root);
	free(in->target);
	free(in->state_path);
	free(in->data);
	free(in->work);
	free(in);
}

/* ---- In use. */

int instant_mount(struct instant *in, struct err *e)
{
	return instant_fs_mount(in->dir, in->set, in->state, in->target, in->ctx, &in->fs, e);
}

int instant_unmount(struct instant *in, struct err *e)
{
	if (in->fs != NULL && instant_fs_unmount(in->fs, e) == -1)
		return -1;
	in->fs = NULL;
	return 0;
}

int instant_mark(struct instant *in, struct err *e)
{
	char *path = mem_printf("%s/ready", in->work);
	int rc = os_file_replace(path, span_str(in->root), 0600, e);

	free(path);
	return rc;
}
