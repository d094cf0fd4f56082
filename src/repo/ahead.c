/* ahead: see ahead.h. */
#include "repo/ahead.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "repo/repo_internal.h"

enum {
	THREADS_MAX = 16,
	WINDOW = 64,           /* that are fetched, or under way, before their turn */
	WINDOW_BYTES = 8 << 20 /* of them, unless one is larger */
};

enum state { WAITS, UNDER_WAY, CAME, MISSED };

struct item {
	char *name;
	struct id id;
	uint64_t size;
	enum state state;
	struct buf bytes;
};

struct ahead {
	struct repo *repo;
	struct item *v;
	size_t n;
	pthread_t thread[THREADS_MAX];
	unsigned nthreads;
	bool started;

	pthread_mutex_t lock; /* guards what follows, and the items' states */
	pthread_cond_t more, came;
	size_t begun, taken; /* items before it */
	uint64_t bytes;      /* of those between */
	bool stop;
};

struct ahead *ahead_new(struct repo *r)
{
	struct ahead *a = mem_zalloc(sizeof *a);

	a->repo = r;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->more, NULL);
	pthread_cond_init(&a->came, NULL);
	return a;
}

void ahead_add(struct ahead *a, const char *name, const struct id *id, uint64_t size)
{
	if ((a->n & (a->n - 1)) == 0)
		a->v = mem_realloc(a->v, (a->n ? 2 * a->n : 1) * sizeof *a->v);
	a->v[a->n++] = (struct item){.name = mem_strdup(name), .id = *id, .size = size};
}

/* Its bytes, if they are there and have the hash in its name. */
static bool fetch(struct ahead *a, struct item *i)
{
	struct id got;
	struct err e;

	if (i->size > FORMAT_SMALL_MAX)
		return false;
	buf_reserve(&i->bytes, i->size + 1);
	if (store_get(a->repo->store, i->name, 0, buf_extend(&i->bytes, i->size), i->size, &e) ==
	    -1)
		return false;
	repo_object_id(a->repo, buf_span(&i->bytes), &got);
	return id_eq(&got, &i->id);
}

/* With the lock: the next one to be begun, or NULL while there is no room, or at the end. */
static struct item *begin(struct ahead *a)
{
	struct item *i = &a->v[a->begun];

	if (a->begun == a->n)
		return NULL;
	if (a->begun > a->taken &&
	    (a->begun - a->taken >= WINDOW || a->bytes + i->size > WINDOW_BYTES))
		return NULL;
	a->begun++;
	a->bytes += i->size;
	i->state = UNDER_WAY;
	return i;
}

static void *work(void *arg)
{
	struct ahead *a = arg;
	struct item *i;
	bool came;

	pthread_mutex_lock(&a->lock);
	while (!a->stop && a->begun < a->n) {
		if ((i = begin(a)) == NULL) {
			pthread_cond_wait(&a->more, &a->lock);
			continue;
		}
		pthread_mutex_unlock(&a->lock);
		came = fetch(a, i);
		pthread_mutex_lock(&a->lock);
		i->state = came ? CAME : MISSED;
		pthread_cond_broadcast(&a->came);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* Near stores answer at once. */
void ahead_start(struct ahead *a)
{
	unsigned far = store_parallel(a->repo->store);

	a->started = true;
	for (; far > 1 && a->nthreads < far && a->nthreads < a->n && a->nthreads < THREADS_MAX;
	     a->nthreads++)
		if (pthread_create(&a->thread[a->nthreads], NULL, work, a) != 0)
			break;
}

int ahead_next(struct ahead *a, struct buf *out, struct err *e)
{
	struct item *i = &a->v[a->taken];
	struct buf bytes = {0};

	if (!a->started)
		ahead_start(a);
	pthread_mutex_lock(&a->lock);
	while (i->state == UNDER_WAY || (i->state == WAITS && a->nthreads > 0))
		pthread_cond_wait(&a->came, &a->lock);
	if (i->state == CAME) {
		bytes = i->bytes;
		i->bytes = (struct buf){0};
	}
	if (a->begun > a->taken)
		a->bytes -= i->size;
	else
		a->begun++;
	a->taken++;
	pthread_cond_broadcast(&a->more);
	pthread_mutex_unlock(&a->lock);
	if (i->state != CAME)
		return repo_get_named(a->repo, i->name, &i->id, out, e);
	buf_fini(out);
	*out = bytes;
	return 0;
}

void ahead_free(struct ahead *a)
{
	if (a == NULL)
		return;
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	pthread_cond_broadcast(&a->more);
	pthread_mutex_unlock(&a->lock);
	for (unsigned t = 0; t < a->nthreads; t++)
		pthread_join(a->thread[t], NULL);
	for (size_t i = 0; i < a->n; i++) {
		buf_fini(&a->v[i].bytes);
		free(a->v[i].name);
	}
	free(a->v);
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->more);
	pthread_cond_destroy(&a->came);
	free(a);
}
