/*
 * backup_slice: a directory's slices in flight: cut by the walker, encoded in
 * order by whoever has the next one.
 *
 * Where slices end depends on nothing but the names near by, so that a name
 * more or less moves one or two ends, and the others are found in the cache.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/backup_internal.h"

enum { SLICE_MIN = 1024, SLICE_MAX = 4096, SLICE_BITS = 10, SLICES_AHEAD = 4 };

static size_t end_of_next(const struct bdir *d)
{
	size_t end = d->next + SLICE_MIN, n = d->names.n;

	while (end < n && end < d->next + SLICE_MAX &&
	       !tree_name_cuts(span_str(source_name(&d->names, end - 1)), SLICE_BITS))
		end++;
	return end < n ? end : n;
}

/* Its path, and for all but the first slice the name that it follows. */
static void set_key(struct backup *b, struct bslice *s)
{
	struct bdir *d = s->dir;
	struct buf place = {0};

	buf_put_span(&place, span_str(d->src->path));
	if (s->begin > 0) {
		buf_put_u8(&place, 0);
		buf_put_span(&place, span_str(source_name(&d->names, s->begin - 1)));
	}
	backup_fingerprint(b, buf_span(&place), s->key);
	buf_fini(&place);
}

struct bslice *backup_slice_next(struct backup *b, struct bdir *d)
{
	struct bslice *s = mem_zalloc(sizeof *s);

	s->dir = d;
	s->begin = d->next;
	s->end = d->next = end_of_next(d);
	s->last = s->end == d->names.n;
	set_key(b, s);
	if (!s->last && d->tree == NULL)
		d->tree = backup_tree_new();
	pthread_mutex_lock(&b->slice_lock);
	/* All that they wait for is with the workers. */
	while (d->held >= SLICES_AHEAD && !d->late)
		pthread_cond_wait(&b->slice_less, &b->slice_lock);
	d->held++;
	*d->tail = s;
	d->tail = &s->next;
	pthread_mutex_unlock(&b->slice_lock);
	s->entries = mem_alloc((s->end - s->begin) * sizeof *s->entries);
	return s;
}

static void slice_free(struct bslice *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->entries[i].ids);
		free(s->entries[i].holes);
		if (s->entries[i].old != NULL)
			free(s->entries[i].old->ids);
		free(s->entries[i].old);
	}
	free(s->entries);
	free(s->leaves);
	free(s);
}

/* Encode what is done, in order.  True if that was the last: the directory is the caller's. */
static bool slice_done(struct bworker *w, struct bslice *done)
{
	struct backup *b = w->b;
	struct bdir *d = done->dir;
	bool last = false;

	pthread_mutex_lock(&b->slice_lock);
	done->done = true;
	while (!d->encoding && d->head != NULL && d->head->done) {
		struct bslice *s = d->head;

		d->encoding = true;
		pthread_mutex_unlock(&b->slice_lock);
		last = s->last;
		backup_slice_encode(w, s);
		pthread_mutex_lock(&b->slice_lock);
		d->encoding = false;
		d->held--;
		d->head = s->next;
		if (d->head == NULL)
			d->tail = &d->head;
		slice_free(s);
		pthread_cond_broadcast(&b->slice_less);
		if (last)
			break;
	}
	pthread_mutex_unlock(&b->slice_lock);
	return last;
}

void backup_entry_done(struct bworker *w, struct bslice *s)
{
	while (s != NULL && atomic_fetch_sub_explicit(&s->pending, 1, memory_order_acq_rel) == 1) {
		struct bdir *d = s->dir;

		s = slice_done(w, s) ? backup_dir_finish(w, d) : NULL;
	}
}
