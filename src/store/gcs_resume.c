/* gcs_resume: resumable uploads, as Google documents them for the JSON API.  See gcs.h. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/gcs.h"

enum { PIECE = 16 << 20 }; /* a multiple of 256 KiB, as is asked for */

static const int INCOMPLETE = 308;

/* The URL of the session, which must not lead our token to somebody else. */
static char *begin(struct gcs *g, const char *key, struct span data, bool new, struct err *e)
{
	char *name = mem_printf("%s%s", g->prefix, key), *url = NULL;
	struct url_param params[] = {
	    {"uploadType", "resumable"}, {"name", name}, {"ifGenerationMatch", "0"}};
	struct gcs_call c = {
	    .method = "POST", .upload = true, .params = params, .nparams = new ? 3 : 2};
	struct http_answer a;
	const char *location, *class = gcs_class_of(g, key);
	struct buf words = {0};

	if (class) {
		buf_printf(&words, "{\"storageClass\":\"%s\"}", class);
		c.body = buf_span(&words);
		http_headers_add(&c.headers, "content-type: application/json; charset=UTF-8");
	}
	http_headers_add(&c.headers, "x-upload-content-length: %zu", data.n);
	if (gcs_do(g, &c, &a, e) == 0) {
		location = http_header(&a, "location");
		if (location && strncmp(location, g->endpoint, strlen(g->endpoint)) == 0 &&
		    location[strlen(g->endpoint)] == '/')
			url = mem_strdup(location);
		else
			err_set(e, ERR_CORRUPT, "the upload's session is %s",
			    location ? "at another host" : "nowhere");
		http_answer_fini(&a);
	}
	buf_fini(&words);
	free(name);
	return url;
}

/* "range: bytes=0-N": so many are there; none if it does not say. */
static size_t there(const struct http_answer *a, size_t all)
{
	const char *v = http_header(a, "range"), *dash = v ? strchr(v, '-') : NULL;
	unsigned long long last = dash ? strtoull(dash + 1, NULL, 10) : 0;

	return dash && last < all ? (size_t)last + 1 : 0;
}

/* Send from *at on, or with n 0 only ask; *at is where the service has come to, *done at the end.
 */
static int send_piece(struct gcs *g, const char *session, struct span data, size_t n, size_t *at,
    bool *done, struct err *e)
{
	struct gcs_call c = {.method = "PUT", .session = session};
	struct http_answer a;
	int rc = 0;

	if (n > 0) {
		c.body = span_of(data.p + *at, n);
		http_headers_add(
		    &c.headers, "content-range: bytes %zu-%zu/%zu", *at, *at + n - 1, data.n);
	} else {
		http_headers_add(&c.headers, "content-range: bytes */%zu", data.n);
	}
	if (gcs_ask(g, &c, &a, e) == -1)
		return -1;
	if (web_good(&a))
		*done = true;
	else if (a.status == INCOMPLETE)
		*at = there(&a, data.n);
	else
		rc = gcs_refused(&a, e);
	http_answer_fini(&a);
	return rc;
}

static int send_all(
    struct gcs *g, const char *session, const char *key, struct span data, struct err *e)
{
	size_t at = 0, furthest = 0;
	bool done = false;

	for (int tries = 1; !done;) {
		size_t left = data.n - at;
		int rc = send_piece(g, session, data, left < PIECE ? left : PIECE, &at, &done, e);

		if (rc == 0 && (done || at > furthest)) {
			furthest = at;
			tries = 1;
			continue;
		}
		if (rc == 0)
			err_set(e, ERR_UNREACHABLE, "the upload does not get on");
		do {
			if (!store_backoff(&g->pace, g->ctx, tries++, "put", key, e))
				return -1;
		} while (send_piece(g, session, data, 0, &at, &done, e) == -1);
	}
	return 0;
}

int gcs_put_resumable(struct gcs *g, const char *key, struct span data, bool new, struct err *e)
{
	char *session = begin(g, key, data, new, e);
	int rc = session ? send_all(g, session, key, data, e) : -1;

	/* Sessions end by themselves, and one that was lost may be begun anew. */
	if (session && rc == -1 && (e->kind == ERR_ABSENT || e->kind == ERR_NO_REPOSITORY))
		e->kind = ERR_UNREACHABLE;
	free(session);
	return rc;
}
