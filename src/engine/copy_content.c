/*
 * copy_content: see copy_internal.h.
 *
 * The walk of refs marks what the snapshot needs; then the source's packs are gone through in
 * the index's order, and each frame with something that is needed and not known is a job: it is
 * read and opened once, whatever order the files have.  A queue of a few jobs and a budget for
 * the frames in the workers' hands bound the memory.
 */
#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "engine/budget.h"
#include "engine/copy_internal.h"
#include "engine/reach.h"
#include "os/os.h"
#include "repo/family.h"
#include "repo/repo_object.h"

enum {
	JOBS = 8,
	READING = 24 << 20, /* bytes of frames in all workers' hands: sealed, packed and plain */
	KEEP = 256 << 10,   /* of a buffer, for the next frame */
};

/* The needed blobs of one frame. */
struct job {
	struct index_place at;
	uint8_t key[FORMAT_SEALED_KEY]; /* a reload would take the index's copy away */
	struct pack_blob *blobs;        /* all of the frame */
	bool *need;
	uint32_t n, needed;
};

struct pool {
	struct copying *c;
	uint64_t domain; /* of what is read */
	pthread_mutex_t lock;
	pthread_cond_t more, less;
	struct job *v[JOBS];
	unsigned n;
	struct budget reading;
	bool ended, failed;
	struct err err;
	struct copy_result sum;
};

struct worker {
	pthread_t thread;
	struct pool *pool;
	struct reader *reader;
	struct writer_lane *lane;
	struct buf frame;
};

static void job_free(struct job *j)
{
	if (j == NULL)
		return;
	free(j->blobs);
	free(j->need);
	free(j);
}

static void fail(struct pool *p, const struct err *e)
{
	pthread_mutex_lock(&p->lock);
	if (!p->failed)
		p->err = *e;
	p->failed = true;
	pthread_cond_broadcast(&p->less);
	pthread_cond_broadcast(&p->more);
	pthread_mutex_unlock(&p->lock);
}

/* ---- Workers. */

/* Every needed blob, whose ids were checked. */
static int add_blobs(struct worker *w, const struct job *j, struct err *e)
{
	struct copying *c = w->pool->c;
	size_t at = 0;

	writer_lane_pages(w->lane, j->at.codec == CODEC_PAGES);
	if (c->same && j->needed == j->n && j->n <= FAMILY_BLOBS_MAX)
		return writer_add_frame(w->lane, PURPOSE_CONTENT, j->blobs, j->n,
		    buf_span(&w->frame), j->at.codec, reader_packed(w->reader), e);
	for (uint32_t i = 0; i < j->n; at += j->blobs[i++].len) {
		struct id to;

		if (!j->need[i])
			continue;
		if (writer_add(w->lane, PURPOSE_CONTENT, span_of(w->frame.p + at, j->blobs[i].len),
			&to, NULL, e) == -1)
			return -1;
		if (!c->same)
			copy_map_put(c->map, &j->blobs[i].id, &to);
	}
	return 0;
}

/* Are the bytes what their ids say?  Where not, copy_tree looks for another copy, or tells. */
static bool frame_right(struct worker *w, const struct job *j)
{
	size_t at = 0;

	for (uint32_t i = 0; i < j->n; at += j->blobs[i++].len)
		if (j->blobs[i].len > w->frame.n - at ||
		    (j->need[i] && !reader_check(w->reader, PURPOSE_CONTENT,
				       span_of(w->frame.p + at, j->blobs[i].len), &j->blobs[i].id)))
			return false;
	return at == w->frame.n;
}

static void count(struct pool *p, const struct job *j, uint64_t bytes)
{
	pthread_mutex_lock(&p->lock);
	p->sum.blobs_read += j->needed;
	p->sum.bytes_read += bytes;
	p->sum.frames_kept += p->c->same && j->needed == j->n;
	pthread_mutex_unlock(&p->lock);
	atomic_fetch_add(&p->c->ctx->progress.bytes, bytes);
}

