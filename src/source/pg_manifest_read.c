/*
 * pg_manifest_read: the manifest of a server's base backup, which is JSON, looked at piece by
 * piece; see pg_manifest.h.  Of it only "Files" is of interest, a list of objects.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "source/pg_manifest.h"

enum {
	DEPTH = 16,
	TOKEN = 64 << 10, /* a name, or a number, is not longer */
	HEAD_MAX = 1 << 20,
	EACH_MAX = 8 << 10 /* of all of it, and of each file that came */
};

enum where { BETWEEN, STRING, ESCAPE, HEX, BARE };
enum expects { VALUE, FIRST_VALUE, KEY, FIRST_KEY, COLON, COMMA, DONE };
enum field { OTHER, PATH, ENCODED, SIZE, ALGORITHM, SUM, FIELDS };
static const char *const fields[FIELDS] = {
    "", "Path", "Encoded-Path", "Size", "Checksum-Algorithm", "Checksum"};

struct pg_manifest_reading {
	struct pg_manifest *m;
	enum where where;
	enum expects expects;
	char stack[DEPTH]; /* what is open: { or [ */
	unsigned depth;
	struct buf token;
	unsigned unit, digits, high; /* of \u */
	bool in_files, had_files;
	enum field field;
	char *value[FIELDS]; /* of the file at hand */
	size_t named;        /* files, but for those of WAL */
	uint64_t bytes;
};

static int none(struct err *e)
{
	return err_set(e, ERR_CORRUPT, "the backup's manifest is none");
}

struct pg_manifest_reading *pg_manifest_read(struct pg_manifest *m)
{
	struct pg_manifest_reading *r = mem_zalloc(sizeof *r);

	r->m = m;
	pg_manifest_sort(m);
	return r;
}

static void forget_file(struct pg_manifest_reading *r)
{
	for (size_t i = 0; i < FIELDS; i++) {
		free(r->value[i]);
		r->value[i] = NULL;
	}
}

void pg_manifest_free(struct pg_manifest_reading *r)
{
	if (r == NULL)
		return;
	forget_file(r);
	buf_fini(&r->token);
	free(r);
}

/* ---- A file. */

/* As the server wrote it: the bytes in the order of its memory, lowest first. */
static void crc_text(char out[9], uint32_t crc)
{
	snprintf(out, 9, "%02x%02x%02x%02x", crc & 255, crc >> 8 & 255, crc >> 16 & 255, crc >> 24);
}

/* Some names are no text: they are told in hex. */
static char *path_of(const struct pg_manifest_reading *r)
{
	const char *plain = r->value[PATH], *hex = r->value[ENCODED];
	size_t n = hex ? strlen(hex) / 2 : 0;
	char *out;

	if (plain != NULL)
		return mem_strdup(plain);
	if (n == 0)
		return NULL;
	out = mem_zalloc(n + 1);
	for (size_t i = 0; i < n; i++) {
		unsigned byte;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1 || byte == 0) {
			free(out);
			return NULL;
		}
		out[i] = (char)byte;
	}
	return out;
}

static bool size_is(const char *text, uint64_t size)
{
	char *end;

	return text != NULL && text[0] >= '0' && text[0] <= '9' &&
	       strtoull(text, &end, 10) == size && *end == '\0';
}

static int compare(
    const struct pg_manifest_reading *r, const struct pg_manifest_file *f, struct err *e)
{
	const char *kind = r->value[ALGORITHM], *sum = r->value[SUM];
	char crc[9];

	if (!size_is(r->value[SIZE], f->size))
		return err_set(e, ERR_CORRUPT, "%s: %llu bytes came, and it has %.24s", f->path,
		    (unsigned long long)f->size, r->value[SIZE] ? r->value[SIZE] : "none");
	if (kind == NULL || sum == NULL || strcmp(kind, "CRC32C") != 0)
		return err_set(
		    e, ERR_CORRUPT, "%s: without the checksum that was asked for", f->path);
	crc_text(crc, f->crc);
	if (strcmp(crc, sum) == 0)
		return 0;
	return err_set(
	    e, ERR_CORRUPT, "%s: its checksum is %.16s, and came as %s", f->path, sum, crc);
}

static bool is_wal(const char *path)
{
	return strncmp(path, "pg_wal/", 7) == 0;
}

