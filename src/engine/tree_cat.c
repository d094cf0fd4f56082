/* tree_cat: a file's bytes in order, holes as zeros (op_tree.h). */
#include "engine/holes.h"
#include "engine/op_tree.h"
#include "engine/tree_path.h"

struct cat {
	struct reader *reader;
	struct ctx *ctx;
	const struct entry *entry;
	int (*sink)(void *, struct span, struct err *);
	void *arg;
	uint64_t data_off, out; /* bytes of data seen, of the file written */
	struct span blob;
};

static int zeros_to(struct cat *c, uint64_t end, struct err *e)
{
	static const uint8_t zeros[65536];

	while (c->out < end) {
		uint64_t n = end - c->out < sizeof zeros ? end - c->out : sizeof zeros;

		if (ctx_check(c->ctx, e) == -1 ||
		    c->sink(c->arg, span_of(zeros, (size_t)n), e) == -1)
			return -1;
		c->out += n;
	}
	return 0;
}

static int piece(void *arg, uint64_t file_off, uint64_t at, uint64_t n, struct err *e)
{
	struct cat *c = arg;

	if (zeros_to(c, file_off, e) == -1 ||
	    c->sink(c->arg, span_of(c->blob.p + at, (size_t)n), e) == -1)
		return -1;
	c->out += n;
	return 0;
}

static int add_blob(void *arg, const struct id *id, struct err *e)
{
	struct cat *c = arg;

	if (ctx_check(c->ctx, e) == -1 ||
	    reader_blob(c->reader, PURPOSE_CONTENT, id, &c->blob, e) == -1)
		return -1;
	if (c->blob.n > holes_data_size(c->entry) - c->data_off)
		return err_set(e, ERR_CORRUPT, "its blobs are more than its size");
	if (holes_map(c->entry, c->data_off, c->blob.n, piece, c, e) == -1)
		return -1;
	c->data_off += c->blob.n;
	return 0;
}

static int cat_file(struct cat *c, const struct tree_path *at, struct err *e)
{
	if (at->entry.type != ENTRY_FILE)
		return err_set(e, ERR_USAGE, "not a file%s",
		    at->entry.type == ENTRY_DIR ? " but a directory" : "");
	if (tree_content(reader_tree_get, c->reader, &at->ref, add_blob, c, e) == -1)
		return -1;
	if (c->data_off != holes_data_size(c->entry))
		return err_set(e, ERR_CORRUPT, "its blobs do not add up to its size");
	return zeros_to(c, c->entry->size, e);
}

int op_cat(struct repo *r, const struct snapshot *s, const char *path, struct ctx *ctx,
    int (*sink)(void *, struct span, struct err *), void *arg, struct err *e)
{
	struct cat c = {.ctx = ctx, .sink = sink, .arg = arg};
	struct tree_path at = {.reader = NULL};
	int rc = -1;

	if (repo_index_load(r, false, e) == -1)
		return -1;
	c.reader = reader_new(r);
	if (tree_path_find(c.reader, s, path, &at, e) == -1)
		goto out;
	c.entry = &at.entry;
	rc = cat_file(&c, &at, e);
	if (rc == -1)
		err_wrap(e, "%s", path);
out:
	tree_path_fini(&at);
	reader_free(c.reader);
	return rc;
}
