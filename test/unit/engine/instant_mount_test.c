/*
 * A folder of a snapshot is used through the mount as a plain one would be, while its server is
 * killed and begun again; in the end it is one.  What is expected is done to a plain copy.
 * Without /dev/fuse or fusermount3 the test is skipped.
 */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/instant_priv.h"
#include "engine/op_backup.h"
#include "engine/recover_finish.h"
#include "engine/select.h"
#include "repo/snapshot.h"
#include "os/os.h"

enum { LARGE = 5 << 20, MIDDLE = (2 << 20) + 12345 };

struct world {
	char dir[64], *src, *mnt, *plain;
	struct ctx ctx;
	struct repo *repo;
	struct snapshot *snapshot;
	pid_t server;
	struct err e;
};

#define OK(w, call)                                                                                \
	do {                                                                                       \
		if ((call) == -1)                                                                  \
			fail_msg("line %d: %s: %s", __LINE__, #call, (w)->e.msg);                  \
	} while (0)

/* ---- What is done to both. */

static void shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (system(text) != 0)
		fail_msg("%s", text);
}

static void both(struct world *w, const char *script)
{
	shell("cd %s && %s", w->plain, script);
	shell("cd %s && %s", w->mnt, script);
}

static void same(struct world *w)
{
	shell("diff -r --no-dereference %s %s", w->plain, w->mnt);
}

/* ---- The server, in a process of its own. */

static void serve(struct world *w, int say)
{
	struct instant_params p = {w->repo, w->snapshot->id, w->src, w->mnt, 1};
	struct instant *in;

	if (instant_open(&p, &w->ctx, &in, &w->e) == -1 || instant_mount(in, &w->e) == -1) {
		if (write(say, "F", 1) != 1)
			_exit(2);
		fprintf(stderr, "%s\n", w->e.msg);
		_exit(1);
	}
	if (write(say, "R", 1) != 1)
		_exit(2);
	for (;;)
		pause();
}

static void begin(struct world *w)
{
	int end[2];
	char c = '?';

	assert_int_equal(pipe(end), 0);
	w->server = fork();
	assert_int_not_equal(w->server, -1);
	if (w->server == 0)
		serve(w, end[1]);
	close(end[1]);
	assert_int_equal(read(end[0], &c, 1), 1);
	close(end[0]);
	assert_int_equal(c, 'R');
}

static void stop(struct world *w)
{
	kill(w->server, SIGKILL);
	waitpid(w->server, NULL, 0);
	w->server = 0;
}

static int setup(void **state)
{
	static const char *const tags[] = {NULL};
	struct world *w = mem_zalloc(sizeof *w);
	struct repo_init_params init = {
	    .cred = {true, span_of("0123456789abcdef0123456789abcdef", 32)}};
	struct backup_params p = {.tags = tags, .codec = CODEC_ZSTD, .level = 1};
	struct backup_result res;
	const char *paths[1];
	struct store *s;
	char *store;

	*state = w;
	strcpy(w->dir, "/tmp/hf-instant-XXXXXX");
	w->ctx.clock = os_clock();
	if (mkdtemp(w->dir) == NULL)
		return -1;
	w->src = mem_printf("%s/src", w->dir);
	w->mnt = mem_printf("%s/target", w->dir);
	w->plain = mem_printf("%s/plain", w->dir);
	store = mem_printf("%s/store", w->dir);
	shell("mkdir -p %s/base/1 && cd %s && seq 9000000 | head -c %d > base/1/large && "
	      "seq 77 9000000 | head -c %d > base/1/middle && cp base/1/middle gone && "
	      "echo small > small && ln -s small link && cp -a %s %s",
	    w->src, w->src, LARGE, MIDDLE, w->src, w->plain);
	paths[0] = w->src;
	p.paths = paths;
	p.npaths = 1;
	OK(w, store_open(store, true, &w->ctx, &s, &w->e));
	OK(w, repo_init(s, &init, NULL, &w->ctx, &w->repo, &w->e));
	OK(w, op_backup(w->repo, &p, &w->ctx, &res, &w->e));
	OK(w, snapshot_load(w->repo, &res.snapshot, &w->snapshot, &w->e));
	free(store);
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	if (w->server > 0)
		stop(w);
	umount2(w->mnt, MNT_DETACH);
	snapshot_free(w->snapshot);
	repo_close(w->repo);
	shell("rm -rf %s", w->dir);
	free(w->src);
	free(w->mnt);
	free(w->plain);
	free(w);
	return 0;
}

static bool can_mount(void)
{
	return access("/dev/fuse", R_OK | W_OK) == 0 &&
	       (geteuid() == 0 || access("/usr/bin/fusermount3", X_OK) == 0);
}

