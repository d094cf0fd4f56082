/* parity: see parity.h and doc/format.md 9.1. */
#include "repo/parity.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "codec/erasure.h"
#include "repo/format.h"

enum {
	HEAD = PARITY_HEAD, /* of a block */
	EXTRA = HEAD + 8,   /* what a block has beside its payload */
	LOG_SHARD_MIN = 6,
	LOG_SHARD_SECTOR = 12, /* of all but small objects */
	LOG_SHARD_MAX = 14,
	SECTOR = 4096,
	SUM = 8,
	TYPE = 8,
};

/* ---- Shape: how many shards and blocks of which size. */

static unsigned log2_up(uint64_t n)
{
	unsigned b = 0;

	while ((uint64_t)1 << b < n)
		b++;
	return b;
}

static size_t shards_of(uint64_t size, unsigned log_shard)
{
	return (size_t)((size + ((uint64_t)1 << log_shard) - 1) >> log_shard);
}

/*
 * Of k + m shards the share may be lost, and two more, for damage that does
 * not begin where a shard does; a sector at the least.
 */
static size_t parity_shards(unsigned share, size_t k, unsigned log_shard)
{
	size_t m = (k * share + 999 - share) / (1000 - share) + 2;
	size_t sector = (SECTOR >> log_shard) + 1;

	if (k == 0)
		return 0;
	return m > sector ? m : sector;
}

static unsigned log_t_of(size_t m)
{
	return log2_up(m ? m : 1);
}

/* Small objects have small shards; very large ones as many as the code has. */
static unsigned log_shard_of(unsigned share, uint64_t size)
{
	unsigned log = size >= 64 * SECTOR ? LOG_SHARD_SECTOR : log2_up((size + 63) / 64);

	if (log < LOG_SHARD_MIN)
		log = LOG_SHARD_MIN;
	for (;; log++) {
		size_t k = shards_of(size, log), m = parity_shards(share, k, log);

		if (k + ((size_t)1 << log_t_of(m)) <= ERASURE_POSITIONS)
			return log;
	}
}

static size_t block_size(unsigned log_shard)
{
	return log_shard < 9 ? 512 : (size_t)1 << log_shard;
}

/* Blocks whose payloads hold the checksums; there are twice as many and two. */
static size_t table_blocks(size_t k, size_t m, unsigned log_shard)
{
	size_t payload = block_size(log_shard) - EXTRA, n = ((k + m) * SUM + payload - 1) / payload;

	return n ? n : 1;
}

static size_t all_blocks(size_t table)
{
	return 2 * table + 2;
}

uint64_t parity_pack_max(unsigned share)
{
	uint64_t room, max;

	if (share == 0)
		return FORMAT_PACK_MAX;
	/* The least power of two of parity that leaves packs of a fair size. */
	for (room = 4 << 20;; room *= 2) {
		max = (room - ((uint64_t)4 << LOG_SHARD_SECTOR)) * (1000 - share) / share;
		if (max >= PARITY_PACK_MIN)
			return max < FORMAT_PACK_MAX ? max : FORMAT_PACK_MAX;
	}
}

/* ---- Making. */

struct parity_builder {
	unsigned share, log_shard, log_t;
	uint64_t size;
	struct buf part; /* bytes of the object, up to what the code takes at once */
	uint8_t *sum;    /* NULL until the first part is full */
	size_t parts;
	struct buf table; /* checksums */
	struct buf ends[2];
};

struct parity_builder *parity_builder_new(unsigned share, uint64_t max)
{
	struct parity_builder *b = mem_zalloc(sizeof *b);

	b->share = share;
	b->log_shard = log_shard_of(share, max);
	b->log_t = log_t_of(parity_shards(share, shards_of(max, b->log_shard), b->log_shard));
	return b;
}

void parity_builder_free(struct parity_builder *b)
{
	if (b == NULL)
		return;
	buf_fini(&b->part);
	buf_fini(&b->table);
	buf_fini(&b->ends[0]);
	buf_fini(&b->ends[1]);
	free(b->sum);
	free(b);
}

