/*
 * fuzz: a write-ahead log.  The first byte chooses the version and how: raw pages as they are; or
 * bodies of records, each a u16 length, with heads and checks made right around them.  What was
 * read is also made a map of, and the map goes through its bytes.
 */
#include <stdlib.h>

#include "base/cursor.h"
#include "source/wal_map.h"
#include "source/wal_reader.h"
#include "unit/source/wal_unit.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct seen {
	struct wal_map *map;
	uint64_t last;
};

static int see(void *arg, const struct wal_record *r, struct err *e)
{
	struct seen *s = arg;

	if (r->lsn < s->last || r->end < r->lsn + WAL_RECORD_HEAD || r->nrefs > WAL_RECORD_REFS)
		abort();
	s->last = r->end;
	for (size_t i = 0; i < r->nrefs; i++)
		if (r->refs[i].fork >= WAL_FORKS)
			abort();
	if (s->map && wal_map_add(s->map, r, e) == -1) {
		wal_map_free(s->map);
		s->map = NULL;
	}
	return 0;
}

static void make_right(struct wal_writer *w, struct cursor *c)
{
	while (cursor_left(c) > 4 && !c->bad) {
		uint8_t rmgr = cursor_u8(c), info = cursor_u8(c);
		uint16_t len = cursor_u16(c);

		wal_unit_add(
		    w, rmgr, info, cursor_bytes(c, len < cursor_left(c) ? len : cursor_left(c)));
	}
}

static void through_bytes(const struct wal_map *m)
{
	struct buf a = {0}, b = {0};
	struct err e = {0};
	struct wal_map *again;

	wal_map_write(m, &a);
	again = wal_map_read(buf_span(&a), &e);
	if (again == NULL)
		abort();
	wal_map_write(again, &b);
	if (!span_eq(buf_span(&a), buf_span(&b)))
		abort();
	wal_map_free(again);
	buf_fini(&a);
	buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint16_t magics[] = {0xd106, 0xd10d, 0xd110, 0xd116};
	struct cursor c = cursor_of(span_of(p, n));
	uint8_t how = cursor_u8(&c);
	struct wal_writer w = {.start = 3ull * WAL_UNIT_SEGMENT, .magic = magics[how & 3]};
	struct seen s = {.map = wal_map_new()};
	struct wal_reader_params params = {
	    .start = w.start, .segment = WAL_UNIT_SEGMENT, .record = see, .arg = &s};
	struct err e = {0};
	struct wal_reader *r = wal_reader_new(&params, &e);
	struct span all;

	if (how & 4)
		make_right(&w, &c);
	all = how & 4 ? buf_span(&w.out) : cursor_bytes(&c, cursor_left(&c));
	for (size_t piece = how & 8 ? 13 : 100000; all.n && s.map;) {
		size_t k = piece < all.n ? piece : all.n;

		if (wal_reader_feed(r, span_of(all.p, k), &e) == -1)
			break;
		all = span_of(all.p + k, all.n - k);
	}
	if (s.map)
		through_bytes(s.map);
	wal_map_free(s.map);
	wal_reader_free(r);
	buf_fini(&w.out);
	return 0;
}
