/*
 * fuzz: a parity object, and mending with it.  The first byte says where the
 * blocks' checksums are put right, so that what lies behind them is reached.
 */
#include <stdlib.h>
#include <string.h>

#include "codec/erasure.h"
#include "repo/parity.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct id id;
	struct buf bytes = {0}, object = {0};
	struct parity parity;
	struct err e = {0};

	if (n < 1)
		return 0;
	buf_put(&bytes, p + 1, n - 1);
	for (size_t at = 0; at + 512 <= bytes.n; at += 512)
		if (p[0] >> (at / 512 % 8) & 1) {
			uint64_t crc;

			memset(bytes.p + at + 32, 0, ID_SIZE);
			crc = erasure_crc(span_of(bytes.p + at, 504));
			for (size_t i = 0; i < 8; i++)
				bytes.p[at + 504 + i] = (uint8_t)(crc >> (8 * i));
		}
	if (parity_read(buf_span(&bytes), &id, &parity, &e) == 0) {
		/* Mending the largest claims takes long and is tested elsewhere. */
		if (parity.size < 1 << 20 && parity.log_t < 10) {
			buf_put(&object, "some of it", 10);
			if (parity_mend(&parity, &object, &e) == -1 && e.kind != ERR_CORRUPT)
				abort();
		}
		parity_fini(&parity);
	} else if (e.kind != ERR_CORRUPT) {
		abort();
	}
	buf_fini(&bytes);
	buf_fini(&object);
	return 0;
}
