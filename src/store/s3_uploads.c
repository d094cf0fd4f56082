/* s3_uploads: uploads in parts that nobody will end, found and aborted.  See s3_put.h. */
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/mem.h"
#include "net/xml.h"
#include "store/s3_put.h"

struct reading {
	struct s3_uploads *out;
	const char *prefix;
	int64_t before_ns;
	struct s3_upload at; /* the one that is being read; key and id may be NULL */
	int64_t begun_ns;
	bool more;
};

void s3_uploads_fini(struct s3_uploads *u)
{
	for (size_t i = 0; i < u->n; i++) {
		free(u->v[i].key);
		free(u->v[i].id);
	}
	free(u->v);
	free(u->next_key);
	free(u->next_id);
	memset(u, 0, sizeof *u);
}

/* Old, and of an object of ours that goes in parts. */
static bool wanted(const struct reading *r)
{
	size_t n = strlen(r->prefix);

	return r->at.key && r->at.id && *r->at.id && r->begun_ns != -1 &&
	       r->begun_ns <= r->before_ns && strncmp(r->at.key, r->prefix, n) == 0 &&
	       store_key_valid(r->at.key + n) && s3_key_in_parts(r->at.key + n);
}

static void end_one(struct reading *r)
{
	struct s3_uploads *u = r->out;

	if (wanted(r)) {
		u->v = mem_realloc(u->v, (u->n + 1) * sizeof *u->v);
		u->v[u->n++] = r->at;
	} else {
		free(r->at.key);
		free(r->at.id);
	}
	r->at = (struct s3_upload){0};
	r->begun_ns = -1;
}

static void take(char **out, struct span text)
{
	free(*out);
	*out = memchr(text.p, '\0', text.n) ? NULL : mem_strndup((const char *)text.p, text.n);
}

static int on_text(void *arg, const char *path, struct span text, struct err *e)
{
	struct reading *r = arg;
	struct calendar_time t;
	char word[64];

	if (strcmp(path, "Upload/Key") == 0) {
		take(&r->at.key, text);
	} else if (strcmp(path, "Upload/UploadId") == 0) {
		take(&r->at.id, text);
	} else if (strcmp(path, "Upload/Initiated") == 0) {
		if (!xml_copy(word, sizeof word, text) || calendar_parse_time(word, &t, e) == -1)
			return err_set(e, ERR_CORRUPT, "uploads: a time that is none");
		/* Whole seconds: what it is compared with has no more. */
		r->begun_ns = t.ns - t.ns % CALENDAR_SECOND;
	} else if (strcmp(path, "Upload") == 0) {
		end_one(r);
	} else if (strcmp(path, "IsTruncated") == 0) {
		r->more = span_eq(text, span_str("true"));
	} else if (strcmp(path, "NextKeyMarker") == 0) {
		take(&r->out->next_key, text);
	} else if (strcmp(path, "NextUploadIdMarker") == 0) {
		take(&r->out->next_id, text);
	}
	return 0;
}

/* Would the next question be the last one again? */
static bool same(const char *key, const char *next_key, const char *id, const char *next_id)
{
	return key && strcmp(key, next_key) == 0 &&
	       strcmp(id ? id : "", next_id ? next_id : "") == 0;
}

int s3_uploads_read(struct span xml, const char *prefix, int64_t before_ns, struct s3_uploads *out,
    bool *more, struct err *e)
{
	struct reading r = {.out = out, .prefix = prefix, .before_ns = before_ns, .begun_ns = -1};
	char *key = out->next_key, *id = out->next_id;
	int rc;

	out->next_key = out->next_id = NULL;
	rc = xml_read(xml, on_text, &r, e);
	if (rc == 0 && r.more &&
	    (out->next_key == NULL || same(key, out->next_key, id, out->next_id)))
		rc = err_set(e, ERR_CORRUPT, "uploads: more is said to come, and not how to ask");
	*more = rc == 0 && r.more;
	free(key);
	free(id);
	free(r.at.key);
	free(r.at.id);
	return rc;
}

static int ask_page(struct s3 *s, struct s3_uploads *u, struct http_answer *a, struct err *e)
{
	struct url_param params[] = {{"uploads", NULL}, {"prefix", s->place.prefix},
	    {"key-marker", u->next_key}, {"upload-id-marker", u->next_id}};
	struct s3_call c = {.method = "GET",
	    .params = params,
	    .nparams = !u->next_key  ? 2
		       : !u->next_id ? 3
				     : 4,
	    .counted = COUNT_LIST,
	    .max = 8 << 20};

	return s3_do(s, &c, a, e);
}

static int abort_one(struct s3 *s, const struct s3_upload *u, struct err *e)
{
	struct url_param id = {"uploadId", u->id};
	struct s3_call c = {.method = "DELETE", .key = u->key, .params = &id, .nparams = 1};
	struct http_answer a;

	if (s3_do(s, &c, &a, e) == 0)
		http_answer_fini(&a);
	else if (e->kind != ERR_ABSENT) /* somebody else was at it */
		return -1;
	return 0;
}

static int find(struct s3 *s, int64_t before_ns, struct s3_uploads *u, struct err *e)
{
	struct http_answer a;
	bool more = true;
	int rc = 0;

	while (rc == 0 && more) {
		for (int n = 1; (rc = ask_page(s, u, &a, e)) == -1; n++)
			if (!store_backoff(&s->pace, s->ctx, n, "list uploads", "", e))
				break;
		if (rc == -1)
			break;
		rc = s3_uploads_read(buf_span(&a.body), s->place.prefix, before_ns, u, &more, e);
		http_answer_fini(&a);
	}
	return rc;
}

int s3_uploads_sweep(struct s3 *s, int64_t before_ns, uint64_t *removed, struct err *e)
{
	struct s3_uploads u = {0};
	int rc = find(s, before_ns, &u, e);

	/* Who may not look, or cannot there, leaves them to the bucket's rules. */
	if (rc == -1 && (e->kind == ERR_DENIED || e->kind == ERR_UNSUPPORTED)) {
		event_emit(s->ctx, EVENT_NOTICE, span_of(NULL, 0),
		    "uploads that were cut are not looked for: %s", e->msg);
		rc = 0;
	}
	for (size_t i = 0; rc == 0 && i < u.n; i++) {
		for (int n = 1; (rc = abort_one(s, &u.v[i], e)) == -1; n++)
			if (!store_backoff(&s->pace, s->ctx, n, "abort upload", u.v[i].key, e))
				break;
		*removed += rc == 0;
	}
	s3_uploads_fini(&u);
	return rc;
}
