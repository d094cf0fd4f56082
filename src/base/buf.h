/*
 * buf: bytes that grow, and the writers of the format's encodings.
 *
 * A zeroed struct buf is empty and valid.  buf_fini frees, buf_reset keeps
 * the memory for the next use.  Growing never fails (mem.h).
 *
 * Threads: one owner.
 */
#ifndef HF_BASE_BUF_H
#define HF_BASE_BUF_H

#include "base/span.h"

struct buf {
	uint8_t *p;
	size_t n, cap;
};

void buf_fini(struct buf *b);
void buf_reset(struct buf *b);
void buf_reserve(struct buf *b, size_t more); /* room for more bytes */
uint8_t *buf_extend(struct buf *b, size_t n); /* n unset bytes at the end */
void buf_put(struct buf *b, const void *p, size_t n);
void buf_put_span(struct buf *b, struct span s);
void buf_put_zeros(struct buf *b, size_t n);
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16(struct buf *b, uint16_t v); /* all little-endian */
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
void buf_put_varint(struct buf *b, uint64_t v);    /* LEB128 */
void buf_put_svarint(struct buf *b, int64_t v);    /* zigzag */
void buf_put_string(struct buf *b, struct span s); /* varint length, bytes */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *buf_cstr(struct buf *b); /* NUL after the end, not counted */

static inline struct span buf_span(const struct buf *b)
{
	return (struct span){b->p, b->n};
}

#endif
