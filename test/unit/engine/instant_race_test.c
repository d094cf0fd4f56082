/*
 * One file that is written and cut at random while others read it and bring what is missing, slowly
 * and at times in vain: it is what a plain file would be, then and after it was begun again.
 */
#include "unit/unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/instant_file.h"
#include "os/os.h"

enum { SIZE = 20 * INSTANT_WINDOW + 777, MOST = 22 * INSTANT_WINDOW, STEPS = 600, READERS = 2 };

static uint64_t seed;

struct world {
	char dir[64], *local, *path;
	uint8_t *backup, *model;
	size_t n;
	struct instant_state *state;
	struct instant_file *file;
	_Atomic uint64_t fetches;
	_Atomic bool end, sound;
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
	uint64_t i = atomic_fetch_add(&w->fetches, 1);

	usleep((useconds_t)(i * 7919 % 3000));
	if (i % 11 == 5 && !atomic_load(&w->sound))
		return err_set(e, i % 2 ? ERR_UNREACHABLE : ERR_CORRUPT, "not now");
	buf_put(out, w->backup + off, len);
	return 0;
}

static int heard_file(void *arg, uint32_t n, uint64_t size, const char *path, struct err *e)
{
	struct world *w = arg;
	int fd = os_open(w->local, O_RDWR | O_CLOEXEC, 0);
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	w->file = instant_file_new(0, fd, size, NULL, fetch, w);
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

static int heard_none(void *arg, uint32_t n, struct err *e)
{
	return 0;
}

static void open_it(struct world *w)
{
	struct instant_heard h = {heard_file, heard_have, heard_cut, heard_none, heard_none, w};
	struct id of;
	bool ready;

	OK(w, instant_state_open(w->path, &h, &of, &ready, &w->state, &w->e));
	instant_file_set_state(w->file, w->state);
}

static struct world *world_new(void)
{
	struct world *w = mem_zalloc(sizeof *w);
	struct id of = {{7}};
	int fd;

	strcpy(w->dir, "/tmp/hf-instant-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->local = mem_printf("%s/local", w->dir);
	w->path = mem_printf("%s/state", w->dir);
	w->backup = mem_alloc(SIZE);
	w->model = mem_zalloc(MOST);
	unit_rand_fill(&seed, w->backup, SIZE);
	memcpy(w->model, w->backup, SIZE);
	w->n = SIZE;
	fd = open(w->local, O_RDWR | O_CREAT, 0600);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	close(fd);
	OK(w, instant_state_create(w->path, &of, &w->state, &w->e));
	OK(w, instant_state_file(w->state, 0, SIZE, "f", &w->e));
	OK(w, instant_state_ready(w->state, &w->e));
	instant_state_close(w->state);
	open_it(w);
	return w;
}

static void world_free(struct world *w)
{
	instant_file_unref(w->file);
	instant_state_close(w->state);
	unlink(w->local);
	unlink(w->path);
	rmdir(w->dir);
	free(w->local);
	free(w->path);
	free(w->backup);
	free(w->model);
	free(w);
}

static void *copy(void *arg)
{
	struct world *w = arg;
	uint64_t left = 1;
	struct err e;

	while (!atomic_load(&w->end) && left > 0)
		if (instant_file_copy(w->file, INSTANT_WINDOW, &left, INSTANT_BACK, &e) == -1)
			instant_file_forgive(w->file);
	return NULL;
}

static void *look(void *arg)
{
	struct world *w = arg;
	uint8_t *p = mem_alloc(INSTANT_WINDOW);
	uint64_t mine = (uintptr_t)p;
	struct err e;

	while (!atomic_load(&w->end))
		(void)!instant_file_read(w->file, p, unit_rand(&mine) % INSTANT_WINDOW,
		    (off_t)(unit_rand(&mine) % SIZE), &e);
	free(p);
	return NULL;
}

/* What failed for once is asked for again. */
#define AGAIN(w, call)                                                                             \
	while ((call) == -1)                                                                       \
	assert_true((w)->e.kind == ERR_UNREACHABLE || (w)->e.kind == ERR_CORRUPT)

static void read_and_compare(struct world *w, size_t off, size_t n)
{
	uint8_t *p = mem_alloc(n + 1);
	size_t want = off >= w->n ? 0 : w->n - off < n ? w->n - off : n;

	AGAIN(w, instant_file_read(w->file, p, n, (off_t)off, &w->e));
	assert_memory_equal(p, w->model + off, want);
	free(p);
}

static void write_some(struct world *w, size_t off, size_t n)
{
	uint8_t *p = mem_alloc(n + 1);

	unit_rand_fill(&seed, p, n);
	AGAIN(w, instant_file_write(w->file, p, n, (off_t)off, &w->e));
	memcpy(w->model + off, p, n);
	if (n > 0 && off + n > w->n)
		w->n = off + n;
	free(p);
}

/* Whole blocks, for which nobody waits, while others bring them. */
static void overtake(struct world *w)
{
	write_some(w, unit_rand(&seed) % (SIZE / INSTANT_BLOCK) * INSTANT_BLOCK, INSTANT_BLOCK);
	usleep(100);
}

static void step(struct world *w)
{
	size_t off = unit_rand(&seed) % (MOST - INSTANT_WINDOW),
	       n = unit_rand(&seed) % INSTANT_WINDOW;

	switch (unit_rand(&seed) % 16) {
	case 0: /* a little less, and often as much as before */
		n = w->n - unit_rand(&seed) % (w->n / 16 + 1);
		OK(w, instant_file_cut(w->file, (off_t)n, &w->e));
		memset(w->model + n, 0, w->n - n);
		if (unit_rand(&seed) % 2)
			OK(w, instant_file_cut(w->file, (off_t)w->n, &w->e));
		else
			w->n = n;
		break;
	case 1:
		OK(w, instant_file_sync(w->file, &w->e));
		break;
	case 2:
	case 3:
	case 4:
		write_some(w, off, n);
		break;
	case 5:
	case 6:
	case 7:
	case 8:
		write_some(w, off / INSTANT_BLOCK * INSTANT_BLOCK, INSTANT_BLOCK);
		break;
	default:
		read_and_compare(w, off, n);
	}
}

static void is_what_a_plain_file_would_be(void **unused)
{
	for (unsigned trial = 0; trial < (getenv("HOLDFAST_TEST_FULL") ? 100u : 3u); trial++) {
		struct world *w = world_new();
		pthread_t t[1 + READERS];

		pthread_create(&t[0], NULL, copy, w);
		for (int i = 0; i < READERS; i++)
			pthread_create(&t[1 + i], NULL, look, w);
		for (int i = 0; i < STEPS; i++)
			i < STEPS / 4 ? overtake(w) : step(w);
		atomic_store(&w->end, true);
		for (int i = 0; i < 1 + READERS; i++)
			pthread_join(t[i], NULL);
		atomic_store(&w->sound, true);
		read_and_compare(w, 0, MOST);
		instant_file_unref(w->file);
		instant_state_close(w->state);
		open_it(w);
		read_and_compare(w, 0, MOST);
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(is_what_a_plain_file_would_be)};
	const char *text = getenv("HOLDFAST_TEST_SEED");

	seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
	print_message("HOLDFAST_TEST_SEED=%llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
