/* sheet: see sheet.h. */
#include "repo/sheet.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "repo/repo_internal.h"

enum {
	LINE = 30,
	LINE_MAX = 64,
	CHECK = 4,
	HEAD = 17,
	BYTES_MAX = CONFIG_MAX,
	LINES = (HEAD + BYTES_MAX) / LINE + 1
};

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* 20 bits of a hash of the line's name and bytes. */
static void checksum(char block, size_t number, struct span s, char out[CHECK + 1])
{
	struct buf b = {0};
	uint8_t h[32];

	buf_printf(&b, "%c%zu ", block, number);
	buf_put_span(&b, s);
	crypto_sha256(buf_span(&b), h);
	for (size_t i = 0; i < CHECK; i++) {
		unsigned bits = (unsigned)(h[0] << 16 | h[1] << 8 | h[2]) >> (19 - 5 * i);

		out[i] = digits[bits & 31];
	}
	out[CHECK] = '\0';
	buf_fini(&b);
}

/* 5 bytes are 8 letters; s is a multiple of that. */
static void put_line(char block, size_t number, struct span s, struct buf *out)
{
	char check[CHECK + 1];

	buf_printf(out, "%c%02zu ", block, number);
	for (size_t i = 0; i < s.n; i += 5) {
		uint64_t v = 0;

		for (size_t k = 0; k < 5; k++)
			v = v << 8 | s.p[i + k];
		for (size_t k = 0; k < 8; k++) {
			if (k % 4 == 0)
				buf_put_u8(out, ' ');
			buf_put_u8(out, (uint8_t)digits[v >> (35 - 5 * k) & 31]);
		}
	}
	checksum(block, number, s, check);
	buf_printf(out, "  %s\n", check);
}

/* A head (codec, hash, lengths), then the bytes, compressed if that helps. */
void sheet_encode(char block, struct span bytes, struct buf *out)
{
	struct codec *codec = codec_new();
	struct buf all = {0}, packed = {0};
	uint8_t h[32];
	size_t n;

	buf_reserve(&packed, codec_bound(bytes.n));
	n = codec_compress(codec, CODEC_GZIP, 9, bytes, packed.p);
	packed.n = n;
	crypto_sha256(bytes, h);
	buf_put_u8(&all, n ? CODEC_GZIP : CODEC_NONE);
	buf_put(&all, h, 8);
	buf_put_u32(&all, (uint32_t)bytes.n);
	buf_put_u32(&all, (uint32_t)(n ? n : bytes.n));
	buf_put_span(&all, n ? buf_span(&packed) : bytes);
	buf_put_zeros(&all, (5 - all.n % 5) % 5);
	for (size_t at = 0, line = 1; at < all.n; at += LINE, line++)
		put_line(
		    block, line, span_of(all.p + at, all.n - at < LINE ? all.n - at : LINE), out);
	buf_fini(&all);
	buf_fini(&packed);
	codec_free(codec);
}

/* ---- Back again. */

