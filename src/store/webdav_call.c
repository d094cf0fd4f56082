/* webdav_call: where the server is, one request to it, what a refusal means.  See webdav.h. */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "crypto/secret.h"
#include "store/webdav.h"

static int usage(struct err *e, const char *what)
{
	err_set(e, ERR_USAGE, "%s", what);
	return err_hint(e, "a WebDAV repository is webdavs://USER@HOST:PORT/PATH, or webdav:// "
			   "without TLS; the password is in HOLDFAST_WEBDAV_PASSWORD");
}

static int make_login(struct webdav *d, const char *user, const char *file, struct err *e)
{
	struct buf pair = {0};
	char *text, *password;

	if (web_password("HOLDFAST_WEBDAV_PASSWORD", file, &password, e) == -1)
		return err_wrap(e, "webdav.password-file");
	buf_printf(&pair, "%s:%s", user, password ? password : "");
	text = base64_encode(buf_span(&pair));
	d->login = secret_new(strlen(text) + 7);
	memcpy(d->login, "Basic ", 6);
	memcpy(d->login + 6, text, strlen(text));
	crypto_wipe(text, strlen(text));
	crypto_wipe(pair.p, pair.cap);
	free(text);
	buf_fini(&pair);
	secret_free(password);
	return 0;
}

int webdav_init(
    struct webdav *d, bool tls, const char *rest, const struct webdav_options *o, struct err *e)
{
	char *user = NULL, *host = NULL, *path = NULL;
	const char *below, *wrong = web_split(rest, &user, &host, &below);
	const char *who = user ? user : o->user;
	int rc = -1;

	*d = (struct webdav){0};
	if (wrong) {
		usage(e, wrong);
	} else if ((path = web_prefix(below, e)) != NULL) {
		d->origin = mem_printf("http%s://%s", tls ? "s" : "", host);
		d->path = mem_printf("%s%s", *path ? "/" : "", path);
		if (*d->path)
			d->path[strlen(d->path) - 1] = '\0';
		rc = who ? make_login(d, who, o->password_file, e) : 0;
	}
	free(user);
	free(host);
	free(path);
	if (rc == -1)
		webdav_fini(d);
	return rc;
}

void webdav_fini(struct webdav *d)
{
	http_free(d->http);
	free(d->origin);
	free(d->path);
	secret_free(d->login);
	*d = (struct webdav){0};
}

static void put_url(struct buf *b, const struct webdav *d, const char *key)
{
	buf_printf(b, "%s", d->origin);
	url_encode(b, span_str(d->path), true);
	buf_put_u8(b, '/');
	url_encode(b, span_str(key), true);
}

int webdav_ask(struct webdav *d, const struct webdav_call *c, struct http_answer *a, struct err *e)
{
	struct http_headers h = {0};
	struct buf url = {0}, to = {0};
	struct http_request rq = {
	    .method = c->method,
	    .headers = &h,
	    .body = c->body,
	    .into = c->into,
	    .into_n = c->into_n,
	    .max = c->max,
	};
	int rc;

	put_url(&url, d, c->key);
	rq.url = buf_cstr(&url);
	if (d->login)
		http_headers_add(&h, "authorization: %s", d->login);
	if (c->depth)
		http_headers_add(&h, "depth: %s", c->depth);
	if (c->destination) {
		put_url(&to, d, c->destination);
		http_headers_add(&h, "destination: %s", buf_cstr(&to));
		http_headers_add(&h, "overwrite: %s", c->overwrite ? "T" : "F");
	}
	if (c->into)
		http_headers_add(&h, "range: bytes=%llu-%llu", (unsigned long long)c->off,
		    (unsigned long long)(c->off + c->into_n - 1));
	rc = http_do(d->http, &rq, a, e);
	http_headers_fini(&h);
	buf_fini(&url);
	buf_fini(&to);
	return rc;
}

int webdav_refused(const struct http_answer *a, struct err *e)
{
	web_refused(a, NULL, NULL, NULL, 0, e);
	switch (a->status) {
	case 301:
	case 302:
	case 307:
	case 308: /* as servers answer who asks for a folder like a file */
		return err_set(
		    e, ERR_ABSENT, "the store says that it is elsewhere (%d)", a->status);
	case 401:
		return err_hint(e,
		    "is the user right (in the URL, or HOLDFAST_WEBDAV_USER), and the "
		    "password (HOLDFAST_WEBDAV_PASSWORD)?");
	case 405:
	case 501:
		e->kind = ERR_UNSUPPORTED;
		return err_hint(e, "is that folder one of WebDAV there, with PUT, MKCOL, MOVE, "
				   "DELETE and PROPFIND?");
	case 409:
		e->kind = ERR_ABSENT; /* the folder above */
		return -1;
	default:
		return -1;
	}
}

/* 207 has a status for each thing: of a MOVE or DELETE it says that some of it was not done. */
static bool is_done(const struct webdav_call *c, int status)
{
	if (strcmp(c->method, "PROPFIND") == 0)
		return status == 207;
	return status == 200 || status == 201 || status == 204 || status == 206;
}

/* As servers answer who asks for a folder like a file; other redirects say nothing of it. */
static bool is_folder(const struct http_answer *a)
{
	const char *to = http_header(a, "location");

	return a->status >= 300 && a->status < 400 && to && *to && to[strlen(to) - 1] == '/';
}

int webdav_do(struct webdav *d, const struct webdav_call *c, struct http_answer *a, struct err *e)
{
	int rc = webdav_ask(d, c, a, e);

	if (rc == 0 && !is_done(c, a->status)) {
		rc = web_good(a) ? err_set(e, ERR_FAILED,
				       "the server answered %d, which does not say "
				       "that it is done",
				       a->status)
				 : webdav_refused(a, e);
		if (rc == -1 && e->kind == ERR_ABSENT && a->status < 400 && !is_folder(a))
			e->kind = ERR_UNREACHABLE;
		http_answer_fini(a);
	}
	return rc;
}
