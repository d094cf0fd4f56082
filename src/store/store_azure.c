/*
 * store_azure: a container of Azure Blob Storage.
 *
 * An object is one block blob, of one Put Blob or, if it is large, of blocks
 * that are named by their hash: a put that is repeated sends what is not there
 * yet.  STORE_NEW is If-None-Match: *, which the service keeps.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/hex.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "net/xml.h"
#include "os/os.h"
#include "store/azure.h"
#include "store/store_drivers.h"
#include "store/store_options.h"

enum { BLOCK = 16 << 20, BLOCKS_MAX = 64, PAGE_MAX = 16 << 20 };

/* ---- What new objects get. */

static bool begins(const char *key, const char *folder)
{
	return strncmp(key, folder, strlen(folder)) == 0;
}

/* Content alone goes to a colder tier; what changes or ends by itself is not locked. */
static void put_wishes(struct azure *z, const char *key, struct http_headers *h)
{
	const struct azure_options *o = &z->options;

	if (o->tier && begins(key, "packs/"))
		http_headers_add(h, "x-ms-access-tier: %s", o->tier);
	if (o->lock_ns && strchr(key, '/') && !begins(key, "leases/") && !begins(key, "marks/") &&
	    !begins(key, "tmp/free-")) {
		struct clock *clock = os_clock_of(z->ctx);
		time_t t = (time_t)((clock->wall_ns(clock) + o->lock_ns) / 1000000000);
		char date[40];
		struct tm tm;

		gmtime_r(&t, &tm);
		strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
		http_headers_add(h, "x-ms-immutability-policy-until-date: %s", date);
		http_headers_add(h, "x-ms-immutability-policy-mode: %s",
		    o->lock_mode ? o->lock_mode : "unlocked");
	}
}

/* A call whose answer's body is of no use. */
static int call(struct azure *z, struct azure_call *c, struct err *e)
{
	struct http_answer a;

	if (azure_do(z, c, &a, e) == -1)
		return -1;
	http_answer_fini(&a);
	return 0;
}

/* ---- Put. */

static int put_whole(struct azure *z, const char *key, struct span data, bool new, struct err *e)
{
	struct azure_call c = {.method = "PUT", .key = key, .body = data};

	c.if_none_match = new ? "*" : NULL;
	http_headers_add(&c.headers, "x-ms-blob-type: BlockBlob");
	put_wishes(z, key, &c.headers);
	return call(z, &c, e);
}

struct blocks {
	char *id[BLOCKS_MAX]; /* base64, all of one length, as the service wants */
	bool there[BLOCKS_MAX];
	size_t n;
};

static int on_block(void *arg, const char *path, struct span text, struct err *e)
{
	struct blocks *b = arg;

	(void)e;
	if (strcmp(path, "UncommittedBlocks/Block/Name") == 0)
		for (size_t i = 0; i < b->n; i++)
			b->there[i] |= span_eq(text, span_str(b->id[i]));
	return 0;
}

/* What an earlier try left; whatever goes wrong here, all blocks are sent. */
static void find_blocks(struct azure *z, const char *key, struct blocks *b)
{
	struct url_param params[] = {{"comp", "blocklist"}, {"blocklisttype", "uncommitted"}};
	struct azure_call c = {.method = "GET", .key = key, .params = params, .nparams = 2};
	struct http_answer a;
	struct err ignored;

	if (azure_do(z, &c, &a, &ignored) == -1)
		return;
	xml_read(buf_span(&a.body), on_block, b, &ignored);
	http_answer_fini(&a);
}

static struct span block_of(struct span data, size_t i)
{
	size_t at = i * (size_t)BLOCK;

	return span_of(data.p + at, data.n - at < BLOCK ? data.n - at : BLOCK);
}

static int put_block(
    struct azure *z, const char *key, const char *id, struct span data, struct err *e)
{
	struct url_param params[] = {{"comp", "block"}, {"blockid", id}};
	struct azure_call c = {
	    .method = "PUT", .key = key, .params = params, .nparams = 2, .body = data};

