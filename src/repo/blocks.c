/* blocks: see blocks.h. */
#include "repo/blocks.h"

#include <string.h>

static struct block *held(struct blocks *b, const struct id *pack, uint64_t at)
{
	for (size_t i = 0; i < BLOCKS; i++)
		if (b->v[i].used && b->v[i].at == at && id_eq(&b->v[i].pack, pack))
			return &b->v[i];
	return NULL;
}

static struct block *oldest(struct blocks *b)
{
	struct block *x = &b->v[0];

	for (size_t i = 1; i < BLOCKS; i++)
		if (b->v[i].used < x->used)
			x = &b->v[i];
	return x;
}

/*
 * Which blocks to fetch for the one at *at: that one; or who reads on from a block that is held,
 * in whatever direction, gets the next ones too.  As many, *at the first.
 */
static uint64_t stretch(struct blocks *b, const struct index_cache_pack *pack, uint64_t *at)
{
	uint64_t n = 1;

	if (*at >= BLOCK && held(b, &pack->id, *at - BLOCK)) {
		while (n < BLOCKS_AT_ONCE && *at + n * BLOCK < pack->size &&
		       !held(b, &pack->id, *at + n * BLOCK))
			n++;
	} else if (held(b, &pack->id, *at + BLOCK)) {
		for (; n < BLOCKS_AT_ONCE && *at >= BLOCK && !held(b, &pack->id, *at - BLOCK); n++)
			*at -= BLOCK;
	}
	return n;
}

static int fetch(struct blocks *b, struct store *s, const char *name,
    const struct index_cache_pack *pack, uint64_t wanted, struct err *e)
{
	uint64_t at = wanted, n = stretch(b, pack, &at) * BLOCK;
	struct buf bytes = {0};
	int rc;

	n = pack->size - at < n ? pack->size - at : n;
	rc = store_get(s, name, at, buf_extend(&bytes, n), n, e);
	for (uint64_t off = 0; rc == 0 && off < n; off += BLOCK) {
		struct block *x = oldest(b);

		buf_reset(&x->bytes);
		buf_put(&x->bytes, bytes.p + off, n - off < BLOCK ? n - off : BLOCK);
		x->pack = pack->id;
		x->at = at + off;
		x->used = ++b->tick;
	}
	buf_fini(&bytes);
	return rc;
}

static struct block *get(struct blocks *b, struct store *s, const char *name,
    const struct index_cache_pack *pack, uint64_t at, struct err *e)
{
	struct block *x = held(b, &pack->id, at);

	if (x == NULL && fetch(b, s, name, pack, at, e) == 0)
		x = held(b, &pack->id, at);
	if (x != NULL)
		x->used = ++b->tick;
	return x;
}

int blocks_read(struct blocks *b, struct store *s, const char *name,
    const struct index_cache_pack *pack, uint64_t off, uint64_t n, struct buf *out, struct err *e)
{
	if (off > pack->size || n > pack->size - off)
		return err_set(e, ERR_CORRUPT, "%s: beyond the pack's end", name);
	for (uint64_t end = off + n; off < end;) {
		uint64_t at = off - off % BLOCK;
		uint64_t stop = at + BLOCK < end ? at + BLOCK : end;
		struct block *x = get(b, s, name, pack, at, e);

		if (x == NULL)
			return -1;
		buf_put(out, x->bytes.p + (off - at), stop - off);
		off = stop;
	}
	return 0;
}

void blocks_fini(struct blocks *b)
{
	for (size_t i = 0; i < BLOCKS; i++)
		buf_fini(&b->v[i].bytes);
	memset(b, 0, sizeof *b);
}
