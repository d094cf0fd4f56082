/*
 * erasure: a systematic Reed-Solomon code over GF(2^16): from k data shards
 * it makes m parity shards, and any k of the k + m give back the rest, for
 * k + m up to 65,536.  An object of many small shards survives the loss of
 * any m of them, wherever they lie, which a code over GF(2^8) with its 255
 * shards cannot promise.
 *
 * Its cost grows with log m, not with m: shards are transformed by the
 * additive FFT of Lin, Chung and Han ("Novel polynomial basis and its
 * application to Reed-Solomon erasure codes", 2014).  The field is a tower
 * over ISA-L's GF(2^8), so that ISA-L's vector code does the arithmetic.
 * doc/format.md 9.1 defines field, basis and positions.
 *
 * A shard has an even number of bytes: byte i of its first half and byte i of
 * its second half are one element.  log_t is the base-2 logarithm of the
 * positions set aside for parity; m <= 2^log_t.
 *
 * This knows nothing of objects, checksums or files: repo/parity does.
 *
 * Threads: any; memory belongs to the caller.
 */
#ifndef HF_CODEC_ERASURE_H
#define HF_CODEC_ERASURE_H

#include "base/span.h"

enum { ERASURE_POSITIONS = 65536, ERASURE_LOG_MAX = 15 };

/*
 * Encoding, one part of 2^(log_t - 1) data shards after another (the last may
 * have fewer), numbered from 0; log_t is at least 1.  The part's memory, room
 * for so many shards, is used up, and added to sum, twice as large and zeroed
 * before the first.  At the end sum becomes the parity shards, of which the
 * first `want` are made.
 */
void erasure_add(
    unsigned log_t, size_t shard, size_t part, size_t shards, uint8_t *data, uint8_t *sum);
void erasure_end(unsigned log_t, size_t shard, size_t want, uint8_t *sum);

/*
 * Make anew each data shard whose `data_ok` is false (its bytes are ignored),
 * in place.  False if fewer than k are left.  Takes 16 MiB or so of memory,
 * whatever the size of the data.
 */
struct erasure_damage {
	unsigned log_t;
	size_t shard;
	uint8_t *data; /* k shards */
	const bool *data_ok;
	size_t k;
	const uint8_t *parity; /* m shards */
	const bool *parity_ok;
	size_t m;
};
bool erasure_mend(const struct erasure_damage *d);

/* CRC-64/XZ: finds out which shards are bad. */
uint64_t erasure_crc(struct span s);

#endif
