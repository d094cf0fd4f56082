/* blake3_x86: the variants for x86-64, as far as processor and kernel have them. */
#include <stdbool.h>

#include "crypto/blake3_lanes.h"

static bool always(void)
{
	return true;
}

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

static bool has_avx512(void)
{
	return has_avx2() && __builtin_cpu_supports("avx512f");
}

const struct blake3_variant *blake3_variant_at(unsigned i)
{
	static const struct {
		struct blake3_variant v;
		bool (*runs)(void);
	} all[] = {
	    {{"avx512", blake3_many_avx512}, has_avx512},
	    {{"avx2", blake3_many_avx2}, has_avx2},
	    {{"vec4", blake3_many_vec4}, always},
	    {{"portable", blake3_many_portable}, always},
	};

	for (size_t k = 0; k < sizeof all / sizeof *all; k++)
		if (all[k].runs() && i-- == 0)
			return &all[k].v;
	return NULL;
}
