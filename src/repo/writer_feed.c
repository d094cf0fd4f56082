/* writer_feed: see writer_feed.h. */
#include "repo/writer_feed.h"

#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "repo/writer_internal.h"

enum { QUEUE_BYTES = 16 << 20, TICK_MS = 100, SPARES = 4 };

static const int64_t PATIENCE_NS = 30 * INT64_C(1000000000);

struct item {
	struct item *next;
	struct pack_frame frame;
	struct pack_blob *blobs;
	const uint8_t *sealed_key;
	struct buf box;
};

struct writer_feed {
	struct writer *w;
	unsigned lanes;
	int64_t patience_ns, began_ns;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more, less;
	struct item *head, **tail;
	struct buf spare[SPARES];
	unsigned nspare;
	size_t bytes;      /* in the queue, and in the thread's hands */
	int64_t waited_ns; /* by all lanes together */
	bool over, ended;
	_Atomic enum writer_loss loss;
	struct err why;
};

/* The lock is held. */
static void item_free(struct writer_feed *f, struct item *i)
{
	if (f->nspare < SPARES)
		f->spare[f->nspare++] = i->box;
	else
		buf_fini(&i->box);
	free(i->blobs);
	free(i);
}

/* The lock is held. */
static void drop_all(struct writer_feed *f)
{
	struct item *i;

	while ((i = f->head) != NULL) {
		f->head = i->next;
		f->bytes -= i->frame.stored;
		item_free(f, i);
	}
	f->tail = &f->head;
	pthread_cond_broadcast(&f->less);
}

/* The lock is held. */
static void lose(struct writer_feed *f, enum writer_loss loss, const struct err *why)
{
	if (f->loss == WRITER_WHOLE) {
		f->why = *why;
		atomic_store(&f->loss, loss);
	}
	drop_all(f);
}

void writer_feed_lose(struct writer_feed *f, enum writer_loss loss, const struct err *why)
{
	pthread_mutex_lock(&f->lock);
	lose(f, loss, why);
	pthread_mutex_unlock(&f->lock);
}

enum writer_loss writer_feed_lost(struct writer_feed *f, struct err *why)
{
	enum writer_loss loss = atomic_load(&f->loss);

	if (loss != WRITER_WHOLE && why != NULL) {
		pthread_mutex_lock(&f->lock);
		*why = f->why;
		pthread_mutex_unlock(&f->lock);
	}
	return loss;
}

/* The next frame, or NULL when it is over. */
static struct item *next(struct writer_feed *f)
{
	struct item *i;

	pthread_mutex_lock(&f->lock);
	while (f->head == NULL && !f->over)
		pthread_cond_wait(&f->more, &f->lock);
	i = f->head;
	if (i != NULL && (f->head = i->next) == NULL)
		f->tail = &f->head;
	pthread_mutex_unlock(&f->lock);
	return i;
}

static void *main_of_feed(void *arg)
{
	struct writer_feed *f = arg;
	struct item *i;
	struct err e;

	while ((i = next(f)) != NULL) {
		int rc = writer_append(
		    f->w, &i->frame, i->blobs, i->sealed_key, buf_span(&i->box), &e);

		pthread_mutex_lock(&f->lock);
		if (rc == -1)
			lose(f, WRITER_FAILED, &e);
		f->bytes -= i->frame.stored;
		item_free(f, i);
		pthread_cond_broadcast(&f->less);
		pthread_mutex_unlock(&f->lock);
	}
	return NULL;
}

struct writer_feed *writer_feed_new(struct writer *w, const struct writer_params *p, struct err *e)
{
	struct writer_feed *f = mem_zalloc(sizeof *f);

	f->w = w;
	f->lanes = p->lanes ? p->lanes : 1;
	f->patience_ns = p->patience_ns ? p->patience_ns : PATIENCE_NS;
	f->began_ns = writer_boot_ns(w);
	f->tail = &f->head;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->more, NULL);
	pthread_cond_init(&f->less, NULL);
	if (pthread_create(&f->thread, NULL, main_of_feed, f) == 0)
		return f;
	f->ended = true;
	writer_feed_free(f);
	err_set(e, ERR_FAILED, "cannot start a thread");
	return NULL;
}

void writer_feed_end(struct writer_feed *f)
{
	if (f->ended)
		return;
	pthread_mutex_lock(&f->lock);
	f->over = true;
	pthread_cond_broadcast(&f->more);
	pthread_mutex_unlock(&f->lock);
	pthread_join(f->thread, NULL);
	f->ended = true;
}

void writer_feed_free(struct writer_feed *f)
{
	if (f == NULL)
		return;
	pthread_mutex_lock(&f->lock);
	drop_all(f);
	pthread_mutex_unlock(&f->lock);
	writer_feed_end(f);
	while (f->nspare > 0)
		buf_fini(&f->spare[--f->nspare]);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->more);
	pthread_cond_destroy(&f->less);
	free(f);
}

/*
 * It is far behind if the lanes waited for it for longer than that, and for half
 * of the time: then it would hold up the others, who are done the sooner alone.
 */
static void judge(struct writer_feed *f)
{
	int64_t waited = f->waited_ns / f->lanes;
	struct err e;

	if (waited < f->patience_ns || waited < (writer_boot_ns(f->w) - f->began_ns) / 2)
		return;
	err_set(&e, ERR_TIMEOUT, "it fell behind the other repositories");
	lose(f, WRITER_BEHIND, &e);
}

static void wait_for_room(struct writer_feed *f, size_t n)
{
	while (f->loss == WRITER_WHOLE && f->bytes > 0 && f->bytes + n > QUEUE_BYTES) {
		int64_t since = writer_boot_ns(f->w);
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += TICK_MS * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&f->less, &f->lock, &until);
		f->waited_ns += writer_boot_ns(f->w) - since;
		judge(f);
	}
}

struct buf writer_feed_box(struct writer_feed *f, size_t n)
{
	struct buf b = {0};

	pthread_mutex_lock(&f->lock);
	if (f->nspare > 0)
		b = f->spare[--f->nspare];
	pthread_mutex_unlock(&f->lock);
	buf_reset(&b);
	buf_reserve(&b, n);
	return b;
}

void writer_feed_put(struct writer_feed *f, const struct pack_frame *frame,
    const struct pack_blob *blobs, const uint8_t *sealed_key, struct buf *box)
{
	struct item *i = mem_zalloc(sizeof *i);

	i->frame = *frame;
	i->blobs = mem_dup(blobs, frame->nblobs * sizeof *blobs);
	i->sealed_key = sealed_key;
	i->box = *box;
	*box = (struct buf){0};
	pthread_mutex_lock(&f->lock);
	wait_for_room(f, frame->stored);
	if (f->loss == WRITER_WHOLE) {
		f->bytes += frame->stored;
		*f->tail = i;
		f->tail = &i->next;
		pthread_cond_signal(&f->more);
		i = NULL;
	}
	if (i != NULL)
		item_free(f, i);
	pthread_mutex_unlock(&f->lock);
}
