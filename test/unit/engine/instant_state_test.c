/*
 * The state of an instant recovery: what was on disk and is damaged is said, and never taken for
 * the torn end of what was being written.
 */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/instant_state.h"
#include "os/os.h"

enum { FILES = 3, HEADER = 92, ID = 28, ID_END = 60 };

struct world {
	char dir[64], *path;
	struct instant_state *state;
	struct id of;
	bool ready;
	unsigned files, hard, soft, done, lost;
	struct err e;
};

#define OK(w, call)                                                                                \
	do {                                                                                       \
		if ((call) == -1)                                                                  \
			fail_msg("line %d: %s: %s", __LINE__, #call, (w)->e.msg);                  \
	} while (0)

static int heard_file(void *arg, uint32_t n, uint64_t size, const char *path, struct err *e)
{
	struct world *w = arg;

	assert_int_equal(n, w->files++);
	return 0;
}

static int heard_have(
    void *arg, uint32_t n, uint64_t first, uint64_t count, bool hard, struct err *e)
{
	struct world *w = arg;

	*(hard ? &w->hard : &w->soft) += (unsigned)count;
	return 0;
}

static int heard_cut(void *arg, uint32_t n, uint64_t limit, struct err *e)
{
	return 0;
}

static int heard_lost(void *arg, uint32_t n, struct err *e)
{
	((struct world *)arg)->lost++;
	return 0;
}

static int heard_done(void *arg, uint32_t n, struct err *e)
{
	((struct world *)arg)->done++;
	return 0;
}

static int open_it(struct world *w)
{
	struct instant_heard h = {heard_file, heard_have, heard_cut, heard_done, heard_lost, w};

	instant_state_close(w->state);
	w->state = NULL;
	w->files = w->hard = w->soft = w->done = w->lost = 0;
	return instant_state_open(w->path, &h, &w->of, &w->ready, &w->state, &w->e);
}

static int setup(void **state)
{
	struct world *w = mem_zalloc(sizeof *w);
	struct id of = {{7}};

	*state = w;
	strcpy(w->dir, "/tmp/hf-state-XXXXXX");
	if (mkdtemp(w->dir) == NULL)
		return -1;
	w->path = mem_printf("%s/state", w->dir);
	OK(w, instant_state_create(w->path, &of, &w->state, &w->e));
	for (uint32_t n = 0; n < FILES; n++)
		OK(w, instant_state_file(w->state, n, 1 << 20, "base/1/2", &w->e));
	OK(w, instant_state_ready(w->state, &w->e));
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	instant_state_close(w->state);
	unlink(w->path);
	rmdir(w->dir);
	free(w->path);
	free(w);
	return 0;
}

static off_t size_of(struct world *w)
{
	struct stat st;

	assert_int_equal(stat(w->path, &st), 0);
	return st.st_size;
}

static void flip(struct world *w, off_t at)
{
	int fd = open(w->path, O_RDWR);
	uint8_t b;

	assert_int_equal(pread(fd, &b, 1, at), 1);
	b ^= 4;
	assert_int_equal(pwrite(fd, &b, 1, at), 1);
	close(fd);
}

static void damage_of_what_was_on_disk_is_said(void **state)
{
	struct world *w = *state;
	off_t synced, n;

	OK(w, instant_state_have(w->state, 1, 5, 3, true, &w->e));
	OK(w, instant_state_sync(w->state, &w->e));
	synced = size_of(w);
	OK(w, instant_state_have(w->state, 2, 5, 1, false, &w->e));
	n = size_of(w);
	for (off_t at = 0; at < synced; at++) {
		flip(w, at);
		if (at >= ID && at < ID_END) {
			OK(w, open_it(w));
			assert_true(w->of.b[0] != 7 || w->of.b[at - ID] != 0); /* another's */
		} else if (at >= ID_END && at < HEADER) {
			OK(w, open_it(w)); /* one of two marks */
			assert_true(w->ready && w->files == FILES);
		} else {
			assert_int_equal(open_it(w), -1);
			if (w->e.kind != ERR_CORRUPT)
				fail_msg("byte %d: %s", (int)at, w->e.msg);
			assert_int_equal(size_of(w), n);
		}
		if (w->state != NULL)
			n = size_of(w);
		flip(w, at);
	}
	OK(w, open_it(w));
	assert_true(w->ready && w->files == FILES && w->hard == 3 && w->soft == 1);
}

static void what_is_missing_at_the_end_is_said(void **state)
{
	struct world *w = *state;
	off_t synced = size_of(w);

	assert_int_equal(truncate(w->path, synced - 1), 0);
	assert_int_equal(open_it(w), -1);
	assert_int_equal(w->e.kind, ERR_CORRUPT);
}

static void a_torn_end_is_cut_off(void **state)
{
	struct world *w = *state;
	off_t synced = size_of(w);

	for (int i = 0; i < 5; i++)
		OK(w, instant_state_have(w->state, 1, 5, 1, true, &w->e));
	flip(w, synced + 40);
	OK(w, open_it(w));
	assert_true(w->ready && w->files == FILES && w->hard == 1);
	OK(w, instant_state_done(w->state, 1, &w->e));
	OK(w, open_it(w));
	assert_true(w->hard == 1 && w->done == 1);
}

static void a_large_one_is_read(void **state)
{
	struct world *w = *state;
	off_t n = size_of(w);

	for (unsigned i = 0; i < 100000; i++)
		OK(w, instant_state_have(w->state, 1, i, 1, true, &w->e));
	assert_true(size_of(w) > n + (2 << 20));
	OK(w, instant_state_sync(w->state, &w->e));
	n = size_of(w);
	assert_int_equal(truncate(w->path, (off_t)3 << 30), 0); /* a torn end of zeros */
	OK(w, open_it(w));
	assert_true(w->hard == 100000 && size_of(w) < n + 100);
}

static void a_moment_of_a_full_disk_ends_nothing(void **state)
{
	struct world *w = *state;
	uint8_t torn[20] = {21, 0, 0, 0, 9};
	int fd;

	os_fault_arm(1, ENOSPC);
	assert_int_equal(instant_state_have(w->state, 1, 5, 1, true, &w->e), -1);
	assert_true(os_fault_fired() && w->e.kind == ERR_NO_SPACE);
	/* Some of it came to be written. */
	fd = open(w->path, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, torn, sizeof torn), sizeof torn);
	close(fd);
	OK(w, instant_state_done(w->state, 2, &w->e));
	OK(w, instant_state_have(w->state, 0, 7, 2, true, &w->e));
	OK(w, instant_state_sync(w->state, &w->e));
	OK(w, open_it(w));
	assert_true(w->hard == 2 && w->done == 1);
}

