/* s3_put: see s3_put.h. */
#include "store/s3_put.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "net/xml.h"
#include "os/os.h"
#include "store/store_web.h"

enum {
	PART = 16 << 20, /* larger objects go in parts of this size */
	PARTS_MAX = 64,  /* 1 GiB: no object of ours comes near */
	UNFINISHED_MAX = 32,
};

static const int64_t ABORT_NS = 5000000000;

struct s3_parts {
	struct s3_parts *next;
	char *key, *id;
	size_t size;
	uint8_t digest[32]; /* SHA-256 of the whole object, once the upload waits to go on */
	char *etag[PARTS_MAX];
	size_t n; /* parts that are there */
};

const char *s3_name(const struct s3 *s, const char *key, struct buf *b)
{
	buf_reset(b);
	buf_printf(b, "%s%s", s->place.prefix, key);
	return buf_cstr(b);
}

void s3_put_init(struct store_s3 *s)
{
	pthread_mutex_init(&s->lock, NULL);
}

static void parts_free(struct s3_parts *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n; i++)
		free(p->etag[i]);
	free(p->key);
	free(p->id);
	free(p);
}

/* As good as it goes: what stays is for the bucket's lifecycle rules.  False: no answer. */
static bool abort_parts(struct store_s3 *s, struct s3_parts *p)
{
	struct url_param id = {"uploadId", p->id};
	struct s3_call c = {
	    .method = "DELETE", .params = &id, .nparams = 1, .deadline_ns = ABORT_NS};
	struct buf name = {0};
	struct http_answer a;
	struct err e;
	int rc;

	c.key = s3_name(&s->s3, p->key, &name);
	rc = s3_do(&s->s3, &c, &a, &e);
	if (rc == 0)
		http_answer_fini(&a);
	buf_fini(&name);
	parts_free(p);
	return rc == 0 || !err_info(e.kind)->retry;
}

void s3_put_fini(struct store_s3 *s)
{
	bool answers = true;

	/* A dead store must not hold the end of the run for each of them. */
	while (s->unfinished) {
		struct s3_parts *p = s->unfinished;

		s->unfinished = p->next;
		if (answers)
			answers = abort_parts(s, p);
		else
			parts_free(p);
	}
	pthread_mutex_destroy(&s->lock);
}

/* ---- One PUT. */

static void add_options(const struct store_s3 *s, const char *key, struct s3_call *c)
{
	struct clock *clock = os_clock_of(s->s3.ctx);

	s3_options_headers(&s->s3.options, key, clock->wall_ns(clock), &c->headers);
}

int s3_put_whole(
    struct store_s3 *s, const char *key, struct span data, bool conditional, struct err *e)
{
	struct s3_call c = {.method = "PUT", .body = data};
	struct buf name = {0};
	struct http_answer a;
	int rc;

	c.key = s3_name(&s->s3, key, &name);
	add_options(s, key, &c);
	/* Stores want a locked object's bytes proved to be what was meant. */
	if (s->s3.options.lock_ns)
		s3_add_md5(&c);
	if (conditional)
		http_headers_add(&c.headers, "if-none-match: *");
	rc = s3_do(&s->s3, &c, &a, e);
	buf_fini(&name);
	if (rc == 0)
		http_answer_fini(&a);
	return rc;
}

/* ---- Multipart. */

struct texts {
	char *id;
	bool refused, made;
};

static int on_text(void *arg, const char *path, struct span text, struct err *e)
{
	struct texts *t = arg;

	(void)e;
	if (strcmp(path, "UploadId") == 0 && t->id == NULL) {
		t->id = mem_zalloc(text.n + 1);
		memcpy(t->id, text.p, text.n);
	} else if (strcmp(path, "Code") == 0) {
		t->refused = true;
	} else if (strcmp(path, "ETag") == 0) {
		t->made = text.n > 0;
	}
	return 0;
}

/* An upload of this very object that did not come to its end; NULL if there is none. */
static struct s3_parts *find_parts(struct store_s3 *s, const char *key, struct span data)
{
	uint8_t digest[32];
	bool any;
	struct s3_parts *p;

