/*
 * notify_ping: a dead man's switch, as healthchecks.io has them: it is told of each run that
 * begins, succeeds or fails, and raises the alarm itself when it hears nothing.
 */
#include "notify/notify_http.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "notify/notify_text.h"

static int check(const struct notify_channel *c, struct err *e)
{
	if (c->url == NULL)
		return err_set(e, ERR_USAGE, "url: there is none");
	if (notify_http_url_good(c->url, "url", false, e) == -1 ||
	    (c->start_url && notify_http_url_good(c->start_url, "start", false, e) == -1))
		return -1;
	return c->fail_url ? notify_http_url_good(c->fail_url, "fail", false, e) : 0;
}

/* The word goes behind the path, before '?'. */
static char *with(const char *url, const char *word)
{
	size_t path = strcspn(url, "?#"), end = path;

	while (end > 0 && url[end - 1] == '/')
		end--;
	return mem_printf("%.*s%s%s", (int)end, url, word, url + path);
}

static char *url_of(const struct notify_channel *c, enum notify_state s)
{
	if (s == NOTIFY_STARTED)
		return c->start_url ? mem_strdup(c->start_url) : with(c->url, "/start");
	if (s == NOTIFY_FAILED)
		return c->fail_url ? mem_strdup(c->fail_url) : with(c->url, "/fail");
	return mem_strdup(c->url);
}

static int send(const struct notify_channel *c, const struct notify_message *m,
    struct notify_result *r, struct ctx *ctx, struct err *e)
{
	char *url = url_of(c, m->state);
	struct http_headers h = {0};
	struct buf body = {0}, answer = {0};
	int rc;

	buf_printf(&body, "%s\n", m->subject);
	if (m->text[0])
		buf_printf(&body, "\n%s\n\n", m->text);
	notify_text_facts(&body, m);
	http_headers_add(&h, "content-type: text/plain; charset=utf-8");
	rc = notify_http_post(c, url, &h, buf_span(&body), r, ctx, &answer, e);
	/* A check that was deleted is answered with 200 all the same. */
	if (rc == 0 && strstr(buf_cstr(&answer), "(not found)") != NULL) {
		rc = err_set(e, ERR_ABSENT, "it knows no such check");
		err_hint(e, "was the check deleted? Copy its ping URL again");
	}
	http_headers_fini(&h);
	buf_fini(&body);
	buf_fini(&answer);
	free(url);
	return rc;
}

const struct notify_ops notify_ping = {"ping", true, NOTIFY_TEXT_MAX, check, send};
