/* siphash: see siphash.h. */
#include "repo/siphash.h"

struct state {
	uint64_t a, b, c, d;
};

static inline uint64_t rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static inline uint64_t load_le(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

static inline void round_once(struct state *s)
{
	s->a += s->b;
	s->c += s->d;
	s->b = rotl(s->b, 13) ^ s->a;
	s->d = rotl(s->d, 16) ^ s->c;
	s->a = rotl(s->a, 32);
	s->a += s->d;
	s->c += s->b;
	s->d = rotl(s->d, 21) ^ s->a;
	s->b = rotl(s->b, 17) ^ s->c;
	s->c = rotl(s->c, 32);
}

static inline void absorb(struct state *s, uint64_t word)
{
	s->d ^= word;
	round_once(s);
	round_once(s);
	s->a ^= word;
}

static struct state begin(const uint8_t key[SIPHASH_KEY])
{
	uint64_t k0 = load_le(key, 8), k1 = load_le(key + 8, 8);

	/* "somepseudorandomlygeneratedbytes" in four words. */
	return (struct state){
	    k0 ^ UINT64_C(0x736f6d6570736575),
	    k1 ^ UINT64_C(0x646f72616e646f6d),
	    k0 ^ UINT64_C(0x6c7967656e657261),
	    k1 ^ UINT64_C(0x7465646279746573),
	};
}

static uint64_t finish(struct state *s, struct span m, size_t total)
{
	size_t i;

	for (i = 0; i + 8 <= m.n; i += 8)
		absorb(s, load_le(m.p + i, 8));
	absorb(s, load_le(m.p + i, m.n - i) | (uint64_t)total << 56);
	s->c ^= 0xff;
	for (i = 0; i < 4; i++)
		round_once(s);
	return s->a ^ s->b ^ s->c ^ s->d;
}

uint64_t siphash(const uint8_t key[SIPHASH_KEY], struct span m)
{
	struct state s = begin(key);

	return finish(&s, m, m.n);
}

uint64_t siphash_at(const uint8_t key[SIPHASH_KEY], uint64_t first, struct span m)
{
	struct state s = begin(key);

	absorb(&s, first);
	return finish(&s, m, m.n + 8);
}
