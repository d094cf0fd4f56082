/* backup_new: a struct backup made and freed: locks, limits, keys; see backup_internal.h. */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/backup_internal.h"
#include "os/os.h"

static void init_locks(struct backup *b)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&b->queue_lock, NULL);
	pthread_mutex_init(&b->cache_lock, NULL);
	pthread_mutex_init(&b->slice_lock, NULL);
	pthread_cond_init(&b->slice_less, NULL);
	budget_init(&b->rings, RINGS_BYTES);
	pthread_mutex_init(&b->result_lock, NULL);
	pthread_cond_init(&b->queue_more, NULL);
	pthread_cond_init(&b->queue_less, NULL);
	pthread_cond_init(&b->chunk_done, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->count_wake, &attr);
	pthread_condattr_destroy(&attr);
}

void backup_free(struct backup *b)
{
	for (size_t i = 0; i < b->nerrors; i++) {
		free(b->errors[i].path);
		free(b->errors[i].message);
	}
	backup_past_free(b->past);
	file_cache_close(b->cache);
	file_cache_abort(b->cache_out);
	source_close(b->source);
	source_close(b->counted);
	backup_parts_free(b);
	free(b->late);
	for (size_t i = b->ntargets; i-- > 0;)
		writer_free(b->writers[i]);
	pthread_mutex_destroy(&b->queue_lock);
	pthread_mutex_destroy(&b->cache_lock);
	pthread_mutex_destroy(&b->slice_lock);
	pthread_cond_destroy(&b->slice_less);
	budget_fini(&b->rings);
	pthread_mutex_destroy(&b->result_lock);
	pthread_cond_destroy(&b->queue_more);
	pthread_cond_destroy(&b->queue_less);
	pthread_cond_destroy(&b->chunk_done);
	pthread_cond_destroy(&b->count_wake);
	free(b);
}

struct backup *backup_new(struct repo *r, const struct backup_params *p, struct ctx *ctx)
{
	struct backup *b = mem_zalloc(sizeof *b);

	b->repo = r;
	b->ctx = ctx;
	b->clock = os_clock_of(ctx);
	b->p = p;
	init_locks(b);
	/* A file that waits holds its directory's descriptor. */
	b->queue_max = os_nofile() / 3 < QUEUE_MAX ? os_nofile() / 3 : QUEUE_MAX;
	writer_chunker(r, p->fixed ? CHUNKER_FIXED : CHUNKER_GEAR, &b->chunker);
	writer_fingerprint(r, span_str("file cache 0"), b->sip[0]);
	writer_fingerprint(r, span_str("file cache 1"), b->sip[1]);
	return b;
}
