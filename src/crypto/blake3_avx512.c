/* blake3_avx512: sixteen lanes, with the rotations that AVX-512 has as instructions. */
#include <immintrin.h>

#include "crypto/blake3_lanes.h"

enum { LANES = 16 };

typedef __m512i vec;

#define ADD(a, b)   _mm512_add_epi32(a, b)
#define XOR(a, b)   _mm512_xor_si512(a, b)
#define ROT16(a)    _mm512_ror_epi32(a, 16)
#define ROT12(a)    _mm512_ror_epi32(a, 12)
#define ROT8(a)     _mm512_ror_epi32(a, 8)
#define ROT7(a)     _mm512_ror_epi32(a, 7)
#define FILL(w)     _mm512_set1_epi32((int)(w))
#define LOAD(p)     _mm512_loadu_si512(p)
#define STORE(p, v) _mm512_storeu_si512(p, v)

/* Words within quarters, then quarters: four steps of sixteen shuffles. */
static inline void transpose(vec v[16])
{
	vec a[16], b[16];

	for (size_t i = 0; i < 16; i += 2) {
		a[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
		a[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
	}
	for (size_t i = 0; i < 16; i += 4)
		for (size_t k = 0; k < 2; k++) {
			b[i + 2 * k] = _mm512_unpacklo_epi64(a[i + k], a[i + k + 2]);
			b[i + 2 * k + 1] = _mm512_unpackhi_epi64(a[i + k], a[i + k + 2]);
		}
	for (size_t i = 0; i < 4; i++) {
		a[i] = _mm512_shuffle_i32x4(b[i], b[i + 4], 0x88);
		a[i + 4] = _mm512_shuffle_i32x4(b[i], b[i + 4], 0xdd);
		a[i + 8] = _mm512_shuffle_i32x4(b[i + 8], b[i + 12], 0x88);
		a[i + 12] = _mm512_shuffle_i32x4(b[i + 8], b[i + 12], 0xdd);
	}
	for (size_t i = 0; i < 4; i++) {
		v[i] = _mm512_shuffle_i32x4(a[i], a[i + 8], 0x88);
		v[i + 8] = _mm512_shuffle_i32x4(a[i], a[i + 8], 0xdd);
		v[i + 4] = _mm512_shuffle_i32x4(a[i + 4], a[i + 12], 0x88);
		v[i + 12] = _mm512_shuffle_i32x4(a[i + 4], a[i + 12], 0xdd);
	}
}

#include "crypto/blake3_template.inc"

void blake3_many_avx512(const struct blake3_job *job, uint8_t *out)
{
	lanes_many(job, out);
}
