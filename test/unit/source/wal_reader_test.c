/* wal_reader: records across pages and segments, in pieces of any length; nothing that is damaged
 * passes. */
#include "unit/unit.h"

#include "source/wal_reader.h"
#include "unit/source/wal_unit.h"

enum { MANY = 1000 };

static const uint32_t rel_a[3] = {1663, 5, 16384}, rel_b[3] = {1664, 0, 1262};

struct seen {
	uint64_t lsn[MANY];
	size_t n, refs;
	uint64_t bytes; /* of main data */
	struct wal_record last;
};

static int see(void *arg, const struct wal_record *r, struct err *e)
{
	struct seen *s = arg;

	assert_true(s->n < MANY);
	s->lsn[s->n++] = r->lsn;
	s->refs += r->nrefs;
	s->bytes += r->main.n;
	s->last = *r;
	return 0;
}

static struct wal_reader *reader(struct seen *s, uint64_t start)
{
	struct wal_reader_params p = {.start = start,
	    .segment = WAL_UNIT_SEGMENT,
	    .system = 4711,
	    .timeline = 1,
	    .record = see,
	    .arg = s};
	struct err e = {0};
	struct wal_reader *r = wal_reader_new(&p, &e);

	assert_non_null(r);
	return r;
}

/* All of it in pieces of up to `most` bytes. */
static int feed(struct wal_reader *r, struct span all, size_t most, uint64_t *seed, struct err *e)
{
	while (all.n) {
		size_t n = 1 + unit_rand(seed) % most;

		n = n < all.n ? n : all.n;
		if (wal_reader_feed(r, span_of(all.p, n), e) == -1)
			return -1;
		all = span_of(all.p + n, all.n - n);
	}
	return 0;
}

/* MANY records of all lengths, some with blocks: about 400 KiB, across the end of a segment. */
static void fill(struct wal_writer *w, uint64_t lsn[MANY], uint64_t *seed)
{
	static uint8_t junk[30000];

	unit_rand_fill(seed, junk, sizeof junk);
	for (int i = 0; i < MANY; i++) {
		struct buf b = {0};
		size_t main = unit_rand(seed) % (i % 100 ? 200 : 20000);
		uint16_t data = i % 3 ? 17 : 0;

		wal_unit_ref(&b, 0, 0, i % 50 ? -1 : 8000, data, rel_a, (uint32_t)i);
		wal_unit_ref(&b, 3, 2, -1, 0, i % 2 ? NULL : rel_b, 9);
		wal_unit_main(&b, span_of(junk, main));
		buf_put(&b, junk, (i % 50 ? 0 : 8000) + data + main);
		lsn[i] = wal_unit_add(w, 10, 0x20, buf_span(&b));
		buf_fini(&b);
	}
	wal_unit_align(w);
}

static void every_record_comes_however_the_bytes_do(void **state)
{
	static uint64_t lsn[MANY];
	static const uint16_t magics[] = {0xd106, 0xd10d, 0xd110, 0xd113, 0xd116};
	uint64_t seed = 1;

	for (size_t v = 0; v < 5; v++) {
		struct wal_writer w = {.start = (7ull << 32) - (128 << 10), .magic = magics[v]};

		fill(&w, lsn, &seed);
		for (size_t most = 1; most <= 1 << 20; most *= 32) {
			struct seen s = {.n = 0};
			struct wal_reader *r = reader(&s, w.start);
			struct err e = {0};

			assert_int_equal(feed(r, buf_span(&w.out), most, &seed, &e), 0);
			assert_int_equal(s.n, MANY);
			assert_memory_equal(s.lsn, lsn, sizeof lsn);
			assert_int_equal(s.refs, 2 * MANY);
			assert_int_equal(s.last.refs[0].block, MANY - 1);
			assert_int_equal(s.last.refs[0].rel.rel, 16384);
			assert_int_equal(s.last.refs[1].fork, 2);
			assert_int_equal(wal_reader_version(r), 13 + (int)v);
			assert_true(wal_reader_done(r) <= w.start + w.out.n);
			assert_true(wal_reader_done(r) + 64 > w.start + w.out.n);
			wal_reader_free(r);
		}
		buf_fini(&w.out);
	}
}

