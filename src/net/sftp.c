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

#include "base/mem.h"
#include "net/sftp_explain.h"
#include "os/os.h"
#include "os/os_process.h"

enum {
	SLOTS = 1024,    /* requests under way */
	SAID_MAX = 4096, /* of ssh's last words */
	TICK_MS = 100,
	NOBODY = 0xffffffff, /* the id of requests whose answer nobody wants */
	INIT = 1,
	VERSION = 2,
};

static const int64_t SECOND = 1000000000, GRACE_NS = 1000000000;

struct sftp {
	struct ctx *ctx;
	struct os_process process;
	struct sftp_params p;
	unsigned extensions;
	pthread_t reader; /* the only one to use the next three */
	bool mute;
	char said[SAID_MAX + 1];
	size_t said_n;
	pthread_mutex_t send_lock;  /* whole packets; taken before lock, never after */
	_Atomic int64_t sending_ns; /* since when; 0: nobody is */

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t news;
	struct sftp_wait *slot[SLOTS];
	unsigned used;
	uint64_t pending; /* bytes of data under way */
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

/* With the lock: whoever had that slot needs it no more. */
static void release(struct sftp *s, const struct sftp_wait *w)
{
	s->slot[w->id % SLOTS] = NULL;
	s->used--;
	s->pending -= w->bytes;
}

/* With the lock. */
static int answer(struct sftp *s, uint8_t type, struct cursor *c, struct err *e)
{
	uint32_t id = sftp_read_u32(c);
	struct sftp_wait *w = s->slot[id % SLOTS];

	if (c->bad)
		return err_set(e, ERR_FAILED, "the server sent an answer that is none");
	if (id == NOBODY || w == NULL || w->id != id)
		return 0; /* given up meanwhile */
	if (sftp_answer_read(w, type, c, e) == -1)
		return -1;
	release(s, w);
	pthread_cond_broadcast(&s->news);
	return 0;
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
	struct span rest = buf_span(in), packet;
	int rc;

	pthread_mutex_lock(&s->lock);
	s->heard_ns = now(s);
	while ((rc = sftp_packet_next(&rest, &packet, e)) == 1)
		if ((rc = take_packet(s, packet, e)) == -1)
			break;
	pthread_mutex_unlock(&s->lock);
	memmove(in->p, rest.p, rest.n);
	in->n = rest.n;
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
	if (waiting && for_ns > s->p.stall_ns)
		return err_set(e, ERR_TIMEOUT, "no answer for %lld seconds",
		    (long long)(s->p.stall_ns / SECOND));
	return 0;
}

/* Who sends can't look up by himself: 0, or -1 if it is to be woken by the end of it all. */
static int look_after_sender(struct sftp *s, struct err *e)
{
	int64_t since = s->sending_ns, for_ns = now(s) - since;

	if (since && for_ns > GRACE_NS && ctx_check(s->ctx, e) == -1)
		return -1;
	if (since && for_ns > s->p.deadline_ns)
		return err_set(e, ERR_TIMEOUT, "the server takes nothing for %lld seconds",
		    (long long)(for_ns / SECOND));
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

	if (look_after_sender(s, e) == -1)
		return -1;
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
	s->sending_ns = now(s);
	if (os_send_all(s->process.talk, head->p, head->n) == 0 && bulk.n > 0)
		os_send_all(s->process.talk, bulk.p, bulk.n);
	s->sending_ns = 0;
	pthread_mutex_unlock(&s->send_lock);
}

/* An id whose slot is free, waiting for one if need be; false once that is in vain. */
static bool take_slot(struct sftp *s, struct sftp_wait *w)
{
	bool alive;

	pthread_mutex_lock(&s->lock);
	while (!s->dead && s->used >= SLOTS - 1 && !ctx_cancelled(s->ctx))
		wait_for_news(s);
	alive = !s->dead && s->used < SLOTS - 1;
	if (alive) {
		do
			w->id = ++s->last_id & 0x7fffffff;
		while (s->slot[w->id % SLOTS]);
		s->slot[w->id % SLOTS] = w;
		/* Others' bytes come before its own. */
		s->pending += w->bytes;
		w->deadline_ns = now(s) + s->p.deadline_ns +
				 (int64_t)(s->pending * SECOND / SFTP_SLOWEST);
		if (s->used++ == 0)
			s->heard_ns = now(s);
	}
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

	if (w && w->wants == 0)
		w->wants = (uint8_t)sftp_answer_of(type);
	if (w)
		w->bytes = bulk.n + w->into_n;
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

/* Somebody who says other things meanwhile is no better than who is silent. */
static int in_time(struct sftp *s, const struct sftp_wait *w, struct err *e)
{
	if (now(s) <= w->deadline_ns)
		return 0;
	os_process_hang_up(&s->process);
	return err_set(e, ERR_TIMEOUT, "a request was not answered in time");
}

int sftp_wait(struct sftp *s, struct sftp_wait *w, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	while (!w->done && !s->dead && (rc = ctx_check(s->ctx, e)) == 0 &&
	       (rc = in_time(s, w, e)) == 0)
		wait_for_news(s);
	if (!w->done) {
		if (s->slot[w->id % SLOTS] == w)
			release(s, w);
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
	const struct sftp_wait by = {.deadline_ns = now(s) + s->p.connect_ns + s->p.stall_ns};
	struct buf hello = {0};
	int rc = 0;

	sftp_put_u32(&hello, 5);
	buf_put_u8(&hello, INIT);
	sftp_put_u32(&hello, 3);
	send_packet(s, &hello, span_of(NULL, 0));
	buf_fini(&hello);
	pthread_mutex_lock(&s->lock);
	while (!s->greeted && !s->dead && (rc = ctx_check(s->ctx, e)) == 0 &&
	       (rc = in_time(s, &by, e)) == 0)
		wait_for_news(s);
	if (s->dead && rc == 0) {
		*e = s->why;
		rc = -1;
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static void init(struct sftp *s, const struct sftp_params *p, struct ctx *ctx)
{
	pthread_condattr_t attr;

	s->ctx = ctx;
	s->p.connect_ns = p->connect_ns ? p->connect_ns : 15 * SECOND;
	s->p.stall_ns = p->stall_ns ? p->stall_ns : 60 * SECOND;
	s->p.deadline_ns = p->deadline_ns ? p->deadline_ns : 300 * SECOND;
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

struct sftp *sftp_open(
    char *const argv[], const struct sftp_params *p, struct ctx *ctx, struct err *e)
{
	struct sftp *s = mem_zalloc(sizeof *s);

	init(s, p, ctx);
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
