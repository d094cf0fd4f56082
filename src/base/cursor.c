/* cursor: see cursor.h. */
#include "base/cursor.h"

static const uint8_t *take(struct cursor *c, size_t n)
{
	/* Nothing may be nowhere: no arithmetic on NULL. */
	const uint8_t *p = c->off ? c->p + c->off : c->p;

	if (c->bad || n > c->n - c->off) {
		c->bad = true;
		c->off = c->n;
		return NULL;
	}
	c->off += n;
	return p;
}

static uint64_t get_le(struct cursor *c, size_t n)
{
	const uint8_t *p = take(c, n);
	uint64_t v = 0;

	for (size_t i = 0; p != NULL && i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

uint8_t cursor_u8(struct cursor *c)
{
	return (uint8_t)get_le(c, 1);
}

uint16_t cursor_u16(struct cursor *c)
{
	return (uint16_t)get_le(c, 2);
}

uint32_t cursor_u32(struct cursor *c)
{
	return (uint32_t)get_le(c, 4);
}

uint64_t cursor_u64(struct cursor *c)
{
	return get_le(c, 8);
}

uint64_t cursor_varint(struct cursor *c)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		const uint8_t *p = take(c, 1);

		if (p == NULL)
			return 0;
		/* The tenth byte holds one bit; more would not fit. */
		if (shift == 63 && *p > 1)
			break;
		v |= (uint64_t)(*p & 0x7f) << shift;
		if (!(*p & 0x80))
			return v;
	}
	c->bad = true;
	c->off = c->n;
	return 0;
}

int64_t cursor_svarint(struct cursor *c)
{
	uint64_t v = cursor_varint(c);

	return (int64_t)((v >> 1) ^ (~(v & 1) + 1));
}

struct span cursor_bytes(struct cursor *c, size_t n)
{
	const uint8_t *p = take(c, n);

	return (struct span){p, p ? n : 0};
}

struct span cursor_string(struct cursor *c, size_t max)
{
	uint64_t n = cursor_varint(c);

	if (n > max) {
		c->bad = true;
		c->off = c->n;
		return (struct span){NULL, 0};
	}
	return cursor_bytes(c, (size_t)n);
}

size_t cursor_count(struct cursor *c, size_t each, size_t max)
{
	uint64_t n = cursor_varint(c);

	if (n > max || (each && n > cursor_left(c) / each)) {
		c->bad = true;
		c->off = c->n;
		return 0;
	}
	return (size_t)n;
}
