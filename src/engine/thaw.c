/* thaw: see thaw.h. */
#include "engine/thaw.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/calendar.h"
#include "base/mem.h"
#include "os/os.h"
#include "repo/repo_object.h"

enum {
	SAMPLE = 1000, /* packs: a page of a listing */
	CREW = 16,     /* requests at a time */
	MISSES = 10,   /* rounds without an answer, of which each tried for a minute */
	DAY_S = 86400,
	SWEEP = 64, /* packs looked at besides the one that is waited for */
};

struct tpack {
	struct index_cache_pack pack;
	struct store_cold now;
	atomic_bool ready;
};

struct thaw {
	struct repo *repo;
	struct ctx *ctx;
	struct thaw_params p;
	const _Atomic bool *stop; /* or NULL */
	struct idmap *at;         /* id -> size_t in v; not changed once somebody waits */
	struct tpack **v;         /* in the order in which they are read */
	size_t n, cap;
	struct thaw_cost cost;
	int64_t due_ns; /* when the last is expected, wall clock */
	int64_t end_ns; /* no longer is waited, monotonic */

	pthread_mutex_t lock; /* held by whoever looks again, also while he sleeps */
	size_t cursor;        /* of the sweep */
	int misses;           /* rounds in a row without an answer */
};

/* ---- A sample. */

struct sample {
	unsigned n;
	bool asleep;
};

static int take_sample(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct sample *s = arg;
	const struct store_class_info *class = store_class_info(st->class);

	(void)key;
	/* What is tiered by itself sleeps or not: only a look at each tells. */
	s->asleep = s->asleep || class->asleep || st->class == STORE_CLASS_S3_INTELLIGENT;
	if (s->asleep || ++s->n == SAMPLE)
		return err_set(e, ERR_CANCELLED, "enough");
	return 0;
}

int thaw_likely(struct repo *r, struct err *e)
{
	struct sample s = {0};

	if (!store_can_sleep(repo_store(r)))
		return 0;
	if (store_list(repo_store(r), "packs/", take_sample, &s, e) == -1 && !s.asleep &&
	    s.n < SAMPLE)
		return -1;
	err_clear(e);
	return s.asleep;
}

/* ---- What is needed. */

struct thaw *thaw_new(struct repo *r, const struct thaw_params *p, struct ctx *ctx)
{
	struct thaw *t = mem_zalloc(sizeof *t);

	t->repo = r;
	t->ctx = ctx;
	t->p = *p;
	if (t->p.days == 0)
		t->p.days = THAW_DAYS;
	t->at = idmap_new(sizeof(size_t));
	pthread_mutex_init(&t->lock, NULL);
	return t;
}

void thaw_free(struct thaw *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i]);
	free(t->v);
	idmap_free(t->at);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

void thaw_stop_by(struct thaw *t, const _Atomic bool *stop)
{
	t->stop = stop;
}

void thaw_need(struct thaw *t, const struct index_cache_pack *pack)
{
	size_t *at;
	bool was;

	at = idmap_put(t->at, &pack->id, &was);
	if (was)
		return;
	*at = t->n;
	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 64;
		t->v = mem_realloc(t->v, t->cap * sizeof *t->v);
	}
	t->v[t->n] = mem_zalloc(sizeof **t->v);
	t->v[t->n++]->pack = *pack;
}

/* ---- The same for each, many at a time. */

struct crew {
	struct thaw *thaw;
	int (*work)(struct thaw *, struct tpack *, struct err *);
	_Atomic size_t next;
	atomic_bool failed;
	pthread_mutex_t lock; /* guards err */
	struct err err;
};

static void *crew_main(void *arg)
{
	struct crew *c = arg;
	struct err e;
	size_t i;

	while (!atomic_load(&c->failed) && (i = atomic_fetch_add(&c->next, 1)) < c->thaw->n) {
		err_clear(&e);
		if (ctx_check(c->thaw->ctx, &e) == 0 && c->work(c->thaw, c->thaw->v[i], &e) == 0)
			continue;
		pthread_mutex_lock(&c->lock);
		if (!atomic_load(&c->failed))
			c->err = e;
		atomic_store(&c->failed, true);
		pthread_mutex_unlock(&c->lock);
	}
	return NULL;
}

static int each(
    struct thaw *t, int (*work)(struct thaw *, struct tpack *, struct err *), struct err *e)
{
	struct crew c = {.thaw = t, .work = work};
	unsigned n = store_parallel(repo_store(t->repo)), started = 0;
	pthread_t thread[CREW];

	n = n > CREW ? CREW : n;
	pthread_mutex_init(&c.lock, NULL);
	while (started + 1 < n && started + 1 < t->n &&
	       pthread_create(&thread[started], NULL, crew_main, &c) == 0)
		started++;
	crew_main(&c);
	for (unsigned i = 0; i < started; i++)
		pthread_join(thread[i], NULL);
	pthread_mutex_destroy(&c.lock);
	if (!atomic_load(&c.failed))
		return 0;
	*e = c.err;
	return -1;
}

/* ---- Looking. */

