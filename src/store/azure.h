/*
 * azure: what the parts of the Azure Blob driver share: where and who
 * (azure_place), a signed request (azure_call), a listing (azure_list), the
 * archive tier (azure_cold).  The driver is store_azure.c.
 *
 * Threads: a place is read only once it was parsed; the rest any.
 */
#ifndef HF_STORE_AZURE_H
#define HF_STORE_AZURE_H

#include "net/url.h"
#include "store/store_cold.h"
#include "store/store_web.h"

struct azure_options {
	const char *endpoint, *tier, *lock_mode;
	int64_t lock_ns;
};

struct azure_place {
	char *endpoint; /* "https://ACCOUNT.blob.core.windows.net", without '/' at the end */
	char *path;     /* of the endpoint: "", or "/ACCOUNT" */
	char *account, *container, *prefix;
	uint8_t *key; /* secret memory; NULL: by SAS */
	size_t key_n;
	char *sas; /* "sv=...&sig=...", secret memory; or NULL */
};

/*
 * From what follows "azure:": ACCOUNT/CONTAINER[/PREFIX].  The key is
 * AZURE_STORAGE_KEY's or AZURE_ACCOUNT_KEY's, or there is a shared access
 * signature in AZURE_STORAGE_SAS_TOKEN or AZURE_ACCOUNT_SAS, or either in
 * AZURE_STORAGE_CONNECTION_STRING.  ERR_USAGE, ERR_DENIED.
 */
int azure_place_parse(struct azure_place *p, const char *rest, const char *endpoint, struct err *e);
void azure_place_fini(struct azure_place *p);

struct azure {
	struct azure_place place;
	struct azure_options options;
	struct http *http;
	struct ctx *ctx;
	struct store_pace pace; /* of pages of a list */
};

struct store_azure {
	struct store base;
	struct azure azure;
	_Atomic bool torn; /* a put of blocks failed: the next looks at what is there */
};

struct azure_call {
	const char *method;
	enum count_verb counted; /* as in struct http_request */
	const char *key;         /* without prefix; NULL: the container */
	const struct url_param *params;
	size_t nparams;
	struct http_headers headers; /* x-ms- ones are signed; freed by azure_do */
	const char *if_none_match;   /* NULL, or "*" */
	struct span body;
	uint8_t *into;
	size_t into_n, max;
};

/* -1 if there was no answer, or one that is no 2xx: then e says what it means. */
int azure_do(struct azure *z, struct azure_call *c, struct http_answer *a, struct err *e);

/* azure_cold.c: the tier that an answer to HEAD names, and since when; waking. */
void azure_class(const struct http_answer *a, struct store_stat *st);
/* class_ns 0 or -1: since it was written.  None of the usual tier. */
void azure_date_class(struct store_stat *st);
extern const struct store_cold_ops azure_cold_ops;
/* What an answer that is no 2xx means. */
int azure_refused(const struct http_answer *a, struct err *e);

struct azure_page {
	char next[2048]; /* the marker to ask for the next page with; "": it was the last */
};
/* Visits each key below the prefix, without it; what is no key of ours is passed over. */
int azure_page_read(struct span xml, const char *prefix, store_visit *visit, void *arg,
    struct azure_page *out, struct err *e);

int azure_list(struct azure *z, const char *prefix, store_visit *visit, void *arg, struct err *e);

#endif