static void read_job(struct worker *w, const struct job *j)
{
	uint64_t bytes = 0;
	struct err e;

	if (reader_frame(w->reader, &j->at, &w->frame, &e) == -1) {
		/* So will the others be, and each try costs. */
		if (e.kind == ERR_COLD)
			fail(w->pool, &e);
		return;
	}
	if (!frame_right(w, j))
		return;
	if (copy_to(w->pool->c, add_blobs(w, j, &e), &e) == -1) {
		fail(w->pool, &e);
		return;
	}
	for (uint32_t i = 0; i < j->n; i++)
		bytes += j->need[i] ? j->blobs[i].len : 0;
	count(w->pool, j, bytes);
}

static void do_job(struct worker *w, const struct job *j)
{
	uint64_t need = j->at.stored + 2 * (uint64_t)j->at.plain;

	budget_take(&w->pool->reading, need);
	read_job(w, j);
	reader_shrink(w->reader, KEEP);
	if (w->frame.cap > KEEP)
		buf_fini(&w->frame);
	budget_give(&w->pool->reading, need);
}

static struct job *next_job(struct pool *p)
{
	struct job *j = NULL;

	pthread_mutex_lock(&p->lock);
	while (p->n == 0 && !p->ended && !p->failed)
		pthread_cond_wait(&p->more, &p->lock);
	if (p->n > 0 && !p->failed) {
		j = p->v[0];
		p->n--;
		memmove(p->v, p->v + 1, p->n * sizeof *p->v);
		pthread_cond_signal(&p->less);
	}
	pthread_mutex_unlock(&p->lock);
	return j;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct job *j;
	struct err e;

	while ((j = next_job(w->pool)) != NULL) {
		do_job(w, j);
		job_free(j);
	}
	if (copy_to(w->pool->c, writer_lane_flush(w->lane, &e), &e) == -1)
		fail(w->pool, &e);
	return NULL;
}

/* ---- Jobs. */

/* Does anything stand for it in `to`?  1, 0, -1. */
static int known(struct copying *c, const struct id *id, struct err *e)
{
	struct id to = *id;

	if (!c->same && !copy_map_get(c->map, id, &to))
		return 0;
	return copy_to(c, writer_has(c->writer, &to, &c->near, e), e);
}

/* The frame's blobs, and which of them are to be read; NULL if none is. */
static struct job *make_job(struct copying *c, const struct reach *h, const struct pack_dir *dir,
    const struct pack_frame *f, uint64_t first_blob, struct err *e)
{
	struct job *j = mem_zalloc(sizeof *j);

	j->n = f->nblobs;
	j->blobs = mem_dup(&dir->blobs[f->first], f->nblobs * sizeof *j->blobs);
	j->need = mem_zalloc(f->nblobs * sizeof *j->need);
	for (uint32_t i = 0; i < f->nblobs; i++) {
		int has = 1;

		if (reach_has(h, first_blob + f->first + i) &&
		    (has = known(c, &j->blobs[i].id, e)) == -1) {
			job_free(j);
			return NULL;
		}
		j->need[i] = has == 0;
		j->needed += has == 0;
	}
	return j;
}

static int put_job(struct pool *p, struct job *j, struct err *e)
{
	bool failed;

	pthread_mutex_lock(&p->lock);
	while (p->n == JOBS && !p->failed)
		pthread_cond_wait(&p->less, &p->lock);
	failed = p->failed;
	if (!failed) {
		p->v[p->n++] = j;
		pthread_cond_signal(&p->more);
	}
	pthread_mutex_unlock(&p->lock);
	if (!failed)
		return 0;
	job_free(j);
	return err_set(e, ERR_FAILED, "a worker failed");
}

static void place(struct job *j, uint32_t pack, const struct index_pack *desc,
    const struct pack_frame *f, uint64_t off)
{
	memcpy(j->key, desc->slots[f->slot], FORMAT_SEALED_KEY);
	j->at = (struct index_place){.pack = pack,
	    .kind = f->kind,
	    .codec = f->codec,
	    .off = off,
	    .stored = f->stored,
	    .plain = f->plain,
	    .sealed_key = j->key};
}

static int pack_jobs(
    struct pool *p, const struct reach *h, uint32_t ordinal, struct pack_dir *dir, struct err *e)
{
	struct index_cache *index = repo_index(p->c->from);
	struct index_cache_pack pack;
	struct index_pack desc;
	uint64_t off;

