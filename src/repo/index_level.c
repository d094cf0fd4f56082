/* index_level: reading; see index_level.h. */
#include "repo/index_level.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "os/os.h"
#include "repo/index_level_file.h"

struct index_level {
	const uint8_t *p; /* mapped */
	struct level_header h;
	struct id *sources;
	uint8_t key[SIPHASH_KEY];
	_Atomic uint64_t *verified; /* a bit a block */
	_Atomic uint64_t *touched;  /* a bit a window, since the last trim */
	_Atomic uint32_t own_count, *count;
};

/* What one page fault brings in: the kernel maps neighbours that are in its cache too. */
enum { WINDOW_BLOCKS = INDEX_LEVEL_WINDOW / LEVEL_BLOCK };

uint64_t level_count(const struct index_level *l, enum level_section s)
{
	return l->h.count[s];
}

static bool verify_block(const struct index_level *l, uint64_t block)
{
	_Atomic uint64_t *word = &l->verified[block / 64];
	uint64_t bit = UINT64_C(1) << (block % 64), sum;

	if (atomic_load_explicit(word, memory_order_acquire) & bit)
		return true;
	memcpy(&sum, l->p + l->h.sums + 8 * block, sizeof sum);
	if (siphash_at(l->key, block, span_of(l->p + block * LEVEL_BLOCK, LEVEL_BLOCK)) != sum)
		return false;
	atomic_fetch_or_explicit(word, bit, memory_order_release);
	return true;
}

/* Words of a bitmap with so many bits. */
static size_t words(uint64_t bits)
{
	return (size_t)((bits + 63) / 64);
}

static uint64_t windows(const struct index_level *l)
{
	return l->h.sums / LEVEL_BLOCK / WINDOW_BLOCKS + 1;
}

static void touch(const struct index_level *l, uint64_t block)
{
	uint64_t window = block / WINDOW_BLOCKS, bit = UINT64_C(1) << (window % 64);
	_Atomic uint64_t *word = &l->touched[window / 64];

	if (atomic_load_explicit(word, memory_order_relaxed) & bit)
		return;
	if (!(atomic_fetch_or_explicit(word, bit, memory_order_relaxed) & bit))
		atomic_fetch_add_explicit(l->count, 1, memory_order_relaxed);
}

const void *level_at(
    const struct index_level *l, enum level_section s, uint64_t i, uint64_t n, struct err *e)
{
	uint64_t from, to;

	if (n > l->h.count[s] || i > l->h.count[s] - n) {
		err_set(e, ERR_CORRUPT, "index cache: a level points outside itself");
		return NULL;
	}
	from = l->h.off[s] + i * level_width((int)s);
	to = from + n * level_width((int)s);
	for (uint64_t b = from / LEVEL_BLOCK; b * LEVEL_BLOCK < to; b++) {
		touch(l, b);
		if (verify_block(l, b))
			continue;
		err_set(e, ERR_CORRUPT, "index cache: block %llu of a level is damaged",
		    (unsigned long long)b);
		return NULL;
	}
	return l->p + from;
}

void index_level_trim(const struct index_level *l)
{
	uint32_t n = 0;

	for (size_t i = 0; i < words(windows(l)); i++)
		n += (uint32_t)__builtin_popcountll(
		    atomic_exchange_explicit(&l->touched[i], 0, memory_order_relaxed));
	atomic_fetch_sub_explicit(l->count, n, memory_order_relaxed);
	madvise((void *)(uintptr_t)l->p, l->h.size, MADV_DONTNEED);
}

void index_level_count(struct index_level *l, _Atomic uint32_t *windows_touched)
{
	if (l->count == windows_touched)
		return;
	atomic_fetch_add_explicit(windows_touched,
	    atomic_load_explicit(l->count, memory_order_relaxed), memory_order_relaxed);
	l->count = windows_touched;
}

int index_level_verify(const struct index_level *l, struct err *e)
{
	/* The header has a checksum of its own. */
	for (uint64_t b = l->h.off[0] / LEVEL_BLOCK; b * LEVEL_BLOCK < l->h.sums; b++) {
		if (!verify_block(l, b))
			return err_set(e, ERR_CORRUPT,
			    "index cache: block %llu of a level is damaged", (unsigned long long)b);
		if (b % 64 == 63)
			index_level_trim(l);
	}
	index_level_trim(l);
	return 0;
}

void level_release(const struct index_level *l, enum level_section s, uint64_t i)
{
	uint64_t end = (l->h.off[s] + i * level_width((int)s)) / LEVEL_BLOCK * LEVEL_BLOCK;

	if (end > l->h.off[s])
		madvise((void *)(uintptr_t)(l->p + l->h.off[s]), end - l->h.off[s], MADV_DONTNEED);
}

/* Do sections follow one another within the file, as a builder lays them out? */
static bool layout_fits(const struct level_header *h, uint64_t size)
{
	uint64_t at;

	if (h->magic != LEVEL_MAGIC || h->size != size || h->nsources > LEVEL_SOURCES_MAX)
		return false;
	at = level_round(sizeof *h + h->nsources * ID_SIZE);
	for (int s = 0; s < LEVEL_SECTIONS; s++) {
		if (h->off[s] != at || at > size || h->count[s] > (size - at) / level_width((int)s))
			return false;
		at += level_round(h->count[s] * level_width((int)s));
	}
	if (h->count[LEVEL_BLOBS] != h->count[LEVEL_TABLE] || h->count[LEVEL_BLOBS] > UINT32_MAX)
		return false;
	if (h->count[LEVEL_PACKS] > UINT32_MAX || h->count[LEVEL_FRAMES] > UINT32_MAX)
		return false;
	return h->sums == at && h->count[LEVEL_FILTER] > 0 &&
	       size == at + at / LEVEL_BLOCK * sizeof(uint64_t);
}

