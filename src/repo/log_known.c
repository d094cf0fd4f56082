/* log_known: what is there of one stream, as far as who puts knows it (log_internal.h). */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"
#include "repo/log_internal.h"

/* Looking again takes at most one part in so many of a writer's time; of one that is waited for, of
 * which it is also only done so often. */
enum { LOOK_SHARE = 30, WAITED_SHARE = 200, WAITED_S = 60 };

static int64_t now_ns(void)
{
	return os_clock()->mono_ns(os_clock());
}

static int look(struct repo *r, struct log_known *k, struct err *e)
{
	int64_t began = now_ns();
	struct log_at *v;
	size_t n;

	if (log_list(r, k->stream, &v, &n, e) == -1)
		return -1;
	free(k->v);
	k->v = v;
	k->n = k->cap = n;
	k->looked_ns = now_ns();
	k->cost_ns = k->looked_ns - began;
	return 0;
}

int log_known_open(
    struct repo *r, const uint8_t stream[LOG_STREAM], struct log_known *k, struct err *e)
{
	*k = (struct log_known){.v = NULL};
	memcpy(k->stream, stream, LOG_STREAM);
	return look(r, k, e);
}

int log_known_again(struct repo *r, struct log_known *k, struct err *e)
{
	return now_ns() - k->looked_ns < LOOK_SHARE * k->cost_ns ? 0 : look(r, k, e);
}

int log_known_at_times(struct repo *r, struct log_known *k, struct err *e)
{
	int64_t age = now_ns() - k->looked_ns;

	if (age < WAITED_SHARE * k->cost_ns || age < WAITED_S * INT64_C(1000000000))
		return 0;
	return look(r, k, e);
}

void log_known_add(struct log_known *k, const struct log_at *at)
{
	struct log_at x = *at;

	x.stored_ns = INT64_MAX; /* after all that was there before */
	log_at_insert(&k->v, &k->n, &k->cap, &x);
}

void log_known_drop(struct log_known *k, const struct log_at *at)
{
	size_t kept = 0;

	for (size_t i = 0; i < k->n; i++)
		if (!id_eq(&k->v[i].object, &at->object))
			k->v[kept++] = k->v[i];
	k->n = kept;
}

size_t log_known_from(const struct log_known *k, const struct log_at *at)
{
	struct log_at first = {.kind = at->kind, .timeline = at->timeline, .stored_ns = INT64_MIN};
	size_t lo = 0, hi = k->n;

	first.start = at->start < FORMAT_LOG_STRETCH ? 0 : at->start - FORMAT_LOG_STRETCH;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (log_at_cmp(&k->v[mid], &first) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* ---- What stretches that were put here consist of, so that they need not be read back. */

enum { IDS_SLOTS = 4096 };

struct log_ids {
	pthread_mutex_t lock;
	struct {
		struct id object;
		size_t n;
		struct id *v;
	} slot[IDS_SLOTS];
};

static struct log_ids *log_ids_new(void)
{
	struct log_ids *c = mem_zalloc(sizeof *c);

	pthread_mutex_init(&c->lock, NULL);
	return c;
}

void log_ids_free(struct log_ids *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < IDS_SLOTS; i++)
		free(c->slot[i].v);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

struct log_ids *log_ids_of(struct repo *r)
{
	pthread_mutex_lock(&r->data_keys_lock);
	if (r->log_ids == NULL)
		r->log_ids = log_ids_new();
	pthread_mutex_unlock(&r->data_keys_lock);
	return r->log_ids;
}

static size_t slot_of(const struct id *object)
{
	return (object->b[0] | (size_t)object->b[1] << 8) % IDS_SLOTS;
}

void log_ids_put(struct log_ids *c, const struct id *object, const struct id *v, size_t n)
{
	size_t i = slot_of(object);

	pthread_mutex_lock(&c->lock);
	c->slot[i].object = *object;
	c->slot[i].v = mem_realloc(c->slot[i].v, n * sizeof *v);
	memcpy(c->slot[i].v, v, n * sizeof *v);
	c->slot[i].n = n;
	pthread_mutex_unlock(&c->lock);
}

size_t log_ids_get(struct log_ids *c, const struct id *object, struct id *v, size_t max)
{
	size_t i = slot_of(object), n = 0;

	pthread_mutex_lock(&c->lock);
	if (c->slot[i].n > 0 && c->slot[i].n <= max && id_eq(&c->slot[i].object, object)) {
		n = c->slot[i].n;
		memcpy(v, c->slot[i].v, n * sizeof *v);
	}
	pthread_mutex_unlock(&c->lock);
	return n;
}
