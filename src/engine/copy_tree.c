/* copy_tree: see copy_internal.h. */
#include "base/mem.h"
#include "engine/copy_internal.h"

/* Where backup ends a leaf between slices (format.md 7): the same directory is the same ids. */
enum { STRETCH_MIN = 1024, STRETCH_MAX = 4096, STRETCH_BITS = 10 };

void copy_know_tree(struct copying *c, const struct id *from, const struct id *to)
{
	if (idmap_count(c->trees) < COPY_TREES_MAX)
		*(struct id *)idmap_put(c->trees, from, NULL) = *to;
}

int copy_blob(struct copying *c, const struct id *id, struct id *to, struct err *e)
{
	bool known = c->same || copy_map_get(c->map, id, to);
	struct span blob;

	if (c->same)
		*to = *id;
	if (known) {
		int has = copy_to(c, writer_has(c->writer, to, &c->near, e), e);

		if (has != 0)
			return has == 1 ? 0 : -1;
	}
	if (reader_blob(c->reader, PURPOSE_CONTENT, id, &blob, e) == -1)
		return -1;
	c->out->blobs_read++;
	c->out->bytes_read += blob.n;
	if (copy_to(c, writer_add(c->lane, PURPOSE_CONTENT, blob, to, NULL, e), e) == -1)
		return -1;
	copy_map_put(c->map, id, to);
	return 0;
}

static int add_blob(void *arg, const struct id *id, struct err *e)
{
	struct copying *c = arg;
	struct id to;

	if (ctx_check(c->ctx, e) == -1 || copy_blob(c, id, &to, e) == -1)
		return -1;
	return content_writer_add(c->content, &to, e);
}

/* What a file's entry refers to; `to` borrows from c->content. */
static int copy_file(
    struct copying *c, const struct tree_ref *ref, struct tree_ref *to, struct err *e)
{
	content_writer_reset(c->content);
	if (c->p->rechunk) {
		if (copy_rechunk(c, ref, e) == -1)
			return -1;
	} else if (tree_content(reader_tree_get, c->reader, ref, add_blob, c, e) == -1) {
		return -1;
	}
	return content_writer_end(c->content, to, e);
}

static int copy_dir(
    struct copying *c, const struct id *tree, unsigned depth, struct id *to, struct err *e);

static int copy_entry(struct copying *c, struct tree_writer *tw, const struct entry *en,
    const struct tree_ref *ref, unsigned depth, struct err *e)
{
	struct tree_ref to = *ref;
	struct id sub;

	if (ref->tag == TREE_DIR) {
		if (copy_dir(c, &ref->ids[0], depth + 1, &sub, e) == -1)
			return err_wrap(e, "%.*s", (int)(en->name.n < 80 ? en->name.n : 80),
			    (const char *)en->name.p);
		to.ids = &sub;
	} else if (ref->tag != TREE_NONE && copy_file(c, ref, &to, e) == -1) {
		return err_wrap(
		    e, "%.*s", (int)(en->name.n < 80 ? en->name.n : 80), (const char *)en->name.p);
	}
	if (en->type == ENTRY_FILE)
		atomic_fetch_add(&c->ctx->progress.files, 1);
	return tree_writer_add(tw, en, &to, e);
}

static int copy_entries(struct copying *c, struct tree_reader *tr, struct tree_writer *tw,
    unsigned depth, struct err *e)
{
	struct buf leaves = {0};
	struct tree_ref ref;
	struct entry en;
	size_t n = 0;
	int rc;

	while ((rc = tree_reader_next(tr, &en, &ref, e)) == 1) {
		rc = -1;
		if (ctx_check(c->ctx, e) == -1 || copy_entry(c, tw, &en, &ref, depth, e) == -1)
			break;
		n++;
		if (n < STRETCH_MAX && (n < STRETCH_MIN || !tree_name_cuts(en.name, STRETCH_BITS)))
			continue;
		n = 0;
		buf_reset(&leaves);
		if (tree_writer_cut(tw, &leaves, e) == -1)
			break;
	}
	buf_fini(&leaves);
	return rc;
}

static int copy_dir(
    struct copying *c, const struct id *tree, unsigned depth, struct id *to, struct err *e)
{
	const struct id from = *tree, *known = idmap_get(c->trees, tree);
	struct tree_writer *tw;
	struct tree_reader *tr;
	int rc = -1;

	if (known != NULL) {
		*to = *known;
		return 0;
	}
	if (depth > ENTRY_DEPTH_MAX)
		return err_set(e, ERR_CORRUPT, "deeper than %d", ENTRY_DEPTH_MAX);
	tr = tree_reader_open(reader_tree_get, c->reader, &from, e);
	if (tr == NULL)
		return -1;
	tw = tree_writer_new(copy_put, c);
	if (copy_entries(c, tr, tw, depth, e) == 0 && tree_writer_end(tw, to, e) == 0) {
		copy_know_tree(c, &from, to);
		rc = 0;
	}
	tree_writer_free(tw);
	tree_reader_close(tr);
	return rc;
}

int copy_tree(struct copying *c, const struct id *tree, struct id *to, struct err *e)
{
	return copy_dir(c, tree, 0, to, e);
}
