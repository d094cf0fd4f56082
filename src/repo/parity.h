/*
 * parity: the bytes of a parity object (format.md 9.1): from the stored bytes
 * of any object it makes shards from which damage to either is repaired.
 * Needs no key, and knows neither kinds of objects nor the store:
 * repo_parity does.
 *
 * What comes out of parity_mend is believed only after its hash was compared
 * with the object's id: by forging a parity object one makes repair fail,
 * never wrong data pass.
 *
 * Threads: each struct belongs to one at a time.
 */
#ifndef HF_REPO_PARITY_H
#define HF_REPO_PARITY_H

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"

/* Shares are in thousandths: of an object and its parity together, what may be lost. */
enum { PARITY_SHARE_MIN = 10, PARITY_SHARE_MAX = 500, PARITY_PACK_MIN = 15 << 20 };

/*
 * Making one, while the object's bytes pass by: at most `max` of them.  Takes
 * up to twice the parity's size in memory.
 */
struct parity_builder;
struct parity_builder *parity_builder_new(unsigned share, uint64_t max);
void parity_builder_free(struct parity_builder *b); /* NULL does nothing */
void parity_builder_add(struct parity_builder *b, struct span bytes);
/* The parity object is these three parts joined; they live as long as b. */
void parity_builder_end(struct parity_builder *b, const struct id *object, struct span parts[3]);

/*
 * The longest pack of which the parity is made in bounded memory: 8 MiB at 10 %, 32 MiB
 * at 50 %.  PARITY_PACK_MIN or more; 0 share: no limit.
 */
uint64_t parity_pack_max(unsigned share);

/* One that was read, perhaps damaged itself. */
struct parity {
	struct id object;
	uint64_t size;             /* of the object */
	unsigned log_shard, log_t; /* of the shards' size, of the code's parity positions */
	size_t k, m;               /* shards of data, of parity */
	uint64_t *sums;            /* checksums of both */
	struct buf shards;         /* of parity */
	bool *shard_ok;
	bool sound; /* nothing at all is wrong with it */
};

/*
 * Make sense of stored bytes that should be the parity of that object.
 * ERR_CORRUPT if too little of them is left.
 */
int parity_read(struct span bytes, const struct id *object, struct parity *out, struct err *e);
void parity_fini(struct parity *p);

enum { PARITY_HEAD = 64, PARITY_BLOCK_MAX = 16384, PARITY_BYTES_MAX = 320 << 20 };

/* Do its first bytes (PARITY_BLOCK_MAX are enough) look as they should?  A quick look. */
bool parity_begins(struct span bytes, const struct id *object);

/*
 * Mend the object's bytes, whatever is left of them, in place.  ERR_CORRUPT
 * if more is damaged than the parity makes good.
 */
int parity_mend(const struct parity *p, struct buf *bytes, struct err *e);

#endif
