/*
 * sftp: see sftp.h.
 *
 * A thread of ours reads what comes and hands each answer to whoever waits for
 * it; it is also the one that notices silence, and then ends the program, which
 * wakes those who send.
 */
#include "net/sftp.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "net/sftp_explain.h"
#include "os/os.h"
#include "os/os_process.h"

enum {
	SLOTS = 1024,           /* requests under way */
	PACKET_MAX = 264 << 10, /* what OpenSSH sends at most is 256 KiB */
	SAID_MAX = 4096,        /* of ssh's last words */
	TICK_MS = 100,
	NOBODY = 0xffffffff, /* the id of requests whose answer nobody wants */
	INIT = 1,
	VERSION = 2,
	STATUS = 101,
	DATA = 103,
};

struct sftp {
	struct ctx *ctx;
	struct os_process process;
	int64_t stall_ns;
	unsigned extensions;
	pthread_t reader; /* the only one to use the next three */
	bool mute;
	char said[SAID_MAX + 1];
	size_t said_n;
	pthread_mutex_t send_lock; /* whole packets; taken before lock, never after */

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t news;
	struct sftp_wait *slot[SLOTS];
	unsigned used;
	uint32_t last_id;
	bool greeted, dead;
	struct err why;
	int64_t heard_ns; /* when something came last, or was first waited for */
};

static int64_t now(struct sftp *s)
{
	struct clock *c = os_clock_of(s->ctx);

	return c->mono_ns(c);
}

/* ---- Encoding: big-endian. */

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

/* ---- The reader. */

/* False at their end.  Of the reader's own. */
static bool hear_words(struct sftp *s)
{
	char text[512];
	ssize_t n = os_read(s->process.error, text, sizeof text);

	for (ssize_t i = 0; i < n; i++) {
		if (s->said_n == SAID_MAX) {
			memmove(s->said, s->said + SAID_MAX / 2, SAID_MAX / 2);
			s->said_n = SAID_MAX / 2;
		}
		s->said[s->said_n++] = text[i] ? text[i] : '?';
	}
	s->said[s->said_n] = '\0';
	return n > 0;
}

static void learn_extensions(struct sftp *s, struct cursor *c)
{
	static const struct {
		const char *name;
		unsigned bit;
	} known[] = {{"posix-rename@openssh.com", SFTP_HAS_POSIX_RENAME},
	    {"hardlink@openssh.com", SFTP_HAS_HARDLINK}, {"fsync@openssh.com", SFTP_HAS_FSYNC},
	    {"statvfs@openssh.com", SFTP_HAS_STATVFS}};

	while (!c->bad && cursor_left(c) > 0) {
		struct span name = sftp_read_string(c);

		sftp_read_string(c);
		for (size_t i = 0; !c->bad && i < sizeof known / sizeof *known; i++)
			if (span_eq(name, span_str(known[i].name)))
				s->extensions |= known[i].bit;
	}
}

/* With the lock. */
static int answer(struct sftp *s, uint8_t type, struct cursor *c, struct err *e)
{
	uint32_t id = sftp_read_u32(c);
	struct sftp_wait *w = s->slot[id % SLOTS];
	struct span bytes;

	if (c->bad)
		return err_set(e, ERR_CORRUPT, "the server sent an answer that is none");
	if (id == NOBODY || w == NULL || w->id != id)
		return 0; /* given up meanwhile */
	w->type = type;
	w->done = true;
	s->slot[id % SLOTS] = NULL;
	s->used--;
	if (type == STATUS) {
		w->status = sftp_read_u32(c);
	} else if (type == DATA) {
		bytes = sftp_read_string(c);
		if (w->into && bytes.n > w->into_n)
			return err_set(e, ERR_CORRUPT, "the server sent more than was asked for");
		if (w->into && bytes.n > 0)
			memcpy(w->into, bytes.p, bytes.n);
		else
			buf_put_span(&w->body, bytes);
		w->got = bytes.n;
		ctx_count(s->ctx, COUNT_NONE, 0, bytes.n);
	} else {
		buf_put_span(&w->body, cursor_bytes(c, cursor_left(c)));
	}
	pthread_cond_broadcast(&s->news);
	return c->bad ? err_set(e, ERR_CORRUPT, "the server sent an answer that is none") : 0;
}

