/* blake3_portable: the compression function on words, one piece after another. */
#include <string.h>

#include "crypto/blake3_lanes.h"

#define ADD(a, b) ((a) + (b))
#define XOR(a, b) ((a) ^ (b))
#define ROT16(a)  rot(a, 16)
#define ROT12(a)  rot(a, 12)
#define ROT8(a)   rot(a, 8)
#define ROT7(a)   rot(a, 7)

static inline uint32_t rot(uint32_t a, unsigned n)
{
	return a >> n | a << (32 - n);
}

#include "crypto/blake3_rounds.h"

/* The same as SHA-256's (FIPS 180-4, 5.3.3). */
const uint32_t blake3_iv[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

void blake3_load(uint32_t *out, const uint8_t *in, size_t words)
{
	for (size_t i = 0; i < words; i++, in += 4)
		out[i] = in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 |
			 (uint32_t)in[3] << 24;
}

void blake3_store(uint8_t out[BLAKE3_CV], const uint32_t cv[8])
{
	for (size_t i = 0; i < BLAKE3_CV; i++)
		out[i] = (uint8_t)(cv[i / 4] >> 8 * (i % 4));
}

void blake3_compress(uint32_t cv[8], const uint8_t block[BLAKE3_BLOCK], uint64_t counter,
    uint32_t len, uint32_t flags)
{
	uint32_t m[16], v[16];

	blake3_load(m, block, 16);
	memcpy(v, cv, 8 * sizeof *v);
	memcpy(v + 8, blake3_iv, 4 * sizeof *v);
	v[12] = (uint32_t)counter;
	v[13] = (uint32_t)(counter >> 32);
	v[14] = len;
	v[15] = flags;
	BLAKE3_ROUNDS(v, m);
	for (size_t i = 0; i < 8; i++)
		cv[i] = v[i] ^ v[i + 8];
}

/* One piece of n bytes; its last block is filled up with zeros. */
static void one(
    const struct blake3_job *job, const uint8_t *in, size_t n, uint64_t counter, uint8_t *out)
{
	uint32_t cv[8], first = job->first;
	uint8_t block[BLAKE3_BLOCK] = {0};

	memcpy(cv, job->key, sizeof cv);
	for (; n > BLAKE3_BLOCK; n -= BLAKE3_BLOCK, in += BLAKE3_BLOCK, first = 0)
		blake3_compress(cv, in, counter, BLAKE3_BLOCK, job->flags | first);
	memcpy(block, in, n);
	blake3_compress(cv, block, counter, (uint32_t)n, job->flags | first | job->last);
	blake3_store(out, cv);
}

void blake3_many_portable(const struct blake3_job *job, uint8_t *out)
{
	uint64_t counter = job->counter;

	for (size_t at = 0; at < job->n; at += job->piece, counter += job->step) {
		size_t n = job->n - at < job->piece ? job->n - at : job->piece;

		one(job, job->in + at, n, counter, out);
		out += BLAKE3_CV;
	}
}
