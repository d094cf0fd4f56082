/* file_cache: records come back in any order; damage costs one record. */
#include <stddef.h>
#include <stdint.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "make_index.h"
#include "os/os.h"
#include "repo/file_cache.h"

enum { DIRS = 300 };

static char folder[4200], path[4300];

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof folder, "%s/hf-files-XXXXXX", tmp ? tmp : "/tmp");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/files", folder);
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	return rmdir(folder); /* fails if a temporary file was left */
}

static void put_dir(struct file_cache_writer *w, uint64_t i)
{
	struct id ids[3] = {make_id(1, i), make_id(2, i), make_id(3, i)}, p = make_id(4, i);
	struct file_cache_entry en[3] = {{.tag = 2, .nids = 3, .ids = ids}, {.tag = 0},
	    {.tag = 3, .depth = 2, .nids = 1, .ids = ids + 1}};
	struct file_cache_dir d = {.entries = en, .n = i % 4};
	struct err e = {0};

	memcpy(d.key, p.b, FILE_CACHE_FP);
	memcpy(en[0].fp, ids[2].b, FILE_CACHE_FP);
	d.n = d.n > 3 ? 3 : d.n;
	assert_int_equal(file_cache_put(w, &d, &e), 0);
}

static void write_cache(uint64_t n)
{
	struct err e = {0};
	struct file_cache_writer *w = file_cache_create(path, &e);
	struct file_cache_head head = {.snapshot = make_id(9, 9), .time_ns = 1234};

	assert_non_null(w);
	for (uint64_t i = 0; i < n; i++)
		put_dir(w, i);
	assert_int_equal(file_cache_commit(w, &head, &e), 0);
}

/* Is the record there (and then right)? */
static bool get_dir(struct file_cache *c, uint64_t i)
{
	struct id p = make_id(4, i), b = make_id(2, i), f = make_id(3, i);
	const struct file_cache_dir *d = file_cache_get(c, p.b);

	if (d == NULL)
		return false;
	assert_int_equal(d->n, i % 4);
	if (d->n > 0) {
		assert_memory_equal(d->entries[0].fp, f.b, FILE_CACHE_FP);
		assert_int_equal(d->entries[0].nids, 3);
		assert_true(id_eq(&d->entries[0].ids[1], &b));
	}
	if (d->n > 2)
		assert_int_equal(d->entries[2].depth, 2);
	return true;
}

static void records_come_back_in_and_out_of_order(void **state)
{
	struct err e = {0};
	struct file_cache *c;

	write_cache(DIRS);
	c = file_cache_open(path, &e);
	assert_non_null(c);
	assert_int_equal(file_cache_head(c)->time_ns, 1234);
	for (uint64_t i = 0; i < DIRS; i++)
		assert_true(get_dir(c, i));
	for (uint64_t i = DIRS; i-- > 0;)
		assert_true(get_dir(c, i));
	assert_false(get_dir(c, DIRS));
	file_cache_close(c);
}

static void a_missing_file_is_absent(void **state)
{
	struct err e = {0};

	assert_null(file_cache_open(path, &e));
	assert_int_equal(e.kind, ERR_ABSENT);
}

static void an_abandoned_writer_leaves_the_old_one(void **state)
{
	struct err e = {0};
	struct file_cache_writer *w;
	struct file_cache *c;

	write_cache(3);
	w = file_cache_create(path, &e);
	put_dir(w, 7);
	file_cache_abort(w);
	c = file_cache_open(path, &e);
	assert_true(get_dir(c, 2));
	assert_false(get_dir(c, 7));
	file_cache_close(c);
}

static void a_damaged_byte_costs_its_record_only(void **state)
{
	struct buf file = {0};
	struct err e = {0};

	write_cache(20);
	assert_int_equal(os_read_file(path, 1 << 20, &file, &e), 0);
	for (size_t at = 0; at < file.n; at += 11) {
		int fd = os_open(path, O_RDWR, 0), lost = 0;
		uint8_t v = file.p[at] ^ 0x10;
		struct file_cache *c;

		assert_int_equal(os_pwrite_all(fd, file.p, file.n, 0), 0);
		assert_int_equal(os_pwrite_all(fd, &v, 1, (off_t)at), 0);
		os_close(fd);
		c = file_cache_open(path, &e);
		if (c == NULL) {
			assert_true(at < 8 || at >= file.n - 80);
			continue;
		}
		for (uint64_t i = 0; i < 20; i++)
			lost += !get_dir(c, i);
		assert_in_range(lost, 0, 1);
		file_cache_close(c);
	}
	buf_fini(&file);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(records_come_back_in_and_out_of_order),
	    T(a_missing_file_is_absent),
	    T(an_abandoned_writer_leaves_the_old_one),
	    T(a_damaged_byte_costs_its_record_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