static int look_at(struct thaw *t, struct tpack *p, struct err *e)
{
	char name[REPO_NAME_MAX];

	repo_object_name(name, (enum format_type)p->pack.type, &p->pack.id);
	if (store_cold_look(repo_store(t->repo), name, &p->now, e) == -1) {
		if (e->kind != ERR_ABSENT)
			return -1;
		/* Who reads it finds that out, and where else its content is. */
		err_clear(e);
		p->now = (struct store_cold){.state = STORE_HOT};
	}
	if (p->now.state == STORE_HOT || p->now.state == STORE_THAWED)
		atomic_store(&p->ready, true);
	return 0;
}

int thaw_look(struct thaw *t, struct err *e)
{
	struct clock *clock = os_clock_of(t->ctx);
	int64_t now = clock->wall_ns(clock);

	if (each(t, look_at, e) == -1)
		return -1;
	memset(&t->cost, 0, sizeof t->cost);
	for (size_t i = 0; i < t->n; i++)
		thaw_cost_add(&t->cost, &t->v[i]->now, now);
	thaw_cost_offers(&t->cost, &t->p.prices, t->p.days);
	return 0;
}

const struct thaw_cost *thaw_cost_of(const struct thaw *t)
{
	return &t->cost;
}

int thaw_tell(struct thaw *t, struct err *e)
{
	int rc = t->p.tell ? t->p.tell(t->p.arg, &t->cost, e) : 0;

	for (size_t i = 0; rc == 0 && t->p.tell_pack && i < t->n; i++) {
		const struct tpack *p = t->v[i];
		char name[REPO_NAME_MAX];

		if (p->now.state != STORE_HOT)
			rc = t->p.tell_pack(t->p.arg,
			    repo_object_name(name, (enum format_type)p->pack.type, &p->pack.id),
			    &p->now, e);
	}
	return rc;
}

/* ---- Asking. */

static int ask_for(struct thaw *t, struct tpack *p, struct err *e)
{
	struct store_thaw how = {t->p.speed, t->p.days};
	char name[REPO_NAME_MAX];

	if (p->now.state != STORE_COLD)
		return 0;
	repo_object_name(name, (enum format_type)p->pack.type, &p->pack.id);
	if (store_cold_thaw(repo_store(t->repo), name, &p->now, &how, e) == -1)
		return -1;
	p->now.state = STORE_THAWING;
	return 0;
}

static int no_such_speed(const struct thaw *t, struct err *e)
{
	for (unsigned i = 0; i < STORE_CLASSES; i++)
		if (t->cost.of[i][STORE_COLD].packs &&
		    store_class_info(i)->thaw[t->p.speed].seconds == 0)
			err_set(e, ERR_USAGE, "--thaw %s: %s does not offer that",
			    store_speed_name(t->p.speed), store_class_info(i)->name);
	return err_hint(e, "nothing was asked for; choose another speed");
}

int thaw_ask(struct thaw *t, struct err *e)
{
	if (t->cost.asleep.packs == 0)
		return 0;
	if (!t->cost.offer[t->p.speed].offered)
		return no_such_speed(t, e);
	atomic_store(&t->ctx->progress.phase, "asking for packs to be thawed");
	if (each(t, ask_for, e) == -1)
		return err_hint(e,
		    "what was asked for thaws; run the same command again: nothing is asked for "
		    "twice");
	return 0;
}

/* ---- Waiting. */

static int64_t expected_s(const struct thaw *t)
{
	int64_t most = 0;

	for (unsigned i = 0; i < STORE_CLASSES; i++) {
		const struct store_class_info *c = store_class_info(i);
		bool some = t->cost.of[i][STORE_COLD].packs || t->cost.of[i][STORE_THAWING].packs;

		/* What an earlier run asked for we don't know the speed of. */
		for (int k = 0; some && k < STORE_SPEEDS; k++)
			if ((!t->p.asked || t->p.speed == (enum store_speed)k ||
				t->cost.of[i][STORE_THAWING].packs) &&
			    c->thaw[k].seconds > most)
				most = c->thaw[k].seconds;
	}
	return most;
}

/* A hundredth of the time that it may take, from ten seconds to ten minutes. */
static int64_t poll_ns(const struct thaw *t)
{
	int64_t s = expected_s(t) / 100;

	if (t->p.poll_ns)
		return t->p.poll_ns;
	return (s < 10 ? 10 : s > 600 ? 600 : s) * CALENDAR_SECOND;
}

/* "3 of 12 packs thawed, the rest expected by ..." where others tell what they are at. */
static void tell_wait(struct thaw *t)
{
	char when[CALENDAR_TEXT], *text;
	size_t ready = 0;

	for (size_t i = 0; i < t->n; i++)
		ready += atomic_load(&t->v[i]->ready);
	text = mem_printf("%zu of %zu packs readable, the rest expected by %s", ready, t->n,
	    calendar_format_local(when, t->due_ns));
	ctx_item(t->ctx, span_str(text));
	free(text);
}

