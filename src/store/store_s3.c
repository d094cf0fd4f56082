/*
 * store_s3: a bucket of S3 or of what speaks its language.
 *
 * An object is one PUT; a large one is a multipart upload whose parts are
 * tried again one by one, and which a repeated put of the same object goes on
 * with.  STORE_NEW is If-None-Match where that is honoured, which is probed
 * and never assumed (s3_probe); elsewhere a look before and a look after.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/mem.h"
#include "net/xml.h"
#include "store/s3_put.h"
#include "store/store_drivers.h"

static int s3_stat(struct store *st, const char *key, struct store_stat *out, struct err *e)
{
	struct s3 *s = &((struct store_s3 *)st)->s3;
	struct s3_call c = {.method = "HEAD"};
	struct http_answer a;
	struct buf name = {0};
	const char *size, *date;
	int rc;

	c.key = s3_name(s, key, &name);
	rc = s3_do(s, &c, &a, e);
	buf_fini(&name);
	if (rc == -1)
		return -1;
	size = http_header(&a, "content-length");
	date = http_header(&a, "last-modified");
	if (size == NULL || date == NULL || http_date_ns(date) == -1) {
		rc = err_set(e, ERR_CORRUPT, "the store tells no size or no time");
	} else {
		out->size = strtoull(size, NULL, 10);
		out->mtime_ns = http_date_ns(date);
	}
	http_answer_fini(&a);
	return rc;
}

static int s3_get(
    struct store *st, const char *key, uint64_t off, void *out, size_t len, struct err *e)
{
	struct s3 *s = &((struct store_s3 *)st)->s3;
	struct s3_call c = {.method = "GET", .into = out, .into_n = len};
	struct http_answer a;
	struct store_stat stat;
	struct buf name = {0};
	int rc;

	if (len == 0) { /* no range says that */
		if (s3_stat(st, key, &stat, e) == -1)
			return -1;
		return off <= stat.size ? 0 : err_set(e, ERR_CORRUPT, "the object ends before");
	}
	c.key = s3_name(s, key, &name);
	http_headers_add(&c.headers, "range: bytes=%llu-%llu", (unsigned long long)off,
	    (unsigned long long)(off + len - 1));
	rc = s3_do(s, &c, &a, e);
	buf_fini(&name);
	if (rc == -1)
		return -1;
	if (a.status != 206)
		rc = err_set(
		    e, ERR_CORRUPT, "a range was asked for, and the store answered %d", a.status);
	else if (a.got != len)
		rc = err_set(e, ERR_CORRUPT, "the object ends after %zu of the %zu bytes wanted",
		    a.got, len);
	http_answer_fini(&a);
	return rc;
}

static int s3_del(struct store *st, const char *key, struct err *e)
{
	struct s3 *s = &((struct store_s3 *)st)->s3;
	struct s3_call c = {.method = "DELETE"};
	struct http_answer a;
	struct buf name = {0};
	int rc;

	c.key = s3_name(s, key, &name);
	rc = s3_do(s, &c, &a, e);
	buf_fini(&name);
	if (rc == 0)
		http_answer_fini(&a);
	return rc == -1 && e->kind == ERR_ABSENT ? 0 : rc;
}

/* ---- List: pages of a thousand. */

struct listing {
	struct store_s3 *store;
	store_visit *visit;
	void *arg;
	char key[1100], next[1100];
	struct store_stat st;
	bool more;
};

static bool copy_text(char *out, size_t size, struct span text)
{
	if (text.n >= size || memchr(text.p, '\0', text.n))
		return false;
	memcpy(out, text.p, text.n);
	out[text.n] = '\0';
	return true;
}

/* Whatever else is in the bucket is not ours, and no key. */
static int listed(struct listing *l, struct err *e)
{
	size_t n = strlen(l->store->s3.place.prefix);

	if (strncmp(l->key, l->store->s3.place.prefix, n) != 0 || !store_key_valid(l->key + n))
		return 0;
	return l->visit(l->arg, l->key + n, &l->st, e);
}

