/* fuzz: tree_refs_visit; the first byte is what the parent said of the depth. */
#include <stdlib.h>

#include "repo/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int visit(
    void *arg, enum format_purpose kind, unsigned depth, const struct id *id, struct err *e)
{
	if (kind < PURPOSE_CONTENT || kind > PURPOSE_REFS || depth > FORMAT_LIST_DEPTH ||
	    (depth > 0 && kind != PURPOSE_REFS))
		abort();
	*(uint8_t *)arg ^= id->b[31];
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct err e = {0};
	uint8_t sum = 0;

	if (n == 0)
		return 0;
	if (tree_refs_visit(
		span_of(p + 1, n - 1), p[0] % (FORMAT_LIST_DEPTH + 1), visit, &sum, &e) == -1 &&
	    e.kind != ERR_CORRUPT)
		abort();
	return 0;
}
