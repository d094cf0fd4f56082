/*
 * backup_threads: a walker and its workers, from the first name of a source to the last; see
 * backup_internal.h.  The walker is the calling thread; workers read.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/backup_internal.h"
#include "os/os.h"

static void worker_init(struct bworker *w, struct backup *b)
{
	memset(w, 0, sizeof *w);
	w->b = b;
	w->lane = writer_lane_new(b->writer);
	w->tree = backup_tree_new();
	w->content = content_writer_new(writer_tree_put, w->lane);
	w->reader = reader_new(b->repo);
}

static void worker_fini(struct bworker *w)
{
	writer_lane_free(w->lane);
	backup_tree_free(w->tree);
	content_writer_free(w->content);
	reader_free(w->reader);
	buf_fini(&w->hold);
	free(w->known.ids);
	free(w->data);
}

/* Nothing more comes: let them finish what there is. */
static void end_workers(struct backup *b, unsigned started)
{
	pthread_mutex_lock(&b->queue_lock);
	b->walked = true;
	pthread_cond_broadcast(&b->queue_more);
	pthread_mutex_unlock(&b->queue_lock);
	for (unsigned i = 0; i < started; i++)
		pthread_join(b->workers[i].thread, NULL);
	for (unsigned i = 0; i < b->nworkers; i++)
		worker_fini(&b->workers[i]);
	free(b->workers);
}

void backup_run_threads(struct backup *b)
{
	unsigned n = os_workers(b->p->jobs), started = 0;
	struct bworker walker;
	pthread_t counter;
	bool counting = b->counted != NULL &&
			pthread_create(&counter, NULL, backup_count_main, b) == 0;
	struct err e;
	int rc = 0;

	b->ctx->progress.threads = n;
	worker_init(&walker, b);
	b->workers = mem_zalloc(n * sizeof *b->workers);
	for (; b->nworkers < n; b->nworkers++)
		worker_init(&b->workers[b->nworkers], b);
	for (; started < n && rc == 0; started++)
		if (pthread_create(&b->workers[started].thread, NULL, backup_worker_main,
			&b->workers[started]) != 0) {
			rc = err_set(&e, ERR_FAILED, "cannot start a thread");
			break;
		}
	if (rc == 0)
		rc = backup_walk(&walker, &e);
	if (rc == -1)
		backup_fail(b, &e);
	end_workers(b, started);
	if (writer_lane_flush(walker.lane, &e) == -1)
		backup_fail(b, &e);
	pthread_mutex_lock(&b->queue_lock);
	b->count_stop = true;
	pthread_cond_signal(&b->count_wake);
	pthread_mutex_unlock(&b->queue_lock);
	if (counting)
		pthread_join(counter, NULL);
	worker_fini(&walker);
	b->workers = NULL;
	b->nworkers = 0;
	b->walked = false;
	b->count_stop = false;
}
