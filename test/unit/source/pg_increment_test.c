/* pg_increment: what a server of PostgreSQL 17 sends of a file that changed. */
#include "source_unit.h"

#include "base/buf.h"
#include "source/pg_increment.h"
#include "source/pg_page.h"
#include "source/pg_source.h"

enum { RELATION = 1000 };

static struct err e;

/* What is sent of a file: these blocks of it, each of one letter. */
static void put_sent(struct buf *b, uint32_t length, const uint32_t *blocks, uint32_t n)
{
	size_t begin = b->n;

	buf_put_u32(b, 0xd3ae1f0d);
	buf_put_u32(b, n);
	buf_put_u32(b, length);
	for (uint32_t i = 0; i < n; i++)
		buf_put_u32(b, blocks[i]);
	while (n > 0 && (b->n - begin) % PG_PAGE != 0)
		buf_put_u8(b, 0);
	for (uint32_t i = 0; i < n; i++)
		for (int k = 0; k < PG_PAGE; k++)
			buf_put_u8(b, (uint8_t)('a' + blocks[i] % 26));
}

static int parse(const struct buf *b, struct pg_increment *x)
{
	size_t n = b->n >= PG_INCREMENT_HEAD ? pg_increment_head(b->p, RELATION) : 0;

	return pg_increment_parse(span_of(b->p, n < b->n ? n : b->n), b->n, RELATION, x, &e);
}

static void its_blocks_and_its_length_are_told(void **state)
{
	static const uint32_t blocks[] = {0, 7, 999};
	struct buf b = {0};
	struct pg_increment x;

	put_sent(&b, 40, blocks, 2);
	assert_int_equal(parse(&b, &x), 0);
	assert_int_equal(x.size, 40 * PG_PAGE);
	assert_int_equal(x.data, PG_PAGE);
	assert_int_equal(pg_increment_at(&x, 0), 0);
	assert_int_equal(pg_increment_at(&x, 7), 1);
	assert_int_equal(pg_increment_at(&x, 6), -1);
	assert_int_equal(pg_increment_at(&x, 8), -1);
	pg_increment_fini(&x);
	buf_reset(&b);
	put_sent(&b, 8, blocks, 3); /* it grew */
	assert_int_equal(parse(&b, &x), 0);
	assert_int_equal(x.size, 1000 * PG_PAGE);
	pg_increment_fini(&x);
	buf_reset(&b);
	put_sent(&b, 12, blocks, 0);
	assert_int_equal(parse(&b, &x), 0);
	assert_int_equal(x.size, 12 * PG_PAGE);
	assert_int_equal(pg_increment_at(&x, 0), -1);
	pg_increment_fini(&x);
	buf_fini(&b);
}

static void what_makes_no_sense_is_refused(void **state)
{
	static const uint32_t twice[] = {3, 3}, back[] = {4, 3}, far[] = {RELATION}, one[] = {1};
	static const struct {
		uint32_t length;
		const uint32_t *blocks;
		uint32_t n;
	} bad[] = {{9, twice, 2}, {9, back, 2}, {9, far, 1}, {RELATION + 1, one, 1}};
	struct buf b = {0};
	struct pg_increment x;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		buf_reset(&b);
		put_sent(&b, bad[i].length, bad[i].blocks, bad[i].n);
		assert_int_equal(parse(&b, &x), -1);
		assert_int_equal(e.kind, ERR_CORRUPT);
	}
	buf_reset(&b);
	put_sent(&b, 9, one, 1);
	for (size_t n = 0; n < b.n; n += n < 20 ? 1 : 1000) {
		struct buf cut = {.p = b.p, .n = n};

		assert_int_equal(parse(&cut, &x), -1);
	}
	buf_put_u8(&b, 0);
	assert_int_equal(parse(&b, &x), -1);
	b.n--;
	b.p[0] ^= 1;
	assert_int_equal(parse(&b, &x), -1);
	buf_fini(&b);
}

/* ---- As a source. */

static int older(void *arg, const char *file, uint64_t from, size_t n, void *out, struct err *err)
{
	assert_string_equal(file, "base/5/777");
	assert_true(from % PG_PAGE == 0 && n % PG_PAGE == 0);
	memset(out, '.', n);
	return 0;
}

static int is_nowhere(void *arg, uint64_t *lsn, struct err *err)
{
	*lsn = 0;
	return 0;
}

static void read_all(
    struct fix *f, struct source_dir *d, const char *name, size_t step, struct buf *out)
{
	const struct source_ops *ops = d->source->ops;
	uint8_t *block = mem_alloc(step);
	struct source_stat st;
	enum source_look what;
	struct source_reader *r;
	uint64_t size;
	int64_t n;
	bool changed;

	OK(f, ops->look(d, name, &st, &what, &f->e));
	OK(f, ops->open(d, name, &st, &r, &f->e));
	assert_int_equal(r->st.size, st.size);
	while ((n = ops->read(r, block, step, &f->e)) > 0)
		buf_put(out, block, (size_t)n);
	assert_int_equal(n, 0);
	OK(f, ops->finish(r, &changed, &size, &f->e));
	assert_int_equal(size, st.size);
	free(block);
}