	if (index_cache_pack(index, ordinal, &pack, e) == -1)
		return -1;
	if (pack.type != FORMAT_PACK || pack.hidden || pack.origin.domain != p->domain)
		return 0;
	if (index_cache_pack_dir(index, ordinal, dir, &desc, e) == -1)
		return -1;
	off = desc.first_off;
	for (size_t i = 0; i < dir->nframes; off += dir->frames[i++].stored) {
		const struct pack_frame *f = &dir->frames[i];
		struct job *j;

		if (f->kind != PURPOSE_CONTENT || f->slot >= desc.nslots)
			continue;
		if ((j = make_job(p->c, h, dir, f, pack.first_blob, e)) == NULL)
			return -1;
		if (j->needed == 0) {
			job_free(j);
			continue;
		}
		place(j, ordinal, &desc, f, off);
		if (put_job(p, j, e) == -1)
			return -1;
	}
	return ctx_check(p->c->ctx, e);
}

/*
 * Ordinals are those of the index as the walk saw it: it is not loaded again here, for workers
 * read frames by their places, never blobs by their ids.
 */
static int all_jobs(struct pool *p, const struct reach *h, struct err *e)
{
	uint64_t generation = repo_index_generation(p->c->from);
	struct pack_dir dir = {0};
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < index_cache_packs(repo_index(p->c->from)); i++) {
		if (generation != repo_index_generation(p->c->from))
			break;
		rc = pack_jobs(p, h, i, &dir, e);
	}
	pack_dir_fini(&dir);
	return rc;
}

static void worker_fini(struct worker *w)
{
	reader_free(w->reader);
	writer_lane_free(w->lane);
	buf_fini(&w->frame);
}

static int run_pool(struct pool *p, const struct reach *h, struct err *e)
{
	struct worker *v = mem_zalloc(p->c->workers * sizeof *v);
	unsigned started = 0;
	int rc = 0;

	for (; started < p->c->workers && rc == 0; started++) {
		struct worker *w = &v[started];

		w->pool = p;
		w->reader = reader_new(p->c->from);
		w->lane = writer_lane_new(p->c->writer);
		if (pthread_create(&w->thread, NULL, worker_main, w) != 0) {
			worker_fini(w);
			rc = err_set(e, ERR_FAILED, "cannot start a thread");
			break;
		}
	}
	if (rc == 0)
		rc = all_jobs(p, h, e);
	if (rc == -1)
		fail(p, e);
	pthread_mutex_lock(&p->lock);
	p->ended = true;
	pthread_cond_broadcast(&p->more);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < started; i++) {
		pthread_join(v[i].thread, NULL);
		worker_fini(&v[i]);
	}
	free(v);
	while (p->n > 0)
		job_free(p->v[--p->n]);
	if (p->failed)
		*e = p->err;
	return p->failed ? -1 : 0;
}

/* Only looked up: what is missing is told by copy_tree, with its file's name. */
static int ignore_missing(
    void *arg, enum format_purpose kind, const struct id *id, const struct err *why, struct err *e)
{
	(void)arg, (void)kind, (void)id, (void)why, (void)e;
	return 0;
}

int copy_content(struct copying *c, const struct snapshot *s, struct err *e)
{
	struct pool p = {.c = c, .domain = snapshot_domain(s)};
	struct reach *h;
	int rc;

	if (repo_index_load(c->from, false, e) == -1)
		return -1;
	h = reach_new(c->from);
	pthread_mutex_init(&p.lock, NULL);
	pthread_cond_init(&p.more, NULL);
	pthread_cond_init(&p.less, NULL);
	budget_init(&p.reading, READING);
	rc = reach_snapshot(h, c->reader, s, c->ctx, ignore_missing, NULL, e);
	if (rc == 0)
		rc = run_pool(&p, h, e);
	c->out->blobs_read += p.sum.blobs_read;
	c->out->bytes_read += p.sum.bytes_read;
	c->out->frames_kept += p.sum.frames_kept;
	pthread_mutex_destroy(&p.lock);
	pthread_cond_destroy(&p.more);
	pthread_cond_destroy(&p.less);
	budget_fini(&p.reading);
	reach_free(h);
	return rc;
}
