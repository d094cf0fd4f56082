/*
 * http: requests over HTTP and HTTPS, one at a time in each thread.
 *
 * A client keeps its connections.  Certificates are always verified.  Nothing
 * is redirected: an answer of 3xx is an answer.  Nothing is tried again here,
 * but a server that said Retry-After is not asked before that time.
 *
 * Threads: http_do from any; new and free by one, when no request is under way.
 */
#ifndef HF_NET_HTTP_H
#define HF_NET_HTTP_H

#include "base/buf.h"
#include "base/ctx.h"

enum { HTTP_HEADERS_MAX = 24, HTTP_SLOWEST = 4096 };

/* Lines "name: value", names in lower case.  Zeroed it is empty. */
struct http_headers {
	char *v[HTTP_HEADERS_MAX];
	size_t n;
};

void http_headers_add(struct http_headers *h, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void http_headers_fini(struct http_headers *h); /* wiped: some are secrets */

struct http_params {
	const char *ca_file; /* PEM; NULL: the system's */
	int64_t connect_ns;  /* 0: 15 s */
	int64_t stall_ns;    /* so long without a byte is ERR_TIMEOUT; 0: 60 s */
	/*
	 * For a whole request, on top of a second for each HTTP_SLOWEST bytes of
	 * it: who sends a byte a minute for ever is no better than who is silent.
	 * 0: 5 min.
	 */
	int64_t deadline_ns;
	bool direct; /* by no proxy, whatever the environment says: what is asked is next to us */
};

struct http;

/* ctx is borrowed until free; its cancel ends requests that are under way. */
struct http *http_new(const struct http_params *p, struct ctx *ctx, struct err *e);
void http_free(struct http *h); /* NULL does nothing */

struct http_request {
	const char *method;      /* "GET" */
	enum count_verb counted; /* in ctx, as what; COUNT_NONE: as the method says */
	const char *url;         /* encoded */
	const struct http_headers *headers;
	struct span body;    /* sent with PUT and POST, empty or not */
	int64_t deadline_ns; /* for all of it; 0: as the client's */
	/*
	 * Where the body of an answer of 2xx goes: of which no more than that may
	 * come (ERR_CORRUPT).  NULL: into the answer, at most `max` bytes.
	 */
	uint8_t *into;
	size_t into_n;
	size_t max; /* 0: 1 MiB */
};

struct http_answer {
	int status;
	size_t got;         /* bytes of body */
	struct buf body;    /* if not into: of errors too, cut at 64 KiB */
	struct buf headers; /* "name: value" and NUL, names in lower case */
};

/*
 * 0 if there was an answer, of whichever status.  -1: ERR_UNREACHABLE,
 * ERR_TIMEOUT, ERR_DENIED (a certificate that does not verify),
 * ERR_CANCELLED, ERR_USAGE (not a URL), ERR_CORRUPT (too long).
 */
int http_do(struct http *h, const struct http_request *rq, struct http_answer *a, struct err *e);
void http_answer_fini(struct http_answer *a);

/* The value, or NULL. */
const char *http_header(const struct http_answer *a, const char *name);

/* "Sun, 06 Nov 1994 08:49:37 GMT"; -1 if it is not that. */
int64_t http_date_ns(const char *s);

#endif
