/*
 * store_queue: uploads that go on while the caller works, for stores that are
 * far away.  A lazy commit leaves its spooled file to a few threads of ours;
 * sync waits for them.
 *
 * Not a cache: nothing is read from what waits, and nothing survives us.
 * Objects of one name do not overtake each other: the second waits for the first.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "os/os.h"
#include "store/store_drivers.h"

enum { THREADS_MAX = 32 };

/* What may wait on the disk: more, and commit waits too. */
static const uint64_t WAITING_MAX = UINT64_C(256) << 20;

struct job {
	struct job *next;
	char *key;
	unsigned flags;
	int fd;
	uint64_t size;
};

struct jobs { /* first in, first out */
	struct job *first, **end;
	unsigned n;
};

struct store_queue {
	struct store base;
	struct store_ops ops;
	unsigned threads_max;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t more, less;
	pthread_t thread[THREADS_MAX];
	unsigned nthreads, numbered, busy;
	bool closing;
	struct jobs waiting, failed;    /* failed: until sync tries them again */
	struct job *doing[THREADS_MAX]; /* by thread, NULL: none */
	uint64_t bytes;                 /* of waiting and busy */
	bool broken;                    /* one failed for more than its name: why */
	bool told;                      /* by a sync; the next one tries again */
	struct err why;
};

static void jobs_init(struct jobs *q)
{
	q->first = NULL;
	q->end = &q->first;
	q->n = 0;
}

static void jobs_add(struct jobs *q, struct job *j)
{
	j->next = NULL;
	*q->end = j;
	q->end = &j->next;
	q->n++;
}

static struct job *jobs_take(struct jobs *q)
{
	struct job *j = q->first;

	if (j == NULL)
		return NULL;
	if ((q->first = j->next) == NULL)
		q->end = &q->first;
	q->n--;
	return j;
}

/* Before all others. */
static void jobs_put_back(struct jobs *q, struct job *j)
{
	if ((j->next = q->first) == NULL)
		q->end = &j->next;
	q->first = j;
	q->n++;
}

static void job_free(struct job *j)
{
	os_close(j->fd);
	free(j->key);
	free(j);
}

static int job_do(struct store_queue *q, struct job *j, struct err *e)
{
	struct store *under = q->base.under;
	void *p = NULL;
	int rc;

	if (j->size > 0) {
		p = mmap(NULL, j->size, PROT_READ, MAP_PRIVATE, j->fd, 0);
		if (p == MAP_FAILED)
			return err_sys(e, "map temporary file");
	}
	rc = under->ops->put(under, j->key, span_of(p, j->size), j->flags, e);
	if (p)
		munmap(p, j->size);
	return rc == -1 ? err_wrap(e, "put %s", j->key) : 0;
}

/* With the lock, which is given up meanwhile: no lock across I/O. */
static int job_do_unlocked(struct store_queue *q, struct job *j, struct err *e)
{
	int rc;

	q->busy++;
	pthread_mutex_unlock(&q->lock);
	rc = job_do(q, j, e);
	pthread_mutex_lock(&q->lock);
	q->busy--;
	pthread_cond_broadcast(&q->less);
	return rc;
}

/* With the lock: is an object of this name on its way? */
static bool under_way(const struct store_queue *q, const char *key)
{
	for (const struct job *j = q->waiting.first; j; j = j->next)
		if (strcmp(j->key, key) == 0)
			return true;
	for (size_t i = 0; i < THREADS_MAX; i++)
		if (q->doing[i] && strcmp(q->doing[i]->key, key) == 0)
			return true;
	return false;
}

static void *work(void *arg)
{
	struct store_queue *q = arg;
	struct job *j;
	struct err e;
	unsigned me;

	pthread_mutex_lock(&q->lock);
	me = q->numbered++;
	for (;;) {
		while ((j = jobs_take(&q->waiting)) == NULL && !q->closing)
			pthread_cond_wait(&q->more, &q->lock);
		if (j == NULL)
			break;
		q->busy++;
		q->doing[me] = j;
		pthread_mutex_unlock(&q->lock);
		int rc = job_do(q, j, &e);
		pthread_mutex_lock(&q->lock);
		q->busy--;
		q->doing[me] = NULL;
		q->bytes -= j->size;
		if (rc == 0) {
			job_free(j);
		} else {
			if (!q->broken && e.kind != ERR_EXISTS) {
				q->broken = true;
				q->told = false;
				q->why = e;
			}
			jobs_add(&q->failed, j);
		}
		pthread_cond_broadcast(&q->less);
	}
	pthread_mutex_unlock(&q->lock);
	return NULL;
}

/* With the lock. */
static void submit(struct store_queue *q, struct job *j)
{
	jobs_add(&q->waiting, j);
	q->bytes += j->size;
	if (q->nthreads < q->threads_max && q->busy + q->waiting.n > q->nthreads &&
	    pthread_create(&q->thread[q->nthreads], NULL, work, q) == 0)
		q->nthreads++;
	pthread_cond_signal(&q->more);
}

