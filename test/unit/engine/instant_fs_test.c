/*
 * The mount of an instant recovery over a backup that is made up here: it fails where it is told,
 * and its server is killed after each call that could fail on the way.
 * Without /dev/fuse or fusermount3 the tests are skipped.
 */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/instant_fs.h"
#include "os/os.h"

enum { FILES = 16, SIZE = 3 * INSTANT_WINDOW + 4321, WAIT_S = 60 };

/* Between the test and the server. */
struct shared {
	_Atomic int fault;   /* the so-manieth call fails; -1: none; 0 once that is so */
	_Atomic int damaged; /* this file's content is; -1: none's */
	_Atomic unsigned fetched;
	_Atomic bool hang; /* all fetches */
};

struct world {
	char dir[64], *data, *state_path, *mnt;
	struct shared *sh;
	struct instant_state *state;
	struct instant_set *set;
	int at;
	struct {
		struct instant_file *file;
		struct stat st;
		char *path;
	} known[FILES];
	pid_t server;
	struct err e;
};

#define OK(w, call)                                                                                \
	do {                                                                                       \
		if ((call) == -1)                                                                  \
			fail_msg("line %d: %s: %s", __LINE__, #call, (w)->e.msg);                  \
	} while (0)

static uint8_t byte_of(unsigned n, uint64_t off)
{
	return (uint8_t)(n * 31 + off / 4099 + off) | 1;
}

static char *path_of(unsigned n)
{
	return mem_printf("d%u/f%u", n % 2, n);
}

/* ---- The server. */

static int fetch(void *arg, enum instant_who who, uint32_t n, uint64_t off, size_t len,
    struct buf *out, struct err *e)
{
	struct world *w = arg;

	if (atomic_load(&w->sh->damaged) == (int)n)
		return err_set(e, ERR_CORRUPT, "the backup is damaged");
	atomic_fetch_add(&w->sh->fetched, 1);
	while (atomic_load(&w->sh->hang))
		usleep(1000);
	for (size_t i = 0; i < len; i++)
		buf_put_u8(out, byte_of(n, off + i));
	return 0;
}

static int heard_file(void *arg, uint32_t n, uint64_t size, const char *path, struct err *e)
{
	struct world *w = arg;
	int fd = openat(w->at, path, O_RDWR | O_CLOEXEC);

	if (fd == -1)
		return errno == ENOENT ? 0 : err_sys(e, "%s", path);
	w->known[n].path = mem_strdup(path);
	w->known[n].file = instant_file_new(n, fd, size, NULL, fetch, w);
	fstat(fd, &w->known[n].st);
	instant_file_heard_cut(w->known[n].file, (uint64_t)w->known[n].st.st_size);
	return 0;
}

static int heard_have(
    void *arg, uint32_t n, uint64_t first, uint64_t count, bool hard, struct err *e)
{
	struct instant_file *f = ((struct world *)arg)->known[n].file;

	return f == NULL ? 0 : instant_file_heard(f, first, count, hard, e);
}

static int heard_cut(void *arg, uint32_t n, uint64_t limit, struct err *e)
{
	struct instant_file *f = ((struct world *)arg)->known[n].file;

	if (f != NULL)
		instant_file_heard_cut(f, limit);
	return 0;
}

static int heard_done(void *arg, uint32_t n, struct err *e)
{
	((struct world *)arg)->known[n].file = NULL;
	return 0;
}

static int heard_lost(void *arg, uint32_t n, struct err *e)
{
	struct instant_file *f = ((struct world *)arg)->known[n].file;

	if (f != NULL)
		instant_file_heard_lost(f);
	return 0;
}

static int show(struct world *w)
{
	struct instant_heard h = {heard_file, heard_have, heard_cut, heard_done, heard_lost, w};
	struct ctx *ctx = mem_zalloc(sizeof *ctx);
	struct instant_fs *fs;
	struct id of;
	bool ready;

	ctx->clock = os_clock();
	w->at = open(w->data, O_RDONLY | O_DIRECTORY);
	if (instant_state_open(w->state_path, &h, &of, &ready, &w->state, &w->e) == -1)
		return -1;
	w->set = instant_set_new();
	for (uint32_t n = 0; n < FILES; n++)
		if (w->known[n].file != NULL) {
			instant_file_set_state(w->known[n].file, w->state);
			instant_set_add(
			    w->set, &w->known[n].st, n, w->known[n].path, w->known[n].file);
		}
	return instant_fs_mount(w->at, w->set, w->state, w->mnt, ctx, &fs, &w->e);
}

static void serve(struct world *w, int say)
{
	int nth;
	bool ok = show(w) == 0;

	if (!ok)
		fprintf(stderr, "%s\n", w->e.msg);
	if (write(say, ok ? "R" : "F", 1) != 1)
		_exit(2);
	for (;; usleep(200)) {
		nth = atomic_load(&w->sh->fault);
		if (nth > 0)
			os_fault_arm((unsigned)nth, EIO);
		if (nth < 0)
			os_fault_fired();
		atomic_store(&w->sh->fault, 0);
	}
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
	umount2(w->mnt, MNT_DETACH);
}

static void again(struct world *w)
{
	stop(w);
	begin(w);
}

static void fault(struct world *w, int nth)
{
	atomic_store(&w->sh->fault, nth);
	while (atomic_load(&w->sh->fault) != 0)
		usleep(100);
}

/* ---- Seen from outside. */

static char *shown(struct world *w, unsigned n)
{
	char *path = path_of(n), *all = mem_printf("%s/%s", w->mnt, path);

	free(path);
	return all;
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	if (fd == -1 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd) == -1)
		fail_msg("%s: %s", path, strerror(errno));
}

