/* instant_state: see instant_state.h. */
#include "engine/instant_state.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cursor.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "os/os.h"
#include "repo/siphash.h"

enum {
	MAGIC_SIZE = 8,
	HEADER = MAGIC_SIZE + SIPHASH_KEY + 4 + ID_SIZE,
	FRAME = 4 + 8,
	RECORD_MAX = 64 + INSTANT_PATH_MAX,
	STATE_MAX = 1 << 30,
	BOOT_ID = 36,
};

static const char magic[MAGIC_SIZE + 1] = "hfinst01";

enum record {
	RECORD_FILE = 1,
	RECORD_READY,
	RECORD_BOOT,
	RECORD_SOFT,
	RECORD_HARD,
	RECORD_CUT,
	RECORD_DONE
};

struct instant_state {
	int fd;
	uint8_t key[SIPHASH_KEY];
	pthread_mutex_t lock; /* guards what follows, and the order of records */
	uint64_t end;
	bool failed; /* a record was written in part: nothing more may follow it */
};

static void boot_id(struct buf *out)
{
	struct err ignored;

	buf_reset(out);
	if (os_read_file("/proc/sys/kernel/random/boot_id", 4096, out, &ignored) == -1 ||
	    out->n < BOOT_ID) {
		/* An id that never comes again: nothing soft will be believed. */
		buf_reset(out);
		crypto_random(buf_extend(out, BOOT_ID), BOOT_ID);
	}
	out->n = BOOT_ID;
}

static int append(struct instant_state *s, const struct buf *payload, struct err *e)
{
	struct buf b = {.p = NULL};
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	buf_put_u32(&b, (uint32_t)payload->n);
	buf_put_u64(&b, siphash_at(s->key, s->end, buf_span(payload)));
	buf_put_span(&b, buf_span(payload));
	if (s->failed)
		rc = err_set(e, ERR_IO, "an earlier record was not written whole");
	else if (os_pwrite_all(s->fd, b.p, b.n, (off_t)s->end) == -1)
		rc = err_sys(e, "write");
	if (rc == 0)
		s->end += b.n;
	else
		s->failed = true;
	pthread_mutex_unlock(&s->lock);
	buf_fini(&b);
	return rc == -1 ? err_wrap(e, "state of the recovery") : 0;
}

static int append_boot(struct instant_state *s, struct err *e)
{
	struct buf b = {.p = NULL}, id = {.p = NULL};
	int rc;

	boot_id(&id);
	buf_put_u8(&b, RECORD_BOOT);
	buf_put_span(&b, buf_span(&id));
	rc = append(s, &b, e);
	buf_fini(&b);
	buf_fini(&id);
	return rc;
}

static struct instant_state *state_new(int fd)
{
	struct instant_state *s = mem_zalloc(sizeof *s);

	s->fd = fd;
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

int instant_state_create(
    const char *path, const struct id *snapshot, struct instant_state **out, struct err *e)
{
	int fd = os_open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct buf b = {.p = NULL};
	struct instant_state *s;

	if (fd == -1)
		return err_sys(e, "%s", path);
	s = state_new(fd);
	crypto_random(s->key, sizeof s->key);
	buf_put(&b, magic, MAGIC_SIZE);
	buf_put(&b, s->key, sizeof s->key);
	buf_put_u32(&b, INSTANT_BLOCK);
	buf_put(&b, snapshot->b, ID_SIZE);
	s->end = b.n;
	if (os_pwrite_all(fd, b.p, b.n, 0) == -1) {
		err_sys(e, "write %s", path);
		instant_state_close(s);
		s = NULL;
	}
	buf_fini(&b);
	if (s == NULL || append_boot(s, e) == -1) {
		instant_state_close(s);
		return -1;
	}
	*out = s;
	return 0;
}

/* ---- Reading it again. */

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
		n = cursor_u32(&c);
		return cursor_done(&c) ? h->to->done(h->to->arg, n, e)
				       : err_set(e, ERR_CORRUPT, "a record is cut short");
	}
	return err_set(e, ERR_CORRUPT, "a record of unknown kind %d", (int)kind);
}

/* Records from s->end on, up to the first that was not written whole. */
static int hear_all(struct instant_state *s, struct span all, struct hearing *h, struct err *e)
{
	while (s->end < all.n) {
		struct cursor c = cursor_of(span_of(all.p + s->end, all.n - s->end));
		uint32_t n = cursor_u32(&c);
		uint64_t sum = cursor_u64(&c);
		struct span payload;

		if (c.bad || n == 0 || n > RECORD_MAX || n > cursor_left(&c))
			return 0;
		payload = cursor_bytes(&c, n);
		if (siphash_at(s->key, s->end, payload) != sum)
			return 0;
		if (hear(h, payload, e) == -1)
			return -1;
		s->end += FRAME + n;
	}
	return 0;
}

static int open_at(struct instant_state *s, const char *path, const struct instant_heard *heard,
    struct id *snapshot, bool *ready, struct err *e)
{
	struct hearing h = {.to = heard};
	struct buf all = {.p = NULL};
	struct cursor c;
	int rc = os_read_file(path, STATE_MAX, &all, e);

