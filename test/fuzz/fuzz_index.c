/* fuzz: index_decode, its packs handed to a builder. */
#include "repo/index.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int add(void *arg, const struct index_pack *p, struct err *e)
{
	index_builder_add(arg, p);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct index_builder *b = index_builder_new();
	struct err e = {0};

	index_decode(span_of(p, n), add, b, &e);
	index_builder_free(b);
	return 0;
}