	return call(z, &c, e);
}

static int commit_blocks(
    struct azure *z, const char *key, const struct blocks *b, bool new, struct err *e)
{
	struct url_param params = {"comp", "blocklist"};
	struct azure_call c = {.method = "PUT", .key = key, .params = &params, .nparams = 1};
	struct buf body = {0};
	int rc;

	c.if_none_match = new ? "*" : NULL;
	put_wishes(z, key, &c.headers);
	buf_printf(&body, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
	for (size_t i = 0; i < b->n; i++)
		buf_printf(&body, "<Latest>%s</Latest>", b->id[i]);
	buf_printf(&body, "</BlockList>");
	c.body = buf_span(&body);
	rc = call(z, &c, e);
	buf_fini(&body);
	return rc;
}

static int put_blocks(
    struct store_azure *s, const char *key, struct span data, bool new, struct err *e)
{
	struct blocks b = {.n = (data.n + BLOCK - 1) / BLOCK};
	uint8_t name[33];
	int rc = 0;

	for (size_t i = 0; i < b.n; i++) {
		crypto_sha256(block_of(data, i), name);
		name[32] = (uint8_t)i;
		b.id[i] = base64_encode(span_of(name, sizeof name));
	}
	if (s->torn)
		find_blocks(&s->azure, key, &b);
	for (size_t i = 0; rc == 0 && i < b.n; i++)
		if (!b.there[i] &&
		    (rc = put_block(&s->azure, key, b.id[i], block_of(data, i), e)) == -1)
			err_wrap(e, "block %zu", i + 1);
	if (rc == 0)
		rc = commit_blocks(&s->azure, key, &b, new, e);
	if (rc == -1)
		s->torn = true;
	for (size_t i = 0; i < b.n; i++)
		free(b.id[i]);
	return rc;
}

static int azure_put(
    struct store *st, const char *key, struct span data, unsigned flags, struct err *e)
{
	struct store_azure *s = (struct store_azure *)st;
	bool new = flags &STORE_NEW;

	if (data.n <= BLOCK || data.n > (size_t)BLOCK * BLOCKS_MAX)
		return put_whole(&s->azure, key, data, new, e);
	return put_blocks(s, key, data, new, e);
}

/* ---- Read and delete. */

static int azure_stat(struct store *st, const char *key, struct store_stat *out, struct err *e)
{
	struct azure_call c = {.method = "HEAD", .key = key};
	struct http_answer a;
	int rc;

	if (azure_do(&((struct store_azure *)st)->azure, &c, &a, e) == -1)
		return -1;
	rc = web_stat(&a, out, e);
	azure_class(&a, out);
	http_answer_fini(&a);
	return rc;
}

static int azure_get(
    struct store *st, const char *key, uint64_t off, void *out, size_t len, struct err *e)
{
	struct azure_call c = {.method = "GET", .key = key, .into = out, .into_n = len};
	struct http_answer a;
	int rc;

