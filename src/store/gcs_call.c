/* gcs_call: one request of the JSON API, and what a refusal means.  See gcs.h. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/secret.h"
#include "store/gcs.h"

static void put_url(struct buf *b, const struct gcs *g, const struct gcs_call *c)
{
	if (c->session) {
		buf_printf(b, "%s", c->session);
		return;
	}
	buf_printf(b, "%s%s/storage/v1/b/%s/o", g->endpoint, c->upload ? "/upload" : "", g->bucket);
	if (c->key) {
		buf_put_u8(b, '/');
		url_encode(b, span_str(g->prefix), false);
		url_encode(b, span_str(c->key), false);
	}
	if (c->nparams) {
		buf_put_u8(b, '?');
		url_query(b, c->params, c->nparams);
	}
}

int gcs_ask(struct gcs *g, struct gcs_call *c, struct http_answer *a, struct err *e)
{
	char *token = gcs_token_get(g->token, e);
	struct buf url = {0};
	struct http_request rq = {
	    .method = c->method,
	    .counted = c->counted,
	    .headers = &c->headers,
	    .body = c->body,
	    .into = c->into,
	    .into_n = c->into_n,
	    .max = c->max,
	};
	int rc = -1;

	if (token) {
		http_headers_add(&c->headers, "authorization: %s", token);
		put_url(&url, g, c);
		rq.url = buf_cstr(&url);
		rc = http_do(g->http, &rq, a, e);
	}
	http_headers_fini(&c->headers);
	secret_free(token);
	buf_fini(&url);
	return rc;
}

static const struct web_meaning meanings[] = {
    {"authError", ERR_DENIED, "the token is not valid any more, or not for this"},
    {"forbidden", ERR_DENIED,
	"the account needs the role Storage Object Admin on the bucket; to only add, Storage "
	"Object Creator and Viewer"},
    {"insufficientPermissions", ERR_DENIED, NULL},
    {"conditionNotMet", ERR_EXISTS, NULL},
    {"rateLimitExceeded", ERR_UNREACHABLE, NULL},
    {"userRateLimitExceeded", ERR_UNREACHABLE, NULL},
    {"backendError", ERR_UNREACHABLE, NULL},
    {"retentionPolicyNotMet", ERR_DENIED, "the bucket's retention policy keeps the object"},
    {"objectUnderActiveHold", ERR_DENIED, "the object is under a hold"},
};

/* {"error": {"message": "...", "errors": [{"reason": "notFound"}]}} */
int gcs_refused(const struct http_answer *a, struct err *e)
{
	json_t *j = a->body.n ? json_loadb((const char *)a->body.p, a->body.n, 0, NULL) : NULL;
	json_t *error = json_object_get(j, "error");
	json_t *first = json_array_get(json_object_get(error, "errors"), 0);
	const char *message = json_string_value(json_object_get(error, "message"));

	web_refused(a, json_string_value(json_object_get(first, "reason")), message, meanings,
	    sizeof meanings / sizeof *meanings, e);
	if (a->status == 404 && message && strstr(message, "bucket does not exist")) {
		e->kind = ERR_NO_REPOSITORY;
		err_hint(e, "is the bucket's name right? Buckets are not made by holdfast");
	}
	json_decref(j);
	return -1;
}

int gcs_do(struct gcs *g, struct gcs_call *c, struct http_answer *a, struct err *e)
{
	int rc = gcs_ask(g, c, a, e);

	if (rc == 0 && !web_good(a)) {
		rc = gcs_refused(a, e);
		http_answer_fini(a);
	}
	return rc;
}
