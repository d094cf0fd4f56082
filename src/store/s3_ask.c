/* s3_ask: one question, asked again as the pace of the store allows.  See s3_put.h. */
#include "store/s3_put.h"

int s3_ask(struct s3 *s, const struct s3_ask *q, struct http_answer *a, struct err *e)
{
	struct buf name = {0};
	const char *full = q->key ? s3_name(s, q->key, &name) : NULL;
	int rc;

	for (int n = 1;; n++) {
		/* Made anew each time: what a call holds is given up with each try. */
		struct s3_call c = {.method = q->method,
		    .key = full,
		    .params = q->params,
		    .nparams = q->nparams,
		    .body = q->body};

		if (q->body.n > 0)
			s3_add_md5(&c);
		if (q->bypass)
			http_headers_add(&c.headers, "x-amz-bypass-governance-retention: true");
		rc = s3_do(s, &c, a, e);
		if (rc == 0 ||
		    !store_backoff(&s->pace, s->ctx, n, q->params[0].name, q->key ? q->key : "", e))
			break;
		err_clear(e);
	}
	buf_fini(&name);
	return rc;
}
