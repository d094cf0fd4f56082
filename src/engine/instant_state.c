/* instant_state: see instant_state.h. */
#include "engine/instant_state_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "os/os.h"
#include "repo/siphash.h"

enum { BOOT_ID = 36 };

const char instant_state_magic[STATE_MAGIC + 1] = "hfinst02";

void instant_state_boot(struct buf *out)
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
	/* What was written of it in vain the next one is written over. */
	if (os_pwrite_all(s->fd, b.p, b.n, (off_t)s->end) == -1)
		rc = err_sys(e, "write");
	else
		s->end += b.n;
	pthread_mutex_unlock(&s->lock);
	buf_fini(&b);
	return rc == -1 ? err_wrap(e, "state of the recovery") : 0;
}

static int append_boot(struct instant_state *s, struct err *e)
{
	struct buf b = {.p = NULL}, id = {.p = NULL};
	int rc;

	instant_state_boot(&id);
	buf_put_u8(&b, RECORD_BOOT);
	buf_put_span(&b, buf_span(&id));
	rc = append(s, &b, e);
	buf_fini(&b);
	buf_fini(&id);
	return rc;
}

static void put_mark(struct instant_state *s, unsigned nth, uint64_t durable, struct buf *out)
{
	size_t at = out->n;
	uint64_t sum;

	buf_put_u64(out, durable);
	sum = siphash_at(s->key, STATE_MARKS + nth * STATE_MARK, span_of(out->p + at, 8));
	buf_put_u64(out, sum);
}

/*
 * The older of the two is written over, so that one is always whole.  On disk with the next sync:
 * it may say less than is true, never more, so nothing is lost where it cannot be written.
 */
static void mark_durable(struct instant_state *s, uint64_t durable)
{
	struct buf b = {.p = NULL};

	pthread_mutex_lock(&s->lock);
	if (durable > s->durable) {
		put_mark(s, s->nth, durable, &b);
		(void)!os_pwrite_all(s->fd, b.p, b.n, STATE_MARKS + s->nth * STATE_MARK);
		s->nth = !s->nth;
		s->durable = durable;
	}
	pthread_mutex_unlock(&s->lock);
	buf_fini(&b);
}

static struct instant_state *state_new(int fd)
{
	struct instant_state *s = mem_zalloc(sizeof *s);

	s->fd = fd;
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->sync, NULL);
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
	buf_put(&b, instant_state_magic, STATE_MAGIC);
	buf_put(&b, s->key, sizeof s->key);
	buf_put_u32(&b, INSTANT_BLOCK);
	buf_put(&b, snapshot->b, ID_SIZE);
	put_mark(s, 0, STATE_HEADER, &b);
	put_mark(s, 1, STATE_HEADER, &b);
	s->end = s->durable = STATE_HEADER;
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

int instant_state_open(const char *path, const struct instant_heard *heard, struct id *snapshot,
    bool *ready, struct instant_state **out, struct err *e)
{
	int fd = os_open(path, O_RDWR | O_CLOEXEC, 0);
	struct instant_state *s;

	if (fd == -1)
		return err_sys(e, "%s", path);
	s = state_new(fd);
	if (instant_state_read(s, heard, snapshot, ready, e) == -1 ||
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
	pthread_mutex_destroy(&s->sync);
	free(s);
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
	if (rc == -1 || instant_state_sync(s, e) == -1)
		return -1;
	/* Its mark, too. */
	return os_fsync(s->fd) == -1 ? err_sys(e, "state of the recovery: fsync") : 0;
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

int instant_state_lost(struct instant_state *s, uint32_t n, struct err *e)
{
	return append_numbers(s, RECORD_LOST, n, NULL, 0, e);
}

/* *yet: some of it is not on disk. */
static uint64_t end_of(struct instant_state *s, bool *yet)
{
	uint64_t end;

	pthread_mutex_lock(&s->lock);
	end = s->end;
	*yet = s->durable < end;
	pthread_mutex_unlock(&s->lock);
	return end;
}

int instant_state_sync(struct instant_state *s, struct err *e)
{
	uint64_t end;
	bool yet;
	int rc = 0;

	pthread_mutex_lock(&s->sync);
	end = end_of(s, &yet);
	if (s->lost) {
		rc = err_set(e, ERR_IO, "state of the recovery: an earlier fsync failed");
	} else if (yet && os_fsync(s->fd) == -1) {
		rc = err_sys(e, "state of the recovery: fsync");
		s->lost = true;
	} else if (yet) {
		mark_durable(s, end);
	}
	pthread_mutex_unlock(&s->sync);
	return rc;
}
