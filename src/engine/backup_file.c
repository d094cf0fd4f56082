/*
 * backup_file: a worker reads one file, cuts it into chunks and stores them.
 * A file that changes while it is read is read once more, then marked.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/backup_internal.h"

/* Data waiting to be cut: [off, end) of w->data, a ring. */
struct window {
	size_t off, end;
	bool eof;
};

void backup_account(struct bworker *w, uint64_t size, uint64_t bytes, bool whole)
{
	struct clock *clock = w->b->clock;
	int64_t now = clock->mono_ns(clock);

	ctx_done(w->b->ctx, size, bytes, whole, now - w->mark_ns);
	w->mark_ns = now;
}

/* Read on until `want` bytes are there, in one piece, or the end. */
static int fill_window(
    struct bworker *w, struct source_reader *r, struct window *win, size_t want, struct err *e)
{
	if (win->off > 0 && w->room - win->off < want) {
		if (backup_share_clear(w, 0, win->end - win->off, e) == -1)
			return -1;
		memmove(w->data, w->data + win->off, win->end - win->off);
		win->end -= win->off;
		win->off = 0;
	}
	while (!win->eof && win->end - win->off < want) {
		size_t room = w->room - win->end, n = room < 1 << 20 ? room : 1 << 20;
		int64_t got;

		if (backup_share_clear(w, win->end, win->end + n, e) == -1)
			return -1;
		got = r->source->ops->read(r, w->data + win->end, n, e);
		if (got < 0)
			return -1;
		win->eof = got == 0;
		win->end += (size_t)got;
		atomic_fetch_add_explicit(&w->b->bytes_read, (uint64_t)got, memory_order_relaxed);
		backup_account(w, r->st.size, (uint64_t)got, false);
	}
	return 0;
}

/* Cut the next chunk; 0 at the end, -1.  Most are found without looking at max bytes. */
static int64_t cut_chunk(
    struct bworker *w, struct source_reader *r, struct window *win, struct err *e)
{
	const struct chunker *c = w->chunker;
	size_t want = 2 * (size_t)c->avg < c->max ? 2 * (size_t)c->avg : c->max;

	for (;; want = c->max) {
		size_t n;

		if (fill_window(w, r, win, want, e) == -1)
			return -1;
		n = chunker_next(c, span_of(w->data + win->off, win->end - win->off), win->eof);
		if (n > 0 || win->eof)
			return (int64_t)n;
	}
}

static int share_data(struct bworker *w, struct source_reader *r, struct err *e)
{
	struct window win = {0, 0, false};

	for (;;) {
		int64_t n;

		if (ctx_check(w->b->ctx, e) == -1 || (n = cut_chunk(w, r, &win, e)) == -1)
			return -1;
		if (n == 0)
			return 0;
		if (backup_share_add(w, win.off, (size_t)n, e) == -1)
			return -1;
		win.off += (size_t)n;
	}
}

/* Two chunks at their largest, and enough small ones for every helper. */
static void make_room(struct bworker *w)
{
	size_t two = 2 * (size_t)w->chunker->max, room = two < DATA_MIN ? DATA_MIN : two;

	if (w->data != NULL && w->room == room)
		return;
	free(w->data);
	w->room = room;
	w->data = mem_alloc(room);
}

/* All of the file's data into the content writer. */
static int store_all(struct bworker *w, struct source_reader *r, struct err *e)
{
	struct err later;
	int rc;

	make_room(w);
	content_writer_reset(w->content);
	rc = w->known.n > 0 ? backup_blocks_share(w, r, e) : share_data(w, r, e);
	/* Nobody may be left at work in our data, however it went. */
	if (backup_share_end(w, rc == 0 ? e : &later) == -1)
		rc = -1;
	return rc;
}

/* Of many workers only some have a large file at once. */
static int store_data(struct bworker *w, struct source_reader *r, struct err *e)
{
	struct backup *b = w->b;
	uint64_t need = r->st.size < DATA_MAX ? r->st.size : DATA_MAX;
	int rc;

	if (need <= DATA_SMALL)
		return store_all(w, r, e);
	budget_take(&b->rings, need);
	rc = store_all(w, r, e);
	/* What was touched would stay. */
	if (b->nworkers > RINGS_BYTES / DATA_MAX) {
		free(w->data);
		w->data = NULL;
	}
	budget_give(&b->rings, need);
	return rc;
}

