/* http: see http.h. */
#include "net/http.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "crypto/crypto.h"
#include "net/wire.h"
#include "os/os.h"

enum {
	BODY_MAX = 1 << 20, /* of answers whose caller named no bound */
	ERROR_BODY_MAX = 64 << 10,
	HEADERS_BYTES_MAX = 64 << 10,
	IDLE_MAX = 64, /* handles kept, each with its connections */
	TRANSFER_BUFFER = 256 << 10,
	RETRY_AFTER_MAX = 120, /* seconds that a server can make us wait */
};

struct http {
	const struct wire *wire;
	struct ctx *ctx;
	char *ca_file;
	long connect_ms, stall_s, deadline_ms;
	bool direct;
	pthread_mutex_t lock; /* guards idle */
	CURL *idle[IDLE_MAX];
	size_t nidle;
	_Atomic int64_t not_before_ns; /* Retry-After, by the monotonic clock */
};

/* One request under way. */
struct exchange {
	struct http *http;
	const struct http_request *rq;
	struct http_answer *a;
	CURL *curl;
	struct wire_body body;
	bool too_long;
};

void http_headers_add(struct http_headers *h, const char *fmt, ...)
{
	struct buf b = {0};
	char line[512];
	va_list ap;
	int n;

	assert(h->n < HTTP_HEADERS_MAX);
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	if ((size_t)n >= sizeof line) {
		va_start(ap, fmt);
		vsnprintf((char *)buf_extend(&b, (size_t)n + 1), (size_t)n + 1, fmt, ap);
		va_end(ap);
		h->v[h->n++] = (char *)b.p;
	} else {
		h->v[h->n++] = mem_strdup(line);
	}
	crypto_wipe(line, sizeof line);
}

void http_headers_fini(struct http_headers *h)
{
	for (size_t i = 0; i < h->n; i++) {
		crypto_wipe(h->v[i], strlen(h->v[i]));
		free(h->v[i]);
	}
	h->n = 0;
}

struct http *http_new(const struct http_params *p, struct ctx *ctx, struct err *e)
{
	const struct wire *w = wire_open(e);
	struct http *h;

	if (w == NULL)
		return NULL;
	h = mem_zalloc(sizeof *h);
	h->wire = w;
	h->ctx = ctx;
	h->ca_file = p->ca_file ? mem_strdup(p->ca_file) : NULL;
	h->connect_ms = p->connect_ns ? (long)(p->connect_ns / 1000000) : 15000;
	h->stall_s = p->stall_ns ? (long)((p->stall_ns + 999999999) / 1000000000) : 60;
	h->deadline_ms = p->deadline_ns ? (long)(p->deadline_ns / 1000000) : 300000;
	h->direct = p->direct;
	pthread_mutex_init(&h->lock, NULL);
	return h;
}

void http_free(struct http *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < h->nidle; i++)
		h->wire->easy_cleanup(h->idle[i]);
	pthread_mutex_destroy(&h->lock);
	free(h->ca_file);
	free(h);
}

static CURL *take_handle(struct http *h)
{
	CURL *c = NULL;

	pthread_mutex_lock(&h->lock);
	if (h->nidle > 0)
		c = h->idle[--h->nidle];
	pthread_mutex_unlock(&h->lock);
	return c ? c : mem_checked(h->wire->easy_init());
}

