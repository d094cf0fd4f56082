/*
 * fuzz: the sheet of `key import`.  The first byte chooses what the rest is: a
 * text as somebody typed it; the bytes of a block's lines, whose checksums are
 * made right; or objects, divided by a NUL, that a sheet holds: a config and a key.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "crypto/crypto.h"
#include "repo/sheet.h"
#include "store/store_drivers.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { LINE = 30 };

static void outcome(int rc, const struct err *e)
{
	if (rc == -1 && e->kind != ERR_USAGE && e->kind != ERR_CORRUPT &&
	    e->kind != ERR_UNSUPPORTED && e->kind != ERR_FOREIGN)
		abort();
}

static void decode(struct span text)
{
	struct buf out = {0};
	struct err e = {0};

	outcome(sheet_decode(SHEET_CONFIG, text, &out, &e), &e);
	outcome(sheet_decode(SHEET_KEY, text, &out, &e), &e);
	buf_fini(&out);
}

static void put_letters(struct buf *out, uint64_t v, int letters)
{
	while (letters-- > 0)
		buf_put_u8(out, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[v >> 5 * letters & 31]);
}

/* format.md 3.6, once more. */
static void put_line(struct buf *out, unsigned number, const uint8_t bytes[LINE])
{
	struct buf named = {0};
	uint8_t h[32];

	buf_printf(&named, "C%u ", number);
	buf_put(&named, bytes, LINE);
	crypto_sha256(buf_span(&named), h);
	buf_fini(&named);
	buf_printf(out, "C%02u ", number);
	for (size_t i = 0; i < LINE; i += 5) {
		uint64_t v = 0;

		for (size_t k = 0; k < 5; k++)
			v = v << 8 | bytes[i + k];
		put_letters(out, v, 8);
	}
	put_letters(out, (uint64_t)(h[0] << 16 | h[1] << 8 | h[2]) >> 4, 4);
	buf_put_u8(out, '\n');
}

static void decode_lines(struct span s)
{
	struct buf text = {0};

	for (unsigned number = 1; s.n > 0; number++) {
		size_t n = s.n < LINE ? s.n : LINE;
		uint8_t bytes[LINE] = {0};

		memcpy(bytes, s.p, n);
		put_line(&text, number, bytes);
		s = span_of(s.p + n, s.n - n);
	}
	decode(buf_span(&text));
	buf_fini(&text);
}

struct keys {
	char v[4][STORE_KEY_MAX + 1];
	size_t n;
};

static int take(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct keys *k = arg;

	if (k->n == 4)
		abort();
	snprintf(k->v[k->n++], sizeof k->v[0], "%s", key);
	return 0;
}

/* What is not as it should be leaves the store as it was. */
static void import(struct span s)
{
	const uint8_t *nul = s.n ? memchr(s.p, 0, s.n) : NULL;
	struct span config = nul ? span_of(s.p, (size_t)(nul - s.p)) : s;
	struct span key = nul ? span_of(nul + 1, s.n - config.n - 1) : span_of(NULL, 0);
	struct buf sheet = {0}, back = {0};
	static struct ctx ctx;
	struct sheet_import done;
	struct store *store;
	struct err e = {0};
	struct keys keys = {.n = 0};
	int rc;

	if (config.n > 0)
		sheet_encode(SHEET_CONFIG, config, &sheet);
	if (key.n > 0)
		sheet_encode(SHEET_KEY, key, &sheet);
	if (config.n > 0 && (sheet_decode(SHEET_CONFIG, buf_span(&sheet), &back, &e) != 1 ||
				back.n != config.n || memcmp(back.p, config.p, back.n) != 0))
		abort();
	if (store_mem_open("sheet", true, &store, &e) == -1)
		abort();
	rc = sheet_import(store, buf_span(&sheet), &ctx, &done, &e);
	outcome(rc, &e);
	if (store_list(store, "", take, &keys, &e) == -1)
		abort();
	if (keys.n != (rc == -1 ? 0 : (size_t)done.config + done.key))
		abort();
	for (size_t i = 0; i < keys.n; i++)
		store_del(store, keys.v[i], &e);
	store_close(store);
	buf_fini(&sheet);
	buf_fini(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span rest;

	if (n == 0)
		return 0;
	rest = span_of(p + 1, n - 1);
	if (p[0] % 3 == 0)
		decode(rest);
	else if (p[0] % 3 == 1)
		decode_lines(rest);
	else
		import(rest);
	return 0;
}