static void keep_holes(struct bentry *en, const struct source_reader *r)
{
	free(en->holes);
	en->holes = r->nholes ? mem_dup(r->holes, r->nholes * sizeof *en->holes) : NULL;
	en->nholes = (uint32_t)r->nholes;
}

/* The file as it was read, which may be shorter than its holes thought. */
static void keep_stat(struct bentry *en, const struct source_reader *r)
{
	en->st.size = r->st.size;
	en->st.mtime = r->st.mtime;
	en->st.mtime_ns = r->st.mtime_ns;
	en->st.mode = r->st.mode;
	en->st.uid = r->st.uid;
	en->st.gid = r->st.gid;
}

static int keep_ref(struct bworker *w, struct bentry *en, struct err *e)
{
	struct tree_ref ref;

	if (content_writer_end(w->content, &ref, e) == -1) {
		backup_fail(w->b, e);
		return -1;
	}
	if (en->was_racy)
		en->same = ref.tag == en->tag && ref.n == en->nids &&
			   memcmp(bentry_ids(en), ref.ids, ref.n * sizeof *ref.ids) == 0;
	free(en->ids);
	en->ids = NULL;
	en->tag = (uint8_t)ref.tag;
	en->depth = ref.depth;
	en->nids = (uint32_t)ref.n;
	if (ref.n == 1)
		en->one = ref.ids[0];
	else if (ref.n > 1)
		en->ids = mem_dup(ref.ids, ref.n * sizeof *ref.ids);
	return 0;
}

static void cut_holes(struct bentry *en)
{
	uint32_t n = 0;

	while (n < en->nholes && en->holes[n].off < en->st.size)
		n++;
	en->nholes = n;
	if (n > 0 && en->holes[n - 1].len > en->st.size - en->holes[n - 1].off)
		en->holes[n - 1].len = en->st.size - en->holes[n - 1].off;
}

/* Once through the file; *changed tells whether it moved meanwhile. */
static int read_once(
    struct bworker *w, struct bdir *d, struct bentry *en, bool *changed, struct err *e)
{
	const struct source_ops *ops = d->src->source->ops;
	struct source_reader *r;
	uint64_t size;

	if (ops->open(d->src, bentry_name(d, en), &en->st, &r, e) == -1)
		return -1;
	backup_blocks_open(w, d, en);
	if (store_data(w, r, e) == -1) {
		source_reader_abandon(r);
		return -1;
	}
	keep_stat(en, r);
	keep_holes(en, r);
	en->racy |= r->again;
	if (ops->finish(r, changed, &size, e) == -1)
		return -1;
	en->st.size = size;
	cut_holes(en);
	return keep_ref(w, en, e);
}

static int read_file(struct bworker *w, struct bdir *d, struct bentry *en, struct err *e)
{
	const struct source_ops *ops = d->src->source->ops;
	enum source_look what;

	if (read_once(w, d, en, &en->changed, e) == -1)
		return -1;
	/* A stream can be read once only. */
	if (!en->changed || strcmp(ops->kind, "files") != 0)
		return 0;
	if (ops->look(d->src, bentry_name(d, en), &en->st, &what, e) == -1 ||
	    read_once(w, d, en, &en->changed, e) == -1)
		return -1;
	return 0;
}

static void tell(struct bworker *w, struct bdir *d, struct bentry *en, const char *path)
{
	struct backup *b = w->b;

	(void)d;
	if (en->changed) {
		en->racy = true;
		event_emit(b->ctx, EVENT_FILE_CHANGED, span_str(path),
		    "changed while it was read, twice; stored as it was read last");
	}
	event_emit(b->ctx, EVENT_FILE_DONE, span_str(path), "%s",
	    en->same    ? "unchanged"
	    : en->known ? "changed"
			: "new");
	atomic_fetch_add_explicit(&b->files, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&b->bytes, en->st.size, memory_order_relaxed);
	atomic_fetch_add_explicit(en->same                    ? &b->files_unchanged
				  : en->known || en->was_racy ? &b->files_changed
							      : &b->files_new,
	    1, memory_order_relaxed);
	backup_account(w, en->st.size, 0, true);
}

