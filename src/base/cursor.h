/*
 * cursor: reading bytes from outside without overrunning them.
 *
 * Reads past the end, or of a malformed varint, set `bad`, return zeros and
 * leave the cursor at the end: a parser reads a whole record and looks at
 * `bad` once.  A count must be compared with what is left before anything
 * is allocated for it: cursor_count does both.
 *
 * Threads: one owner.
 */
#ifndef HF_BASE_CURSOR_H
#define HF_BASE_CURSOR_H

#include "base/span.h"

struct cursor {
	const uint8_t *p;
	size_t n;   /* bytes in all */
	size_t off; /* next byte to read */
	bool bad;
};

static inline struct cursor cursor_of(struct span s)
{
	return (struct cursor){s.p, s.n, 0, false};
}

static inline size_t cursor_left(const struct cursor *c)
{
	return c->n - c->off;
}

/* True if everything was read and nothing went wrong. */
static inline bool cursor_done(const struct cursor *c)
{
	return !c->bad && c->off == c->n;
}

uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
uint64_t cursor_varint(struct cursor *c);
int64_t cursor_svarint(struct cursor *c);
struct span cursor_bytes(struct cursor *c, size_t n);    /* borrows */
struct span cursor_string(struct cursor *c, size_t max); /* longer is bad */

/*
 * A varint count of things that take at least `each` bytes; more than max,
 * or more than can be in what is left, is bad and gives 0.
 */
size_t cursor_count(struct cursor *c, size_t each, size_t max);

#endif
