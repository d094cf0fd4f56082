/* instant_fs: see instant_fs.h; the requests themselves are instant_ops.c's. */
#include "engine/instant_fs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/instant_fs_priv.h"
#include "os/os.h"
#include "os/os_child.h"

enum { PRIORITY = -10, AT_FIRST = 4 };

static void *serve(void *arg);

/* One more thread that waits for requests, if it can be had; under the lock. */
static void one_more(struct instant_fs *fs)
{
	if (fs->nthreads == INSTANT_FS_THREADS ||
	    pthread_create(&fs->thread[fs->nthreads], NULL, serve, fs) != 0)
		return;
	fs->nthreads++;
	fs->idle++;
}

/* A request came: somebody has to wait for the next. */
static void busy(struct instant_fs *fs)
{
	pthread_mutex_lock(&fs->lock);
	if (--fs->idle == 0)
		one_more(fs);
	pthread_mutex_unlock(&fs->lock);
}

static void idle(struct instant_fs *fs)
{
	pthread_mutex_lock(&fs->lock);
	fs->idle++;
	pthread_mutex_unlock(&fs->lock);
}

int instant_fs_may_wait(struct instant_fs *fs)
{
	struct err e;
	bool last;

	pthread_mutex_lock(&fs->lock);
	last = fs->idle == 0;
	pthread_mutex_unlock(&fs->lock);
	if (!last)
		return 0;
	err_set(&e, ERR_BUSY, "%u requests wait for the repository: no more can", fs->nthreads - 1);
	return instant_fs_failed(fs, &e);
}

static void *serve(void *arg)
{
	struct instant_fs *fs = arg;
	struct fuse_session *se = mount_fuse.get_session(fs->fuse);
	struct fuse_buf buf = {.mem = NULL};

	/*
	 * The kernel has taken the asker's off the modes that we see.  This thread's alone, and not
	 * that of programs that we start.
	 */
	unshare(CLONE_FS);
	umask(0);
	/* A database waits for each answer; who may, goes before what only takes time. */
	setpriority(PRIO_PROCESS, 0, PRIORITY);
	while (!mount_fuse.session_exited(se)) {
		int n = mount_fuse.session_receive_buf(se, &buf);

		if (n == -EINTR || n == -EAGAIN)
			continue;
		if (n <= 0) /* unmounted */
			break;
		busy(fs);
		mount_fuse.session_process_buf(se, &buf);
		idle(fs);
	}
	free(buf.mem);
	pthread_mutex_lock(&fs->lock);
	fs->ended++;
	pthread_mutex_unlock(&fs->lock);
	return NULL;
}

static struct fuse *fuse_new_for(struct instant_fs *fs, struct err *e)
{
	char name[] = "holdfast", option[] = "-o", *argv[] = {name, option, NULL, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	struct fuse *f;

	argv[2] = mem_printf("default_permissions,fsname=holdfast,subtype=holdfast%s",
	    geteuid() == 0 ? ",allow_other" : "");
	f = mount_fuse.new_31(&args, &instant_fs_operations, sizeof instant_fs_operations, fs);
	mount_fuse.opt_free_args(&args);
	free(argv[2]);
	if (f == NULL)
		err_set(e, ERR_FAILED, "libfuse3: %s", mount_fuse_said());
	return f;
}

static int mount_failed(const struct instant_fs *fs, struct err *e)
{
	const char *said = mount_fuse_said();

	err_set(e, ERR_FAILED, "mount on %s: %s", fs->place, *said ? said : "refused");
	return err_hint(e, access("/dev/fuse", R_OK | W_OK) == -1
			       ? "this user may not open /dev/fuse; recover without --instant"
			       : "without root, fusermount3 (Debian: fuse3) must be installed");
}

static void fs_free(struct instant_fs *fs)
{
	instant_fs_close_handles(fs);
	if (fs->fuse != NULL)
		mount_fuse.destroy(fs->fuse);
	pthread_mutex_destroy(&fs->lock);
	free(fs->place);
	free(fs);
}

int instant_fs_mount(int dir, struct instant_set *set, struct instant_state *state,
    const char *place, struct ctx *ctx, struct instant_fs **out, struct err *e)
{
	struct instant_fs *fs;
	bool some;

	if (mount_fuse_load(e) == -1)
		return -1;
	fs = mem_zalloc(sizeof *fs);
	fs->dir = dir;
	fs->set = set;
	fs->state = state;
	fs->ctx = ctx;
	fs->place = mem_strdup(place);
	pthread_mutex_init(&fs->lock, NULL);
	fs->fuse = fuse_new_for(fs, e);
	if (fs->fuse == NULL || (mount_fuse.mount(fs->fuse, place) == -1 && mount_failed(fs, e))) {
		fs_free(fs);
		return -1;
	}
	pthread_mutex_lock(&fs->lock);
	for (unsigned i = 0; i < AT_FIRST; i++)
		one_more(fs);
	some = fs->nthreads > 0;
	pthread_mutex_unlock(&fs->lock);
	*out = fs;
	if (some)
		return 0;
	mount_fuse.unmount(fs->fuse);
	fs_free(fs);
	return err_set(e, ERR_FAILED, "no thread can be made to serve %s", place);
}

/* Whoever mounted it may unmount it, by fusermount3 if he is not root. */
static int unmount(const char *place, bool lazy, struct err *e)
{
	const char *argv[] = {
	    "fusermount3", "-u", "-q", lazy ? "-z" : place, lazy ? place : NULL, NULL};
	struct os_child c = {.argv = argv};
	struct ctx none = {.clock = os_clock()};
	int status;

	if (geteuid() == 0) {
		if (umount2(place, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
			return 0;
		/* Somebody detached it, and who has files of it open goes on. */
		if (errno == EINVAL || errno == ENOENT)
			return err_set(
			    e, ERR_BUSY, "%s: no mount any more, but still in use", place);
		return errno == EBUSY ? err_set(e, ERR_BUSY, "unmount %s: it is in use", place)
				      : err_sys(e, "unmount %s", place);
	}
	if (os_child_run(&c, &none, &status, e) == -1)
		return -1;
	return status == 0 ? 0 : err_set(e, ERR_BUSY, "fusermount3 could not unmount %s", place);
}

/* Nobody is made any more once those that are there have ended. */
static void join_all(struct instant_fs *fs)
{
	for (unsigned i = 0;; i++) {
		pthread_t t;
		bool is;

		pthread_mutex_lock(&fs->lock);
		is = i < fs->nthreads;
		t = fs->thread[is ? i : 0];
		pthread_mutex_unlock(&fs->lock);
		if (!is)
			return;
		pthread_join(t, NULL);
	}
}

static bool all_ended(struct instant_fs *fs)
{
	bool all;

	pthread_mutex_lock(&fs->lock);
	all = fs->ended == fs->nthreads;
	pthread_mutex_unlock(&fs->lock);
	return all;
}

int instant_fs_unmount(struct instant_fs *fs, struct err *e)
{
	/* Whoever unmounted it: what is mounted there now, if anything, is not ours. */
	if (!all_ended(fs) && unmount(fs->place, false, e) == -1)
		return -1;
	join_all(fs);
	mount_fuse.unmount(fs->fuse);
	fs_free(fs);
	return 0;
}

int instant_fs_clear(const char *place, struct err *e)
{
	struct statvfs st;

	/* Only a mount whose server is gone says so; what the kernel has kept of it (stat) does
	 * not. */
	if (statvfs(place, &st) == 0 || errno != ENOTCONN)
		return 0;
	return unmount(place, true, e);
}
