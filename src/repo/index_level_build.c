/*
 * index_level: writing; see index_level.h.
 *
 * The counts of all sections are known before the first byte is written, so
 * each section has its place and is streamed there block by block.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "os/os.h"
#include "repo/index_level_file.h"

struct stream {
	uint64_t block; /* where the next one goes */
	size_t n;
	uint8_t buf[LEVEL_BLOCK];
};

struct output {
	int fd;
	struct level_header h;
	uint8_t key[SIPHASH_KEY];
	uint64_t *sums;
	struct level_line *filter;
	struct stream s[LEVEL_SECTIONS];
	bool failed; /* errno of the first failure in sys */
	int sys;
};

struct index_level_builder {
	struct buf sources, packs, slots, frames, keys, blobs;
	struct idmap *places;       /* commitment -> u64 place in keys */
	struct index_origin origin; /* of what is being added */
};

enum { COMMITMENT = 100, RELEASE_EVERY = 1 << 14, RADIX = 11 };

static struct output *output_begin(int fd, const uint8_t key[INDEX_LEVEL_KEY], uint64_t nsources,
    const uint64_t count[LEVEL_SECTIONS])
{
	struct output *o = mem_zalloc(sizeof *o);
	uint64_t at = level_round(sizeof o->h + nsources * ID_SIZE);

	o->fd = fd;
	o->h.magic = LEVEL_MAGIC;
	crypto_random(o->h.salt, sizeof o->h.salt);
	o->h.nsources = nsources;
	memcpy(o->h.count, count, sizeof o->h.count);
	o->h.count[LEVEL_TABLE] = count[LEVEL_BLOBS];
	o->h.count[LEVEL_FILTER] = count[LEVEL_BLOBS] * LEVEL_FILTER_BITS /
				       (8 * LEVEL_FILTER_LINE) +
				   1;
	for (int s = 0; s < LEVEL_SECTIONS; s++) {
		o->h.off[s] = at;
		o->s[s].block = at / LEVEL_BLOCK;
		at += level_round(o->h.count[s] * level_width((int)s));
	}
	o->h.sums = at;
	o->h.size = at + at / LEVEL_BLOCK * sizeof(uint64_t);
	o->sums = mem_zalloc(at / LEVEL_BLOCK * sizeof *o->sums);
	o->filter = mem_zalloc(o->h.count[LEVEL_FILTER] * sizeof *o->filter);
	level_sum_key(key, o->h.salt, o->key);
	return o;
}

static void output_free(struct output *o)
{
	crypto_wipe(o->key, sizeof o->key);
	free(o->sums);
	free(o->filter);
	free(o);
}

static void write_at(struct output *o, const void *p, size_t n, uint64_t off)
{
	if (o->failed || os_pwrite_all(o->fd, p, n, (off_t)off) == 0)
		return;
	o->failed = true;
	o->sys = errno;
}

static void flush_block(struct output *o, struct stream *s)
{
	memset(s->buf + s->n, 0, LEVEL_BLOCK - s->n);
	o->sums[s->block] = siphash_at(o->key, s->block, span_of(s->buf, LEVEL_BLOCK));
	write_at(o, s->buf, LEVEL_BLOCK, s->block * LEVEL_BLOCK);
	s->block++;
	s->n = 0;
}

static void put(struct output *o, enum level_section section, const void *p, size_t n)
{
	struct stream *s = &o->s[section];
	const uint8_t *q = p;

	while (n > 0) {
		size_t room = LEVEL_BLOCK - s->n, part = n < room ? n : room;

		memcpy(s->buf + s->n, q, part);
		s->n += part;
		q += part;
		n -= part;
		if (s->n == LEVEL_BLOCK)
			flush_block(o, s);
	}
}

static void put_blobs(struct output *o, const struct level_blob *b, size_t n)
{
	put(o, LEVEL_BLOBS, b, n * sizeof *b);
	for (size_t k = 0; k < n; k++) {
		const struct id *id = &b[k].id;
		struct level_line *line = &o->filter[level_line_of(id, o->h.count[LEVEL_FILTER])];

		for (unsigned i = 0; i < LEVEL_FILTER_PROBES; i++) {
			unsigned bit = level_bit_of(id, i);

			line->word[bit / 64] |= UINT64_C(1) << (bit % 64);
		}
	}
}

