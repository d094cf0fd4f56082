/*
 * crc32c: the Castagnoli cyclic check, as PostgreSQL, iSCSI and ext4 have it (reflected polynomial
 * 0x82f63b78).
 *
 *     uint32_t c = crc32c(0, "123456789", 9);      // 0xe3069283
 *     c = crc32c(c, more, n);                      // goes on with more bytes
 *
 * It finds accidents, never malice.  The processor's own instruction is used where it has one.
 *
 * Threads: any.
 */
#ifndef HF_CODEC_CRC32C_H
#define HF_CODEC_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The check of what came before (0: nothing) and these bytes. */
uint32_t crc32c(uint32_t before, const void *p, size_t n);

/* The same without the instruction: tests compare the two. */
uint32_t crc32c_portable(uint32_t before, const void *p, size_t n);

#endif