static const char use_it[] =
    "printf middle | dd of=base/1/large bs=1 seek=3000000 conv=notrunc,fsync 2>/dev/null && "
    "printf end >> base/1/large && truncate -s 100000 base/1/middle && "
    "truncate -s 2000000 base/1/middle && rm gone && echo new > gone && mkdir d && "
    "echo x > d/y && mv d/y d/z && ln small hard && chmod 600 small";

static void is_used_killed_and_settled(void **state)
{
	struct world *w = *state;
	struct instant_params p = {w->repo, w->snapshot->id, w->src, w->mnt, 1};
	struct instant *in;
	struct instant_seen seen;
	uint64_t bytes;

	if (!can_mount())
		skip();
	begin(w);
	OK(w, instant_look(w->mnt, &seen, &w->e));
	assert_true(seen.begun && seen.pid == w->server);
	assert_true(id_eq(&seen.snapshot, &w->snapshot->id));
	both(w, use_it);
	same(w);
	stop(w);
	OK(w, instant_look(w->mnt, &seen, &w->e));
	assert_true(seen.begun && seen.pid == 0);
	begin(w);
	same(w);
	both(w, "mv base/1/large base/moved && rm base/1/middle && mv base other");
	stop(w);
	begin(w);
	same(w);
	assert_int_equal(instant_open(&p, &w->ctx, &in, &w->e), -1);
	assert_int_equal(w->e.kind, ERR_BUSY);
	stop(w);
	OK(w, instant_open(&p, &w->ctx, &in, &w->e));
	OK(w, instant_copy(in, &w->e));
	assert_int_equal(instant_left(in, &bytes), 0);
	OK(w, instant_settle(in, &w->e));
	instant_close(in);
	same(w);
	shell("test ! -e %s.holdfast", w->mnt);
}

static void is_not_unmounted_while_it_is_used(void **state)
{
	struct world *w = *state;
	struct instant_params p = {w->repo, w->snapshot->id, w->src, w->mnt, 1};
	struct instant *in;
	char *path = mem_printf("%s/base/1/large", w->mnt);
	int fd;

	if (!can_mount())
		skip();
	umask(027);
	OK(w, instant_open(&p, &w->ctx, &in, &w->e));
	OK(w, instant_mount(in, &w->e));
	/* Programs that we start have ours. */
	assert_int_equal(umask(022), 027);
	fd = open(path, O_RDONLY);
	assert_int_not_equal(fd, -1);
	assert_int_equal(instant_unmount(in, &w->e), -1);
	assert_int_equal(w->e.kind, ERR_BUSY);
	close(fd);
	OK(w, instant_copy(in, &w->e));
	OK(w, instant_unmount(in, &w->e));
	OK(w, instant_settle(in, &w->e));
	instant_close(in);
	same(w);
	free(path);
}

/* By somebody else, while nobody uses it, or lazily, while somebody does. */
static void is_settled_though_somebody_else_unmounted_it(void **state)
{
	struct world *w = *state;
	struct instant_params p = {w->repo, w->snapshot->id, w->src, w->mnt, 1};
	char *path = mem_printf("%s/base/1/large", w->mnt), byte;
	struct instant *in;
	int fd, rc;

	if (!can_mount() || geteuid() != 0)
		skip();
	OK(w, instant_open(&p, &w->ctx, &in, &w->e));
	OK(w, instant_mount(in, &w->e));
	fd = open(path, O_RDWR);
	assert_int_not_equal(fd, -1);
	assert_int_equal(umount2(w->mnt, MNT_DETACH), 0);
	assert_int_equal(instant_unmount(in, &w->e), -1);
	assert_int_equal(w->e.kind, ERR_BUSY);
	assert_int_equal(pread(fd, &byte, 1, 4000000), 1);
	OK(w, instant_copy(in, &w->e));
	close(fd);
	/* The kernel tells those who serve it in its own time. */
	for (int i = 0; (rc = instant_unmount(in, &w->e)) == -1 && i < 6000; i++) {
		assert_int_equal(w->e.kind, ERR_BUSY);
		usleep(10000);
	}
	OK(w, rc);
	OK(w, instant_settle(in, &w->e));
	instant_close(in);
	same(w);
	free(path);
}

static void is_held(struct world *w)
{
	char hex[ID_HEX], *path;
	struct snapshot *s;

	OK(w, select_one(
		  w->repo, id_hex(hex, &w->snapshot->id), NULL, false, &w->ctx, &s, &path, &w->e));
	assert_true(s->held && s->held_until_ns > 0);
	snapshot_free(s);
	free(path);
}

