/* s3_versions: what a bucket keeps behind what was replaced or deleted.  See store_rules.h. */
#include <stdio.h>
#include <string.h>

#include "net/xml.h"
#include "store/s3_put.h"
#include "store/store_rules.h"

enum { LISTED = 10 }; /* of a key with few versions, whose name nothing else begins with */

struct oldest {
	const char *name;
	char at[STORE_KEY_MAX + 512], version[1024]; /* of the one that is read now */
	char found[1024];
	unsigned n;
};

static void copy(char *out, size_t size, struct span text)
{
	snprintf(out, size, "%.*s", (int)text.n, (const char *)text.p);
}

/* They come with the newest first. */
static int on_version(void *arg, const char *path, struct span text, struct err *e)
{
	struct oldest *o = arg;

	if (strcmp(path, "Version/Key") == 0) {
		copy(o->at, sizeof o->at, text);
	} else if (strcmp(path, "Version/VersionId") == 0) {
		copy(o->version, sizeof o->version, text);
	} else if (strcmp(path, "Version") == 0) {
		if (strcmp(o->at, o->name) == 0 && o->version[0]) {
			snprintf(o->found, sizeof o->found, "%s", o->version);
			o->n++;
		}
		o->at[0] = o->version[0] = '\0';
	}
	return 0;
}

static int call(struct s3 *s, struct s3_call what, struct http_answer *a, struct err *e)
{
	for (int n = 1;; n++) {
		struct s3_call c = what;

		if (s3_do(s, &c, a, e) == 0)
			return 0;
		if (!store_backoff(&s->pace, s->ctx, n, "versions", what.key ? what.key : "", e))
			return -1;
		err_clear(e);
	}
}

static int find_oldest(struct s3 *s, struct oldest *o, struct err *e)
{
	char most[8];
	struct url_param params[] = {{"max-keys", most}, {"prefix", o->name}, {"versions", NULL}};
	struct s3_call c = {.method = "GET", .params = params, .nparams = 3};
	struct http_answer a;
	int rc;

	snprintf(most, sizeof most, "%d", LISTED);
	if (call(s, c, &a, e) == -1)
		return -1;
	rc = xml_read(buf_span(&a.body), on_version, o, e);
	http_answer_fini(&a);
	return rc;
}

int store_versions_kept(struct store *st, const char *key, bool *kept, struct err *e)
{
	struct s3 *s = store_s3_of(st);
	struct buf name = {0};
	struct oldest o = {0};
	struct url_param param = {"versionId", o.found};
	struct s3_call c = {.method = "DELETE", .params = &param, .nparams = 1};
	struct http_answer a;
	int rc = 0;

	*kept = false;
	if (s == NULL)
		return 0;
	o.name = s3_name(s, key, &name);
	if (find_oldest(s, &o, e) == -1)
		rc = -1;
	c.key = o.name;
	/* One that is alone was not kept behind anything. */
	if (rc == 0 && o.n >= 2 && strcmp(o.found, "null") != 0) {
		if (call(s, c, &a, e) == 0) {
			http_answer_fini(&a);
		} else if (e->kind == ERR_DENIED) {
			*kept = true;
			err_clear(e);
		} else {
			rc = -1;
		}
	}
	buf_fini(&name);
	return rc == -1 ? err_wrap(e, "%s: versions of %s", st->url, key) : 0;
}
