/* notify_slack: an incoming webhook, as Slack has them, and Mattermost and others too. */
#include "notify/notify_http.h"

#include <string.h>

#include "base/buf.h"
#include "notify/notify_text.h"

/* The three letters that mean something to it. */
static json_t *escaped(const char *s)
{
	struct buf b = {0};
	json_t *j;

	for (; *s; s++) {
		const char *as = *s == '&'   ? "&amp;"
				 : *s == '<' ? "&lt;"
				 : *s == '>' ? "&gt;"
					     : NULL;

		if (as)
			buf_put(&b, as, strlen(as));
		else
			buf_put_u8(&b, (uint8_t)*s);
	}
	j = json_string(buf_cstr(&b));
	buf_fini(&b);
	return j;
}

static void put_field(json_t *fields, const char *name, const char *value)
{
	if (value == NULL || value[0] == '\0')
		return;
	json_array_append_new(fields, json_pack("{s:o, s:o, s:b}", "title", escaped(name), "value",
					  escaped(value), "short", strlen(value) < 40));
}

static json_t *body(const struct notify_message *m)
{
	static const char *const colors[] = {"", "#2eb67d", "#ecb22e", "#e01e5a"};
	json_t *fields = json_array();

	put_field(fields, "system", m->system);
	put_field(fields, "host", m->host);
	for (size_t i = 0; i < m->nfields; i++)
		put_field(fields, m->fields[i].name, m->fields[i].value);
	return json_pack("{s:o, s:[{s:s, s:o, s:o, s:o, s:s, s:I}]}", "text", escaped(m->subject),
	    "attachments", "color", m->recovered ? colors[NOTIFY_INFO] : colors[m->severity],
	    "fallback", escaped(m->subject), "text", escaped(m->text), "fields", fields, "footer",
	    "holdfast", "ts", (json_int_t)(m->at_ns / 1000000000));
}

static int check(const struct notify_channel *c, struct err *e)
{
	if (c->url == NULL)
		return err_set(e, ERR_USAGE, "webhook: there is none");
	return notify_http_url_good(c->url, "webhook", true, e);
}

static int send(const struct notify_channel *c, const struct notify_message *m,
    struct notify_result *r, struct ctx *ctx, struct err *e)
{
	struct http_headers h = {0};
	int rc = notify_http_post_json(c, c->url, &h, body(m), r, ctx, NULL, e);

	http_headers_fini(&h);
	return rc;
}

const struct notify_ops notify_slack = {"slack", false, 3000, check, send};
