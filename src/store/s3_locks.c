/* s3_locks: until when objects, and versions of them, are locked.  See store_rules.h. */
#include <stdio.h>
#include <string.h>

#include "base/calendar.h"
#include "net/xml.h"
#include "store/s3_put.h"
#include "store/store_rules.h"

static int s3_of(struct store *s, struct s3 **out, struct err *e)
{
	*out = store_s3_of(s);
	return *out ? 0 : err_set(e, ERR_UNSUPPORTED, "%s: has no locks", s->url);
}

static int ask(struct s3 *s, const char *method, const char *key, const char *version,
    struct span body, struct http_answer *a, struct err *e)
{
	struct url_param params[] = {{"retention", NULL}, {"versionId", version}};
	struct s3_ask q = {.method = method,
	    .key = key,
	    .params = params,
	    .nparams = version ? 2 : 1,
	    .body = body};

	return s3_ask(s, &q, a, e);
}

static int on_retention(void *arg, const char *path, struct span text, struct err *e)
{
	struct store_lock *out = arg;
	struct calendar_time t;
	char word[40];

	if (strcmp(path, "Mode") == 0)
		out->loose = !span_eq(text, span_str("COMPLIANCE"));
	if (strcmp(path, "RetainUntilDate") != 0)
		return 0;
	if (!xml_copy(word, sizeof word, text))
		return err_set(e, ERR_CORRUPT, "a time that is none");
	if (calendar_parse_time(word, &t, e) == -1)
		return -1;
	out->until_ns = t.ns > 0 ? t.ns : 0;
	return 0;
}

/*
 * "NoSuchObjectLockConfiguration", or of a bucket without it InvalidRequest with words that differ
 * (Amazon: "missing Object Lock Configuration", Ceph: "object lock not configured").
 */
static bool not_locked(const struct err *e)
{
	return strstr(e->msg, "ObjectLockConfiguration") != NULL ||
	       (strstr(e->msg, "InvalidRequest") != NULL &&
		   strcasestr(e->msg, "object lock") != NULL);
}

int store_lock_get(
    struct store *st, const char *key, const char *version, struct store_lock *out, struct err *e)
{
	struct http_answer a;
	struct err why;
	struct s3 *s;
	bool known;
	int rc;

	*out = (struct store_lock){0};
	if (s3_of(st, &s, e) == -1)
		return -1;
	if (ask(s, "GET", key, version, span_of(NULL, 0), &a, e) == -1) {
		if (!not_locked(e))
			return err_wrap(e, "%s: lock of %s", st->url, key);
		err_clear(e);
		return 0;
	}
	rc = xml_read(buf_span(&a.body), on_retention, out, &why);
	known = a.body.n > 0 && memmem(a.body.p, a.body.n, "<Retention", 10) != NULL;
	http_answer_fini(&a);
	if (rc == 0 && known)
		return 0;
	/* It did not understand the question, and gave the object: a PUT would write over it. */
	*out = (struct store_lock){0};
	err_set(e, ERR_UNSUPPORTED, "%s: lock of %s: the store tells of no locks", st->url, key);
	return err_hint(e, "leave out s3.object-lock (object_lock:), or take a store that has it");
}

int64_t store_lock_period(struct store *st)
{
	struct s3 *s = store_s3_of(st);

	return s ? s->options.lock_ns : 0;
}

int store_lock_extend(struct store *st, const char *key, const char *version, int64_t least_ns,
    int64_t until_ns, bool *done, struct err *e)
{
	struct buf body = {0};
	struct http_answer a;
	struct store_lock now;
	char until[32];
	struct s3 *s;
	int rc;

	*done = false;
	if (s3_of(st, &s, e) == -1 || store_lock_get(st, key, version, &now, e) == -1)
		return -1;
	if (now.until_ns >= least_ns - least_ns % CALENDAR_SECOND)
		return 0;
	s3_lock_time(until, until_ns);
	buf_printf(&body,
	    "<Retention><Mode>%s</Mode><RetainUntilDate>%s</RetainUntilDate></Retention>",
	    s3_lock_mode(&s->options), until);
	rc = ask(s, "PUT", key, version, buf_span(&body), &a, e);
	buf_fini(&body);
	if (rc == -1)
		return err_wrap(e, "%s: lock %s until %s", st->url, key, until);
	http_answer_fini(&a);
	*done = true;
	return 0;
}
