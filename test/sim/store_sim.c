/* store_sim: see store_sim.h. */
#include "store_sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "turns.h"

const char *const sim_break_names[SIM_BREAKS] = {"sound", "no grace", "stale snapshots",
    "packs before indexes", "no marks", "unsynced acknowledged"};

enum { MS = 1000000 };

/* What listings know of an object. */
struct entry {
	char *key;
	struct store_stat st;
	bool there;
	int64_t shown_ns, hidden_ns; /* when listings notice that it came, that it went */
	int64_t put_ns, del_ns;
};

/* A put that timed out, on its way. */
struct late {
	struct late *next;
	char *key;
	struct buf data;
	int64_t lands_ns;
};

struct sim_place {
	struct store *mem;
	struct sim_weather weather;
	enum sim_break broken;
	struct entry *v; /* sorted by key */
	size_t n, cap;
	struct late *late;
	uint64_t history, ops;
	FILE *trace;
};

struct lazy {
	struct lazy *next;
	char *key;
	struct buf data;
	unsigned flags;
	bool tried;
};

struct sim_store {
	struct store base;
	struct sim_place *place;
	struct sim_process *by;
	struct lazy *lazy, **lazy_end;
	char *held_back[64]; /* deletions, with SIM_PACKS_FIRST */
	size_t nheld;
	bool emptied; /* packs were deleted through it */
};

struct sim_upload {
	struct store_upload base;
	struct buf data;
};

/* ---- The place. */