static int take_packet(struct sftp *s, struct span packet, struct err *e)
{
	struct cursor c = cursor_of(packet);
	uint8_t type = cursor_u8(&c);

	if (s->greeted)
		return answer(s, type, &c, e);
	if (type != VERSION || sftp_read_u32(&c) < 3 || c.bad)
		return err_set(e, ERR_UNSUPPORTED, "the server does not speak SFTP version 3");
	learn_extensions(s, &c);
	s->greeted = true;
	pthread_cond_broadcast(&s->news);
	return 0;
}

/* Take what is whole; -1 if what comes is none of ours. */
static int take_packets(struct sftp *s, struct buf *in, struct err *e)
{
	size_t at = 0;
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	s->heard_ns = now(s);
	while (rc == 0 && in->n - at >= 4) {
		struct cursor c = cursor_of(span_of(in->p + at, 4));
		uint32_t n = sftp_read_u32(&c);

		if (n < 1 || n > PACKET_MAX) {
			rc = err_set(e, ERR_UNSUPPORTED, "what the server says is not SFTP");
			err_hint(e, "does a login there print something, in .bashrc say?");
		} else if (in->n - at - 4 < n) {
			break;
		} else {
			rc = take_packet(s, span_of(in->p + at + 4, n), e);
			at += 4 + n;
		}
	}
	pthread_mutex_unlock(&s->lock);
	memmove(in->p, in->p + at, in->n - at);
	in->n -= at;
	return rc;
}

static int silence(struct sftp *s, struct err *e)
{
	bool waiting;
	int64_t for_ns;

	pthread_mutex_lock(&s->lock);
	waiting = s->used > 0 || !s->greeted;
	for_ns = now(s) - s->heard_ns;
	pthread_mutex_unlock(&s->lock);
	if (waiting && for_ns > s->stall_ns)
		return err_set(e, ERR_TIMEOUT, "no answer for %lld seconds",
		    (long long)(s->stall_ns / 1000000000));
	return 0;
}

/* Its last words may come after the end of what it sends. */
static void hear_last_words(struct sftp *s)
{
	bool more = true;

	while (more && os_readable(s->process.error, 1000) == 1)
		more = hear_words(s);
}

static int listen_once(struct sftp *s, struct buf *in, struct err *e)
{
	int where = os_readable_two(s->process.talk, s->mute ? -1 : s->process.error, TICK_MS);
	ssize_t n;

	if (where & 2)
		s->mute = !hear_words(s);
	if (!(where & 1))
		return silence(s, e);
	buf_reserve(in, 64 << 10);
	n = os_read(s->process.talk, in->p + in->n, 64 << 10);
	if (n <= 0) {
		hear_last_words(s);
		return sftp_explain(s->said, e);
	}
	in->n += (size_t)n;
	return take_packets(s, in, e);
}

static void *reader(void *arg)
{
	struct sftp *s = arg;
	struct buf in = {0};
	struct err e;

	while (listen_once(s, &in, &e) == 0)
		;
	pthread_mutex_lock(&s->lock);
	s->dead = true;
	s->why = e;
	pthread_cond_broadcast(&s->news);
	pthread_mutex_unlock(&s->lock);
	os_process_hang_up(&s->process); /* wakes who sends */
	buf_fini(&in);
	return NULL;
}

/* ---- Requests. */

/* An answer may take a while: look up now and then whether somebody wants to stop. */
static void wait_for_news(struct sftp *s)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += TICK_MS * 1000000L;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&s->news, &s->lock, &t);
}

static void send_packet(struct sftp *s, const struct buf *head, struct span bulk)
{
	/* A failure is left to the reader, who sees the end as well and knows why. */
	pthread_mutex_lock(&s->send_lock);
	if (os_send_all(s->process.talk, head->p, head->n) == 0 && bulk.n > 0)
		os_send_all(s->process.talk, bulk.p, bulk.n);
	pthread_mutex_unlock(&s->send_lock);
}

/* An id whose slot is free, waiting for one if need be; false once the connection is dead. */
static bool take_slot(struct sftp *s, struct sftp_wait *w)
{
	bool alive;

	pthread_mutex_lock(&s->lock);
	while (!s->dead && s->used >= SLOTS - 1)
		wait_for_news(s);
	if (!s->dead) {
		do
			w->id = ++s->last_id & 0x7fffffff;
		while (s->slot[w->id % SLOTS]);
		s->slot[w->id % SLOTS] = w;
		if (s->used++ == 0)
			s->heard_ns = now(s);
	}
	alive = !s->dead;
	pthread_mutex_unlock(&s->lock);
	return alive;
}

