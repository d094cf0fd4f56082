/*
 * store_fault: a store that fails when its plan says so, before or after the
 * wrapped one did the work.  For tests.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "store/store_drivers.h"

struct store_fault {
	struct store base;
	struct store_ops ops;
	struct store_fault_plan plan;
};

struct fault_upload {
	struct store_upload base;
	struct store_upload *under;
};

/* What the plan wants for this call. */
struct verdict {
	enum err_kind kind;
	bool after;
};

static struct verdict decide(struct store *s, const char *op, const char *key)
{
	struct store_fault *f = (struct store_fault *)s;
	struct verdict v = {ERR_NONE, false};

	v.kind = f->plan.decide(f->plan.arg, op, key, &v.after);
	return v;
}

static int fail(struct verdict v, const char *op, struct err *e)
{
	return err_set(e, v.kind, "injected fault %s %s", v.after ? "after" : "before", op);
}

static bool before(struct verdict v)
{
	return v.kind != ERR_NONE && !v.after;
}

/* The outcome once the work was done with rc. */
static int after(struct verdict v, const char *op, int rc, struct err *e)
{
	return rc == 0 && v.kind != ERR_NONE && v.after ? fail(v, op, e) : rc;
}

static int fault_put(
    struct store *s, const char *key, struct span data, unsigned flags, struct err *e)
{
	struct verdict v = decide(s, "put", key);

	if (before(v))
		return fail(v, "put", e);
	return after(v, "put", s->under->ops->put(s->under, key, data, flags, e), e);
}

static int fault_get(
    struct store *s, const char *key, uint64_t off, void *buf, size_t len, struct err *e)
{
	struct verdict v = decide(s, "get", key);

	if (before(v))
		return fail(v, "get", e);
	return after(v, "get", s->under->ops->get(s->under, key, off, buf, len, e), e);
}

static int fault_stat(struct store *s, const char *key, struct store_stat *st, struct err *e)
{
	struct verdict v = decide(s, "stat", key);

	if (before(v))
		return fail(v, "stat", e);
	return after(v, "stat", s->under->ops->stat(s->under, key, st, e), e);
}

static int fault_del(struct store *s, const char *key, struct err *e)
{
	struct verdict v = decide(s, "del", key);

	if (before(v))
		return fail(v, "del", e);
	return after(v, "del", s->under->ops->del(s->under, key, e), e);
}

static int fault_list(
    struct store *s, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	struct verdict v = decide(s, "list", prefix);

	if (before(v))
		return fail(v, "list", e);
	return after(v, "list", s->under->ops->list(s->under, prefix, visit, arg, e), e);
}

static int fault_begin(struct store *s, struct store_upload **up, struct err *e)
{
	struct verdict v = decide(s, "begin", "");
	struct store_upload *under = NULL;
	struct fault_upload *u;

	if (before(v))
		return fail(v, "begin", e);
	if (store_raw_begin(s->under, &under, e) == -1)
		return -1;
	if (v.kind != ERR_NONE) {
		store_abort(under);
		return fail(v, "begin", e);
	}
	u = mem_zalloc(sizeof *u);
	u->base.store = s;
	u->under = under;
	*up = &u->base;
	return 0;
}

static int fault_append(struct store_upload *up, struct span data, struct err *e)
{
	struct verdict v = decide(up->store, "append", "");

	if (before(v))
		return fail(v, "append", e);
	return after(v, "append", store_raw_append(((struct fault_upload *)up)->under, data, e), e);
}

static int fault_commit(struct store_upload *up, const char *key, unsigned flags, struct err *e)
{
	struct fault_upload *u = (struct fault_upload *)up;
	struct verdict v = {ERR_NONE, false};
	int rc;

	if (key)
		v = decide(up->store, "commit", key);
	if (before(v)) {
		store_abort(u->under);
		rc = fail(v, "commit", e);
	} else {
		rc = after(v, "commit", store_raw_commit(u->under, key, flags, e), e);
	}
	free(u);
	return rc;
}

static int fault_sync(struct store *s, struct err *e)
{
	struct verdict v = decide(s, "sync", "");

	if (before(v))
		return fail(v, "sync", e);
	return after(v, "sync", store_raw_sync(s->under, e), e);
}

static void fault_close(struct store *s)
{
	s->under->ops->close(s->under);
	free(s->url);
	free(s);
}

struct store *store_fault_new(struct store *under, const struct store_fault_plan *plan)
{
	struct store_fault *f = mem_zalloc(sizeof *f);

	f->ops = (struct store_ops){
	    .scheme = under->ops->scheme,
	    .durability = under->ops->durability,
	    .put = fault_put,
	    .get = fault_get,
	    .stat = fault_stat,
	    .del = fault_del,
	    .list = fault_list,
	    .begin = fault_begin,
	    .append = fault_append,
	    .commit = fault_commit,
	    .sync = fault_sync,
	    .close = fault_close,
	};
	f->plan = *plan;
	f->base.ops = &f->ops;
	f->base.url = mem_strdup(under->url);
	f->base.under = under;
	return &f->base;
}
