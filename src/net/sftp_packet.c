/* sftp_packet: see sftp_packet.h. */
#include "net/sftp_packet.h"

#include <string.h>

enum { PACKET_MAX = 264 << 10 }; /* what OpenSSH sends at most is 256 KiB */

/* ---- Fields: big-endian. */

void sftp_put_u32(struct buf *b, uint32_t v)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_put_u8(b, (uint8_t)(v >> shift));
}

void sftp_put_u64(struct buf *b, uint64_t v)
{
	sftp_put_u32(b, (uint32_t)(v >> 32));
	sftp_put_u32(b, (uint32_t)v);
}

void sftp_put_string(struct buf *b, struct span s)
{
	sftp_put_u32(b, (uint32_t)s.n);
	buf_put_span(b, s);
}

uint32_t sftp_read_u32(struct cursor *c)
{
	struct span s = cursor_bytes(c, 4);

	return s.n == 4 ? (uint32_t)s.p[0] << 24 | (uint32_t)s.p[1] << 16 | (uint32_t)s.p[2] << 8 |
			      s.p[3]
			: 0;
}

uint64_t sftp_read_u64(struct cursor *c)
{
	uint64_t high = sftp_read_u32(c);

	return high << 32 | sftp_read_u32(c);
}

struct span sftp_read_string(struct cursor *c)
{
	uint32_t n = sftp_read_u32(c);

	return cursor_bytes(c, n);
}

bool sftp_read_attrs(struct cursor *c, struct sftp_attrs *a)
{
	enum { SIZE = 1, OWNER = 2, MODE = 4, TIMES = 8 };
	const uint32_t more = 0x80000000;
	uint32_t flags = sftp_read_u32(c);

	*a = (struct sftp_attrs){.whole = (flags & SIZE) && (flags & MODE) && (flags & TIMES)};
	if (flags & SIZE)
		a->size = sftp_read_u64(c);
	if (flags & OWNER)
		sftp_read_u64(c);
	if (flags & MODE)
		a->mode = sftp_read_u32(c);
	if (flags & TIMES) {
		sftp_read_u32(c);
		a->mtime_s = sftp_read_u32(c);
	}
	if (flags & more)
		for (uint32_t n = sftp_read_u32(c); n > 0 && !c->bad; n--) {
			sftp_read_string(c);
			sftp_read_string(c);
		}
	return !c->bad;
}

/* ---- Answers. */

enum sftp_answer sftp_answer_of(enum sftp_type type)
{
	switch (type) {
	case SFTP_OPEN:
	case SFTP_OPENDIR:
		return SFTP_HANDLE;
	case SFTP_READ:
		return SFTP_DATA;
	case SFTP_READDIR:
		return SFTP_NAME;
	case SFTP_FSTAT:
	case SFTP_STAT:
		return SFTP_ATTRS;
	default:
		return SFTP_STATUS;
	}
}

static int no_answer(struct err *e)
{
	return err_set(e, ERR_FAILED, "the server sent an answer that is none");
}

static int read_data(struct sftp_wait *w, struct cursor *c, struct err *e)
{
	struct span bytes = sftp_read_string(c);

	if (c->bad)
		return no_answer(e);
	if (w->into && bytes.n > w->into_n)
		return err_set(e, ERR_FAILED, "the server sent more than was asked for");
	if (!w->into)
		buf_put_span(&w->body, bytes);
	else if (bytes.n > 0)
		memcpy(w->into, bytes.p, bytes.n);
	w->got = bytes.n;
	return 0;
}

int sftp_answer_read(struct sftp_wait *w, uint8_t type, struct cursor *c, struct err *e)
{
	uint32_t status = SFTP_OK;

	if (type == SFTP_STATUS) {
		status = sftp_read_u32(c);
		/* That it is done is no answer to who asked what there is. */
		if (c->bad || (status == SFTP_OK && w->wants != SFTP_STATUS))
			return no_answer(e);
	} else if (type != w->wants) {
		return no_answer(e);
	} else if (type == SFTP_DATA) {
		if (read_data(w, c, e) == -1)
			return -1;
	} else {
		buf_put_span(&w->body, cursor_bytes(c, cursor_left(c)));
	}
	w->status = status;
	w->done = true;
	return 0;
}

int sftp_packet_next(struct span *in, struct span *packet, struct err *e)
{
	struct cursor c = cursor_of(*in);
	uint32_t n = sftp_read_u32(&c);

	if (c.bad)
		return 0;
	if (n < 1 || n > PACKET_MAX) {
		err_set(e, ERR_UNSUPPORTED, "what the server says is not SFTP");
		return err_hint(e, "does a login there print something, in .bashrc say?");
	}
	if (cursor_left(&c) < n)
		return 0;
	*packet = cursor_bytes(&c, n);
	*in = span_of(in->p + 4 + n, in->n - 4 - n);
	return 1;
}
