/*
 * backup_count: a second walk that only counts, so that progress can show
 * how much there is to do.  It tells nothing and its failures don't matter.
 */
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "engine/backup_internal.h"
#include "os/os.h"

static void count_dir(struct backup *b, struct source_dir *d, unsigned depth)
{
	const struct source_ops *ops = d->source->ops;
	struct source_names names = {0};
	struct progress *p = &b->ctx->progress;
	struct err e;

	if (ops->list(d, &names, &e) == -1)
		names.n = 0;
	for (size_t i = 0; i < names.n && !b->count_stop && !backup_stopping(b); i++) {
		const char *name = source_name(&names, i);
		struct source_stat st;
		enum source_look what;
		struct source_dir *sub;

		if (ops->look(d, name, &st, &what, &e) == -1 || what == SOURCE_SKIP)
			continue;
		if (st.type == ENTRY_FILE) {
			atomic_fetch_add(&p->total_files, 1);
			atomic_fetch_add(&p->total_bytes, st.size);
			atomic_fetch_add(&p->class[eta_class_of(st.size)].total_files, 1);
			atomic_fetch_add(&p->class[eta_class_of(st.size)].total_bytes, st.size);
		} else if (st.type == ENTRY_DIR && depth < ENTRY_DEPTH_MAX &&
			   (sub = ops->enter(d, name, &st, &e)) != NULL) {
			count_dir(b, sub, depth + 1);
			source_dir_unref(sub);
		}
	}
	source_names_fini(&names);
}

static void count_all(void *backup)
{
	struct backup *b = backup;
	struct source_stat st;
	struct err e;
	struct source_dir *root = b->counted->ops->root(b->counted, &st, &e);

	if (root != NULL) {
		count_dir(b, root, 0);
		source_dir_unref(root);
	}
	if (!b->count_stop)
		atomic_store(&b->ctx->progress.total_known, true);
}

/*
 * Short runs need no forecast, and shall not pay for one; nor shall those that
 * nobody looks at.  Somebody may begin to look at any time.
 */
static void wait_until_wanted(struct backup *b)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	pthread_mutex_lock(&b->queue_lock);
	do {
		until.tv_sec++;
		while (!b->count_stop &&
		       pthread_cond_timedwait(&b->count_wake, &b->queue_lock, &until) == 0)
			;
	} while (!b->count_stop && !b->ctx->progress.wanted);
	pthread_mutex_unlock(&b->queue_lock);
}

void *backup_count_main(void *backup)
{
	struct backup *b = backup;

	wait_until_wanted(b);
	if (!b->count_stop)
		os_call_deep(count_all, b);
	return NULL;
}
