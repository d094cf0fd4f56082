/* follow_spool: what was received is there again, and no more than that. */
#include "unit/unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/follow_spool.h"

enum { SEG = 1 << 20 };

static struct err e;
static char dir[64];

#define OK(x)                                                                                      \
	do {                                                                                       \
		if ((x) != 0)                                                                      \
			fail_msg("%s: %s", #x, e.msg);                                             \
	} while (0)

static int setup(void **state)
{
	strcpy(dir, "/tmp/hf-spool-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char *cmd = mem_printf("rm -rf %s", dir);
	int rc = system(cmd);

	free(cmd);
	return rc;
}

static struct follow_spool *spool(const char *boot, struct follow_spooled **v, size_t *n)
{
	struct follow_spool *s;

	OK(follow_spool_open(dir, boot, &s, &e));
	OK(follow_spool_of(s, "7123", SEG, &e));
	OK(follow_spool_list(s, v, n, &e));
	return s;
}

static void fill(struct follow_spool *s, uint64_t from, size_t n)
{
	uint8_t *p = mem_alloc(n);

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)((from + i) % 251);
	OK(follow_spool_append(s, 1, from, span_of(p, n), &e));
	free(p);
}

static void expect(struct follow_spool *s, uint64_t segment, uint64_t from, uint64_t to)
{
	struct follow_mapped m;

	OK(follow_spool_map(s, 1, segment, from, to, &m, &e));
	assert_int_equal(m.bytes.n, to - from);
	for (size_t i = 0; i < m.bytes.n; i++)
		if (m.bytes.p[i] != (from + i) % 251)
			fail_msg("byte %zu is another", i);
	follow_spool_unmap(&m);
}

static void what_a_killed_receiver_left_is_there_again(void **state)
{
	struct follow_spooled *v;
	struct follow_spool *s;
	size_t n;

	s = spool("boot-a", &v, &n);
	assert_int_equal(n, 0);
	fill(s, 0, SEG);
	fill(s, SEG, 1000);
	fill(s, SEG + 1000, 24);
	OK(follow_spool_put_history(s, 1, span_str("none"), &e));
	assert_int_equal(follow_spool_bytes(s), SEG + 1024 + 4);
	follow_spool_close(s);
	s = spool("boot-a", &v, &n);
	assert_int_equal(n, 3);
	assert_true(v[0].history);
	assert_int_equal(v[2].end, SEG + 1024);
	expect(s, 0, 0, SEG);
	expect(s, 0, 5, SEG - 7); /* that is mapped */
	expect(s, SEG, SEG + 990, SEG + 1010);
	fill(s, SEG + 1024, 6);
	expect(s, SEG, SEG, SEG + 1030);
	free(v);
	OK(follow_spool_drop(s, 1, 0, false, &e));
	OK(follow_spool_drop(s, 1, 0, false, &e));
	assert_int_equal(follow_spool_bytes(s), 1030 + 4);
	OK(follow_spool_empty(s, &e));
	assert_int_equal(follow_spool_bytes(s), 0);
	follow_spool_close(s);
}

static void after_the_machine_s_crash_only_what_was_synced_counts(void **state)
{
	struct follow_spooled *v;
	struct follow_spool *s;
	size_t n;

	s = spool("boot-a", &v, &n);
	fill(s, 0, SEG);
	fill(s, SEG, 500);
	OK(follow_spool_sync(s, &e));
	fill(s, SEG + 500, 600);
	fill(s, SEG + 1100, SEG - 1100);
	fill(s, 2 * SEG, 10);
	follow_spool_close(s);
	s = spool("boot-b", &v, &n);
	assert_int_equal(n, 2);
	assert_int_equal(v[1].end, SEG + 500);
	expect(s, SEG, SEG, SEG + 500);
	fill(s, SEG + 500, 1);
	free(v);
	follow_spool_close(s);
	s = spool("boot-b", &v, &n); /* no crash since */
	assert_int_equal(v[1].end, SEG + 501);
	free(v);
	follow_spool_close(s);
}

static void bytes_out_of_order_are_refused(void **state)
{
	struct follow_spooled *v;
	struct follow_spool *s;
	struct follow_mapped m;
	size_t n;

	s = spool("boot-a", &v, &n);
	fill(s, 0, 10);
	assert_int_equal(follow_spool_append(s, 1, 11, span_str("x"), &e), -1);
	assert_int_equal(follow_spool_map(s, 1, 0, 0, 11, &m, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	follow_spool_close(s);
}

static void another_database_s_wal_is_not_mixed_in(void **state)
{
	struct follow_spooled *v;
	struct follow_spool *s, *t;
	size_t n;

	s = spool("boot-a", &v, &n);
	assert_int_equal(follow_spool_open(dir, "boot-a", &t, &e), -1);
	assert_int_equal(e.kind, ERR_BUSY);
	follow_spool_close(s);
	OK(follow_spool_open(dir, "boot-a", &s, &e));
	assert_int_equal(follow_spool_of(s, "7124", SEG, &e), -1);
	assert_int_equal(follow_spool_of(s, "7123", 2 * SEG, &e), -1);
	follow_spool_close(s);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(what_a_killed_receiver_left_is_there_again),
	    T(after_the_machine_s_crash_only_what_was_synced_counts),
	    T(bytes_out_of_order_are_refused),
	    T(another_database_s_wal_is_not_mixed_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
