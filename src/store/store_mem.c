/*
 * store_mem: objects in memory, for tests and trials.  Places are shared in
 * the process by name and live as long as it does, so that closing and
 * opening "mem:NAME" again finds what was put.
 *
 * Invariant: a place's objects are in order of their keys.
 */
#include <pthread.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/os.h"
#include "store/store_drivers.h"

struct object {
	char *key;
	uint8_t *p;
	size_t n;
	int64_t mtime_ns;
};

struct place {
	struct place *next;
	char *name;
	pthread_mutex_t lock;
	struct object *objects;
	size_t count, cap;
};

struct lazy {
	struct lazy *next;
	char *key;
	struct buf data;
	unsigned flags;
};

struct store_mem {
	struct store base;
	struct place *place;
	pthread_mutex_t lock; /* guards lazy */
	struct lazy *lazy, **lazy_end;
};

struct mem_upload {
	struct store_upload base;
	struct buf data;
};

static pthread_mutex_t places_lock = PTHREAD_MUTEX_INITIALIZER;
static struct place *places;

/* Index of the first object whose key is not below this one. */
static size_t lower_bound(const struct place *p, const char *key)
{
	size_t lo = 0, hi = p->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(p->objects[mid].key, key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct object *find(const struct place *p, const char *key)
{
	size_t i = lower_bound(p, key);

	return i < p->count && strcmp(p->objects[i].key, key) == 0 ? &p->objects[i] : NULL;
}

static struct object *insert(struct place *p, const char *key)
{
	size_t i = lower_bound(p, key);

	if (p->count == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 64;
		p->objects = mem_realloc(p->objects, p->cap * sizeof *p->objects);
	}
	memmove(p->objects + i + 1, p->objects + i, (p->count - i) * sizeof *p->objects);
	p->count++;
	p->objects[i] = (struct object){.key = mem_strdup(key)};
	return &p->objects[i];
}

static int publish(
    struct place *p, const char *key, struct span data, unsigned flags, struct err *e)
{
	struct clock *clock = os_clock();
	struct object *o;
	int rc = 0;

	pthread_mutex_lock(&p->lock);
	o = find(p, key);
	if (o && (flags & STORE_NEW)) {
		rc = err_set(e, ERR_EXISTS, "there already");
	} else {
		if (o == NULL)
			o = insert(p, key);
		free(o->p);
		o->p = mem_dup(data.p, data.n);
		o->n = data.n;
		o->mtime_ns = clock->wall_ns(clock);
	}
	pthread_mutex_unlock(&p->lock);
	return rc;
}

static bool exists(struct place *p, const char *key)
{
	bool yes;

	pthread_mutex_lock(&p->lock);
	yes = find(p, key) != NULL;
	pthread_mutex_unlock(&p->lock);
	return yes;
}

static int hold_back(
    struct store_mem *m, const char *key, struct buf *data, unsigned flags, struct err *e)
{
	struct lazy *l;
	bool taken = (flags & STORE_NEW) && exists(m->place, key);

	pthread_mutex_lock(&m->lock);
	for (l = m->lazy; l && (flags & STORE_NEW); l = l->next)
		taken = taken || strcmp(l->key, key) == 0;
	if (!taken) {
		l = mem_zalloc(sizeof *l);
		l->key = mem_strdup(key);
		l->data = *data;
		l->flags = flags;
		*data = (struct buf){0};
		*m->lazy_end = l;
		m->lazy_end = &l->next;
	}
	pthread_mutex_unlock(&m->lock);
	return taken ? err_set(e, ERR_EXISTS, "there already") : 0;
}

static int mem_put(
    struct store *s, const char *key, struct span data, unsigned flags, struct err *e)
{
	struct store_mem *m = (struct store_mem *)s;
	struct buf copy = {0};
	int rc;

	if (!(flags & STORE_LAZY))
		return publish(m->place, key, data, flags, e);
	buf_put_span(&copy, data);
	rc = hold_back(m, key, &copy, flags, e);
	buf_fini(&copy);
	return rc;
}

static int mem_get(
    struct store *s, const char *key, uint64_t off, void *buf, size_t len, struct err *e)
{
	struct place *p = ((struct store_mem *)s)->place;
	struct object *o;
	int rc = 0;

	pthread_mutex_lock(&p->lock);
	if ((o = find(p, key)) == NULL)
		rc = err_set(e, ERR_ABSENT, "no such object");
	else if (off > o->n || len > o->n - off)
		rc = err_set(e, ERR_CORRUPT, "%zu bytes at %llu are beyond its end at %zu", len,
		    (unsigned long long)off, o->n);
	else if (len)
		memcpy(buf, o->p + off, len);
	pthread_mutex_unlock(&p->lock);
	return rc;
}

static int mem_stat(struct store *s, const char *key, struct store_stat *st, struct err *e)
{
	struct place *p = ((struct store_mem *)s)->place;
	struct object *o;
	int rc = 0;

	pthread_mutex_lock(&p->lock);
	if ((o = find(p, key)) == NULL)
		rc = err_set(e, ERR_ABSENT, "no such object");
	else
		*st = (struct store_stat){.size = o->n, .mtime_ns = o->mtime_ns};
	pthread_mutex_unlock(&p->lock);
	return rc;
}

static int mem_del(struct store *s, const char *key, struct err *e)
{
	struct place *p = ((struct store_mem *)s)->place;
	struct object *o;

	pthread_mutex_lock(&p->lock);
	if ((o = find(p, key))) {
		size_t i = (size_t)(o - p->objects);

		free(o->key);
		free(o->p);
		p->count--;
		memmove(p->objects + i, p->objects + i + 1, (p->count - i) * sizeof *o);
	}
	pthread_mutex_unlock(&p->lock);
	return 0;
}

/* Copies what is there first: the visitor may put and delete. */
static int mem_list(
    struct store *s, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	struct place *p = ((struct store_mem *)s)->place;
	size_t n = strlen(prefix), count = 0;
	struct object *copy;
	int rc = 0;

	pthread_mutex_lock(&p->lock);
	copy = mem_alloc(p->count * sizeof *copy);
	for (size_t i = lower_bound(p, prefix); i < p->count; i++) {
		if (strncmp(p->objects[i].key, prefix, n) != 0)
			break;
		copy[count] = p->objects[i];
		copy[count++].key = mem_strdup(p->objects[i].key);
	}
	pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < count; i++) {
		struct store_stat st = {.size = copy[i].n, .mtime_ns = copy[i].mtime_ns};

		if (rc == 0)
			rc = visit(arg, copy[i].key, &st, e);
		free(copy[i].key);
	}
	free(copy);
	return rc;
}

static int mem_begin(struct store *s, struct store_upload **up, struct err *e)
{
	struct mem_upload *u = mem_zalloc(sizeof *u);

	u->base.store = s;
	*up = &u->base;
	return 0;
}

static int mem_append(struct store_upload *up, struct span data, struct err *e)
{
	buf_put_span(&((struct mem_upload *)up)->data, data);
	return 0;
}

static int mem_commit(struct store_upload *up, const char *key, unsigned flags, struct err *e)
{
	struct mem_upload *u = (struct mem_upload *)up;
	struct store_mem *m = (struct store_mem *)up->store;
	int rc = 0;

	if (key && (flags & STORE_LAZY))
		rc = hold_back(m, key, &u->data, flags, e);
	else if (key)
		rc = publish(m->place, key, buf_span(&u->data), flags, e);
	buf_fini(&u->data);
	free(u);
	return rc;
}

static void lazy_free(struct lazy *l)
{
	free(l->key);
	buf_fini(&l->data);
	free(l);
}

/* Under the lock throughout: a second sync must not return before the first has published. */
static int mem_sync(struct store *s, struct err *e)
{
	struct store_mem *m = (struct store_mem *)s;
	struct lazy *l;
	int rc = 0;

	pthread_mutex_lock(&m->lock);
	while ((l = m->lazy)) {
		if (publish(m->place, l->key, buf_span(&l->data), l->flags, e) == -1)
			rc = err_wrap(e, "%s", l->key);
		m->lazy = l->next;
		lazy_free(l);
	}
	m->lazy_end = &m->lazy;
	pthread_mutex_unlock(&m->lock);
	return rc;
}

static void mem_close(struct store *s)
{
	struct store_mem *m = (struct store_mem *)s;

	for (struct lazy *l = m->lazy, *next; l; l = next) {
		next = l->next;
		lazy_free(l);
	}
	pthread_mutex_destroy(&m->lock);
	free(s->url);
	free(m);
}

static const struct store_ops mem_ops = {
    .scheme = "mem",
    .durability = "none: lost when the process ends",
    .put = mem_put,
    .get = mem_get,
    .stat = mem_stat,
    .del = mem_del,
    .list = mem_list,
    .begin = mem_begin,
    .append = mem_append,
    .commit = mem_commit,
    .sync = mem_sync,
    .close = mem_close,
};

static struct place *place_of(const char *name, bool create)
{
	struct place *p;

	pthread_mutex_lock(&places_lock);
	for (p = places; p && strcmp(p->name, name) != 0; p = p->next)
		;
	if (p == NULL && create) {
		p = mem_zalloc(sizeof *p);
		p->name = mem_strdup(name);
		pthread_mutex_init(&p->lock, NULL);
		p->next = places;
		places = p;
	}
	pthread_mutex_unlock(&places_lock);
	return p;
}

int store_mem_open(const char *name, bool create, struct store **out, struct err *e)
{
	struct place *p = place_of(name, create);
	struct store_mem *m;

	*out = NULL;
	if (p == NULL) {
		err_set(
		    e, ERR_NO_REPOSITORY, "mem:%s: there is no such store in this process", name);
		return err_hint(e, "mem: is for trials; it is gone when the process ends");
	}
	m = mem_zalloc(sizeof *m);
	m->base.ops = &mem_ops;
	m->base.url = mem_printf("mem:%s", name);
	m->place = p;
	m->lazy_end = &m->lazy;
	pthread_mutex_init(&m->lock, NULL);
	*out = &m->base;
	return 0;
}