static int read_header(
    struct index_level *l, int fd, uint64_t size, const uint8_t key[INDEX_LEVEL_KEY], struct err *e)
{
	struct buf b = {0};
	uint64_t sum;
	size_t n;
	int rc = -1;

	if (os_pread_full(fd, &l->h, sizeof l->h, 0) != (ssize_t)sizeof l->h ||
	    !layout_fits(&l->h, size)) {
		err_set(e, ERR_CORRUPT, "index cache: not a level");
		goto out;
	}
	n = l->h.nsources * ID_SIZE;
	l->sources = mem_alloc(n);
	if (os_pread_full(fd, l->sources, n, sizeof l->h) != (ssize_t)n) {
		err_set(e, ERR_CORRUPT, "index cache: level cut short");
		goto out;
	}
	sum = l->h.sum;
	l->h.sum = 0;
	buf_put(&b, &l->h, sizeof l->h);
	buf_put(&b, l->sources, n);
	level_sum_key(key, l->h.salt, l->key);
	if (siphash_at(l->key, UINT64_MAX, buf_span(&b)) != sum) {
		err_set(e, ERR_CORRUPT, "index cache: header of a level is damaged");
		goto out;
	}
	rc = 0;
out:
	buf_fini(&b);
	return rc;
}

struct index_level *index_level_open(int fd, const uint8_t key[INDEX_LEVEL_KEY], struct err *e)
{
	struct index_level *l = mem_zalloc(sizeof *l);
	struct stat st;
	int rc = -1;

	l->count = &l->own_count;
	if (os_fstat(fd, &st) == -1) {
		err_sys(e, "index cache: level");
		goto out;
	}
	if (read_header(l, fd, (uint64_t)st.st_size, key, e) == -1)
		goto out;
	l->p = mmap(NULL, l->h.size, PROT_READ, MAP_SHARED, fd, 0);
	if (l->p == MAP_FAILED) {
		l->p = NULL;
		err_sys(e, "index cache: map level");
		goto out;
	}
	/* Lookups are spread evenly: reading ahead would only fill memory. */
	madvise((void *)(uintptr_t)(l->p + l->h.off[LEVEL_TABLE]),
	    l->h.sums - l->h.off[LEVEL_TABLE], MADV_RANDOM);
	l->verified = mem_zalloc(words(l->h.sums / LEVEL_BLOCK) * sizeof *l->verified);
	l->touched = mem_zalloc(words(windows(l)) * sizeof *l->touched);
	rc = 0;
out:
	os_close(fd);
	if (rc == 0)
		return l;
	index_level_close(l);
	return NULL;
}

void index_level_close(struct index_level *l)
{
	if (l == NULL)
		return;
	if (l->p != NULL)
		munmap((void *)(uintptr_t)l->p, l->h.size);
	crypto_wipe(l->key, sizeof l->key);
	free(l->sources);
	free((void *)(uintptr_t)l->verified);
	free((void *)(uintptr_t)l->touched);
	free(l);
}

size_t index_level_sources(const struct index_level *l)
{
	return l->h.nsources;
}

const struct id *index_level_source(const struct index_level *l, size_t i)
{
	return &l->sources[i];
}

uint32_t index_level_packs(const struct index_level *l)
{
	return (uint32_t)l->h.count[LEVEL_PACKS];
}

uint32_t index_level_frames(const struct index_level *l)
{
	return (uint32_t)l->h.count[LEVEL_FRAMES];
}

uint64_t index_level_blobs(const struct index_level *l)
{
	return l->h.count[LEVEL_BLOBS];
}

/* 1 perhaps, 0 certainly not. */
static int ask_filter(const struct index_level *l, const struct id *id, struct err *e)
{
	uint64_t at = level_line_of(id, l->h.count[LEVEL_FILTER]);
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
	uint64_t n = l->h.count[LEVEL_TABLE], lo, hi, step;
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
	if (*at >= l->h.count[LEVEL_TABLE])
		return 0;
	c = compare_row(l, *at, id, blob, e);
	return c == -2 ? -1 : c == 0;
}

/* One past the last blob of a frame, frame of a pack, and so on. */
static int end_of(const struct index_level *l, enum level_section s, uint64_t i,
    uint32_t (*first)(const void *), enum level_section of, uint32_t *out, struct err *e)
{
	const void *next;

	if (i + 1 >= l->h.count[s]) {
		*out = (uint32_t)l->h.count[of];
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
	uint64_t n = l->h.count[LEVEL_FRAMES], lo = 0, hi = n, step = 32;
	uint64_t guess;

	if (blob >= l->h.count[LEVEL_BLOBS])
		return err_set(e, ERR_CORRUPT, "index cache: no such blob");
	guess = blob * n / l->h.count[LEVEL_BLOBS];
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
