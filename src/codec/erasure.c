/* erasure: see erasure.h. */
#include "codec/erasure.h"

#include <isa-l/crc64.h>
#include <isa-l/erasure_code.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/*
 * Elements are u16: low byte + high byte * y, where y^2 = y + TOWER over
 * GF(2^8) with the polynomial 0x11d.  A position x stands for the element
 * omega(x), the sum of basis[b] over its bits b; the basis is Cantor's
 * (basis[i]^2 + basis[i] = basis[i-1], basis[0] = 1), in which the i-th
 * subspace polynomial takes omega(x) to omega(x >> i).
 */
enum { BITS = 16, TOWER = 0x20, ORDER = ERASURE_POSITIONS - 1, SLICES = 16 << 20 };

static uint16_t basis[BITS];
static uint16_t log_of_omega[ERASURE_POSITIONS]; /* by position; [0] unused */
static uint16_t exp_of[ORDER];
static pthread_once_t basis_once = PTHREAD_ONCE_INIT, logs_once = PTHREAD_ONCE_INIT;

static uint16_t mul(uint16_t a, uint16_t b)
{
	uint8_t a0 = (uint8_t)a, a1 = (uint8_t)(a >> 8), b0 = (uint8_t)b, b1 = (uint8_t)(b >> 8);
	uint8_t high = gf_mul(a1, b1);
	uint8_t low = (uint8_t)(gf_mul(a0, b0) ^ gf_mul(TOWER, high));

	high = (uint8_t)(high ^ gf_mul(a1, b0) ^ gf_mul(a0, b1));
	return (uint16_t)(low | high << 8);
}

static uint16_t omega(size_t x)
{
	uint16_t v = 0;

	for (unsigned b = 0; b < BITS; b++)
		if (x >> b & 1)
			v ^= basis[b];
	return v;
}

/* The basis downwards from the first element that leads to 1. */
static void find_basis(void)
{
	for (unsigned first = 2; basis[0] != 1; first++) {
		basis[BITS - 1] = (uint16_t)first;
		for (unsigned i = BITS - 1; i > 0; i--)
			basis[i - 1] = mul(basis[i], basis[i]) ^ basis[i];
	}
}

/* Powers of the first element that generates them all, and the logarithms. */
static void make_logs(void)
{
	uint16_t *log_of = mem_alloc(ERASURE_POSITIONS * sizeof *log_of);
	unsigned n = 0;

	for (uint16_t g = 2; n != ORDER; g++) {
		uint16_t v = 1;

		for (n = 0; n < ORDER && (n == 0 || v != 1); n++) {
			exp_of[n] = v;
			v = mul(v, g);
		}
	}
	for (unsigned i = 0; i < ORDER; i++)
		log_of[exp_of[i]] = (uint16_t)i;
	for (size_t x = 1; x < ERASURE_POSITIONS; x++)
		log_of_omega[x] = log_of[omega(x)];
	free(log_of);
}

static void xor_into(uint8_t *restrict to, const uint8_t *restrict from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] ^= from[i];
}

/* ISA-L's tables for multiplying by w: a 2 by 2 matrix over GF(2^8). */
struct factor {
	uint8_t tables[4 * 32];
};

static void factor_init(struct factor *f, uint16_t w)
{
	uint8_t w0 = (uint8_t)w, w1 = (uint8_t)(w >> 8);
	uint8_t rows[4] = {w0, gf_mul(TOWER, w1), w1, (uint8_t)(w0 ^ w1)};

	ec_init_tables(2, 2, rows, f->tables);
}

/* to += factor * from, shards of n bytes. */
static void mul_add(struct factor *f, uint8_t *to, const uint8_t *from, size_t n)
{
	uint8_t *halves[2] = {to, to + n / 2};

	for (int i = 0; i < 2; i++)
		ec_encode_data_update((int)(n / 2), 2, 2, i, f->tables,
		    (uint8_t *)(uintptr_t)(from + (size_t)i * (n / 2)), halves);
}

/*
 * From values at `count` positions (a power of two) beginning with `base` to
 * coefficients.  From `used` on the values are zeros.
 */
static void to_coefficients(uint8_t *p, size_t shard, size_t count, size_t base, size_t used)
{
	size_t half = count / 2;
	struct factor f;
	uint16_t w;

	if (half == 0 || used == 0)
		return;
	to_coefficients(p, shard, half, base, used < half ? used : half);
	to_coefficients(p + half * shard, shard, half, base + half, used < half ? 0 : used - half);
	w = omega(base / half);
	factor_init(&f, w);
	for (size_t i = 0; i < half; i++) {
		uint8_t *a = p + i * shard, *b = p + (half + i) * shard;

		xor_into(b, a, shard);
		if (w)
			mul_add(&f, a, b, shard);
	}
}

/* And back: the first `want` values at positions beginning with `base`. */
static void to_values(uint8_t *p, size_t shard, size_t count, size_t base, size_t want)
{
	size_t half = count / 2;
	struct factor f;
	uint16_t w;

	if (half == 0 || want == 0)
		return;
	w = omega(base / half);
	factor_init(&f, w);
	for (size_t i = 0; i < half; i++) {
		uint8_t *a = p + i * shard, *b = p + (half + i) * shard;

		if (w)
			mul_add(&f, a, b, shard);
		if (want > half)
			xor_into(b, a, shard);
	}
	to_values(p, shard, half, base, want < half ? want : half);
	to_values(p + half * shard, shard, half, base + half, want < half ? 0 : want - half);
}

/*
 * Of a group's coefficients each half of the group gives a part: with A and B
 * those of its halves alone, the upper ones are A + B and the lower ones
 * A + w(A + B).  So a half at a time is enough, and half the memory.
 */