static void begin_wait(struct thaw *t)
{
	struct clock *clock = os_clock_of(t->ctx);
	char when[CALENDAR_TEXT];

	if (t->due_ns)
		return;
	t->due_ns = clock->wall_ns(clock) + expected_s(t) * CALENDAR_SECOND;
	t->end_ns = clock->mono_ns(clock) + (2 * expected_s(t) + DAY_S) * CALENDAR_SECOND;
	event_emit(t->ctx, EVENT_NOTICE, span_of(NULL, 0),
	    "waiting for packs to thaw, until %s at the longest; interrupt it at will, and run the "
	    "same again",
	    calendar_format_local(when, t->due_ns));
}

/* Some of the others too, in turn. */
static int sweep(struct thaw *t, struct err *e)
{
	size_t looked = 0;

	for (size_t i = 0; i < t->n && looked < SWEEP; i++) {
		struct tpack *p = t->v[t->cursor++ % t->n];

		if (atomic_load(&p->ready))
			continue;
		looked++;
		if (look_at(t, p, e) == -1)
			return -1;
	}
	return 0;
}

static int sleeps(const struct tpack *p, struct err *e)
{
	char name[REPO_NAME_MAX];

	err_set(e, ERR_COLD, "%s sleeps in %s",
	    repo_object_name(name, (enum format_type)p->pack.type, &p->pack.id),
	    store_class_info(p->now.class)->name);
	return err_hint(e,
	    "it was not thawed, or its thawed copy's days are over: run the same again with "
	    "--overwrite if-changed and --thaw, and more --thaw-days");
}

/* Hours are long: a store that does not answer for some of the time is asked again later. */
static bool bear_with(struct thaw *t, struct err *e)
{
	if (!err_info(e->kind)->retry || ++t->misses > MISSES)
		return false;
	event_emit(
	    t->ctx, EVENT_WARNING, span_of(NULL, 0), "it is looked at again later: %s", e->msg);
	err_clear(e);
	return true;
}

static int look_round(struct thaw *t, struct tpack *p, struct err *e)
{
	if (look_at(t, p, e) == -1)
		return -1;
	if (p->now.state == STORE_COLD)
		return sleeps(p, e);
	if (!atomic_load(&p->ready) && sweep(t, e) == -1)
		return -1;
	t->misses = 0;
	return 0;
}

static int doze(struct thaw *t, struct err *e)
{
	int64_t slice;

	for (int64_t left = poll_ns(t); left > 0; left -= slice) {
		slice = left < CALENDAR_SECOND ? left : CALENDAR_SECOND;
		os_sleep_ns(t->ctx, slice);
		if (ctx_check(t->ctx, e) == -1)
			return -1;
		if (t->stop && atomic_load(t->stop))
			return err_set(e, ERR_CANCELLED, "no use in waiting any longer");
	}
	return 0;
}

/* Twice the time it may take, and a day: a store that thaws for ever holds up nobody for ever. */
static bool too_long(struct thaw *t, const struct tpack *p, struct err *e)
{
	struct clock *clock = os_clock_of(t->ctx);
	char name[REPO_NAME_MAX];

	if (clock->mono_ns(clock) < t->end_ns)
		return false;
	err_set(e, ERR_TIMEOUT, "%s still thaws, long after it should be readable",
	    repo_object_name(name, (enum format_type)p->pack.type, &p->pack.id));
	err_hint(e, "what the store was asked for stays so: ask its provider, and run the same "
		    "again");
	return true;
}

/* With the lock. */
static int wait_for(struct thaw *t, struct tpack *p, struct err *e)
{
	const char *before = atomic_load(&t->ctx->progress.phase);

	while (!atomic_load(&p->ready)) {
		if (look_round(t, p, e) == -1 && !bear_with(t, e))
			return -1;
		if (atomic_load(&p->ready))
			break;
		begin_wait(t);
		atomic_store(&t->ctx->progress.phase, "thawing");
		tell_wait(t);
		if (too_long(t, p, e) || doze(t, e) == -1)
			return -1;
	}
	atomic_store(&t->ctx->progress.phase, before);
	return 0;
}

/* One that nobody foresaw: the index was made anew, or files of the target changed. */
static int wait_unforeseen(struct thaw *t, const struct index_cache_pack *pack, struct err *e)
{
	struct tpack p = {.pack = *pack};

	if (look_at(t, &p, e) == -1)
		return -1;
	if (p.now.state == STORE_COLD && t->p.asked && ask_for(t, &p, e) == -1)
		return -1;
	return wait_for(t, &p, e);
}

int thaw_wait(struct thaw *t, const struct index_cache_pack *pack, struct err *e)
{
	const size_t *at = idmap_get(t->at, &pack->id);
	int rc;

	if (at != NULL && atomic_load(&t->v[*at]->ready))
		return 0;
	pthread_mutex_lock(&t->lock);
	rc = at ? wait_for(t, t->v[*at], e) : wait_unforeseen(t, pack, e);
	pthread_mutex_unlock(&t->lock);
	return rc;
}

int thaw_wait_first(struct thaw *t, struct err *e)
{
	return t->n ? thaw_wait(t, &t->v[0]->pack, e) : 0;
}