static int take_file(struct pg_manifest_reading *r, struct err *e)
{
	char *path = path_of(r);
	struct pg_manifest_file *f;
	size_t at;
	int rc;

	if (path == NULL)
		return err_set(e, ERR_CORRUPT, "the backup's manifest: a file without a name");
	at = pg_manifest_find(r->m, path);
	f = at < r->m->n && strcmp(r->m->v[at].path, path) == 0 ? &r->m->v[at] : NULL;
	if (f == NULL)
		rc = err_set(e, ERR_CORRUPT, "%s: it is in the manifest, and did not come", path);
	else if (f->named)
		rc = err_set(e, ERR_CORRUPT, "%s: it is in the manifest twice", path);
	else
		rc = compare(r, f, e);
	if (rc == 0) {
		f->named = true;
		r->named += !is_wal(path);
	}
	free(path);
	forget_file(r);
	return rc;
}

/* ---- What stands where. */

static int is_key(struct pg_manifest_reading *r, struct err *e)
{
	const char *name = buf_cstr(&r->token);

	r->expects = COLON;
	r->field = OTHER;
	if (r->depth == 1 && strcmp(name, "Files") == 0) {
		if (r->had_files)
			return none(e);
		r->field = PATH; /* until its value begins */
	}
	if (!r->in_files || r->depth != 3)
		return 0;
	for (int i = PATH; i < FIELDS; i++)
		if (strcmp(name, fields[i]) == 0)
			r->field = (enum field)i;
	return r->field != OTHER && r->value[r->field] != NULL ? none(e) : 0;
}

static int is_value(struct pg_manifest_reading *r, bool text, struct err *e)
{
	r->expects = r->depth == 0 ? DONE : COMMA;
	if (r->in_files && r->depth == 2)
		return err_set(e, ERR_CORRUPT, "the backup's manifest: a file without a name");
	if (r->in_files && r->depth == 3 && r->field != OTHER && text == (r->field != SIZE))
		r->value[r->field] = mem_strdup(buf_cstr(&r->token));
	return 0;
}

static int opens(struct pg_manifest_reading *r, char c, struct err *e)
{
	if (r->depth == DEPTH || (r->depth == 0 && c != '{'))
		return none(e);
	if (r->in_files && r->depth == 2 && c != '{')
		return err_set(e, ERR_CORRUPT, "the backup's manifest: a file without a name");
	if (r->depth == 1 && r->field == PATH && c == '[')
		r->in_files = r->had_files = true;
	if (r->depth == 1)
		r->field = OTHER;
	r->stack[r->depth++] = c;
	r->expects = c == '{' ? FIRST_KEY : FIRST_VALUE;
	return 0;
}

static int closes(struct pg_manifest_reading *r, char c, struct err *e)
{
	char open = c == '}' ? '{' : '[';

	if (r->depth == 0 || r->stack[r->depth - 1] != open)
		return none(e);
	if (r->expects != COMMA && r->expects != (c == '}' ? FIRST_KEY : FIRST_VALUE))
		return none(e);
	if (r->in_files && r->depth == 3 && take_file(r, e) == -1)
		return -1;
	if (r->in_files && r->depth == 2)
		r->in_files = false;
	r->depth--;
	r->expects = r->depth == 0 ? DONE : COMMA;
	return 0;
}

/* ---- Letters. */

static int letter(struct pg_manifest_reading *r, char c, struct err *e)
{
	if (r->token.n >= TOKEN || c == '\0')
		return none(e);
	buf_put(&r->token, &c, 1);
	return 0;
}

static int code_point(struct pg_manifest_reading *r, unsigned u, struct err *e)
{
	char c[4];
	int n = u < 0x80 ? 1 : u < 0x800 ? 2 : u < 0x10000 ? 3 : 4, rc = 0;

	for (int i = n - 1; i > 0; i--, u >>= 6)
		c[i] = (char)(0x80 | (u & 0x3f));
	c[0] = (char)(n == 1 ? u : (0xf00u >> n & 0xf0) | u);
	for (int i = 0; rc == 0 && i < n; i++)
		rc = letter(r, c[i], e);
	return rc;
}