static size_t lower_bound(const struct sim_place *p, const char *key)
{
	size_t lo = 0, hi = p->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(p->v[mid].key, key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct entry *entry_find(struct sim_place *p, const char *key)
{
	size_t i = lower_bound(p, key);

	return i < p->n && strcmp(p->v[i].key, key) == 0 ? &p->v[i] : NULL;
}

static struct entry *entry_make(struct sim_place *p, const char *key)
{
	size_t i = lower_bound(p, key);

	if (i < p->n && strcmp(p->v[i].key, key) == 0)
		return &p->v[i];
	if (p->n == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 256;
		p->v = mem_realloc(p->v, p->cap * sizeof *p->v);
	}
	memmove(p->v + i + 1, p->v + i, (p->n - i) * sizeof *p->v);
	p->n++;
	p->v[i] = (struct entry){.key = mem_strdup(key)};
	return &p->v[i];
}

static int64_t some_lag(const struct sim_place *p)
{
	return p->weather.lag_ns ? (int64_t)turns_below((uint64_t)p->weather.lag_ns) : 0;
}

static int effect_put(
    struct sim_place *p, const char *key, struct span data, unsigned flags, struct err *e)
{
	struct entry *x;

	if (store_put(p->mem, key, data, flags, e) == -1)
		return -1;
	x = entry_make(p, key);
	x->st = (struct store_stat){.size = data.n, .mtime_ns = turns_now()};
	x->put_ns = turns_now();
	if (!x->there)
		x->shown_ns = turns_now() + some_lag(p);
	x->there = true;
	return 0;
}

static int effect_del(struct sim_place *p, const char *key, struct err *e)
{
	struct entry *x = entry_find(p, key);

	if (store_del(p->mem, key, e) == -1)
		return -1;
	if (x && x->there) {
		x->there = false;
		x->del_ns = turns_now();
		x->hidden_ns = turns_now() + some_lag(p);
	}
	return 0;
}

/* The clock moved: what was late may be due. */
static void land(void *arg)
{
	struct sim_place *p = arg;
	struct late **at = &p->late, *l;
	struct err ignored;

	while ((l = *at)) {
		if (l->lands_ns > turns_now()) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		effect_put(p, l->key, buf_span(&l->data), STORE_NEW, &ignored);
		sim_place_note(p, "late put of %s lands", l->key);
		free(l->key);
		buf_fini(&l->data);
		free(l);
	}
}

struct sim_place *sim_place_new(const struct sim_weather *w, enum sim_break b)
{
	struct sim_place *p = mem_zalloc(sizeof *p);
	struct err e;

	p->weather = *w;
	p->broken = b;
	p->history = UINT64_C(14695981039346656037);
	if (store_mem_open("simulation", true, &p->mem, &e) == -1)
		abort();
	turns_on_time(land, p);
	return p;
}

void sim_place_free(struct sim_place *p)
{
	struct late *l;
	struct err ignored;

	turns_on_time(NULL, NULL);
	for (size_t i = 0; i < p->n; i++) {
		store_del(p->mem, p->v[i].key, &ignored);
		free(p->v[i].key);
	}
	while ((l = p->late)) {
		p->late = l->next;
		free(l->key);
		buf_fini(&l->data);
		free(l);
	}
	store_close(p->mem);
	free(p->v);
	free(p);
}

void sim_place_weather(struct sim_place *p, const struct sim_weather *w, enum sim_break b)
{
	p->weather = *w;
	p->broken = b;
}

void sim_place_calm(struct sim_place *p)
{
	p->weather = (struct sim_weather){.grace_ns = p->weather.grace_ns};
	p->broken = SIM_SOUND;
}

void sim_place_trace(struct sim_place *p, FILE *to)
{
	p->trace = to;
}

uint64_t sim_place_history(const struct sim_place *p)
{
	return p->history;
}

uint64_t sim_place_ops(const struct sim_place *p)
{
	return p->ops;
}

void sim_place_note(struct sim_place *p, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	for (const char *c = line; *c; c++)
		p->history = (p->history ^ (uint8_t)*c) * UINT64_C(1099511628211);
	p->history = (p->history ^ (uint64_t)turns_now()) * UINT64_C(1099511628211);
	if (p->trace)
		fprintf(p->trace, "%10.1f %s\n", (double)(turns_now() % (INT64_C(1) << 53)) / 1e9,
		    line);
}

/* ---- One operation of one actor. */

struct verdict {
	enum err_kind kind;
	bool after, late;
};

/* Mostly as the weather is, now and then minutes; a sleeper sleeps through graces. */
static void pass_time(struct sim_store *s, unsigned sleep)
{
	const struct sim_weather *w = &s->place->weather;
	int64_t ns = (int64_t)turns_below((uint64_t)w->pace_ns + 1);

	if (w->pace_ns && turns_chance(20))
		ns = (int64_t)turns_below(600000) * MS;
	if (s->by->pruner && w->hurry)
		ns /= w->hurry;
	if (turns_chance(sleep)) {
		ns = (int64_t)turns_below((uint64_t)w->grace_ns * 7 / 2);
		sim_place_note(s->place, "%s sleeps", s->by->name);
	}
	turns_park(ns);
}

static int die(struct sim_store *s, struct err *e)
{
	(void)s;
	return err_set(e, ERR_FAILED, "the simulated process has crashed");
}

static bool telling(const char *op, const char *key)
{
	return strcmp(op, "put") == 0 &&
	       (strncmp(key, "index/", 6) == 0 || strncmp(key, "snapshots/", 10) == 0);
}

/* Others run; then: does it go well? */
static struct verdict arrive(struct sim_store *s, const char *op, const char *key)
{
	static const enum err_kind kinds[] = {ERR_IO, ERR_TIMEOUT, ERR_FAILED, ERR_UNREACHABLE};
	const struct sim_weather *w = &s->place->weather;
	struct verdict v = {ERR_NONE, false, false};

	/* The worst moments to sleep at are before others are told of something. */
	if (!s->by->dead)
		pass_time(s, telling(op, key) ? w->sleep * 10 : w->sleep);
	if (s->by->dead)
		return (struct verdict){ERR_FAILED, false, false};
	s->place->ops++;
	if (turns_chance(w->crash)) {
		s->by->dead = true;
		v = (struct verdict){ERR_FAILED, turns_chance(500), false};
	} else if (turns_chance(w->fail)) {
		v = (struct verdict){kinds[turns_below(4)], turns_chance(500), false};
	} else if (strcmp(op, "put") == 0 && turns_chance(w->late)) {
		v = (struct verdict){ERR_TIMEOUT, false, true};
	}
	sim_place_note(s->place, "%s %s %s%s%s%s", s->by->name, op, key,
	    s->by->dead ? " crashes" : "", v.kind ? " fails" : "",
	    v.late    ? " but will land"
	    : v.after ? " after"
		      : "");
	return v;
}

static int fail(struct sim_store *s, struct verdict v, struct err *e)
{
	if (s->by->dead)
		return die(s, e);
	return err_set(e, v.kind, "simulated fault");
}

/* The effect took place with rc: others run again before the actor learns of it. */
static int depart(struct sim_store *s, struct verdict v, int rc, struct err *e)
{
	if (rc == 0 && v.kind)
		return fail(s, v, e);
	if (!s->by->dead && turns_chance(300))
		pass_time(s, s->place->weather.sleep);
	return rc;
}

static void put_late(struct sim_place *p, const char *key, struct span data)
{
	struct late *l = mem_zalloc(sizeof *l);

	l->key = mem_strdup(key);
	buf_put_span(&l->data, data);
	l->lands_ns = turns_now() + 1 + (int64_t)turns_below(1800000) * MS;
	l->next = p->late;
	p->late = l;
}

/* Instead of a tombstone. */
static int drop_marks(struct sim_place *p, struct err *e)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].there && strncmp(p->v[i].key, "marks/", 6) == 0 &&
		    effect_del(p, p->v[i].key, e) == -1)
			return -1;
	return 0;
}

