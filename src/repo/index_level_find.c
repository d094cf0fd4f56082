/* index_level: looking up blobs and packs; see index_level.h. */
#include "repo/index_level.h"

#include "repo/index_level_file.h"

/* 1 perhaps, 0 certainly not. */
static int ask_filter(const struct index_level *l, const struct id *id, struct err *e)
{
	uint64_t at = level_line_of(id, level_count(l, LEVEL_FILTER));
	const struct level_line *line = level_at(l, LEVEL_FILTER, at, 1, e);

	if (line == NULL)
		return -1;
	for (unsigned i = 0; i < LEVEL_FILTER_PROBES; i++) {
		unsigned bit = level_bit_of(id, i);

		if (!(line->word[bit / 64] >> (bit % 64) & 1))
			return 0;
	}
	return 1;
}

/* How row i compares with id (-1, 0, 1), or -2 with the error. */
static int compare_row(
    const struct index_level *l, uint64_t i, const struct id *id, uint32_t *blob, struct err *e)
{
	const struct level_row *row = level_at(l, LEVEL_TABLE, i, 1, e);
	const struct level_blob *b;
	uint32_t prefix = level_prefix(id);
	int c;

	if (row == NULL)
		return -2;
	if (row->prefix != prefix)
		return row->prefix < prefix ? -1 : 1;
	b = level_at(l, LEVEL_BLOBS, row->blob, 1, e);
	if (b == NULL)
		return -2;
	*blob = row->blob;
	c = id_cmp(&b->id, id);
	return c < 0 ? -1 : c > 0;
}

/*
 * The first row that is not before id.  Ids are uniform, so the place is
 * guessed from the prefix, bracketed by doubling steps, then halved.
 */
static int lower_bound(
    const struct index_level *l, const struct id *id, uint64_t *out, struct err *e)
{
	uint64_t n = level_count(l, LEVEL_TABLE), lo, hi, step;
	uint32_t blob;
	int c;

	lo = hi = (uint64_t)(((unsigned __int128)level_prefix(id) * n) >> 32);
	for (step = 64; hi < n; step *= 2) { /* up: to a row not before id */
		if ((c = compare_row(l, hi, id, &blob, e)) == -2)
			return -1;
		if (c >= 0)
			break;
		lo = hi + 1;
		hi = step < n - hi ? hi + step : n;
	}
	for (step = 64; lo > 0; step *= 2) { /* down: to one that is before */
		uint64_t below = lo > step ? lo - step : 0;

		if ((c = compare_row(l, lo - 1, id, &blob, e)) == -2)
			return -1;
		if (c < 0)
			break;
		hi = lo - 1;
		lo = below;
	}
	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;

		if ((c = compare_row(l, mid, id, &blob, e)) == -2)
			return -1;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*out = lo;
	return 0;
}

int index_level_next(
    const struct index_level *l, const struct id *id, uint64_t *at, uint32_t *blob, struct err *e)
{
	int c;

	if (*at == INDEX_LEVEL_FIRST) {
		if ((c = ask_filter(l, id, e)) != 1)
			return c;
		if (lower_bound(l, id, at, e) == -1)
			return -1;
	} else {
		++*at;
	}
	if (*at >= level_count(l, LEVEL_TABLE))
		return 0;
	c = compare_row(l, *at, id, blob, e);
	return c == -2 ? -1 : c == 0;
}

/* One past the last blob of a frame, frame of a pack, and so on. */
static int end_of(const struct index_level *l, enum level_section s, uint64_t i,
    uint32_t (*first)(const void *), enum level_section of, uint32_t *out, struct err *e)
{
	const void *next;

	if (i + 1 >= level_count(l, s)) {
		*out = (uint32_t)level_count(l, of);
		return 0;
	}
	next = level_at(l, s, i + 1, 1, e);
	if (next == NULL)
		return -1;
	*out = first(next);
	return 0;
}

static uint32_t frame_first_blob(const void *p)
{
	return ((const struct level_frame *)p)->first_blob;
}

static uint32_t pack_first_blob(const void *p)
{
	return ((const struct level_pack *)p)->first_blob;
}

static uint32_t pack_first_frame(const void *p)
{
	return ((const struct level_pack *)p)->first_frame;
}

/* The last frame that begins at or before blob. */
static int frame_of_blob(const struct index_level *l, uint32_t blob, uint32_t *out, struct err *e)
{
	uint64_t n = level_count(l, LEVEL_FRAMES), lo = 0, hi = n, step = 32;
	uint64_t guess;

	if (blob >= level_count(l, LEVEL_BLOBS))
		return err_set(e, ERR_CORRUPT, "index cache: no such blob");
	guess = blob * n / level_count(l, LEVEL_BLOBS);
	/* Frames hold about as many blobs as their neighbours: start near. */
	while (hi - lo > 1) {
		const struct level_frame *f;

		if (guess <= lo || guess >= hi)
			guess = lo + (hi - lo) / 2;
		if ((f = level_at(l, LEVEL_FRAMES, guess, 1, e)) == NULL)
			return -1;
		if (f->first_blob <= blob) {
			lo = guess;
			guess += step;
		} else {
			hi = guess;
			guess -= step < guess ? step : guess;
		}
		step *= 4;
	}
	*out = (uint32_t)lo;
	return 0;
}

/* Where the blob is in its frame's plaintext. */
static int place_in_frame(const struct index_level *l, const struct level_frame *f, uint32_t blob,
    struct index_place *out, struct err *e)
{
	const struct level_blob *b;

