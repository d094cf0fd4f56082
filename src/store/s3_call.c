/* s3_call: one signed request, and what a refusal means.  See s3.h. */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "crypto/crypto.h"
#include "net/sigv4.h"
#include "net/xml.h"
#include "os/os.h"
#include "store/s3.h"
#include "store/store_web.h"
#include "store/store_cold.h"

/* "/bucket/key" or "/key", encoded. */
static void put_path(struct buf *b, const struct s3_place *p, const char *key)
{
	buf_put_u8(b, '/');
	if (p->path_style) {
		url_encode(b, span_str(p->bucket), false);
		if (key)
			buf_put_u8(b, '/');
	}
	if (key)
		url_encode(b, span_str(key), true);
}

/* TLS guards the body on its way; without it the signature does. */
static const char *payload_of(const struct s3_place *p, struct span body, char hex[65])
{
	uint8_t digest[32];

	if (p->tls && body.n > 0)
		return "UNSIGNED-PAYLOAD";
	crypto_sha256(body, digest);
	return hex_encode(hex, digest, sizeof digest);
}

static void sign(struct s3 *s, struct s3_call *c, const struct s3_keys *keys, const char *path,
    const char *query)
{
	struct clock *clock = os_clock_of(s->ctx);
	char hex[65];
	struct sigv4_key k = {keys->access, keys->secret, keys->token};
	struct sigv4_request r = {
	    .method = c->method,
	    .host = s->place.host,
	    .path = path,
	    .query = query,
	    .payload = payload_of(&s->place, c->body, hex),
	    .region = s->place.region,
	    .service = "s3",
	    .now_ns = clock->wall_ns(clock),
	};

	sigv4_sign(&k, &r, &c->headers);
}

static int ask(struct s3 *s, struct s3_call *c, struct http_answer *a, struct err *e)
{
	struct buf path = {0}, query = {0}, url = {0};
	struct http_request rq = {
	    .method = c->method,
	    .counted = c->counted,
	    .headers = &c->headers,
	    .body = c->body,
	    .into = c->into,
	    .into_n = c->into_n,
	    .max = c->max,
	    .deadline_ns = c->deadline_ns,
	};
	struct s3_keys keys;
	int rc = -1;

	memset(a, 0, sizeof *a);
	if (s3_creds_get(s->creds, &keys, e) == -1)
		return -1;
	put_path(&path, &s->place, c->key);
	url_query(&query, c->params, c->nparams);
	sign(s, c, &keys, buf_cstr(&path), buf_cstr(&query));
	buf_printf(&url, "%s://%s%s%s%s", s->place.tls ? "https" : "http", s->place.host,
	    buf_cstr(&path), query.n ? "?" : "", buf_cstr(&query));
	rq.url = buf_cstr(&url);
	rc = http_do(s->http, &rq, a, e);
	s3_keys_fini(&keys);
	buf_fini(&path);
	buf_fini(&query);
	buf_fini(&url);
	return rc;
}

void s3_add_md5(struct s3_call *c)
{
	uint8_t digest[16];
	char *text;

	crypto_md5(c->body, digest);
	text = base64_encode(span_of(digest, sizeof digest));
	http_headers_add(&c->headers, "content-md5: %s", text);
	free(text);
}

int s3_do(struct s3 *s, struct s3_call *c, struct http_answer *a, struct err *e)
{
	int rc = ask(s, c, a, e);

	if (rc == 0 && (a->status < 200 || a->status > 299)) {
		rc = s3_refusal(s, c, a, e);
		http_answer_fini(a);
	}
	http_headers_fini(&c->headers);
	return rc;
}

struct refusal {
	char code[64], message[256], region[64];
};

static void take(char *out, size_t size, struct span text)
{
	size_t n = text.n < size - 1 ? text.n : size - 1;

	for (size_t i = 0; i < n; i++)
		out[i] = text.p[i] >= 0x20 && text.p[i] < 0x7f ? (char)text.p[i] : '?';
	out[n] = '\0';
}

static int on_text(void *arg, const char *path, struct span text, struct err *e)
{
	struct refusal *r = arg;

	(void)e;
	if (strcmp(path, "Code") == 0)
		take(r->code, sizeof r->code, text);
	else if (strcmp(path, "Message") == 0)
		take(r->message, sizeof r->message, text);
	else if (strcmp(path, "Region") == 0)
		take(r->region, sizeof r->region, text);
	return 0;
}

