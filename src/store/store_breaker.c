/*
 * store_breaker: a store that is not asked while it does not answer.
 *
 * Closed: everything passes.  After STORE_BREAKER_FAILURES operations in a row
 * ended without an answer it is open: everything fails at once with what
 * the last one met.  After STORE_BREAKER_REST_S one operation may try
 * (half-open), and closes it or leaves it open for as long again.  Any answer,
 * a refusal too, proves that somebody is there.
 */
#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "os/os.h"
#include "store/store_drivers.h"

struct store_breaker {
	struct store base;
	struct store_ops ops;
	struct ctx *ctx;
	pthread_mutex_t lock; /* guards what follows */
	int failures;         /* in a row */
	bool open, trying;    /* trying: somebody is the one of half-open */
	int64_t until_ns;     /* open until then */
	struct err last;
};

static int64_t now(struct store_breaker *b)
{
	struct clock *clock = b->ctx ? os_clock_of(b->ctx) : os_clock();

	return clock->mono_ns(clock);
}

static int refuse(struct store_breaker *b, struct err *e)
{
	err_set(e, b->last.kind, "not asked, for it did not answer %d times in a row: %s",
	    b->failures, b->last.msg);
	return err_hint(e, "when the store answers again, run the same command again: what it has "
			   "stored is kept");
}

/* May this operation go on?  -1: no. */
static int enter(struct store *s, struct err *e)
{
	struct store_breaker *b = (struct store_breaker *)s;
	int rc = 0;

	pthread_mutex_lock(&b->lock);
	if (b->open && (b->trying || now(b) < b->until_ns))
		rc = refuse(b, e);
	else if (b->open)
		b->trying = true;
	pthread_mutex_unlock(&b->lock);
	return rc;
}

static void tell(struct store_breaker *b, const char *text)
{
	if (b->ctx)
		event_emit(b->ctx, EVENT_WARNING, span_str(b->base.url), "%s", text);
}

/* What became of it; passes rc on. */
static int leave(struct store *s, int rc, const struct err *e)
{
	struct store_breaker *b = (struct store_breaker *)s;
	bool silent = rc == -1 && (e->kind == ERR_UNREACHABLE || e->kind == ERR_TIMEOUT);
	bool opened = false, closed = false;

	pthread_mutex_lock(&b->lock);
	if (rc == -1 && e->kind == ERR_CANCELLED) {
		b->trying = false; /* it learned nothing: another may try */
	} else if (!silent) {
		closed = b->open;
		b->open = b->trying = false;
		b->failures = 0;
	} else if (++b->failures >= STORE_BREAKER_FAILURES) {
		opened = !b->open;
		b->open = true;
		b->trying = false;
		b->until_ns = now(b) + STORE_BREAKER_REST_S * INT64_C(1000000000);
		b->last = *e;
	}
	pthread_mutex_unlock(&b->lock);
	if (opened)
		tell(b, "the store does not answer: it is left alone for 30 s");
	if (closed)
		tell(b, "the store answers again");
	return rc;
}

static int breaker_put(
    struct store *s, const char *key, struct span data, unsigned flags, struct err *e)
{
	if (enter(s, e) == -1)
		return -1;
	return leave(s, s->under->ops->put(s->under, key, data, flags, e), e);
}

static int breaker_get(
    struct store *s, const char *key, uint64_t off, void *buf, size_t len, struct err *e)
{
	if (enter(s, e) == -1)
		return -1;
	return leave(s, s->under->ops->get(s->under, key, off, buf, len, e), e);
}

static int breaker_stat(struct store *s, const char *key, struct store_stat *st, struct err *e)
{
	if (enter(s, e) == -1)
		return -1;
	return leave(s, s->under->ops->stat(s->under, key, st, e), e);
}

static int breaker_del(struct store *s, const char *key, struct err *e)
{
	if (enter(s, e) == -1)
		return -1;
	return leave(s, s->under->ops->del(s->under, key, e), e);
}

static int breaker_list(
    struct store *s, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	if (enter(s, e) == -1)
		return -1;
	return leave(s, s->under->ops->list(s->under, prefix, visit, arg, e), e);
}

static void breaker_close(struct store *s)
{
	struct store_breaker *b = (struct store_breaker *)s;

	s->under->ops->close(s->under);
	pthread_mutex_destroy(&b->lock);
	free(s->url);
	free(s);
}

struct store *store_breaker_new(struct store *under, struct ctx *ctx)
{
	struct store_breaker *b = mem_zalloc(sizeof *b);

	b->ops = *under->ops; /* uploads: the wrapped one's, or spooled to end in our put */
	b->ops.put = breaker_put;
	b->ops.get = breaker_get;
	b->ops.stat = breaker_stat;
	b->ops.del = breaker_del;
	b->ops.list = breaker_list;
	b->ops.close = breaker_close;
	b->base.ops = &b->ops;
	b->base.url = mem_strdup(under->url);
	b->base.under = under;
	b->ctx = ctx;
	pthread_mutex_init(&b->lock, NULL);
	return &b->base;
}
