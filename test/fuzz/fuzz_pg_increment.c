/* fuzz: what is sent of a file that changed; what is taken is in order and within the file. */
#include <stdlib.h>

#include "source/pg_increment.h"
#include "source/pg_page.h"

enum { RELATION = 131072 };

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct pg_increment x;
	struct err e;
	size_t head = n >= PG_INCREMENT_HEAD ? pg_increment_head(p, RELATION) : 0;

	if (head == 0 || head > n ||
	    pg_increment_parse(span_of(p, head), n, RELATION, &x, &e) == -1)
		return 0;
	for (uint32_t i = 0; i < x.n; i++)
		if ((uint64_t)x.blocks[i] * PG_PAGE >= x.size ||
		    pg_increment_at(&x, x.blocks[i]) != i ||
		    x.data + (uint64_t)(i + 1) * PG_PAGE > n)
			abort();
	pg_increment_fini(&x);
	return 0;
}
