/*
 * backup_blocks: a file of which the log tells the blocks that changed (backup_map.h): the others'
 * chunks are those of the parent, and are neither read nor hashed.  A file of which none did is not
 * even opened.
 *
 * The chunks of a file are of one size, so that a block's place tells its chunk.  Small ones cost
 * an entry in the index each, large ones are stored again for one page: the size goes by how far up
 * in its relation a file is, which stays as it is for as long as the file.  What lies past the end
 * of the parent's file is read.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/backup_internal.h"
#include "source/wal_place.h"
#include "source/wal_map.h"

enum {
	PAGE = 8192,
	SLOTS = 2 * SHARE_CHUNKS,
	MIDDLING = 4, /* segments of 1 GiB of a relation that are cut finely */
	LARGE = 32
};

static const uint32_t chunks[BACKUP_PAGES] = {16 << 10, 32 << 10, 64 << 10};

void backup_blocks_begin(struct backup *b)
{
	for (size_t i = 0; i < BACKUP_PAGES; i++) {
		writer_chunker(b->repo, CHUNKER_FIXED, &b->pages[i]);
		b->pages[i].min = b->pages[i].avg = b->pages[i].max = chunks[i];
	}
}

static const struct chunker *chunker_of(
    const struct backup *b, const struct bdir *d, const struct bentry *en)
{
	struct wal_rel rel;
	uint32_t segment;

	if (b->part->pg == NULL)
		return &b->chunker;
	if (en->st.type != ENTRY_FILE ||
	    !wal_place_of(d->src->path + 1, bentry_name(d, en), &rel, &segment))
		segment = 0;
	return &b->pages[segment < MIDDLING ? 0 : segment < LARGE ? 1 : 2];
}

/* Which blocks of which relation the file is; false where the log does not tell of it. */
static bool place_of(const struct bworker *w, const struct bdir *d, const struct bentry *en,
    const struct wal_map_file **f, uint32_t *first)
{
	const struct backup_part *part = w->b->part;
	struct wal_rel rel;
	uint32_t segment;
	bool good = false;
	char *path;

	if (part->map == NULL || en->old == NULL || en->old->tag == TREE_DIR ||
	    en->st.type != ENTRY_FILE ||
	    !wal_place_of(d->src->path + 1, bentry_name(d, en), &rel, &segment))
		return false;
	/* Pages that were wrong are looked at again and told each time. */
	path = mem_printf("%s/%s", d->src->path + 1, bentry_name(d, en));
	good = !backup_pg_was_bad(part, path);
	free(path);
	*f = wal_map_find(part->map, rel);
	*first = segment * part->relation;
	return good;
}

static bool changed(const struct wal_map_file *f, uint32_t first, uint64_t from, uint64_t end)
{
	return f != NULL && wal_map_next(f, first + (uint32_t)(from / PAGE)) <
				(uint64_t)first + (end + PAGE - 1) / PAGE;
}

bool backup_blocks_same(struct bworker *w, const struct bdir *d, struct bentry *en)
{
	const struct wal_map_file *f;
	uint32_t first;
	struct bentry as = *en;

	if (!place_of(w, d, en, &f, &first) || en->old->size != en->st.size ||
	    changed(f, first, 0, en->st.size))
		return false;
	as.tag = en->old->tag;
	as.depth = en->old->depth;
	as.nids = en->old->nids;
	as.ids = en->old->ids;
	if (as.nids == 1)
		as.one = as.ids[0];
	if (!backup_present(w, &as))
		return false;
	free(en->ids);
	en->tag = as.tag;
	en->depth = as.depth;
	en->nids = as.nids;
	en->one = as.one;
	en->ids = as.nids > 1 ? mem_dup(as.ids, as.nids * sizeof *as.ids) : NULL;
	en->same = true;
	return true;
}

static int gather(void *arg, const struct id *id, struct err *e)
{
	struct bknown *k = arg;

	if (k->n == k->cap) {
		k->cap = k->cap ? 2 * k->cap : 64;
		k->ids = mem_realloc(k->ids, k->cap * sizeof *k->ids);
	}
	k->ids[k->n++] = *id;
	return 0;
}

void backup_blocks_open(struct bworker *w, const struct bdir *d, const struct bentry *en)
{
	struct bknown *k = &w->known;
	uint32_t chunk;
	struct err e;

	k->n = 0;
	w->chunker = chunker_of(w->b, d, en);
	chunk = w->chunker->avg;
	if (!place_of(w, d, en, &k->file, &k->first))
		return;
	struct tree_ref ref = {
	    (enum tree_tag)en->old->tag, en->old->depth, en->old->nids, en->old->ids};
	k->size = en->old->size;
	if (ref.n > 0 && tree_content(reader_tree_get, w->reader, &ref, gather, k, &e) == -1)
		k->n = 0;
	/* Chunks of another size: then they say nothing of blocks. */
	if (k->n != (k->size + chunk - 1) / chunk)
		k->n = 0;
}

/* Can the parent's chunk [at, at + n) of a file that has `size` bytes now stand for it? */
static bool stands(struct bworker *w, uint64_t at, uint64_t n, uint64_t size)
{
	const struct bknown *k = &w->known;
	uint32_t chunk = w->chunker->avg;
	struct err e;

	return at + n <= k->size && (n == chunk || k->size == size) &&
	       !changed(k->file, k->first, at, at + n) &&
	       writer_has(w->b->writer, &k->ids[at / chunk], &w->near, &e) == 1;
}

/* Bytes of the file at r's position to w->data + to; fewer than n at its end. */
static int64_t read_chunk(
    struct bworker *w, struct source_reader *r, size_t to, size_t n, struct err *e)
{
	size_t have = 0;

	if (backup_share_clear(w, to, to + n, e) == -1)
		return -1;
	while (have < n) {
		int64_t got = r->source->ops->read(r, w->data + to + have, n - have, e);

		if (got < 0)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	atomic_fetch_add_explicit(&w->b->bytes_read, (uint64_t)have, memory_order_relaxed);
	return (int64_t)have;
}

int backup_blocks_share(struct bworker *w, struct source_reader *r, struct err *e)
{
	uint64_t size = r->st.size, pos = 0;
	uint32_t chunk = w->chunker->avg;
	size_t slot = 0;

	for (uint64_t at = 0, n; at < size; at += n) {
		int64_t got;

		n = size - at < chunk ? size - at : chunk;
		if (ctx_check(w->b->ctx, e) == -1)
			return -1;
		backup_account(w, size, n, false);
		if (stands(w, at, n, size)) {
			if (backup_share_known(w, &w->known.ids[at / chunk], e) == -1)
				return -1;
			continue;
		}
		r->source->ops->skip(r, at - pos);
		got = read_chunk(w, r, slot % SLOTS * chunk, (size_t)n, e);
		if (got == -1 ||
		    (got > 0 && backup_share_add(w, slot % SLOTS * chunk, (size_t)got, e) == -1))
			return -1;
		pos = at + (uint64_t)got;
		slot++;
		if ((uint64_t)got < n)
			return 0; /* it was cut off meanwhile */
	}
	r->source->ops->skip(r, size - pos);
	return 0;
}
