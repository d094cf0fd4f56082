/* pg_wal_message: see pg_wal_message.h. */
#include "db/pg_wal_message.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "base/mem.h"

static const int64_t EPOCH_US = INT64_C(946684800000000); /* of 2000-01-01, since 1970 */

static uint64_t big(struct cursor *c)
{
	struct span s = cursor_bytes(c, 8);
	uint64_t v;

	if (c->bad)
		return 0;
	memcpy(&v, s.p, 8);
	return be64toh(v);
}

/* A clock that says what cannot be is no reason to refuse WAL: it is 0 then. */
static int64_t moment(uint64_t us)
{
	int64_t v = (int64_t)us;

	return v < 0 || v > INT64_MAX / 1000 - EPOCH_US ? 0 : (v + EPOCH_US) * 1000;
}

static int read_data(struct cursor *c, struct pg_wal_message *out, struct err *e)
{
	out->kind = PG_WAL_DATA;
	out->start = big(c);
	out->end = big(c);
	out->sent_ns = moment(big(c));
	out->data = cursor_bytes(c, cursor_left(c));
	if (c->bad)
		return err_set(e, ERR_CORRUPT, "a message with WAL is cut short (%zu bytes)", c->n);
	if (out->data.n > PG_WAL_DATA_MAX || out->start > UINT64_MAX - out->data.n)
		return err_set(e, ERR_CORRUPT,
		    "a message with %zu bytes of WAL at %" PRIX64 " cannot be", out->data.n,
		    out->start);
	return 0;
}

static int read_alive(struct cursor *c, struct pg_wal_message *out, struct err *e)
{
	out->kind = PG_WAL_ALIVE;
	out->end = big(c);
	out->sent_ns = moment(big(c));
	out->answer = cursor_u8(c) != 0;
	return cursor_done(c) ? 0
			      : err_set(e, ERR_CORRUPT,
				    "a keepalive message has %zu bytes instead of 18", c->n);
}

int pg_wal_message_read(struct span m, struct pg_wal_message *out, struct err *e)
{
	struct cursor c = cursor_of(m);
	uint8_t letter = cursor_u8(&c);

	*out = (struct pg_wal_message){0};
	if (c.bad)
		return err_set(e, ERR_CORRUPT, "an empty message in the stream of WAL");
	if (letter == 'w')
		return read_data(&c, out, e);
	if (letter == 'k')
		return read_alive(&c, out, e);
	return err_set(e, ERR_LATER, "a message of kind 0x%02x in the stream of WAL", letter);
}

static void put_big(struct buf *out, uint64_t v)
{
	v = htobe64(v);
	buf_put(out, &v, 8);
}

void pg_wal_message_status(struct buf *out, uint64_t written, uint64_t flushed, uint64_t applied,
    int64_t now_ns, bool answer)
{
	buf_put_u8(out, 'r');
	put_big(out, written);
	put_big(out, flushed);
	put_big(out, applied);
	put_big(out, (uint64_t)(now_ns / 1000 - EPOCH_US));
	buf_put_u8(out, answer);
}

/* Up to eight hexadecimal digits; how many. */
static size_t read_hex(const char *s, size_t n, uint64_t *out)
{
	size_t i;

	*out = 0;
	for (i = 0; i < n && i < 8; i++) {
		char c = s[i];
		unsigned v = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
			     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
			     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
						    : 16;

		if (v == 16)
			break;
		*out = *out << 4 | v;
	}
	return i;
}

static bool read_lsn(const char *s, size_t n, uint64_t *out)
{
	uint64_t high, low;
	size_t a = read_hex(s, n, &high), b;

	if (a == 0 || a == n || s[a] != '/')
		return false;
	b = read_hex(s + a + 1, n - a - 1, &low);
	*out = high << 32 | low;
	return b > 0 && a + 1 + b == n;
}

int pg_wal_lsn_read(const char *text, uint64_t *out, struct err *e)
{
	if (!read_lsn(text, strlen(text), out))
		return err_set(e, ERR_CORRUPT, "'%.40s' is no position of WAL", text);
	return 0;
}

const char *pg_wal_lsn(uint64_t lsn, char out[PG_WAL_LSN_TEXT])
{
	snprintf(out, PG_WAL_LSN_TEXT, "%X/%X", (unsigned)(lsn >> 32), (unsigned)lsn);
	return out;
}

/* ---- History files: "1<tab>0/3000148<tab>why", lines with # and empty ones. */

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static size_t skip(const char *s, size_t n, size_t at, bool blanks)
{
	while (at < n && blank(s[at]) == blanks)
		at++;
	return at;
}

/* 1: a switch; 0: nothing of interest; -1: nonsense. */
static int read_line(const char *s, size_t n, struct pg_wal_switch *out)
{
	size_t a = skip(s, n, 0, true), b = skip(s, n, a, false), c, d;
	uint64_t timeline = 0;

	if (a == n || s[a] == '#')
		return 0;
	for (size_t i = a; i < b; i++) {
		if (s[i] < '0' || s[i] > '9' || timeline > UINT32_MAX)
			return -1;
		timeline = timeline * 10 + (uint64_t)(s[i] - '0');
	}
	c = skip(s, n, b, true);
	d = skip(s, n, c, false);
	if (timeline == 0 || timeline > UINT32_MAX || !read_lsn(s + c, d - c, &out->at))
		return -1;
	out->timeline = (uint32_t)timeline;
	return 1;
}

int pg_wal_history_read(
    struct span text, uint32_t timeline, struct pg_wal_switch **out, size_t *n, struct err *e)
{
	const char *p = (const char *)text.p;
	size_t cap = 0, line = 0;

	*out = NULL;
	*n = 0;
	for (size_t at = 0; at < text.n && text.n <= PG_WAL_HISTORY_MAX;) {
		const char *end = memchr(p + at, '\n', text.n - at);
		size_t len = end ? (size_t)(end - p) - at : text.n - at;
		struct pg_wal_switch s = {0};
		int rc = read_line(p + at, len, &s);

		line++;
		at += len + 1;
		if (rc == 0)
			continue;
		if (rc == -1 || s.timeline >= timeline ||
		    (*n > 0 && (s.timeline <= (*out)[*n - 1].timeline || s.at < (*out)[*n - 1].at)))
			goto out;
		if (*n == cap) {
			cap = cap ? 2 * cap : 8;
			*out = mem_realloc(*out, cap * sizeof **out);
		}
		(*out)[(*n)++] = s;
	}
	if (text.n <= PG_WAL_HISTORY_MAX)
		return 0;
out:
	free(*out);
	*out = NULL;
	*n = 0;
	return err_set(e, ERR_CORRUPT, "line %zu of the history of timeline %u makes no sense",
	    line, (unsigned)timeline);
}
