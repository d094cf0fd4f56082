/* notify_http: see notify_http.h. */
#include "notify/notify_http.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/calendar.h"
#include "base/hex.h"
#include "base/mem.h"
#include "notify/notify_text.h"
#include "os/os.h"

enum {
	ANSWER_MAX = 64 << 10,
	TRY_S = 30,
	RETRY_AFTER_MAX_S = 24 * 3600,
};

static bool is_here(const char *host)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		size_t n = strlen(names[i]);

		if (strncmp(host, names[i], n) == 0 && strchr(":/?", host[n]) != NULL)
			return true; /* strchr finds the NUL too */
	}
	return false;
}

int notify_http_url_good(const char *url, const char *what, bool secret, struct err *e)
{
	bool tls = strncmp(url, "https://", 8) == 0;
	const char *host = tls ? url + 8 : url + 7;

	if (!tls && strncmp(url, "http://", 7) != 0) {
		err_set(e, ERR_USAGE, "%s: it is not a URL", what);
		return err_hint(e, "it begins with https://");
	}
	for (const char *c = host; *c; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c > 0x7e) {
			err_set(
			    e, ERR_USAGE, "%s: a URL holds no blanks, nothing beyond ASCII", what);
			return err_hint(e, "%%XX stands for such a letter, %%20 for a blank");
		}
	if (strchr("/:?#", host[0]) != NULL)
		return err_set(e, ERR_USAGE, "%s: the URL has no host", what);
	if (host[strcspn(host, "@/?#")] == '@') {
		err_set(e, ERR_USAGE, "%s: a login stands in the URL", what);
		return err_hint(e, "it goes into user and password, or token");
	}
	if (!tls && secret && !is_here(host)) {
		err_set(e, ERR_USAGE, "%s: a secret would go there in the clear", what);
		return err_hint(e, "write https://");
	}
	return 0;
}

int notify_http_login_good(const struct notify_channel *c, struct err *e)
{
	if ((c->user == NULL) != (c->password == NULL))
		return err_set(e, ERR_USAGE, "%s",
		    c->user ? "there is a user and no password"
			    : "there is a password and no user");
	if (c->token != NULL && c->user != NULL)
		return err_set(e, ERR_USAGE, "there are a token and a password: one of them");
	for (const char *t = c->token ? c->token : ""; *t; t++)
		if ((unsigned char)*t <= ' ' || (unsigned char)*t > 0x7e)
			return err_set(e, ERR_USAGE, "the token holds what no token does");
	return 0;
}

void notify_http_login(struct http_headers *h, const struct notify_channel *c)
{
	char *pair, *text;

	if (c->token != NULL)
		http_headers_add(h, "authorization: Bearer %s", c->token);
	if (c->user == NULL)
		return;
	pair = mem_printf("%s:%s", c->user, c->password);
	text = base64_encode(span_str(pair));
	http_headers_add(h, "authorization: Basic %s", text);
	explicit_bzero(pair, strlen(pair));
	explicit_bzero(text, strlen(text));
	free(pair);
	free(text);
}

/* Seconds, or a date. */
static int64_t retry_after(const struct http_answer *a, struct ctx *ctx)
{
	const char *v = http_header(a, "retry-after");
	int64_t s;

	if (v == NULL)
		return 0;
	if (v[strspn(v, "0123456789")] == '\0') {
		s = strlen(v) < 7 ? atoi(v) : RETRY_AFTER_MAX_S;
	} else {
		struct clock *clock = os_clock_of(ctx);
		int64_t at = http_date_ns(v);

		s = at == -1 ? 0 : (at - clock->wall_ns(clock)) / CALENDAR_SECOND + 1;
	}
	if (s < 0)
		s = 0;
	return (s < RETRY_AFTER_MAX_S ? s : RETRY_AFTER_MAX_S) * CALENDAR_SECOND;
}

