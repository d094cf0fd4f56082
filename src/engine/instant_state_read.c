/* instant_state_read: a state that is there is read again: see instant_state.h. */
#include "engine/instant_state_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "os/os.h"

enum { CHUNK = 1 << 20 };

static const char magic_first[STATE_MAGIC + 1] = "hfinst01"; /* it had no marks */

struct hearing {
	const struct instant_heard *to;
	struct buf boot; /* of now */
	bool this_boot, ready;
};

static int hear_blocks(struct hearing *h, struct cursor *c, bool hard, struct err *e)
{
	uint32_t n = cursor_u32(c);
	uint64_t first = cursor_u64(c), count = cursor_u64(c);

	if (!cursor_done(c))
		return err_set(e, ERR_CORRUPT, "a record is cut short");
	return hard || h->this_boot ? h->to->have(h->to->arg, n, first, count, hard, e) : 0;
}

static int hear_file(struct hearing *h, struct cursor *c, struct err *e)
{
	uint32_t n = cursor_u32(c);
	uint64_t size = cursor_u64(c);
	struct span path = cursor_string(c, INSTANT_PATH_MAX);
	char *text;
	int rc;

	if (!cursor_done(c) || memchr(path.p, '\0', path.n) != NULL)
		return err_set(e, ERR_CORRUPT, "a record of a file is damaged");
	text = mem_strndup((const char *)path.p, path.n);
	rc = h->to->file(h->to->arg, n, size, text, e);
	free(text);
	return rc;
}

static int hear(struct hearing *h, struct span payload, struct err *e)
{
	struct cursor c = cursor_of(payload);
	enum record kind = cursor_u8(&c);
	uint32_t n;
	uint64_t limit;

	switch (kind) {
	case RECORD_FILE:
		return hear_file(h, &c, e);
	case RECORD_READY:
		h->ready = true;
		return 0;
	case RECORD_BOOT:
		h->this_boot = span_eq(cursor_bytes(&c, cursor_left(&c)), buf_span(&h->boot));
		return 0;
	case RECORD_SOFT:
	case RECORD_HARD:
		return hear_blocks(h, &c, kind == RECORD_HARD, e);
	case RECORD_CUT:
		n = cursor_u32(&c);
		limit = cursor_u64(&c);
		return cursor_done(&c) ? h->to->cut(h->to->arg, n, limit, e)
				       : err_set(e, ERR_CORRUPT, "a record is cut short");
	case RECORD_DONE:
	case RECORD_LOST:
		n = cursor_u32(&c);
		return cursor_done(&c)
			   ? (kind == RECORD_DONE ? h->to->done : h->to->lost)(h->to->arg, n, e)
			   : err_set(e, ERR_CORRUPT, "a record is cut short");
	}
	return err_set(e, ERR_CORRUPT, "a record of unknown kind %d", (int)kind);
}

/* The next bytes from s->end on, of which *used are done. */
static int refill(struct instant_state *s, struct buf *b, size_t *used, struct err *e)
{
	ssize_t n;

	if (b->n - *used >= STATE_FRAME + STATE_RECORD_MAX || (b->n > 0 && b->n < CHUNK))
		return 0; /* enough, or all that there is */
	buf_reset(b);
	*used = 0;
	n = os_pread_full(s->fd, buf_extend(b, CHUNK), CHUNK, (off_t)s->end);
	b->n = n == -1 ? 0 : (size_t)n;
	return n == -1 ? err_sys(e, "read") : 0;
}

/* 1: a record; 0: no whole one is there. */
static int next_record(const struct instant_state *s, struct span at, struct span *payload)
{
	struct cursor c = cursor_of(at);
	uint32_t n = cursor_u32(&c);
	uint64_t sum = cursor_u64(&c);

	if (c.bad || n == 0 || n > STATE_RECORD_MAX || n > cursor_left(&c))
		return 0;
	*payload = cursor_bytes(&c, n);
	return siphash_at(s->key, s->end, *payload) == sum;
}

/* Records from s->end on, up to the first that was not written whole. */
static int hear_all(struct instant_state *s, struct hearing *h, struct err *e)
{
	struct buf b = {.p = NULL};
	struct span payload;
	size_t used = 0;
	int rc;

	for (;;) {
		rc = refill(s, &b, &used, e);
		if (rc == -1 || !next_record(s, span_of(b.p + used, b.n - used), &payload))
			break;
		rc = hear(h, payload, e);
		if (rc == -1)
			break;
		used += STATE_FRAME + payload.n;
		s->end += STATE_FRAME + payload.n;
	}
	buf_fini(&b);
	if (rc == 0 && s->end < s->durable)
		rc = err_set(e, ERR_CORRUPT, "damaged at byte %llu of %llu that were on disk",
		    (unsigned long long)s->end, (unsigned long long)s->durable);
	return rc;
}

