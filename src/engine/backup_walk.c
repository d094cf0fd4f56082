/*
 * backup_walk: the walking thread.  For each directory: list, look at every
 * name, compare with the cached record; then files that are new or changed go
 * to the workers and subdirectories are walked, in order of name.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/backup_internal.h"
#include "os/os.h"

void backup_fingerprint(struct backup *b, struct span s, uint8_t out[FILE_CACHE_FP])
{
	uint64_t h[2] = {siphash(b->sip[0], s), siphash(b->sip[1], s)};

	memcpy(out, h, FILE_CACHE_FP);
}

/*
 * What must be equal for a file not to be read again.  One touched within
 * the second before is racy: it may change again without its times showing it,
 * so the next run reads it again.
 */
static void fingerprint(struct backup *b, const char *name, struct bentry *en, int64_t now)
{
	const struct source_stat *st = &en->st;
	int64_t second_ago = now / 1000000000 - 1;
	struct buf facts = {0};

	buf_put_string(&facts, span_str(name));
	buf_put_u8(&facts, (uint8_t)st->type);
	buf_put_u32(&facts, st->mode);
	buf_put_u32(&facts, st->uid);
	buf_put_u32(&facts, st->gid);
	buf_put_u64(&facts, st->size);
	buf_put_u64(&facts, (uint64_t)st->mtime);
	buf_put_u32(&facts, st->mtime_ns);
	buf_put_u64(&facts, (uint64_t)st->ctime);
	buf_put_u32(&facts, st->ctime_ns);
	buf_put_u64(&facts, st->ino);
	buf_put_u64(&facts, st->dev);
	buf_put_u32(&facts, st->nlink > 1 && st->type != ENTRY_DIR);
	backup_fingerprint(b, buf_span(&facts), en->fp);
	buf_fini(&facts);
	/* Any change sets ctime, also one that sets mtime back. */
	en->racy = st->ctime > second_ago ||
		   (st->ctime == second_ago && st->ctime_ns > now % 1000000000);
}

static bool fp_none(const uint8_t fp[FILE_CACHE_FP])
{
	static const uint8_t none[FILE_CACHE_FP];

	return memcmp(fp, none, FILE_CACHE_FP) == 0;
}

static void take_ids(struct bentry *en, const struct file_cache_entry *c)
{
	en->nholes = (uint32_t)(c->extra.n / sizeof *en->holes);
	en->holes = en->nholes ? mem_dup(c->extra.p, en->nholes * sizeof *en->holes) : NULL;
	en->tag = c->tag;
	en->depth = c->depth;
	en->nids = c->nids;
	if (c->nids == 1) {
		memcpy(&en->one, c->ids, ID_SIZE);
	} else if (c->nids > 1) {
		en->ids = mem_dup(c->ids, c->nids * (size_t)ID_SIZE);
	}
}

static void forget_ids(struct bentry *en)
{
	free(en->ids);
	free(en->holes);
	en->ids = NULL;
	en->holes = NULL;
	en->nids = en->nholes = 0;
	en->tag = TREE_NONE;
}

struct by_fp {
	const struct file_cache_entry *entry;
	size_t at;
};

static int fp_order(const void *a, const void *b)
{
	return memcmp(((const struct by_fp *)a)->entry->fp, ((const struct by_fp *)b)->entry->fp,
	    FILE_CACHE_FP);
}

/* Entries of a record by fingerprint, sorted when order of name no longer helps. */
struct finder {
	const struct file_cache_dir *rec;
	size_t n, next;
	struct by_fp *sorted;
};

static const struct file_cache_entry *find_sorted(struct finder *f, const uint8_t *fp, size_t *at)
{
	struct file_cache_entry key;
	struct by_fp want = {&key, 0}, *hit;

	if (f->sorted == NULL) {
		f->sorted = mem_alloc(f->n * sizeof *f->sorted);
		for (size_t i = 0; i < f->n; i++)
			f->sorted[i] = (struct by_fp){&f->rec->entries[i], i};
		qsort(f->sorted, f->n, sizeof *f->sorted, fp_order);
	}
	memcpy(key.fp, fp, FILE_CACHE_FP);
	hit = bsearch(&want, f->sorted, f->n, sizeof *f->sorted, fp_order);
	if (hit == NULL)
		return NULL;
	*at = hit->at;
	return hit->entry;
}

