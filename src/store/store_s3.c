/*
 * store_s3: a bucket of S3 or of what speaks its language.
 *
 * An object is one PUT; a large one is a multipart upload whose parts are
 * tried again one by one, and which a repeated put of the same object goes on
 * with.  STORE_NEW is If-None-Match where that is honoured, which is probed
 * and never assumed (s3_probe); elsewhere a look before and a look after.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/s3_put.h"
#include "store/store_drivers.h"
#include "store/store_web.h"

enum { CONNECTIONS = 16 }; /* at a time: frames of 300 kB at 50 ms make 100 MB/s */

static int s3_stat(struct store *st, const char *key, struct store_stat *out, struct err *e)
{
	struct s3 *s = &((struct store_s3 *)st)->s3;
	struct s3_call c = {.method = "HEAD"};
	struct http_answer a;
	struct buf name = {0};
	const char *class;
	int rc;

	c.key = s3_name(s, key, &name);
	rc = s3_do(s, &c, &a, e);
	buf_fini(&name);
	if (rc == -1)
		return -1;
	rc = web_stat(&a, out, e);
	class = http_header(&a, "x-amz-storage-class");
	if (rc == 0 && class)
		out->class = store_class_find("s3", span_str(class));
	if (rc == 0)
		s3_date_class(s, out);
	http_answer_fini(&a);
	return rc;
}

static int s3_get(
    struct store *st, const char *key, uint64_t off, void *out, size_t len, struct err *e)
{
	struct s3 *s = &((struct store_s3 *)st)->s3;
	struct s3_call c = {.method = "GET", .into = out, .into_n = len};
	struct http_answer a;
	struct buf name = {0};
	int rc;

	if (web_range_odd(off, len))
		return web_get_odd(st, key, off, len, e);
	c.key = s3_name(s, key, &name);
	http_headers_add(&c.headers, "range: bytes=%llu-%llu", (unsigned long long)off,
	    (unsigned long long)(off + len - 1));
	rc = s3_do(s, &c, &a, e);
	buf_fini(&name);
	if (rc == -1)
		return -1;
	rc = web_range_came(&a, len, e);
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
	if (rc == -1 && e->kind == ERR_ABSENT) {
		err_clear(e);
		return 0;
	}
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

static int now(struct s3 *s, int64_t *ns, struct err *e)
{
	struct s3_call c = {.method = "HEAD"};
	struct http_answer a;
	const char *date;
	int rc = 0;

	if (s3_do(s, &c, &a, e) == -1)
		return -1;
	date = http_header(&a, "date");
	*ns = date ? http_date_ns(date) : -1;
	if (*ns == -1)
		rc = err_set(e, ERR_CORRUPT, "the store tells no time");
	http_answer_fini(&a);
	return rc;
}

struct s3 *store_s3_of(struct store *s)
{
	while (s->under)
		s = s->under;
	return s->ops == &ops ? &((struct store_s3 *)s)->s3 : NULL;
}

int store_s3_now(struct store *s, int64_t *ns, struct err *e)
{
	struct s3 *s3 = store_s3_of(s);

	if (s3 == NULL)
		return 0;
	for (int n = 1; now(s3, ns, e) == -1; n++) {
		if (!store_backoff(&s3->pace, s3->ctx, n, "clock", "", e))
			return err_wrap(e, "%s: look at its clock", s->url);
		err_clear(e);
	}
	return 1;
}

/* Before there is a store_retry around us; whoever mistyped a host is not kept waiting. */
static int probe(struct store_s3 *s, struct err *e)
{
	enum s3_conditional found;

	for (int n = 1; s3_probe(s, true, &found, e) == -1; n++)
		if (!store_backoff(&store_pace_near, s->s3.ctx, n, "probe", "", e))
			return err_wrap(e, "%s", s->base.url);
	return 0;
}

int store_s3_open(const char *rest, bool create, const struct store_given *given,
    const struct store_far *far, struct ctx *ctx, struct store **out, struct err *e)
{
	struct store_s3 *s = mem_zalloc(sizeof *s);
	struct buf url = {0};

	if (s3_options_read(&s->s3.options, given, e) == -1 ||
	    s3_place_parse(&s->s3.place, rest, &s->s3.options, e) == -1) {
		free(s);
		return -1;
	}
	buf_printf(&url, "s3:%s", rest);
	s->base.ops = &ops;
	s->base.cold = &s3_cold_ops;
	s->base.parallel = far->connections ? (unsigned)far->connections : CONNECTIONS;
	s->base.url = mem_strdup(buf_cstr(&url));
	buf_fini(&url);
	s->s3.ctx = ctx;
	s->s3.pace = web_pace(far);
	s->s3.creds = s3_creds_new(s->s3.options.profile, ctx);
	s3_put_init(s);
	s->s3.http = web_http_new(far, ctx, e);
	if (s->s3.http == NULL || (create && probe(s, e) == -1)) {
		s3_close(&s->base);
		return -1;
	}
	*out = &s->base;
	return 0;
}
