/*
 * api_answer: one request of libmicrohttpd: who asks, which row, what comes of it
 * (api_internal.h).
 *
 * Whatever can be refused is refused before the body is read.  A body has to say its length.
 */
#include <errno.h>
#include <stdlib.h>

#include "api/api_internal.h"
#include "base/calendar.h"
#include "base/mem.h"
#include "catalog/catalog.h"

struct exchange {
	struct api_listener *l;
	struct api_uri uri;
	int uri_status;
	struct err uri_err;
	char shown[160]; /* the target, for the log: nothing unprintable, and no more than fits */
	bool begun, refused;
	struct api_who who;
	struct api_call call;
	struct buf body;
	char allow[64];
	unsigned wait_s; /* for Retry-After */
};

static void show(char out[160], const char *uri)
{
	size_t n = 0;

	for (; *uri && *uri != '?' && n < 150; uri++)
		out[n++] = *uri > ' ' && *uri < 0x7f && *uri != '"' ? *uri : '?';
	out[n] = '\0';
}

/* With the first line of a request: the target as it came. */
void *api_answer_begin(void *listener, const char *uri, struct MHD_Connection *c)
{
	struct exchange *x = mem_zalloc(sizeof *x);

	x->l = listener;
	x->uri_status = api_uri_parse(span_str(uri), &x->uri, &x->uri_err);
	show(x->shown, uri);
	api_conn_set(x->l->api, api_conn_of(x->l->api, c), CONN_READING);
	return x;
}

void api_answer_end(
    void *listener, struct MHD_Connection *c, void **exchange, enum MHD_RequestTerminationCode why)
{
	struct exchange *x = *exchange;

	if (x == NULL)
		return;
	api_conn_set(x->l->api, api_conn_of(x->l->api, c), CONN_READING);
	api_call_fini(&x->call);
	buf_fini(&x->body);
	free(x);
	*exchange = NULL;
}

/* ---- The way out. */

static void add_headers(struct exchange *x, struct MHD_Response *r, int status, const char *type)
{
	static const char *const always[][2] = {
	    {"Cache-Control", "no-store"},
	    {"X-Content-Type-Options", "nosniff"},
	    {"X-Frame-Options", "DENY"},
	    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
	    {"Referrer-Policy", "no-referrer"},
	};
	const struct api_mhd *m = x->l->api->mhd;
	char wait[16];

	m->add_response_header(r, "Content-Type", type);
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		m->add_response_header(r, always[i][0], always[i][1]);
	if (x->l->tls)
		m->add_response_header(r, "Strict-Transport-Security", "max-age=31536000");
	if (status == 401)
		m->add_response_header(r, "WWW-Authenticate", "Bearer realm=\"holdfast\"");
	if (status == 405)
		m->add_response_header(r, "Allow", x->allow);
	if (status == 429) {
		snprintf(wait, sizeof wait, "%u", x->wait_s ? x->wait_s : 1);
		m->add_response_header(r, "Retry-After", wait);
	}
}

static enum MHD_Result reply(
    struct exchange *x, struct MHD_Connection *c, int status, const char *type, struct span body)
{
	struct api *a = x->l->api;
	struct MHD_Response *r = a->mhd->create_response_from_buffer(
	    body.n, (void *)body.p, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result rc;

	if (r == NULL)
		return MHD_NO;
	add_headers(x, r, status, type);
	a->counters.answers[status / 100]++;
	api_conn_set(a, api_conn_of(a, c), CONN_ANSWERING);
	rc = a->mhd->queue_response(c, (unsigned)status, r);
	a->mhd->destroy_response(r);
	return rc;
}

static enum MHD_Result reply_json(
    struct exchange *x, struct MHD_Connection *c, int status, const char *type, const json_t *j)
{
	char *text = json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(15));
	enum MHD_Result rc;

	text = mem_checked(text);
	rc = reply(x, c, status, type, span_str(text));
	free(text);
	return rc;
}

static enum MHD_Result refuse(
    struct exchange *x, struct MHD_Connection *c, const char *method, int status, struct err *e)
{
	json_t *j = api_problem(status, e);
	enum MHD_Result rc = reply_json(x, c, status, "application/problem+json", j);

	x->refused = true;
	api_log(x->l->api, status >= 500 ? EVENT_ERROR : EVENT_WARN,
	    "peer=\"%s\" method=%.16s path=\"%s\" status=%d by=\"%s\" why=\"%s\"", x->who.peer,
	    method, x->shown, status, x->who.by, e->msg);
	json_decref(j);
	return rc;
}

/* ---- The way in. */

/* May there be a body like that?  0, or the status. */
static int body_check(struct exchange *x, struct MHD_Connection *c, struct err *e)
{
	const struct api_mhd *m = x->l->api->mhd;
	const char *n = m->lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length");
	const char *type = m->lookup_connection_value(c, MHD_HEADER_KIND, "Content-Type");
	unsigned long long size;

	if (m->lookup_connection_value(c, MHD_HEADER_KIND, "Transfer-Encoding") != NULL) {
		err_set(e, ERR_USAGE, "a body has to say its length");
		return 411;
	}
	if (n == NULL)
		return 0;
	errno = 0;
	size = strtoull(n, NULL, 10);
	if (errno != 0 || size > API_BODY_MAX || n[strspn(n, "0123456789")] != '\0') {
		err_set(e, ERR_USAGE, "the body is larger than %d bytes", API_BODY_MAX);
		return 413;
	}
	if (size > 0 && type != NULL && strncasecmp(type, "application/json", 16) != 0) {
		err_set(e, ERR_USAGE, "the body has to be application/json");
		return 415;
	}
	return 0;
}