void backup_file(struct bworker *w, struct btask t)
{
	struct backup *b = w->b;
	struct bdir *d = t.slice->dir;
	struct bentry *en = &t.slice->entries[t.slot];
	char *path = backup_path(d, en);
	struct err e;

	err_clear(&e);
	w->mark_ns = b->clock->mono_ns(b->clock);
	w->size = en->st.size;
	ctx_item(b->ctx, span_str(path));
	if (backup_stopping(b)) {
		en->skip = true;
	} else if (read_file(w, d, en, &e) == 0) {
		tell(w, d, en, path);
	} else {
		en->skip = true;
		if (e.kind == ERR_ABSENT)
			event_emit(b->ctx, EVENT_FILE_SKIPPED, span_str(path),
			    "gone or replaced before it could be read");
		else if (!backup_stopping(b))
			backup_problem(b, path, &e);
		if (e.kind != ERR_ABSENT)
			atomic_store(&d->partial, true);
	}
	free(path);
	backup_entry_done(w, t.slice);
}

/* What a worker does next: some files, or a chunk of somebody's large one. */
struct work {
	struct btask batch[TASK_BATCH];
	size_t n;
	struct bworker *reader;
	struct bchunk *chunk;
};

/* Neighbours fill a frame together, but something is left for the others. */
static void take_files(struct backup *b, struct work *out)
{
	uint64_t bytes = 0;

	while (out->n < TASK_BATCH && bytes < FORMAT_FRAME_AIM && b->count > 0 &&
	       (out->n == 0 || out->n < b->count)) {
		struct btask t = b->queue[b->head];

		bytes += t.slice->entries[t.slot].st.size;
		out->batch[out->n++] = t;
		b->head = (b->head + 1) % QUEUE_MAX;
		b->count--;
	}
	b->busy++;
	pthread_cond_signal(&b->queue_less);
}

/* False when nothing can come any more. */
static bool take(struct backup *b, struct work *out)
{
	bool any = true;

	out->n = 0;
	out->chunk = NULL;
	pthread_mutex_lock(&b->queue_lock);
	for (;;) {
		if (b->count > 0)
			take_files(b, out);
		else if (!backup_share_take(b, &out->reader, &out->chunk))
			any = !b->walked || b->busy > 0;
		if (!any || out->n > 0 || out->chunk != NULL)
			break;
		pthread_cond_wait(&b->queue_more, &b->queue_lock);
	}
	pthread_mutex_unlock(&b->queue_lock);
	return any;
}

static void files_done(struct backup *b)
{
	pthread_mutex_lock(&b->queue_lock);
	if (--b->busy == 0) {
		if (b->walked)
			pthread_cond_broadcast(&b->queue_more);
		pthread_cond_signal(&b->queue_less);
	}
	pthread_mutex_unlock(&b->queue_lock);
}

/* A chunk of another worker's file, which waits for it: its size stays as it is. */
static void help(struct bworker *w, struct bworker *reader, struct bchunk *chunk)
{
	uint64_t size = reader->size;

	w->mark_ns = w->b->clock->mono_ns(w->b->clock);
	backup_share_store(w, reader, chunk);
	backup_account(w, size, 0, false);
}

void *backup_worker_main(void *bworker)
{
	struct bworker *w = bworker;
	struct work work;
	struct err e;

	while (take(w->b, &work)) {
		for (size_t i = 0; i < work.n; i++)
			backup_file(w, work.batch[i]);
		if (work.n > 0)
			files_done(w->b);
		else
			help(w, work.reader, work.chunk);
	}
	err_clear(&e);
	/* Also after a failure: what is gathered is indexed and reused. */
	if (writer_lane_flush(w->lane, &e) == -1)
		backup_fail(w->b, &e);
	return NULL;
}