static void sum_shards(struct parity_builder *b, const uint8_t *p, size_t n)
{
	size_t shard = (size_t)1 << b->log_shard;

	for (size_t i = 0; i < n; i++)
		buf_put_u64(&b->table, erasure_crc(span_of(p + i * shard, shard)));
}

static size_t part_room(const struct parity_builder *b)
{
	return (size_t)1 << (b->log_shard + b->log_t - 1);
}

static void take_part(struct parity_builder *b)
{
	size_t shard = (size_t)1 << b->log_shard, n;

	n = shards_of(b->part.n, b->log_shard);
	buf_put_zeros(&b->part, n * shard - b->part.n);
	sum_shards(b, b->part.p, n);
	buf_reserve(&b->part, part_room(b) - b->part.n);
	if (b->sum == NULL)
		b->sum = mem_zalloc(2 * part_room(b));
	erasure_add(b->log_t, shard, b->parts++, n, b->part.p, b->sum);
	buf_reset(&b->part);
}

void parity_builder_add(struct parity_builder *b, struct span bytes)
{
	b->size += bytes.n;
	while (bytes.n > 0) {
		size_t left = part_room(b) - b->part.n, n = left < bytes.n ? left : bytes.n;

		/* Only once more comes, so that a small object keeps its small shape. */
		if (n == 0) {
			take_part(b);
			continue;
		}
		buf_put(&b->part, bytes.p, n);
		bytes = span_of(bytes.p + n, bytes.n - n);
	}
}

static void put_block(struct parity_builder *b, const struct id *object, size_t m, size_t number,
    struct span payload, struct buf *out)
{
	size_t at = out->n;

	buf_put(out, "HOLDFAST", 8);
	buf_put_u8(out, FORMAT_VERSION);
	buf_put_u8(out, TYPE);
	buf_put_u8(out, (uint8_t)b->log_shard);
	buf_put_u8(out, (uint8_t)b->log_t);
	buf_put_u32(out, (uint32_t)m);
	buf_put_u64(out, b->size);
	buf_put_u32(out, (uint32_t)number);
	buf_put_u32(out, 0);
	buf_put(out, object, ID_SIZE);
	buf_put_span(out, payload);
	buf_put_u64(out, erasure_crc(span_of(out->p + at, out->n - at)));
}

/* The checksums are themselves a code word: any half of the blocks has them all. */
static void make_ends(struct parity_builder *b, const struct id *object, size_t k, size_t m)
{
	size_t payload = block_size(b->log_shard) - EXTRA, n = table_blocks(k, m, b->log_shard);
	unsigned log_t = log_t_of(n + 2);
	size_t half = (size_t)1 << (log_t - 1);
	uint8_t *sum = mem_zalloc(payload << log_t), *copy = mem_alloc(payload * half);

	buf_put_zeros(&b->table, n * payload - b->table.n);
	for (size_t at = 0; at < n; at += half) {
		size_t some = n - at < half ? n - at : half;

		memcpy(copy, b->table.p + at * payload, some * payload);
		erasure_add(log_t, payload, at / half, some, copy, sum);
	}
	erasure_end(log_t, payload, n + 2, sum);
	for (size_t i = 0; i < all_blocks(n); i++)
		put_block(b, object, m, i,
		    span_of(i < n ? b->table.p + i * payload : sum + (i - n) * payload, payload),
		    &b->ends[i > n]);
	free(sum);
	free(copy);
}

/* All of it is at hand: give it the shape of its size. */
static void reshape(struct parity_builder *b)
{
	struct buf whole = b->part;

	b->log_shard = log_shard_of(b->share, whole.n);
	b->log_t = log_t_of(
	    parity_shards(b->share, shards_of(whole.n, b->log_shard), b->log_shard));
	b->part = (struct buf){0};
	b->size = 0;
	parity_builder_add(b, buf_span(&whole));
	buf_fini(&whole);
}

