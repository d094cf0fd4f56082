/*
 * index: the payload of an index object (format.md 6).  Sealing and signing
 * are the envelope's, caching is index_cache's.
 *
 * Threads: one owner.
 */
#ifndef HF_REPO_INDEX_H
#define HF_REPO_INDEX_H

#include "repo/format.h"
#include "repo/pack_dir.h"

/* Whose an index object is; tags as domain_tag makes them.  Not stored in it. */
struct index_origin {
	uint64_t domain, signer;
};

/* One pack, as borrowed by visitors and given to builders. */
struct index_pack {
	struct id id;
	uint8_t type;       /* FORMAT_PACK, FORMAT_META; FORMAT_LOG, which no index names */
	uint64_t size;      /* stored */
	uint64_t first_off; /* of its first frame */
	size_t nslots;
	const uint8_t *slots[FORMAT_KEYS_MAX]; /* each FORMAT_SEALED_KEY bytes */
	const struct pack_dir *dir;
	uint8_t place[FORMAT_PLACE]; /* where in which log it is; of FORMAT_LOG alone */
	struct index_origin origin;  /* set by who read it: whose word this is */
};

struct index_builder;

struct index_builder *index_builder_new(void);
void index_builder_free(struct index_builder *b);
void index_builder_add(struct index_builder *b, const struct index_pack *p); /* copies */
size_t index_builder_packs(const struct index_builder *b);
size_t index_builder_blobs(const struct index_builder *b);
/* The payload appended to out, with the deadline 0; the builder is empty afterwards. */
void index_builder_finish(struct index_builder *b, struct buf *out);

/*
 * By when (the store's clock, ns) the object must be stored; what is stored later
 * may name packs that prune took, and is believed only of those that are there.
 */
int64_t index_deadline(struct span payload); /* of a payload that index_decode took */
void index_set_deadline(struct buf *payload, int64_t ns);

/* Visit each pack of a payload; what is visited lives until the next one. */
typedef int index_visit(void *arg, const struct index_pack *p, struct err *e);
int index_decode(struct span payload, index_visit *visit, void *arg, struct err *e);

#endif
