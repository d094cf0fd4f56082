/* fuzz: a name of any bytes becomes text that a server takes, and comes back as it was. */
#include <stdlib.h>

#include "catalog/catalog_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf text = {0}, back = {0};
	uint32_t code;
	size_t step;

	catalog_text_put(&text, span_of(p, n));
	catalog_text_get(&back, buf_span(&text));
	if (!span_eq(buf_span(&back), span_of(p, n)) || text.n > 4 * n)
		abort();
	for (struct span s = buf_span(&text); s.n > 0; s = span_of(s.p + step, s.n - step))
		if ((step = catalog_text_step(s, &code)) == 0 || code == 0)
			abort();
	buf_fini(&text);
	buf_fini(&back);
	return 0;
}
