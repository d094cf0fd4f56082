/*
 * backup_dir: a directory whose entries are all done becomes a tree, which
 * is handed to its parent; up to the root, whose tree is the snapshot's.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/backup_internal.h"

void backup_dir_free(struct bdir *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->entries[i].ids);
		free(d->entries[i].holes);
	}
	free(d->entries);
	free(d->blobs);
	source_names_fini(&d->names);
	source_dir_unref(d->src);
	free(d);
}

int backup_put_own(
    void *arg, enum format_purpose kind, struct span blob, struct id *id, struct err *e)
{
	struct bworker *w = arg;

	if (writer_add(w->lane, kind, blob, id, NULL, e) == -1)
		return -1;
	buf_put(&w->blobs, id, sizeof *id);
	return 0;
}

/* The cached tree serves if all it reaches in one step is still there. */
static bool reusable(struct bworker *w, const struct bdir *d)
{
	struct err e;

	if (!d->same)
		return false;
	for (size_t i = 0; i < d->nblobs; i++)
		if (writer_has(w->b->writer, &d->blobs[i], NULL, &e) != 1)
			return false;
	return writer_has(w->b->writer, &d->cached_tree, NULL, &e) == 1;
}

static int add_entry(struct bworker *w, struct bdir *d, struct bentry *en, struct err *e)
{
	struct tree_ref ref = {(enum tree_tag)en->tag, en->depth, en->nids, bentry_ids(en)};
	struct entry out;

	buf_reset(&w->hold);
	if (d->src->source->ops->fill(d->src, bentry_name(d, en), &en->st, &out, &w->hold, e) ==
	    -1) {
		char *path = backup_path(d, en);

		backup_problem(w->b, path, e);
		atomic_store(&d->partial, true);
		free(path);
		en->skip = true;
		return 0;
	}
	out.changed = en->changed;
	out.holes = en->holes;
	out.nholes = en->nholes;
	if (tree_writer_add(w->tree, &out, &ref, e) == -1)
		return -1;
	return 0;
}

/* A directory that could not be read keeps its name and metadata. */
static int empty_tree(struct bworker *w, struct bentry *en, struct err *e)
{
	en->tag = TREE_DIR;
	en->nids = 1;
	return tree_writer_end(w->tree, &en->one, e);
}

static int encode(struct bworker *w, struct bdir *d, struct id *tree, struct err *e)
{
	tree_writer_reset(w->tree);
	for (size_t i = 0; i < d->n; i++)
		if (d->entries[i].missing && empty_tree(w, &d->entries[i], e) == -1)
			return -1;
	buf_reset(&w->blobs);
	for (size_t i = 0; i < d->n; i++)
		if (!d->entries[i].skip && add_entry(w, d, &d->entries[i], e) == -1)
			return -1;
	return tree_writer_end(w->tree, tree, e);
}

/* The record for the next run: entries, and the tree's own blobs last. */
static void remember(struct bworker *w, struct bdir *d, const struct id *tree)
{
	struct backup *b = w->b;
	struct file_cache_dir rec = {.tree = *tree, .n = 0};
	struct err e;

	if (b->cache_out == NULL)
		return;
	rec.entries = mem_zalloc((d->n + 1) * sizeof *rec.entries);
	memcpy(rec.path, d->path_fp, FILE_CACHE_FP);
	for (size_t i = 0; i < d->n; i++) {
		struct bentry *en = &d->entries[i];
		struct file_cache_entry *out = &rec.entries[rec.n];

		if (en->skip)
			continue;
		/* What was not read whole is not the same next time, however it looks. */
		if (!en->missing && !(en->changed && en->tag == TREE_DIR))
			memcpy(out->fp, en->fp, FILE_CACHE_FP);
		out->extra = span_of(en->holes, en->nholes * sizeof *en->holes);
		out->racy = en->racy;
		out->tag = en->tag;
		out->depth = en->depth;
		out->nids = en->nids;
		out->ids = bentry_ids(en);
		rec.n++;
	}
	rec.entries[rec.n].tag = TREE_CONTENT;
	rec.entries[rec.n].nids = (uint32_t)(w->blobs.n / ID_SIZE);
	rec.entries[rec.n].ids = (const struct id *)(const void *)w->blobs.p;
	rec.n++;
	pthread_mutex_lock(&b->cache_lock);
	if (b->cache_out != NULL && file_cache_put(b->cache_out, &rec, &e) == -1) {
		event_emit(b->ctx, EVENT_WARNING, span_of(NULL, 0), "file cache: %s", e.msg);
		file_cache_abort(b->cache_out);
		b->cache_out = NULL;
	}
	pthread_mutex_unlock(&b->cache_lock);
	free(rec.entries);
}

static int finish(struct bworker *w, struct bdir *d, struct id *tree, struct err *e)
{
	if (reusable(w, d)) {
		*tree = d->cached_tree;
		buf_reset(&w->blobs);
		buf_put(&w->blobs, d->blobs, d->nblobs * ID_SIZE);
	} else if (encode(w, d, tree, e) == -1) {
		return -1;
	}
	remember(w, d, tree);
	return 0;
}

/* Into the parent's entry, or the run's result. */
static void hand_up(struct backup *b, struct bdir *d, const struct id *tree)
{
	struct bdir *up = d->parent;
	struct bentry *en;

	if (up == NULL) {
		pthread_mutex_lock(&b->result_lock);
		b->tree = *tree;
		b->done = true;
		pthread_mutex_unlock(&b->result_lock);
		return;
	}
	en = &up->entries[d->slot];
	en->changed = atomic_load(&d->partial);
	/* Seen by the finisher of the parent: `pending` orders it. */
	if (!en->same || en->changed || !id_eq(&en->one, tree))
		atomic_store(&up->same, false);
	en->tag = TREE_DIR;
	en->nids = 1;
	en->one = *tree;
}

void backup_dir_done(struct bworker *w, struct bdir *d)
{
	while (d != NULL && atomic_fetch_sub_explicit(&d->pending, 1, memory_order_acq_rel) == 1) {
		struct bdir *up = d->parent;
		struct id tree = {{0}};
		struct err e;

		err_clear(&e);
		if (!backup_stopping(w->b)) {
			if (finish(w, d, &tree, &e) == -1)
				backup_fail(w->b, &e);
			else
				hand_up(w->b, d, &tree);
		}
		backup_dir_free(d);
		d = up;
	}
}
