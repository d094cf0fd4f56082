/* fuzz: the directory of a kit under a right hash; the first 8 bytes are where it says it is. */
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "store/kit.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void make_trailer(const uint8_t *at, struct span dir, struct kit_trailer *t)
{
	struct crypto_hash *h = crypto_hash_new(CRYPTO_SHA2);
	uint8_t header[KIT_HEADER], numbers[24] = {0};

	memcpy(&t->off, at, 8);
	t->size = dir.n;
	t->made_ns = 0;
	memcpy(numbers, &t->off, 8);
	memcpy(numbers + 8, &t->size, 8);
	kit_header(header);
	crypto_hash_add(h, span_of(header, sizeof header));
	crypto_hash_add(h, dir);
	crypto_hash_add(h, span_of(numbers, sizeof numbers));
	crypto_hash_end(h, t->hash);
	crypto_hash_free(h);
}

/* What was taken is whole: in order of names, and side by side from header to directory. */
static void check(const struct kit_object *v, size_t n, const struct kit_trailer *t)
{
	uint64_t sum = KIT_HEADER;

	for (size_t i = 0; i < n; i++) {
		if (!store_key_valid(v[i].name) || (i > 0 && strcmp(v[i - 1].name, v[i].name) >= 0))
			abort();
		if (v[i].off < KIT_HEADER || v[i].off > t->off || v[i].size > t->off - v[i].off)
			abort();
		sum += v[i].size;
	}
	if (sum != t->off)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct kit_object *v;
	struct kit_trailer t;
	struct err e;
	size_t count;

	if (n < 8)
		return 0;
	make_trailer(p, span_of(p + 8, n - 8), &t);
	if (kit_directory_parse(span_of(p + 8, n - 8), &t, &v, &count, &e) == 0) {
		check(v, count, &t);
		kit_objects_free(v, count);
	}
	return 0;
}
