/* notify_webhook: JSON to any URL, signed. */
#include "notify/notify_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/hex.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "os/os.h"

static const char *const states[] = {"news", "started", "succeeded", "failed"};

static json_t *body(const struct notify_message *m)
{
	json_t *fields = json_object();
	char when[CALENDAR_TEXT];

	for (size_t i = 0; i < m->nfields; i++)
		json_object_set_new(fields, m->fields[i].name, json_string(m->fields[i].value));
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:b, s:s?, s:s, s:s, s:s, s:s, s:o}", "schema",
	    1, "id", m->id, "event", m->event, "severity", notify_severity_name(m->severity),
	    "state", states[m->state], "recovered", m->recovered, "system", m->system, "host",
	    m->host, "time", calendar_format_utc(when, m->at_ns), "subject", m->subject, "text",
	    m->text, "fields", fields);
}

/* Of when it is sent, not of when it happened: what is refused as old must not be a retry. */
static void sign(struct http_headers *h, const char *secret, const char *text, struct ctx *ctx)
{
	struct clock *clock = os_clock_of(ctx);
	long long now = clock->wall_ns(clock) / CALENDAR_SECOND;
	char *signed_text = mem_printf("%lld.%s", now, text), hex[65];
	uint8_t mac[32];

	crypto_hmac_sha256(span_str(secret), span_str(signed_text), mac);
	http_headers_add(h, "x-holdfast-signature: t=%lld,v1=%s", now, hex_encode(hex, mac, 32));
	free(signed_text);
}

static int check(const struct notify_channel *c, struct err *e)
{
	if (c->url == NULL)
		return err_set(e, ERR_USAGE, "url: there is none");
	if (notify_http_login_good(c, e) == -1)
		return -1;
	if (c->secret != NULL && strlen(c->secret) < 16) {
		err_set(e, ERR_USAGE, "secret: shorter than 16 bytes, it can be guessed");
		return err_hint(e, "openssl rand -hex 32 makes a good one");
	}
	return notify_http_url_good(c->url, "url", c->token || c->password, e);
}

static int send(const struct notify_channel *c, const struct notify_message *m,
    struct notify_result *r, struct ctx *ctx, struct err *e)
{
	struct http_headers h = {0};
	json_t *o = body(m);
	char *text = mem_checked(json_dumps(o, JSON_COMPACT));
	int rc;

	json_decref(o);
	http_headers_add(&h, "content-type: application/json");
	http_headers_add(&h, "x-holdfast-event: %s", m->event);
	http_headers_add(&h, "idempotency-key: %s", m->id);
	notify_http_login(&h, c);
	if (c->secret)
		sign(&h, c->secret, text, ctx);
	rc = notify_http_post(c, c->url, &h, span_str(text), r, ctx, NULL, e);
	http_headers_fini(&h);
	free(text);
	return rc;
}

const struct notify_ops notify_webhook = {"webhook", false, NOTIFY_TEXT_MAX, check, send};
