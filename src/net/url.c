/* url: see url.h. */
#include "net/url.h"

#include <assert.h>
#include <string.h>

static bool plain(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

void url_encode(struct buf *b, struct span s, bool keep_slash)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (plain(c) || (keep_slash && c == '/')) {
			buf_put_u8(b, c);
		} else {
			buf_put_u8(b, '%');
			buf_put_u8(b, (uint8_t)hex[c >> 4]);
			buf_put_u8(b, (uint8_t)hex[c & 15]);
		}
	}
}

/* Our names need no encoding, so their own order is that of the encoded ones. */
void url_query(struct buf *b, const struct url_param *p, size_t n)
{
	size_t order[URL_PARAMS_MAX];

	assert(n <= URL_PARAMS_MAX);
	for (size_t i = 0; i < n; i++) {
		size_t at = i;

		for (; at > 0 && strcmp(p[order[at - 1]].name, p[i].name) > 0; at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
	for (size_t i = 0; i < n; i++) {
		const struct url_param *q = &p[order[i]];

		if (i > 0)
			buf_put_u8(b, '&');
		url_encode(b, span_str(q->name), false);
		buf_put_u8(b, '=');
		url_encode(b, span_str(q->value ? q->value : ""), false);
	}
}