	pthread_mutex_lock(&s->lock);
	any = s->unfinished != NULL;
	pthread_mutex_unlock(&s->lock);
	if (!any)
		return NULL;
	crypto_sha256(data, digest);
	pthread_mutex_lock(&s->lock);
	for (struct s3_parts **at = &s->unfinished; (p = *at); at = &p->next)
		if (p->size == data.n && strcmp(p->key, key) == 0 &&
		    memcmp(p->digest, digest, sizeof digest) == 0) {
			*at = p->next;
			break;
		}
	pthread_mutex_unlock(&s->lock);
	return p;
}

static struct s3_parts *begin_parts(
    struct store_s3 *s, const char *key, struct span data, struct err *e)
{
	struct url_param uploads = {"uploads", NULL};
	struct s3_call c = {.method = "POST", .params = &uploads, .nparams = 1};
	struct buf name = {0};
	struct texts t = {0};
	struct s3_parts *p = find_parts(s, key, data);
	struct http_answer a;
	int rc;

	if (p)
		return p;
	c.key = s3_name(&s->s3, key, &name);
	add_options(s, key, &c);
	rc = s3_do(&s->s3, &c, &a, e);
	buf_fini(&name);
	if (rc == -1)
		return NULL;
	rc = xml_read(buf_span(&a.body), on_text, &t, e);
	http_answer_fini(&a);
	if (rc == 0 && t.id == NULL)
		rc = err_set(e, ERR_CORRUPT, "the store began an upload without telling its id");
	if (rc == -1) {
		free(t.id);
		return NULL;
	}
	p = mem_zalloc(sizeof *p);
	p->key = mem_strdup(key);
	p->id = t.id;
	p->size = data.n;
	return p;
}

static int put_part(struct store_s3 *s, struct s3_parts *p, struct span data, struct err *e)
{
	char number[16];
	struct url_param params[] = {{"partNumber", number}, {"uploadId", p->id}};
	struct s3_call c = {.method = "PUT", .params = params, .nparams = 2};
	size_t off = p->n * (size_t)PART;
	struct buf name = {0};
	struct http_answer a;
	const char *etag;
	int rc;

	snprintf(number, sizeof number, "%zu", p->n + 1);
	c.body = span_of(data.p + off, data.n - off < PART ? data.n - off : PART);
	c.key = s3_name(&s->s3, p->key, &name);
	rc = s3_do(&s->s3, &c, &a, e);
	buf_fini(&name);
	if (rc == -1)
		return err_wrap(e, "part %s", number);
	etag = http_header(&a, "etag");
	if (etag == NULL || strpbrk(etag, "<&>"))
		rc = err_set(e, ERR_CORRUPT, "part %s: the store gave no tag for it", number);
	else
		p->etag[p->n++] = mem_strdup(etag);
	http_answer_fini(&a);
	return rc;
}

static int complete_parts(struct store_s3 *s, struct s3_parts *p, bool conditional, struct err *e)
{
	struct url_param id = {"uploadId", p->id};
	struct s3_call c = {.method = "POST", .params = &id, .nparams = 1};
	struct buf name = {0}, body = {0};
	struct texts t = {0};
	struct http_answer a;
	struct err torn;
	int rc;

	buf_printf(&body, "<CompleteMultipartUpload>");
	for (size_t i = 0; i < p->n; i++)
		buf_printf(&body, "<Part><PartNumber>%zu</PartNumber><ETag>%s</ETag></Part>", i + 1,
		    p->etag[i]);
	buf_printf(&body, "</CompleteMultipartUpload>");
	c.body = buf_span(&body);
	c.key = s3_name(&s->s3, p->key, &name);
	if (conditional)
		http_headers_add(&c.headers, "if-none-match: *");
	rc = s3_do(&s->s3, &c, &a, e);
	buf_fini(&name);
	buf_fini(&body);
	if (rc == -1)
		return -1;
	/* It may have answered 200 before it knew: only the object's tag says that it is made. */
	if (xml_read(buf_span(&a.body), on_text, &t, &torn) == -1)
		t.made = false;
	if (t.refused) {
		a.status = 500;
		rc = s3_refusal(&s->s3, &c, &a, e);
	} else if (!t.made) {
		rc = err_set(e, ERR_UNREACHABLE, "the store did not say that the upload is whole");
	}
	free(t.id);
	http_answer_fini(&a);
	return rc;
}

