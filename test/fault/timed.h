/*
 * timed: a world by a clock that is the test's, its store's too.  Before a put
 * that the test names time passes, and others work; after it the process is gone.
 */
#ifndef HF_TEST_TIMED_H
#define HF_TEST_TIMED_H

#include "fault.h"

#include "repo/repo_object.h"

static const int64_t HOUR = 3600 * INT64_C(1000000000);

/* ---- A store whose clock is ours. */

static int64_t now_ns;

static struct stamp {
	char key[STORE_KEY_MAX + 1];
	int64_t ns;
} * stamps;
static size_t nstamps;

static inline int64_t *stamp_of(const char *key)
{
	size_t i = 0;

	while (i < nstamps && strcmp(stamps[i].key, key) != 0)
		i++;
	if (i == nstamps) {
		stamps = mem_realloc(stamps, ++nstamps * sizeof *stamps);
		snprintf(stamps[i].key, sizeof stamps[i].key, "%s", key);
	}
	return &stamps[i].ns;
}

struct timed {
	struct store base;
	const char *moment; /* a prefix of keys; NULL: never */
	void (*then)(void *arg);
	void *arg;
	bool survives; /* that moment */
	bool dead;
};

static inline int dead(struct timed *t, struct err *e)
{
	return t->dead ? err_set(e, ERR_FAILED, "killed") : 0;
}

static inline int timed_put(
    struct store *s, const char *key, struct span data, unsigned flags, struct err *e)
{
	struct timed *t = (struct timed *)s;
	bool now = t->moment && strncmp(key, t->moment, strlen(t->moment)) == 0;

	if (dead(t, e) == -1)
		return -1;
	if (now) {
		t->moment = NULL;
		t->then(t->arg);
	}
	if (store_put(s->under, key, data, flags & STORE_NEW, e) == -1)
		return -1;
	*stamp_of(key) = now_ns;
	t->dead = now && !t->survives;
	return dead(t, e);
}

static inline int timed_get(
    struct store *s, const char *key, uint64_t at, void *buf, size_t len, struct err *e)
{
	return dead((struct timed *)s, e) ? -1 : store_get(s->under, key, at, buf, len, e);
}

static inline int timed_stat(struct store *s, const char *key, struct store_stat *st, struct err *e)
{
	if (dead((struct timed *)s, e) || store_stat(s->under, key, st, e) == -1)
		return -1;
	st->mtime_ns = *stamp_of(key);
	return 0;
}

static inline int timed_del(struct store *s, const char *key, struct err *e)
{
	return dead((struct timed *)s, e) ? -1 : store_del(s->under, key, e);
}

struct visiting {
	store_visit *visit;
	void *arg;
};

static inline int timed_visit(
    void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct visiting *v = arg;

	return v->visit(
	    v->arg, key, &(struct store_stat){.size = st->size, .mtime_ns = *stamp_of(key)}, e);
}

static inline int timed_list(
    struct store *s, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	struct visiting v = {visit, arg};

	return dead((struct timed *)s, e) ? -1 : store_list(s->under, prefix, timed_visit, &v, e);
}

static inline void timed_close(struct store *s)
{
	store_close(s->under);
	free(s->url);
	free(s);
}

static const struct store_ops timed_ops = {
    .scheme = "timed",
    .durability = "none",
    .put = timed_put,
    .get = timed_get,
    .stat = timed_stat,
    .del = timed_del,
    .list = timed_list,
    .close = timed_close,
};

static inline int64_t ask(struct clock *c)
{
	return now_ns;
}

/* ---- A world by that clock. */

struct t {
	struct world w;
	struct clock clock;
	char place[32];
	struct id first; /* acknowledged */
};

static inline struct timed *timed_new(struct t *t, bool create)
{
	struct timed *s = mem_zalloc(sizeof *s);

	s->base.ops = &timed_ops;
	s->base.url = mem_strdup("timed:");
	s->base.under = make_store(t->place, create);
	return s;
}

static inline struct repo *open_timed(struct t *t, struct timed *s, const char *cache)
{
	struct repo_cred cred = make_cred();
	struct repo *r;
	struct err e;

	OK(repo_open(&s->base, &cred, cache, &t->w.ctx, &r, &e));
	return r;
}

static inline void begin(struct t *t)
{
	static unsigned number;
	struct repo_init_params p = {.cred = make_cred(), .label = "test"};
	struct backup_result res;
	struct repo *r;
	struct err e;

	memset(t, 0, sizeof *t);
	now_ns = 2000000 * HOUR / 4;
	snprintf(t->place, sizeof t->place, "void-%u", ++number);
	world_begin(&t->w);
	t->clock = (struct clock){ask, ask};
	t->w.ctx.clock = &t->clock;
	OK(repo_init(&timed_new(t, true)->base, &p, t->w.cache, &t->w.ctx, &r, &e));
	OK(world_backup(&t->w, r, &res, &e));
	t->first = res.snapshot;
	repo_close(r);
	now_ns += HOUR;
	world_fill(&t->w, 5000);
}

static inline void end(struct t *t)
{
	world_end(&t->w);
	free(stamps);
	stamps = NULL;
	nstamps = 0;
}

static inline struct prune_result prune_once(struct t *t)
{
	struct repo *r = open_timed(t, timed_new(t, false), NULL);
	struct prune_params p = {.max_unused = 100};
	struct prune_result res;
	struct err e;

	OK(op_prune(r, &p, &t->w.ctx, &res, &e));
	repo_close(r);
	return res;
}

#endif
