/*
 * blake3_vec4: four lanes in the compilers' own vectors: SSE2 or NEON, which
 * every processor of the little-endian kind that we know has.
 */
#include "crypto/blake3_lanes.h"

enum { LANES = 4 };

typedef uint32_t vec __attribute__((vector_size(16)));

#define ADD(a, b)   ((a) + (b))
#define XOR(a, b)   ((a) ^ (b))
#define ROT16(a)    rot(a, 16)
#define ROT12(a)    rot(a, 12)
#define ROT8(a)     rot(a, 8)
#define ROT7(a)     rot(a, 7)
#define FILL(w)     fill(w)
#define LOAD(p)     load(p)
#define STORE(p, v) store(p, v)

static inline vec rot(vec a, int n)
{
	return a >> n | a << (32 - n);
}

static inline vec fill(uint32_t w)
{
	return (vec){w, w, w, w};
}

static inline vec load(const uint8_t *p)
{
	vec v;

	__builtin_memcpy(&v, p, sizeof v);
	return v;
}

static inline void store(uint8_t *p, vec v)
{
	__builtin_memcpy(p, &v, sizeof v);
}

static inline void transpose(vec v[4])
{
	vec a = __builtin_shufflevector(v[0], v[1], 0, 4, 1, 5);
	vec b = __builtin_shufflevector(v[2], v[3], 0, 4, 1, 5);
	vec c = __builtin_shufflevector(v[0], v[1], 2, 6, 3, 7);
	vec d = __builtin_shufflevector(v[2], v[3], 2, 6, 3, 7);

	v[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
	v[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
	v[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
	v[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
}

#include "crypto/blake3_template.inc"

void blake3_many_vec4(const struct blake3_job *job, uint8_t *out)
{
	lanes_many(job, out);
}
