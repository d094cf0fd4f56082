/* fuzz: pack_dir_decode; what decodes must encode to something that decodes. */
#include <stdlib.h>

#include "repo/pack_dir.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct cursor c = cursor_of(span_of(p, n));
	struct pack_dir d = {0};
	struct buf b = {0};
	struct err e = {0};

	if (pack_dir_decode(&c, &d, &e) == 0) {
		pack_dir_encode(&d, &b);
		c = cursor_of(buf_span(&b));
		if (pack_dir_decode(&c, &d, &e) == -1)
			abort();
	}
	buf_fini(&b);
	pack_dir_fini(&d);
	return 0;
}
