/* s3_list: the keys of a bucket, in pages of a thousand.  See s3.h. */
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "net/xml.h"
#include "store/s3_put.h"
#include "store/store_backoff.h"

struct page {
	struct s3_page *out;
	const char *prefix; /* of the repository in the bucket */
	store_visit *visit;
	void *arg;
	char key[S3_KEY_MAX];
	struct store_stat st;
};

/* Whatever else is in the bucket is not ours, and no key. */
static int listed(struct page *p, struct err *e)
{
	size_t n = strlen(p->prefix);

	if (strncmp(p->key, p->prefix, n) != 0 || !store_key_valid(p->key + n))
		return 0;
	return p->visit(p->arg, p->key + n, &p->st, e);
}

static int size_of(struct span text, uint64_t *out, struct err *e)
{
	char word[24], *end;

	if (!xml_copy(word, sizeof word, text) || word[0] < '0' || word[0] > '9')
		return err_set(e, ERR_CORRUPT, "list: a size that is none");
	*out = strtoull(word, &end, 10);
	return *end == '\0' ? 0 : err_set(e, ERR_CORRUPT, "list: a size that is none");
}

static const uint64_t UNTOLD = UINT64_MAX;

static int on_text(void *arg, const char *path, struct span text, struct err *e)
{
	struct page *p = arg;
	struct calendar_time t;
	char word[64];

	if (strcmp(path, "Contents/Key") == 0) {
		if (!xml_copy(p->key, sizeof p->key, text))
			p->key[0] = '\0';
	} else if (strcmp(path, "Contents/Size") == 0) {
		return size_of(text, &p->st.size, e);
	} else if (strcmp(path, "Contents/LastModified") == 0) {
		if (!xml_copy(word, sizeof word, text) || calendar_parse_time(word, &t, e) == -1)
			return err_set(e, ERR_CORRUPT, "list: a time that is none");
		/* Whole seconds: HEAD tells no more, and the two should agree. */
		p->st.mtime_ns = t.ns - t.ns % CALENDAR_SECOND;
	} else if (strcmp(path, "Contents/StorageClass") == 0) {
		p->st.class = store_class_find("s3", text);
	} else if (strcmp(path, "Contents") == 0) {
		int rc = p->st.size == UNTOLD || p->st.mtime_ns == -1
			     ? err_set(e, ERR_CORRUPT, "list: an object without size or time")
			     : listed(p, e);

		p->key[0] = '\0';
		p->st = (struct store_stat){.size = UNTOLD, .mtime_ns = -1};
		return rc;
	} else if (strcmp(path, "IsTruncated") == 0) {
		p->out->more = span_eq(text, span_str("true"));
	} else if (strcmp(path, "NextContinuationToken") == 0) {
		if (!xml_copy(p->out->token, sizeof p->out->token, text))
			return err_set(e, ERR_CORRUPT, "list: the token is too long");
	}
	return 0;
}

int s3_page_read(struct span xml, const char *prefix, store_visit *visit, void *arg,
    struct s3_page *out, struct err *e)
{
	struct page p = {.out = out,
	    .prefix = prefix,
	    .visit = visit,
	    .arg = arg,
	    .st = {.size = UNTOLD, .mtime_ns = -1}};

	memset(out, 0, sizeof *out);
	if (xml_read(xml, on_text, &p, e) == -1)
		return -1;
	if (out->more && out->token[0] == '\0')
		return err_set(e, ERR_CORRUPT, "list: more is said to come, and not how to ask");
	return 0;
}

static int ask_page(
    struct s3 *s, const char *prefix, const char *token, struct http_answer *a, struct err *e)
{
	struct url_param params[] = {{"list-type", "2"}, {"max-keys", "1000"}, {"prefix", prefix},
	    {"continuation-token", token}};
	struct s3_call c = {.method = "GET",
	    .params = params,
	    .nparams = token[0] ? 4 : 3,
	    .counted = COUNT_LIST,
	    .max = 8 << 20};

	return s3_do(s, &c, a, e);
}

struct dating {
	const struct s3 *s3;
	store_visit *visit;
	void *arg;
};

static int visit_dated(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct dating *d = arg;
	struct store_stat dated = *st;

	s3_date_class(d->s3, &dated);
	return d->visit(d->arg, key, &dated, e);
}

int s3_list(struct store *st, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	struct s3 *s = &((struct store_s3 *)st)->s3;
	struct dating dating = {s, visit, arg};
	struct s3_page page = {.more = true};
	char token[sizeof page.token] = "";
	struct buf name = {0};
	const char *full = s3_name(s, prefix, &name);
	struct http_answer a;
	int rc = 0;

	while (rc == 0 && page.more) {
		/* The first page is store_retry's to ask for again; later ones only we can. */
		for (int n = 1; (rc = ask_page(s, full, token, &a, e)) == -1 && token[0]; n++) {
			if (!store_backoff(&s->pace, s->ctx, n, "list", prefix, e))
				break;
			err_clear(e);
		}
		if (rc == -1)
			break;
		rc = s3_page_read(
		    buf_span(&a.body), s->place.prefix, visit_dated, &dating, &page, e);
		http_answer_fini(&a);
		if (rc == 0 && page.more && strcmp(token, page.token) == 0)
			rc = err_set(e, ERR_CORRUPT, "list: the same page comes again and again");
		memcpy(token, page.token, sizeof token);
	}
	buf_fini(&name);
	return rc;
}
