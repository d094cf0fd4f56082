/* fuzz: a file of tzdata, and what the clock shows by it. */
#include <stdint.h>
#include <stdlib.h>

#include "base/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct zone *z;
	struct err e = {0};
	int64_t at[2];

	if (zone_parse(span_of(p, n), &z, &e) == -1)
		return 0;
	for (int64_t t = -3000000000; t < 5000000000; t += 99999999)
		if (zone_moments(z, zone_local(z, t), at) > 2)
			abort();
	zone_free(z);
	return 0;
}
