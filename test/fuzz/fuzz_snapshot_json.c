/* fuzz: head and facts, divided by a NUL; what decodes encodes to what decodes. */
#include <stdlib.h>

#include "base/mem.h"
#include "repo/snapshot_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct snapshot *s = mem_zalloc(sizeof *s), *t = mem_zalloc(sizeof *t);
	const uint8_t *nul = n ? memchr(p, 0, n) : NULL;
	char *head, *facts;
	struct err e = {0};

	if (nul != NULL && snapshot_json_decode(span_of(p, (size_t)(nul - p)),
			       span_of(nul + 1, (size_t)(p + n - nul - 1)), s, &e) == 0) {
		snapshot_json_encode(s, &head, &facts);
		if (head == NULL || facts == NULL ||
		    snapshot_json_decode(span_str(head), span_str(facts), t, &e) == -1)
			abort();
		if (s->nparts != t->nparts || s->start_ns != t->start_ns)
			abort();
		free(head);
		free(facts);
	}
	snapshot_free(s);
	snapshot_free(t);
	return 0;
}
