/*
 * store_limit: a store that passes at most so many bytes a second, up and
 * down.
 *
 * A bucket for each way says when everything let through so far is paid for.
 * Who comes adds his own bytes and waits until then, so any stretch of time
 * passes what it may and no more than a quarter of a second's worth on top,
 * whatever the number of threads.  Rates may change with the time of the week, during a run too.
 * Listing, asking and deleting are free.
 */
#include <pthread.h>
#include <stdlib.h>

#include "base/calendar_rate.h"
#include "base/mem.h"
#include "os/os.h"
#include "store/store_drivers.h"

enum { BURST_NS = 250 * 1000 * 1000 };

struct bucket {
	pthread_mutex_t lock;
	uint64_t rate;                   /* bytes a second; 0: no limit */
	int64_t paid_ns;                 /* the moment when all that passed is paid for */
	const struct calendar_rates *in; /* by the time of the week, beside `rate`; or NULL */
};

struct store_limit {
	struct store base;
	struct store_ops ops; /* the wrapped one's scheme and durability */
	struct ctx *ctx;
	struct clock *clock;
	void (*sleep)(struct ctx *ctx, int64_t ns);
	struct bucket up, down;
};

struct limit_upload {
	struct store_upload base;
	struct store_upload *under;
};

/* Sleeping wants a context to be cancelled by: this one never is. */
static struct ctx uncancelled;

/* The rate that holds now; 0: none. */
static uint64_t rate_now(const struct bucket *b, struct clock *clock)
{
	uint64_t in = b->in ? calendar_rate_at(b->in, clock->wall_ns(clock)) : 0;

	return in && (b->rate == 0 || in < b->rate) ? in : b->rate;
}

/* How long n bytes that come now have to wait. */
static int64_t bucket_take(struct bucket *b, uint64_t rate, int64_t now, size_t n)
{
	const double longest = 1e17; /* three years: far from overflow */
	double cost = (double)n * 1e9 / (double)rate;
	int64_t wait;

	pthread_mutex_lock(&b->lock);
	if (b->paid_ns < now - BURST_NS)
		b->paid_ns = now - BURST_NS;
	b->paid_ns += (int64_t)(cost < longest ? cost : longest);
	if (b->paid_ns - now > (int64_t)longest)
		b->paid_ns = now + (int64_t)longest;
	wait = b->paid_ns - now;
	pthread_mutex_unlock(&b->lock);
	return wait > 0 ? wait : 0;
}

/*
 * Once somebody asked to stop nothing waits any more: what little is still
 * written then is what makes the work so far worth keeping.  Where rates change with the
 * time, bytes are paid a quarter of a second's worth at a time, each at the rate that holds then.
 */
static void pay(struct store_limit *l, struct bucket *b, size_t n)
{
	struct ctx *ctx = l->ctx ? l->ctx : &uncancelled;

	while (n > 0 && !ctx_cancelled(ctx)) {
		uint64_t rate = rate_now(b, l->clock);
		size_t piece = b->in && n > rate / 4 + 1 ? (size_t)(rate / 4 + 1) : n;
		int64_t wait;

		if (rate == 0)
			return;
		wait = bucket_take(b, rate, l->clock->mono_ns(l->clock), piece);
		if (wait)
			l->sleep(ctx, wait);
		n -= piece;
	}
}

static void pay_up(struct store *s, size_t n)
{
	struct store_limit *l = (struct store_limit *)s;

	pay(l, &l->up, n);
}

static int limit_put(
    struct store *s, const char *key, struct span data, unsigned flags, struct err *e)
{
	pay_up(s, data.n);
	return s->under->ops->put(s->under, key, data, flags, e);
}

static int limit_get(
    struct store *s, const char *key, uint64_t off, void *buf, size_t len, struct err *e)
{
	struct store_limit *l = (struct store_limit *)s;

	pay(l, &l->down, len);
	return s->under->ops->get(s->under, key, off, buf, len, e);
}

static int limit_stat(struct store *s, const char *key, struct store_stat *st, struct err *e)
{
	return s->under->ops->stat(s->under, key, st, e);
}

static int limit_del(struct store *s, const char *key, struct err *e)
{
	return s->under->ops->del(s->under, key, e);
}

static int limit_list(
    struct store *s, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	return s->under->ops->list(s->under, prefix, visit, arg, e);
}

static int limit_begin(struct store *s, struct store_upload **up, struct err *e)
{
	struct store_upload *under = NULL;
	struct limit_upload *u;

	if (store_raw_begin(s->under, &under, e) == -1)
		return -1;
	u = mem_zalloc(sizeof *u);
	u->base.store = s;
	u->under = under;
	*up = &u->base;
	return 0;
}

static int limit_append(struct store_upload *up, struct span data, struct err *e)
{
	pay_up(up->store, data.n);
	return store_raw_append(((struct limit_upload *)up)->under, data, e);
}

static int limit_commit(struct store_upload *up, const char *key, unsigned flags, struct err *e)
{
	struct limit_upload *u = (struct limit_upload *)up;
	int rc = store_raw_commit(u->under, key, flags, e);

	free(u);
	return rc;
}

static int limit_sync(struct store *s, struct err *e)
{
	return store_raw_sync(s->under, e);
}

static void limit_close(struct store *s)
{
	struct store_limit *l = (struct store_limit *)s;

	s->under->ops->close(s->under);
	pthread_mutex_destroy(&l->up.lock);
	pthread_mutex_destroy(&l->down.lock);
	free(s->url);
	free(s);
}

struct store *store_limit_new(
    struct store *under, const struct store_limits *limits, struct ctx *ctx)
{
	struct store_limit *l = mem_zalloc(sizeof *l);

	l->ops = (struct store_ops){
	    .scheme = under->ops->scheme,
	    .durability = under->ops->durability,
	    .put = limit_put,
	    .get = limit_get,
	    .stat = limit_stat,
	    .del = limit_del,
	    .list = limit_list,
	    .begin = limit_begin,
	    .append = limit_append,
	    .commit = limit_commit,
	    .sync = limit_sync,
	    .close = limit_close,
	};
	l->base.ops = &l->ops;
	l->base.url = mem_strdup(under->url);
	l->base.under = under;
	l->ctx = ctx;
	l->clock = ctx ? os_clock_of(ctx) : os_clock();
	l->sleep = os_sleep_ns;
	l->up.rate = limits->upload;
	l->down.rate = limits->download;
	l->up.in = limits->upload_in;
	l->down.in = limits->download_in;
	pthread_mutex_init(&l->up.lock, NULL);
	pthread_mutex_init(&l->down.lock, NULL);
	return &l->base;
}

void store_limit_time(
    struct store *limit, struct clock *clock, void (*sleep)(struct ctx *ctx, int64_t ns))
{
	struct store_limit *l = (struct store_limit *)limit;

	l->clock = clock;
	l->sleep = sleep;
}