/* By code where there is one; an answer to HEAD has none. */
static const struct web_meaning meanings[] = {
    {"NoSuchKey", ERR_ABSENT, NULL},
    {"NoSuchUpload", ERR_ABSENT, NULL},
    {"NoSuchBucket", ERR_NO_REPOSITORY,
	"there is no such bucket; is its name right? Buckets are not "
	"made by holdfast"},
    {"InvalidBucketName", ERR_USAGE, "the store takes no bucket of that name"},
    {"AccessDenied", ERR_DENIED,
	"the credentials lack a permission for this; doc/stores.md lists what "
	"a repository needs"},
    {"InvalidAccessKeyId", ERR_DENIED,
	"the store does not know this access key (AWS_ACCESS_KEY_ID or "
	"the profile)"},
    {"SignatureDoesNotMatch", ERR_DENIED,
	"the secret key (AWS_SECRET_ACCESS_KEY or the profile) does "
	"not belong to the access key; or the region is wrong (AWS_REGION)"},
    {"InvalidToken", ERR_DENIED, "AWS_SESSION_TOKEN is not valid, or not of these keys"},
    {"ExpiredToken", ERR_DENIED, "the session has ended: get new credentials"},
    {"TokenRefreshRequired", ERR_DENIED, "the session has ended: get new credentials"},
    {"RequestTimeTooSkewed", ERR_DENIED,
	"this machine's clock differs from the store's by too much: "
	"set it"},
    {"RequestExpired", ERR_DENIED,
	"this machine's clock differs from the store's by too much: set it"},
    {"AuthorizationHeaderMalformed", ERR_DENIED, "is the region right? Set AWS_REGION"},
    {"PermanentRedirect", ERR_USAGE,
	"the bucket is in another region: name that region's host, or set "
	"AWS_REGION"},
    {"TemporaryRedirect", ERR_USAGE,
	"the bucket is in another region: name that region's host, or set "
	"AWS_REGION"},
    {"PreconditionFailed", ERR_EXISTS, NULL},
    {"ConditionalRequestConflict", ERR_UNREACHABLE, NULL},
    {"OperationAborted", ERR_UNREACHABLE, NULL},
    {"ConcurrentModification", ERR_UNREACHABLE, NULL}, /* Ceph's */
    {"QuotaExceeded", ERR_NO_SPACE, NULL},
    {"InvalidObjectState", ERR_COLD, STORE_COLD_HINT},
    {"RestoreAlreadyInProgress", ERR_EXISTS, NULL},
    {"InvalidRange", ERR_CORRUPT, NULL},
    {"NotImplemented", ERR_UNSUPPORTED,
	"the store has no such thing; was it told with -o s3.NAME or HOLDFAST_S3_NAME?"},
    {"InvalidArgument", ERR_USAGE,
	"does the store know what it was told with -o s3.NAME or HOLDFAST_S3_NAME (storage class, "
	"encryption, tags, lock)?"},
    {"InvalidStorageClass", ERR_USAGE, "this store has no such storage class"},
    {"InvalidRequest", ERR_USAGE,
	"does the store know what it was told with -o s3.NAME or HOLDFAST_S3_NAME (storage class, "
	"encryption, tags, lock)?"},
    {"KMS.NotFoundException", ERR_USAGE, "the store has no key of that id (s3.sse-kms-key-id)"},
    {"SlowDown", ERR_UNREACHABLE, NULL},
    {"RequestTimeout", ERR_TIMEOUT, NULL},
    {"BadDigest", ERR_UNREACHABLE, NULL},
    {"XAmzContentSHA256Mismatch", ERR_UNREACHABLE, NULL},
};

/* "the store answered 403 AccessDenied: ..." */
int s3_refusal(
    const struct s3 *s, const struct s3_call *c, const struct http_answer *a, struct err *e)
{
	struct refusal r = {0};
	struct err ignored;

	(void)c;
	if (a->body.n > 0)
		xml_read(buf_span(&a->body), on_text, &r, &ignored);
	web_refused(a, r.code, r.message, meanings, sizeof meanings / sizeof *meanings, e);
	if (r.region[0] && strcmp(r.region, s->place.region) != 0)
		return err_hint(
		    e, "the bucket's region is %s: set AWS_REGION=%s", r.region, r.region);
	return -1;
}