/* The entry with this fingerprint: most often the next one. */
static const struct file_cache_entry *find(struct finder *f, const uint8_t *fp, size_t *at)
{
	for (size_t i = f->next; i < f->n && i < f->next + 16; i++)
		if (memcmp(f->rec->entries[i].fp, fp, FILE_CACHE_FP) == 0) {
			*at = i;
			return &f->rec->entries[i];
		}
	return f->n > 16 ? find_sorted(f, fp, at) : NULL;
}

/*
 * Match entries with the record by fingerprint.  The last entry of a record
 * holds the leaves that the slice became.
 */
static void match(struct bslice *s, const struct file_cache_dir *rec)
{
	struct finder f = {.rec = rec, .n = rec->n ? rec->n - 1 : 0};
	const struct file_cache_entry *leaves = rec->n ? &rec->entries[f.n] : NULL, *hit;
	size_t in_order = 0, at;

	for (size_t i = 0; i < s->n; i++) {
		struct bentry *en = &s->entries[i];

		if (fp_none(en->fp) || (hit = find(&f, en->fp, &at)) == NULL)
			continue;
		in_order += at == f.next && !hit->racy;
		f.next = at + 1;
		en->same = !hit->racy;
		en->was_racy = hit->racy;
		take_ids(en, hit);
	}
	free(f.sorted);
	s->same = in_order == s->n && f.n == s->n && leaves != NULL;
	if (s->same) {
		s->leaves = mem_dup(leaves->ids, leaves->nids * (size_t)ID_SIZE);
		s->nleaves = leaves->nids / 2;
	}
}

/*
 * The record has no names, so changed and new are told apart by number: as
 * many as went missing from the record count as changed.
 */
static void guess_known(struct bslice *s, const struct file_cache_dir *rec)
{
	size_t gone = 0;

	for (size_t i = 0; i + 1 < rec->n; i++)
		gone += rec->entries[i].tag != TREE_DIR;
	for (size_t i = 0; i < s->n; i++)
		gone -= (s->entries[i].same || s->entries[i].was_racy) &&
			s->entries[i].tag != TREE_DIR && gone > 0;
	for (size_t i = 0; i < s->n && gone > 0; i++) {
		struct bentry *en = &s->entries[i];

		if (en->same || en->was_racy || en->st.type == ENTRY_DIR)
			continue;
		en->known = true;
		gone--;
	}
}

/* What the parent has of this name: its ids, until the file is read. */
static void take_ref(struct bentry *en, const struct entry *old, const struct tree_ref *ref)
{
	struct file_cache_entry c = {.tag = (uint8_t)ref->tag,
	    .depth = ref->depth,
	    .nids = (uint32_t)ref->n,
	    .ids = ref->ids};

	if (old->type != en->st.type)
		return;
	en->was_racy = true;
	take_ids(en, &c);
}

static void keep_old(struct bentry *en, const struct entry *old, const struct tree_ref *ref)
{
	if (old->type != en->st.type || ref->tag == TREE_NONE)
		return;
	en->old = mem_alloc(sizeof *en->old);
	*en->old = (struct bold){.size = old->size,
	    .tag = (uint8_t)ref->tag,
	    .depth = ref->depth,
	    .nids = (uint32_t)ref->n,
	    .ids = ref->n ? mem_dup(ref->ids, ref->n * sizeof *ref->ids) : NULL};
}

/* The parent's next entry, if that is not at hand already. */
static bool old_entry(struct bworker *w, struct bdir *d)
{
	struct err e;

	if (d->old != NULL && !d->old_ahead &&
	    tree_reader_next(d->old, &d->old_entry, &d->old_ref, &e) != 1) {
		tree_reader_close(d->old);
		d->old = NULL;
	}
	d->old_ahead = d->old != NULL;
	return d->old_ahead;
}

/*
 * Without a cache everything is read; the parent's tree, in the same order of
 * name, tells afterwards what is new, changed or as it was.  Where it is known which
 * blocks have changed, it has the others.
 */
