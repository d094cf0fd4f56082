/* source: what every driver shares: counted directories, names, closing. */
#include "source/source.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

void *source_dir_new(size_t size, struct source *s, struct source_dir *parent, char *path,
    void (*free)(struct source_dir *))
{
	struct source_dir *d = mem_zalloc(size);

	d->source = s;
	d->parent = parent ? source_dir_ref(parent) : NULL;
	d->refs = 1;
	d->path = path;
	d->free = free;
	return d;
}

struct source_dir *source_dir_ref(struct source_dir *d)
{
	atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
	return d;
}

void source_dir_unref(struct source_dir *d)
{
	/* A loop, for the last file of a deep tree lets go of every level at once. */
	while (d != NULL && atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel) == 1) {
		struct source_dir *parent = d->parent;

		d->free(d);
		d = parent;
	}
}

void source_names_fini(struct source_names *names)
{
	buf_fini(&names->text);
	free(names->at);
	*names = (struct source_names){0};
}

struct source_dir *source_enter_none(
    struct source_dir *d, const char *name, const struct source_stat *st, struct err *e)
{
	err_set(e, ERR_ABSENT, "/%s: not a directory", name);
	return NULL;
}

int source_fill_plain(struct source_dir *d, const char *name, const struct source_stat *st,
    struct entry *out, struct buf *hold, struct err *e)
{
	size_t at = hold->n;

	buf_put(hold, name, strlen(name));
	*out = (struct entry){
	    .type = st->type,
	    .name = span_of(hold->p + at, hold->n - at),
	    .size = st->size,
	    .mode = st->mode,
	    .uid = st->uid,
	    .gid = st->gid,
	    .mtime = st->mtime,
	    .mtime_ns = st->mtime_ns,
	};
	return 0;
}

void source_reader_abandon(struct source_reader *r)
{
	bool changed;
	uint64_t size;
	struct err e;

	if (r != NULL)
		r->source->ops->finish(r, &changed, &size, &e);
}

void source_close(struct source *s)
{
	if (s != NULL)
		s->ops->close(s);
}
