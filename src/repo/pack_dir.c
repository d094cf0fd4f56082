/* pack_dir: see pack_dir.h. */
#include "repo/pack_dir.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/codec.h"
#include "repo/format.h"

enum {
	BLOB_BYTES_MIN = ID_SIZE + 1,
	FRAME_BYTES_MIN = 3 + 3 + BLOB_BYTES_MIN,
	/* A compressor may lose a little; a writer then stores plainly, others may not. */
	STORED_MAX = FORMAT_BLOB_MAX + FORMAT_BOX + (64 << 10),
};

void pack_dir_fini(struct pack_dir *d)
{
	free(d->frames);
	free(d->blobs);
	memset(d, 0, sizeof *d);
}

void pack_dir_reset(struct pack_dir *d)
{
	d->nframes = 0;
	d->nblobs = 0;
}

static struct pack_frame *new_frame(struct pack_dir *d)
{
	if (d->nframes == d->frames_cap) {
		d->frames_cap = d->frames_cap ? d->frames_cap * 2 : 64;
		d->frames = mem_realloc(d->frames, d->frames_cap * sizeof *d->frames);
	}
	return &d->frames[d->nframes++];
}

static struct pack_blob *new_blobs(struct pack_dir *d, size_t n)
{
	if (n > d->blobs_cap - d->nblobs) {
		size_t cap = d->blobs_cap ? d->blobs_cap * 2 : 128;

		while (cap < d->nblobs + n)
			cap *= 2;
		d->blobs = mem_realloc(d->blobs, cap * sizeof *d->blobs);
		d->blobs_cap = cap;
	}
	d->nblobs += n;
	return d->blobs + d->nblobs - n;
}

void pack_dir_add(struct pack_dir *d, const struct pack_frame *frame, const struct pack_blob *blobs)
{
	struct pack_frame *f = new_frame(d);

	*f = *frame;
	f->first = (uint32_t)d->nblobs;
	if (f->nblobs)
		memcpy(new_blobs(d, f->nblobs), blobs, f->nblobs * sizeof *blobs);
}

void pack_dir_encode(const struct pack_dir *d, struct buf *out)
{
	buf_put_varint(out, d->nframes);
	for (size_t i = 0; i < d->nframes; i++) {
		const struct pack_frame *f = &d->frames[i];

		buf_put_u8(out, f->kind);
		buf_put_u8(out, f->slot);
		buf_put_u8(out, f->codec);
		buf_put_varint(out, f->stored);
		buf_put_varint(out, f->plain);
		buf_put_varint(out, f->nblobs);
		for (uint32_t k = 0; k < f->nblobs; k++) {
			const struct pack_blob *b = &d->blobs[f->first + k];

			buf_put(out, b->id.b, ID_SIZE);
			buf_put_varint(out, b->len);
		}
	}
}

static int bad(struct err *e, const char *what, size_t frame)
{
	return err_set(e, ERR_CORRUPT, "pack directory: frame %zu: %s", frame, what);
}

static bool numbers_fit(uint8_t kind, uint8_t codec, uint64_t stored, uint64_t plain)
{
	if (kind < PURPOSE_CONTENT || kind > PURPOSE_REFS || codec >= CODEC_COUNT ||
	    (codec == CODEC_PAGES && kind != PURPOSE_CONTENT))
		return false;
	if (plain > FORMAT_BLOB_MAX || stored < FORMAT_BOX || stored > STORED_MAX)
		return false;
	return codec != CODEC_NONE || stored == plain + FORMAT_BOX;
}

static int decode_frame(struct cursor *c, struct pack_dir *d, size_t i, struct err *e)
{
	struct pack_frame f = {0};
	struct pack_blob *blobs;
	uint64_t stored, plain, sum = 0;
	size_t n;

	f.kind = cursor_u8(c);
	f.slot = cursor_u8(c);
	f.codec = cursor_u8(c);
	stored = cursor_varint(c);
	plain = cursor_varint(c);
	n = cursor_count(c, BLOB_BYTES_MIN, FORMAT_PACK_BLOBS_MAX - d->nblobs);
	if (c->bad)
		return bad(e, "cut short or too many blobs", i);
	if (!numbers_fit(f.kind, f.codec, stored, plain))
		return bad(e, "impossible kind, codec or length", i);
	if (n == 0)
		return bad(e, "no blobs", i);
	f.stored = (uint32_t)stored;
	f.plain = (uint32_t)plain;
	f.first = (uint32_t)d->nblobs;
	f.nblobs = (uint32_t)n;
	blobs = new_blobs(d, n);
	for (size_t k = 0; k < n; k++) {
		struct span id = cursor_bytes(c, ID_SIZE);
		uint64_t len = cursor_varint(c);

		if (c->bad || len > FORMAT_BLOB_MAX)
			return bad(e, "bad blob", i);
		memcpy(blobs[k].id.b, id.p, ID_SIZE);
		blobs[k].len = (uint32_t)len;
		sum += len;
	}
	if (sum != plain)
		return bad(e, "its blobs are not its length", i);
	*new_frame(d) = f;
	return 0;
}

int pack_dir_decode(struct cursor *c, struct pack_dir *d, struct err *e)
{
	uint64_t total = 0;
	size_t n;

	pack_dir_reset(d);
	n = cursor_count(c, FRAME_BYTES_MIN, FORMAT_PACK_BLOBS_MAX);
	if (c->bad)
		return err_set(e, ERR_CORRUPT, "pack directory: bad number of frames");
	for (size_t i = 0; i < n; i++) {
		if (decode_frame(c, d, i, e) == -1)
			return -1;
		total += d->frames[i].stored;
		if (total > FORMAT_PACK_MAX)
			return bad(e, "more than a pack can hold", i);
	}
	return 0;
}

bool pack_dir_equal(const struct pack_dir *a, const struct pack_dir *b)
{
	if (a->nframes != b->nframes || a->nblobs != b->nblobs)
		return false;
	for (size_t i = 0; i < a->nframes; i++) {
		const struct pack_frame *x = &a->frames[i], *y = &b->frames[i];

		if (x->kind != y->kind || x->codec != y->codec || x->stored != y->stored ||
		    x->plain != y->plain || x->nblobs != y->nblobs)
			return false;
	}
	for (size_t i = 0; i < a->nblobs; i++)
		if (!id_eq(&a->blobs[i].id, &b->blobs[i].id) || a->blobs[i].len != b->blobs[i].len)
			return false;
	return true;
}