/* Four digits are complete: one character, or half of one. */
static int unit(struct pg_manifest_reading *r, struct err *e)
{
	unsigned u = r->unit, high = r->high;

	r->where = STRING;
	r->high = 0;
	if (u >= 0xdc00 && u <= 0xdfff)
		return high ? code_point(r, 0x10000 + ((high - 0xd800) << 10) + (u - 0xdc00), e)
			    : none(e);
	if (high != 0)
		return none(e);
	if (u >= 0xd800 && u <= 0xdbff) {
		r->high = u;
		return 0;
	}
	return code_point(r, u, e);
}

static int hex_digit(struct pg_manifest_reading *r, char c, struct err *e)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;

	if (at == NULL)
		return none(e);
	r->unit = r->unit << 4 | (unsigned)(at - digits);
	return ++r->digits == 4 ? unit(r, e) : 0;
}

static int escaped(struct pg_manifest_reading *r, char c, struct err *e)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = c ? strchr(from, c) : NULL;

	if (c == 'u') {
		r->where = HEX;
		r->unit = r->digits = 0;
		return 0;
	}
	r->where = STRING;
	return at == NULL || r->high ? none(e) : letter(r, to[at - from], e);
}

static int in_string(struct pg_manifest_reading *r, char c, struct err *e)
{
	if (c == '\\') {
		r->where = ESCAPE;
		return 0;
	}
	if (r->high != 0 || (unsigned char)c < 0x20)
		return none(e);
	if (c != '"')
		return letter(r, c, e);
	r->where = BETWEEN;
	return r->expects == KEY || r->expects == FIRST_KEY ? is_key(r, e) : is_value(r, true, e);
}

static bool is_bare(char c)
{
	return c != '\0' && strchr("0123456789+-.eEtrufalsn", c) != NULL;
}

static int end_bare(struct pg_manifest_reading *r, struct err *e)
{
	const char *t = buf_cstr(&r->token);
	char *end;

	r->where = BETWEEN;
	(void)!strtod(t, &end);
	if (strcmp(t, "true") != 0 && strcmp(t, "false") != 0 && strcmp(t, "null") != 0 &&
	    (*end != '\0' || strchr("-0123456789", t[0]) == NULL))
		return none(e);
	return is_value(r, false, e);
}

static int between(struct pg_manifest_reading *r, char c, struct err *e)
{
	bool value = r->expects == VALUE || r->expects == FIRST_VALUE;
	bool key = r->expects == KEY || r->expects == FIRST_KEY;

	if (c == ' ' || c == '\n' || c == '\t' || c == '\r')
		return 0;
	if (c == '}' || c == ']')
		return closes(r, c, e);
	if (c == ',' && r->expects == COMMA) {
		r->expects = r->stack[r->depth - 1] == '{' ? KEY : VALUE;
		return 0;
	}
	if (c == ':' && r->expects == COLON) {
		r->expects = VALUE;
		return 0;
	}
	if (value && (c == '{' || c == '['))
		return opens(r, c, e);
	buf_reset(&r->token);
	if (c == '"' && (value || key)) {
		r->where = STRING;
		return 0;
	}
	if (!value || r->depth == 0 || !is_bare(c))
		return none(e);
	r->where = BARE;
	return letter(r, c, e);
}

static int step(struct pg_manifest_reading *r, char c, struct err *e)
{
	if (r->where == BARE && !is_bare(c) && end_bare(r, e) == -1)
		return -1;
	switch (r->where) {
	case STRING:
		return in_string(r, c, e);
	case ESCAPE:
		return escaped(r, c, e);
	case HEX:
		return hex_digit(r, c, e);
	case BARE:
		return letter(r, c, e);
	default:
		return between(r, c, e);
	}
}

int pg_manifest_feed(struct pg_manifest_reading *r, struct span text, struct err *e)
{
	r->bytes += text.n;
	if (r->bytes > HEAD_MAX + (uint64_t)r->m->n * EACH_MAX)
		return err_set(e, ERR_CORRUPT, "the backup's manifest has no end");
	for (size_t i = 0; i < text.n; i++)
		if (step(r, (char)text.p[i], e) == -1)
			return -1;
	return 0;
}

int pg_manifest_end(struct pg_manifest_reading *r, struct err *e)
{
	size_t came = 0;

	if (r->expects != DONE || r->where != BETWEEN || !r->had_files)
		return none(e);
	for (size_t i = 0; i < r->m->n; i++)
		came += !is_wal(r->m->v[i].path);
	if (r->named == came)
		return 0;
	return err_set(
	    e, ERR_CORRUPT, "%zu files came, and the manifest names %zu", came, r->named);
}
