/*
 * A file that is filled as it is used does what a plain file would: random reads, writes, cuts and
 * syncs against a model, with kills (the same machine goes on) and power cuts (only what was synced
 * is there) between them.
 */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/instant_file.h"
#include "os/os.h"

enum {
	SIZE = 9 * INSTANT_WINDOW + 777,
	MOST = 12 * INSTANT_WINDOW,
	STEPS = 400,
	WRITE_MAX = 300000
};

static uint64_t seed;

static uint64_t rnd(void)
{
	return unit_rand(&seed);
}

struct world {
	char *dir, *local, *path;
	uint8_t *backup; /* SIZE */
	uint8_t *model, *synced;
	size_t n, nsynced;
	struct buf disk, disk_state; /* both files at the last sync */
	struct instant_state *state;
	struct instant_file *file;
	uint64_t fetched;
	bool failing;
	uint64_t bad_from, bad_to; /* damaged in the backup */
	struct err e;
};

#define OK(w, call)                                                                                \
	do {                                                                                       \
		if ((call) == -1)                                                                  \
			fail_msg("line %d: %s: %s", __LINE__, #call, (w)->e.msg);                  \
	} while (0)

static int fetch(void *arg, enum instant_who who, uint32_t n, uint64_t off, size_t len,
    struct buf *out, struct err *e)
{
	struct world *w = arg;

	assert_int_equal(n, 0);
	assert_true(off + len <= SIZE);
	if (w->failing || (off < w->bad_to && off + len > w->bad_from))
		return err_set(e, ERR_CORRUPT, "the backup is damaged");
	buf_put(out, w->backup + off, len);
	w->fetched += len;
	return 0;
}

static int heard_file(void *arg, uint32_t n, uint64_t size, const char *path, struct err *e)
{
	struct world *w = arg;
	struct stat st;
	int fd = os_open(w->local, O_RDWR | O_CLOEXEC, 0);

	assert_int_equal(n, 0);
	assert_int_equal(size, SIZE);
	assert_string_equal(path, "base/1/2");
	assert_int_not_equal(fd, -1);
	assert_int_equal(fstat(fd, &st), 0);
	w->file = instant_file_new(0, fd, size, w->state, fetch, w);
	instant_file_heard_cut(w->file, (uint64_t)st.st_size);
	return 0;
}

static int heard_have(
    void *arg, uint32_t n, uint64_t first, uint64_t count, bool hard, struct err *e)
{
	return instant_file_heard(((struct world *)arg)->file, first, count, hard, e);
}

static int heard_cut(void *arg, uint32_t n, uint64_t limit, struct err *e)
{
	instant_file_heard_cut(((struct world *)arg)->file, limit);
	return 0;
}

static int heard_lost(void *arg, uint32_t n, struct err *e)
{
	instant_file_heard_lost(((struct world *)arg)->file);
	return 0;
}

static int heard_done(void *arg, uint32_t n, struct err *e)
{
	return 0;
}

static void open_again(struct world *w)
{
	struct instant_heard h = {heard_file, heard_have, heard_cut, heard_done, heard_lost, w};
	struct instant_state *state;
	struct id of;
	bool ready;

	w->file = NULL;
	OK(w, instant_state_open(w->path, &h, &of, &ready, &state, &w->e));
	assert_true(ready);
	assert_int_equal(of.b[0], 7);
	w->state = state;
	/* The file was made before the state that it tells was known. */
	assert_non_null(w->file);
	instant_file_set_state(w->file, state);
}

static void close_all(struct world *w)
{
	instant_file_unref(w->file);
	instant_state_close(w->state);
	w->file = NULL;
	w->state = NULL;
}

static void put_file(const char *path, const struct buf *b)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(os_write_all(fd, b->p, b->n), 0);
	close(fd);
}

static void take_file(struct world *w, const char *path, struct buf *out)
{
	buf_reset(out);
	OK(w, os_read_file(path, 1 << 30, out, &w->e));
}

static void remember(struct world *w)
{
	memcpy(w->synced, w->model, MOST);
	w->nsynced = w->n;
	take_file(w, w->local, &w->disk);
	take_file(w, w->path, &w->disk_state);
}