static void reading_can_begin_at_any_page(void **state)
{
	static uint64_t lsn[MANY];
	struct wal_writer w = {.start = WAL_UNIT_SEGMENT - (64 << 10), .magic = 0xd110};
	uint64_t seed = 2;

	fill(&w, lsn, &seed);
	for (size_t at = 0; at < w.out.n; at += WAL_UNIT_PAGE) {
		struct seen s = {.n = 0};
		struct wal_reader *r = reader(&s, w.start + at);
		struct err e = {0};
		size_t skipped = 0;

		assert_int_equal(wal_reader_feed(r, span_of(w.out.p + at, w.out.n - at), &e), 0);
		while (skipped < MANY && lsn[skipped] < w.start + at)
			skipped++;
		assert_int_equal(s.n, MANY - skipped);
		assert_memory_equal(s.lsn, lsn + skipped, s.n * sizeof *lsn);
		wal_reader_free(r);
	}
	buf_fini(&w.out);
}

/* Any bit that is turned ends the reading, or stands where nothing is (padding, the page's own
 * spare bytes). */
static void no_damage_passes(void **state)
{
	static uint64_t lsn[MANY];
	struct wal_writer w = {.start = 0, .magic = 0xd10d};
	uint64_t seed = 3, missed = 0;

	fill(&w, lsn, &seed);
	for (int i = 0; i < 1000; i++) {
		size_t at = unit_rand(&seed) % (w.out.n - WAL_UNIT_PAGE);
		uint8_t bit = (uint8_t)(1 << unit_rand(&seed) % 8);
		struct seen s = {.n = 0};
		struct wal_reader *r = reader(&s, 0);
		struct err e = {0};

		w.out.p[at] ^= bit;
		if (wal_reader_feed(r, buf_span(&w.out), &e) == 0) {
			assert_int_equal(s.n, MANY);
			assert_memory_equal(s.lsn, lsn, sizeof lsn);
			missed++;
		} else {
			assert_non_null(strstr(e.msg, "log at "));
			assert_true(s.n < MANY);
		}
		w.out.p[at] ^= bit;
		wal_reader_free(r);
	}
	assert_true(missed < 20);
	buf_fini(&w.out);
}

static void what_follows_a_switch_is_not_looked_at(void **state)
{
	struct wal_writer w = {.start = 0, .magic = 0xd113};
	struct seen s = {.n = 0};
	struct wal_reader *r = reader(&s, 0);
	struct err e = {0};
	uint64_t at, after;

	wal_unit_plain(&w, 1, 0, span_of("12345678", 8));
	at = wal_unit_add(&w, WAL_RMGR_XLOG, WAL_XLOG_SWITCH, span_of("", 0));
	while (w.out.n < WAL_UNIT_SEGMENT)
		buf_put_u8(&w.out, 0xee);
	after = wal_unit_plain(&w, 1, 0, span_of("12345678", 8));
	assert_int_equal(wal_reader_feed(r, buf_span(&w.out), &e), 0);
	assert_int_equal(s.n, 3);
	assert_int_equal(s.lsn[1], at);
	assert_int_equal(s.lsn[2], after);
	assert_int_equal(after, WAL_UNIT_SEGMENT + 40);
	wal_reader_free(r);
	buf_fini(&w.out);
}

/* Nor read, where the reader is asked. */
static void what_follows_a_switch_can_be_left_out(void **state)
{
	struct wal_writer w = {.start = 0, .magic = 0xd113};
	struct seen s = {.n = 0};
	struct wal_reader *r = reader(&s, 0);
	struct err e = {0};
	size_t end;

	wal_unit_plain(&w, 1, 0, span_of("12345678", 8));
	assert_int_equal(wal_reader_feed(r, buf_span(&w.out), &e), 0);
	assert_int_equal(wal_reader_wants(r), w.out.n);
	end = w.out.n;
	wal_unit_add(&w, WAL_RMGR_XLOG, WAL_XLOG_SWITCH, span_of("", 0));
	assert_int_equal(wal_reader_feed(r, span_of(w.out.p + end, w.out.n - end), &e), 0);
	assert_int_equal(wal_reader_wants(r), WAL_UNIT_SEGMENT);
	wal_reader_pass(r);
	while (w.out.n < WAL_UNIT_SEGMENT)
		buf_put_u8(&w.out, 0xee);
	wal_unit_plain(&w, 1, 0, span_of("12345678", 8));
	assert_int_equal(
	    wal_reader_feed(r, span_of(w.out.p + WAL_UNIT_SEGMENT, w.out.n - WAL_UNIT_SEGMENT), &e),
	    0);
	assert_int_equal(s.n, 3);
	wal_reader_free(r);
	buf_fini(&w.out);
}

