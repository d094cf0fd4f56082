/* copy_rechunk: see copy_internal.h. */
#include "engine/copy_internal.h"

/* Cut off the front what can be cut; all of it at the end. */
static int cut(struct copying *c, bool last, struct err *e)
{
	size_t at = 0;

	while (at < c->cut.n && (last || c->cut.n - at >= c->chunker.max)) {
		struct span s = span_of(c->cut.p + at, c->cut.n - at);
		size_t n = chunker_next(&c->chunker, s, last);
		struct id id;

		if (copy_to(c, writer_add(c->lane, PURPOSE_CONTENT, span_of(s.p, n), &id, NULL, e),
			e) == -1 ||
		    content_writer_add(c->content, &id, e) == -1)
			return -1;
		at += n;
	}
	if (at > 0)
		memmove(c->cut.p, c->cut.p + at, c->cut.n - at);
	c->cut.n -= at;
	return 0;
}

static int add_blob(void *arg, const struct id *id, struct err *e)
{
	struct copying *c = arg;
	struct span blob;

	if (ctx_check(c->ctx, e) == -1 ||
	    reader_blob(c->reader, PURPOSE_CONTENT, id, &blob, e) == -1)
		return -1;
	c->out->blobs_read++;
	c->out->bytes_read += blob.n;
	atomic_fetch_add(&c->ctx->progress.bytes, blob.n);
	buf_put_span(&c->cut, blob);
	return cut(c, false, e);
}

int copy_rechunk(struct copying *c, const struct tree_ref *ref, struct err *e)
{
	buf_reset(&c->cut);
	if (tree_content(reader_tree_get, c->reader, ref, add_blob, c, e) == -1)
		return -1;
	return cut(c, true, e);
}