static int do_put(
    struct sim_store *s, const char *key, struct span data, unsigned flags, struct err *e)
{
	struct verdict v = arrive(s, "put", key);

	if (s->emptied && strncmp(key, "marks/", 6) == 0)
		return drop_marks(s->place, e);
	if (v.late)
		put_late(s->place, key, data);
	if (v.kind && !v.after)
		return fail(s, v, e);
	return depart(s, v, effect_put(s->place, key, data, flags & ~(unsigned)STORE_LAZY, e), e);
}

static int sim_put(
    struct store *st, const char *key, struct span data, unsigned flags, struct err *e)
{
	return do_put((struct sim_store *)st, key, data, flags, e);
}

static int sim_get(
    struct store *st, const char *key, uint64_t off, void *buf, size_t len, struct err *e)
{
	struct sim_store *s = (struct sim_store *)st;
	struct verdict v = arrive(s, "get", key);

	if (v.kind)
		return fail(s, v, e);
	return store_get(s->place->mem, key, off, buf, len, e);
}

static int sim_stat(struct store *st, const char *key, struct store_stat *out, struct err *e)
{
	struct sim_store *s = (struct sim_store *)st;
	struct verdict v = arrive(s, "stat", key);
	struct entry *x = entry_find(s->place, key);

	if (v.kind)
		return fail(s, v, e);
	if (x == NULL || !x->there)
		return err_set(e, ERR_ABSENT, "no such object");
	*out = x->st;
	if (s->place->broken == SIM_NO_GRACE && s->by->pruner && strncmp(key, "leases/", 7) == 0)
		out->mtime_ns += 3 * s->place->weather.grace_ns;
	return 0;
}

static int sim_del(struct store *st, const char *key, struct err *e)
{
	struct sim_store *s = (struct sim_store *)st;
	bool bare = s->place->broken == SIM_PACKS_FIRST && s->by->pruner;
	struct verdict v;

	if (bare && (strncmp(key, "packs/", 6) == 0 || strncmp(key, "meta/", 5) == 0))
		s->emptied = true;
	if (bare && strncmp(key, "index/", 6) == 0 && s->nheld < 64) {
		s->held_back[s->nheld++] = mem_strdup(key);
		return 0;
	}
	v = arrive(s, "del", key);
	if (v.kind && !v.after)
		return fail(s, v, e);
	return depart(s, v, effect_del(s->place, key, e), e);
}

/* ---- Listing. */

/* Does a listing of this moment show it? */
static bool shown(const struct sim_store *s, const struct entry *x)
{
	int64_t now = turns_now();

	if (s->place->broken == SIM_NO_MARKS && !s->by->pruner && strncmp(x->key, "marks/", 6) == 0)
		return false;
	if (s->place->broken == SIM_STALE_SNAPSHOTS && s->by->pruner &&
	    strncmp(x->key, "snapshots/", 10) == 0)
		now -= 2 * s->place->weather.grace_ns;
	if (x->there)
		return x->put_ns <= now && x->shown_ns <= now;
	return x->put_ns <= now && now < x->hidden_ns;
}

struct seen {
	char *key;
	struct store_stat st;
};

struct listing {
	struct seen *v;
	size_t n;
};

/* Keys from (above) `from` up to `to`; NULL: no bound. */
static void take_part(
    struct sim_store *s, const char *prefix, const char *from, const char *to, struct listing *l)
{
	for (size_t i = 0; i < s->place->n; i++) {
		struct entry *x = &s->place->v[i];

		if (strncmp(x->key, prefix, strlen(prefix)) != 0 || !shown(s, x) ||
		    (from && strcmp(x->key, from) <= 0) || (to && strcmp(x->key, to) > 0))
			continue;
		l->v = mem_realloc(l->v, (l->n + 1) * sizeof *l->v);
		l->v[l->n++] = (struct seen){mem_strdup(x->key), x->st};
	}
}

/* In the middle of what there is below the prefix. */
static char *middle(struct sim_store *s, const char *prefix)
{
	size_t at = lower_bound(s->place, prefix), n = 0;

	while (
	    at + n < s->place->n && strncmp(s->place->v[at + n].key, prefix, strlen(prefix)) == 0)
		n++;
	return n > 1 ? mem_strdup(s->place->v[at + turns_below(n)].key) : NULL;
}

