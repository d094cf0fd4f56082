/* catalog_text: see catalog_text.h. */
#include "catalog/catalog_text.h"

enum { STRANGE = 0x10ff00 };

size_t catalog_text_step(struct span s, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t b = s.n ? s.p[0] : 0xff;
	size_t n = b < 0x80                ? 1
		   : b >= 0xf0 && b < 0xf8 ? 4
		   : b >= 0xe0 && b < 0xf0 ? 3
		   : b >= 0xc0 && b < 0xe0 ? 2
					   : 0;
	uint32_t c = n == 1 ? b : b & (0xffu >> (n + 1));

	if (n == 0 || n > s.n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s.p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s.p[i] & 0x3f);
	}
	if (n > 1 && (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)))
		return 0;
	*code = c;
	return n;
}

static bool is_strange(uint32_t code)
{
	return code >= STRANGE && code <= STRANGE + 0xff;
}

static void put_strange(struct buf *out, uint8_t byte)
{
	uint32_t c = STRANGE + byte;

	buf_put_u8(out, (uint8_t)(0xf0 | c >> 18));
	buf_put_u8(out, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
	buf_put_u8(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
	buf_put_u8(out, (uint8_t)(0x80 | (c & 0x3f)));
}

void catalog_text_put(struct buf *out, struct span s)
{
	uint32_t code = 0;

	while (s.n > 0) {
		size_t n = catalog_text_step(s, &code);

		/* A NUL is in no name, and in no text of a server's. */
		if (n > 0 && !is_strange(code) && code != 0)
			buf_put(out, s.p, n);
		else
			put_strange(out, s.p[0]);
		if (n == 0 || is_strange(code) || code == 0)
			n = 1;
		s = span_of(s.p + n, s.n - n);
	}
}

void catalog_text_get(struct buf *out, struct span s)
{
	uint32_t code = 0;

	while (s.n > 0) {
		size_t n = catalog_text_step(s, &code);

		if (n > 0 && is_strange(code))
			buf_put_u8(out, (uint8_t)(code - STRANGE));
		else
			buf_put(out, s.p, n ? n : 1);
		s = span_of(s.p + (n ? n : 1), s.n - (n ? n : 1));
	}
}
