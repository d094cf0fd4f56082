/* restore_data: see restore_internal.h. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/holes.h"
#include "engine/restore_internal.h"

bool restore_stopping(struct restore *rs)
{
	return atomic_load_explicit(&rs->failed, memory_order_relaxed) ||
	       atomic_load_explicit(&rs->ctx->cancel, memory_order_relaxed);
}

void restore_fail(struct restore *rs, const struct err *e)
{
	pthread_mutex_lock(&rs->lock);
	if (!atomic_load(&rs->failed)) {
		rs->err = *e;
		atomic_store(&rs->failed, true);
	}
	pthread_mutex_unlock(&rs->lock);
}

void restore_problem(struct restore *rs, const char *path, const struct err *e)
{
	/* A full disk, a dead store or one that sleeps will not get better with the next file. */
	if (e->kind == ERR_NO_SPACE || e->kind == ERR_CANCELLED || e->kind == ERR_UNREACHABLE ||
	    e->kind == ERR_TIMEOUT || e->kind == ERR_COLD) {
		struct err fatal = *e;

		err_wrap(&fatal, "%s", path);
		if (e->kind == ERR_UNREACHABLE || e->kind == ERR_TIMEOUT)
			err_hint(&fatal,
			    "what is restored is whole; when the store answers again, go on "
			    "with --overwrite if-changed");
		restore_fail(rs, &fatal);
		return;
	}
	event_emit(rs->ctx, EVENT_FILE_FAILED, span_str(path), "%s", e->msg);
	atomic_fetch_add(&rs->ctx->progress.errors, 1);
	atomic_fetch_add(&rs->problems, 1);
	if (e->kind == ERR_CORRUPT)
		atomic_fetch_add(&rs->damaged, 1);
}

/* ---- Files. */

static struct span keep(struct buf *b, struct span s)
{
	size_t at = b->n;

	buf_put_span(b, s);
	return span_of(b->p + at, s.n);
}

/* A copy of an entry whose strings live in f. */
static void copy_entry(struct rfile *f, const struct entry *en)
{
	struct entry_xattr *x = NULL;
	size_t need = en->name.n + en->user.n + en->group.n + 64;

	for (size_t i = 0; i < en->nxattrs; i++)
		need += en->xattrs[i].name.n + en->xattrs[i].value.n;
	need += en->nxattrs * sizeof *x + en->nholes * sizeof *en->holes;
	buf_reserve(&f->strings, need);
	f->entry = *en;
	/* Arrays first, while the end is aligned; nothing here grows the buffer. */
	if (en->nholes) {
		f->entry.holes = (const void *)(f->strings.p + f->strings.n);
		buf_put(&f->strings, en->holes, en->nholes * sizeof *en->holes);
	}
	if (en->nxattrs) {
		x = (void *)buf_extend(&f->strings, en->nxattrs * sizeof *x);
		for (size_t i = 0; i < en->nxattrs; i++) {
			x[i].name = keep(&f->strings, en->xattrs[i].name);
			x[i].value = keep(&f->strings, en->xattrs[i].value);
		}
		f->entry.xattrs = x;
	}
	f->entry.name = keep(&f->strings, en->name);
	f->entry.user = keep(&f->strings, en->user);
	f->entry.group = keep(&f->strings, en->group);
}

struct rfile *restore_file_new(
    struct restore *rs, struct target_dir *dir, const struct entry *en, const char *path)
{
	struct rfile *f = mem_zalloc(sizeof *f);

	f->rs = rs;
	f->dir = target_dir_ref(dir);
	f->path = mem_strdup(path);
	atomic_init(&f->left, 1);
	copy_entry(f, en);
	return f;
}

static void file_free(struct rfile *f)
{
	target_dir_unref(f->dir);
	buf_fini(&f->strings);
	free(f->path);
	free(f);
}