/* What it says of itself: JSON's usual keys, or else its first words. */
static char *reason(struct buf *body)
{
	static const char *const keys[] = {"message", "error", "detail"};
	json_t *o = json_loadb((const char *)body->p, body->n, JSON_REJECT_DUPLICATES, NULL);
	const char *said = NULL;
	char *out;

	for (size_t i = 0; said == NULL && i < sizeof keys / sizeof *keys; i++)
		said = json_string_value(json_object_get(o, keys[i]));
	if (said == NULL && o == NULL && body->n > 0 && body->p[0] != '<')
		said = buf_cstr(body);
	out = notify_text_copy(said, 160, false);
	json_decref(o);
	return out;
}

static enum err_kind kind_of(int status)
{
	switch (status) {
	case 401:
	case 403:
		return ERR_DENIED;
	case 404:
	case 410:
		return ERR_ABSENT;
	case 408:
		return ERR_TIMEOUT;
	case 425:
	case 429:
	case 503:
		return ERR_BUSY;
	default:
		return status >= 500 ? ERR_UNREACHABLE : ERR_FAILED;
	}
}

static int refused(struct http_answer *a, struct notify_result *r, struct ctx *ctx, struct err *e)
{
	enum err_kind kind = kind_of(a->status);
	const char *location = http_header(a, "location");
	char *why = reason(&a->body), *to = notify_text_copy(location, 160, false);

	err_set(e, kind, "it answered %d%s%s", a->status, why[0] ? ": " : "", why);
	r->retry_after_ns = kind == ERR_BUSY ? retry_after(a, ctx) : 0;
	if (a->status >= 300 && a->status < 400)
		err_hint(e, "it sends us to %s: write that URL if it is right", to);
	else if (kind == ERR_DENIED)
		err_hint(e, "check the channel's token, or user and password, and what it may do");
	else if (kind == ERR_ABSENT)
		err_hint(e, "there is nothing at this URL (any more): was it revoked, or renamed?");
	else if (kind == ERR_BUSY)
		err_hint(e, "it is told less with a longer dedupe or a smaller max_per_hour");
	free(why);
	free(to);
	return -1;
}

int notify_http_post(const struct notify_channel *c, const char *url, const struct http_headers *h,
    struct span body, struct notify_result *r, struct ctx *ctx, struct buf *answer, struct err *e)
{
	int64_t try_ns = c->timeout_ns ? c->timeout_ns : TRY_S * CALENDAR_SECOND;
	struct http_params p = {.ca_file = c->ca_file, .connect_ns = try_ns, .stall_ns = try_ns};
	struct http_request rq = {.method = "POST",
	    .url = url,
	    .headers = h,
	    .body = body,
	    .deadline_ns = try_ns,
	    .max = ANSWER_MAX};
	struct http *http = http_new(&p, ctx, e);
	struct http_answer a;
	int rc;

	if (http == NULL)
		return -1;
	rc = http_do(http, &rq, &a, e);
	http_free(http);
	if (rc == -1) {
		if (e->kind == ERR_DENIED)
			err_hint(e, "is this the right host, and its clock and ours right? A "
				    "certificate authority of your own is named by ca_file");
		return -1;
	}
	if (a.status < 200 || a.status > 299)
		rc = refused(&a, r, ctx, e);
	else if (answer != NULL)
		buf_put(answer, a.body.p, a.body.n);
	http_answer_fini(&a);
	return rc;
}

int notify_http_post_json(const struct notify_channel *c, const char *url, struct http_headers *h,
    json_t *body, struct notify_result *r, struct ctx *ctx, struct buf *answer, struct err *e)
{
	char *text = mem_checked(json_dumps(body, JSON_COMPACT));
	int rc;

	json_decref(body);
	http_headers_add(h, "content-type: application/json");
	rc = notify_http_post(c, url, h, span_str(text), r, ctx, answer, e);
	free(text);
	return rc;
}
