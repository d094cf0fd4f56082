/* What fuzz targets of stores over HTTP share: an answer of these bytes, and what must hold of
 * errors. */
#ifndef HF_FUZZ_WEB_H
#define HF_FUZZ_WEB_H

#include <stdlib.h>

#include "net/http.h"
#include "store/store.h"

static inline struct http_answer web_answer(struct span s)
{
	static const int statuses[] = {301, 400, 403, 404, 409, 412, 500, 503};
	struct http_answer a = {.status = statuses[s.n % 8]};

	buf_put_span(&a.body, s);
	return a;
}

/* Of which kind it is is said, and in letters that a terminal does not obey. */
static inline void web_error_good(const struct err *e)
{
	if (e->kind == ERR_NONE)
		abort();
	for (const char *m = e->msg; *m; m++)
		if ((unsigned char)*m < 0x20 || (unsigned char)*m >= 0x7f)
			abort();
}

static inline int web_see(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	(void)arg, (void)e;
	if (!store_key_valid(key) || st->mtime_ns == -1)
		abort();
	return 0;
}

#endif
