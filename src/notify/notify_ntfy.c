/* notify_ntfy: a topic of ntfy.sh, or of a server of one's own. */
#include "notify/notify_http.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "notify/notify_text.h"

/* Where the topic begins in "https://HOST[/PREFIX]/TOPIC", or NULL. */
static const char *topic_of(const char *url)
{
	const char *host = strstr(url, "://") + 3, *slash = strrchr(host, '/');
	size_t n = slash ? strlen(slash + 1) : 0;

	return n >= 1 && n <= 64 &&
		       strspn(slash + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "0123456789_-") == n
		   ? slash + 1
		   : NULL;
}

static int check(const struct notify_channel *c, struct err *e)
{
	if (c->url == NULL)
		return err_set(e, ERR_USAGE, "url: there is none");
	if (notify_http_login_good(c, e) == -1 ||
	    notify_http_url_good(c->url, "url", c->token || c->password, e) == -1)
		return -1;
	if (topic_of(c->url) != NULL)
		return 0;
	err_set(e, ERR_USAGE, "url: it does not end in a topic");
	return err_hint(e, "https://ntfy.sh/TOPIC, TOPIC up to 64 letters, digits, '_' and '-'");
}

static json_t *body(const struct notify_message *m, const char *topic)
{
	static const int priorities[] = {0, 3, 4, 5};
	static const char *const tags[] = {"", "information_source", "warning", "rotating_light"};
	struct buf b = {0};
	json_t *o;

	buf_printf(&b, "%s%s", m->text, m->text[0] ? "\n\n" : "");
	notify_text_facts(&b, m);
	o = json_pack("{s:s, s:s, s:o, s:i, s:[s]}", "topic", topic, "title", m->subject, "message",
	    json_stringn((const char *)b.p, b.n), "priority", priorities[m->severity], "tags",
	    m->recovered ? "white_check_mark" : tags[m->severity]);
	buf_fini(&b);
	return o;
}

/* JSON goes to the server's root, for a title in a header would have to be ASCII. */
static int send(const struct notify_channel *c, const struct notify_message *m,
    struct notify_result *r, struct ctx *ctx, struct err *e)
{
	const char *topic = topic_of(c->url);
	char *root = mem_strndup(c->url, (size_t)(topic - c->url));
	struct http_headers h = {0};
	int rc;

	notify_http_login(&h, c);
	rc = notify_http_post_json(c, root, &h, body(m, topic), r, ctx, NULL, e);
	http_headers_fini(&h);
	free(root);
	return rc;
}

/* It takes 4,096 bytes, of which the facts have some. */
const struct notify_ops notify_ntfy = {"ntfy", false, 2000, check, send};
