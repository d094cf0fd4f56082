/*
 * store_retry: a store that tries again where err_info says it may help.
 *
 * Not a cure for lies: what a local device failed to write is never tried
 * again, since the kernel reports a lost write once and then forgets it.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "store/store_backoff.h"
#include "store/store_drivers.h"

struct store_retry {
	struct store base;
	struct store_ops ops; /* the wrapped one's scheme, durability and abilities */
	struct ctx *ctx;
	struct store_pace pace;
};

static bool again(struct store_retry *r, int n, const char *op, const char *key, struct err *e)
{
	return store_backoff(&r->pace, r->ctx, n, op, key, e);
}

static bool again_write(
    struct store_retry *r, int n, const char *op, const char *key, struct err *e)
{
	if (e->kind == ERR_IO && e->sys != 0)
		return false;
	return again(r, n, op, key, e);
}

static int retry_get(
    struct store *s, const char *key, uint64_t off, void *buf, size_t len, struct err *e)
{
	for (int n = 1;; n++) {
		if (s->under->ops->get(s->under, key, off, buf, len, e) == 0)
			return 0;
		if (!again((struct store_retry *)s, n, "get", key, e))
			return -1;
	}
}

static int retry_stat(struct store *s, const char *key, struct store_stat *st, struct err *e)
{
	for (int n = 1;; n++) {
		if (s->under->ops->stat(s->under, key, st, e) == 0)
			return 0;
		if (!again((struct store_retry *)s, n, "stat", key, e))
			return -1;
	}
}

static int retry_del(struct store *s, const char *key, struct err *e)
{
	for (int n = 1;; n++) {
		if (s->under->ops->del(s->under, key, e) == 0)
			return 0;
		if (!again((struct store_retry *)s, n, "delete", key, e))
			return -1;
	}
}

/* Is what is stored there what we meant to put? */
static int same_content(
    struct store *s, const char *key, struct span data, bool *same, struct err *e)
{
	enum { PIECE = 1 << 20 };
	struct store_stat st;
	uint8_t *buf = NULL;
	int rc = -1;

	*same = false;
	if (retry_stat(s, key, &st, e) == -1)
		return -1;
	if (st.size != data.n)
		return 0;
	buf = mem_alloc(PIECE);
	for (size_t off = 0; off < data.n; off += PIECE) {
		size_t n = data.n - off < PIECE ? data.n - off : PIECE;

		if (retry_get(s, key, off, buf, n, e) == -1)
			goto out;
		if (memcmp(buf, data.p + off, n) != 0) {
			rc = 0;
			goto out;
		}
	}
	*same = true;
	rc = 0;
out:
	free(buf);
	return rc;
}

static int retry_put(
    struct store *s, const char *key, struct span data, unsigned flags, struct err *e)
{
	bool same;

	for (int n = 1;; n++) {
		if (s->under->ops->put(s->under, key, data, flags, e) == 0)
			return 0;
		/* An earlier attempt may have worked and its answer been lost. */
		if (e->kind == ERR_EXISTS && n > 1) {
			if (same_content(s, key, data, &same, e) == -1)
				return -1;
			return same ? 0
				    : err_set(e, ERR_EXISTS, "there already, with other content");
		}
		if (!again_write((struct store_retry *)s, n, "put", key, e))
			return -1;
	}
}

struct visit_once {
	store_visit *visit;
	void *arg;
	bool visited;
};

static int visit_once(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct visit_once *v = arg;

	v->visited = true;
	return v->visit(v->arg, key, st, e);
}

static int retry_list(
    struct store *s, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	struct visit_once v = {visit, arg, false};

	for (int n = 1;; n++) {
		if (s->under->ops->list(s->under, prefix, visit_once, &v, e) == 0)
			return 0;
		/* Starting anew would visit the first keys twice. */
		if (v.visited || !again((struct store_retry *)s, n, "list", prefix, e))
			return -1;
	}
}

/*
 * The upload stays the wrapped store's: append and commit go there directly,
 * since neither can be repeated.
 */
static int retry_begin(struct store *s, struct store_upload **up, struct err *e)
{
	for (int n = 1;; n++) {
		if (s->under->ops->begin(s->under, up, e) == 0)
			return 0;
		if (!again_write((struct store_retry *)s, n, "begin", "", e))
			return -1;
	}
}

static int retry_sync(struct store *s, struct err *e)
{
	for (int n = 1;; n++) {
		if (store_raw_sync(s->under, e) == 0)
			return 0;
		if (e->kind == ERR_IO || !again((struct store_retry *)s, n, "sync", "", e))
			return -1;
	}
}

static void retry_close(struct store *s)
{
	s->under->ops->close(s->under);
	free(s->url);
	free(s);
}

struct store *store_retry_new(struct store *under, struct ctx *ctx)
{
	struct store_retry *r = mem_zalloc(sizeof *r);

	r->ops = *under->ops;
	r->ops.put = retry_put;
	r->ops.get = retry_get;
	r->ops.stat = retry_stat;
	r->ops.del = retry_del;
	r->ops.list = retry_list;
	if (r->ops.begin) /* else uploads spool, and end in our put */
		r->ops.begin = retry_begin;
	r->ops.sync = retry_sync;
	r->ops.close = retry_close;
	r->base.ops = &r->ops;
	r->base.url = mem_strdup(under->url);
	r->base.under = under;
	r->ctx = ctx;
	r->pace = store_pace_near;
	return &r->base;
}

void store_retry_pace(struct store *retry, const struct store_pace *p)
{
	((struct store_retry *)retry)->pace = *p;
}
