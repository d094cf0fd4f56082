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
#include "store/store_backoff.h"
#include "store/store_options.h"

struct s3_options { /* -o s3.NAME=VALUE; NULL or zero: not given */
	const char *region, *lookup, *profile;
	const char *storage_class; /* of packs/: what is read for each restore stays as it is */
	const char *sse, *kms_key; /* "AES256", "aws:kms"; the key's id */
	const char *tags;          /* "a=1&b=2", of every object */
	const char *lock_mode;     /* "governance", "compliance" */
	int64_t lock_ns; /* the period of locks: objects are locked for two when they are put */
	/* The bucket's rules; 0: none. */
	int64_t expire_versions_ns, expire_uploads_ns, archive_ns;
	const char *archive_class;
};

extern const struct store_option s3_option_table[];
extern const size_t s3_option_table_n;

/* From what was given; ERR_USAGE, for contradictions too. */
int s3_options_read(struct s3_options *o, const struct store_given *given, struct err *e);

/* Headers of a put or the start of a multipart upload of the object `key` (its own, no prefix). */
void s3_options_headers(
    const struct s3_options *o, const char *key, int64_t now_ns, struct http_headers *h);

/* "COMPLIANCE" or "GOVERNANCE" */
const char *s3_lock_mode(const struct s3_options *o);

/* "2026-11-21T09:41:07Z" */
void s3_lock_time(char out[32], int64_t ns);

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
 * "https://" in front if need be (https is meant without).  The region is the option's,
 * AWS_REGION, AWS_DEFAULT_REGION, what an amazonaws.com host says ("auto" at
 * storage.googleapis.com), the profile's, or us-east-1.  s3.bucket-lookup is path (HOST/BUCKET),
 * dns (BUCKET.HOST) or auto: dns for amazonaws.com unless the bucket has dots, else path.
 * ERR_USAGE.
 */
int s3_place_parse(struct s3_place *p, const char *rest, const struct s3_options *o, struct err *e);
void s3_place_fini(struct s3_place *p);

/*
 * Credentials, the first that there are: AWS_ACCESS_KEY_ID and
 * AWS_SECRET_ACCESS_KEY (AWS_SESSION_TOKEN); the profile named by the option, AWS_PROFILE or
 * "default" of AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials; a container's
 * (AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI); the instance's, by its
 * metadata service, version 2 (AWS_EC2_METADATA_DISABLED=true: not asked).  Those that end
 * are asked for anew five minutes before; while that fails the old ones do to their end.
 */
struct s3_creds;
struct s3_creds *s3_creds_new(const char *profile, struct ctx *ctx); /* profile: NULL or borrowed */
void s3_creds_free(struct s3_creds *c);

struct s3_keys {
	char *access, *secret, *token; /* token may be NULL */
};
/* ERR_DENIED with a hint if there are none anywhere.  Free with s3_keys_fini. */
int s3_creds_get(struct s3_creds *c, struct s3_keys *out, struct err *e);
void s3_keys_fini(struct s3_keys *k);

/* A value ("region") of a profile (NULL: the usual one) in the AWS files; new text or NULL. */
char *s3_profile_value(const char *profile, const char *name);
/* The same in the text of such a file. */
char *s3_profile_find(struct span text, const char *profile, const char *name);

struct s3_call {
	const char *method;
	enum count_verb counted; /* as what; 0: as the method says */
	const char *key;         /* of the bucket, prefix included; NULL: the bucket itself */
	const struct url_param *params;
	size_t nparams;
	struct http_headers headers; /* of the caller's; freed by s3_do */
	struct span body;
	uint8_t *into; /* as in struct http_request */
	size_t into_n, max;
	int64_t deadline_ns; /* 0: the usual */
};

struct s3 {
	/* Bits of store_class: what was seen of classes whose names say that they sleep. */
	_Atomic uint32_t classes_asleep, classes_awake;
	struct s3_place place;
	struct s3_options options;
	struct s3_creds *creds;
	struct http *http;
	struct store_pace pace; /* of what this driver repeats itself */
	struct ctx *ctx;
};

/* One page of a list, as ListObjectsV2 answers. */
enum { S3_KEY_MAX = 1100 };
struct s3_page {
	bool more;
	char token[S3_KEY_MAX]; /* what to ask for the next page with */
};
/* Visits each key below the prefix, without it; what is no key of ours is passed over. */
int s3_page_read(struct span xml, const char *prefix, store_visit *visit, void *arg,
    struct s3_page *out, struct err *e);

/* Content-MD5 of the body. */
void s3_add_md5(struct s3_call *c);

/* -1 if there was no answer, or one that is no 2xx: then e says what it means. */
int s3_do(struct s3 *s, struct s3_call *c, struct http_answer *a, struct err *e);

/* What an answer that is no 2xx means, for an operation on an object or the bucket. */
int s3_refusal(
    const struct s3 *s, const struct s3_call *c, const struct http_answer *a, struct err *e);

/* What an s3 store, wrapped or not, works with; NULL of another driver's. */
struct s3 *store_s3_of(struct store *s);

#endif