static struct world *world_new(void)
{
	struct world *w = mem_zalloc(sizeof *w);
	struct id of = {{7}};
	int fd;

	w->dir = mem_strdup("/tmp/hf-instant-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->local = mem_printf("%s/local", w->dir);
	w->path = mem_printf("%s/state", w->dir);
	w->backup = mem_alloc(SIZE);
	w->model = mem_zalloc(MOST);
	w->synced = mem_zalloc(MOST);
	for (size_t i = 0; i < SIZE; i++)
		w->backup[i] = (uint8_t)(rnd() | 1); /* zeros are not ours */
	memcpy(w->model, w->backup, SIZE);
	w->n = SIZE;
	fd = open(w->local, O_RDWR | O_CREAT, 0600);
	assert_int_not_equal(fd, -1);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	close(fd);
	OK(w, instant_state_create(w->path, &of, &w->state, &w->e));
	OK(w, instant_state_file(w->state, 0, SIZE, "base/1/2", &w->e));
	OK(w, instant_state_ready(w->state, &w->e));
	instant_state_close(w->state);
	open_again(w);
	remember(w);
	return w;
}

static void world_free(struct world *w)
{
	close_all(w);
	unlink(w->local);
	unlink(w->path);
	rmdir(w->dir);
	buf_fini(&w->disk);
	buf_fini(&w->disk_state);
	free(w->dir);
	free(w->local);
	free(w->path);
	free(w->backup);
	free(w->model);
	free(w->synced);
	free(w);
}

static void read_some(struct world *w, size_t off, size_t n)
{
	uint8_t *p = mem_alloc(n + 1);
	size_t want = off >= w->n ? 0 : w->n - off < n ? w->n - off : n;
	ssize_t got = instant_file_read(w->file, p, n, (off_t)off, &w->e);

	OK(w, got);
	assert_int_equal(got, want);
	assert_memory_equal(p, w->model + off, want);
	free(p);
}

static void write_some(struct world *w, size_t off, size_t n)
{
	uint8_t *p = mem_alloc(n + 1);

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(rnd() | 1);
	OK(w, instant_file_write(w->file, p, n, (off_t)off, &w->e));
	memcpy(w->model + off, p, n);
	if (n > 0 && off + n > w->n)
		w->n = off + n;
	free(p);
}

static void cut(struct world *w, size_t n)
{
	OK(w, instant_file_cut(w->file, (off_t)n, &w->e));
	if (n < w->n)
		memset(w->model + n, 0, w->n - n);
	w->n = n;
}

static void step(struct world *w)
{
	size_t off = rnd() % (MOST - WRITE_MAX), n = rnd() % WRITE_MAX;
	uint64_t left;

	switch (rnd() % 16) {
	case 0:
		cut(w, rnd() % 3 ? w->n - w->n / 8 : off);
		break;
	case 1:
	case 2:
		OK(w, instant_file_sync(w->file, &w->e));
		remember(w);
		break;
	case 3:
		OK(w, instant_file_copy(w->file, 2 * INSTANT_WINDOW, &left, INSTANT_BACK, &w->e));
		if (left == 0)
			remember(w);
		break;
	case 4: /* killed, and begun again on the same machine */
		close_all(w);
		open_again(w);
		break;
	case 5: /* the power was cut: what came after the last sync is not there */
		close_all(w);
		put_file(w->local, &w->disk);
		put_file(w->path, &w->disk_state);
		memcpy(w->model, w->synced, MOST);
		w->n = w->nsynced;
		open_again(w);
		break;
	case 6:
	case 7:
	case 8:
	case 9:
		write_some(w, rnd() % 2 ? off : off / 8192 * 8192, rnd() % 2 ? n : 8192);
		break;
	default:
		read_some(w, off, n);
	}
}

static void is_what_a_plain_file_would_be(void **unused)
{
	for (unsigned trial = 0; trial < (getenv("HOLDFAST_TEST_FULL") ? 200u : 4u); trial++) {
		struct world *w = world_new();

		for (int i = 0; i < STEPS; i++)
			step(w);
		read_some(w, 0, MOST);
		world_free(w);
	}
}

static void is_whole_after_copying_and_asks_no_more(void **unused)
{
	struct world *w = world_new();
	uint64_t left = 1;
	struct buf local = {.p = NULL};

	write_some(w, INSTANT_WINDOW + 5, 100);
	while (left > 0)
		OK(w, instant_file_copy(w->file, INSTANT_WINDOW, &left, INSTANT_BACK, &w->e));
	assert_int_equal(w->fetched, SIZE);
	take_file(w, w->local, &local);
	assert_int_equal(local.n, SIZE);
	assert_memory_equal(local.p, w->model, SIZE);
	w->failing = true;
	read_some(w, 0, SIZE);
	buf_fini(&local);
	world_free(w);
}

static void damage_fails_the_read_and_never_shows_zeros(void **unused)
{
	struct world *w = world_new();
	uint8_t p[10];

	w->failing = true;
	assert_int_equal(instant_file_read(w->file, p, sizeof p, 5, &w->e), -1);
	assert_int_equal(w->e.kind, ERR_CORRUPT);
	assert_int_equal(instant_file_write(w->file, p, sizeof p, 5, &w->e), -1);
	w->failing = false;
	read_some(w, 0, SIZE);
	world_free(w);
}

static void damage_keeps_nothing_else_back(void **unused)
{
	struct world *w = world_new();
	uint64_t left = 1, off = 0, len;
	uint8_t block[INSTANT_BLOCK] = {7};

	w->bad_from = 3 * INSTANT_WINDOW + 100;
	w->bad_to = w->bad_from + INSTANT_BLOCK;
	assert_int_equal(instant_file_read(w->file, block, 10, (off_t)w->bad_from, &w->e), -1);
	read_some(w, 3 * INSTANT_WINDOW + 4 * INSTANT_BLOCK + 5, 100);
	assert_int_equal(instant_file_copy(w->file, SIZE, &left, INSTANT_BACK, &w->e), -1);
	assert_int_equal(w->e.kind, ERR_DAMAGE_FOUND);
	assert_int_equal(left, 2 * INSTANT_BLOCK);
	assert_int_equal(instant_file_bad(w->file), left);
	assert_true(instant_file_bad_next(w->file, &off, &len));
	assert_int_equal(off, 3 * INSTANT_WINDOW);
	assert_int_equal(len, left);
	off += len;
	assert_false(instant_file_bad_next(w->file, &off, &len));
	/* It is not asked for again by who copies; who reads it fails each time. */
	OK(w, instant_file_copy(w->file, SIZE, &left, INSTANT_BACK, &w->e));
	assert_int_equal(instant_file_read(w->file, block, 10, (off_t)w->bad_from, &w->e), -1);
	assert_int_equal(instant_file_copy(w->file, SIZE, &left, INSTANT_FRONT, &w->e), -1);
	/* Written over it is as good as any; and what was mended comes. */
	OK(w, instant_file_write(w->file, block, sizeof block, 3 * INSTANT_WINDOW, &w->e));
	memcpy(w->model + 3 * INSTANT_WINDOW, block, sizeof block);
	assert_int_equal(instant_file_bad(w->file), INSTANT_BLOCK);
	w->bad_from = w->bad_to = 0;
	instant_file_forgive(w->file);
	OK(w, instant_file_copy(w->file, SIZE, &left, INSTANT_BACK, &w->e));
	assert_int_equal(left, 0);
	read_some(w, 0, SIZE);
	world_free(w);
}

static void a_block_that_is_overwritten_is_not_fetched(void **unused)
{
	struct world *w = world_new();

	write_some(w, 5 * INSTANT_BLOCK, 2 * INSTANT_BLOCK);
	assert_int_equal(w->fetched, 0);
	write_some(w, 6 * INSTANT_BLOCK + 5, 10);
	assert_int_equal(w->fetched, 0);
	write_some(w, 5, 10);
	assert_int_equal(w->fetched, INSTANT_WINDOW - 2 * INSTANT_BLOCK);
	read_some(w, 0, SIZE);
	world_free(w);
}

/* Who got the error may have been another: who asks again must not be told that all is well. */
static void after_a_failed_sync_none_succeeds(void **unused)
{
	struct world *w = world_new();
	uint64_t left;

	write_some(w, INSTANT_WINDOW, INSTANT_WINDOW);
	OK(w, instant_file_sync(w->file, &w->e));
	write_some(w, 4 * INSTANT_WINDOW, INSTANT_WINDOW);
	read_some(w, 2 * INSTANT_WINDOW, 10);
	os_fault_arm(1, EIO);
	assert_int_equal(instant_file_sync(w->file, &w->e), -1);
	assert_true(os_fault_fired());
	assert_int_equal(instant_file_sync(w->file, &w->e), -1);
	assert_int_equal(w->e.kind, ERR_IO);
	/* What was fetched may be gone from the disk. */
	w->fetched = 0;
	read_some(w, 0, SIZE);
	assert_int_equal(w->fetched, SIZE - 2 * INSTANT_WINDOW);
	left = 1;
	assert_int_equal(instant_file_copy(w->file, 2 * SIZE, &left, INSTANT_BACK, &w->e), -1);
	assert_int_equal(left, 0);
	/* Begun again: what was synced is here, what was not is the backup's. */
	close_all(w);
	memcpy(w->model + 4 * INSTANT_WINDOW, w->backup + 4 * INSTANT_WINDOW, INSTANT_WINDOW);
	open_again(w);
	read_some(w, 0, SIZE);
	OK(w, instant_file_sync(w->file, &w->e));
	world_free(w);
}

static void a_moment_of_a_full_disk_ends_nothing(void **unused)
{
	struct world *w = world_new();
	uint64_t left;

	os_fault_arm(2, ENOSPC); /* the file was cut, and the state could not be told */
	assert_int_equal(instant_file_cut(w->file, INSTANT_WINDOW + 100, &w->e), -1);
	assert_true(os_fault_fired() && w->e.kind == ERR_NO_SPACE);
	memset(w->model + INSTANT_WINDOW + 100, 0, MOST - INSTANT_WINDOW - 100);
	w->n = INSTANT_WINDOW + 100;
	OK(w, instant_file_room(w->file, 0, 3 * INSTANT_WINDOW, &w->e));
	w->n = 3 * INSTANT_WINDOW;
	write_some(w, 4 * INSTANT_WINDOW, 10);
	os_fault_arm(1, ENOSPC);
	assert_int_equal(instant_file_read(w->file, w->disk.p, 10, 0, &w->e), -1);
	assert_true(os_fault_fired());
	close_all(w);
	open_again(w);
	read_some(w, 0, MOST);
	OK(w, instant_file_copy(w->file, 2 * SIZE, &left, INSTANT_BACK, &w->e));
	assert_int_equal(left, 0);
	world_free(w);
}

static void what_follows_a_torn_record_is_cut_off(void **unused)
{
	struct world *w = world_new();

	write_some(w, 0, INSTANT_WINDOW);
	OK(w, instant_file_sync(w->file, &w->e));
	remember(w);
	close_all(w);
	buf_put(&w->disk_state, "\x15\0\0\0torn", 8);
	put_file(w->path, &w->disk_state);
	open_again(w);
	read_some(w, 0, SIZE);
	write_some(w, 3 * INSTANT_WINDOW, 9);
	close_all(w);
	open_again(w);
	read_some(w, 0, SIZE);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(is_what_a_plain_file_would_be),
	    cmocka_unit_test(is_whole_after_copying_and_asks_no_more),
	    cmocka_unit_test(damage_keeps_nothing_else_back),
	    cmocka_unit_test(damage_fails_the_read_and_never_shows_zeros),
	    cmocka_unit_test(a_block_that_is_overwritten_is_not_fetched),
	    cmocka_unit_test(after_a_failed_sync_none_succeeds),
	    cmocka_unit_test(a_moment_of_a_full_disk_ends_nothing),
	    cmocka_unit_test(what_follows_a_torn_record_is_cut_off),
	};

	const char *text = getenv("HOLDFAST_TEST_SEED");

	seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
	print_message("HOLDFAST_TEST_SEED=%llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
