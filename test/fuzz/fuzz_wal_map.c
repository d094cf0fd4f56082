/* fuzz: a list of changed blocks as bytes; what is taken comes back as it was. */
#include <stdlib.h>

#include "source/wal_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct err e = {0};
	struct buf a = {0}, b = {0};
	struct wal_map *m = wal_map_read(span_of(p, n), &e), *again;

	if (m == NULL)
		return 0;
	wal_map_write(m, &a);
	again = wal_map_read(buf_span(&a), &e);
	if (again == NULL || wal_map_blocks(again) != wal_map_blocks(m))
		abort();
	wal_map_write(again, &b);
	if (!span_eq(buf_span(&a), buf_span(&b)))
		abort();
	wal_map_free(again);
	wal_map_free(m);
	buf_fini(&a);
	buf_fini(&b);
	return 0;
}