static int queue_commit(struct store_upload *up, const char *key, unsigned flags, struct err *e)
{
	struct store_queue *q = (struct store_queue *)up->store;
	struct job *j;
	int rc = 0;

	if (key == NULL || !(flags & STORE_LAZY))
		return store_spool_commit(up, key, flags, e);
	j = mem_zalloc(sizeof *j);
	if (store_spool_take(up, &j->fd, &j->size, e) == -1) {
		free(j);
		return -1;
	}
	j->key = mem_strdup(key);
	j->flags = flags & ~(unsigned)STORE_LAZY;
	pthread_mutex_lock(&q->lock);
	while (
	    !q->broken && ((q->bytes > 0 && q->bytes + j->size > WAITING_MAX) || under_way(q, key)))
		pthread_cond_wait(&q->less, &q->lock);
	if (q->broken) { /* no use in working on: whoever commits learns it now */
		*e = q->why;
		rc = -1;
		job_free(j);
	} else {
		submit(q, j);
		if (q->nthreads == 0) {
			jobs_take(&q->waiting);
			rc = job_do_unlocked(q, j, e);
			q->bytes -= j->size;
			job_free(j);
		}
	}
	pthread_mutex_unlock(&q->lock);
	return rc;
}

/*
 * What failed was tried as often as store_retry thinks right: the first sync
 * tells it at once, and each after that tries once more.  Nothing that a sync
 * claims was left out.
 */
static int queue_sync(struct store *s, struct err *e)
{
	struct store_queue *q = (struct store_queue *)s;
	struct job *j;
	int rc = 0;

	pthread_mutex_lock(&q->lock);
	while (q->waiting.first || q->busy > 0)
		pthread_cond_wait(&q->less, &q->lock);
	if (q->broken && !q->told) {
		q->told = true;
		*e = q->why;
		pthread_mutex_unlock(&q->lock);
		return -1;
	}
	while (rc == 0 && (j = jobs_take(&q->failed)) != NULL) {
		rc = job_do_unlocked(q, j, e);
		if (rc == 0 || e->kind == ERR_EXISTS) /* which is told once */
			job_free(j);
		else
			jobs_put_back(&q->failed, j);
	}
	if (q->failed.first == NULL && q->busy == 0)
		q->broken = false;
	pthread_mutex_unlock(&q->lock);
	return rc == -1 ? -1 : store_raw_sync(s->under, e);
}

static int queue_put(
    struct store *s, const char *key, struct span data, unsigned flags, struct err *e)
{
	return s->under->ops->put(s->under, key, data, flags & ~(unsigned)STORE_LAZY, e);
}

static int queue_get(
    struct store *s, const char *key, uint64_t off, void *buf, size_t len, struct err *e)
{
	return s->under->ops->get(s->under, key, off, buf, len, e);
}

static int queue_stat(struct store *s, const char *key, struct store_stat *st, struct err *e)
{
	return s->under->ops->stat(s->under, key, st, e);
}

static int queue_del(struct store *s, const char *key, struct err *e)
{
	return s->under->ops->del(s->under, key, e);
}

static int queue_list(
    struct store *s, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	return s->under->ops->list(s->under, prefix, visit, arg, e);
}

static void queue_close(struct store *s)
{
	struct store_queue *q = (struct store_queue *)s;
	struct job *j;

	pthread_mutex_lock(&q->lock);
	q->closing = true;
	while ((j = jobs_take(&q->waiting)) != NULL) /* never synced: gone */
		job_free(j);
	pthread_cond_broadcast(&q->more);
	pthread_mutex_unlock(&q->lock);
	for (unsigned i = 0; i < q->nthreads; i++)
		pthread_join(q->thread[i], NULL);
	while ((j = jobs_take(&q->failed)) != NULL)
		job_free(j);
	pthread_cond_destroy(&q->more);
	pthread_cond_destroy(&q->less);
	pthread_mutex_destroy(&q->lock);
	s->under->ops->close(s->under);
	free(s->url);
	free(q);
}

struct store *store_queue_new(struct store *under, unsigned threads)
{
	struct store_queue *q = mem_zalloc(sizeof *q);

	q->ops = *under->ops;
	q->ops.put = queue_put;
	q->ops.get = queue_get;
	q->ops.stat = queue_stat;
	q->ops.del = queue_del;
	q->ops.list = queue_list;
	q->ops.begin = store_spool_begin;
	q->ops.append = store_spool_append;
	q->ops.commit = queue_commit;
	q->ops.sync = queue_sync;
	q->ops.close = queue_close;
	q->base.ops = &q->ops;
	q->base.url = mem_strdup(under->url);
	q->base.under = under;
	q->threads_max = threads < THREADS_MAX ? threads : THREADS_MAX;
	jobs_init(&q->waiting);
	jobs_init(&q->failed);
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->more, NULL);
	pthread_cond_init(&q->less, NULL);
	return &q->base;
}
