/*
 * fuzz: what an SFTP server, or who sits in its place, can answer.  The first
 * byte says what was asked for; packets follow, as they come over the wire.
 */
#include <stdlib.h>
#include <string.h>

#include "net/sftp_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int see(void *arg, struct span name, const struct sftp_attrs *a, struct err *e)
{
	const struct span *body = arg;

	(void)e;
	if (name.n > 0 && (name.p < body->p || name.p + name.n > body->p + body->n))
		abort();
	if (a->whole && a->mtime_s < 0)
		abort();
	return 0;
}

static void names(struct span body)
{
	struct err e = {0};

	if (sftp_names_read(body, see, &body, &e) == -1 && e.kind != ERR_FAILED)
		abort();
}

static void answer(uint8_t wants, bool into, struct span packet)
{
	uint8_t room[64];
	struct sftp_wait w = {
	    .wants = wants, .into = into ? room : NULL, .into_n = into ? sizeof room : 0};
	struct cursor c = cursor_of(packet), body;
	uint8_t type = cursor_u8(&c);
	struct sftp_attrs a;
	struct err e = {0};

	sftp_read_u32(&c); /* the id */
	if (c.bad)
		return;
	if (sftp_answer_read(&w, type, &c, &e) == 0) {
		if (!w.done || (into && w.got > sizeof room) ||
		    (w.status == SFTP_OK && type != wants))
			abort();
		body = cursor_of(buf_span(&w.body));
		if (sftp_read_attrs(&body, &a) && body.bad)
			abort();
		names(buf_span(&w.body));
	} else if (w.done || e.kind != ERR_FAILED) {
		abort();
	}
	sftp_wait_fini(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint8_t wants[] = {SFTP_STATUS, SFTP_HANDLE, SFTP_DATA, SFTP_NAME, SFTP_ATTRS,
	    SFTP_EXTENDED_REPLY, SFTP_DATA, SFTP_NAME};
	struct span in, packet;
	struct err e = {0};

	if (n == 0)
		return 0;
	in = span_of(p + 1, n - 1);
	while (sftp_packet_next(&in, &packet, &e) == 1)
		answer(wants[p[0] % 8], p[0] & 64, packet);
	return 0;
}
