/* fuzz: what Google's JSON API, or who sits in its place, can answer.  The first byte says which.
 */
#include <string.h>

#include "fuzz_web.h"
#include "store/gcs.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void page(struct span s)
{
	struct err e = {0};
	char *next = NULL;

	if (gcs_page_read(s, "a/", web_see, NULL, &next, &e) == -1) {
		if (e.kind != ERR_CORRUPT || next)
			abort();
	} else if (next && *next == '\0') {
		abort(); /* it would be asked for as the first */
	}
	free(next);
}

static void refusal(struct span s)
{
	struct http_answer a = web_answer(s);
	struct err e = {0};

	if (gcs_refused(&a, &e) != -1)
		abort();
	web_error_good(&e);
	buf_fini(&a.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n > 0)
		(p[0] % 2 ? refusal : page)(span_of(p + 1, n - 1));
	return 0;
}
