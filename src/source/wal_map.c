/* wal_map: what records mean for files, kept as bitmaps. */
#include "source/wal_map.h"

#include <stdlib.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "source/wal_map_priv.h"

struct wal_map *wal_map_new(void)
{
	struct wal_map *m = mem_zalloc(sizeof *m);

	m->nslots = 64;
	m->slots = mem_zalloc(m->nslots * sizeof *m->slots);
	return m;
}

static void free_file(struct wal_map_file *f)
{
	for (size_t i = 0; f != NULL && i < f->nchunks; i++)
		free(f->chunks[i].bits);
	if (f != NULL)
		free(f->chunks);
	free(f);
}

void wal_map_free(struct wal_map *m)
{
	for (size_t i = 0; m != NULL && i < m->nslots; i++)
		free_file(m->slots[i]);
	if (m != NULL)
		free(m->slots);
	free(m);
}

static bool rel_eq(struct wal_rel a, struct wal_rel b)
{
	return a.spc == b.spc && a.db == b.db && a.rel == b.rel;
}

static size_t slot_of(const struct wal_map *m, struct wal_rel rel)
{
	uint64_t h = (uint64_t)rel.spc * 0x9e3779b97f4a7c15 ^ (uint64_t)rel.db * 0xc2b2ae3d27d4eb4f;
	size_t at;

	h = (h ^ rel.rel) * 0x9e3779b97f4a7c15;
	at = (h ^ h >> 29) & (m->nslots - 1);
	while (m->slots[at] && !rel_eq(m->slots[at]->rel, rel))
		at = (at + 1) & (m->nslots - 1);
	return at;
}

static void grow(struct wal_map *m)
{
	struct wal_map_file **old = m->slots;
	size_t n = m->nslots;

	m->nslots *= 2;
	m->slots = mem_zalloc(m->nslots * sizeof *m->slots);
	for (size_t i = 0; i < n; i++)
		if (old[i])
			m->slots[slot_of(m, old[i]->rel)] = old[i];
	free(old);
}

static int take_memory(struct wal_map *m, size_t n, struct err *e)
{
	m->memory += n;
	if (m->memory > WAL_MAP_MEMORY)
		return err_set(e, ERR_UNSUPPORTED, "too many blocks changed to be listed");
	return 0;
}

struct wal_map_file *wal_map_file_of(struct wal_map *m, struct wal_rel rel, struct err *e)
{
	struct wal_map_file *f = m->last;
	size_t at;

	if (f && rel_eq(f->rel, rel))
		return f;
	at = slot_of(m, rel);
	if (m->slots[at])
		return m->last = m->slots[at];
	if (take_memory(m, sizeof *f + 4 * sizeof f, e) == -1)
		return NULL;
	f = mem_zalloc(sizeof *f);
	*f = (struct wal_map_file){.rel = rel, .limit = WAL_MAP_NONE};
	m->slots[at] = f;
	if (++m->nfiles * 2 > m->nslots)
		grow(m);
	return m->last = f;
}