static void damage_in_the_repository_is_listed_and_the_rest_comes(void **state)
{
	struct world *w = *state;
	struct instant_params p = {w->repo, w->snapshot->id, w->src, w->mnt, 1};
	struct instant *in;
	struct instant_seen seen;
	uint64_t bytes;

	if (!can_mount())
		skip();
	OK(w, instant_open(&p, &w->ctx, &in, &w->e));
	is_held(w); /* no prune takes what is still missing */
	shell("f=$(find %s/store -type f -size +300k | xargs ls -S | head -1) && chmod u+w $f && "
	      "printf garbage | dd of=$f bs=1 seek=$(($(stat -c %%s $f) / 2)) conv=notrunc "
	      "2>/dev/null",
	    w->dir);
	assert_int_equal(instant_copy(in, &w->e), -1);
	assert_int_equal(w->e.kind, ERR_DAMAGE_FOUND);
	assert_non_null(strstr(w->e.msg, "KiB from"));
	shell("grep -q 'KiB from' %s.holdfast/damaged", w->mnt);
	assert_true(instant_left(in, &bytes) > 0 && bytes > 0 && bytes < LARGE);
	OK(w, instant_look(w->mnt, &seen, &w->e));
	assert_true(seen.bad == bytes && seen.left == bytes);
	/* Who has no use for it any more is done with it. */
	OK(w, instant_mount(in, &w->e));
	shell("cd %s && cut -d: -f1 %s.holdfast/damaged | while read f; do rm -f ${f##*src/}; done",
	    w->mnt, w->mnt);
	OK(w, instant_copy(in, &w->e));
	OK(w, instant_unmount(in, &w->e));
	OK(w, instant_settle(in, &w->e));
	instant_close(in);
	shell("test ! -e %s.holdfast", w->mnt);
}

static void a_target_with_something_in_it_is_refused(void **state)
{
	struct world *w = *state;
	struct instant_params p = {w->repo, w->snapshot->id, w->src, w->mnt, 1};
	struct instant *in;

	shell("mkdir -p %s/mine", w->mnt);
	assert_int_equal(instant_open(&p, &w->ctx, &in, &w->e), -1);
	assert_int_equal(w->e.kind, ERR_EXISTS);
	shell("test -d %s/mine", w->mnt);
}

static void a_file_that_cannot_be_synced_is_left_to_who_begins_again(void **state)
{
	struct world *w = *state;
	struct instant_params p = {w->repo, w->snapshot->id, w->src, w->mnt, 1};
	struct instant *in;
	struct instant_file *f;
	uint32_t n;

	OK(w, instant_open(&p, &w->ctx, &in, &w->e));
	f = instant_set_next(in->set, &n);
	assert_non_null(f);
	os_fault_arm(1, EIO);
	assert_int_equal(instant_file_sync(f, &w->e), -1);
	assert_true(os_fault_fired());
	instant_file_unref(f);
	alarm(60);
	assert_int_equal(recover_serve(in, &w->ctx, &w->e), -1);
	alarm(0);
	assert_int_equal(w->e.kind, ERR_IO);
	OK(w, instant_open(&p, &w->ctx, &in, &w->e));
	OK(w, recover_serve(in, &w->ctx, &w->e));
	same(w);
	shell("test ! -e %s.holdfast", w->mnt);
}

/* Bytes of the state, by dd's words. */
static void overwrite_state(struct world *w, const char *where)
{
	shell("printf x | dd of=%s.holdfast/state bs=1 %s conv=notrunc 2>/dev/null", w->mnt, where);
}

static void what_was_used_is_never_thrown_away(void **state)
{
	static const char *const where[] = {"seek=110", "seek=3"};
	struct world *w = *state;
	struct instant_params p = {w->repo, w->snapshot->id, w->src, w->mnt, 1};
	struct instant *in;

	OK(w, instant_open(&p, &w->ctx, &in, &w->e));
	OK(w, instant_mark(in, &w->e));
	instant_close(in);
	shell("echo mine > %s.holdfast/data/mine && cp %s.holdfast/state %s/kept", w->mnt, w->mnt,
	    w->dir);
	for (int i = 0; i < 4; i++) {
		if (i < 2)
			overwrite_state(w, where[i]);
		else
			shell(i == 2 ? "truncate -s 95 %s.holdfast/state" : "rm %s.holdfast/state",
			    w->mnt);
		assert_int_equal(instant_open(&p, &w->ctx, &in, &w->e), -1);
		assert_int_equal(w->e.kind, ERR_CORRUPT);
		assert_non_null(strstr(w->e.hint, "keep a copy"));
		shell("test -e %s.holdfast/data/mine && cp %s/kept %s.holdfast/state", w->mnt,
		    w->dir, w->mnt);
	}
	OK(w, instant_open(&p, &w->ctx, &in, &w->e));
	instant_close(in);
	shell("test -e %s.holdfast/data/mine", w->mnt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(is_used_killed_and_settled, setup, teardown),
	    cmocka_unit_test_setup_teardown(is_not_unmounted_while_it_is_used, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		is_settled_though_somebody_else_unmounted_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		damage_in_the_repository_is_listed_and_the_rest_comes, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_file_that_cannot_be_synced_is_left_to_who_begins_again, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_was_used_is_never_thrown_away, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_target_with_something_in_it_is_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