static void keep_for_later(struct store_s3 *s, struct s3_parts *p, struct span data)
{
	struct s3_parts *oldest = NULL, **at;
	size_t n = 0;

	crypto_sha256(data, p->digest);
	pthread_mutex_lock(&s->lock);
	p->next = s->unfinished;
	s->unfinished = p;
	for (at = &s->unfinished; *at; at = &(*at)->next)
		if (++n > UNFINISHED_MAX) {
			oldest = *at;
			*at = NULL;
			break;
		}
	pthread_mutex_unlock(&s->lock);
	if (oldest)
		abort_parts(s, oldest);
}

static int put_in_parts(
    struct store_s3 *s, const char *key, struct span data, bool conditional, struct err *e)
{
	struct s3_parts *p = begin_parts(s, key, data, e);
	size_t all = (data.n + PART - 1) / PART;
	int rc = 0;

	if (p == NULL)
		return -1;
	while (rc == 0 && p->n < all)
		rc = put_part(s, p, data, e);
	if (rc == 0)
		rc = complete_parts(s, p, conditional, e);
	if (rc == 0) {
		parts_free(p);
	} else if (e->kind == ERR_ABSENT) {
		/* Somebody ended it, or it was completed and the answer lost: begin anew, or find
		 * the object there. */
		e->kind = ERR_UNREACHABLE;
		parts_free(p);
	} else if (err_info(e->kind)->retry || p->n < all) {
		keep_for_later(s, p, data);
	} else {
		abort_parts(s, p);
	}
	return rc;
}

static bool below(const char *key, const char *folder)
{
	return strncmp(key, folder, strlen(folder)) == 0;
}

bool s3_key_in_parts(const char *key)
{
	return below(key, "packs/") || below(key, "meta/") || below(key, "parity/");
}

/*
 * An object in parts is dated when it was begun, so no object goes in parts whose time
 * matters.  And not every store carries a lock from the parts to the whole.
 */
static bool in_parts(const struct store_s3 *s, const char *key, struct span data)
{
	return data.n > PART && data.n <= (size_t)PART * PARTS_MAX && s->s3.options.lock_ns == 0 &&
	       s3_key_in_parts(key);
}

static int put_any(
    struct store_s3 *s, const char *key, struct span data, bool conditional, struct err *e)
{
	return in_parts(s, key, data) ? put_in_parts(s, key, data, conditional, e)
				      : s3_put_whole(s, key, data, conditional, e);
}

/* ---- Never over another. */

static int learn_conditional(struct store_s3 *s, enum s3_conditional *out, struct err *e)
{
	struct s3_call c = {.method = "GET", .max = 4096};
	struct buf name = {0};
	struct http_answer a;
	int rc;

	pthread_mutex_lock(&s->lock);
	*out = s->if_none_match;
	pthread_mutex_unlock(&s->lock);
	if (*out != S3_UNKNOWN)
		return 0;
	c.key = s3_name(&s->s3, S3_PROBE_NOTE, &name);
	rc = s3_do(&s->s3, &c, &a, e);
	buf_fini(&name);
	if (rc == -1 && e->kind != ERR_ABSENT)
		return -1;
	if (rc == 0) {
		*out = s3_note_read(s, buf_cstr(&a.body));
		http_answer_fini(&a);
	}
	if (*out == S3_UNKNOWN) {
		err_clear(e);
		return s3_probe(s, false, out, e);
	}
	pthread_mutex_lock(&s->lock);
	s->if_none_match = *out;
	pthread_mutex_unlock(&s->lock);
	return 0;
}

static int put_new(struct store_s3 *s, const char *key, struct span data, struct err *e)
{
	enum s3_conditional how;
	struct store_stat st;
	struct err look;

	if (learn_conditional(s, &how, e) == -1)
		return -1;
	if (how == S3_HONOURED && !in_parts(s, key, data))
		return s3_put_whole(s, key, data, true, e);
	if (s->base.ops->stat(&s->base, key, &st, &look) == 0)
		return err_set(e, ERR_EXISTS, "it is there already");
	if (look.kind != ERR_ABSENT) {
		*e = look;
		return -1;
	}
	if (put_any(s, key, data, how == S3_HONOURED, e) == -1)
		return -1;
	return how == S3_HONOURED || in_parts(s, key, data)
		   ? 0
		   : web_still_ours(&s->base, key, data, e);
}

int s3_put(struct store *st, const char *key, struct span data, unsigned flags, struct err *e)
{
	struct store_s3 *s = (struct store_s3 *)st;

	return flags & STORE_NEW ? put_new(s, key, data, e) : put_any(s, key, data, false, e);
}