static void give_handle(struct http *h, CURL *c)
{
	h->wire->easy_reset(c); /* options go, connections stay */
	pthread_mutex_lock(&h->lock);
	if (h->nidle < IDLE_MAX) {
		h->idle[h->nidle++] = c;
		c = NULL;
	}
	pthread_mutex_unlock(&h->lock);
	if (c)
		h->wire->easy_cleanup(c);
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	const struct http_request *rq = x->rq;
	struct http_answer *a = x->a;
	size_t k = size * n, max = rq->max ? rq->max : BODY_MAX;
	bool good = a->status >= 200 && a->status < 300;

	if (good && rq->into) {
		if (k > rq->into_n - a->got) {
			x->too_long = true;
			return 0;
		}
		memcpy(rq->into + a->got, p, k);
	} else if (good && k > max - a->got) {
		x->too_long = true;
		return 0;
	} else if (good || a->body.n + k <= ERROR_BODY_MAX) {
		buf_put(&a->body, p, k);
	}
	a->got += k;
	return k;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	struct buf *b = &x->a->headers;
	size_t k = size * n, len = k;

	if (k >= 5 && memcmp(p, "HTTP/", 5) == 0) { /* an answer begins; 100 may have come before */
		const char *blank = memchr(p, ' ', k);

		buf_reset(b);
		x->a->status = blank ? atoi(blank + 1) : 0;
		return k;
	}
	while (len > 0 && (p[len - 1] == '\r' || p[len - 1] == '\n' || p[len - 1] == ' '))
		len--;
	if (len == 0 || b->n + len + 1 > HEADERS_BYTES_MAX || memchr(p, '\0', len))
		return k;
	buf_put(b, p, len);
	buf_put_u8(b, '\0');
	for (char *c = (char *)b->p + b->n - len - 1; *c && *c != ':'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	return k;
}

const char *http_header(const struct http_answer *a, const char *name)
{
	size_t n = strlen(name);

	for (size_t at = 0; at < a->headers.n;) {
		const char *line = (const char *)a->headers.p + at;

		if (strncmp(line, name, n) == 0 && line[n] == ':')
			return line + n + 1 + strspn(line + n + 1, " ");
		at += strlen(line) + 1;
	}
	return NULL;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct exchange *x = arg;

	(void)a, (void)b, (void)c, (void)d;
	return x->http->ctx && ctx_cancelled(x->http->ctx);
}

int64_t http_date_ns(const char *s)
{
	struct tm tm = {0};
	const char *end = strptime(s, "%a, %d %b %Y %H:%M:%S GMT", &tm);

	return end && *end == '\0' ? (int64_t)timegm(&tm) * 1000000000 : -1;
}

/* What curl says, as a kind; the hint is for whom it may help. */
static int explain(struct exchange *x, CURLcode c, const char *detail, struct err *e)
{
	const char *text = *detail ? detail : x->http->wire->easy_strerror(c);

	switch (c) {
	case CURLE_ABORTED_BY_CALLBACK:
		return err_set(e, ERR_CANCELLED, "interrupted");
	case CURLE_OPERATION_TIMEDOUT:
		if (strstr(text, "too slow"))
			return err_set(
			    e, ERR_TIMEOUT, "nothing came or went for %ld s", x->http->stall_s);
		return err_set(e, ERR_TIMEOUT, "%s", text);
	case CURLE_WRITE_ERROR:
		if (x->too_long)
			return err_set(
			    e, ERR_CORRUPT, "the answer is longer than what was asked for");
		return err_set(e, ERR_FAILED, "%s", text);
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return err_set(e, ERR_USAGE, "%s", text);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		err_set(e, ERR_DENIED, "certificate not accepted: %s", text);
		return err_hint(e,
		    "is this the right host, and its clock and ours right? A certificate "
		    "authority of your own is named by HOLDFAST_CA_FILE=FILE.pem");
	case CURLE_SSL_CACERT_BADFILE:
		err_set(e, ERR_USAGE, "%s", text);
		return err_hint(e, "HOLDFAST_CA_FILE must name a file of PEM certificates");
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		err_set(e, ERR_UNREACHABLE, "%s", text);
		return err_hint(e, "is the name right, and does this machine reach a name server?");
	case CURLE_FAILED_INIT:
	case CURLE_OUT_OF_MEMORY:
		return err_set(e, ERR_FAILED, "%s", text);
	default: /* connect, send, receive, TLS, cut short */
		return err_set(e, ERR_UNREACHABLE, "%s", text);
	}
}

/* Retry-After, in seconds; dates are rare and not worth a clock that may differ. */
static void heed_retry_after(struct http *h, const struct http_answer *a)
{
	const char *v = a->status == 429 || a->status == 503 ? http_header(a, "retry-after") : NULL;
	long s = v ? strtol(v, NULL, 10) : 0;

	if (s <= 0)
		return;
	if (s > RETRY_AFTER_MAX)
		s = RETRY_AFTER_MAX;
	h->not_before_ns = os_clock_of(h->ctx)->mono_ns(os_clock_of(h->ctx)) + s * 1000000000;
}

static int wait_until_asked(struct http *h, struct err *e)
{
	struct clock *clock = os_clock_of(h->ctx);
	int64_t left = h->not_before_ns ? h->not_before_ns - clock->mono_ns(clock) : 0;

	if (left > 0)
		os_sleep_ns(h->ctx, left);
	return ctx_check(h->ctx, e);
}

static struct curl_slist *list_of(struct http *h, const struct http_headers *headers)
{
	/* Never wait for 100, nor say that it is a form. */
	struct curl_slist *l = mem_checked(h->wire->slist_append(NULL, "Expect:"));

	bool typed = false;

	for (size_t i = 0; headers && i < headers->n; i++) {
		typed |= strncmp(headers->v[i], "content-type:", 13) == 0;
		l = mem_checked(h->wire->slist_append(l, headers->v[i]));
	}
	if (!typed)
		l = mem_checked(h->wire->slist_append(l, "Content-Type: application/octet-stream"));
	return l;
}

/* In milliseconds; what comes into a buffer counts like what is sent. */
static long deadline(const struct http *h, const struct http_request *rq)
{
	uint64_t bytes = rq->body.n + (rq->into ? rq->into_n : rq->max);

	if (rq->deadline_ns)
		return (long)(rq->deadline_ns / 1000000);
	return h->deadline_ms + (long)(bytes * 1000 / HTTP_SLOWEST);
}

static void set_options(struct exchange *x, struct curl_slist *list, char *detail)
{
	const struct http_request *rq = x->rq;
	struct http *h = x->http;
	CURLcode (*set)(CURL *, CURLoption, ...) = h->wire->easy_setopt;
	CURL *c = x->curl;

	set(c, CURLOPT_URL, rq->url);
	set(c, CURLOPT_PROTOCOLS_STR, "http,https");
	set(c, CURLOPT_PATH_AS_IS, 1L);
	set(c, CURLOPT_NOSIGNAL, 1L);
	set(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	set(c, CURLOPT_USERAGENT, "holdfast/" HF_VERSION);
	set(c, CURLOPT_HTTPHEADER, list);
	set(c, CURLOPT_ERRORBUFFER, detail);
	set(c, CURLOPT_CONNECTTIMEOUT_MS, h->connect_ms);
	set(c, CURLOPT_TIMEOUT_MS, deadline(h, rq));
	set(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
	set(c, CURLOPT_LOW_SPEED_TIME, h->stall_s);
	set(c, CURLOPT_TCP_KEEPALIVE, 1L);
	set(c, CURLOPT_BUFFERSIZE, (long)TRANSFER_BUFFER);
	set(c, CURLOPT_UPLOAD_BUFFERSIZE, (long)TRANSFER_BUFFER);
	if (h->ca_file)
		set(c, CURLOPT_CAINFO, h->ca_file);
	if (h->direct)
		set(c, CURLOPT_PROXY, "");
	set(c, CURLOPT_NOPROGRESS, 0L);
	set(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	set(c, CURLOPT_XFERINFODATA, x);
	set(c, CURLOPT_HEADERFUNCTION, on_header);
	set(c, CURLOPT_HEADERDATA, x);
	set(c, CURLOPT_WRITEFUNCTION, on_body);
	set(c, CURLOPT_WRITEDATA, x);
	if (strcmp(rq->method, "HEAD") == 0) {
		set(c, CURLOPT_NOBODY, 1L);
	} else if (strcmp(rq->method, "PUT") == 0 || strcmp(rq->method, "POST") == 0) {
		set(c, CURLOPT_UPLOAD, 1L);
		set(c, CURLOPT_READFUNCTION, wire_send);
		set(c, CURLOPT_READDATA, &x->body);
		set(c, CURLOPT_SEEKFUNCTION, wire_seek);
		set(c, CURLOPT_SEEKDATA, &x->body);
		set(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)rq->body.n);
	}
	set(c, CURLOPT_CUSTOMREQUEST, rq->method);
}

static void count(struct http *h, const struct http_request *rq, const struct http_answer *a)
{
	static const struct {
		const char *method;
		enum count_verb verb;
	} verbs[] = {{"GET", COUNT_GET}, {"PUT", COUNT_PUT}, {"HEAD", COUNT_HEAD},
	    {"DELETE", COUNT_DELETE}, {"PROPFIND", COUNT_LIST}};
	enum count_verb v = rq->counted;

	for (size_t i = 0; v == COUNT_NONE && i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(verbs[i].method, rq->method) == 0)
			v = verbs[i].verb;
	ctx_count(h->ctx, v == COUNT_NONE ? COUNT_POST : v, rq->body.n, a->got);
}

int http_do(struct http *h, const struct http_request *rq, struct http_answer *a, struct err *e)
{
	struct exchange x = {.http = h, .rq = rq, .a = a, .body.data = rq->body};
	char detail[CURL_ERROR_SIZE] = "";
	struct curl_slist *list;
	CURLcode c;

	memset(a, 0, sizeof *a);
	if (wait_until_asked(h, e) == -1)
		return -1;
	x.curl = take_handle(h);
	list = list_of(h, rq->headers);
	set_options(&x, list, detail);
	c = h->wire->easy_perform(x.curl);
	count(h, rq, a);
	give_handle(h, x.curl);
	h->wire->slist_free_all(list);
	if (c == CURLE_OK) {
		heed_retry_after(h, a);
		return 0;
	}
	http_answer_fini(a);
	return explain(&x, c, detail, e);
}

void http_answer_fini(struct http_answer *a)
{
	buf_fini(&a->body);
	buf_fini(&a->headers);
}
