/* mount_file: see mount_file.h. */
#include "engine/mount_file.h"

#include <stdlib.h>

#include "base/mem.h"
#include "engine/holes.h"

/* Each of at most FORMAT_BLOB_MAX bytes. */
enum { BLOBS = 4, SEGMENTS_MAX = 1 << 24 };

struct mount_blobs {
	struct reader *reader;
	struct kept {
		struct id id;
		struct buf data;
		uint64_t used; /* 0: empty */
	} v[BLOBS];
	uint64_t ticks;
};

struct segment {
	struct id id;
	uint64_t end; /* in the file's data, holes left out */
};

struct mount_file {
	struct mount_item *item; /* held */
	struct segment *seg;
	size_t n, cap;
};

struct mount_blobs *mount_blobs_new(struct reader *rd)
{
	struct mount_blobs *b = mem_zalloc(sizeof *b);

	b->reader = rd;
	return b;
}

void mount_blobs_free(struct mount_blobs *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < BLOBS; i++)
		buf_fini(&b->v[i].data);
	free(b);
}

static int blob_get(struct mount_blobs *b, const struct id *id, struct span *out, struct err *e)
{
	struct kept *k = &b->v[0];
	struct span got;

	for (size_t i = 0; i < BLOBS; i++) {
		if (b->v[i].used && id_eq(&b->v[i].id, id)) {
			b->v[i].used = ++b->ticks;
			*out = buf_span(&b->v[i].data);
			return 0;
		}
		if (b->v[i].used < k->used)
			k = &b->v[i];
	}
	if (reader_blob(b->reader, PURPOSE_CONTENT, id, &got, e) == -1)
		return -1;
	buf_reset(&k->data);
	buf_put_span(&k->data, got);
	k->id = *id;
	k->used = ++b->ticks;
	*out = buf_span(&k->data);
	return 0;
}

/* ---- Opening. */

struct opening {
	struct reader *reader;
	struct mount_file *file;
	uint64_t size; /* of data */
};

static uint64_t data_end(const struct mount_file *f)
{
	return f->n ? f->seg[f->n - 1].end : 0;
}

static int add_segment(void *arg, const struct id *id, struct err *e)
{
	struct opening *o = arg;
	struct mount_file *f = o->file;
	uint64_t end = data_end(f);
	struct index_place at;
	char hex[ID_HEX];
	int rc = reader_find(o->reader, id, &at, e);

	if (rc == -1)
		return -1;
	if (rc == 0)
		return err_set(
		    e, ERR_CORRUPT, "blob %.16s of its content is in no index", id_hex(hex, id));
	/* Nothing that is read is believed to end, so stop where the size says. */
	if (at.blob_len == 0 || at.blob_len > o->size - end || f->n == SEGMENTS_MAX)
		return err_set(e, ERR_CORRUPT, "its blobs do not add up to its size");
	if (f->n == f->cap) {
		f->cap = f->cap ? 2 * f->cap : 4;
		f->seg = mem_realloc(f->seg, f->cap * sizeof *f->seg);
	}
	f->seg[f->n++] = (struct segment){*id, end + at.blob_len};
	return 0;
}

/* How many bytes of data lie before this offset of the file. */
static uint64_t data_before(const struct entry *en, uint64_t off)
{
	uint64_t data = off;

	for (size_t i = 0; i < en->nholes && en->holes[i].off < off; i++) {
		uint64_t n = off - en->holes[i].off;

		data -= n < en->holes[i].len ? n : en->holes[i].len;
	}
	return data;
}

struct mount_file *mount_file_open(struct reader *rd, struct mount_item *it, struct err *e)
{
	struct mount_file *f = mem_zalloc(sizeof *f);
	struct opening o = {rd, f, holes_data_size(&it->en)};
	int rc;

	f->item = it;
	it->refs++;
	rc = tree_content(reader_tree_get, rd, &it->ref, add_segment, &o, e);
	if (rc == 0 && data_end(f) != o.size)
		rc = err_set(e, ERR_CORRUPT, "its blobs do not add up to its size");
	if (rc == -1) {
		mount_file_close(f);
		return NULL;
	}
	return f;
}

void mount_file_close(struct mount_file *f)
{
	if (f == NULL)
		return;
	mount_item_unref(f->item);
	free(f->seg);
	free(f);
}

/* ---- Reading. */

struct filling {
	uint8_t *to; /* file offset `off` goes here */
	uint64_t off;
	const uint8_t *from;
};

static int fill_piece(void *arg, uint64_t file_off, uint64_t at, uint64_t n, struct err *e)
{
	struct filling *fill = arg;

	(void)e;
	memcpy(fill->to + (file_off - fill->off), fill->from + at, (size_t)n);
	return 0;
}

/* The segment that holds this byte of the data. */
static size_t segment_at(const struct mount_file *f, uint64_t data_off)
{
	size_t lo = 0, hi = f->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (f->seg[mid].end <= data_off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int mount_file_read(struct mount_file *f, struct mount_blobs *blobs, uint64_t off, size_t n,
    struct buf *out, struct err *e)
{
	const struct entry *en = &f->item->en;
	struct filling fill = {.off = off};
	uint64_t data, end;
	size_t at = out->n;

	if (off >= en->size)
		return 0;
	if (n > en->size - off)
		n = (size_t)(en->size - off);
	buf_put_zeros(out, n);
	fill.to = out->p + at;
	data = data_before(en, off);
	end = data_before(en, off + n);
	for (size_t i = segment_at(f, data); data < end; i++) {
		uint64_t begin = i ? f->seg[i - 1].end : 0;
		uint64_t stop = f->seg[i].end < end ? f->seg[i].end : end;
		struct span blob;

		if (blob_get(blobs, &f->seg[i].id, &blob, e) == -1)
			return -1;
		/* Another copy than the one found when opening; its id is right. */
		if (blob.n != f->seg[i].end - begin)
			return err_set(e, ERR_CORRUPT, "index gives a wrong length of a blob");
		fill.from = blob.p + (data - begin);
		if (holes_map(en, data, stop - data, fill_piece, &fill, e) == -1)
			return -1;
		data = stop;
	}
	return 0;
}