/* The header last: until then the file is no level. */
static int output_end(struct output *o, struct span sources, struct err *e)
{
	struct buf head = {0};

	put(o, LEVEL_FILTER, o->filter, o->h.count[LEVEL_FILTER] * sizeof *o->filter);
	for (int s = 0; s < LEVEL_SECTIONS; s++)
		if (o->s[s].n > 0)
			flush_block(o, &o->s[s]);
	write_at(o, o->sums, o->h.size - o->h.sums, o->h.sums);
	buf_put(&head, &o->h, sizeof o->h);
	buf_put_span(&head, sources);
	o->h.sum = siphash_at(o->key, UINT64_MAX, buf_span(&head));
	memcpy(head.p, &o->h, sizeof o->h);
	write_at(o, head.p, head.n, 0);
	buf_fini(&head);
	if (!o->failed)
		return 0;
	errno = o->sys;
	return err_sys(e, "index cache: write level");
}

struct index_level_builder *index_level_builder_new(void)
{
	struct index_level_builder *b = mem_zalloc(sizeof *b);

	b->places = idmap_new(sizeof(uint64_t));
	return b;
}

void index_level_builder_free(struct index_level_builder *b)
{
	if (b == NULL)
		return;
	buf_fini(&b->sources);
	buf_fini(&b->packs);
	buf_fini(&b->slots);
	buf_fini(&b->frames);
	buf_fini(&b->keys);
	buf_fini(&b->blobs);
	idmap_free(b->places);
	free(b);
}

static uint32_t place_of_key(struct index_level_builder *b, const uint8_t *key)
{
	uint64_t n = b->keys.n / sizeof(struct level_key), *place;
	struct id commitment;
	bool was;

	memcpy(commitment.b, key + COMMITMENT, ID_SIZE);
	place = idmap_put(b->places, &commitment, &was);
	if (!was || memcmp(b->keys.p + *place * FORMAT_SEALED_KEY, key, FORMAT_SEALED_KEY) != 0) {
		*place = n;
		buf_put(&b->keys, key, FORMAT_SEALED_KEY);
	}
	return (uint32_t)*place;
}

static void add_frames(struct index_level_builder *b, const struct index_pack *p, uint32_t pack)
{
	uint32_t blob = (uint32_t)(b->blobs.n / sizeof(struct level_blob));
	uint64_t off = p->first_off;

	for (size_t i = 0; i < p->dir->nframes; i++) {
		const struct pack_frame *f = &p->dir->frames[i];
		struct level_frame lf = {
		    .off = off,
		    .stored = f->stored,
		    .plain = f->plain,
		    .first_blob = blob + f->first,
		    .pack = pack,
		    .kind = f->kind,
		    .codec = f->codec,
		    .slot = f->slot,
		};

		buf_put(&b->frames, &lf, sizeof lf);
		off += f->stored;
	}
	buf_put(&b->blobs, p->dir->blobs, p->dir->nblobs * sizeof(struct level_blob));
}

static int add_pack(void *arg, const struct index_pack *p, struct err *e)
{
	struct index_level_builder *b = arg;
	struct level_pack lp = {
	    .id = p->id,
	    .size = p->size,
	    .origin = b->origin,
	    .first_off = p->first_off,
	    .first_frame = (uint32_t)(b->frames.n / sizeof(struct level_frame)),
	    .first_blob = (uint32_t)(b->blobs.n / sizeof(struct level_blob)),
	    .first_slot = (uint32_t)(b->slots.n / sizeof(uint32_t)),
	    .type = p->type,
	    .nslots = (uint8_t)p->nslots,
	};
	uint64_t blobs = lp.first_blob + (uint64_t)p->dir->nblobs;

	if (blobs > UINT32_MAX)
		return err_set(e, ERR_FAILED, "index cache: too many blobs for one level");
	add_frames(b, p, (uint32_t)(b->packs.n / sizeof lp));
	for (size_t i = 0; i < p->nslots; i++) {
		uint32_t place = place_of_key(b, p->slots[i]);

		buf_put(&b->slots, &place, sizeof place);
	}
	buf_put(&b->packs, &lp, sizeof lp);
	return 0;
}

int index_level_builder_add(struct index_level_builder *b, const struct id *source,
    const struct index_origin *origin, struct span payload, struct err *e)
{
	b->origin = *origin;
	buf_put(&b->sources, source->b, ID_SIZE);
	return index_decode(payload, add_pack, b, e);
}

