/*
 * gcs_token: see gcs.h.  The exchange of a signed statement for a token is
 * that of RFC 7523, as Google documents it for service accounts.
 */
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "crypto/rsa.h"
#include "crypto/secret.h"
#include "os/os.h"
#include "store/gcs.h"

#define SCOPE "https://www.googleapis.com/auth/devstorage.read_write"

static const int64_t SECOND = 1000000000;
enum { LIFE_S = 3600, EARLY_S = 60, PAUSE_S = 10 };

struct gcs_token {
	struct http *http;
	struct ctx *ctx;
	pthread_mutex_t lock; /* guards what follows, held while one is got */
	char *value;          /* secret memory; NULL: none yet */
	int64_t until_ns;     /* a new one is due; by the monotonic clock */
	int64_t end_ns;
};

struct gcs_token *gcs_token_new(struct http *http, struct ctx *ctx)
{
	struct gcs_token *t = mem_zalloc(sizeof *t);

	t->http = http;
	t->ctx = ctx;
	pthread_mutex_init(&t->lock, NULL);
	return t;
}

void gcs_token_free(struct gcs_token *t)
{
	if (t == NULL)
		return;
	secret_free(t->value);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static void wipe(struct buf *b)
{
	if (b->p)
		crypto_wipe(b->p, b->cap);
	buf_fini(b);
}

/* {"access_token": "...", "expires_in": 3599} */
static int take_token(struct gcs_token *t, const struct http_answer *a, struct err *e)
{
	json_t *j = json_loadb((const char *)a->body.p, a->body.n, 0, NULL);
	const char *value = json_string_value(json_object_get(j, "access_token"));
	json_int_t life = json_integer_value(json_object_get(j, "expires_in"));
	struct clock *clock = os_clock_of(t->ctx);
	int rc = 0;

	if (value == NULL || *value == '\0' || strpbrk(value, "\r\n")) {
		rc = err_set(e, ERR_CORRUPT, "the token server gave no token");
	} else {
		secret_free(t->value);
		t->value = secret_copy(value);
		if (life < 2 * EARLY_S)
			life = 2 * EARLY_S;
		t->end_ns = clock->mono_ns(clock) + life * SECOND;
		t->until_ns = t->end_ns - EARLY_S * SECOND;
	}
	json_decref(j);
	return rc;
}

static int ask(struct gcs_token *t, struct http_request *rq, struct err *e)
{
	struct http_answer a;
	int rc = http_do(t->http, rq, &a, e);

	if (rc == -1)
		return -1;
	if (web_good(&a)) {
		rc = take_token(t, &a, e);
	} else {
		web_refused(&a, NULL, NULL, NULL, 0, e);
		rc = err_wrap(e, "get a token");
		if (a.status >= 400 && a.status < 500 && !err_info(e->kind)->retry) {
			e->kind = ERR_DENIED;
			err_hint(e, "is the key in GOOGLE_APPLICATION_CREDENTIALS still that "
				    "account's, and this machine's clock right?");
			web_clock_hint(&a, e);
		}
	}
	if (a.body.p)
		crypto_wipe(a.body.p, a.body.n);
	http_answer_fini(&a);
	return rc;
}

/* base64url without padding. */
static void put_base64url(struct buf *b, struct span s)
{
	char *text = base64_encode(s);

	for (char *c = text; *c && *c != '='; c++)
		buf_put_u8(b, (uint8_t)(*c == '+' ? '-' : *c == '/' ? '_' : *c));
	crypto_wipe(text, strlen(text));
	free(text);
}

static void put_json(struct buf *b, json_t *j)
{
	char *text = mem_checked(json_dumps(j, JSON_COMPACT));

	put_base64url(b, span_str(text));
	free(text);
	json_decref(j);
}

/* What is signed, and its signature: a JSON Web Token. */
static int put_statement(
    struct gcs_token *t, struct buf *b, json_t *key, const char *server, struct err *e)
{
	const char *pem = json_string_value(json_object_get(key, "private_key"));
	const char *who = json_string_value(json_object_get(key, "client_email"));
	const char *id = json_string_value(json_object_get(key, "private_key_id"));
	struct clock *clock = os_clock_of(t->ctx);
	json_int_t now = clock->wall_ns(clock) / SECOND;
	struct buf sig = {0};
	size_t start = b->n;
	int rc;

	if (pem == NULL || who == NULL)
		return err_set(e, ERR_USAGE, "it is not the key file of a service account");
	put_json(b, json_pack("{s:s, s:s, s:s*}", "alg", "RS256", "typ", "JWT", "kid", id));
	buf_put_u8(b, '.');
	put_json(b, json_pack("{s:s, s:s, s:s, s:I, s:I}", "iss", who, "scope", SCOPE, "aud",
			server, "iat", now, "exp", now + LIFE_S));
	rc = crypto_rs256_sign(span_str(pem), span_of(b->p + start, b->n - start), &sig, e);
	buf_put_u8(b, '.');
	if (rc == 0)
		put_base64url(b, buf_span(&sig));
	buf_fini(&sig);
	return rc;
}

static int by_key(struct gcs_token *t, json_t *key, struct err *e)
{
	const char *server = json_string_value(json_object_get(key, "token_uri"));
	struct http_headers h = {0};
	struct buf body = {0};
	struct http_request rq = {.method = "POST", .headers = &h};
	int rc;

	rq.url = server ? server : "https://oauth2.googleapis.com/token";
	buf_printf(&body, "grant_type=urn%%3Aietf%%3Aparams%%3Aoauth%%3Agrant-type%%3Ajwt-bearer&"
			  "assertion=");
	rc = put_statement(t, &body, key, rq.url, e);
	rq.body = buf_span(&body);
	http_headers_add(&h, "content-type: application/x-www-form-urlencoded");
	if (rc == 0)
		rc = ask(t, &rq, e);
	http_headers_fini(&h);
	wipe(&body);
	return rc;
}

static int by_file(struct gcs_token *t, const char *path, struct err *e)
{
	struct buf text = {0};
	json_t *key = NULL;
	int rc = os_read_file(path, 64 << 10, &text, e);

	if (rc == 0) {
		key = json_loadb((const char *)text.p, text.n, 0, NULL);
		rc = json_is_object(key) ? by_key(t, key, e)
					 : err_set(e, ERR_USAGE, "%s is not JSON", path);
	}
	json_decref(key);
	wipe(&text);
	return rc == 0 ? 0 : err_wrap(e, "GOOGLE_APPLICATION_CREDENTIALS");
}

static int by_machine(struct gcs_token *t, struct err *e)
{
	static const struct http_params quick = {.connect_ns = 1000000000,
	    .stall_ns = 5000000000,
	    .deadline_ns = 10000000000,
	    .direct = true};
	const char *host = web_env("GCE_METADATA_HOST");
	struct http_headers h = {0};
	struct http *http = t->http, *own = http_new(&quick, t->ctx, e);
	char *url = mem_printf(
	    "http://%s/computeMetadata/v1/instance/service-accounts/default/token",
	    host ? host : "metadata.google.internal");
	struct http_request rq = {.method = "GET", .url = url, .headers = &h};
	int rc = -1;

	http_headers_add(&h, "metadata-flavor: Google");
	if (own) {
		t->http = own;
		rc = ask(t, &rq, e);
		t->http = http;
	}
	/* A server that was there is out for a moment; else this is no machine of Google's. */
	if (rc == -1 && e->kind != ERR_CANCELLED && !(t->value && err_info(e->kind)->retry)) {
		err_set(e, ERR_DENIED, "there are no credentials for Google Cloud Storage");
		err_hint(
		    e, "set GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account");
	}
	http_free(own);
	http_headers_fini(&h);
	free(url);
	return rc;
}

/* With the lock. */
static int renew(struct gcs_token *t, int64_t now, struct err *e)
{
	const char *given = web_env("GOOGLE_OAUTH_ACCESS_TOKEN");
	const char *file = web_env("GOOGLE_APPLICATION_CREDENTIALS");

	if (given) {
		t->value = secret_copy(given);
		return 0;
	}
	if ((file ? by_file(t, file, e) : by_machine(t, e)) == 0)
		return 0;
	/* The one we have does to its end; a moment's trouble is asked about again soon. */
	if (t->value == NULL || now >= t->end_ns || !err_info(e->kind)->retry)
		return -1;
	t->until_ns = now + PAUSE_S * SECOND;
	return 0;
}

char *gcs_token_get(struct gcs_token *t, struct err *e)
{
	struct clock *clock = os_clock_of(t->ctx);
	int64_t now = clock->mono_ns(clock);
	char *out = NULL;
	int rc = 0;

	pthread_mutex_lock(&t->lock);
	if (t->value == NULL || (t->until_ns && now >= t->until_ns))
		rc = renew(t, now, e);
	if (rc == 0) {
		out = secret_new(strlen(t->value) + 8);
		memcpy(out, "Bearer ", 7);
		memcpy(out + 7, t->value, strlen(t->value));
	}
	pthread_mutex_unlock(&t->lock);
	return out;
}
