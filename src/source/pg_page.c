/*
 * pg_page: see pg_page.h.  The checksum is PostgreSQL's: 32 sums of FNV-1a side by side, each over
 * every 32nd word of 32 bits, with one more shift to let high bits count; two rounds of zeroes; all
 * of them and the number of the block folded to 16 bits that are never zero.
 */
#include "source/pg_page.h"

#include <string.h>

#include "codec/crc32c.h"

enum { CONTROL_LEAST = 64, CONTROL_MOST = 512 }; /* a sector, so that disks write it whole */
enum { SUMS = 32, ROWS = PG_PAGE / (4 * SUMS), CHECKSUM_AT = 8, UPPER_AT = 14 };
#define PRIME 16777619u

/* With what the sums begin: constants of the format. */
static const uint32_t offsets[SUMS] = {0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A,
    0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C, 0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D,
    0x98DAFF3C, 0xF718902A, 0x0B1C9CDB, 0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979,
    0xCCA6C0B2, 0x304A0979, 0x85AA43D4, 0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76,
    0x15CA20BE, 0xF2CA9FD3, 0x959BD756};

static inline __attribute__((always_inline)) uint32_t sum(const uint8_t *page)
{
	uint32_t sums[SUMS], row[SUMS], all = 0;

	memcpy(sums, offsets, sizeof sums);
	for (int i = 0; i < ROWS + 2; i++) {
		if (i < ROWS)
			memcpy(row, page + (size_t)i * sizeof row, sizeof row);
		else
			memset(row, 0, sizeof row);
		if (i == 0) /* the checksum itself counts as zero */
			row[CHECKSUM_AT / 4] &= 0xffff0000u;
		for (int k = 0; k < SUMS; k++) {
			uint32_t x = sums[k] ^ row[k];

			sums[k] = x * PRIME ^ (x >> 17);
		}
	}
	for (int k = 0; k < SUMS; k++)
		all ^= sums[k];
	return all;
}

#if defined __x86_64__
__attribute__((target("avx2"))) static uint32_t sum_avx2(const uint8_t *page)
{
	return sum(page);
}
#endif

static uint32_t sum_any(const uint8_t *page)
{
	return sum(page);
}

uint16_t pg_page_checksum(const uint8_t page[PG_PAGE], uint32_t block)
{
	uint32_t x;

#if defined __x86_64__
	x = __builtin_cpu_supports("avx2") ? sum_avx2(page) : sum_any(page);
#else
	x = sum_any(page);
#endif
	return (uint16_t)((x ^ block) % 65535 + 1);
}

static uint32_t word(const uint8_t *p)
{
	uint32_t x;

	memcpy(&x, p, sizeof x);
	return x;
}

static uint16_t half(const uint8_t *p)
{
	uint16_t x;

	memcpy(&x, p, sizeof x);
	return x;
}

uint64_t pg_page_lsn(const uint8_t page[PG_PAGE])
{
	return (uint64_t)word(page) << 32 | word(page + 4);
}

bool pg_page_good(const uint8_t page[PG_PAGE], uint32_t block)
{
	static const uint8_t none[PG_PAGE];

	/* Of one without content no checksum is made: a server takes nothing but zeroes for it. */
	if (half(page + UPPER_AT) == 0)
		return memcmp(page, none, PG_PAGE) == 0;
	return half(page + CHECKSUM_AT) == pg_page_checksum(page, block);
}

bool pg_control_good(struct span text)
{
	uint32_t c = 0;

	for (size_t at = 0; at < CONTROL_MOST && at + sizeof c <= text.n; at += sizeof c) {
		if (at >= CONTROL_LEAST && c == word(text.p + at))
			return true;
		c = crc32c(c, text.p + at, sizeof c);
	}
	return false;
}