static int limit_check(struct exchange *x, struct err *e)
{
	struct api *a = x->l->api;
	const char *key = x->who.by[0] ? x->who.by : x->who.peer;

	if (api_limit_take(a->rate, span_str(key), a->clock->mono_ns(a->clock), &x->wait_s))
		return 0;
	a->counters.limited++;
	err_set(e, ERR_BUSY, "more than %u requests a second", a->p.rate_limit);
	err_hint(e, "try again in %u s", x->wait_s);
	return 429;
}

/* 0, or the status that refuses it. */
static int admit(struct exchange *x, struct MHD_Connection *c, const char *method, struct err *e)
{
	const struct api_route *r;
	int status;

	if (x->uri_status != 0) {
		*e = x->uri_err;
		status = limit_check(x, e);
		return status ? status : x->uri_status;
	}
	r = api_route_find(method, &x->uri, &x->call, x->allow);
	status = api_auth(x->l, c, r, &x->who, e);
	if (status == 0 || status == 403) {
		int limited = limit_check(x, e);

		status = limited ? limited : status;
	}
	if (status != 0)
		return status;
	if (r == NULL && x->allow[0] != '\0') {
		err_set(e, ERR_USAGE, "this path takes %s", x->allow);
		return 405;
	}
	if (r == NULL) {
		err_set(e, ERR_ABSENT, "there is no such path");
		err_hint(e, "all of them: /api/v1/openapi.json");
		return 404;
	}
	return body_check(x, c, e);
}

static enum MHD_Result begin(struct exchange *x, struct MHD_Connection *c, const char *method)
{
	struct err e = {0};
	int status;

	x->begun = true;
	api_auth_peer(x->l, c, &x->who);
	status = admit(x, c, method, &e);
	return status ? refuse(x, c, method, status, &e) : MHD_YES;
}

/* ---- The work. */

static enum MHD_Result stream(struct exchange *x, struct MHD_Connection *c, struct err *e)
{
	struct api *a = x->l->api;
	const char *after = api_value(&x->call, "after");
	const char *header = a->mhd->lookup_connection_value(c, MHD_HEADER_KIND, "Last-Event-ID");
	struct MHD_Response *r;
	enum MHD_Result rc;

	r = api_events_response(a, c, &x->who, header ? header : after, e);
	if (r == NULL)
		return MHD_NO;
	add_headers(x, r, 200, "text/event-stream");
	a->counters.answers[2]++;
	api_conn_set(a, api_conn_of(a, c), CONN_STREAMING);
	rc = a->mhd->queue_response(c, 200, r);
	a->mhd->destroy_response(r);
	return rc;
}

static int call(struct exchange *x, struct err *e)
{
	struct api *a = x->l->api;
	struct api_call *k = &x->call;
	int rc;

	k->host = &a->host;
	k->log_dir = a->p.log_dir;
	k->state_dir = a->p.state_dir;
	k->evidence = a->evidence;
	k->clock = a->clock;
	k->counters = &a->counters;
	k->started_ns = a->started_ns;
	k->by = x->who.by;
	k->now_ns = a->clock->wall_ns(a->clock);
	/* Health is of the daemon, and told where the catalog is away too. */
	if (k->route->right != API_OPEN) {
		k->catalog = api_pool_take(a, e);
		if (k->catalog == NULL)
			return -1;
	}
	rc = k->route->run(k, e);
	api_record(a, k, rc == -1 ? e : NULL);
	if (k->catalog != NULL)
		api_pool_give(a, k->catalog,
		    rc == 0 || e->kind == ERR_ABSENT || e->kind == ERR_USAGE ||
			e->kind == ERR_EXISTS || e->kind == ERR_UNSUPPORTED);
	return rc;
}

static int status_of(const struct err *e)
{
	return err_info(e->kind)->http >= 400 ? err_info(e->kind)->http : 500;
}

static enum MHD_Result finish(struct exchange *x, struct MHD_Connection *c, const char *method)
{
	static const char *const types[] = {
	    [API_PLAIN] = "text/plain; charset=utf-8",
	    [API_METRICS_TEXT] = "text/plain; version=0.0.4; charset=utf-8",
	};
	struct api_call *k = &x->call;
	struct err e = {0};

	if (api_route_bind(k, &x->uri, buf_span(&x->body), &e) == -1)
		return refuse(x, c, method, 400, &e);
	if (k->route->answers == API_STREAM) {
		enum MHD_Result rc = stream(x, c, &e);

		if (rc == MHD_YES)
			return rc;
		return refuse(x, c, method, e.kind == ERR_BUSY ? 503 : status_of(&e), &e);
	}
	if (call(x, &e) == -1)
		return refuse(x, c, method, status_of(&e), &e);
	if (k->route->right >= API_OPERATE)
		api_log(x->l->api, EVENT_INFO, "peer=\"%s\" by=\"%s\" method=%s path=\"%s\"",
		    x->who.peer, x->who.by, method, x->shown);
	if (k->json != NULL)
		return reply_json(x, c, k->status ? k->status : 200, "application/json", k->json);
	return reply(x, c, 200, types[k->route->answers], buf_span(&k->text));
}

enum MHD_Result api_answer(void *listener, struct MHD_Connection *c, const char *url,
    const char *method, const char *version, const char *data, size_t *n, void **exchange)
{
	struct exchange *x = *exchange;

	if (x == NULL)
		return MHD_NO;
	if (!x->begun)
		return begin(x, c, method);
	if (*n > 0) {
		/* Its length was looked at, and libmicrohttpd takes no more than that. */
		if (!x->refused && x->body.n + *n <= API_BODY_MAX)
			buf_put(&x->body, data, *n);
		*n = 0;
		return MHD_YES;
	}
	return x->refused ? MHD_YES : finish(x, c, method);
}
