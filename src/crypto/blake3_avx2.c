/* blake3_avx2: eight lanes. */
#include <immintrin.h>

#include "crypto/blake3_lanes.h"

enum { LANES = 8 };

typedef __m256i vec;

#define ADD(a, b)   _mm256_add_epi32(a, b)
#define XOR(a, b)   _mm256_xor_si256(a, b)
#define ROT16(a)    rot_bytes(a, 0x0d0c0f0e09080b0a, 0x0504070601000302)
#define ROT12(a)    rot(a, 12)
#define ROT8(a)     rot_bytes(a, 0x0c0f0e0d080b0a09, 0x0407060500030201)
#define ROT7(a)     rot(a, 7)
#define FILL(w)     _mm256_set1_epi32((int)(w))
#define LOAD(p)     _mm256_loadu_si256((const void *)(p))
#define STORE(p, v) _mm256_storeu_si256((void *)(p), v)

static inline vec rot(vec a, int n)
{
	return _mm256_or_si256(_mm256_srli_epi32(a, n), _mm256_slli_epi32(a, 32 - n));
}

/* A rotation by whole bytes is one shuffle. */
static inline vec rot_bytes(vec a, long long high, long long low)
{
	return _mm256_shuffle_epi8(a, _mm256_set_epi64x(high, low, high, low));
}

static inline void transpose(vec v[8])
{
	vec a[8], b[8];

	for (size_t i = 0; i < 8; i += 2) {
		a[i] = _mm256_unpacklo_epi32(v[i], v[i + 1]);
		a[i + 1] = _mm256_unpackhi_epi32(v[i], v[i + 1]);
	}
	for (size_t i = 0; i < 8; i += 4)
		for (size_t k = 0; k < 2; k++) {
			b[i + 2 * k] = _mm256_unpacklo_epi64(a[i + k], a[i + k + 2]);
			b[i + 2 * k + 1] = _mm256_unpackhi_epi64(a[i + k], a[i + k + 2]);
		}
	for (size_t i = 0; i < 4; i++) {
		v[i] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x20);
		v[i + 4] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x31);
	}
}

#include "crypto/blake3_template.inc"

void blake3_many_avx2(const struct blake3_job *job, uint8_t *out)
{
	lanes_many(job, out);
}