/* Stable, so equal prefixes stay in order of ordinal until sort_ties. */
static struct level_row *sort_prefixes(struct level_row *a, struct level_row *tmp, size_t n)
{
	for (unsigned shift = 0; shift < 32; shift += RADIX) {
		size_t at[1 << RADIX] = {0}, sum = 0;
		struct level_row *swap;

		for (size_t i = 0; i < n; i++)
			at[a[i].prefix >> shift & ((1 << RADIX) - 1)]++;
		for (size_t d = 0; d < 1 << RADIX; d++) {
			size_t c = at[d];

			at[d] = sum;
			sum += c;
		}
		for (size_t i = 0; i < n; i++)
			tmp[at[a[i].prefix >> shift & ((1 << RADIX) - 1)]++] = a[i];
		swap = a;
		a = tmp;
		tmp = swap;
	}
	return a;
}

static int compare_rows(const void *pa, const void *pb, void *arg)
{
	const struct level_row *a = pa, *b = pb;
	const struct level_blob *blobs = arg;
	int c = id_cmp(&blobs[a->blob].id, &blobs[b->blob].id);

	return c ? c : (a->blob > b->blob) - (a->blob < b->blob);
}

static void put_table(struct output *o, const struct level_blob *blobs, size_t n)
{
	struct level_row *mem = mem_alloc(2 * n * sizeof *mem), *rows;

	for (size_t i = 0; i < n; i++)
		mem[i] = (struct level_row){level_prefix(&blobs[i].id), (uint32_t)i};
	rows = sort_prefixes(mem, mem + n, n);
	for (size_t i = 0, j; i < n; i = j) {
		for (j = i + 1; j < n && rows[j].prefix == rows[i].prefix; j++)
			;
		if (j - i > 1)
			qsort_r(
			    rows + i, j - i, sizeof *rows, compare_rows, (void *)(uintptr_t)blobs);
	}
	put(o, LEVEL_TABLE, rows, n * sizeof *rows);
	free(mem);
}

int index_level_builder_write(
    struct index_level_builder *b, int fd, const uint8_t key[INDEX_LEVEL_KEY], struct err *e)
{
	uint64_t count[LEVEL_SECTIONS] = {
	    [LEVEL_PACKS] = b->packs.n / sizeof(struct level_pack),
	    [LEVEL_SLOTS] = b->slots.n / sizeof(uint32_t),
	    [LEVEL_FRAMES] = b->frames.n / sizeof(struct level_frame),
	    [LEVEL_KEYS] = b->keys.n / sizeof(struct level_key),
	    [LEVEL_BLOBS] = b->blobs.n / sizeof(struct level_blob),
	};
	struct output *o = output_begin(fd, key, b->sources.n / ID_SIZE, count);
	const struct level_blob *blobs = (const struct level_blob *)(const void *)b->blobs.p;
	int rc;

	put(o, LEVEL_PACKS, b->packs.p, b->packs.n);
	put(o, LEVEL_SLOTS, b->slots.p, b->slots.n);
	put(o, LEVEL_FRAMES, b->frames.p, b->frames.n);
	put(o, LEVEL_KEYS, b->keys.p, b->keys.n);
	put_blobs(o, blobs, count[LEVEL_BLOBS]);
	put_table(o, blobs, count[LEVEL_BLOBS]);
	rc = output_end(o, buf_span(&b->sources), e);
	output_free(o);
	return rc;
}

/* How much the ordinals of one level shift in a merge. */
struct shift {
	uint64_t packs, slots, frames, keys, blobs;
};

/* One element, moved; the caller writes it. */
static void move_element(enum level_section s, void *p, const struct shift *by)
{
	struct level_pack *pack = p;
	struct level_frame *frame = p;
	uint32_t *slot = p;

	if (s == LEVEL_PACKS) {
		pack->first_frame += (uint32_t)by->frames;
		pack->first_blob += (uint32_t)by->blobs;
		pack->first_slot += (uint32_t)by->slots;
	} else if (s == LEVEL_FRAMES) {
		frame->first_blob += (uint32_t)by->blobs;
		frame->pack += (uint32_t)by->packs;
	} else if (s == LEVEL_SLOTS) {
		*slot += (uint32_t)by->keys;
	}
}

