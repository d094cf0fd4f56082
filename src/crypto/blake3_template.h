/*
 * blake3_template: blake3_many with one piece in each lane of a vector, for
 * the C files that define, before they include this:
 *
 *   LANES                      how many words a vector has: 4, 8 or 16
 *   vec                        its type
 *   ADD XOR ROT16 ROT12 ROT8 ROT7, as in blake3_rounds.h
 *   FILL(w)                    a word in every lane
 *   LOAD(p) STORE(p, v)        from and to unaligned memory
 *   transpose(vec v[LANES])    LANES rows of words to columns
 *   FEW, few(job, out)         what is faster than vectors of which only FEW lanes are in use
 *
 * A short last piece shares the vectors too: its lane is taken out after its
 * last block, so the typical small file takes one pass.
 */
#include <stdbool.h>
#include <string.h>

#include "crypto/blake3_lanes.h"
#include "crypto/blake3_rounds.h"

/* Up to LANES pieces; lanes without one repeat the first and are thrown away. */
struct pass {
	const uint8_t *at[LANES];
	uint32_t counter[2][LANES]; /* low words, high words */
	size_t pieces, blocks;
	size_t cut_block;             /* where the last piece ends if it is short, else `blocks` */
	uint32_t cut_len;             /* bytes of that block */
	uint32_t cut_cv[8];           /* the short piece's result */
	uint8_t padded[BLAKE3_CHUNK]; /* the short piece, filled up with zeros */
};

/* Lane i of m[w] becomes word w of piece i's block. */
static inline void load_block(const struct pass *p, size_t block, vec m[16])
{
	for (size_t w = 0; w < 16; w += LANES) {
		for (size_t i = 0; i < LANES; i++)
			m[w + i] = LOAD(p->at[i] + block * BLAKE3_BLOCK + 4 * w);
		transpose(m + w);
	}
}

static inline void compress(vec h[8], const vec m[16], const struct pass *p, vec len, vec flags)
{
	vec v[16];

	for (size_t i = 0; i < 8; i++)
		v[i] = h[i];
	for (size_t i = 0; i < 4; i++)
		v[8 + i] = FILL(blake3_iv[i]);
	v[12] = LOAD((const uint8_t *)p->counter[0]);
	v[13] = LOAD((const uint8_t *)p->counter[1]);
	v[14] = len;
	v[15] = flags;
	BLAKE3_ROUNDS(v, m);
	for (size_t i = 0; i < 8; i++)
		h[i] = XOR(v[i], v[i + 8]);
}

/* The same word in all lanes but the short piece's. */
static vec all_but_last(const struct pass *p, uint32_t all, uint32_t last)
{
	uint32_t w[LANES];

	for (size_t i = 0; i < LANES; i++)
		w[i] = all;
	w[p->pieces - 1] = last;
	return LOAD((const uint8_t *)w);
}

static void keep_cut(struct pass *p, const vec h[8])
{
	uint32_t w[LANES];

	for (size_t i = 0; i < 8; i++) {
		STORE((uint8_t *)w, h[i]);
		p->cut_cv[i] = w[p->pieces - 1];
	}
}

/* h: eight vectors with a word of each piece; out: eight words of each piece in turn. */
static inline void store_cvs(const struct pass *p, const vec h[8], uint8_t *out)
{
	uint8_t cvs[LANES * BLAKE3_CV];

	for (size_t w = 0; w < 8; w += LANES) {
		vec t[LANES];

		for (size_t i = 0; i < LANES; i++)
			t[i] = h[(w + i) % 8];
		transpose(t);
		for (size_t i = 0; i < LANES; i++)
			memcpy(
			    cvs + i * BLAKE3_CV + 4 * w, &t[i], LANES < 8 ? 4 * LANES : BLAKE3_CV);
	}
	if (p->cut_block < p->blocks)
		blake3_store(cvs + (p->pieces - 1) * BLAKE3_CV, p->cut_cv);
	memcpy(out, cvs, p->pieces * BLAKE3_CV);
}

static inline void run(struct pass *p, const struct blake3_job *job, uint8_t *out)
{
	vec h[8], m[16];

	for (size_t i = 0; i < 8; i++)
		h[i] = FILL(job->key[i]);
	for (size_t b = 0; b < p->blocks; b++) {
		uint32_t start = job->flags | (b == 0 ? job->first : 0);
		uint32_t flags = start | (b == p->blocks - 1 ? job->last : 0);

		load_block(p, b, m);
		if (b != p->cut_block) {
			compress(h, m, p, FILL(BLAKE3_BLOCK), FILL(flags));
			continue;
		}
		compress(h, m, p, all_but_last(p, BLAKE3_BLOCK, p->cut_len),
		    all_but_last(p, flags, start | job->last));
		keep_cut(p, h);
	}
	store_cvs(p, h, out);
}

/* The pieces from `in` on, of which the last has n bytes. */
static void set_up(
    struct pass *p, const struct blake3_job *job, const uint8_t *in, size_t n, uint64_t counter)
{
	for (size_t i = 0; i < LANES; i++) {
		uint64_t c = counter + i * job->step;

		p->at[i] = i < p->pieces ? in + i * job->piece : in;
		p->counter[0][i] = (uint32_t)c;
		p->counter[1][i] = (uint32_t)(c >> 32);
	}
	p->blocks = p->cut_block = job->piece / BLAKE3_BLOCK;
	if (n == job->piece)
		return;
	p->cut_block = (n - 1) / BLAKE3_BLOCK;
	p->cut_len = (uint32_t)(n - p->cut_block * BLAKE3_BLOCK);
	memcpy(p->padded, p->at[p->pieces - 1], n);
	memset(p->padded + n, 0, sizeof p->padded - n);
	p->at[p->pieces - 1] = p->padded;
}

static inline void lanes_many(const struct blake3_job *job, uint8_t *out)
{
	struct blake3_job rest = *job;
	struct pass p;

	for (; rest.n > FEW * job->piece; out += p.pieces * BLAKE3_CV) {
		size_t whole = LANES * job->piece, n = rest.n < whole ? rest.n : whole;

		p.pieces = (n + job->piece - 1) / job->piece;
		set_up(&p, job, rest.in, n - (p.pieces - 1) * job->piece, rest.counter);
		run(&p, job, out);
		rest.in += n;
		rest.n -= n;
		rest.counter += p.pieces * job->step;
	}
	if (rest.n > 0)
		few(&rest, out);
}
