/*
 * backup_late: what is read when all else is.  Its slices wait for it, and their directories with
 * them; there is little of it, and it lies near the root.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/backup_internal.h"

void backup_late_add(struct backup *b, struct bslice *s, size_t slot)
{
	b->late = mem_realloc(b->late, (b->nlate + 1) * sizeof *b->late);
	b->late[b->nlate++] = (struct btask){s, slot};
	s->dir->late = true;
}

/* Nothing is left in the queue, and nobody is at work on what was. */
static void wait_until_idle(struct backup *b)
{
	pthread_mutex_lock(&b->queue_lock);
	while (b->count > 0 || b->busy > 0)
		pthread_cond_wait(&b->queue_less, &b->queue_lock);
	pthread_mutex_unlock(&b->queue_lock);
}

/* As it is now; false if it is not there after all. */
static bool look_again(struct bworker *w, struct bslice *s, struct bentry *en)
{
	struct bdir *d = s->dir;
	enum source_look what = SOURCE_SKIP;
	struct err e;

	if (d->src->source->ops->look(d->src, bentry_name(d, en), &en->st, &what, &e) == -1) {
		char *path = backup_path(d, en);

		backup_problem(w->b, path, &e);
		free(path);
		return false;
	}
	/* It is another one in each run, however it looks. */
	en->was_racy |= en->same;
	en->same = false;
	en->racy = true;
	s->same = false;
	return what == SOURCE_TAKE;
}

void backup_late_run(struct bworker *walker)
{
	struct backup *b = walker->b;
	bool good = b->nlate > 0;
	struct err e;

	if (!good)
		return;
	wait_until_idle(b);
	if (!backup_stopping(b) && b->source->ops->late(b->source, &e) == -1) {
		b->part->failed = true;
		b->part->err = e;
	}
	good = !backup_stopping(b) && !b->part->failed;
	for (size_t i = 0; i < b->nlate; i++) {
		struct bslice *s = b->late[i].slice;
		struct bentry *en = &s->entries[b->late[i].slot];

		if (good && look_again(walker, s, en)) {
			backup_enqueue(b, s, b->late[i].slot);
			continue;
		}
		en->skip = true;
		backup_entry_done(walker, s);
	}
	free(b->late);
	b->late = NULL;
	b->nlate = 0;
}