/* Every segment is written: end it, or take away what is incomplete. */
static void file_finish(struct rfile *f)
{
	struct restore *rs = f->rs;
	enum restore_made made = RESTORE_FAILED;
	struct err e;

	err_clear(&e);
	if (atomic_load(&f->failed) || (restore_stopping(rs) && f->file != NULL)) {
		if (f->file != NULL)
			target_file_abort(f->file);
		made = atomic_load(&f->damaged) ? RESTORE_DAMAGED : RESTORE_FAILED;
	} else if (f->file != NULL && target_file_end(f->file, &e) == -1) {
		restore_problem(rs, f->path, &e);
	} else if (f->file != NULL) {
		bool right = f->again && !atomic_load(&f->changed);

		made = RESTORE_MADE;
		atomic_fetch_add(right ? &rs->again : &rs->files, 1);
		if (right)
			atomic_fetch_add(&rs->again_bytes, f->entry.size);
		atomic_fetch_add(&rs->ctx->progress.files, 1);
		event_emit(rs->ctx, EVENT_FILE_DONE, span_str(f->path), "%s",
		    right      ? "left as it is"
		    : f->again ? "changed"
			       : "restored");
	}
	restore_links_settle(rs, &f->entry, made);
	file_free(f);
}

int restore_file_begin(struct rfile *f, struct err *e)
{
	int rc = 0;

	if (f->rs->p->delta && f->entry.nholes == 0)
		rc = target_file_again(f->dir, &f->entry, &f->file, e);
	f->again = rc == 1;
	if (rc == 0)
		rc = target_file_begin(f->dir, &f->entry, &f->file, e);
	if (rc == -1)
		f->file = NULL;
	return rc == -1 ? -1 : 0;
}

static void file_part_done(struct rfile *f)
{
	if (atomic_fetch_sub_explicit(&f->left, 1, memory_order_acq_rel) == 1)
		file_finish(f);
}

void restore_file_planned(struct rfile *f)
{
	file_part_done(f);
}

static void file_failed(struct rfile *f, const struct err *e)
{
	if (e->kind == ERR_CORRUPT)
		atomic_store(&f->damaged, true);
	/* Once a file, however many of its segments suffer. */
	if (!atomic_exchange(&f->failed, true))
		restore_problem(f->rs, f->path, e);
}

/* ---- Data into holes' gaps. */

struct piece {
	struct target_file *file;
	struct span data;
};

static int write_piece(void *arg, uint64_t file_off, uint64_t at, uint64_t n, struct err *e)
{
	struct piece *p = arg;

	return target_file_write(p->file, file_off, span_of(p->data.p + at, (size_t)n), e);
}

static void write_segment(struct reader *rd, const struct rsegment *s, struct span frame)
{
	struct rfile *f = s->file;
	struct piece p = {.data = {NULL, 0}};
	struct err e;

	err_clear(&e);
	if (s->right || atomic_load(&f->failed) || restore_stopping(f->rs))
		return;
	if (frame.n >= s->at.blob_off && frame.n - s->at.blob_off >= s->at.blob_len)
		p.data = span_of(frame.p + s->at.blob_off, s->at.blob_len);
	/* Damaged here: perhaps there is another copy. */
	if ((p.data.p == NULL || !reader_check(rd, PURPOSE_CONTENT, p.data, &s->id)) &&
	    reader_blob(rd, PURPOSE_CONTENT, &s->id, &p.data, &e) == -1) {
		file_failed(f, &e);
		return;
	}
	if (f->file == NULL && restore_file_begin(f, &e) == -1) {
		file_failed(f, &e);
		return;
	}
	p.file = f->file;
	atomic_store(&f->changed, true);
	if (holes_map(&f->entry, s->data_off, p.data.n, write_piece, &p, &e) == -1) {
		file_failed(f, &e);
		return;
	}
	atomic_fetch_add(&f->rs->bytes, p.data.n);
	atomic_fetch_add(&f->rs->ctx->progress.bytes, p.data.n);
}

/* ---- Windows. */

static int by_place(const void *a, const void *b)
{
	const struct rsegment *x = a, *y = b;

	if (x->at.pack != y->at.pack)
		return x->at.pack < y->at.pack ? -1 : 1;
	if (x->at.off != y->at.off)
		return x->at.off < y->at.off ? -1 : 1;
	return (x->at.blob_off > y->at.blob_off) - (x->at.blob_off < y->at.blob_off);
}

