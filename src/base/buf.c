/* buf: see buf.h. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

void buf_fini(struct buf *b)
{
	free(b->p);
	memset(b, 0, sizeof *b);
}

void buf_reset(struct buf *b)
{
	b->n = 0;
}

void buf_reserve(struct buf *b, size_t more)
{
	size_t cap = b->cap ? b->cap : 64;

	/* Even nothing gets memory, so that the end is always a place. */
	if (b->p != NULL && more <= b->cap - b->n)
		return;
	/* Who says at first how much it is to be has no use for more. */
	if (b->p == NULL && cap < more)
		cap = more;
	while (cap < b->n + more)
		cap += cap / 2 + 64;
	b->p = mem_realloc(b->p, cap);
	b->cap = cap;
}

uint8_t *buf_extend(struct buf *b, size_t n)
{
	buf_reserve(b, n);
	b->n += n;
	return b->p + b->n - n;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
	if (n)
		memcpy(buf_extend(b, n), p, n);
}

void buf_put_span(struct buf *b, struct span s)
{
	buf_put(b, s.p, s.n);
}

void buf_put_zeros(struct buf *b, size_t n)
{
	if (n)
		memset(buf_extend(b, n), 0, n);
}

void buf_put_u8(struct buf *b, uint8_t v)
{
	*buf_extend(b, 1) = v;
}

static void put_le(struct buf *b, uint64_t v, size_t n)
{
	uint8_t *p = buf_extend(b, n);

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

void buf_put_u16(struct buf *b, uint16_t v)
{
	put_le(b, v, 2);
}

void buf_put_u32(struct buf *b, uint32_t v)
{
	put_le(b, v, 4);
}

void buf_put_u64(struct buf *b, uint64_t v)
{
	put_le(b, v, 8);
}

void buf_put_varint(struct buf *b, uint64_t v)
{
	uint8_t tmp[10];
	size_t n = 0;

	do {
		tmp[n] = (uint8_t)(v & 0x7f);
		v >>= 7;
		if (v)
			tmp[n] |= 0x80;
		n++;
	} while (v);
	buf_put(b, tmp, n);
}

void buf_put_svarint(struct buf *b, int64_t v)
{
	buf_put_varint(b, ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0));
}

void buf_put_string(struct buf *b, struct span s)
{
	buf_put_varint(b, s.n);
	buf_put_span(b, s);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	buf_reserve(b, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

const char *buf_cstr(struct buf *b)
{
	buf_reserve(b, 1);
	b->p[b->n] = '\0';
	return (const char *)b->p;
}
