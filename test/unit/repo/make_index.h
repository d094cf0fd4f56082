/* make_index: index payloads out of a number, for tests. */
#ifndef HF_TEST_MAKE_INDEX_H
#define HF_TEST_MAKE_INDEX_H

#include <stdlib.h>

#include "base/mem.h"
#include "crypto/crypto.h"
#include "repo/index.h"

/* The same id for the same numbers. */
static inline struct id make_id(uint64_t series, uint64_t i)
{
	uint64_t in[2] = {series, i};
	struct id id;

	crypto_sha256(span_of(in, sizeof in), id.b);
	return id;
}

static inline uint32_t make_len(uint64_t series, uint64_t i)
{
	return (uint32_t)(100 + (series * 31 + i * 7) % 1000);
}

enum { MAKE_FRAME = 3 }; /* blobs a frame */

/* One payload: `packs` packs of `blobs` blobs; blob k of pack p is make_id(series, p * blobs + k).
 */
static inline void make_payload(uint64_t series, size_t packs, size_t blobs, struct buf *out)
{
	struct index_builder *b = index_builder_new();
	struct pack_dir dir = {0};
	uint8_t key[FORMAT_SEALED_KEY] = {0};

	for (size_t p = 0; p < packs; p++) {
		struct index_pack pack = {
		    .type = FORMAT_PACK, .first_off = 144, .nslots = 1, .dir = &dir};
		struct id commitment = make_id(series + 1000000, p / 4);

		memcpy(key + 100, commitment.b, ID_SIZE);
		pack.slots[0] = key;
		pack.id = make_id(series + 2000000, p);
		pack.size = FORMAT_PACK_MAX;
		pack_dir_reset(&dir);
		for (size_t k = 0; k < blobs; k += MAKE_FRAME) {
			struct pack_blob pb[MAKE_FRAME];
			struct pack_frame f = {.kind = PURPOSE_CONTENT, .codec = 1, .stored = 60};

			for (; f.nblobs < MAKE_FRAME && k + f.nblobs < blobs; f.nblobs++) {
				uint64_t i = p * blobs + k + f.nblobs;

				pb[f.nblobs].id = make_id(series, i);
				pb[f.nblobs].len = make_len(series, i);
				f.plain += pb[f.nblobs].len;
			}
			pack_dir_add(&dir, &f, pb);
		}
		index_builder_add(b, &pack);
	}
	index_builder_finish(b, out);
	index_set_deadline(out, (int64_t)1 << 62);
	index_builder_free(b);
	pack_dir_fini(&dir);
}

#endif
