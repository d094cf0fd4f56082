/*
 * s3_rules: see store_rules.h.  A bucket has one list of rules, put as a
 * whole: ours are known by their id, which names the repository's prefix, and
 * the others' are put back byte for byte.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/hex.h"
#include "crypto/crypto.h"
#include "net/xml.h"
#include "store/s3_put.h"
#include "store/store_drivers.h"
#include "store/store_rules.h"

static int s3_of(struct store *s, struct s3 **out, struct err *e)
{
	*out = store_s3_of(s);
	return *out ? 0 : err_set(e, ERR_UNSUPPORTED, "%s: has no rules", s->url);
}

static int ask(
    struct s3 *s, const char *method, struct span body, struct http_answer *a, struct err *e)
{
	struct url_param param = {"lifecycle", NULL};
	struct s3_ask q = {.method = method, .params = &param, .nparams = 1, .body = body};

	return s3_ask(s, &q, a, e);
}

/* Ours begin so; a prefix of the bucket belongs to one repository. */
static void put_id(struct buf *b, const struct s3 *s)
{
	uint8_t digest[32];
	char hex[65];

	crypto_sha256(span_str(s->place.prefix), digest);
	buf_printf(b, "holdfast-%.16s-", hex_encode(hex, digest, 32));
}

static void put_text(struct buf *b, const char *s)
{
	for (; *s; s++)
		if (strchr("<>&\"'", *s))
			buf_printf(b, "&#%d;", *s);
		else
			buf_put_u8(b, (uint8_t)*s);
}

static void put_rule_body(struct buf *b, const struct s3 *s, const struct store_rule *r)
{
	buf_printf(b, "<Filter><Prefix>");
	put_text(b, s->place.prefix);
	put_text(b, r->folder);
	buf_printf(b, "</Prefix></Filter><Status>Enabled</Status>");
	if (r->move_days)
		buf_printf(b,
		    "<Transition><Days>%d</Days><StorageClass>%s</StorageClass></Transition>",
		    r->move_days, r->move_class);
	if (r->old_days)
		buf_printf(b,
		    "<NoncurrentVersionExpiration><NoncurrentDays>%d</NoncurrentDays>"
		    "</NoncurrentVersionExpiration>",
		    r->old_days);
	if (r->unfinished_days)
		buf_printf(b,
		    "<AbortIncompleteMultipartUpload><DaysAfterInitiation>%d"
		    "</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
		    r->unfinished_days);
}

/* Its id says what is in it, so that one that is there is known again. */
static void put_rule(struct buf *b, const struct s3 *s, const struct store_rule *r)
{
	struct buf body = {0};
	uint8_t digest[32];
	char hex[65];

	put_rule_body(&body, s, r);
	crypto_sha256(buf_span(&body), digest);
	buf_printf(b, "<Rule><ID>");
	put_id(b, s);
	buf_printf(b, "%.16s</ID>", hex_encode(hex, digest, 32));
	buf_put_span(b, buf_span(&body));
	buf_printf(b, "</Rule>");
	buf_fini(&body);
}

/* The rules of a list that are not ours, as they are written there; how many there are in all. */
static size_t keep_others(struct buf *out, const char *list, const char *ours)
{
	const char *at = list, *end;
	size_t n = 0;

	while ((at = strstr(at, "<Rule>")) && (end = strstr(at, "</Rule>"))) {
		const char *id = strstr(at, "<ID>");

		end += strlen("</Rule>");
		if (id == NULL || id > end || strncmp(id + 4, ours, strlen(ours)) != 0)
			buf_put(out, at, (size_t)(end - at));
		at = end;
		n++;
	}
	return n;
}

static int on_any_rule(void *arg, const char *path, struct span text, struct err *e)
{
	size_t n = strlen(path);

	/* Of whichever namespace. */
	if (strchr(path, '/') == NULL && n >= 4 && strcmp(path + n - 4, "Rule") == 0)
		++*(size_t *)arg;
	return 0;
}

/* What is not put back is lost to its owner: a rule that we do not see stops us. */
static int see_all(const struct buf *list, size_t seen, struct err *e)
{
	size_t n = 0;

	if (list->n > 0 && xml_read(buf_span(list), on_any_rule, &n, e) == -1)
		return -1;
	if (n == seen)
		return 0;
	err_set(e, ERR_UNSUPPORTED, "the bucket has %zu rules, of which %zu are not understood", n,
	    n > seen ? n - seen : 0);
	return err_hint(e, "none was changed; set those that are wanted by hand");
}

/* The whole list as text; empty where there is none. */
static int get_list(struct s3 *s, struct buf *out, struct err *e)
{
	struct http_answer a;

	if (ask(s, "GET", span_of(NULL, 0), &a, e) == -1) {
		if (e->kind != ERR_ABSENT)
			return -1;
		err_clear(e);
		return 0;
	}
	buf_put_span(out, buf_span(&a.body));
	http_answer_fini(&a);
	return 0;
}

