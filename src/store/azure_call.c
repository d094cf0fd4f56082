/*
 * azure_call: one request, authorized with the account's key ("Authorize with
 * Shared Key", of the version below) or by a shared access signature, and what
 * a refusal means.  See azure.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "net/xml.h"
#include "os/os.h"
#include "store/azure.h"
#include "store/store_cold.h"

#define VERSION "2021-12-02"

static void put_path(struct buf *b, const struct azure_place *p, const char *key)
{
	buf_printf(b, "%s/%s", p->path, p->container);
	if (key) {
		buf_put_u8(b, '/');
		url_encode(b, span_str(p->prefix), true);
		url_encode(b, span_str(key), true);
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The x-ms- headers "name:value", in order. */
static void put_headers(struct buf *b, const struct http_headers *h)
{
	const char *line[HTTP_HEADERS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++)
		if (strncmp(h->v[i], "x-ms-", 5) == 0)
			line[n++] = h->v[i];
	qsort(line, n, sizeof *line, by_text);
	for (size_t i = 0; i < n; i++) {
		size_t k = strcspn(line[i], ":");

		buf_put(b, line[i], k + 1);
		buf_printf(b, "%s\n", line[i] + k + 1 + strspn(line[i] + k + 1, " "));
	}
}

/* "\nname:value", in order: our names are in lower case, and few. */
static void put_params(struct buf *b, const struct url_param *p, size_t n)
{
	for (const char *last = "";;) {
		const struct url_param *next = NULL;

		for (size_t i = 0; i < n; i++)
			if (strcmp(p[i].name, last) > 0 &&
			    (next == NULL || strcmp(p[i].name, next->name) < 0))
				next = &p[i];
		if (next == NULL)
			return;
		buf_printf(b, "\n%s:%s", next->name, next->value ? next->value : "");
		last = next->name;
	}
}

static void sign(struct azure *z, struct azure_call *c, const char *path)
{
	struct buf text = {0};
	uint8_t mac[32];
	char length[24] = "", *signature;

	if (c->body.n > 0)
		snprintf(length, sizeof length, "%zu", c->body.n);
	/* Encoding, language, length, MD5, type, date, four conditions, range. */
	buf_printf(&text, "%s\n\n\n%s\n\napplication/octet-stream\n\n\n\n%s\n\n\n", c->method,
	    length, c->if_none_match ? c->if_none_match : "");
	put_headers(&text, &c->headers);
	buf_printf(&text, "/%s%s", z->place.account, path);
	put_params(&text, c->params, c->nparams);
	crypto_hmac_sha256(span_of(z->place.key, z->place.key_n), buf_span(&text), mac);
	signature = base64_encode(span_of(mac, sizeof mac));
	http_headers_add(
	    &c->headers, "authorization: SharedKey %s:%s", z->place.account, signature);
	free(signature);
	buf_fini(&text);
}

static void put_date(struct azure *z, struct http_headers *h)
{
	struct clock *clock = os_clock_of(z->ctx);
	time_t t = (time_t)(clock->wall_ns(clock) / 1000000000);
	char date[40];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	http_headers_add(h, "x-ms-date: %s", date);
	http_headers_add(h, "x-ms-version: " VERSION);
}

static int ask(struct azure *z, struct azure_call *c, struct http_answer *a, struct err *e)
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
	};
	int rc;

	put_path(&path, &z->place, c->key);
	url_query(&query, c->params, c->nparams);
	put_date(z, &c->headers);
	if (z->place.key)
		sign(z, c, buf_cstr(&path));
	else
		buf_printf(&query, "%s%s", query.n ? "&" : "", z->place.sas);
	if (c->if_none_match)
		http_headers_add(&c->headers, "if-none-match: %s", c->if_none_match);
	buf_printf(&url, "%.*s%s%s%s", (int)(strlen(z->place.endpoint) - strlen(z->place.path)),
	    z->place.endpoint, buf_cstr(&path), query.n ? "?" : "", buf_cstr(&query));
	rq.url = buf_cstr(&url);
	rc = http_do(z->http, &rq, a, e);
	crypto_wipe(url.p, url.n); /* a signature may be in it */
	crypto_wipe(query.p, query.n);
	buf_fini(&path);
	buf_fini(&query);
	buf_fini(&url);
	return rc;
}

