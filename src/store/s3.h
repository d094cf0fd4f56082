/*
 * s3: what the parts of the S3 driver share: where (s3_place), who
 * (s3_creds), a signed request (s3_call), and what a refusal means
 * (s3_refusal).  The driver itself is store_s3.c.
 *
 * Threads: a place is read only once it was parsed; the rest any.
 */
#ifndef HF_STORE_S3_H
#define HF_STORE_S3_H

#include "base/ctx.h"
#include "net/http.h"
#include "net/url.h"
#include "store/store.h"

struct s3_place {
	bool tls;
	bool path_style;       /* HOST/BUCKET/KEY; else BUCKET.HOST/KEY */
	char *endpoint;        /* "s3.eu-west-1.amazonaws.com", "127.0.0.1:9000" */
	char *host;            /* the Host header: endpoint, or BUCKET.endpoint */
	char *bucket, *prefix; /* prefix: "" or "a/b/" */
	char *region;
};

/*
 * From what follows "s3:": HOST[:PORT]/BUCKET[/PREFIX], with "http://" or
 * "https://" in front if need be (https is meant without).  The region is
 * AWS_REGION, AWS_DEFAULT_REGION, the profile's, what an amazonaws.com host
 * says, or us-east-1.  HOLDFAST_S3_STYLE=path|virtual; without, virtual for
 * amazonaws.com unless the bucket has dots, else path.  ERR_USAGE.
 */
int s3_place_parse(struct s3_place *p, const char *rest, struct err *e);
void s3_place_fini(struct s3_place *p);

/*
 * Credentials, the first that there are: AWS_ACCESS_KEY_ID and
 * AWS_SECRET_ACCESS_KEY (AWS_SESSION_TOKEN); the profile AWS_PROFILE or
 * "default" of AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials; a container's
 * (AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI); the instance's, by its
 * metadata service, version 2 (AWS_EC2_METADATA_DISABLED=true: not asked).  Those that end
 * are asked for anew five minutes before.
 */
struct s3_creds;
struct s3_creds *s3_creds_new(struct ctx *ctx);
void s3_creds_free(struct s3_creds *c);

struct s3_keys {
	char *access, *secret, *token; /* token may be NULL */
};
/* ERR_DENIED with a hint if there are none anywhere.  Free with s3_keys_fini. */
int s3_creds_get(struct s3_creds *c, struct s3_keys *out, struct err *e);
void s3_keys_fini(struct s3_keys *k);

/* A value of a profile ("region") from the AWS files; new text or NULL. */
char *s3_profile_value(const char *name);

struct s3_call {
	const char *method;
	const char *key; /* of the bucket, prefix included; NULL: the bucket itself */
	const struct url_param *params;
	size_t nparams;
	struct http_headers headers; /* of the caller's; freed by s3_do */
	struct span body;
	uint8_t *into; /* as in struct http_request */
	size_t into_n, max;
};

struct s3 {
	struct s3_place place;
	struct s3_creds *creds;
	struct http *http;
	struct ctx *ctx;
};

/* -1 if there was no answer, or one that is no 2xx: then e says what it means. */
int s3_do(struct s3 *s, struct s3_call *c, struct http_answer *a, struct err *e);

/* What an answer that is no 2xx means, for an operation on an object or the bucket. */
int s3_refusal(
    const struct s3 *s, const struct s3_call *c, const struct http_answer *a, struct err *e);

#endif