void erasure_add(
    unsigned log_t, size_t shard, size_t part, size_t shards, uint8_t *data, uint8_t *sum)
{
	size_t half = (size_t)1 << (log_t - 1), base = (part / 2 + 1) * 2 * half;
	struct factor f;
	uint16_t w;

	pthread_once(&basis_once, find_basis);
	memset(data + shards * shard, 0, (half - shards) * shard);
	to_coefficients(data, shard, half, base + part % 2 * half, shards);
	xor_into(sum + half * shard, data, half * shard);
	if (part % 2 == 0)
		xor_into(sum, data, half * shard);
	w = omega(base / half);
	if (w == 0)
		return;
	factor_init(&f, w);
	for (size_t i = 0; i < half; i++)
		mul_add(&f, sum + i * shard, data + i * shard, shard);
}

void erasure_end(unsigned log_t, size_t shard, size_t want, uint8_t *sum)
{
	to_values(sum, shard, (size_t)1 << log_t, 0, want);
}

/* ---- Mending. */

struct mending {
	const struct erasure_damage *d;
	size_t t, n;  /* parity positions; all positions, a power of two */
	size_t *lost; /* positions that are not known */
	size_t nlost;
	uint16_t *locator; /* log of the product of (omega(x) - omega(lost)), lost != x */
	uint8_t *work;     /* n slices */
	size_t slice;
};

static bool known(const struct erasure_damage *d, size_t t, size_t x)
{
	if (x < t)
		return x < d->m && d->parity_ok[x];
	return x - t >= d->k || d->data_ok[x - t];
}

static void find_lost(struct mending *md)
{
	md->lost = mem_alloc(md->n * sizeof *md->lost);
	for (size_t x = 0; x < md->n; x++)
		if (!known(md->d, md->t, x))
			md->lost[md->nlost++] = x;
}

static void find_locator(struct mending *md)
{
	md->locator = mem_alloc(md->n * sizeof *md->locator);
	for (size_t x = 0; x < md->n; x++) {
		uint64_t sum = 0;

		for (size_t i = 0; i < md->nlost; i++)
			if (md->lost[i] != x)
				sum += log_of_omega[x ^ md->lost[i]];
		md->locator[x] = (uint16_t)(sum % ORDER);
	}
}

/* The part of shard `p` that this slice is: the same range of both halves. */
static void slice_of(const struct mending *md, const uint8_t *p, size_t at, uint8_t *out)
{
	memcpy(out, p + at, md->slice / 2);
	memcpy(out + md->slice / 2, p + md->d->shard / 2 + at, md->slice / 2);
}

static void fill_work(struct mending *md, size_t at, uint8_t *tmp)
{
	const struct erasure_damage *d = md->d;
	struct factor f;

	memset(md->work, 0, md->n * md->slice);
	for (size_t x = 0; x < md->t + d->k; x++) {
		if (!known(d, md->t, x))
			continue;
		slice_of(md,
		    x < md->t ? d->parity + x * d->shard : d->data + (x - md->t) * d->shard, at,
		    tmp);
		factor_init(&f, exp_of[md->locator[x]]);
		mul_add(&f, md->work + x * md->slice, tmp, md->slice);
	}
}

/* In this basis the derivative of coefficient j goes to j without each of its bits. */
static void derive(struct mending *md)
{
	for (size_t i = 1; i < md->n; i++) {
		size_t width = i & -i;

		xor_into(md->work + (i - width) * md->slice, md->work + i * md->slice,
		    width * md->slice);
	}
}

static void mend_slice(struct mending *md, size_t at, uint8_t *tmp)
{
	const struct erasure_damage *d = md->d;
	struct factor f;

	fill_work(md, at, tmp);
	to_coefficients(md->work, md->slice, md->n, 0, md->t + d->k);
	derive(md);
	to_values(md->work, md->slice, md->n, 0, md->t + d->k);
	for (size_t i = 0; i < md->nlost; i++) {
		size_t x = md->lost[i];
		uint8_t *to;

		if (x < md->t)
			continue;
		to = d->data + (x - md->t) * d->shard;
		memset(tmp, 0, md->slice);
		factor_init(&f, exp_of[(ORDER - md->locator[x]) % ORDER]);
		mul_add(&f, tmp, md->work + x * md->slice, md->slice);
		memcpy(to + at, tmp, md->slice / 2);
		memcpy(to + d->shard / 2 + at, tmp + md->slice / 2, md->slice / 2);
	}
}

bool erasure_mend(const struct erasure_damage *d)
{
	struct mending md = {.d = d, .t = (size_t)1 << d->log_t, .n = 1, .slice = d->shard};
	uint8_t *tmp = NULL;
	bool ok = false;

	pthread_once(&basis_once, find_basis);
	pthread_once(&logs_once, make_logs);
	if (d->log_t > ERASURE_LOG_MAX || d->k > ERASURE_POSITIONS - md.t)
		return false;
	while (md.n < md.t + d->k)
		md.n *= 2;
	find_lost(&md);
	if (md.nlost > md.t)
		goto out;
	find_locator(&md);
	while (md.slice % 128 == 0 && md.n * md.slice > SLICES)
		md.slice /= 2;
	md.work = mem_alloc(md.n * md.slice);
	tmp = mem_alloc(md.slice);
	for (size_t at = 0; at < d->shard / 2; at += md.slice / 2)
		mend_slice(&md, at, tmp);
	ok = true;
out:
	free(md.lost);
	free(md.locator);
	free(md.work);
	free(tmp);
	return ok;
}

uint64_t erasure_crc(struct span s)
{
	return crc64_ecma_refl(0, s.p, s.n);
}
