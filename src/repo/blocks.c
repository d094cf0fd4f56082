/* blocks: see blocks.h. */
#include "repo/blocks.h"

#include <string.h>

/* The block, or the one whose place it takes. */
static struct block *look(struct blocks *b, const struct id *pack, uint64_t at)
{
	struct block *oldest = &b->v[0];

	for (size_t i = 0; i < BLOCKS; i++) {
		struct block *x = &b->v[i];

		if (x->used && x->at == at && id_eq(&x->pack, pack))
			return x;
		if (x->used < oldest->used)
			oldest = x;
	}
	oldest->used = 0;
	return oldest;
}

static struct block *get(struct blocks *b, struct store *s, const char *name,
    const struct index_cache_pack *pack, uint64_t at, struct err *e)
{
	struct block *x = look(b, &pack->id, at);
	uint64_t n = pack->size - at < BLOCK ? pack->size - at : BLOCK;

	if (x->used == 0) {
		buf_reset(&x->bytes);
		if (store_get(s, name, at, buf_extend(&x->bytes, n), n, e) == -1)
			return NULL;
		x->pack = pack->id;
		x->at = at;
	}
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