static int sim_list(
    struct store *st, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	struct sim_store *s = (struct sim_store *)st;
	struct verdict v = arrive(s, "list", prefix);
	struct listing l = {0};
	size_t upto;
	char *mid;
	int rc = 0;

	if (v.kind && !v.after)
		return fail(s, v, e);
	if ((mid = middle(s, prefix))) {
		take_part(s, prefix, NULL, mid, &l);
		pass_time(s, s->place->weather.sleep);
		take_part(s, prefix, mid, NULL, &l);
	} else {
		take_part(s, prefix, NULL, NULL, &l);
	}
	free(mid);
	upto = v.kind ? l.n / 2 : l.n;
	for (size_t i = 0; i < l.n; i++) {
		if (rc == 0 && i < upto)
			rc = visit(arg, l.v[i].key, &l.v[i].st, e);
		free(l.v[i].key);
	}
	free(l.v);
	return rc == 0 && v.kind ? fail(s, v, e) : rc;
}

/* ---- Uploads. */

static int sim_begin(struct store *st, struct store_upload **up, struct err *e)
{
	struct sim_upload *u = mem_zalloc(sizeof *u);

	(void)e;
	u->base.store = st;
	*up = &u->base;
	return 0;
}

static int sim_append(struct store_upload *up, struct span data, struct err *e)
{
	(void)e;
	buf_put_span(&((struct sim_upload *)up)->data, data);
	return 0;
}

static int sim_commit(struct store_upload *up, const char *key, unsigned flags, struct err *e)
{
	struct sim_upload *u = (struct sim_upload *)up;
	struct sim_store *s = (struct sim_store *)up->store;
	int rc = 0;

	if (key && (flags & STORE_LAZY) && turns_chance(700)) {
		struct lazy *l = mem_zalloc(sizeof *l);

		l->key = mem_strdup(key);
		l->data = u->data;
		l->flags = flags;
		u->data = (struct buf){0};
		*s->lazy_end = l;
		s->lazy_end = &l->next;
	} else if (key) {
		rc = do_put(s, key, buf_span(&u->data), flags, e);
	}
	buf_fini(&u->data);
	free(u);
	return rc;
}

static int sim_sync(struct store *st, struct err *e)
{
	struct sim_store *s = (struct sim_store *)st;
	struct lazy *l;
	int rc = 0;

	while ((l = s->lazy) && rc == 0) {
		if (s->place->broken == SIM_ACK_UNSYNCED)
			sim_place_note(s->place, "%s drops %s", s->by->name, l->key);
		else
			rc = do_put(s, l->key, buf_span(&l->data), l->flags, e);
		/* Its own, of an attempt whose answer was lost. */
		if (rc == -1 && l->tried && e->kind == ERR_EXISTS)
			rc = 0;
		l->tried = true;
		if (rc == -1)
			break;
		s->lazy = l->next;
		if (s->lazy == NULL)
			s->lazy_end = &s->lazy;
		free(l->key);
		buf_fini(&l->data);
		free(l);
	}
	return rc;
}

static void sim_close(struct store *st)
{
	struct sim_store *s = (struct sim_store *)st;
	struct err ignored;
	struct lazy *l;

	bool crash = turns_inside() && turns_chance(500); /* between the two */

	for (size_t i = 0; i < s->nheld; i++) {
		if (!s->by->dead && !crash) {
			pass_time(s, s->place->weather.sleep);
			effect_del(s->place, s->held_back[i], &ignored);
			sim_place_note(s->place, "%s del %s", s->by->name, s->held_back[i]);
		}
		free(s->held_back[i]);
	}
	while ((l = s->lazy)) {
		s->lazy = l->next;
		free(l->key);
		buf_fini(&l->data);
		free(l);
	}
	free(st->url);
	free(s);
}

static const struct store_ops sim_ops = {
    .scheme = "sim",
    .durability = "as bad as allowed",
    .put = sim_put,
    .get = sim_get,
    .stat = sim_stat,
    .del = sim_del,
    .list = sim_list,
    .begin = sim_begin,
    .append = sim_append,
    .commit = sim_commit,
    .sync = sim_sync,
    .close = sim_close,
};

struct store *sim_store_open(struct sim_place *p, struct sim_process *by)
{
	struct sim_store *s = mem_zalloc(sizeof *s);

	s->base.ops = &sim_ops;
	s->base.url = mem_strdup("sim:");
	s->place = p;
	s->by = by;
	s->lazy_end = &s->lazy;
	return &s->base;
}