	if (blob < f->first_blob || blob - f->first_blob >= FORMAT_PACK_BLOBS_MAX)
		return err_set(e, ERR_CORRUPT, "index cache: a blob without a frame");
	b = level_at(l, LEVEL_BLOBS, f->first_blob, blob - f->first_blob + 1, e);
	if (b == NULL)
		return -1;
	out->blob_off = 0;
	for (uint32_t before = blob - f->first_blob; before > 0; before--, b++)
		out->blob_off += b->len;
	out->blob_len = b->len;
	if (out->blob_len > f->plain || out->blob_off > f->plain - out->blob_len)
		return err_set(e, ERR_CORRUPT, "index cache: a blob outside its frame");
	return 0;
}

static const uint8_t *key_of_slot(
    const struct index_level *l, const struct level_pack *p, unsigned slot, struct err *e)
{
	const struct level_key *key;
	const uint32_t *place;

	if (slot >= p->nslots) {
		err_set(e, ERR_CORRUPT, "index cache: a frame without a data key");
		return NULL;
	}
	place = level_at(l, LEVEL_SLOTS, (uint64_t)p->first_slot + slot, 1, e);
	if (place == NULL)
		return NULL;
	key = level_at(l, LEVEL_KEYS, *place, 1, e);
	return key ? key->sealed : NULL;
}

int index_level_place(
    const struct index_level *l, uint32_t blob, struct index_place *out, struct err *e)
{
	const struct level_frame *f;
	const struct level_pack *p;

	if (frame_of_blob(l, blob, &out->frame, e) == -1)
		return -1;
	if ((f = level_at(l, LEVEL_FRAMES, out->frame, 1, e)) == NULL ||
	    (p = level_at(l, LEVEL_PACKS, f->pack, 1, e)) == NULL ||
	    place_in_frame(l, f, blob, out, e) == -1)
		return -1;
	out->pack = f->pack;
	out->domain = p->origin.domain;
	out->blob = blob;
	out->kind = f->kind;
	out->codec = f->codec;
	out->off = f->off;
	out->stored = f->stored;
	out->plain = f->plain;
	out->sealed_key = key_of_slot(l, p, f->slot, e);
	return out->sealed_key ? 0 : -1;
}

const struct pack_blob *index_level_blob(const struct index_level *l, uint32_t blob, struct err *e)
{
	_Static_assert(sizeof(struct level_blob) == sizeof(struct pack_blob), "one shape");
	return level_at(l, LEVEL_BLOBS, blob, 1, e);
}

int index_level_pack(
    const struct index_level *l, uint32_t pack, struct index_cache_pack *out, struct err *e)
{
	const struct level_pack *p = level_at(l, LEVEL_PACKS, pack, 1, e);
	uint32_t frames, blobs;

	if (p == NULL ||
	    end_of(l, LEVEL_PACKS, pack, pack_first_frame, LEVEL_FRAMES, &frames, e) == -1 ||
	    end_of(l, LEVEL_PACKS, pack, pack_first_blob, LEVEL_BLOBS, &blobs, e) == -1)
		return -1;
	if (frames < p->first_frame || blobs < p->first_blob)
		return err_set(e, ERR_CORRUPT, "index cache: packs out of order");
	*out = (struct index_cache_pack){
	    .id = p->id,
	    .type = p->type,
	    .size = p->size,
	    .origin = p->origin,
	    .first_off = p->first_off,
	    .first_frame = p->first_frame,
	    .nframes = frames - p->first_frame,
	    .first_blob = p->first_blob,
	    .nblobs = blobs - p->first_blob,
	};
	return 0;
}

static int add_frame(const struct index_level *l, uint32_t i, struct pack_dir *dir, struct err *e)
{
	const struct level_frame *f = level_at(l, LEVEL_FRAMES, i, 1, e);
	const struct level_blob *b;
	uint32_t end;

	if (f == NULL || end_of(l, LEVEL_FRAMES, i, frame_first_blob, LEVEL_BLOBS, &end, e) == -1)
		return -1;
	if (end < f->first_blob || end - f->first_blob > FORMAT_PACK_BLOBS_MAX)
		return err_set(e, ERR_CORRUPT, "index cache: frames out of order");
	b = level_at(l, LEVEL_BLOBS, f->first_blob, end - f->first_blob, e);
	if (b == NULL)
		return -1;
	pack_dir_add(dir,
	    &(struct pack_frame){.kind = f->kind,
		.slot = f->slot,
		.codec = f->codec,
		.stored = f->stored,
		.plain = f->plain,
		.nblobs = end - f->first_blob},
	    (const struct pack_blob *)b);
	return 0;
}

int index_level_pack_dir(const struct index_level *l, uint32_t pack, struct pack_dir *dir,
    struct index_pack *out, struct err *e)
{
	const struct level_pack *p = level_at(l, LEVEL_PACKS, pack, 1, e);
	struct index_cache_pack facts;

	pack_dir_reset(dir);
	if (p == NULL || index_level_pack(l, pack, &facts, e) == -1)
		return -1;
	out->id = p->id;
	out->type = p->type;
	out->size = p->size;
	out->first_off = p->first_off;
	out->nslots = p->nslots;
	out->origin = p->origin;
	out->dir = dir;
	for (unsigned i = 0; i < p->nslots; i++)
		if ((out->slots[i] = key_of_slot(l, p, i, e)) == NULL)
			return -1;
	for (uint32_t i = 0; i < facts.nframes; i++)
		if (add_frame(l, facts.first_frame + i, dir, e) == -1)
			return -1;
	return 0;
}