static int put_list(struct s3 *s, const struct buf *rules, struct err *e)
{
	struct buf body = {0};
	struct http_answer a;
	int rc;

	buf_printf(&body, "<LifecycleConfiguration>");
	buf_put_span(&body, buf_span(rules));
	buf_printf(&body, "</LifecycleConfiguration>");
	rc = rules->n > 0 ? ask(s, "PUT", buf_span(&body), &a, e)
			  : ask(s, "DELETE", span_of(NULL, 0), &a, e);
	buf_fini(&body);
	if (rc == 0)
		http_answer_fini(&a);
	return rc;
}

/* Of a list: how many are ours, and the sum of all days, others' too. */
struct counting {
	const char *ours;
	size_t n, days;
	bool own;
};

static size_t number_of(struct span text)
{
	size_t v = 0;

	for (size_t i = 0; i < text.n && i < 9; i++)
		v = v * 10 + (text.p[i] - (size_t)'0');
	return v;
}

static int on_rule(void *arg, const char *path, struct span text, struct err *e)
{
	struct counting *c = arg;
	size_t n = strlen(c->ours);

	if (strcmp(path, "Rule/ID") == 0)
		c->own = text.n >= n && memcmp(text.p, c->ours, n) == 0;
	else if (strcmp(path, "Rule") == 0)
		c->n += c->own;
	else if (strstr(path, "Days") != NULL)
		c->days += number_of(text);
	return 0;
}

/* What a bucket does not know it may have left out without a word. */
static int check_back(struct s3 *s, const char *ours, size_t n, size_t days, struct err *e)
{
	struct counting c = {.ours = ours};
	struct buf list = {0};
	int rc = get_list(s, &list, e);

	if (rc == 0 && list.n > 0)
		rc = xml_read(buf_span(&list), on_rule, &c, e);
	if (rc == 0 && (c.n != n || c.days != days))
		rc = err_set(e, ERR_UNSUPPORTED,
		    "the store took %zu rules and has %zu of them, not as they were put", n, c.n);
	buf_fini(&list);
	return rc;
}

static size_t days_of(struct span list)
{
	struct counting c = {.ours = ""};
	struct err ignored;

	xml_read(list, on_rule, &c, &ignored);
	return c.days;
}

/*
 * These and no others of ours?  A list is put as a whole: who puts it for nothing may put it over
 * what somebody else put a moment ago.
 */
static bool are_there(
    struct s3 *s, const struct buf *old, const char *ours, const struct store_rule *rules, size_t n)
{
	struct counting c = {.ours = ours};
	struct err ignored;

	if (old->n == 0 || xml_read(buf_span(old), on_rule, &c, &ignored) == -1 || c.n != n)
		return n == 0 && old->n == 0;
	for (size_t i = 0; i < n; i++) {
		struct buf one = {0};
		size_t end;
		bool there;

		put_rule(&one, s, &rules[i]);
		end = (size_t)(strstr(buf_cstr(&one), "</ID>") - buf_cstr(&one));
		there = memmem(old->p, old->n, one.p + strlen("<Rule>"), end - strlen("<Rule>")) !=
			NULL;
		buf_fini(&one);
		if (!there)
			return false;
	}
	return true;
}

int store_rules_put(struct store *st, const struct store_rule *rules, size_t n, struct err *e)
{
	struct buf old = {0}, id = {0}, list = {0}, whole = {0};
	struct s3 *s;
	int rc = -1;

	if (s3_of(st, &s, e) == -1)
		return -1;
	put_id(&id, s);
	if (get_list(s, &old, e) == -1)
		goto out;
	if (see_all(&old, keep_others(&list, buf_cstr(&old), buf_cstr(&id)), e) == -1)
		goto out;
	if (are_there(s, &old, buf_cstr(&id), rules, n)) {
		rc = 0;
		goto out;
	}
	for (size_t i = 0; i < n && i < STORE_RULES_MAX; i++)
		put_rule(&list, s, &rules[i]);
	buf_printf(&whole, "<R>%s</R>", buf_cstr(&list));
	if (put_list(s, &list, e) == 0)
		rc = check_back(s, buf_cstr(&id), n, days_of(buf_span(&whole)), e);
out:
	if (rc == -1)
		err_wrap(e, "%s: rules of the bucket", st->url);
	buf_fini(&old);
	buf_fini(&id);
	buf_fini(&list);
	buf_fini(&whole);
	return rc;
}

/* Rules count in days: rather one more than less. */
static int days(int64_t ns)
{
	const int64_t day = INT64_C(86400) * CALENDAR_SECOND;

	return (int)((ns + day - 1) / day);
}

size_t store_rules_wanted(struct store *st, struct store_rule rules[STORE_RULES_MAX])
{
	struct s3 *s = store_s3_of(st);
	const struct s3_options *o = s ? &s->options : NULL;
	size_t n = 0;

	if (o == NULL)
		return 0;
	if (o->expire_versions_ns || o->expire_uploads_ns)
		rules[n++] = (struct store_rule){.folder = "",
		    .unfinished_days = days(o->expire_uploads_ns),
		    .old_days = days(o->expire_versions_ns)};
	if (o->archive_ns)
		rules[n++] = (struct store_rule){.folder = "packs/",
		    .move_days = days(o->archive_ns),
		    .move_class = o->archive_class};
	return n;
}