	if (web_range_odd(off, len))
		return web_get_odd(st, key, off, len, e);
	http_headers_add(&c.headers, "x-ms-range: bytes=%llu-%llu", (unsigned long long)off,
	    (unsigned long long)(off + len - 1));
	if (azure_do(&((struct store_azure *)st)->azure, &c, &a, e) == -1)
		return -1;
	rc = web_range_came(&a, len, e);
	http_answer_fini(&a);
	return rc;
}

static int azure_del(struct store *st, const char *key, struct err *e)
{
	struct azure_call c = {.method = "DELETE", .key = key};
	int rc = call(&((struct store_azure *)st)->azure, &c, e);

	return rc == -1 && e->kind == ERR_ABSENT ? 0 : rc;
}

static int azure_store_list(
    struct store *st, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	return azure_list(&((struct store_azure *)st)->azure, prefix, visit, arg, e);
}

/* ---- Open and close. */

static void azure_close(struct store *st)
{
	struct store_azure *s = (struct store_azure *)st;

	http_free(s->azure.http);
	azure_place_fini(&s->azure.place);
	free(st->url);
	free(s);
}

/* A lock that is asked for and not there would be worse than none. */
static int probe_lock(struct azure *z, const char *key, struct err *e)
{
	struct azure_call c = {.method = "HEAD", .key = key};
	struct http_answer a;
	bool locked;

	if (azure_do(z, &c, &a, e) == -1)
		return -1;
	locked = http_header(&a, "x-ms-immutability-policy-until-date") != NULL;
	http_answer_fini(&a);
	if (locked)
		return 0;
	err_set(e, ERR_UNSUPPORTED, "azure.lock: the container does not lock blobs");
	return err_hint(e, "it must be made with version-level immutability");
}

/* Can we do what a repository needs, and lock?  A locked object stays, so only an unlocked one is
 * removed. */
static int probe(struct store_azure *s, struct err *e)
{
	static const struct web_rights names = {"r", "l"};
	uint8_t random[8];
	char hex[17], key[48];

	crypto_random(random, sizeof random);
	hex_encode(hex, random, sizeof random);
	if (s->azure.options.lock_ns) {
		snprintf(key, sizeof key, "tmp/lock-%s", hex);
		if (put_whole(&s->azure, key, span_str("1"), true, e) == -1 ||
		    probe_lock(&s->azure, key, e) == -1)
			return -1;
	}
	snprintf(key, sizeof key, "tmp/free-%s", hex);
	if (put_whole(&s->azure, key, span_str("1"), true, e) == -1)
		return err_wrap(e, "put a blob (c, w)");
	return web_try_rights(&s->base, key, &names, s->azure.ctx, e);
}

static const struct store_ops ops = {
    .scheme = "azure",
    .durability = "the store's own: what it has confirmed",
    .put = azure_put,
    .get = azure_get,
    .stat = azure_stat,
    .del = azure_del,
    .list = azure_store_list,
    .close = azure_close,
};

#define AT(member) offsetof(struct azure_options, member)
static const struct store_option options[] = {
    {"azure.endpoint", STORE_OPTION_TEXT, AT(endpoint), NULL,
	"https://HOST instead of https://ACCOUNT.blob.core.windows.net"},
    {"azure.tier", STORE_OPTION_CHOICE, AT(tier), "Hot|Cool|Cold|Archive",
	"access tier of what packs/ holds"},
    {"azure.lock", STORE_OPTION_TIME, AT(lock_ns), NULL,
	"how long new objects can't be changed or deleted"},
    {"azure.lock-mode", STORE_OPTION_CHOICE, AT(lock_mode), "unlocked|locked",
	"whether an administrator can still shorten that (unlocked)"},
};
enum { OPTIONS = sizeof options / sizeof *options };
const struct store_option_table store_azure_options = {
    options, OPTIONS, sizeof(struct azure_options)};

int store_azure_open(const char *rest, bool create, const struct store_given *given,
    const struct store_far *far, struct ctx *ctx, struct store **out, struct err *e)
{
	struct store_azure *s = mem_zalloc(sizeof *s);

	if (store_options_read(options, OPTIONS, given, &s->azure.options, e) == -1 ||
	    store_options_known(options, OPTIONS, given, e) == -1 ||
	    azure_place_parse(&s->azure.place, rest, s->azure.options.endpoint, e) == -1) {
		free(s);
		return -1;
	}
	s->base.ops = &ops;
	s->base.cold = &azure_cold_ops;
	s->base.url = mem_printf("azure:%s", rest);
	s->azure.ctx = ctx;
	s->azure.pace = web_pace(far);
	s->azure.http = web_http_new(far, ctx, e);
	if (s->azure.http == NULL || (create && probe(s, e) == -1)) {
		if (s->azure.http)
			err_wrap(e, "%s", s->base.url);
		azure_close(&s->base);
		return -1;
	}
	*out = &s->base;
	return 0;
}