static int copy_section(struct output *o, const struct index_level *l, enum level_section s,
    const struct shift *by, struct err *e)
{
	uint64_t n = level_count(l, s);
	union {
		struct level_pack pack;
		struct level_frame frame;
		struct level_key key;
		struct level_blob blob;
		uint32_t slot;
	} one;

	for (uint64_t i = 0; i < n; i++) {
		const void *p = level_at(l, s, i, 1, e);

		if (p == NULL)
			return -1;
		memcpy(&one, p, level_width((int)s));
		move_element(s, &one, by);
		if (s == LEVEL_BLOBS)
			put_blobs(o, &one.blob, 1);
		else
			put(o, s, &one, level_width((int)s));
		if (i % RELEASE_EVERY == RELEASE_EVERY - 1)
			level_release(l, s, i);
	}
	return 0;
}

/* A level's table, as it is consumed by a merge. */
struct head {
	const struct index_level *l;
	uint64_t at, n, base;
	struct level_row row;
};

static int head_load(struct head *h, struct err *e)
{
	const struct level_row *row;

	if (h->at == h->n)
		return 0;
	row = level_at(h->l, LEVEL_TABLE, h->at, 1, e);
	if (row == NULL)
		return -1;
	h->row = *row;
	if (h->at % RELEASE_EVERY == RELEASE_EVERY - 1)
		level_release(h->l, LEVEL_TABLE, h->at);
	return 0;
}

/* Is a before b?  -1 with the error. */
static int head_before(const struct head *a, const struct head *b, struct err *e)
{
	const struct level_blob *x, *y;

	if (a->row.prefix != b->row.prefix)
		return a->row.prefix < b->row.prefix;
	x = level_at(a->l, LEVEL_BLOBS, a->row.blob, 1, e);
	y = x ? level_at(b->l, LEVEL_BLOBS, b->row.blob, 1, e) : NULL;
	if (y == NULL)
		return -1;
	return id_cmp(&x->id, &y->id) < 0;
}

static int merge_tables(struct output *o, struct head *heads, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (head_load(&heads[i], e) == -1)
			return -1;
	for (;;) {
		struct head *least = NULL;
		struct level_row row;

		for (size_t i = 0; i < n; i++) {
			int before = 1;

			if (heads[i].at == heads[i].n)
				continue;
			if (least != NULL && (before = head_before(&heads[i], least, e)) == -1)
				return -1;
			if (before)
				least = &heads[i];
		}
		if (least == NULL)
			return 0;
		row = (struct level_row){
		    least->row.prefix, (uint32_t)(least->row.blob + least->base)};
		put(o, LEVEL_TABLE, &row, sizeof row);
		least->at++;
		if (head_load(least, e) == -1)
			return -1;
	}
}

static int merge_into(struct output *o, struct index_level *const *levels, size_t n, struct err *e)
{
	static const enum level_section plain[] = {
	    LEVEL_PACKS, LEVEL_SLOTS, LEVEL_FRAMES, LEVEL_KEYS, LEVEL_BLOBS};
	struct head *heads = mem_zalloc(n * sizeof *heads);
	struct shift by = {0};
	int rc = -1;

	for (size_t i = 0; i < n; i++) {
		const struct index_level *l = levels[i];

		heads[i] = (struct head){
		    .l = l, .n = level_count(l, LEVEL_TABLE), .base = by.blobs};
		for (size_t k = 0; k < sizeof plain / sizeof *plain; k++)
			if (copy_section(o, l, plain[k], &by, e) == -1)
				goto out;
		by.packs += level_count(l, LEVEL_PACKS);
		by.slots += level_count(l, LEVEL_SLOTS);
		by.frames += level_count(l, LEVEL_FRAMES);
		by.keys += level_count(l, LEVEL_KEYS);
		by.blobs += level_count(l, LEVEL_BLOBS);
	}
	rc = merge_tables(o, heads, n, e);
out:
	free(heads);
	return rc;
}

int index_level_merge(struct index_level *const *levels, size_t n, int fd,
    const uint8_t key[INDEX_LEVEL_KEY], struct err *e)
{
	uint64_t count[LEVEL_SECTIONS] = {0};
	struct buf sources = {0};
	struct output *o;
	int rc;

	for (size_t i = 0; i < n; i++) {
		for (int s = 0; s < LEVEL_SECTIONS; s++)
			count[s] += level_count(levels[i], s);
		for (size_t k = 0; k < index_level_sources(levels[i]); k++)
			buf_put(&sources, index_level_source(levels[i], k)->b, ID_SIZE);
	}
	o = output_begin(fd, key, sources.n / ID_SIZE, count);
	rc = merge_into(o, levels, n, e);
	if (rc == 0)
		rc = output_end(o, buf_span(&sources), e);
	output_free(o);
	buf_fini(&sources);
	return rc;
}
