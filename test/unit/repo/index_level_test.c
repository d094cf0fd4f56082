/* index_level: a large level opens at once and takes little memory. */
#include <stddef.h>
#include <stdint.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <time.h>

#include "make_index.h"
#include "os/os.h"
#include "repo/index_level.h"

enum { PARTS = 5, PACK_BLOBS = 1000 };

static const uint8_t key[32] = {9};

static int temp_file(void)
{
	const char *tmp = getenv("TMPDIR");
	char path[4200];
	int fd;

	snprintf(path, sizeof path, "%s/hf-level-XXXXXX", tmp ? tmp : "/tmp");
	fd = mkstemp(path);
	assert_true(fd != -1);
	unlink(path);
	return fd;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double resident_mib(void)
{
	long pages = 0, all = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &all, &pages), 2);
	fclose(f);
	return (double)pages * 4096 / (1 << 20);
}

static struct index_level *build_part(uint64_t series, size_t blobs)
{
	struct index_level_builder *b = index_level_builder_new();
	struct id source = make_id(88, series);
	struct buf payload = {0};
	struct err e = {0};
	int fd = temp_file();

	make_payload(series, blobs / PACK_BLOBS, PACK_BLOBS, &payload);
	assert_int_equal(index_level_builder_add(
			     b, &source, &(struct index_origin){1, 2}, buf_span(&payload), &e),
	    0);
	assert_int_equal(index_level_builder_write(b, fd, key, &e), 0);
	index_level_builder_free(b);
	buf_fini(&payload);
	return index_level_open(fd, key, &e);
}

static void a_large_level_opens_fast_and_small(void **state)
{
	const char *full = getenv("HOLDFAST_TEST_FULL");
	size_t n = full && *full == '1' ? 10000000 : 1000000;
	struct index_level *part[PARTS], *l;
	double rss, t, opened;
	struct err e = {0};
	int fd = temp_file(), fd2;

	for (uint64_t i = 0; i < PARTS; i++) {
		part[i] = build_part(i, n / PARTS);
		assert_non_null(part[i]);
	}
	t = seconds();
	assert_int_equal(index_level_merge(part, PARTS, fd, key, &e), 0);
	print_message("# %zu blobs merged in %.2f s\n", n, seconds() - t);
	for (int i = 0; i < PARTS; i++)
		index_level_close(part[i]);
	fd2 = dup(fd);
	rss = resident_mib();
	t = seconds();
	l = index_level_open(fd, key, &e);
	opened = seconds() - t;
	assert_non_null(l);
	print_message("# opened in %.4f s, %.1f MiB more\n", opened, resident_mib() - rss);
	assert_true(opened < 0.2 && resident_mib() - rss < 50);
	t = seconds();
	for (uint64_t i = 0; i < 10000; i++) {
		uint64_t at = INDEX_LEVEL_FIRST, k = i * 7919 % (n / PARTS), s = i % PARTS;
		struct id id = make_id(s, k), none = make_id(PARTS, i);
		struct index_place p;
		uint32_t blob;

		assert_int_equal(index_level_next(l, &id, &at, &blob, &e), 1);
		assert_int_equal(blob, s * (n / PARTS) + k);
		assert_int_equal(index_level_place(l, blob, &p, &e), 0);
		assert_int_equal(p.blob_len, make_len(s, k));
		at = INDEX_LEVEL_FIRST;
		assert_int_equal(index_level_next(l, &none, &at, &blob, &e), 0);
	}
	print_message("# 10000 found, 10000 absent in %.2f s, %.1f MiB more\n", seconds() - t,
	    resident_mib() - rss);
	index_level_close(l);
	close(fd2);
}

static void a_level_as_it_was_written_verifies_and_a_changed_byte_does_not(void **state)
{
	struct index_level *l = build_part(3, 20000);
	uint64_t blobs = index_level_blobs(l);
	struct index_level *merged;
	struct err e = {0};
	int fd = temp_file(), again;
	struct stat st;
	uint8_t byte;

	assert_int_equal(index_level_verify(l, &e), 0);
	assert_int_equal(index_level_merge(&l, 1, fd, key, &e), 0);
	index_level_close(l);
	again = dup(fd);
	merged = index_level_open(fd, key, &e);
	assert_int_equal(index_level_verify(merged, &e), 0);
	assert_int_equal(index_level_blobs(merged), blobs);
	index_level_close(merged);
	/* The last block is of checksums, which protect themselves. */
	assert_int_equal(fstat(again, &st), 0);
	assert_int_equal(pread(again, &byte, 1, st.st_size / 2), 1);
	byte ^= 1;
	assert_int_equal(pwrite(again, &byte, 1, st.st_size / 2), 1);
	merged = index_level_open(again, key, &e);
	assert_int_equal(index_level_verify(merged, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	index_level_close(merged);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_level_as_it_was_written_verifies_and_a_changed_byte_does_not),
	    cmocka_unit_test(a_large_level_opens_fast_and_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
