/* index: see index.h. */
#include "repo/index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
	COMMITMENT = 100, /* where a sealed key's commitment is: 32 uniform bytes */
	PACK_BYTES_MIN = ID_SIZE + 1 + 1 + 1 + 1 + 1,
	DEADLINE = 8, /* bytes that a payload begins with */
};

struct index_builder {
	struct buf keys, packs; /* encoded but for their counts */
	struct idmap *places;   /* commitment -> u64 place in keys */
	size_t nkeys, npacks, nblobs;
};

struct index_builder *index_builder_new(void)
{
	struct index_builder *b = mem_zalloc(sizeof *b);

	b->places = idmap_new(sizeof(uint64_t));
	return b;
}

void index_builder_free(struct index_builder *b)
{
	if (b == NULL)
		return;
	buf_fini(&b->keys);
	buf_fini(&b->packs);
	idmap_free(b->places);
	free(b);
}

static uint64_t place_of_key(struct index_builder *b, const uint8_t *key)
{
	struct id commitment;
	uint64_t *place;
	bool was;

	memcpy(commitment.b, key + COMMITMENT, ID_SIZE);
	place = idmap_put(b->places, &commitment, &was);
	/* One data key sealed twice is two sealed keys. */
	if (was && memcmp(b->keys.p + *place * FORMAT_SEALED_KEY, key, FORMAT_SEALED_KEY) == 0)
		return *place;
	*place = b->nkeys++;
	buf_put(&b->keys, key, FORMAT_SEALED_KEY);
	return *place;
}

void index_builder_add(struct index_builder *b, const struct index_pack *p)
{
	buf_put(&b->packs, p->id.b, ID_SIZE);
	buf_put_u8(&b->packs, p->type);
	buf_put_varint(&b->packs, p->size);
	buf_put_varint(&b->packs, p->first_off);
	buf_put_u8(&b->packs, (uint8_t)p->nslots);
	for (size_t i = 0; i < p->nslots; i++)
		buf_put_varint(&b->packs, place_of_key(b, p->slots[i]));
	pack_dir_encode(p->dir, &b->packs);
	b->npacks++;
	b->nblobs += p->dir->nblobs;
}

size_t index_builder_packs(const struct index_builder *b)
{
	return b->npacks;
}

size_t index_builder_blobs(const struct index_builder *b)
{
	return b->nblobs;
}

void index_builder_finish(struct index_builder *b, struct buf *out)
{
	buf_reserve(out, DEADLINE + b->keys.n + b->packs.n + 20);
	buf_put_zeros(out, DEADLINE);
	buf_put_varint(out, b->nkeys);
	buf_put(out, b->keys.p, b->keys.n);
	buf_put_varint(out, b->npacks);
	buf_put(out, b->packs.p, b->packs.n);
	buf_fini(&b->keys);
	buf_fini(&b->packs);
	idmap_free(b->places);
	b->places = idmap_new(sizeof(uint64_t));
	b->nkeys = b->npacks = b->nblobs = 0;
}

int64_t index_deadline(struct span payload)
{
	struct cursor c = cursor_of(payload);

	return (int64_t)cursor_u64(&c);
}

void index_set_deadline(struct buf *payload, int64_t ns)
{
	struct buf b = {0};

	assert(payload->n >= DEADLINE);
	buf_put_u64(&b, (uint64_t)ns);
	memcpy(payload->p, b.p, DEADLINE);
	buf_fini(&b);
}

static int check_pack(const struct index_pack *p, struct err *e)
{
	const struct pack_dir *d = p->dir;
	uint64_t end = p->first_off;

	if (p->type != FORMAT_PACK && p->type != FORMAT_META)
		return err_set(e, ERR_CORRUPT, "type is %u", p->type);
	if (p->size > FORMAT_PACK_MAX || p->first_off < FORMAT_HEADER)
		return err_set(e, ERR_CORRUPT, "impossible size");
	for (size_t i = 0; i < d->nframes; i++) {
		if (d->frames[i].slot >= p->nslots)
			return err_set(e, ERR_CORRUPT, "frame %zu has no data key", i);
		end += d->frames[i].stored;
	}
	if (p->first_off > p->size || end > p->size)
		return err_set(e, ERR_CORRUPT, "its frames are longer than it");
	return 0;
}

static int decode_pack(
    struct cursor *c, struct span keys, struct index_pack *p, struct pack_dir *dir, struct err *e)
{
	struct span id = cursor_bytes(c, ID_SIZE);

	p->type = cursor_u8(c);
	p->size = cursor_varint(c);
	p->first_off = cursor_varint(c);
	p->nslots = cursor_u8(c);
	p->dir = dir;
	for (size_t i = 0; i < p->nslots; i++) {
		uint64_t place = cursor_varint(c);

		if (place >= keys.n / FORMAT_SEALED_KEY)
			return err_set(e, ERR_CORRUPT, "bad place of a data key");
		p->slots[i] = keys.p + place * FORMAT_SEALED_KEY;
	}
	if (c->bad)
		return err_set(e, ERR_CORRUPT, "cut short");
	memcpy(p->id.b, id.p, ID_SIZE);
	if (pack_dir_decode(c, dir, e) == -1)
		return -1;
	return check_pack(p, e);
}

int index_decode(struct span payload, index_visit *visit, void *arg, struct err *e)
{
	struct cursor c = cursor_of(payload);
	bool dated = cursor_u64(&c) <= INT64_MAX;
	size_t nkeys = cursor_count(&c, FORMAT_SEALED_KEY, SIZE_MAX);
	struct span keys = cursor_bytes(&c, nkeys * FORMAT_SEALED_KEY);
	size_t npacks = cursor_count(&c, PACK_BYTES_MIN, SIZE_MAX);
	struct pack_dir dir = {0};
	struct index_pack p;
	int rc = -1;

	if (c.bad || !dated || payload.n > FORMAT_SMALL_MAX)
		return err_set(e, ERR_CORRUPT, "index: bad counts");
	for (size_t i = 0; i < npacks; i++) {
		if (decode_pack(&c, keys, &p, &dir, e) == -1) {
			err_wrap(e, "index: pack %zu", i);
			goto out;
		}
		if (visit(arg, &p, e) == -1)
			goto out;
	}
	if (!cursor_done(&c)) {
		err_set(e, ERR_CORRUPT, "index: bytes after the end");
		goto out;
	}
	rc = 0;
out:
	pack_dir_fini(&dir);
	return rc;
}
