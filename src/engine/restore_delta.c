/*
 * restore_delta: what of a file that is there is right already?  Times prove nothing: each segment
 * is read and its id computed, by the workers, before anything is fetched for it.
 */
#include "base/mem.h"
#include "engine/restore_internal.h"

/* Read what stands where the segment goes; false: less, or it cannot be read. */
static bool read_there(const struct rsegment *s, struct buf *b)
{
	uint32_t n = s->at.blob_len;

	buf_reset(b);
	buf_reserve(b, n);
	if (target_file_read(s->file->file, s->data_off, b->p, n) != (ssize_t)n)
		return false;
	b->n = n;
	return true;
}

static bool is_right(struct reader *rd, struct rsegment *s, struct buf *b)
{
	struct rfile *f = s->file;
	struct err e;

	if (atomic_load(&f->failed))
		return false;
	/* What goes wrong here goes wrong again, and is told, when it is written. */
	if (f->file == NULL && restore_file_begin(f, &e) == -1)
		return false;
	return f->again && read_there(s, b) &&
	       reader_check(rd, PURPOSE_CONTENT, buf_span(b), &s->id);
}

bool restore_delta_run(struct restore *rs, struct reader *rd, struct rsegment *s, size_t n)
{
	struct buf b = {0};
	size_t left = 0;

	for (size_t i = 0; i < n && !restore_stopping(rs); i++) {
		s[i].right = is_right(rd, &s[i], &b);
		left += !s[i].right;
		if (!s[i].right)
			continue;
		atomic_fetch_add(&rs->compared, s[i].at.blob_len);
		atomic_fetch_add(&rs->ctx->progress.bytes, s[i].at.blob_len);
	}
	buf_fini(&b);
	return left == 0 && !restore_stopping(rs);
}