static enum count_verb verb_of(enum sftp_type type)
{
	switch (type) {
	case SFTP_READ:
		return COUNT_GET;
	case SFTP_WRITE:
		return COUNT_PUT;
	case SFTP_OPENDIR:
	case SFTP_READDIR:
		return COUNT_LIST;
	case SFTP_STAT:
	case SFTP_FSTAT:
		return COUNT_HEAD;
	case SFTP_REMOVE:
		return COUNT_DELETE;
	default:
		return COUNT_POST;
	}
}

void sftp_send(
    struct sftp *s, struct sftp_wait *w, enum sftp_type type, struct span fields, struct span bulk)
{
	struct buf head = {0};

	if (w && !take_slot(s, w))
		return;
	sftp_put_u32(&head, (uint32_t)(5 + fields.n + (bulk.n ? 4 + bulk.n : 0)));
	buf_put_u8(&head, (uint8_t)type);
	sftp_put_u32(&head, w ? w->id : NOBODY);
	buf_put_span(&head, fields);
	if (bulk.n)
		sftp_put_u32(&head, (uint32_t)bulk.n);
	ctx_count(s->ctx, verb_of(type), bulk.n, 0);
	send_packet(s, &head, bulk);
	buf_fini(&head);
}

int sftp_wait(struct sftp *s, struct sftp_wait *w, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	while (!w->done && !s->dead && (rc = ctx_check(s->ctx, e)) == 0)
		wait_for_news(s);
	if (!w->done) {
		if (s->slot[w->id % SLOTS] == w) {
			s->slot[w->id % SLOTS] = NULL;
			s->used--;
		}
		if (rc == 0)
			*e = s->why;
		rc = -1;
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

void sftp_wait_fini(struct sftp_wait *w)
{
	buf_fini(&w->body);
}

/* ---- Open and close. */

static int greet(struct sftp *s, struct err *e)
{
	struct buf hello = {0};
	int rc = 0;

	sftp_put_u32(&hello, 5);
	buf_put_u8(&hello, INIT);
	sftp_put_u32(&hello, 3);
	send_packet(s, &hello, span_of(NULL, 0));
	buf_fini(&hello);
	pthread_mutex_lock(&s->lock);
	while (!s->greeted && !s->dead && (rc = ctx_check(s->ctx, e)) == 0)
		wait_for_news(s);
	if (s->dead && rc == 0) {
		*e = s->why;
		rc = -1;
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static void init(struct sftp *s, int64_t stall_ns, struct ctx *ctx)
{
	pthread_condattr_t attr;

	s->ctx = ctx;
	s->stall_ns = stall_ns;
	s->heard_ns = now(s);
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->send_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->news, &attr);
	pthread_condattr_destroy(&attr);
}

static void fini(struct sftp *s)
{
	pthread_cond_destroy(&s->news);
	pthread_mutex_destroy(&s->send_lock);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

struct sftp *sftp_open(char *const argv[], int64_t stall_ns, struct ctx *ctx, struct err *e)
{
	struct sftp *s = mem_zalloc(sizeof *s);

	init(s, stall_ns, ctx);
	if (os_process_start(&s->process, argv, e) == -1) {
		if (e->kind == ERR_UNSUPPORTED)
			err_hint(e, "install the package openssh-client");
		fini(s);
		return NULL;
	}
	if (pthread_create(&s->reader, NULL, reader, s) != 0) {
		os_process_end(&s->process);
		fini(s);
		err_set(e, ERR_FAILED, "start a thread");
		return NULL;
	}
	if (greet(s, e) == -1) {
		sftp_close(s);
		return NULL;
	}
	return s;
}

void sftp_close(struct sftp *s)
{
	if (s == NULL)
		return;
	os_process_hang_up(&s->process);
	pthread_join(s->reader, NULL);
	os_process_end(&s->process);
	fini(s);
}

bool sftp_alive(struct sftp *s)
{
	bool alive;

	pthread_mutex_lock(&s->lock);
	alive = !s->dead;
	pthread_mutex_unlock(&s->lock);
	return alive;
}

unsigned sftp_extensions(const struct sftp *s)
{
	return s->extensions;
}