/* What is easily mistaken for a letter is that letter. */
static int digit_of(int c)
{
	const char *at;

	c = toupper(c);
	c = c == '0' ? 'O' : c == '1' ? 'I' : c == '8' ? 'B' : c;
	at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* "C07" at the beginning of a line, and a space: its number, or 0. */
static size_t line_number(char block, const char *line)
{
	char *end;
	unsigned long n;

	if (toupper((unsigned char)line[0]) != block || !isdigit((unsigned char)line[1]))
		return 0;
	n = strtoul(line + 1, &end, 10);
	return isspace((unsigned char)*end) && n <= LINES ? n : 0;
}

/* The bytes of a line; false if it is not as it was printed. */
static bool get_line(char block, size_t number, const char *line, uint8_t out[LINE], size_t *n)
{
	uint8_t v[LINE_MAX];
	char check[CHECK + 1];
	size_t k = 0;

	for (line += strcspn(line, " \t"); *line; line++) {
		int d = digit_of((unsigned char)*line);

		if (isspace((unsigned char)*line) || *line == '-')
			continue;
		if (d < 0 || k == LINE_MAX)
			return false;
		v[k++] = (uint8_t)d;
	}
	if (k < CHECK + 8 || (k - CHECK) % 8 != 0 || (k - CHECK) / 8 * 5 > LINE)
		return false;
	*n = (k - CHECK) / 8 * 5;
	for (size_t i = 0; i < *n; i += 5) {
		uint64_t x = 0;

		for (size_t j = 0; j < 8; j++)
			x = x << 5 | v[i / 5 * 8 + j];
		for (size_t j = 0; j < 5; j++)
			out[i + j] = (uint8_t)(x >> (32 - 8 * j));
	}
	checksum(block, number, span_of(out, *n), check);
	for (size_t i = 0; i < CHECK; i++)
		if (digits[v[k - CHECK + i]] != check[i])
			return false;
	return true;
}

static int unpack(char block, struct span all, struct buf *out, struct err *e)
{
	struct cursor c = cursor_of(all);
	struct codec *codec;
	uint8_t id = cursor_u8(&c), h[32];
	struct span hash = cursor_bytes(&c, 8), data;
	uint32_t raw = cursor_u32(&c), n = cursor_u32(&c);
	int rc = 0;

	data = cursor_bytes(&c, n);
	if (c.bad)
		return err_set(e, ERR_USAGE, "sheet: line %c%02zu is missing", block,
		    (all.n + LINE - 1) / LINE + 1);
	if (raw > BYTES_MAX || (id != CODEC_NONE && id != CODEC_GZIP) ||
	    (id == CODEC_NONE && raw != n))
		return err_set(e, ERR_USAGE, "sheet: block %c is not one", block);
	buf_reset(out);
	if (id == CODEC_NONE) {
		buf_put_span(out, data);
	} else {
		codec = codec_new();
		rc = codec_decompress(codec, CODEC_GZIP, data, buf_extend(out, raw), raw, e);
		codec_free(codec);
	}
	crypto_sha256(buf_span(out), h);
	if (rc == -1 || memcmp(h, hash.p, 8) != 0)
		return err_set(e, ERR_USAGE, "sheet: block %c does not fit its checksum", block);
	return 0;
}

int sheet_decode(char block, struct span text, struct buf *out, struct err *e)
{
	char *copy = mem_strndup((const char *)text.p, text.n), *save = NULL;
	struct buf all = {0};
	size_t want = 1;
	int rc = -1;

	for (char *l = strtok_r(copy, "\n", &save); l != NULL; l = strtok_r(NULL, "\n", &save)) {
		uint8_t bytes[LINE];
		size_t number, n;

		l += strspn(l, " \t\r");
		number = line_number(block, l);
		if (number == 0 || number < want)
			continue;
		if (number > want) {
			err_set(e, ERR_USAGE, "sheet: line %c%02zu is missing", block, want);
			goto out;
		}
		if (!get_line(block, number, l, bytes, &n)) {
			err_set(
			    e, ERR_USAGE, "sheet: line %c%02zu has a typing error", block, want);
			err_hint(e, "compare that line letter by letter with the sheet");
			goto out;
		}
		buf_put(&all, bytes, n);
		want++;
	}
	rc = all.n == 0 ? 0 : unpack(block, buf_span(&all), out, e) == 0 ? 1 : -1;
out:
	buf_fini(&all);
	free(copy);
	return rc;
}

/* ---- A repository's sheet. */

static const char head[] =
    "HOLDFAST RECOVERY SHEET\n"
    "\n"
    "repository  %s\n"
    "location    %s\n"
    "config      revision %llu, epoch %u, %zu holder(s)\n"
    "printed     %s\n"
    "\n"
    "If the file `config` of this repository is lost, the lines below bring it back:\n"
    "  1. type or scan them into a file, each as it stands (case and spaces do not matter)\n"
    "  2. holdfast -r REPOSITORY key import FILE\n"
    "A line that is mistyped is told by its name. The password or key file is needed as\n"
    "before: nothing on this sheet opens the repository without it. Print a new sheet\n"
    "whenever keys were added, removed or rotated.\n"
    "\n";

/* What is printed must come back one day: better told now that it would not. */
static int read_back(char block, struct span bytes, const struct buf *sheet, struct err *e)
{
	struct buf got = {0};
	int rc = sheet_decode(block, buf_span(sheet), &got, e);

	if (rc == 1 && (got.n != bytes.n || memcmp(got.p, bytes.p, got.n) != 0))
		rc = err_set(e, ERR_BUG, "reads as something else");
	buf_fini(&got);
	return rc == 1 ? 0 : err_wrap(e, "this sheet could not be read again");
}

static int put_key(struct repo *r, struct buf *out, struct err *e)
{
	struct repo_key *keys = NULL;
	struct buf object = {0};
	size_t n = 0;
	int rc = -1;

	if (repo_keys_list(r, &keys, &n, e) == -1)
		goto out;
	err_set(e, ERR_ABSENT, "the key in use has no object in keys/");
	for (size_t i = 0; i < n && rc == -1; i++)
		if (keys[i].current && !keys[i].missing)
			rc = repo_get_object(r, FORMAT_KEY, &keys[i].object, &object, e);
	if (rc == 0) {
		buf_printf(out, "\nThe sealed key of holder %.8s:\n\n", r->holder_text);
		sheet_encode(SHEET_KEY, buf_span(&object), out);
		rc = read_back(SHEET_KEY, buf_span(&object), out, e);
	}
out:
	repo_keys_free(keys, n);
	buf_fini(&object);
	return rc;
}

int sheet_export(struct repo *r, bool key, struct buf *out, struct err *e)
{
	struct buf text = {0};
	struct config c;
	char now[40];
	int rc = -1;

	if (store_get_all(r->store, "config", CONFIG_MAX, &text, e) == -1 ||
	    config_parse(buf_span(&text), &c, e) == -1)
		goto out;
	rc = config_verify(&c, r->keys->root_public, e);
	if (rc == 0) {
		repo_time_text(repo_now(r), now);
		buf_printf(out, head, r->id_text, r->store->url, (unsigned long long)c.revision,
		    c.epoch, c.nwriters, now);
		sheet_encode(SHEET_CONFIG, buf_span(&text), out);
		rc = read_back(SHEET_CONFIG, buf_span(&text), out, e);
		if (rc == 0 && key)
			rc = put_key(r, out, e);
	}
	config_fini(&c);
out:
	buf_fini(&text);
	return rc;
}
