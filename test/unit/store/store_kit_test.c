/* kits: what is put into one comes out again, and nothing else does. */
#include "store_dir.h"

#include <fcntl.h>
#include <unistd.h>

#include "store/kit.h"
#include "store/store_drivers.h"

struct made {
	char *dir, *path;
};

static void put_all(struct store *s)
{
	struct store_upload *one, *two;
	struct store_stat st;
	char got[8];
	struct err e;

	OK(store_put(s, "keys/k", span_str("key"), STORE_NEW, &e), &e);
	OK(store_put(s, "leases/x", span_str("clock"), 0, &e), &e);
	/* Two at a time, and a small object between: the stream has one after another. */
	OK(store_begin(s, &one, &e), &e);
	OK(store_begin(s, &two, &e), &e);
	OK(store_append(one, span_str("first "), &e), &e);
	OK(store_append(two, span_str("second"), &e), &e);
	OK(store_put(s, "config", span_str("old"), STORE_NEW, &e), &e);
	OK(store_append(one, span_str("pack"), &e), &e);
	OK(store_commit(two, "meta/bb/2", STORE_NEW | STORE_LAZY, &e), &e);
	OK(store_commit(one, "packs/aa/1", STORE_NEW | STORE_LAZY, &e), &e);
	OK(store_begin(s, &one, &e), &e);
	OK(store_append(one, span_str("given up"), &e), &e);
	store_abort(one);
	OK(store_sync(s, &e), &e);
	FAILS(store_put(s, "config", span_str("x"), STORE_NEW, &e), ERR_EXISTS, &e);
	OK(store_put(s, "config", span_str("config!"), 0, &e), &e);
	OK(store_put(s, "parity/packs/1", span_str(""), 0, &e), &e);
	OK(store_get(s, "config", 3, got, 4, &e), &e);
	assert_memory_equal(got, "fig!", 4);
	OK(store_stat(s, "packs/aa/1", &st, &e), &e);
	assert_int_equal(st.size, 10);
	OK(store_del(s, "leases/x", &e), &e);
	OK(store_del(s, "leases/x", &e), &e);
	FAILS(store_get(s, "leases/x", 0, got, 1, &e), ERR_ABSENT, &e);
}

static struct made make(bool end)
{
	struct made m = {.dir = dir_make()};
	struct store *s;
	uint8_t hash[32];
	uint64_t size;
	struct stat st;
	struct err e;
	int fd;

	m.path = mem_printf("%s/kit", m.dir);
	fd = open(m.path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	OK(store_kit_begin(fd, m.path, &s, &e), &e);
	put_all(s);
	if (end) {
		OK(store_kit_end(s, &size, hash, &e), &e);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_size, size);
	}
	store_close(s);
	close(fd);
	return m;
}

static void made_fini(struct made *m)
{
	free(m->path);
	dir_remove(m->dir);
}

static void is(struct store *s, const char *key, const char *want)
{
	struct buf b = {0};
	struct err e;

	OK(store_get_all(s, key, 100, &b, &e), &e);
	assert_int_equal(b.n, strlen(want));
	assert_memory_equal(b.n ? (const char *)b.p : "", want, b.n);
	buf_fini(&b);
}

static int count(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	++*(unsigned *)arg;
	return 0;
}

static void what_was_put_comes_out_again(void **state)
{
	struct made m = make(true);
	struct ctx ctx = {0};
	unsigned n = 0;
	uint64_t damaged;
	struct store *s;
	struct err e;

	OK(store_kit_open(m.path, &s, &e), &e);
	is(s, "config", "config!");
	is(s, "keys/k", "key");
	is(s, "packs/aa/1", "first pack");
	is(s, "meta/bb/2", "second");
	is(s, "parity/packs/1", "");
	OK(store_list(s, "", count, &n, &e), &e);
	assert_int_equal(n, 5);
	n = 0;
	OK(store_list(s, "packs/", count, &n, &e), &e);
	assert_int_equal(n, 1);
	FAILS(store_get(s, "packs/aa/1", 8, (char[8]){0}, 3, &e), ERR_CORRUPT, &e);
	OK(store_kit_verify(s, &ctx, &damaged, &e), &e);
	assert_int_equal(damaged, 0);
	store_close(s);
	made_fini(&m);
}

static void nothing_is_put_into_a_finished_kit(void **state)
{
	struct made m = make(true);
	struct store_upload *up;
	struct store *s;
	struct err e;

	OK(store_kit_open(m.path, &s, &e), &e);
	FAILS(store_put(s, "config", span_str("x"), 0, &e), ERR_DENIED, &e);
	FAILS(store_del(s, "config", &e), ERR_DENIED, &e);
	FAILS(store_begin(s, &up, &e), ERR_DENIED, &e);
	store_close(s);
	made_fini(&m);
}

static void one_that_was_not_ended_is_torn(void **state)
{
	struct made m = make(false);
	struct store *s;
	struct err e;

	FAILS(store_kit_open(m.path, &s, &e), ERR_CORRUPT, &e);
	assert_non_null(strstr(e.msg, "torn"));
	made_fini(&m);
}

/* Any byte: the header says it is none, or the end does not fit, or an object is another. */
static void every_changed_byte_is_noticed(void **state)
{
	struct made m = make(true);
	struct ctx ctx = {0};
	int fd = open(m.path, O_RDWR);
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	for (off_t at = 0; at < st.st_size; at++) {
		uint64_t damaged = 0;
		uint8_t good, bad;
		struct store *s;
		struct err e;

		assert_int_equal(pread(fd, &good, 1, at), 1);
		bad = good ^ 0x40;
		assert_int_equal(pwrite(fd, &bad, 1, at), 1);
		if (store_kit_open(m.path, &s, &e) == 0) {
			OK(store_kit_verify(s, &ctx, &damaged, &e), &e);
			if (damaged != 1)
				fail_msg("byte %lld is not noticed", (long long)at);
			store_close(s);
		}
		assert_int_equal(pwrite(fd, &good, 1, at), 1);
	}
	close(fd);
	made_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_put_comes_out_again),
	    cmocka_unit_test(nothing_is_put_into_a_finished_kit),
	    cmocka_unit_test(one_that_was_not_ended_is_torn),
	    cmocka_unit_test(every_changed_byte_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