static void window_free(struct rwindow *w)
{
	free(w->seg);
	free(w->group);
	free(w->run);
	free(w);
}

static const struct index_place *place_of(const struct rwindow *w, size_t group)
{
	return &w->seg[w->group[group]].at;
}

static uint64_t end_of(const struct index_place *at)
{
	return at->off + at->stored;
}

/* Near, each frame is read alone; from afar with its neighbours, and all who may ask have some. */
static void make_runs(const struct restore *rs, struct rwindow *w)
{
	uint64_t max = 0;

	for (size_t g = 0; g < w->ngroups; g++)
		max += place_of(w, g)->stored;
	max /= rs->far;
	max = rs->far <= 1 ? 0 : max < RUN_MIN ? RUN_MIN : max > RUN_MAX ? RUN_MAX : max;
	w->run = mem_alloc((w->ngroups + 1) * sizeof *w->run);
	for (size_t g = 0; g < w->ngroups; g++) {
		const struct index_place *at = place_of(w, g), *before, *first;

		if (g > 0) {
			before = place_of(w, g - 1);
			first = place_of(w, w->run[w->nruns - 1]);
			if (at->pack == before->pack && at->off >= end_of(before) &&
			    at->off - end_of(before) <= RUN_GAP && end_of(at) - first->off <= max)
				continue;
		}
		w->run[w->nruns++] = g;
	}
	w->run[w->nruns] = w->ngroups;
}

void restore_window_flush(struct restore *rs)
{
	struct rwindow *w = rs->window;

	rs->window = NULL;
	if (w == NULL)
		return;
	qsort(w->seg, w->n, sizeof *w->seg, by_place);
	w->group = mem_alloc((w->n + 1) * sizeof *w->group);
	for (size_t i = 0; i < w->n; i++)
		if (i == 0 || w->seg[i].at.frame != w->seg[i - 1].at.frame)
			w->group[w->ngroups++] = i;
	w->group[w->ngroups] = w->n;
	make_runs(rs, w);
	if (rs->far > 1 && rs->window_bytes < WINDOW_BYTES_FAR)
		rs->window_bytes *= 2;
	pthread_mutex_lock(&rs->lock);
	while (rs->waiting >= WINDOWS_AHEAD)
		pthread_cond_wait(&rs->less, &rs->lock);
	if (rs->last != NULL)
		rs->last->next = w;
	else
		rs->first = w;
	rs->last = w;
	rs->waiting++;
	pthread_cond_broadcast(&rs->more);
	pthread_mutex_unlock(&rs->lock);
}

/* A segment that waits holds its directory, and its file if that has others, open. */
static void hold(struct rwindow *w, const struct rfile *f)
{
	w->held += f->dir != w->dir;
	w->held += f != w->file && !f->single;
	w->dir = f->dir;
	w->file = f;
}

int restore_segment(struct restore *rs, struct rfile *f, const struct id *id, uint64_t data_off,
    uint64_t *len, struct err *e)
{
	struct rsegment *s;
	struct rwindow *w;
	struct index_place at;
	char hex[ID_HEX];
	int rc = reader_find_near(rs->reader, id, &at, e);

	if (rc == -1)
		return -1;
	if (rc == 0)
		return err_set(
		    e, ERR_CORRUPT, "blob %.16s of its content is in no index", id_hex(hex, id));
	if (at.kind != PURPOSE_CONTENT)
		return err_set(
		    e, ERR_CORRUPT, "blob %.16s of its content is no content", id_hex(hex, id));
	if (rs->window == NULL) {
		rs->window = mem_zalloc(sizeof *w);
		rs->window->seg = mem_alloc(rs->window_segments * sizeof *w->seg);
	}
	w = rs->window;
	s = &w->seg[w->n++];
	*s = (struct rsegment){.file = f, .id = *id, .at = at, .data_off = data_off};
	atomic_fetch_add(&f->left, 1);
	w->bytes += at.blob_len;
	hold(w, f);
	*len = at.blob_len;
	if (w->n == rs->window_segments || w->held >= rs->window_held ||
	    w->bytes >= rs->window_bytes)
		restore_window_flush(rs);
	return 0;
}

