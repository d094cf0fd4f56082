/* chunker: see chunker.h. */
#include "repo/chunker.h"

#include <assert.h>

#include "crypto/crypto.h"

enum {
	WINDOW = 64, /* bytes that a hash depends on: each one shifts a bit out */
	RARE_BITS = 16,
};

static uint64_t top_bits(unsigned n)
{
	return n == 0 ? 0 : ~UINT64_C(0) << (64 - n);
}

static void fill_gear(uint64_t gear[256], const uint8_t key[32])
{
	uint8_t in[36], out[32];

	memcpy(in, key, 32);
	for (unsigned block = 0; block < 64; block++) {
		in[32] = (uint8_t)block;
		in[33] = in[34] = in[35] = 0;
		crypto_sha256(span_of(in, sizeof in), out);
		for (unsigned i = 0; i < 4; i++) {
			uint64_t v = 0;

			for (unsigned k = 8; k-- > 0;)
				v = v << 8 | out[8 * i + k];
			gear[4 * block + i] = v;
		}
	}
	crypto_wipe(in, sizeof in);
	crypto_wipe(out, sizeof out);
}

void chunker_init(struct chunker *c, enum chunker_kind kind, const uint8_t key[32], uint32_t min,
    uint32_t avg, uint32_t max)
{
	unsigned bits;

	memset(c, 0, sizeof *c);
	c->kind = kind;
	c->min = min ? min : CHUNKER_MIN;
	c->avg = avg ? avg : CHUNKER_AVG;
	c->max = max ? max : CHUNKER_MAX;
	assert(c->avg >= WINDOW && (c->avg & (c->avg - 1)) == 0);
	if (kind == CHUNKER_FIXED)
		return;
	assert(c->min > WINDOW && c->min <= c->avg && c->avg <= c->max);
	bits = (unsigned)__builtin_ctz(c->avg);
	c->mask_hard = top_bits(bits + 2);
	c->mask_easy = top_bits(bits - 2);
	fill_gear(c->gear, key);
}

/* The hash after the WINDOW bytes before p. */
static uint64_t warm_up(const uint64_t *gear, const uint8_t *p)
{
	uint64_t h = 0;

	for (const uint8_t *q = p - WINDOW; q < p; q++)
		h = (h << 1) + gear[*q];
	return h;
}

/*
 * The first end in (p, end] whose hash has no bit of mask, or NULL.  Eight
 * steps a round: the chain is one shift-and-add a byte, so anything else per
 * byte would be what limits it.
 */
static const uint8_t *scan(
    const uint64_t *gear, const uint8_t *p, const uint8_t *end, uint64_t mask, uint64_t *hash)
{
	uint64_t h = *hash;

#define STEP(i)                                                                                    \
	h = (h << 1) + gear[p[i]];                                                                 \
	if (__builtin_expect((h & mask) == 0, 0))                                                  \
		return p + (i) + 1;
	for (; end - p >= 8; p += 8) {
		STEP(0)
		STEP(1)
		STEP(2)
		STEP(3)
		STEP(4)
		STEP(5)
		STEP(6)
		STEP(7)
	}
	for (; p < end; p++) {
		STEP(0)
	}
#undef STEP
	*hash = h;
	return NULL;
}

/*
 * No cut between min and max: low entropy, so most windows repeat.  Hashes
 * that occur once mark what is particular to this place, so the cut goes to
 * the smallest of those; ties would otherwise be broken by distance from the
 * last cut, and an insertion would move every cut after it.
 */
static size_t cut_forced(const struct chunker *c, const uint8_t *s)
{
	const uint8_t *from = s + c->avg, *end = s + c->max, *p;
	uint8_t seen[1 << RARE_BITS];
	uint64_t start, h, least = UINT64_MAX, least_once = UINT64_MAX, most = 0;
	const uint8_t *at = end, *at_once = NULL;

	/* One byte repeated: every hash is the same. */
	if (memcmp(from - WINDOW, from - WINDOW + 1, (size_t)(end - from) + WINDOW - 1) == 0)
		return c->max;
	start = warm_up(c->gear, from);
	memset(seen, 0, sizeof seen);
	for (p = from, h = start; p < end; p++) {
		uint8_t *n;

		h = (h << 1) + c->gear[*p];
		n = &seen[h >> (64 - RARE_BITS)];
		*n = (uint8_t)(*n + (*n < 2));
		if (h < least) {
			least = h;
			at = p + 1;
		}
		most = h > most ? h : most;
	}
	if (least == most)
		return c->max;
	for (p = from, h = start; p < end; p++) {
		h = (h << 1) + c->gear[*p];
		if (h < least_once && seen[h >> (64 - RARE_BITS)] == 1) {
			least_once = h;
			at_once = p + 1;
		}
	}
	return (size_t)((at_once ? at_once : at) - s);
}

static size_t next_fixed(const struct chunker *c, struct span s, bool last)
{
	if (s.n >= c->avg)
		return c->avg;
	return last ? s.n : 0;
}

size_t chunker_next(const struct chunker *c, struct span s, bool last)
{
	size_t n = s.n < c->max ? s.n : c->max;
	const uint8_t *cut;
	uint64_t h;

	if (c->kind == CHUNKER_FIXED)
		return next_fixed(c, s, last);
	if (n <= c->min)
		return last || n == c->max ? n : 0;
	h = warm_up(c->gear, s.p + c->min - 1);
	cut = scan(c->gear, s.p + c->min - 1, s.p + (n < c->avg ? n : c->avg), c->mask_hard, &h);
	if (cut == NULL && n > c->avg)
		cut = scan(c->gear, s.p + c->avg, s.p + n, c->mask_easy, &h);
	if (cut != NULL)
		return (size_t)(cut - s.p);
	if (n == c->max)
		return c->max > c->avg ? cut_forced(c, s.p) : n;
	return last ? n : 0;
}
