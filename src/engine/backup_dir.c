/*
 * backup_dir: slices of a directory become its tree, which is handed to the
 * parent; up to the root, whose tree is the snapshot's.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/backup_internal.h"

static int put(void *arg, enum format_purpose kind, struct span blob, struct id *id, struct err *e)
{
	const struct btree *t = arg;

	return writer_add(t->lane, kind, blob, id, NULL, e);
}

struct btree *backup_tree_new(void)
{
	struct btree *t = mem_zalloc(sizeof *t);

	t->writer = tree_writer_new(put, t);
	return t;
}

void backup_tree_free(struct btree *t)
{
	if (t == NULL)
		return;
	tree_writer_free(t->writer);
	buf_fini(&t->leaves);
	free(t);
}

/* A directory of one slice is encoded by one worker, with its own tree. */
static struct btree *tree_of(struct bworker *w, const struct bdir *d)
{
	struct btree *t = d->tree != NULL ? d->tree : w->tree;

	t->lane = w->lane;
	return t;
}

/* The cached leaves serve if all they reach in one step is still there. */
static bool reusable(struct bworker *w, const struct bslice *s)
{
	struct err e;

	if (!s->same)
		return false;
	for (size_t i = 0; i < 2 * s->nleaves; i++)
		if (writer_has(w->b->writer, &s->leaves[i], NULL, &e) != 1)
			return false;
	return true;
}

static int add_entry(
    struct bworker *w, struct btree *t, struct bdir *d, struct bentry *en, struct err *e)
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
	return tree_writer_add(t->writer, &out, &ref, e);
}

/* A directory that could not be read keeps its name and metadata. */
static int empty_tree(struct bworker *w, struct bentry *en, struct err *e)
{
	en->tag = TREE_DIR;
	en->nids = 1;
	w->tree->lane = w->lane;
	return tree_writer_end(w->tree->writer, &en->one, e);
}

static int encode(struct bworker *w, struct bslice *s, struct err *e)
{
	struct bdir *d = s->dir;
	struct btree *t = tree_of(w, d);

	buf_reset(&t->leaves);
	if (reusable(w, s)) {
		if (tree_writer_reuse(t->writer, s->leaves, s->nleaves, e) == -1)
			return -1;
		return tree_writer_cut(t->writer, &t->leaves, e);
	}
	for (size_t i = 0; i < s->n; i++)
		if (s->entries[i].missing && empty_tree(w, &s->entries[i], e) == -1)
			return -1;
	for (size_t i = 0; i < s->n; i++)
		if (!s->entries[i].skip && add_entry(w, t, d, &s->entries[i], e) == -1)
			return -1;
	return tree_writer_cut(t->writer, &t->leaves, e);
}

/* The record for the next run: entries, and the leaves last. */
static void remember(struct bworker *w, struct bslice *s)
{
	struct backup *b = w->b;
	const struct buf *leaves = &tree_of(w, s->dir)->leaves;
	struct file_cache_dir rec = {.n = 0};
	struct err e;

	if (b->cache_out == NULL)
		return;
	rec.entries = mem_zalloc((s->n + 1) * sizeof *rec.entries);
	memcpy(rec.key, s->key, FILE_CACHE_FP);
	for (size_t i = 0; i < s->n; i++) {
		struct bentry *en = &s->entries[i];
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
	rec.entries[rec.n].nids = (uint32_t)(leaves->n / ID_SIZE);
	rec.entries[rec.n].ids = (const struct id *)(const void *)leaves->p;
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

void backup_slice_encode(struct bworker *w, struct bslice *s)
{
	struct err e;

	err_clear(&e);
	if (backup_stopping(w->b))
		return;
	if (encode(w, s, &e) == -1)
		backup_fail(w->b, &e);
	else
		remember(w, s);
}

/* Into the parent's entry, or the run's result. */
static void hand_up(struct backup *b, struct bdir *d, const struct id *tree)
{
	struct bslice *up = d->parent;
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
	/* Seen by who encodes the parent: `pending` orders it. */
	if (!en->same || en->changed || !id_eq(&en->one, tree))
		atomic_store(&up->same, false);
	en->tag = TREE_DIR;
	en->nids = 1;
	en->one = *tree;
}

static void dir_free(struct bdir *d)
{
	tree_reader_close(d->old);
	backup_tree_free(d->tree);
	source_names_fini(&d->names);
	source_dir_unref(d->src);
	free(d);
}

struct bslice *backup_dir_finish(struct bworker *w, struct bdir *d)
{
	struct bslice *up = d->parent;
	struct id tree = {{0}};
	struct err e;

	err_clear(&e);
	if (!backup_stopping(w->b)) {
		if (tree_writer_end(tree_of(w, d)->writer, &tree, &e) == -1)
			backup_fail(w->b, &e);
		else
			hand_up(w->b, d, &tree);
	}
	dir_free(d);
	return up;
}
