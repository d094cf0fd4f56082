/* s3_versions: what a bucket keeps behind what was replaced or deleted.  See store_rules.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/xml.h"
#include "store/s3_put.h"
#include "store/store_rules.h"

enum { TEXT_ROOM = 2048 };

struct reading {
	const char *prefix; /* of the repository */
	store_version_visit *visit;
	void *arg;
	char key[TEXT_ROOM], version[TEXT_ROOM]; /* of the one that is read now */
	bool latest;
	char next_key[TEXT_ROOM], next_version[TEXT_ROOM];
	bool more;
};

static int take(char out[TEXT_ROOM], struct span text, struct err *e)
{
	if (xml_copy(out, TEXT_ROOM, text))
		return 0;
	return err_set(e, ERR_CORRUPT, "versions: a name that is too long");
}

static int end_one(struct reading *r, struct err *e)
{
	size_t n = strlen(r->prefix);
	int rc = 0;

	if (r->version[0] && strncmp(r->key, r->prefix, n) == 0 && store_key_valid(r->key + n))
		rc = r->visit(r->arg, r->key + n, r->version, r->latest, e);
	r->key[0] = r->version[0] = '\0';
	r->latest = false;
	return rc;
}

static int on_text(void *arg, const char *path, struct span text, struct err *e)
{
	struct reading *r = arg;

	if (strcmp(path, "Version/Key") == 0)
		return take(r->key, text, e);
	if (strcmp(path, "Version/VersionId") == 0)
		return take(r->version, text, e);
	if (strcmp(path, "Version/IsLatest") == 0)
		r->latest = span_eq(text, span_str("true"));
	if (strcmp(path, "Version") == 0)
		return end_one(r, e);
	if (strcmp(path, "NextKeyMarker") == 0)
		return take(r->next_key, text, e);
	if (strcmp(path, "NextVersionIdMarker") == 0)
		return take(r->next_version, text, e);
	if (strcmp(path, "IsTruncated") == 0)
		r->more = span_eq(text, span_str("true"));
	return 0;
}

static int read_page(struct s3 *s, struct reading *r, const char *prefix, struct err *e)
{
	char key[TEXT_ROOM], version[TEXT_ROOM];
	struct url_param params[4] = {{"versions", NULL}, {"prefix", prefix}};
	struct s3_ask q = {.method = "GET", .params = params, .nparams = 2};
	struct http_answer a;
	int rc;

	if (r->more) {
		memcpy(key, r->next_key, sizeof key);
		memcpy(version, r->next_version, sizeof version);
		params[q.nparams++] = (struct url_param){"key-marker", key};
		if (version[0])
			params[q.nparams++] = (struct url_param){"version-id-marker", version};
	}
	r->more = false;
	if (s3_ask(s, &q, &a, e) == -1)
		return -1;
	rc = xml_read(buf_span(&a.body), on_text, r, e);
	http_answer_fini(&a);
	if (rc == 0 && r->more && q.nparams > 2 && strcmp(key, r->next_key) == 0 &&
	    strcmp(version, r->next_version) == 0)
		return err_set(e, ERR_CORRUPT, "versions: a list without an end");
	return rc;
}

int store_versions(
    struct store *st, const char *prefix, store_version_visit *visit, void *arg, struct err *e)
{
	struct s3 *s = store_s3_of(st);
	struct reading *r;
	struct buf name = {0};
	const char *full;
	int rc;

	if (s == NULL)
		return 0;
	r = mem_zalloc(sizeof *r);
	r->prefix = s->place.prefix;
	r->visit = visit;
	r->arg = arg;
	full = s3_name(s, prefix, &name);
	do
		rc = read_page(s, r, full, e);
	while (rc == 0 && r->more);
	buf_fini(&name);
	free(r);
	return rc == -1 ? err_wrap(e, "%s: versions", st->url) : 0;
}

struct oldest {
	const char *key;
	char found[TEXT_ROOM];
	unsigned n;
};

/* They come with the newest first. */
static int take_oldest(void *arg, const char *key, const char *version, bool latest, struct err *e)
{
	struct oldest *o = arg;

	if (strcmp(key, o->key) == 0) {
		snprintf(o->found, sizeof o->found, "%s", version);
		o->n++;
	}
	return 0;
}

int store_versions_kept(struct store *st, const char *key, bool locked, bool *kept, struct err *e)
{
	struct s3 *s = store_s3_of(st);
	struct oldest o = {.key = key};
	struct url_param param = {"versionId", o.found};
	struct s3_ask q = {
	    .method = "DELETE", .key = key, .params = &param, .nparams = 1, .bypass = locked};
	struct http_answer a;

	*kept = false;
	if (s == NULL)
		return 0;
	if (store_versions(st, key, take_oldest, &o, e) == -1)
		return -1;
	/* One that is alone was not kept behind anything; without a lock it is tried on two. */
	if (o.n < (locked ? 1 : 2) || strcmp(o.found, "null") == 0)
		return 0;
	if (s3_ask(s, &q, &a, e) == 0) {
		http_answer_fini(&a);
		return 0;
	}
	if (e->kind != ERR_DENIED)
		return err_wrap(e, "%s: delete a version of %s", st->url, key);
	*kept = true;
	err_clear(e);
	return 0;
}
