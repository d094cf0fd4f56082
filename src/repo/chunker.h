/*
 * chunker: where to cut a stream.  A pure function of bytes: no allocation,
 * no I/O, no state between calls but the parameters.
 *
 * gear: FastCDC (Xia et al., USENIX ATC 2016) with normalised cut points and
 * a keyed gear table (256 u64 from the chunker key), so that lengths tell a
 * stranger little.  A cut is never before `min`; up to `avg` a harder mask
 * (2 bits more), beyond it an easier one (2 bits fewer).  Where no cut is
 * found before `max`, the cut is put at the smallest gear hash (the first of
 * equals) between avg and max: a property of the content too, so cuts find
 * themselves again after an insertion in low-entropy data.  A cut depends
 * only on the bytes since the last one.
 *
 * fixed: every `avg` bytes.
 *
 * Threads: const after init; any.
 */
#ifndef HF_REPO_CHUNKER_H
#define HF_REPO_CHUNKER_H

#include "base/span.h"

enum chunker_kind { CHUNKER_GEAR, CHUNKER_FIXED };

struct chunker {
	enum chunker_kind kind;
	uint32_t min, avg, max; /* bytes; avg a power of two; min <= avg <= max */
	uint64_t mask_hard, mask_easy;
	uint64_t gear[256];
};

enum {
	CHUNKER_MIN = 512 << 10,
	CHUNKER_AVG = 1 << 20,
	CHUNKER_MAX = 4 << 20,
};

/* min, avg, max of 0 mean the defaults above. */
void chunker_init(struct chunker *c, enum chunker_kind kind, const uint8_t key[32], uint32_t min,
    uint32_t avg, uint32_t max);

/*
 * The length of the first chunk of `s`.  `last` says that s ends the stream;
 * otherwise s should hold at least max bytes, and 0 means "show me more".
 */
size_t chunker_next(const struct chunker *c, struct span s, bool last);

#endif