static void of_a_spool_files_come_as_they_were_at_the_server(void **state)
{
	static const uint32_t blocks[] = {1, 2, 11};
	static const char *const want[] = {"5", "777", "PG_VERSION"};
	struct fix *f = *state;
	struct pg_manifest m = {0};
	struct buf sent = {0}, got = {0};
	struct pg_source_params p = {.data = f->dir,
	    .major = 17,
	    .relation = RELATION,
	    .written = is_nowhere,
	    .older = older,
	    .spooled = &m};
	struct source_names names = {0};
	struct pg_manifest_file *x;
	struct source_dir *d;
	struct source *s;

	dir(f, "base");
	dir(f, "base/5");
	put(f, "base/5/PG_VERSION", "17\n");
	x = pg_manifest_add(&m, "base/5/5"); /* by path, as they are once they are checked */
	*x = (struct pg_manifest_file){x->path, 3, .spooled = true};
	put_sent(&sent, 10, blocks, 3);
	x = pg_manifest_add(&m, "base/5/INCREMENTAL.777");
	*x = (struct pg_manifest_file){x->path, sent.n, .spooled = true, .at = 3};
	p.spool = open(at(f, "spool"), O_RDWR | O_CREAT, 0600);
	assert_int_equal(write(p.spool, "abc", 3), 3);
	assert_int_equal(write(p.spool, sent.p, sent.n), (ssize_t)sent.n);
	OK(f, source_pg_open(&p, &f->ctx, &s, &f->e));
	d = src_dir(f, s, "/base/5");
	OK(f, s->ops->list(d, &names, &f->e));
	assert_int_equal(names.n, 3);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(source_name(&names, i), want[i]);
	for (size_t step = PG_PAGE; step <= 16 * PG_PAGE; step *= 2) {
		buf_reset(&got);
		read_all(f, d, "777", step, &got);
		assert_int_equal(got.n, 12 * PG_PAGE);
		for (uint32_t i = 0; i < 12; i++) {
			bool came = i == 1 || i == 2 || i == 11;

			/* It was cut to 10 and grew again: what is there is not the old. */
			int want_byte = came ? 'a' + (int)i % 26 : i < 10 ? '.' : 0;

			assert_int_equal(got.p[(size_t)i * PG_PAGE], want_byte);
			assert_int_equal(got.p[(size_t)(i + 1) * PG_PAGE - 1], want_byte);
		}
	}
	buf_reset(&got);
	read_all(f, d, "5", 64 << 10, &got);
	assert_string_equal(buf_cstr(&got), "abc");
	buf_reset(&got);
	read_all(f, d, "PG_VERSION", 64 << 10, &got);
	assert_string_equal(buf_cstr(&got), "17\n");
	source_names_fini(&names);
	source_dir_unref(d);
	source_close(s);
	close(p.spool);
	pg_manifest_fini(&m);
	buf_fini(&sent);
	buf_fini(&got);
}

static void a_map_names_what_came(void **state)
{
	static const uint32_t blocks[] = {1, 300};
	struct fix *f = *state;
	struct wal_map *map = wal_map_new();
	struct wal_rel part = {1663, 5, 777}, whole = {1663, 5, 778};
	const struct wal_map_file *x;
	struct buf sent = {0};
	int fd = open(at(f, "spool"), O_RDWR | O_CREAT, 0600);

	put_sent(&sent, 298, blocks, 2); /* cut off there, and grown */
	assert_int_equal(write(fd, "abc", 3), 3);
	assert_int_equal(write(fd, sent.p, sent.n), (ssize_t)sent.n);
	OK(f, pg_increment_note(fd, 3, sent.n, "base/5/INCREMENTAL.777.2", RELATION, map, &f->e));
	OK(f, pg_increment_note(fd, 0, PG_PAGE + 3, "base/5/778", RELATION, map, &f->e));
	OK(f, pg_increment_note(fd, 0, 3, "base/5/779_fsm", RELATION, map, &f->e));
	OK(f, pg_increment_note(fd, 0, 3, "base/5/pg_filenode.map", RELATION, map, &f->e));
	FAILS(f, ERR_CORRUPT,
	    pg_increment_note(fd, 0, 3, "base/5/INCREMENTAL.780", RELATION, map, &f->e));
	assert_int_equal(wal_map_files(map), 2);
	x = wal_map_find(map, part);
	assert_int_equal(wal_map_next(x, 0), 2 * RELATION + 1);
	assert_int_equal(wal_map_next(x, 2 * RELATION + 2), 2 * RELATION + 298);
	assert_int_equal(wal_map_next(x, 2 * RELATION + 299), 2 * RELATION + 299);
	assert_int_equal(wal_map_next(x, 2 * RELATION + 300), 2 * RELATION + 300);
	assert_int_equal(wal_map_next(x, 2 * RELATION + 301), WAL_MAP_NONE);
	assert_int_equal(wal_map_next(wal_map_find(map, whole), 0), 0);
	assert_int_equal(wal_map_next(wal_map_find(map, whole), 1), 1);
	assert_int_equal(wal_map_next(wal_map_find(map, whole), 2), WAL_MAP_NONE);
	wal_map_free(map);
	buf_fini(&sent);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(its_blocks_and_its_length_are_told),
	    cmocka_unit_test(what_makes_no_sense_is_refused),
	    cmocka_unit_test_setup_teardown(
		of_a_spool_files_come_as_they_were_at_the_server, fix_setup, fix_teardown),
	    cmocka_unit_test_setup_teardown(a_map_names_what_came, fix_setup, fix_teardown),
	};

	return cmocka_run_group_tests_name("pg_increment", tests, NULL, NULL);
}
