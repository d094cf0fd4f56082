/*
 * gcs: what the parts of the Google Cloud Storage driver share: who we are
 * (gcs_token), a request (gcs_call).  The driver is store_gcs.c, the uploads in
 * pieces are gcs_resume.c's.
 *
 * Threads: any, but init and fini.
 */
#ifndef HF_STORE_GCS_H
#define HF_STORE_GCS_H

#include "net/url.h"
#include "store/store_web.h"

/*
 * An access token: that in GOOGLE_OAUTH_ACCESS_TOKEN; one for the service
 * account whose key file GOOGLE_APPLICATION_CREDENTIALS names; or the machine's,
 * by its metadata server (GCE_METADATA_HOST instead of metadata.google.internal).
 * A new one is got a minute before it ends.
 */
struct gcs_token;
struct gcs_token *gcs_token_new(struct http *http, struct ctx *ctx);
void gcs_token_free(struct gcs_token *t); /* NULL does nothing */
/* "Bearer ...", as new secret text.  ERR_DENIED, ERR_USAGE with a hint. */
char *gcs_token_get(struct gcs_token *t, struct err *e);

struct gcs {
	char *endpoint; /* "https://storage.googleapis.com" */
	char *bucket, *prefix;
	const char *class; /* of packs with content; NULL: the bucket's; borrowed */
	struct http *http;
	struct gcs_token *token;
	struct ctx *ctx;
	struct store_pace pace;
};

struct gcs_call {
	const char *method;
	enum count_verb counted; /* as in struct http_request */
	const char *key;         /* in .../o/KEY; NULL: .../o */
	const char *session;     /* instead of all that: a URL that an upload has been given */
	bool upload;             /* at /upload/storage/v1 */
	const struct url_param *params;
	size_t nparams;
	struct http_headers headers; /* freed */
	struct span body;
	uint8_t *into;
	size_t into_n, max;
};

/* 0 if there was an answer of any status: give it to http_answer_fini. */
int gcs_ask(struct gcs *g, struct gcs_call *c, struct http_answer *a, struct err *e);
/* The same, and what is no 2xx is an error. */
int gcs_do(struct gcs *g, struct gcs_call *c, struct http_answer *a, struct err *e);
int gcs_refused(const struct http_answer *a, struct err *e);

/* The storage class that a new object is to have; NULL: the bucket's. */
const char *gcs_class_of(const struct gcs *g, const char *key);

/* {"name": "...", "size": "123", "timeCreated": "2026-11-21T10:00:00.123Z"}; ERR_CORRUPT. */
struct json_t;
int gcs_item_read(const struct json_t *item, struct store_stat *out, struct err *e);

/*
 * Visits each key of a page below the prefix, without it; what is no key of ours is passed over.
 * *next: how to ask for the next page, new text, NULL at the end.
 */
int gcs_page_read(struct span json, const char *prefix, store_visit *visit, void *arg, char **next,
    struct err *e);

int gcs_list(struct gcs *g, const char *prefix, store_visit *visit, void *arg, struct err *e);

/* An object in pieces, each tried again by itself from where the service has come to. */
int gcs_put_resumable(struct gcs *g, const char *key, struct span data, bool new, struct err *e);

#endif