/* The server died within a record and, when it was back, marked the next page so. */
static void a_record_that_was_given_up_is_passed_over(void **state)
{
	struct wal_writer w = {.start = 0, .magic = 0xd10d};
	struct err e = {0};
	size_t cut;

	wal_unit_plain(&w, 1, 0, span_of("12345678", 8));
	wal_unit_align(&w);
	buf_put_u32(&w.out, 9000); /* a length; the rest of the page holds what was written of it */
	buf_put_zeros(&w.out, WAL_UNIT_PAGE - w.out.n);
	cut = w.out.n;
	for (int marked = 0; marked < 2; marked++) {
		struct seen s = {.n = 0};
		struct wal_reader *r = reader(&s, 0);

		w.out.n = cut;
		wal_unit_head(&w, marked ? 8 : 0);
		wal_unit_plain(&w, 0, 0xd0, span_of("12345678abcdefgh", 16));
		assert_int_equal(wal_reader_feed(r, buf_span(&w.out), &e), marked ? 0 : -1);
		assert_int_equal(s.n, marked ? 2 : 1);
		wal_reader_free(r);
		w.prev = 40;
	}
	buf_fini(&w.out);
}

static void ends_of_transactions_are_understood(void **state)
{
	struct buf b = {0};
	struct wal_record r = {.version = 15,
	    .rmgr = WAL_RMGR_XACT,
	    .info = 0x80 | WAL_XACT_COMMIT_PREPARED,
	    .xid = 0};
	struct wal_xact x;
	struct err e = {0};

	buf_put_u64(&b, 700000000000000);
	buf_put_u32(&b, 1 | 2 | 4 | 8 | 16 | 256);
	buf_put_u64(&b, 5);
	buf_put_u32(&b, 2), buf_put_u64(&b, 0);
	buf_put_u32(&b, 2), buf_put_u32(&b, 1663), buf_put_u32(&b, 5), buf_put_u32(&b, 100);
	buf_put_u32(&b, 1663), buf_put_u32(&b, 5), buf_put_u32(&b, 101);
	buf_put_u32(&b, 1), buf_put_zeros(&b, 12);
	buf_put_u32(&b, 1), buf_put_zeros(&b, 16);
	buf_put_u32(&b, 815);
	r.main = buf_span(&b);
	assert_int_equal(wal_xact_of(&r, &x, &e), 1);
	assert_true(x.commit);
	assert_int_equal(x.time, 700000000000000);
	assert_int_equal(x.xid, 815);
	assert_int_equal(x.nrels, 2);
	assert_int_equal(wal_xact_rel(&x, 1).rel, 101);
	for (size_t n = 0; n < b.n; n++) {
		r.main.n = n;
		assert_int_equal(wal_xact_of(&r, &x, &e), -1);
	}
	r.info = 0x50; /* an assignment */
	assert_int_equal(wal_xact_of(&r, &x, &e), 0);
	buf_fini(&b);
}

static void sizes_that_no_server_has_are_refused(void **state)
{
	struct wal_reader_params p = {.segment = 3 << 20};
	struct err e = {0};

	assert_null(wal_reader_new(&p, &e));
	p.segment = 16 << 20;
	p.start = 100;
	assert_null(wal_reader_new(&p, &e));
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_record_comes_however_the_bytes_do),
	    cmocka_unit_test(reading_can_begin_at_any_page),
	    cmocka_unit_test(no_damage_passes),
	    cmocka_unit_test(what_follows_a_switch_is_not_looked_at),
	    cmocka_unit_test(what_follows_a_switch_can_be_left_out),
	    cmocka_unit_test(a_record_that_was_given_up_is_passed_over),
	    cmocka_unit_test(ends_of_transactions_are_understood),
	    cmocka_unit_test(sizes_that_no_server_has_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