static const struct web_meaning meanings[] = {
    {"BlobNotFound", ERR_ABSENT, NULL},
    {"ContainerNotFound", ERR_NO_REPOSITORY,
	"there is no such container; is its name right? Containers are not made by holdfast"},
    {"ContainerBeingDeleted", ERR_UNREACHABLE, NULL},
    {"ResourceNotFound", ERR_ABSENT, NULL},
    {"BlobAlreadyExists", ERR_EXISTS, NULL},
    {"ConditionNotMet", ERR_EXISTS, NULL},
    {"AuthenticationFailed", ERR_DENIED,
	"the key (AZURE_STORAGE_KEY) is not this account's, the signature has ended or is wrong "
	"(AZURE_STORAGE_SAS_TOKEN), or this machine's clock is"},
    {"AuthorizationFailure", ERR_DENIED,
	"the key (AZURE_STORAGE_KEY) or signature is not the account's or lacks a permission, or "
	"the account's firewall refuses us"},
    {"AuthorizationPermissionMismatch", ERR_DENIED,
	"the shared access signature lacks a permission: a repository needs r, w, d, l and c"},
    {"AuthorizationProtocolMismatch", ERR_DENIED, "the signature is for https alone"},
    {"InvalidAuthenticationInfo", ERR_DENIED, "is the key whole, and this machine's clock right?"},
    {"BlobArchived", ERR_COLD, STORE_COLD_HINT},
    {"BlobBeingRehydrated", ERR_COLD, STORE_COLD_HINT},
    {"BlobImmutableDueToPolicy", ERR_DENIED, "the blob is locked until its policy ends"},
    {"BlobImmutableDueToLegalHold", ERR_DENIED, "the blob is under a legal hold"},
    {"LeaseIdMissing", ERR_DENIED, "somebody holds a lease on the blob"},
    {"InvalidRange", ERR_CORRUPT, NULL},
    {"ServerBusy", ERR_UNREACHABLE, NULL},
    {"OperationTimedOut", ERR_TIMEOUT, NULL},
    {"InternalError", ERR_UNREACHABLE, NULL},
    {"Md5Mismatch", ERR_UNREACHABLE, NULL},
};

static int on_text(void *arg, const char *path, struct span text, struct err *e)
{
	char **out = arg;

	(void)e;
	if (strcmp(path, "Code") == 0 && out[0] == NULL)
		out[0] = mem_strndup((const char *)text.p, text.n);
	else if (strcmp(path, "Message") == 0 && out[1] == NULL) {
		out[1] = mem_strndup((const char *)text.p, text.n);
		out[1][strcspn(out[1], "\n\r")] = '\0';
	}
	return 0;
}

int azure_refused(const struct http_answer *a, struct err *e)
{
	const char *head = http_header(a, "x-ms-error-code");
	char *text[2] = {0};
	struct err ignored;

	if (a->body.n > 0)
		xml_read(buf_span(&a->body), on_text, text, &ignored);
	web_refused(
	    a, head ? head : text[0], text[1], meanings, sizeof meanings / sizeof *meanings, e);
	free(text[0]);
	free(text[1]);
	return -1;
}

int azure_do(struct azure *z, struct azure_call *c, struct http_answer *a, struct err *e)
{
	int rc = ask(z, c, a, e);

	if (rc == 0 && !web_good(a)) {
		rc = azure_refused(a, e);
		http_answer_fini(a);
	}
	http_headers_fini(&c->headers);
	return rc;
}