	c = cursor_of(buf_span(&all));
	if (rc == 0 && !span_eq(cursor_bytes(&c, MAGIC_SIZE), span_of(magic, MAGIC_SIZE)))
		rc = err_set(e, ERR_CORRUPT, "it is no state of a recovery");
	if (rc == 0) {
		struct span key = cursor_bytes(&c, SIPHASH_KEY), id;
		uint32_t block = cursor_u32(&c);

		id = cursor_bytes(&c, ID_SIZE);
		if (c.bad || block != INSTANT_BLOCK) {
			rc = err_set(e, ERR_CORRUPT, "its header is damaged");
		} else {
			memcpy(s->key, key.p, SIPHASH_KEY);
			memcpy(snapshot->b, id.p, ID_SIZE);
			s->end = HEADER;
			boot_id(&h.boot);
			rc = hear_all(s, buf_span(&all), &h, e);
		}
	}
	*ready = h.ready;
	buf_fini(&h.boot);
	buf_fini(&all);
	return rc;
}

int instant_state_open(const char *path, const struct instant_heard *heard, struct id *snapshot,
    bool *ready, struct instant_state **out, struct err *e)
{
	int fd = os_open(path, O_RDWR | O_CLOEXEC, 0);
	struct instant_state *s;

	if (fd == -1)
		return err_sys(e, "%s", path);
	s = state_new(fd);
	if (open_at(s, path, heard, snapshot, ready, e) == -1 ||
	    (os_ftruncate(fd, (off_t)s->end) == -1 && err_sys(e, "cut") == -1) ||
	    append_boot(s, e) == -1) {
		instant_state_close(s);
		return err_wrap(e, "%s", path);
	}
	*out = s;
	return 0;
}

void instant_state_close(struct instant_state *s)
{
	if (s == NULL)
		return;
	os_close(s->fd);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int instant_state_header(const char *path, struct id *snapshot, bool *there, struct err *e)
{
	uint8_t head[HEADER];
	int fd = os_open(path, O_RDONLY | O_CLOEXEC, 0);
	ssize_t n;

	*there = false;
	if (fd == -1)
		return errno == ENOENT ? 0 : err_sys(e, "%s", path);
	n = os_pread_full(fd, head, sizeof head, 0);
	os_close(fd);
	if (n == -1)
		return err_sys(e, "%s", path);
	if (n < HEADER || memcmp(head, magic, MAGIC_SIZE) != 0)
		return err_set(e, ERR_CORRUPT, "%s: it is no state of a recovery", path);
	memcpy(snapshot->b, head + HEADER - ID_SIZE, ID_SIZE);
	*there = true;
	return 0;
}

/* ---- What happens. */

static int append_numbers(struct instant_state *s, enum record kind, uint32_t n, const uint64_t *v,
    size_t count, struct err *e)
{
	struct buf b = {.p = NULL};
	int rc;

	buf_put_u8(&b, (uint8_t)kind);
	buf_put_u32(&b, n);
	for (size_t i = 0; i < count; i++)
		buf_put_u64(&b, v[i]);
	rc = append(s, &b, e);
	buf_fini(&b);
	return rc;
}

int instant_state_file(
    struct instant_state *s, uint32_t n, uint64_t size, const char *path, struct err *e)
{
	struct buf b = {.p = NULL};
	int rc;

	if (strlen(path) > INSTANT_PATH_MAX)
		return err_set(e, ERR_UNSUPPORTED, "%s: the path is too long", path);
	buf_put_u8(&b, RECORD_FILE);
	buf_put_u32(&b, n);
	buf_put_u64(&b, size);
	buf_put_string(&b, span_str(path));
	rc = append(s, &b, e);
	buf_fini(&b);
	return rc;
}

int instant_state_ready(struct instant_state *s, struct err *e)
{
	struct buf b = {.p = NULL};
	int rc;

	buf_put_u8(&b, RECORD_READY);
	rc = append(s, &b, e);
	buf_fini(&b);
	return rc == -1 ? -1 : instant_state_sync(s, e);
}

int instant_state_have(
    struct instant_state *s, uint32_t n, uint64_t first, uint64_t count, bool hard, struct err *e)
{
	return append_numbers(
	    s, hard ? RECORD_HARD : RECORD_SOFT, n, (uint64_t[]){first, count}, 2, e);
}

int instant_state_cut(struct instant_state *s, uint32_t n, uint64_t limit, struct err *e)
{
	return append_numbers(s, RECORD_CUT, n, &limit, 1, e);
}

int instant_state_done(struct instant_state *s, uint32_t n, struct err *e)
{
	if (append_numbers(s, RECORD_DONE, n, NULL, 0, e) == -1)
		return -1;
	return instant_state_sync(s, e);
}

int instant_state_sync(struct instant_state *s, struct err *e)
{
	return os_fsync(s->fd) == -1 ? err_sys(e, "state of the recovery: fsync") : 0;
}