static void match_parent(struct bworker *w, struct bslice *s)
{
	struct bdir *d = s->dir;
	size_t i = 0;

	while (old_entry(w, d)) {
		struct span name = d->old_entry.name;

		while (i < s->n && span_cmp(span_str(bentry_name(d, &s->entries[i])), name) < 0)
			i++;
		/* It may be in the next slice. */
		if (i == s->n)
			return;
		if (span_eq(span_str(bentry_name(d, &s->entries[i])), name)) {
			if (w->b->cache == NULL)
				take_ref(&s->entries[i], &d->old_entry, &d->old_ref);
			if (w->b->part->map != NULL)
				keep_old(&s->entries[i], &d->old_entry, &d->old_ref);
		}
		d->old_ahead = false;
	}
}

static void look_at(struct bworker *w, struct bslice *s, size_t i, int64_t now)
{
	struct bdir *d = s->dir;
	struct bentry *en = &s->entries[s->n];
	const char *name = source_name(&d->names, i);
	enum source_look what;
	struct err e;

	memset(en, 0, sizeof *en);
	en->name = d->names.at[i];
	err_clear(&e);
	if (d->src->source->ops->look(d->src, name, &en->st, &what, &e) == -1) {
		char *path = backup_path(d, en);

		backup_problem(w->b, path, &e);
		atomic_store(&d->partial, true);
		free(path);
		return;
	}
	if (what == SOURCE_SKIP)
		return;
	fingerprint(w->b, name, en, now);
	s->n++;
}

/* Look at every name, keep those to store, compare with the cache. */
static void look_all(struct bworker *w, struct bslice *s)
{
	struct backup *b = w->b;
	struct clock *clock = os_clock_of(b->ctx);
	int64_t now = clock->wall_ns(clock);
	const struct file_cache_dir *rec = NULL;

	for (size_t i = s->begin; i < s->end && !backup_stopping(b); i++)
		look_at(w, s, i, now);
	if (b->cache != NULL)
		rec = file_cache_get(b->cache, s->key);
	if (rec != NULL) {
		match(s, rec);
		guess_known(s, rec);
	}
	match_parent(w, s);
}

/* Is all that a cached entry refers to still in the repository?  Lists too, at every depth. */
struct presence {
	struct bworker *w;
	unsigned levels; /* a depth of lists is bounded by the format */
};

static int list_present(
    void *arg, enum format_purpose kind, unsigned depth, const struct id *id, struct err *e)
{
	struct presence *p = arg, below = {p->w, p->levels + 1};
	struct buf copy = {0};
	struct span blob;
	int rc = writer_has(p->w->b->writer, id, &p->w->near, e);

	if (rc != 1)
		return rc == 0 ? err_set(e, ERR_ABSENT, "gone") : -1;
	if (kind != PURPOSE_REFS)
		return 0;
	if (p->levels > FORMAT_LIST_DEPTH || reader_blob(p->w->reader, kind, id, &blob, e) == -1)
		return -1;
	buf_put_span(&copy, blob);
	rc = tree_refs_visit(buf_span(&copy), depth, list_present, &below, e);
	buf_fini(&copy);
	return rc;
}

bool backup_present(struct bworker *w, const struct bentry *en)
{
	const struct id *ids = bentry_ids(en);
	struct presence p = {w, 0};
	struct err e;

	if (en->tag == TREE_LIST)
		return list_present(&p, PURPOSE_REFS, en->depth, ids, &e) == 0;
	for (size_t i = 0; i < en->nids; i++)
		if (writer_has(w->b->writer, &ids[i], &w->near, &e) != 1)
			return false;
	return true;
}

void backup_enqueue(struct backup *b, struct bslice *s, size_t slot)
{
	pthread_mutex_lock(&b->queue_lock);
	while (b->count == b->queue_max)
		pthread_cond_wait(&b->queue_less, &b->queue_lock);
	b->queue[(b->head + b->count++) % QUEUE_MAX] = (struct btask){s, slot};
	pthread_cond_signal(&b->queue_more);
	pthread_mutex_unlock(&b->queue_lock);
}

static void walk_dir(
    struct bworker *w, struct source_dir *src, struct bslice *parent, size_t slot, unsigned depth);

