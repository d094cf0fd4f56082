/*
 * backup_share: the chunks of a file, cut in order by the worker that reads it
 * and stored by whichever worker is free.
 *
 * The reader's data is a ring; a chunk lies there until it is stored.  While
 * other files wait, every worker keeps to its own file: a chunk is stored at
 * once, warm from being cut.  When none do, the reader cuts ahead, those who
 * have nothing else to do take chunks, and the reader takes the next itself
 * when the ring is full.  Ids go into the file's content in order of the cuts,
 * so who stored what leaves no trace.
 *
 * Threads: a ring's chunks are handed over under queue_lock; `first` and
 * the content are the reader's alone.
 */
#include "engine/backup_internal.h"

static struct bchunk *chunk_at(struct bshare *s, unsigned i)
{
	return &s->v[i % SHARE_CHUNKS];
}

/* The oldest chunk that nobody stores yet, now the caller's; under queue_lock. */
static struct bchunk *take_chunk(struct bshare *s)
{
	while (s->taken != s->cut && chunk_at(s, s->taken)->done)
		s->taken++; /* known before */
	return s->taken == s->cut ? NULL : chunk_at(s, s->taken++);
}

static void store_chunk(struct bworker *w, struct bworker *reader, struct bchunk *c)
{
	struct backup *b = w->b;
	struct err e;
	int rc;

	err_clear(&e);
	rc = writer_add(
	    w->lane, PURPOSE_CONTENT, span_of(reader->data + c->at, c->n), &c->id, NULL, &e);
	if (rc == -1) {
		/* Not this file's fault: the run cannot store. */
		err_wrap(&e, "store");
		backup_fail(b, &e);
	}
	pthread_mutex_lock(&b->queue_lock);
	c->done = true;
	if (w != reader)
		pthread_cond_broadcast(&b->chunk_done);
	pthread_mutex_unlock(&b->queue_lock);
}

/* Store one of the reader's own chunks, or wait for those that others store. */
static void store_or_wait(struct bworker *w)
{
	struct backup *b = w->b;
	struct bshare *s = &w->share;
	struct bchunk *c;

	pthread_mutex_lock(&b->queue_lock);
	c = take_chunk(s);
	while (c == NULL && s->first != s->cut && !chunk_at(s, s->first)->done)
		pthread_cond_wait(&b->chunk_done, &b->queue_lock);
	pthread_mutex_unlock(&b->queue_lock);
	if (c != NULL)
		store_chunk(w, w, c);
}

/* What is stored, in order, into the content. */
static int retire(struct bworker *w, struct err *e)
{
	struct bshare *s = &w->share;
	unsigned upto = s->first;

	pthread_mutex_lock(&w->b->queue_lock);
	while (upto != s->cut && chunk_at(s, upto)->done)
		upto++;
	pthread_mutex_unlock(&w->b->queue_lock);
	for (; s->first != upto; s->first++) {
		if (backup_stopping(w->b))
			continue;
		if (content_writer_add(w->content, &chunk_at(s, s->first)->id, e) == -1) {
			err_wrap(e, "store");
			backup_fail(w->b, e);
		}
	}
	if (!backup_stopping(w->b))
		return 0;
	return err_set(e, ERR_CANCELLED, "the run is ending");
}

static bool overlaps(struct bshare *s, size_t lo, size_t hi)
{
	for (unsigned i = s->first; i != s->cut; i++)
		if (chunk_at(s, i)->at < hi && lo < chunk_at(s, i)->at + chunk_at(s, i)->n)
			return true;
	return false;
}

int backup_share_clear(struct bworker *w, size_t lo, size_t hi, struct err *e)
{
	while (overlaps(&w->share, lo, hi)) {
		store_or_wait(w);
		if (retire(w, e) == -1)
			return -1;
	}
	return 0;
}

int backup_share_add(struct bworker *w, size_t at, size_t n, struct err *e)
{
	struct backup *b = w->b;
	struct bshare *s = &w->share;
	bool keep;

	while (s->cut - s->first == SHARE_CHUNKS) {
		store_or_wait(w);
		if (retire(w, e) == -1)
			return -1;
	}
	pthread_mutex_lock(&b->queue_lock);
	*chunk_at(s, s->cut++) = (struct bchunk){.at = at, .n = n};
	keep = b->count == 0 && b->nworkers > 1;
	if (keep)
		pthread_cond_signal(&b->queue_more);
	pthread_mutex_unlock(&b->queue_lock);
	while (!keep && s->first != s->cut) {
		store_or_wait(w);
		if (retire(w, e) == -1)
			return -1;
	}
	return 0;
}

int backup_share_known(struct bworker *w, const struct id *id, struct err *e)
{
	struct bshare *s = &w->share;

	/* Nothing is before it: most often it goes right where it belongs. */
	if (s->first == s->cut)
		return content_writer_add(w->content, id, e);
	while (s->cut - s->first == SHARE_CHUNKS) {
		store_or_wait(w);
		if (retire(w, e) == -1)
			return -1;
	}
	pthread_mutex_lock(&w->b->queue_lock);
	*chunk_at(s, s->cut++) = (struct bchunk){.id = *id, .done = true};
	pthread_mutex_unlock(&w->b->queue_lock);
	return 0;
}

int backup_share_end(struct bworker *w, struct err *e)
{
	int rc = 0;

	/* Also after a failure: others may be at work in our ring. */
	while (w->share.first != w->share.cut) {
		store_or_wait(w);
		rc = retire(w, e);
	}
	return rc;
}

bool backup_share_take(struct backup *b, struct bworker **reader, struct bchunk **chunk)
{
	for (unsigned i = 0; i < b->nworkers; i++) {
		*reader = &b->workers[i];
		if ((*chunk = take_chunk(&(*reader)->share)) != NULL)
			return true;
	}
	return false;
}

void backup_share_store(struct bworker *w, struct bworker *reader, struct bchunk *chunk)
{
	store_chunk(w, reader, chunk);
}
