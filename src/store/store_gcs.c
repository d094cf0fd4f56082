/*
 * store_gcs: a bucket of Google Cloud Storage, by its JSON API.
 *
 * STORE_NEW is ifGenerationMatch=0: "if there is no live object", which the
 * service keeps.  Large objects are resumable uploads (gcs_resume.c).
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "store/gcs.h"
#include "store/store_class.h"
#include "store/store_drivers.h"
#include "store/store_options.h"

enum { WHOLE = 16 << 20 };

struct store_gcs {
	struct store base;
	struct gcs gcs;
};

static struct gcs *gcs_of(struct store *st)
{
	return &((struct store_gcs *)st)->gcs;
}

static int put_whole(struct gcs *g, const char *key, struct span data, bool new, struct err *e)
{
	char *name = mem_printf("%s%s", g->prefix, key);
	struct url_param params[] = {
	    {"uploadType", "media"}, {"name", name}, {"ifGenerationMatch", "0"}};
	struct gcs_call c = {.method = "POST",
	    .upload = true,
	    .params = params,
	    .nparams = new ? 3 : 2,
	    .body = data};
	struct http_answer a;
	int rc = gcs_do(g, &c, &a, e);

	if (rc == 0)
		http_answer_fini(&a);
	free(name);
	return rc;
}

const char *gcs_class_of(const struct gcs *g, const char *key)
{
	return strncmp(key, "packs/", strlen("packs/")) == 0 ? g->class : NULL;
}

static int gcs_put(
    struct store *st, const char *key, struct span data, unsigned flags, struct err *e)
{
	/* Only what is begun with words of its own can be given a class. */
	if (data.n <= WHOLE && gcs_class_of(gcs_of(st), key) == NULL)
		return put_whole(gcs_of(st), key, data, flags & STORE_NEW, e);
	return gcs_put_resumable(gcs_of(st), key, data, flags & STORE_NEW, e);
}

static int gcs_stat(struct store *st, const char *key, struct store_stat *out, struct err *e)
{
	struct url_param fields = {"fields", "size,timeCreated,storageClass"};
	struct gcs_call c = {
	    .method = "GET", .counted = COUNT_HEAD, .key = key, .params = &fields, .nparams = 1};
	struct http_answer a;
	json_t *j;
	int rc;

	if (gcs_do(gcs_of(st), &c, &a, e) == -1)
		return -1;
	j = json_loadb((const char *)a.body.p, a.body.n, 0, NULL);
	rc = gcs_item_read(j, out, e);
	json_decref(j);
	http_answer_fini(&a);
	return rc;
}

static int gcs_get(
    struct store *st, const char *key, uint64_t off, void *out, size_t len, struct err *e)
{
	struct url_param alt = {"alt", "media"};
	struct gcs_call c = {
	    .method = "GET", .key = key, .params = &alt, .nparams = 1, .into = out, .into_n = len};
	struct http_answer a;
	int rc;

	if (web_range_odd(off, len))
		return web_get_odd(st, key, off, len, e);
	http_headers_add(&c.headers, "range: bytes=%llu-%llu", (unsigned long long)off,
	    (unsigned long long)(off + len - 1));
	if (gcs_do(gcs_of(st), &c, &a, e) == -1)
		return -1;
	rc = web_range_came(&a, len, e);
	http_answer_fini(&a);
	return rc;
}

static int gcs_del(struct store *st, const char *key, struct err *e)
{
	struct gcs_call c = {.method = "DELETE", .key = key};
	struct http_answer a;
	int rc = gcs_do(gcs_of(st), &c, &a, e);

	if (rc == 0)
		http_answer_fini(&a);
	return rc == -1 && e->kind == ERR_ABSENT ? 0 : rc;
}

static int gcs_store_list(
    struct store *st, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	return gcs_list(gcs_of(st), prefix, visit, arg, e);
}

/* ---- Open and close. */

static void gcs_close(struct store *st)
{
	struct gcs *g = gcs_of(st);

	gcs_token_free(g->token);
	http_free(g->http);
	free(g->endpoint);
	free(g->bucket);
	free(g->prefix);
	free(st->url);
	free(st);
}