size_t wal_map_chunk_at(const struct wal_map_file *f, uint32_t first)
{
	size_t lo = 0, hi = f->nchunks;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (f->chunks[mid].first < first)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int insert_chunk(
    struct wal_map *m, struct wal_map_file *f, size_t at, uint32_t first, struct err *e)
{
	if (take_memory(m, MAP_WORDS * 8 + 3 * sizeof *f->chunks, e) == -1)
		return -1;
	if (f->nchunks == f->cap) {
		f->cap = f->cap ? f->cap * 2 : 1;
		f->chunks = mem_realloc(f->chunks, f->cap * sizeof *f->chunks);
	}
	memmove(f->chunks + at + 1, f->chunks + at, (f->nchunks - at) * sizeof *f->chunks);
	f->chunks[at] = (struct map_chunk){first, mem_zalloc(MAP_WORDS * 8)};
	f->nchunks++;
	return 0;
}

/* The bitmap of `first`, made if it is missing. */
static uint64_t *bits_of(struct wal_map *m, struct wal_map_file *f, uint32_t first, struct err *e)
{
	size_t at = wal_map_chunk_at(f, first);

	if ((at == f->nchunks || f->chunks[at].first != first) &&
	    insert_chunk(m, f, at, first, e) == -1)
		return NULL;
	return f->chunks[at].bits;
}

int wal_map_set(struct wal_map *m, struct wal_map_file *f, uint32_t from, uint32_t n, struct err *e)
{
	uint64_t b = from, end = (uint64_t)from + n;

	if (end > f->limit)
		end = f->limit;
	while (b < end) {
		uint64_t *bits = bits_of(m, f, (uint32_t)(b / MAP_CHUNK), e);
		uint64_t stop = (b / MAP_CHUNK + 1) * MAP_CHUNK;

		if (bits == NULL)
			return -1;
		for (stop = stop < end ? stop : end; b < stop;) {
			uint64_t *word = &bits[b % MAP_CHUNK / 64], in = 64 - b % 64;
			uint64_t count = stop - b < in ? stop - b : in;
			uint64_t mask = UINT64_MAX >> (64 - count) << b % 64;

			m->nblocks += (uint64_t)__builtin_popcountll(mask & ~*word);
			*word |= mask;
			b += count;
		}
	}
	return 0;
}

int wal_map_note(struct wal_map *m, struct wal_rel rel, uint32_t from, uint32_t n, struct err *e)
{
	struct wal_map_file *f = wal_map_file_of(m, rel, e);

	return f == NULL ? -1 : wal_map_set(m, f, from, n, e);
}

/* Everything from block n on; what was named there one by one goes. */
static int cut(struct wal_map *m, struct wal_rel rel, uint32_t n, struct err *e)
{
	struct wal_map_file *f = wal_map_file_of(m, rel, e);

	if (f == NULL)
		return -1;
	if (n >= f->limit)
		return 0;
	f->limit = n;
	for (size_t i = f->nchunks; i-- > 0;) {
		struct map_chunk *c = &f->chunks[i];

		for (uint32_t w = 0; w < MAP_WORDS; w++) {
			uint64_t begin = (uint64_t)c->first * MAP_CHUNK + w * 64, keep = 0;

			if (begin + 64 <= n)
				keep = UINT64_MAX;
			else if (begin < n)
				keep = ((uint64_t)1 << (n - begin)) - 1;
			m->nblocks -= (uint64_t)__builtin_popcountll(c->bits[w] & ~keep);
			c->bits[w] &= keep;
		}
		if ((uint64_t)c->first * MAP_CHUNK < n)
			break;
		free(c->bits);
		f->nchunks--;
		m->memory -= MAP_WORDS * 8 + 3 * sizeof *c;
	}
	return 0;
}

static struct wal_rel rel_of(struct cursor *c)
{
	struct wal_rel rel;

	rel.spc = cursor_u32(c);
	rel.db = cursor_u32(c);
	rel.rel = cursor_u32(c);
	return rel;
}

enum { CUT_HEAP = 1 };

static int add_smgr(struct wal_map *m, const struct wal_record *r, struct cursor *c, struct err *e)
{
	uint8_t what = r->info & WAL_INFO_MASK;
	uint32_t n = what == WAL_SMGR_TRUNCATE ? cursor_u32(c) : 0;
	struct wal_rel rel = rel_of(c);
	uint32_t more = cursor_u32(c); /* the fork that is created, or what of it is cut */

	c->bad |= !rel.rel || (what == WAL_SMGR_CREATE && more >= WAL_FORKS) ||
		  (what != WAL_SMGR_CREATE && what != WAL_SMGR_TRUNCATE);
	if (c->bad || (what == WAL_SMGR_CREATE ? more != WAL_FORK_MAIN : !(more & CUT_HEAP)))
		return 0;
	return cut(m, rel, n, e);
}

enum { DBASE_CREATE = 0x00, DBASE_CREATE_LOGGED = 0x10, DBASE_DROP = 0x20, DBASE_DROP_14 = 0x10 };

static int add_dbase(struct wal_map *m, const struct wal_record *r, struct cursor *c, struct err *e)
{
	uint8_t what = r->info & WAL_INFO_MASK;
	uint32_t db = cursor_u32(c), n = 1;

	if (what == (r->version < 15 ? DBASE_DROP_14 : DBASE_DROP))
		n = cursor_u32(c);
	else if (what != DBASE_CREATE && (r->version < 15 || what != DBASE_CREATE_LOGGED))
		c->bad = true;
	for (; n > 0 && !c->bad; n--) {
		struct wal_rel rel = {cursor_u32(c), db, 0};

		if (!c->bad && cut(m, rel, 0, e) == -1)
			return -1;
	}
	return 0;
}

/* xl_parameter_change: five limits, then wal_level; 0 is minimal. */
static int add_xlog(const struct wal_record *r, struct cursor *c, struct err *e)
{
	if ((r->info & WAL_INFO_MASK) != WAL_XLOG_PARAMETERS)
		return 0;
	cursor_bytes(c, 5 * 4);
	if (cursor_u32(c) == 0 && !c->bad)
		return err_set(e, ERR_UNSUPPORTED,
		    "wal_level was minimal: files were written without the log");
	return 0;
}

static int add_special(
    struct wal_map *m, const struct wal_record *r, struct cursor *c, struct err *e)
{
	struct wal_xact x;
	int n;

	switch (r->rmgr) {
	case WAL_RMGR_XLOG:
		return add_xlog(r, c, e);
	case WAL_RMGR_SMGR:
		return add_smgr(m, r, c, e);
	case WAL_RMGR_DBASE:
		return add_dbase(m, r, c, e);
	case WAL_RMGR_TBLSPC:
		return cut(m, (struct wal_rel){cursor_u32(c), 0, 0}, 0, e);
	case WAL_RMGR_XACT:
		n = wal_xact_of(r, &x, e);
		for (size_t i = 0; n == 1 && i < x.nrels; i++)
			if (cut(m, wal_xact_rel(&x, i), 0, e) == -1)
				return -1;
		return n < 0 ? -1 : 0;
	default:
		return 0;
	}
}

int wal_map_add(struct wal_map *m, const struct wal_record *r, struct err *e)
{
	struct cursor c = cursor_of(r->main);

	for (size_t i = 0; i < r->nrefs; i++) {
		struct wal_map_file *f;

		if (!r->refs[i].rel.rel) { /* stands for a whole database in the map */
			c.bad = true;
			break;
		}
		if (r->refs[i].fork != WAL_FORK_MAIN)
			continue;
		f = wal_map_file_of(m, r->refs[i].rel, e);
		if (f == NULL || wal_map_set(m, f, r->refs[i].block, 1, e) == -1)
			return -1;
	}
	if (add_special(m, r, &c, e) == -1)
		return -1;
	if (c.bad)
		return err_set(e, ERR_UNSUPPORTED,
		    "a record of manager %u (info %02x) is not known", r->rmgr, r->info);
	return 0;
}

int wal_map_merge(struct wal_map *m, const struct wal_map *later, struct err *e)
{
	for (size_t i = 0; i < later->nslots; i++) {
		const struct wal_map_file *from = later->slots[i];
		struct wal_map_file *f;

		if (from == NULL)
			continue;
		if (cut(m, from->rel, from->limit, e) == -1)
			return -1;
		f = wal_map_file_of(m, from->rel, e);
		for (uint32_t b = 0; f && (b = wal_map_next(from, b)) < from->limit; b++)
			if (wal_map_set(m, f, b, 1, e) == -1)
				return -1;
	}
	return 0;
}

const struct wal_map_file *wal_map_find(const struct wal_map *m, struct wal_rel rel)
{
	const struct wal_map_file *f;

	f = m->slots[slot_of(m, (struct wal_rel){rel.spc, 0, 0})];
	if (f == NULL)
		f = m->slots[slot_of(m, (struct wal_rel){rel.spc, rel.db, 0})];
	return f ? f : m->slots[slot_of(m, rel)];
}

uint32_t wal_map_next(const struct wal_map_file *f, uint32_t from)
{
	if (from >= f->limit)
		return from;
	for (size_t i = wal_map_chunk_at(f, from / MAP_CHUNK); i < f->nchunks; i++) {
		const struct map_chunk *c = &f->chunks[i];
		uint32_t begin = c->first * MAP_CHUNK, bit = from > begin ? from - begin : 0;

		for (; bit < MAP_CHUNK; bit = (bit | 63) + 1) {
			uint64_t w = c->bits[bit / 64] >> bit % 64;

			if (w)
				return begin + bit + (uint32_t)__builtin_ctzll(w);
		}
	}
	return f->limit;
}

uint64_t wal_map_blocks(const struct wal_map *m)
{
	return m->nblocks;
}

size_t wal_map_files(const struct wal_map *m)
{
	return m->nfiles;
}

static int by_rel(const void *pa, const void *pb)
{
	const struct wal_map_file *a = *(struct wal_map_file *const *)pa;
	const struct wal_map_file *b = *(struct wal_map_file *const *)pb;

	if (a->rel.spc != b->rel.spc)
		return a->rel.spc < b->rel.spc ? -1 : 1;
	if (a->rel.db != b->rel.db)
		return a->rel.db < b->rel.db ? -1 : 1;
	return a->rel.rel < b->rel.rel ? -1 : a->rel.rel > b->rel.rel;
}

struct wal_map_file **wal_map_sorted(const struct wal_map *m)
{
	struct wal_map_file **v = mem_alloc((m->nfiles + 1) * sizeof *v);
	size_t n = 0;

	for (size_t i = 0; i < m->nslots; i++)
		if (m->slots[i])
			v[n++] = m->slots[i];
	qsort(v, n, sizeof *v, by_rel);
	return v;
}
