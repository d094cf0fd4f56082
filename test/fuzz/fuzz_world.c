/* fuzz: a configuration. */
#include <stdint.h>
#include <stdlib.h>

#include "config/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct world *w;
	struct err e = {0};

	if (world_of_text(span_of(p, n), "fuzz", &w, &e) == -1 && (e.kind != ERR_USAGE || w))
		abort();
	world_free(w);
	return 0;
}
