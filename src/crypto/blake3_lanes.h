/*
 * blake3_lanes: what the variants of BLAKE3 implement: hashing many pieces
 * of one length that lie one after another, each to a chaining value.
 *
 * Threads: any.
 */
#ifndef HF_CRYPTO_BLAKE3_LANES_H
#define HF_CRYPTO_BLAKE3_LANES_H

#include <stddef.h>
#include <stdint.h>

enum { BLAKE3_BLOCK = 64, BLAKE3_CHUNK = 1024, BLAKE3_CV = 32 };

/* Domain flags of a compression (2.1 of the specification, table 3). */
enum {
	BLAKE3_CHUNK_START = 1,
	BLAKE3_CHUNK_END = 2,
	BLAKE3_PARENT = 4,
	BLAKE3_ROOT = 8,
	BLAKE3_KEYED = 16,
};

/*
 * Pieces of `piece` bytes, BLAKE3_CHUNK or BLAKE3_BLOCK; the last may be
 * shorter, but not empty.  Piece i has the counter `counter + i * step`.
 * `flags` are for every block, `first` and `last` for those of each piece.
 */
struct blake3_job {
	const uint32_t *key; /* 8 words */
	const uint8_t *in;
	size_t n; /* bytes, at least 1 */
	size_t piece;
	uint64_t counter;
	uint32_t step, flags, first, last;
};

/* A chaining value for each piece, one after another; out may be in, or before it. */
typedef void blake3_many(const struct blake3_job *job, uint8_t *out);

struct blake3_variant {
	const char *name;
	blake3_many *many;
};

blake3_many blake3_many_portable, blake3_many_vec4, blake3_many_avx2, blake3_many_avx512;

/* Fastest first; one of blake3_any.c and blake3_x86.c.  NULL after the last. */
const struct blake3_variant *blake3_variant_at(unsigned i);

/* The compression function, truncated to the chaining value. */
void blake3_compress(uint32_t cv[8], const uint8_t block[BLAKE3_BLOCK], uint64_t counter,
    uint32_t len, uint32_t flags);

/* Words to bytes, little-endian, and back. */
void blake3_store(uint8_t out[BLAKE3_CV], const uint32_t cv[8]);
void blake3_load(uint32_t *out, const uint8_t *in, size_t words);

extern const uint32_t blake3_iv[8];

#endif
