/*
 * crc32c: with SSE 4.2's instruction, else a table of 16: a nibble at a time.  Machines without the
 * instruction are rare enough here that bigger tables would only be more to read.
 */
#include "codec/crc32c.h"

#include <string.h>

static const uint32_t nibbles[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc,
    0x5125dad3, 0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4,
    0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};

uint32_t crc32c_portable(uint32_t before, const void *p, size_t n)
{
	const uint8_t *b = p;
	uint32_t c = ~before;

	for (size_t i = 0; i < n; i++) {
		c = nibbles[(c ^ b[i]) & 15] ^ c >> 4;
		c = nibbles[(c ^ (uint32_t)(b[i] >> 4)) & 15] ^ c >> 4;
	}
	return ~c;
}

#ifdef __x86_64__
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t by_instruction(
    uint32_t before, const uint8_t *p, size_t n)
{
	uint64_t c = (uint32_t)~before;
	uint32_t last;

	for (; n >= 8; p += 8, n -= 8) {
		uint64_t v;

		memcpy(&v, p, 8);
		c = _mm_crc32_u64(c, v);
	}
	last = (uint32_t)c;
	for (; n > 0; p++, n--)
		last = _mm_crc32_u8(last, *p);
	return ~last;
}

uint32_t crc32c(uint32_t before, const void *p, size_t n)
{
	if (__builtin_cpu_supports("sse4.2"))
		return by_instruction(before, p, n);
	return crc32c_portable(before, p, n);
}
#else
uint32_t crc32c(uint32_t before, const void *p, size_t n)
{
	return crc32c_portable(before, p, n);
}
#endif