/* A window with a run that nobody has yet, or NULL at the end. */
static struct rwindow *claim(struct restore *rs, size_t *run)
{
	struct rwindow *w;

	pthread_mutex_lock(&rs->lock);
	for (;;) {
		for (w = rs->first; w != NULL && w->claimed == w->nruns; w = w->next)
			;
		if (w != NULL) {
			*run = w->claimed++;
			break;
		}
		if (rs->planned)
			break;
		pthread_cond_wait(&rs->more, &rs->lock);
	}
	pthread_mutex_unlock(&rs->lock);
	return w;
}

static void run_done(struct restore *rs, struct rwindow *w)
{
	struct rwindow **at;

	pthread_mutex_lock(&rs->lock);
	if (++w->done == w->nruns) {
		for (at = &rs->first; *at != w; at = &(*at)->next)
			;
		*at = w->next;
		rs->last = NULL;
		for (struct rwindow *x = rs->first; x != NULL; x = x->next)
			rs->last = x;
		rs->waiting--;
		pthread_cond_signal(&rs->less);
	} else {
		w = NULL;
	}
	pthread_mutex_unlock(&rs->lock);
	if (w != NULL)
		window_free(w);
}

/* The segments of one frame. */
static void write_group(
    struct restore *rs, struct reader *rd, struct rsegment *s, size_t n, struct buf *frame)
{
	struct err e;

	size_t left = 0;

	for (size_t i = 0; i < n; i++)
		left += !s[i].right;
	buf_reset(frame);
	if (left > 0 && !restore_stopping(rs) && reader_frame(rd, &s->at, frame, &e) == -1)
		buf_reset(frame); /* each blob is tried alone */
	for (size_t i = 0; i < n; i++) {
		write_segment(rd, &s[i], buf_span(frame));
		file_part_done(s[i].file);
	}
}

static void write_run(
    struct restore *rs, struct reader *rd, struct rwindow *w, size_t run, struct buf *frame)
{
	size_t g = w->run[run], end = w->run[run + 1];
	const struct index_place *first = place_of(w, g);
	uint64_t bytes = end - g > 1 ? end_of(place_of(w, end - 1)) - first->off : 0, need = 0;
	struct err e;
	bool right = rs->p->delta &&
		     restore_delta_run(rs, rd, &w->seg[w->group[g]], w->group[end] - w->group[g]);

	if (right) {
		for (size_t i = w->group[g]; i < w->group[end]; i++)
			file_part_done(w->seg[i].file);
		return;
	}
	/* As stored, opened, and decompressed. */
	for (size_t i = g; i < end; i++) {
		const struct index_place *at = place_of(w, i);
		uint64_t one = 2 * (uint64_t)at->stored + at->plain;

		need = one > need ? one : need;
	}
	if (!restore_stopping(rs) && restore_cold_wait(rs, rd, first, &e) == -1)
		restore_fail(rs, &e);
	budget_take(&rs->frames, need + bytes);
	if (bytes > 0 && !restore_stopping(rs))
		reader_ahead(rd, first, bytes, &e);
	for (; g < end; g++)
		write_group(rs, rd, &w->seg[w->group[g]], w->group[g + 1] - w->group[g], frame);
	if (frame->cap > rs->keep)
		buf_fini(frame);
	reader_shrink(rd, rs->keep);
	budget_give(&rs->frames, need + bytes);
}

void *restore_worker_main(void *arg)
{
	struct restore *rs = arg;
	struct reader *rd = reader_new(rs->repo);
	struct buf frame = {0};
	struct rwindow *w;
	size_t run;

	reader_set_domain(rd, snapshot_domain(rs->p->snapshot));
	reader_keep_up(rd);
	while ((w = claim(rs, &run)) != NULL) {
		write_run(rs, rd, w, run, &frame);
		run_done(rs, w);
	}
	buf_fini(&frame);
	reader_free(rd);
	return NULL;
}