static int on_listed(void *arg, const char *path, struct span text, struct err *e)
{
	struct listing *l = arg;
	struct calendar_time t;
	char word[64];

	if (strcmp(path, "Contents/Key") == 0) {
		if (!copy_text(l->key, sizeof l->key, text))
			l->key[0] = '\0';
	} else if (strcmp(path, "Contents/Size") == 0) {
		if (!copy_text(word, sizeof word, text))
			return err_set(e, ERR_CORRUPT, "list: a size that is none");
		l->st.size = strtoull(word, NULL, 10);
	} else if (strcmp(path, "Contents/LastModified") == 0) {
		if (!copy_text(word, sizeof word, text) || calendar_parse_time(word, &t, e) == -1)
			return err_set(e, ERR_CORRUPT, "list: a time that is none");
		/* Whole seconds: HEAD tells no more, and the two should agree. */
		l->st.mtime_ns = t.ns - t.ns % CALENDAR_SECOND;
	} else if (strcmp(path, "Contents") == 0) {
		return listed(l, e);
	} else if (strcmp(path, "IsTruncated") == 0) {
		l->more = span_eq(text, span_str("true"));
	} else if (strcmp(path, "NextContinuationToken") == 0) {
		if (!copy_text(l->next, sizeof l->next, text))
			return err_set(e, ERR_CORRUPT, "list: the token is too long");
	}
	return 0;
}

static int s3_list(
    struct store *st, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	struct listing l = {.store = (struct store_s3 *)st, .visit = visit, .arg = arg};
	struct s3 *s = &l.store->s3;
	struct buf name = {0};
	const char *full = s3_name(s, prefix, &name);
	int rc;

	do {
		struct url_param params[] = {{"list-type", "2"}, {"max-keys", "1000"},
		    {"prefix", full}, {"continuation-token", l.next}};
		struct s3_call c = {.method = "GET",
		    .params = params,
		    .nparams = l.next[0] ? 4 : 3,
		    .max = 8 << 20};
		struct http_answer a;

		rc = s3_do(s, &c, &a, e);
		if (rc == -1)
			break;
		l.more = false;
		l.next[0] = '\0';
		rc = xml_read(buf_span(&a.body), on_listed, &l, e);
		http_answer_fini(&a);
		if (rc == 0 && l.more && l.next[0] == '\0')
			rc = err_set(
			    e, ERR_CORRUPT, "list: more is said to come, and not how to ask");
	} while (rc == 0 && l.more);
	buf_fini(&name);
	return rc;
}

static void s3_close(struct store *st)
{
	struct store_s3 *s = (struct store_s3 *)st;

	s3_put_fini(s);
	http_free(s->s3.http);
	s3_creds_free(s->s3.creds);
	s3_place_fini(&s->s3.place);
	free(st->url);
	free(s);
}

static const struct store_ops ops = {
    .scheme = "s3",
    .durability = "the store's own: what it has confirmed",
    .put = s3_put,
    .get = s3_get,
    .stat = s3_stat,
    .del = s3_del,
    .list = s3_list,
    .close = s3_close,
};

int store_s3_open(const char *rest, bool create, struct ctx *ctx, struct store **out, struct err *e)
{
	struct http_params hp = {.ca_file = getenv("HOLDFAST_CA_FILE")};
	struct store_s3 *s = mem_zalloc(sizeof *s);
	struct buf url = {0};

	if (s3_place_parse(&s->s3.place, rest, e) == -1) {
		free(s);
		return -1;
	}
	buf_printf(&url, "s3:%s", rest);
	s->base.ops = &ops;
	s->base.url = mem_strdup(buf_cstr(&url));
	buf_fini(&url);
	s->s3.ctx = ctx;
	s->s3.creds = s3_creds_new(ctx);
	s3_put_init(s);
	s->s3.http = http_new(&hp, ctx, e);
	if (s->s3.http == NULL || (create && s3_probe(s, e) == -1)) {
		s3_close(&s->base);
		return -1;
	}
	*out = &s->base;
	return 0;
}
