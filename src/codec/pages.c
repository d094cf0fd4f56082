/*
 * pages: see pages.h.  The layout is PostgreSQL's since 8.3: bufpage.h and itemid.h of its sources.
 */
#include "codec/pages.h"

#include <endian.h>
#include <string.h>

enum {
	HEADER = 24, /* bytes before the line pointers */
	ITEM = 4,    /* bytes of a line pointer: place 15 bits, state 2, length 15 */
	ITEMS_MAX = (PAGES_SIZE - HEADER) / ITEM,
	HEAD = 28,       /* bytes of a row that are written as differences: its header and a word */
	AT_LOWER = 12,   /* where line pointers end */
	AT_UPPER = 14,   /* where rows begin */
	AT_SPECIAL = 16, /* where they end */
	AT_SIZE = 18,    /* the page's size, and its layout's version in the low byte */
};

/* The beginnings of rows that are written as differences to the one before; the first is not. */
struct heads {
	size_t n;
	uint16_t at[ITEMS_MAX], len[ITEMS_MAX];
};

static unsigned get_u16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof v);
	return le16toh(v);
}

static uint32_t get_u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return le32toh(v);
}

static void put_u32(uint8_t *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof v);
}

static bool overlap(unsigned a, unsigned b, unsigned len)
{
	return a < b + len && b < a + len;
}

/* False: it is no page, or an empty one. */
static bool find_heads(const uint8_t *p, struct heads *h)
{
	unsigned lower = get_u16(p + AT_LOWER), upper = get_u16(p + AT_UPPER),
		 special = get_u16(p + AT_SPECIAL);

	h->n = 0;
	if ((get_u16(p + AT_SIZE) & 0xff00) != PAGES_SIZE || lower < HEADER + ITEM ||
	    lower > upper || upper > special || special > PAGES_SIZE)
		return false;
	for (unsigned i = HEADER; i + ITEM <= lower; i += ITEM) {
		uint32_t item = get_u32(p + i);
		unsigned at = item & 0x7fff, len = item >> 17;

		if (at < upper || len < 4 || at + len > special)
			continue; /* it leads to no row */
		h->at[h->n] = (uint16_t)at;
		h->len[h->n++] = (uint16_t)(len < HEAD ? len & ~3U : HEAD);
	}
	return true;
}

/* How much of the i-th is written as differences to the one before. */
static unsigned shared(const struct heads *h, size_t i)
{
	unsigned len = h->len[i] < h->len[i - 1] ? h->len[i] : h->len[i - 1];

	return overlap(h->at[i], h->at[i - 1], len) ? 0 : len;
}

/* From the last on, so that the one before is still as it was. */
size_t pages_fold(uint8_t *p, size_t n)
{
	struct heads h;
	size_t found = 0;

	for (; n > 0; n--, p += PAGES_SIZE) {
		found += find_heads(p, &h);
		for (size_t i = h.n; i-- > 1;) {
			unsigned len = shared(&h, i);
			uint8_t *to = p + h.at[i];
			const uint8_t *before = p + h.at[i - 1];

			for (unsigned k = 0; k < len; k += 4)
				put_u32(to + k, get_u32(to + k) - get_u32(before + k));
		}
	}
	return found;
}

/* The same steps, each undone, the last first: that is right whatever rows overlap. */
void pages_unfold(uint8_t *p, size_t n)
{
	struct heads h;

	for (; n > 0; n--, p += PAGES_SIZE) {
		find_heads(p, &h);
		for (size_t i = 1; i < h.n; i++) {
			unsigned len = shared(&h, i);
			uint8_t *to = p + h.at[i];
			const uint8_t *before = p + h.at[i - 1];

			for (unsigned k = 0; k < len; k += 4)
				put_u32(to + k, get_u32(to + k) + get_u32(before + k));
		}
	}
}