void parity_builder_end(struct parity_builder *b, const struct id *object, struct span parts[3])
{
	size_t k, m;

	if (b->parts == 0)
		reshape(b);
	if (b->part.n > 0)
		take_part(b);
	k = shards_of(b->size, b->log_shard);
	m = parity_shards(b->share, k, b->log_shard);
	assert(m <= (size_t)1 << b->log_t);
	if (m > 0) {
		erasure_end(b->log_t, (size_t)1 << b->log_shard, m, b->sum);
		sum_shards(b, b->sum, m);
	}
	make_ends(b, object, k, m);
	parts[0] = buf_span(&b->ends[0]);
	parts[1] = span_of(b->sum, m << b->log_shard);
	parts[2] = buf_span(&b->ends[1]);
}

/* ---- Reading. */

/* A block that was found: its number and payload. */
struct block {
	uint32_t number;
	struct span payload;
};

/* Is there a sound block of that object at p?  The shape goes to `out`. */
static bool read_block(
    struct span at, const struct id *object, struct parity *out, struct block *block)
{
	struct cursor c = cursor_of(at);
	size_t n;

	if (at.n < EXTRA || memcmp(at.p, "HOLDFAST", 8) != 0 || at.p[8] != FORMAT_VERSION ||
	    at.p[9] != TYPE)
		return false;
	cursor_bytes(&c, 10);
	out->log_shard = cursor_u8(&c);
	out->log_t = cursor_u8(&c);
	out->m = cursor_u32(&c);
	out->size = cursor_u64(&c);
	block->number = cursor_u32(&c);
	if (out->log_shard < LOG_SHARD_MIN || out->log_shard > LOG_SHARD_MAX ||
	    out->log_t > ERASURE_LOG_MAX || out->m > (size_t)1 << out->log_t ||
	    out->size > FORMAT_SMALL_MAX || cursor_u32(&c) != 0 ||
	    memcmp(cursor_bytes(&c, ID_SIZE).p, object, ID_SIZE) != 0)
		return false;
	out->k = shards_of(out->size, out->log_shard);
	n = block_size(out->log_shard);
	if (out->k + ((size_t)1 << out->log_t) > ERASURE_POSITIONS || at.n < n)
		return false;
	block->payload = span_of(at.p + HEAD, n - EXTRA);
	c = cursor_of(span_of(at.p + n - 8, 8));
	return cursor_u64(&c) == erasure_crc(span_of(at.p, n - 8));
}

bool parity_begins(struct span bytes, const struct id *object)
{
	struct parity shape = {.m = 0};
	struct block b;

	return read_block(bytes, object, &shape, &b) && b.number == 0;
}

static bool same_shape(const struct parity *a, const struct parity *b)
{
	return a->size == b->size && a->m == b->m && a->log_shard == b->log_shard &&
	       a->log_t == b->log_t;
}

/* Every block of the shape of the first; payloads by number, NULL where there is none. */
static size_t find_blocks(
    struct span bytes, const struct id *object, struct parity *p, const uint8_t ***payloads)
{
	size_t found = 0, n = 0;

	*payloads = NULL;
	for (size_t at = 0; at + EXTRA <= bytes.n; at += (size_t)1 << LOG_SHARD_MIN) {
		struct parity here = {.m = 0};
		struct block b;

		if (!read_block(span_of(bytes.p + at, bytes.n - at), object, &here, &b))
			continue;
		if (*payloads == NULL) {
			*p = here;
			n = all_blocks(table_blocks(p->k, p->m, p->log_shard));
			*payloads = mem_zalloc(n * sizeof **payloads);
		}
		if (!same_shape(p, &here) || b.number >= n || (*payloads)[b.number] != NULL)
			continue;
		(*payloads)[b.number] = b.payload.p;
		found++;
	}
	return found;
}