static void walk_child(struct bworker *w, struct bslice *s, size_t i, unsigned depth)
{
	struct backup *b = w->b;
	struct bdir *d = s->dir;
	struct bentry *en = &s->entries[i];
	struct source_dir *child;
	struct err e;

	err_clear(&e);
	if (depth + 1 >= ENTRY_DEPTH_MAX) {
		err_set(&e, ERR_UNSUPPORTED, "more than %d directories deep", ENTRY_DEPTH_MAX);
		child = NULL;
	} else {
		child = d->src->source->ops->enter(d->src, bentry_name(d, en), &en->st, &e);
	}
	if (child == NULL) {
		char *path = backup_path(d, en);

		backup_problem(b, path, &e);
		free(path);
		en->missing = true;
		en->changed = true;
		s->same = false;
		backup_entry_done(w, s);
		return;
	}
	walk_dir(w, child, s, i, depth + 1);
}

/* One entry after the look: settle it, or hand it to somebody who will. */
static void settle(struct bworker *w, struct bslice *s, size_t i, unsigned depth)
{
	struct backup *b = w->b;
	struct bentry *en = &s->entries[i];

	if (en->st.type == ENTRY_DIR) {
		walk_child(w, s, i, depth);
		return;
	}
	if (en->st.late) {
		backup_late_add(b, s, i);
		return;
	}
	if (en->st.type != ENTRY_FILE) {
		atomic_fetch_add_explicit(&b->others, 1, memory_order_relaxed);
		backup_entry_done(w, s);
		return;
	}
	if (en->same && !backup_present(w, en)) {
		en->same = false;
		s->same = false;
		forget_ids(en);
	}
	if (!en->same && backup_blocks_same(w, s->dir, en))
		s->same = false;
	if (en->same) {
		atomic_fetch_add_explicit(&b->files_unchanged, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&b->files, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&b->bytes, en->st.size, memory_order_relaxed);
		ctx_done(b->ctx, en->st.size, en->st.size, true, 0);
		backup_entry_done(w, s);
		return;
	}
	backup_enqueue(b, s, i);
}

/* The next slice.  False if it was the last: then the directory may be gone. */
static bool walk_slice(struct bworker *w, struct bdir *d, unsigned depth)
{
	struct bslice *s = backup_slice_next(w->b, d);
	bool last = s->last;

	look_all(w, s);
	atomic_store(&s->pending, s->n + 1);
	for (size_t i = 0; i < s->n; i++) {
		if (backup_stopping(w->b))
			s->entries[i].skip = true;
		if (s->entries[i].skip)
			backup_entry_done(w, s);
		else
			settle(w, s, i, depth);
	}
	backup_entry_done(w, s);
	return !last;
}

/* Where the parent snapshot has this directory, if there is no cache to tell. */
static void find_old(struct bworker *w, struct bdir *d)
{
	struct backup *b = w->b;
	struct err e;

	if (d->parent == NULL) {
		d->has_parent = b->has_parent_tree;
		d->parent_tree = b->parent_tree;
	} else if (d->parent->entries[d->slot].old != NULL) {
		d->has_parent = true;
		d->parent_tree = d->parent->entries[d->slot].old->ids[0];
	} else if (d->parent->dir->has_parent && d->parent->entries[d->slot].was_racy) {
		d->has_parent = true;
		d->parent_tree = d->parent->entries[d->slot].one;
	}
	if (d->has_parent)
		d->old = tree_reader_open(reader_tree_get, w->reader, &d->parent_tree, &e);
}

static void walk_dir(
    struct bworker *w, struct source_dir *src, struct bslice *parent, size_t slot, unsigned depth)
{
	struct backup *b = w->b;
	struct bdir *d = mem_zalloc(sizeof *d);
	struct err e;

	d->src = src;
	d->parent = parent;
	d->slot = slot;
	d->tail = &d->head;
	find_old(w, d);
	err_clear(&e);
	ctx_item(b->ctx, span_str(src->path));
	if (src->source->ops->list(src, &d->names, &e) == -1) {
		backup_problem(b, src->path, &e);
		atomic_store(&d->partial, true);
		if (parent != NULL)
			parent->same = false;
		d->names.n = 0;
	}
	atomic_fetch_add_explicit(&b->dirs, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&b->ctx->progress.dirs, 1, memory_order_relaxed);
	while (walk_slice(w, d, depth))
		;
}

int backup_walk(struct bworker *w, struct err *e)
{
	struct source_stat st;
	struct source_dir *root = w->b->source->ops->root(w->b->source, &st, e);

	if (root == NULL)
		return -1;
	walk_dir(w, root, NULL, 0, 0);
	backup_late_run(w);
	return 0;
}
