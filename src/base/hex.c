/* hex: see hex.h. */
#include "base/hex.h"

#include <stdlib.h>

#include "base/mem.h"

char *hex_encode(char *out, const void *p, size_t n)
{
	static const char digit[] = "0123456789abcdef";
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digit[b[i] >> 4];
		out[2 * i + 1] = digit[b[i] & 15];
	}
	out[2 * n] = '\0';
	return out;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool hex_decode(void *out, size_t n, const char *s)
{
	uint8_t *b = out;

	for (size_t i = 0; i < n; i++) {
		int hi = nibble(s[2 * i]);
		int lo = hi < 0 ? -1 : nibble(s[2 * i + 1]);

		if (lo < 0)
			return false;
		b[i] = (uint8_t)(hi << 4 | lo);
	}
	return s[2 * n] == '\0';
}

static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(struct span s)
{
	char *out = mem_alloc((s.n + 2) / 3 * 4 + 1), *o = out;

	for (size_t i = 0; i < s.n; i += 3) {
		size_t k = s.n - i < 3 ? s.n - i : 3;
		uint32_t v = (uint32_t)s.p[i] << 16;

		if (k > 1)
			v |= (uint32_t)s.p[i + 1] << 8;
		if (k > 2)
			v |= s.p[i + 2];
		*o++ = b64[v >> 18];
		*o++ = b64[v >> 12 & 63];
		*o++ = k > 1 ? b64[v >> 6 & 63] : '=';
		*o++ = k > 2 ? b64[v & 63] : '=';
	}
	*o = '\0';
	return out;
}

uint8_t *base64_decode(const char *s, size_t *n)
{
	size_t len = strlen(s), pad = 0, o = 0;
	uint8_t *out;

	if (len % 4)
		return NULL;
	while (pad < 2 && len > pad && s[len - 1 - pad] == '=')
		pad++;
	out = mem_alloc(len / 4 * 3 + 1);
	for (size_t i = 0; i < len; i += 4) {
		uint32_t v = 0;

		for (size_t j = 0; j < 4; j++) {
			const char *q = strchr(b64, s[i + j]);
			bool padding = i + j >= len - pad;

			if (!padding && (q == NULL || s[i + j] == '\0')) {
				free(out);
				return NULL;
			}
			v = v << 6 | (padding ? 0 : (uint32_t)(q - b64));
		}
		out[o++] = (uint8_t)(v >> 16);
		out[o++] = (uint8_t)(v >> 8);
		out[o++] = (uint8_t)v;
	}
	*n = o - pad;
	out[*n] = '\0';
	return out;
}

bool utf8_valid(struct span s)
{
	size_t i = 0;

	while (i < s.n) {
		uint8_t c = s.p[i];
		size_t k = c < 0x80 ? 0 : c >> 5 == 6 ? 1 : c >> 4 == 14 ? 2 : c >> 3 == 30 ? 3 : 9;
		uint32_t v = k == 0 ? c : c & (0x3fu >> k);

		if (c == 0 || k == 9 || s.n - i <= k)
			return false;
		for (size_t j = 1; j <= k; j++) {
			if ((s.p[i + j] & 0xc0) != 0x80)
				return false;
			v = v << 6 | (s.p[i + j] & 0x3f);
		}
		if ((k == 1 && v < 0x80) || (k == 2 && v < 0x800) || (k == 3 && v < 0x10000) ||
		    (v >= 0xd800 && v < 0xe000) || v > 0x10ffff)
			return false;
		i += k + 1;
	}
	return true;
}
