/* s3_cold: what sleeps in an archive of S3, and RestoreObject.  See s3_put.h and store_cold.h. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "os/os.h"
#include "store/s3_put.h"
#include "store/store_backoff.h"

/*
 * The store does not tell when its rule (s3.archive-after) moved it there, and what a put gave
 * a class of its own was there at once.  Rules act once a day, and not always in time.
 */
static const int64_t LATE = 2 * 86400 * INT64_C(1000000000);

void s3_date_class(const struct s3 *s, struct store_stat *st)
{
	struct clock *clock = os_clock_of(s->ctx);
	unsigned put_class = STORE_CLASS_USUAL;

	if (s->options.storage_class)
		put_class = store_class_find("s3", span_str(s->options.storage_class));
	st->class_ns = st->class == STORE_CLASS_USUAL ? 0 : st->mtime_ns;
	if (st->class == STORE_CLASS_USUAL || st->class == put_class)
		return;
	/* By a rule that nobody told of it may have come there a moment ago. */
	st->class_ns = s->options.archive_ns ? st->mtime_ns + s->options.archive_ns + LATE
					     : clock->wall_ns(clock);
}

/* ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT" */
static void read_restore(const char *v, struct store_cold *out)
{
	const char *at = strstr(v, "expiry-date=\"");
	char date[64];
	size_t n;

	if (strstr(v, "ongoing-request=\"true\"")) {
		out->state = STORE_THAWING;
		return;
	}
	if (strstr(v, "ongoing-request=\"false\"") == NULL)
		return;
	out->state = STORE_THAWED;
	if (at == NULL)
		return;
	at += strlen("expiry-date=\"");
	n = strcspn(at, "\"");
	if (n >= sizeof date)
		return;
	memcpy(date, at, n);
	date[n] = '\0';
	if (http_date_ns(date) != -1)
		out->until_ns = http_date_ns(date);
}

/*
 * A class is a name: there are stores that call one GLACIER and read it at once (Ceph's placements,
 * clouds like Amazon's).  So the first object of each is read, one byte of it.
 */
static int read_first(struct s3 *s, const char *name, bool *asleep, struct err *e)
{
	uint8_t byte;
	struct s3_call c = {.method = "GET", .key = name, .into = &byte, .into_n = 1};
	struct http_answer a;

	http_headers_add(&c.headers, "range: bytes=0-0");
	*asleep = false;
	if (s3_do(s, &c, &a, e) == 0) {
		http_answer_fini(&a);
		return 0;
	}
	if (e->kind != ERR_COLD)
		return -1;
	err_clear(e);
	*asleep = true;
	return 0;
}

static int is_asleep(
    struct s3 *s, const char *name, enum store_class class, bool *asleep, struct err *e)
{
	uint32_t bit = 1u << class;

	*asleep = atomic_load(&s->classes_asleep) & bit;
	if (*asleep || (atomic_load(&s->classes_awake) & bit))
		return 0;
	if (read_first(s, name, asleep, e) == -1)
		return -1;
	atomic_fetch_or(*asleep ? &s->classes_asleep : &s->classes_awake, bit);
	return 0;
}

static int look_once(struct s3 *s, const char *name, struct store_cold *out, struct err *e)
{
	struct s3_call c = {.method = "HEAD", .key = name};
	struct http_answer a;
	struct store_stat st = {0};
	const char *size, *date, *class, *restore;
	bool asleep = true;
	int rc = 0;

	if (s3_do(s, &c, &a, e) == -1)
		return -1;
	size = http_header(&a, "content-length");
	date = http_header(&a, "last-modified");
	class = http_header(&a, "x-amz-storage-class");
	restore = http_header(&a, "x-amz-restore");
	st.mtime_ns = date ? http_date_ns(date) : 0;
	if (class)
		st.class = store_class_find("s3", span_str(class));
	s3_date_class(s, &st);
	*out = (struct store_cold){.class = st.class, .class_ns = st.class_ns};
	out->size = size ? strtoull(size, NULL, 10) : 0;
	/* Intelligent-Tiering says of itself what is asleep. */
	if (store_class_info(st.class)->asleep || http_header(&a, "x-amz-archive-status"))
		out->state = STORE_COLD;
	if (out->state == STORE_COLD && restore)
		read_restore(restore, out);
	else if (out->state == STORE_COLD && !http_header(&a, "x-amz-archive-status"))
		rc = is_asleep(s, name, st.class, &asleep, e);
	if (!asleep)
		out->state = STORE_HOT;
	http_answer_fini(&a);
	return rc;
}

static int s3_look(struct store *st, const char *key, struct store_cold *out, struct err *e)
{
	struct s3 *s = &((struct store_s3 *)st)->s3;
	struct buf name = {0};
	const char *full = s3_name(s, key, &name);
	int rc;

	for (int n = 1; (rc = look_once(s, full, out, e)) == -1; n++)
		if (!store_backoff(&s->pace, s->ctx, n, "look", key, e))
			break;
	buf_fini(&name);
	return rc;
}

static void put_request(struct buf *b, const struct store_cold *now, const struct store_thaw *how)
{
	static const char *const tiers[STORE_SPEEDS] = {"Bulk", "Standard", "Expedited"};

	buf_printf(b, "<RestoreRequest xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	/* What is tiered by itself wakes for good, and refuses to be told for how long. */
	if (!store_class_info(now->class)->moves)
		buf_printf(b, "<Days>%u</Days>", how->days);
	buf_printf(
	    b, "<GlacierJobParameters><Tier>%s</Tier></GlacierJobParameters>", tiers[how->speed]);
	buf_printf(b, "</RestoreRequest>");
}

static int thaw_once(struct s3 *s, const char *name, struct span body, struct err *e)
{
	struct url_param param = {"restore", NULL};
	struct s3_call c = {
	    .method = "POST", .key = name, .params = &param, .nparams = 1, .body = body};
	struct http_answer a;

	if (s3_do(s, &c, &a, e) == 0) {
		http_answer_fini(&a);
		return 0;
	}
	if (e->kind != ERR_EXISTS) /* it thaws already */
		return -1;
	err_clear(e);
	return 0;
}

static int s3_thaw(struct store *st, const char *key, const struct store_cold *now,
    const struct store_thaw *how, struct err *e)
{
	struct s3 *s = &((struct store_s3 *)st)->s3;
	struct buf name = {0}, body = {0};
	const char *full = s3_name(s, key, &name);
	int rc;

	put_request(&body, now, how);
	for (int n = 1; (rc = thaw_once(s, full, buf_span(&body), e)) == -1; n++)
		if (!store_backoff(&s->pace, s->ctx, n, "thaw", key, e))
			break;
	buf_fini(&name);
	buf_fini(&body);
	return rc;
}

const struct store_cold_ops s3_cold_ops = {.look = s3_look, .thaw = s3_thaw};
