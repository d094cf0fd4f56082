/* fuzz: each codec: hostile bytes never overrun; what is compressed comes back. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void decompress(struct codec *c, enum codec_id id, struct span in, size_t out_n)
{
	uint8_t *out = mem_alloc(out_n);
	struct err e = {0};

	if (codec_decompress(c, id, in, out, out_n, &e) == -1 && e.kind != ERR_CORRUPT &&
	    e.kind != ERR_UNSUPPORTED)
		abort();
	free(out);
}

static void there_and_back(struct codec *c, enum codec_id id, struct span in)
{
	uint8_t *packed = mem_alloc(codec_bound(in.n)), *out = mem_alloc(in.n);
	size_t k = codec_compress(c, id, codec_info(id)->min, in, packed);
	struct err e = {0};

	if (k > 0 && (codec_decompress(c, id, span_of(packed, k), out, in.n, &e) == -1 ||
			 memcmp(out, in.p, in.n) != 0))
		abort();
	free(packed);
	free(out);
}

/* As three pieces, of which some may look like pages. */
static void pages_and_back(struct codec *c, struct span in, uint32_t first)
{
	uint8_t *packed = mem_alloc(codec_bound(in.n)), *out = mem_alloc(in.n),
		*plain = mem_alloc(in.n);
	uint32_t lens[3] = {first % (uint32_t)in.n};
	struct err e = {0};
	size_t k;

	lens[1] = ((uint32_t)in.n - lens[0]) / 2;
	lens[2] = (uint32_t)in.n - lens[0] - lens[1];
	memcpy(plain, in.p, in.n);
	k = codec_compress_pages(c, 1, plain, lens, 3, packed);
	if (k == 0 ? memcmp(plain, in.p, in.n) != 0
		   : codec_decompress(c, CODEC_PAGES, span_of(packed, k), out, in.n, &e) == -1 ||
			 memcmp(out, in.p, in.n) != 0)
		abort();
	free(packed);
	free(out);
	free(plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct codec *c;
	struct span in;

	if (n < 3)
		return 0;
	if (c == NULL)
		c = codec_new();
	in = span_of(p + 3, n - 3);
	decompress(
	    c, (enum codec_id)(p[0] % (CODEC_COUNT + 1)), in, (size_t)p[1] | (size_t)p[2] << 8);
	if (in.n > 0 && p[0] % CODEC_COUNT == CODEC_PAGES)
		pages_and_back(c, in, (uint32_t)p[1] | (uint32_t)p[2] << 8);
	else if (in.n > 0 && p[0] % CODEC_COUNT != CODEC_NONE)
		there_and_back(c, (enum codec_id)(p[0] % CODEC_COUNT), in);
	return 0;
}