static int check_magic(const uint8_t *p, size_t n, struct err *e)
{
	if (n >= STATE_MAGIC && memcmp(p, magic_first, STATE_MAGIC) == 0) {
		err_set(e, ERR_UNSUPPORTED, "an older holdfast began this recovery");
		return err_hint(e, "finish it with that one (recover --finish)");
	}
	if (n < STATE_HEADER || memcmp(p, instant_state_magic, STATE_MAGIC) != 0)
		return err_set(e, ERR_CORRUPT, "it is no state of a recovery");
	return 0;
}

static int hear_marks(struct instant_state *s, struct cursor *c, struct err *e)
{
	for (unsigned i = 0; i < 2; i++) {
		struct span at = cursor_bytes(c, 8);
		uint64_t sum = cursor_u64(c);
		struct cursor number = cursor_of(at);
		uint64_t durable = cursor_u64(&number);

		if (siphash_at(s->key, STATE_MARKS + i * STATE_MARK, at) == sum &&
		    durable > s->durable) {
			s->durable = durable;
			s->nth = !i;
		}
	}
	return s->durable >= STATE_HEADER ? 0 : err_set(e, ERR_CORRUPT, "its header is damaged");
}

static int hear_header(struct instant_state *s, struct id *snapshot, struct err *e)
{
	uint8_t head[STATE_HEADER];
	ssize_t n = os_pread_full(s->fd, head, sizeof head, 0);
	struct cursor c = cursor_of(span_of(head, sizeof head));

	if (n == -1)
		return err_sys(e, "read");
	if (check_magic(head, (size_t)n, e) == -1)
		return -1;
	cursor_bytes(&c, STATE_MAGIC);
	memcpy(s->key, cursor_bytes(&c, SIPHASH_KEY).p, SIPHASH_KEY);
	if (cursor_u32(&c) != INSTANT_BLOCK)
		return err_set(e, ERR_CORRUPT, "its header is damaged");
	memcpy(snapshot->b, cursor_bytes(&c, ID_SIZE).p, ID_SIZE);
	s->end = STATE_HEADER;
	return hear_marks(s, &c, e);
}

/* What may not be on disk: had a sync of it failed, the kernel would not try again by itself. */
static int write_again(struct instant_state *s, struct err *e)
{
	struct buf b = {.p = NULL};
	int rc = 0;

	for (uint64_t at = s->durable; rc == 0 && at < s->end; at += b.n) {
		uint64_t n = s->end - at < CHUNK ? s->end - at : CHUNK;
		ssize_t got;

		buf_reset(&b);
		got = os_pread_full(s->fd, buf_extend(&b, (size_t)n), (size_t)n, (off_t)at);
		if (got == -1 || os_pwrite_all(s->fd, b.p, (size_t)got, (off_t)at) == -1)
			rc = err_sys(e, "write it again");
	}
	buf_fini(&b);
	return rc;
}

int instant_state_read(struct instant_state *s, const struct instant_heard *heard,
    struct id *snapshot, bool *ready, struct err *e)
{
	struct hearing h = {.to = heard};
	int rc;

	instant_state_boot(&h.boot);
	rc = hear_header(s, snapshot, e);
	if (rc == 0)
		rc = hear_all(s, &h, e);
	if (rc == 0)
		rc = write_again(s, e);
	*ready = h.ready;
	buf_fini(&h.boot);
	return rc;
}

int instant_state_header(const char *path, struct id *snapshot, bool *there, struct err *e)
{
	uint8_t head[STATE_HEADER];
	int fd = os_open(path, O_RDONLY | O_CLOEXEC, 0);
	ssize_t n;

	*there = false;
	if (fd == -1)
		return errno == ENOENT ? 0 : err_sys(e, "%s", path);
	n = os_pread_full(fd, head, sizeof head, 0);
	os_close(fd);
	if (n == -1)
		return err_sys(e, "%s", path);
	if (check_magic(head, (size_t)n, e) == -1)
		return err_wrap(e, "%s", path);
	memcpy(snapshot->b, head + STATE_MARKS - ID_SIZE, ID_SIZE);
	*there = true;
	return 0;
}