/* 0: it is gone, or empty; 1: as in the backup; 2: this text. */
static int what_is(const char *path, unsigned n, const char *text)
{
	struct buf b = {.p = NULL};
	struct err e;
	bool backup;
	int is = 0;

	if (os_read_file(path, 2 * SIZE, &b, &e) == -1) {
		assert_int_equal(e.kind, ERR_ABSENT);
		return 0;
	}
	backup = b.n == SIZE;
	for (size_t i = 0; i < b.n && backup; i++)
		backup = b.p[i] == byte_of(n, i);
	if (b.n == 0)
		is = 0;
	else if (backup)
		is = 1;
	else if (span_eq(buf_span(&b), span_str(text)))
		is = 2;
	else
		fail_msg("%s: neither the one nor the other", path);
	buf_fini(&b);
	return is;
}

static bool can_mount(void)
{
	return access("/dev/fuse", R_OK | W_OK) == 0 && geteuid() == 0;
}

static int setup(void **state)
{
	struct world *w = mem_zalloc(sizeof *w);
	struct id of = {{7}};

	*state = w;
	strcpy(w->dir, "/tmp/hf-instant-XXXXXX");
	if (mkdtemp(w->dir) == NULL)
		return -1;
	w->data = mem_printf("%s/data", w->dir);
	w->mnt = mem_printf("%s/target", w->dir);
	w->state_path = mem_printf("%s/state", w->dir);
	w->sh = mmap(
	    NULL, sizeof *w->sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(w->sh, MAP_FAILED);
	atomic_store(&w->sh->damaged, -1);
	assert_int_equal(mkdir(w->data, 0700) | mkdir(w->mnt, 0700), 0);
	w->at = open(w->data, O_RDONLY | O_DIRECTORY);
	assert_int_equal(mkdirat(w->at, "d0", 0700) | mkdirat(w->at, "d1", 0700), 0);
	OK(w, instant_state_create(w->state_path, &of, &w->state, &w->e));
	for (unsigned n = 0; n < FILES; n++) {
		char *path = path_of(n);
		int fd = openat(w->at, path, O_WRONLY | O_CREAT, 0600);

		assert_int_equal(ftruncate(fd, SIZE), 0);
		close(fd);
		OK(w, instant_state_file(w->state, n, SIZE, path, &w->e));
		free(path);
	}
	OK(w, instant_state_ready(w->state, &w->e));
	instant_state_close(w->state);
	close(w->at);
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	char *rm = mem_printf("rm -rf %s", w->dir);

	if (w->server > 0)
		stop(w);
	assert_int_equal(system(rm), 0);
	munmap(w->sh, sizeof *w->sh);
	free(rm);
	free(w->data);
	free(w->mnt);
	free(w->state_path);
	free(w);
	return 0;
}

/* ---- */

static void what_replaces_a_file_is_never_filled(void **state)
{
	struct world *w = *state;
	char *new = mem_printf("%s/new", w->mnt);

	if (!can_mount())
		skip();
	begin(w);
	for (unsigned n = 0; n < FILES; n++) {
		char *path = shown(w, n);
		int rc, is;

		put(new, "new");
		fault(w, (int)n + 1);
		rc = rename(new, path);
		again(w);
		is = what_is(path, n, "new");
		assert_int_equal(is, rc == 0 ? 2 : 1);
		unlink(new);
		free(path);
	}
	free(new);
}

static void what_gets_a_removed_name_is_never_filled(void **state)
{
	struct world *w = *state;

	if (!can_mount())
		skip();
	begin(w);
	for (unsigned n = 0; n < FILES; n++) {
		char *path = shown(w, n);
		int is, fd;

		fault(w, (int)n + 1);
		(void)!unlink(path);
		fault(w, n % 3 ? 0 : 2); /* once more */
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		fault(w, -1);
		if (fd != -1) {
			assert_int_equal(ftruncate(fd, SIZE), 0);
			assert_int_equal(pwrite(fd, "new", 3, 0), 3);
			assert_int_equal(ftruncate(fd, 3), 0);
			close(fd);
		}
		again(w);
		is = what_is(path, n, "new");
		assert_true(fd == -1 || is == 2);
		free(path);
	}
}

static void a_folder_is_moved_with_its_own_files(void **state)
{
	struct world *w = *state;
	char *from = mem_printf("%s/d1", w->mnt), *to = mem_printf("%s/e1", w->mnt),
	     *empty = mem_printf("%s/empty", w->mnt), *full = mem_printf("%s/full", w->mnt);

	if (!can_mount())
		skip();
	begin(w);
	assert_int_equal(mkdir(empty, 0700), 0);
	assert_int_equal(rename(empty, full), 0);
	assert_int_equal(atomic_load(&w->sh->fetched), 0);
	atomic_store(&w->sh->damaged, 2); /* in d0 */
	assert_int_equal(rename(from, to), 0);
	assert_true(atomic_load(&w->sh->fetched) <= FILES / 2 * 4);
	again(w);
	for (unsigned n = 1; n < FILES; n += 2) {
		char *path = mem_printf("%s/f%u", to, n);

		assert_int_equal(what_is(path, n, ""), 1);
		free(path);
	}
	/* One that cannot be had would be lost to it. */
	assert_int_equal(rename(to, from), 0);
	free(from);
	from = mem_printf("%s/d0", w->mnt);
	assert_int_equal(rename(from, to), -1);
	assert_int_equal(errno, EIO);
	atomic_store(&w->sh->damaged, -1);
	assert_int_equal(rename(from, to), 0);
	free(from);
	free(to);
	free(empty);
	free(full);
}

/* As doc/instant.md has it. */
static void a_removed_file_that_is_open_is_used(void **state)
{
	struct world *w = *state;
	char *path = shown(w, 3);
	struct stat st;
	uint8_t p[10];
	int fd;

	if (!can_mount())
		skip();
	begin(w);
	fd = open(path, O_RDWR);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(pread(fd, p, sizeof p, INSTANT_WINDOW), sizeof p);
	assert_int_equal(p[0], byte_of(3, INSTANT_WINDOW));
	assert_int_equal(pwrite(fd, "new", 3, 2 * INSTANT_WINDOW + 7), 3);
	assert_int_equal(ftruncate(fd, 2 * INSTANT_WINDOW + 8), 0);
	assert_int_equal(fsync(fd), 0);
	assert_int_equal(pread(fd, p, sizeof p, 2 * INSTANT_WINDOW + 7), 1);
	assert_int_equal(p[0], 'n');
	assert_int_equal(lseek(fd, 0, SEEK_END), 2 * INSTANT_WINDOW + 8);
	assert_int_equal(fstat(fd, &st), -1);
	assert_int_equal(errno, ESTALE);
	close(fd);
	again(w);
	assert_int_equal(what_is(path, 3, ""), 0);
	free(path);
}

/* ---- While the repository hangs. */

struct reader {
	struct world *w;
	unsigned i;
	int rc; /* errno, or -1: not what it should be */
	_Atomic bool done;
	pthread_t thread;
};

/* A block each, of the second and third window of all files. */
static void *read_one(void *arg)
{
	struct reader *r = arg;
	unsigned n = r->i % FILES;
	off_t off = INSTANT_WINDOW + (off_t)(r->i / FILES) * INSTANT_BLOCK;
	char *path = shown(r->w, n);
	/*
	 * Past the kernel's cache each is a request of its own.  In the cache others are read
	 * ahead, and who writes to one of them waits for it: not in files that are used meanwhile.
	 */
	int fd = open(path, O_RDONLY | (r->i < 2 * FILES && n < 14 ? 0 : O_DIRECT));
	uint8_t *p = aligned_alloc(4096, INSTANT_BLOCK);

	if (fd == -1 || pread(fd, p, INSTANT_BLOCK, off) != INSTANT_BLOCK)
		r->rc = errno;
	for (int i = 0; r->rc == 0 && i < INSTANT_BLOCK; i++)
		r->rc = p[i] == byte_of(n, (uint64_t)(off + i)) ? 0 : -1;
	close(fd);
	free(p);
	free(path);
	atomic_store(&r->done, true);
	return NULL;
}

static unsigned ended(struct reader *r, unsigned n)
{
	unsigned done = 0;

	for (unsigned i = 0; i < n; i++)
		done += atomic_load(&r[i].done);
	return done;
}

#define MUST(what)                                                                                 \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s: %s\n", #what, strerror(errno));                       \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

/* In a process of its own, which can be ended. */
static void use_what_is_here(struct world *w)
{
	static uint8_t p[INSTANT_BLOCK];
	char *here = shown(w, 15), *cut = shown(w, 14), *new = mem_printf("%s/new", w->mnt),
	     *moved = mem_printf("%s/moved", w->mnt);
	int fd = open(here, O_RDWR);

	MUST(fd != -1 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
	MUST(pread(fd, p, 10, 0) == 10 && p[0] == byte_of(15, 0));
	memset(p, 'w', sizeof p);
	MUST(pwrite(fd, p, sizeof p, 0) == sizeof p);
	MUST(pwrite(fd, p, sizeof p, INSTANT_WINDOW + 2 * INSTANT_BLOCK) == sizeof p);
	MUST(fsync(fd) == 0 && close(fd) == 0);
	MUST(truncate(cut, INSTANT_WINDOW + 100) == 0);
	fd = open(new, O_WRONLY | O_CREAT, 0600);
	MUST(fd != -1 && write(fd, "new", 3) == 3 && fsync(fd) == 0 && close(fd) == 0);
	MUST(rename(new, moved) == 0 && unlink(moved) == 0);
	_exit(0);
}

static void wait_for(pid_t pid)
{
	int status = -1;

	for (int i = 0; i < WAIT_S * 100 && waitpid(pid, &status, WNOHANG) == 0; i++)
		usleep(10000);
	if (status == -1)
		kill(pid, SIGKILL);
	assert_int_equal(status, 0);
}

static void what_was_done_meanwhile_stays(struct world *w)
{
	char *here = shown(w, 15), *cut = shown(w, 14);
	struct buf b = {.p = NULL};

	OK(w, os_read_file(here, 2 * SIZE, &b, &w->e));
	assert_int_equal(b.n, SIZE);
	for (unsigned i = 0; i < SIZE; i++)
		assert_int_equal(b.p[i],
		    i / INSTANT_BLOCK == 0 || i / INSTANT_BLOCK == 18 ? 'w' : byte_of(15, i));
	buf_reset(&b);
	assert_int_equal(truncate(cut, SIZE), 0);
	OK(w, os_read_file(cut, 2 * SIZE, &b, &w->e));
	for (unsigned i = 0; i < SIZE; i++)
		assert_int_equal(b.p[i], i < INSTANT_WINDOW + 100 ? byte_of(14, i) : 0);
	buf_fini(&b);
	free(here);
	free(cut);
}

static void a_repository_that_hangs_keeps_nothing_back_that_is_here(void **state)
{
	/* Those in the cache may wait for each other there. */
	enum { READERS = 320, REFUSED = READERS - 255 - 2 * FILES };
	struct world *w = *state;
	struct reader *r = mem_zalloc(READERS * sizeof *r);
	char *here = shown(w, 15);
	unsigned refused = 0;
	uint8_t p[10];
	pid_t pid;
	int fd;

	if (!can_mount())
		skip();
	begin(w);
	fd = open(here, O_RDONLY);
	assert_int_equal(read(fd, p, sizeof p), sizeof p);
	close(fd);
	atomic_store(&w->sh->hang, true);
	for (unsigned i = 0; i < READERS; i++) {
		r[i] = (struct reader){.w = w, .i = i};
		assert_int_equal(pthread_create(&r[i].thread, NULL, read_one, &r[i]), 0);
	}
	/* So many can't wait: they are told, and the rest of them waits. */
	for (int i = 0; i < WAIT_S * 100 && ended(r, READERS) < REFUSED; i++)
		usleep(10000);
	assert_true(ended(r, READERS) >= REFUSED);
	pid = fork();
	if (pid == 0)
		use_what_is_here(w);
	wait_for(pid);
	atomic_store(&w->sh->hang, false);
	for (unsigned i = 0; i < READERS; i++) {
		bool touched = i % FILES >= 14; /* cut, or written, in the meantime */

		pthread_join(r[i].thread, NULL);
		assert_true(r[i].rc == 0 || r[i].rc == EIO || touched);
		refused += r[i].rc == EIO;
	}
	assert_true(refused >= REFUSED && refused < READERS);
	what_was_done_meanwhile_stays(w);
	again(w);
	what_was_done_meanwhile_stays(w);
	free(here);
	free(r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_replaces_a_file_is_never_filled),
	    TEST(what_gets_a_removed_name_is_never_filled),
	    TEST(a_folder_is_moved_with_its_own_files),
	    TEST(a_removed_file_that_is_open_is_used),
	    TEST(a_repository_that_hangs_keeps_nothing_back_that_is_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