static void after_a_failed_sync_none_succeeds(void **state)
{
	struct world *w = *state;

	OK(w, instant_state_have(w->state, 1, 5, 1, true, &w->e));
	os_fault_arm(1, EIO);
	assert_int_equal(instant_state_sync(w->state, &w->e), -1);
	assert_true(os_fault_fired());
	assert_int_equal(instant_state_sync(w->state, &w->e), -1);
	assert_int_equal(w->e.kind, ERR_IO);
	assert_int_equal(instant_state_done(w->state, 1, &w->e), -1);
	OK(w, instant_state_lost(w->state, 1, &w->e));
	/* Begun again, it is all written once more. */
	OK(w, open_it(w));
	assert_true(w->hard == 1 && w->lost == 1);
	OK(w, instant_state_sync(w->state, &w->e));
}

static void an_older_one_is_not_wiped(void **state)
{
	struct world *w = *state;
	int fd = open(w->path, O_RDWR);
	bool there;

	assert_int_equal(pwrite(fd, "hfinst01", 8, 0), 8);
	close(fd);
	assert_int_equal(open_it(w), -1);
	assert_int_equal(w->e.kind, ERR_UNSUPPORTED);
	assert_non_null(strstr(w->e.hint, "--finish"));
	assert_int_equal(instant_state_header(w->path, &w->of, &there, &w->e), -1);
	assert_int_equal(w->e.kind, ERR_UNSUPPORTED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(damage_of_what_was_on_disk_is_said),
	    TEST(what_is_missing_at_the_end_is_said),
	    TEST(a_torn_end_is_cut_off),
	    TEST(a_large_one_is_read),
	    TEST(a_moment_of_a_full_disk_ends_nothing),
	    TEST(after_a_failed_sync_none_succeeds),
	    TEST(an_older_one_is_not_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