/* Can we do what a repository needs? */
static int probe(struct store_gcs *s, struct err *e)
{
	static const struct web_rights names = {"storage.objects.get", "storage.objects.list"};
	uint8_t random[8];
	char hex[17], key[40];

	crypto_random(random, sizeof random);
	snprintf(key, sizeof key, "tmp/probe-%s", hex_encode(hex, random, sizeof random));
	if (put_whole(&s->gcs, key, span_str("1"), true, e) == 0)
		return web_try_rights(&s->base, key, &names, s->gcs.ctx, e);
	if (e->kind == ERR_ABSENT)
		e->kind = ERR_NO_REPOSITORY;
	return err_wrap(e, "put an object (storage.objects.create)");
}

static int parse(struct gcs *g, const char *rest, const char *endpoint, struct err *e)
{
	const char *host, *at = rest + (strncmp(rest, "//", 2) == 0 ? 2 : 0);
	size_t n = strcspn(at, "/");

	if (n < 3 || n > 222 || !web_host_good(at, n) || memchr(at, ':', n)) {
		err_set(e, ERR_USAGE, "that is not a bucket's name");
		return err_hint(e, "a repository in Google Cloud Storage is gcs:BUCKET/PREFIX");
	}
	g->endpoint = mem_strdup(endpoint ? endpoint : "https://storage.googleapis.com");
	for (size_t k = strlen(g->endpoint); k > 0 && g->endpoint[k - 1] == '/'; k--)
		g->endpoint[k - 1] = '\0';
	host = strstr(g->endpoint, "://");
	if (strncmp(g->endpoint, "http", 4) != 0 || host == NULL ||
	    !web_host_good(host + 3, strlen(host + 3)))
		return err_set(e, ERR_USAGE, "gcs.endpoint must be https://HOST");
	g->bucket = mem_strndup(at, n);
	g->prefix = web_prefix(at + n, e);
	return g->prefix ? 0 : -1;
}

static const struct store_ops ops = {
    .scheme = "gcs",
    .durability = "the store's own: what it has confirmed",
    .put = gcs_put,
    .get = gcs_get,
    .stat = gcs_stat,
    .del = gcs_del,
    .list = gcs_store_list,
    .close = gcs_close,
};

struct gcs_options {
	const char *endpoint, *class;
};

static const struct store_option options[] = {
    {"gcs.endpoint", STORE_OPTION_TEXT, offsetof(struct gcs_options, endpoint), NULL,
	"https://HOST instead of https://storage.googleapis.com"},
    {"gcs.storage-class", STORE_OPTION_CHOICE, offsetof(struct gcs_options, class),
	"STANDARD|NEARLINE|COLDLINE|ARCHIVE", "of packs with content"},
};
enum { OPTIONS = sizeof options / sizeof *options };
const struct store_option_table store_gcs_options = {options, OPTIONS, sizeof(struct gcs_options)};

int store_gcs_open(const char *rest, bool create, const struct store_given *given,
    const struct store_far *far, struct ctx *ctx, struct store **out, struct err *e)
{
	struct store_gcs *s = mem_zalloc(sizeof *s);
	struct gcs_options o = {0};

	s->base.ops = &ops;
	s->base.url = mem_printf("gcs:%s", rest);
	s->gcs.ctx = ctx;
	s->gcs.pace = web_pace(far);
	if (store_options_read(options, OPTIONS, given, &o, e) == -1 ||
	    store_options_known(options, OPTIONS, given, e) == -1 ||
	    parse(&s->gcs, rest, o.endpoint, e) == -1 ||
	    (s->gcs.http = web_http_new(far, ctx, e)) == NULL)
		goto out;
	s->gcs.class = o.class;
	s->gcs.token = gcs_token_new(s->gcs.http, ctx);
	if (create && probe(s, e) == -1)
		goto out;
	*out = &s->base;
	return 0;
out:
	err_wrap(e, "%s", s->base.url);
	gcs_close(&s->base);
	return -1;
}