/* The checksums, from whichever blocks are left. */
static bool read_table(struct parity *p, const uint8_t *const *payloads)
{
	size_t payload = block_size(p->log_shard) - EXTRA;
	size_t n = table_blocks(p->k, p->m, p->log_shard);
	uint8_t *table = mem_zalloc(n * payload), *parity = mem_zalloc((n + 2) * payload);
	bool *ok = mem_zalloc(all_blocks(n) * sizeof *ok);
	struct erasure_damage d = {log_t_of(n + 2), payload, table, ok, n, parity, ok + n, n + 2};
	struct cursor c;
	bool whole = true, good;

	for (size_t i = 0; i < all_blocks(n); i++) {
		ok[i] = payloads[i] != NULL;
		whole = whole && (ok[i] || i >= n);
		if (ok[i])
			memcpy(i < n ? table + i * payload : parity + (i - n) * payload,
			    payloads[i], payload);
	}
	good = whole || erasure_mend(&d);
	c = cursor_of(span_of(table, n * payload));
	p->sums = mem_alloc((p->k + p->m) * sizeof *p->sums);
	for (size_t i = 0; i < p->k + p->m; i++)
		p->sums[i] = cursor_u64(&c);
	free(table);
	free(parity);
	free(ok);
	return good;
}

/* Which of n shards in these bytes are sound?  True if all. */
static bool judge(struct span bytes, size_t n, unsigned log_shard, const uint64_t *sums, bool *ok)
{
	size_t shard = (size_t)1 << log_shard;
	bool all = true;

	for (size_t i = 0; i < n; i++) {
		ok[i] = (i + 1) * shard <= bytes.n &&
			erasure_crc(span_of(bytes.p + i * shard, shard)) == sums[i];
		all = all && ok[i];
	}
	return all;
}

/* The shards that are left; true if all are as they should be. */
static bool read_shards(struct parity *p, struct span bytes)
{
	size_t end = (table_blocks(p->k, p->m, p->log_shard) + 1) * block_size(p->log_shard);
	size_t want = p->m << p->log_shard, have = bytes.n > end ? bytes.n - end : 0;

	if (have > 0)
		buf_put(&p->shards, bytes.p + end, have < want ? have : want);
	p->shard_ok = mem_zalloc(p->m * sizeof *p->shard_ok);
	return judge(buf_span(&p->shards), p->m, p->log_shard, p->sums + p->k, p->shard_ok) &&
	       bytes.n == want + 2 * end;
}

int parity_read(struct span bytes, const struct id *object, struct parity *out, struct err *e)
{
	const uint8_t **payloads;
	size_t found, n;
	int rc = -1;

	memset(out, 0, sizeof *out);
	found = find_blocks(bytes, object, out, &payloads);
	if (found == 0) {
		err_set(e, ERR_CORRUPT, "nothing in it can be read");
		goto out;
	}
	out->object = *object;
	out->shards = (struct buf){0};
	out->shard_ok = NULL;
	n = table_blocks(out->k, out->m, out->log_shard);
	if (!read_table(out, payloads)) {
		err_set(e, ERR_CORRUPT, "too much of it is damaged");
		goto out;
	}
	out->sound = read_shards(out, bytes) && found == all_blocks(n);
	rc = 0;
out:
	free(payloads);
	if (rc == -1)
		parity_fini(out);
	return rc;
}

void parity_fini(struct parity *p)
{
	free(p->sums);
	free(p->shard_ok);
	buf_fini(&p->shards);
	memset(p, 0, sizeof *p);
}

int parity_mend(const struct parity *p, struct buf *bytes, struct err *e)
{
	bool *ok = mem_zalloc(p->k * sizeof *ok);
	struct erasure_damage d = {
	    p->log_t, (size_t)1 << p->log_shard, NULL, ok, p->k, p->shards.p, p->shard_ok, p->m};
	size_t padded = p->k << p->log_shard, bad = 0, left = 0;
	int rc = 0;

	if (bytes->n > p->size)
		bytes->n = p->size;
	buf_put_zeros(bytes, padded - bytes->n);
	d.data = bytes->p;
	if (!judge(buf_span(bytes), p->k, p->log_shard, p->sums, ok) && !erasure_mend(&d)) {
		for (size_t i = 0; i < p->k; i++)
			bad += !ok[i];
		for (size_t i = 0; i < p->m; i++)
			left += p->shard_ok[i];
		rc = err_set(e, ERR_CORRUPT,
		    "%zu of its %zu pieces are damaged, its parity makes good %zu", bad, p->k,
		    left);
	}
	bytes->n = p->size;
	free(ok);
	return rc;
}
