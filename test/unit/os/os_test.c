#include "unit/unit.h"

#include <errno.h>
#include <ftw.h>

#include "base/mem.h"
#include "os/os.h"

struct t {
	char *path;
	int dir;
};

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct t *t = mem_zalloc(sizeof *t);

	t->path = mem_printf("%s/hf-os-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (mkdtemp(t->path) == NULL)
		return -1;
	t->dir = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = t;
	return t->dir == -1 ? -1 : 0;
}

static int drop(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static int teardown(void **state)
{
	struct t *t = *state;
	int rc;

	os_fault_fired();
	close(t->dir);
	rc = nftw(t->path, drop, 8, FTW_DEPTH | FTW_PHYS);
	free(t->path);
	free(t);
	return rc;
}

static void what_is_written_is_read(void **state)
{
	struct t *t = *state;
	char got[16] = "";
	struct stat st;
	int fd = os_openat(t->dir, "f", O_RDWR | O_CREAT | O_EXCL, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(os_write_all(fd, "hello", 5), 0);
	assert_int_equal(os_pwrite_all(fd, "HE", 2, 0), 0);
	assert_int_equal(os_pwrite_all(fd, "xyz", 3, 5), 0);
	os_start_writeback(fd);
	assert_int_equal(os_fsync(fd), 0);
	assert_int_equal(os_pread(fd, got, 3, 1), 3);
	assert_memory_equal(got, "Ell", 3);
	assert_int_equal(os_pread_full(fd, got, sizeof got, 2), 6);
	assert_memory_equal(got, "lloxyz", 6);
	assert_int_equal(os_ftruncate(fd, 2), 0);
	assert_int_equal(os_fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 2);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(os_read(fd, got, sizeof got), 2);
	assert_int_equal(os_close(fd), 0);
	errno = ENOSPC;
	os_close(-1);
	os_close(fd);
	assert_int_equal(errno, ENOSPC);
}

static void names_come_and_go(void **state)
{
	struct t *t = *state;
	struct stat st;

	assert_int_equal(os_mkdirat(t->dir, "d", 0700), 0);
	assert_int_equal(os_mkdirat(t->dir, "d", 0700), -1);
	assert_int_equal(errno, EEXIST);
	os_close(os_openat(t->dir, "d/a", O_WRONLY | O_CREAT, 0600));
	assert_int_equal(os_linkat(t->dir, "d/a", t->dir, "d/b"), 0);
	assert_int_equal(os_linkat(t->dir, "d/a", t->dir, "d/b"), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(os_renameat(t->dir, "d/b", t->dir, "c"), 0);
	assert_int_equal(os_fstatat(t->dir, "c", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(os_unlinkat(t->dir, "c", 0), 0);
	assert_int_equal(os_fstatat(t->dir, "c", &st, 0), -1);
	assert_int_equal(errno, ENOENT);
}

static void open_beneath_never_leaves_or_follows(void **state)
{
	struct t *t = *state;
	int fd;

	assert_int_equal(os_mkdirat(t->dir, "d", 0700), 0);
	assert_int_equal(symlinkat("/etc", t->dir, "out"), 0);
	assert_int_equal(symlinkat("d", t->dir, "in"), 0);
	/* A mode without O_CREAT must do no harm. */
	fd = os_open_beneath(t->dir, "d", O_RDONLY | O_DIRECTORY, 0644);
	if (fd == -1 && errno == ENOSYS)
		skip();
	assert_int_not_equal(fd, -1);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	os_close(fd);
	fd = os_open_beneath(t->dir, "d/new", O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_int_not_equal(fd, -1);
	os_close(fd);
	assert_int_equal(os_open_beneath(t->dir, "out/passwd", O_RDONLY, 0), -1);
	assert_int_equal(os_open_beneath(t->dir, "in/new", O_RDONLY, 0), -1);
	assert_int_equal(errno, ELOOP);
	assert_int_equal(os_open_beneath(t->dir, "d/../../x", O_RDONLY, 0), -1);
	assert_int_equal(errno, EXDEV);
	assert_int_equal(os_open_beneath(t->dir, "/etc/passwd", O_RDONLY, 0), -1);
	assert_int_equal(errno, EXDEV);
}

/* One of every call that a fault can reach; -1 as soon as one fails. */
static int every_call(struct t *t)
{
	char got[8];
	struct stat st;
	int fd = -1, rc = -1;

	if ((fd = os_openat(t->dir, "x", O_RDWR | O_CREAT | O_TRUNC, 0600)) == -1)
		goto out;
	if (os_write_all(fd, "ab", 2) == -1 || os_pwrite_all(fd, "cd", 2, 2) == -1 ||
	    os_fsync(fd) == -1 || os_ftruncate(fd, 3) == -1 || os_fstat(fd, &st) == -1)
		goto out;
	/* A full read takes one call for the bytes and one for the end. */
	if (os_pread(fd, got, 1, 0) == -1 || os_pread_full(fd, got, 8, 0) != 3 ||
	    os_read(fd, got, 8) == -1)
		goto out;
	os_close(fd);
	fd = -1;
	if (os_linkat(t->dir, "x", t->dir, "y") == -1 ||
	    os_renameat(t->dir, "y", t->dir, "z") == -1 || os_fstatat(t->dir, "z", &st, 0) == -1 ||
	    os_unlinkat(t->dir, "z", 0) == -1 || os_mkdirat(t->dir, "w", 0700) == -1 ||
	    os_unlinkat(t->dir, "w", AT_REMOVEDIR) == -1)
		goto out;
	if ((fd = os_open_beneath(t->dir, "x", O_RDONLY, 0)) == -1)
		goto out;
	os_close(fd);
	if ((fd = os_open(t->path, O_RDONLY, 0)) == -1)
		goto out;
	rc = 0;
out:
	os_close(fd);
	return rc;
}

static void a_fault_reaches_every_call_once(void **state)
{
	struct t *t = *state;
	unsigned nth = 0;
	bool fired;

	do {
		int rc;

		os_fault_arm(++nth, ENOSPC);
		rc = every_call(t);
		if (rc == -1)
			assert_int_equal(errno, ENOSPC);
		fired = os_fault_fired();
		assert_int_equal(rc == -1, fired);
		unlinkat(t->dir, "y", 0);
		unlinkat(t->dir, "z", 0);
		unlinkat(t->dir, "w", AT_REMOVEDIR);
	} while (fired);
	/* 18 calls can fail: a new one needs a look here. */
	assert_int_equal(nth, 19);
}

static void an_interrupted_call_is_made_again(void **state)
{
	struct t *t = *state;
	unsigned nth = 0;

	do {
		os_fault_arm(++nth, EINTR);
		assert_int_equal(every_call(t), 0);
	} while (os_fault_fired());
	assert_int_equal(nth, 19);
}

static void fired_disarms(void **state)
{
	struct t *t = *state;

	os_fault_arm(1, EIO);
	assert_false(os_fault_fired());
	assert_int_equal(every_call(t), 0);
	os_fault_arm(1, EIO);
	assert_int_equal(every_call(t), -1);
	assert_int_equal(errno, EIO);
	/* It comes once. */
	assert_int_equal(every_call(t), 0);
	assert_true(os_fault_fired());
	assert_false(os_fault_fired());
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_is_written_is_read),
	    TEST(names_come_and_go),
	    TEST(open_beneath_never_leaves_or_follows),
	    TEST(a_fault_reaches_every_call_once),
	    TEST(an_interrupted_call_is_made_again),
	    TEST(fired_disarms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
