/*
 * wal_unit: writes a log as PostgreSQL does: pages with heads, records across them, checks that
 * match.  For the unit tests of the reader and for its fuzz target.
 */
#ifndef HF_TEST_UNIT_SOURCE_WAL_UNIT_H
#define HF_TEST_UNIT_SOURCE_WAL_UNIT_H

#include "base/buf.h"
#include "codec/crc32c.h"

enum { WAL_UNIT_SEGMENT = 1 << 20, WAL_UNIT_PAGE = 8192 };

struct wal_writer {
	struct buf out;
	uint64_t start, prev; /* position of the first byte; of the last record */
	uint16_t magic;
	uint32_t rest; /* of the record that is being written */
};

static inline uint64_t wal_unit_at(const struct wal_writer *w)
{
	return w->start + w->out.n;
}

static inline void wal_unit_head(struct wal_writer *w, uint16_t flags)
{
	uint64_t at = wal_unit_at(w);
	bool is_long = at % WAL_UNIT_SEGMENT == 0;

	buf_put_u16(&w->out, w->magic);
	buf_put_u16(&w->out, (uint16_t)(flags | (w->rest ? 1 : 0) | (is_long ? 2 : 0)));
	buf_put_u32(&w->out, 1);
	buf_put_u64(&w->out, at);
	buf_put_u32(&w->out, w->rest);
	buf_put_u32(&w->out, 0);
	if (is_long) {
		buf_put_u64(&w->out, 4711);
		buf_put_u32(&w->out, WAL_UNIT_SEGMENT);
		buf_put_u32(&w->out, WAL_UNIT_PAGE);
	}
}

/* Bytes of a record, with heads where pages begin. */
static inline void wal_unit_put(struct wal_writer *w, const uint8_t *p, size_t n)
{
	while (n) {
		size_t in = WAL_UNIT_PAGE - wal_unit_at(w) % WAL_UNIT_PAGE, k = n < in ? n : in;

		if (in == WAL_UNIT_PAGE) {
			wal_unit_head(w, 0);
			continue;
		}
		buf_put(&w->out, p, k);
		w->rest -= (uint32_t)k;
		p += k;
		n -= k;
	}
}

/* To where the next record begins; returns that position. */
static inline uint64_t wal_unit_align(struct wal_writer *w)
{
	w->rest = 0;
	buf_put_zeros(&w->out, (8 - w->out.n % 8) % 8);
	if (wal_unit_at(w) % WAL_UNIT_PAGE == 0)
		wal_unit_head(w, 0);
	return wal_unit_at(w);
}

/* A record as bytes: body is all after the head of 24. */
static inline void wal_unit_record(
    struct buf *out, uint64_t prev, uint8_t rmgr, uint8_t info, struct span body)
{
	uint32_t crc;

	buf_put_u32(out, (uint32_t)(24 + body.n));
	buf_put_u32(out, 77); /* the transaction */
	buf_put_u64(out, prev);
	buf_put_u8(out, info);
	buf_put_u8(out, rmgr);
	buf_put_u16(out, 0);
	crc = crc32c(crc32c(0, body.p, body.n), out->p + out->n - 20, 20);
	buf_put_u32(out, crc);
	buf_put_span(out, body);
}

/* Returns its position. */
static inline uint64_t wal_unit_add(
    struct wal_writer *w, uint8_t rmgr, uint8_t info, struct span body)
{
	uint64_t at = wal_unit_align(w);
	struct buf r = {0};

	wal_unit_record(&r, w->prev, rmgr, info, body);
	w->rest = (uint32_t)r.n;
	wal_unit_put(w, r.p, r.n);
	w->rest = 0;
	w->prev = at;
	buf_fini(&r);
	return at;
}

/* Head of a block: image < 0: none, else that many bytes of it (with a hole, not compressed). */
static inline void wal_unit_ref(struct buf *b, uint8_t id, uint8_t fork, int image, uint16_t data,
    const uint32_t *rel, uint32_t block)
{
	buf_put_u8(b, id);
	buf_put_u8(
	    b, (uint8_t)(fork | (image >= 0 ? 0x10 : 0) | (data ? 0x20 : 0) | (rel ? 0 : 0x80)));
	buf_put_u16(b, data);
	if (image >= 0) {
		buf_put_u16(b, (uint16_t)image);
		buf_put_u16(b, 100);
		buf_put_u8(b, 1);
	}
	for (int i = 0; rel && i < 3; i++)
		buf_put_u32(b, rel[i]);
	buf_put_u32(b, block);
}

static inline void wal_unit_main(struct buf *b, struct span data)
{
	if (data.n < 256) {
		buf_put_u8(b, 255);
		buf_put_u8(b, (uint8_t)data.n);
	} else {
		buf_put_u8(b, 254);
		buf_put_u32(b, (uint32_t)data.n);
	}
}

/* A record with main data only. */
static inline uint64_t wal_unit_plain(
    struct wal_writer *w, uint8_t rmgr, uint8_t info, struct span data)
{
	struct buf b = {0};
	uint64_t at;

	wal_unit_main(&b, data);
	buf_put_span(&b, data);
	at = wal_unit_add(w, rmgr, info, buf_span(&b));
	buf_fini(&b);
	return at;
}

#endif
