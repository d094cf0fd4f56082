/* s3_probe: what a store really does, tried before it is relied on.  See s3_put.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "crypto/crypto.h"
#include "net/xml.h"
#include "store/s3_put.h"
#include "store/store_web.h"

/* Two puts of one name: the second must be refused, or the promise is empty. */
static int try_twice(struct store_s3 *s, const char *key, enum s3_conditional *out, struct err *e)
{
	struct err second;
	int rc = s3_put_whole(s, key, span_str("1"), true, e);

	if (rc == -1 && (e->kind == ERR_UNSUPPORTED || e->kind == ERR_EXISTS)) {
		/* It does not know the condition at all; can it put? */
		*out = S3_IGNORED;
		return s3_put_whole(s, key, span_str("1"), false, e);
	}
	if (rc == -1)
		return -1;
	rc = s3_put_whole(s, key, span_str("2"), true, &second);
	*out = rc == -1 && second.kind == ERR_EXISTS ? S3_HONOURED : S3_IGNORED;
	if (rc == -1 && err_info(second.kind)->retry) {
		*e = second;
		return -1;
	}
	return 0;
}

static int on_lock(void *arg, const char *path, struct span text, struct err *e)
{
	if (strcmp(path, "ObjectLockEnabled") == 0)
		*(bool *)arg = span_eq(text, span_str("Enabled"));
	return 0;
}

/* There are stores that take the headers of a lock, and lock nothing. */
static int try_lock(struct store_s3 *s, struct err *e)
{
	struct url_param p = {"object-lock", NULL};
	struct s3_call c = {.method = "GET", .params = &p, .nparams = 1};
	struct http_answer a;
	bool enabled = false;
	struct err ignored;

	if (s3_do(&s->s3, &c, &a, e) == 0) {
		xml_read(buf_span(&a.body), on_lock, &enabled, &ignored);
		http_answer_fini(&a);
	} else if (e->kind == ERR_DENIED || err_info(e->kind)->retry) {
		return err_wrap(e, "look for object lock (s3:GetBucketObjectLockConfiguration)");
	}
	if (enabled)
		return 0;
	err_set(e, ERR_UNSUPPORTED, "the bucket has no object lock");
	return err_hint(e, "it can be switched on when a bucket is made, where the store has it at "
			   "all; or leave out s3.object-lock");
}

static int probe(struct store_s3 *s, bool rights, enum s3_conditional *found, struct err *e)
{
	static const struct web_rights names = {"s3:GetObject", "s3:ListBucket"};
	uint8_t random[8];
	char hex[17], key[40];

	crypto_random(random, sizeof random);
	snprintf(key, sizeof key, "tmp/probe-%s", hex_encode(hex, random, sizeof random));
	if (try_twice(s, key, found, e) == -1)
		return err_wrap(e, "put an object (s3:PutObject)");
	return web_try_rights(&s->base, key, rights ? &names : NULL, s->s3.ctx, e);
}

/* The note's text, in b. */
static void put_note(struct buf *b, const struct store_s3 *s, bool honoured)
{
	buf_printf(b, "{\"if_none_match\":%s,\"endpoint\":\"%s\"}\n", honoured ? "true" : "false",
	    s->s3.place.endpoint);
}

enum s3_conditional s3_note_read(const struct store_s3 *s, const char *note)
{
	static const enum s3_conditional means[] = {S3_IGNORED, S3_HONOURED};
	enum s3_conditional found = S3_UNKNOWN;
	struct buf b = {0};

	for (int i = 0; i < 2; i++) {
		buf_reset(&b);
		put_note(&b, s, i);
		if (strcmp(buf_cstr(&b), note) == 0)
			found = means[i];
	}
	buf_fini(&b);
	return found;
}

int s3_probe(struct store_s3 *s, bool rights, enum s3_conditional *out, struct err *e)
{
	struct err ignored;
	struct buf b = {0};

	*out = S3_UNKNOWN;
	if (rights && s->s3.options.lock_ns && try_lock(s, e) == -1)
		return -1;
	if (probe(s, rights, out, e) == -1)
		return -1;
	if (rights && *out == S3_IGNORED)
		event_emit(s->s3.ctx, EVENT_WARNING, span_str(s->base.url),
		    "this store does not keep If-None-Match: of two who make one name at the "
		    "same moment both may believe to have made it");
	pthread_mutex_lock(&s->lock);
	s->if_none_match = *out;
	pthread_mutex_unlock(&s->lock);
	put_note(&b, s, *out == S3_HONOURED);
	s3_put_whole(
	    s, S3_PROBE_NOTE, buf_span(&b), false, &ignored); /* else the next one probes again */
	buf_fini(&b);
	return 0;
}
