/* notify_sms: a short message to telephones, by Twilio or what speaks like it. */
#include "notify/notify_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/url.h"

enum { SMS_MAX = 300 }; /* two or three parts: each is paid for */

/* Everything of the account but its login, when no URL was given. */
static char *url_of(const struct notify_channel *c)
{
	struct buf b = {0};

	if (c->url != NULL)
		return mem_strdup(c->url);
	buf_printf(&b, "https://api.twilio.com/2010-04-01/Accounts/");
	url_encode(&b, span_str(c->user), false);
	buf_printf(&b, "/Messages.json");
	buf_cstr(&b);
	return (char *)b.p;
}

static char *form(const struct notify_channel *c, const struct notify_message *m, const char *to)
{
	char *text = mem_printf("%s%s%s", m->subject, m->text[0] ? ": " : "", m->text);
	struct buf b = {0};

	for (size_t n = strlen(text); n > SMS_MAX;) /* never inside a letter */
		do
			text[--n] = '\0';
		while (n > 0 && ((unsigned char)text[n - 1] & 0xc0) == 0x80);
	url_query(&b, (struct url_param[]){{"Body", text}, {"From", c->from}, {"To", to}}, 3);
	free(text);
	buf_cstr(&b);
	return (char *)b.p;
}

/* E.164: '+' and up to 15 digits. */
static bool is_number(const char *s)
{
	size_t n = strlen(s);

	return s[0] == '+' && n >= 8 && n <= 16 && strspn(s + 1, "0123456789") == n - 1;
}

/* A number, a short code, or a name of up to 11 letters. */
static bool is_sender(const char *s)
{
	size_t n = strlen(s);

	return is_number(s) || (n >= 1 && n <= 11 &&
				   strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					     "0123456789 +-_&") == n);
}

static int check(const struct notify_channel *c, struct err *e)
{
	if (c->user == NULL || c->password == NULL) {
		err_set(e, ERR_USAGE, "%s is missing", c->user ? "password" : "user");
		return err_hint(e, "user is the account's id (AC...), password its token");
	}
	if (c->from == NULL || !is_sender(c->from)) {
		err_set(e, ERR_USAGE, "from: it is neither a number nor a name that may send");
		return err_hint(e, "+15551234567, or up to 11 letters");
	}
	if (c->nto == 0)
		return err_set(e, ERR_USAGE, "to: there is nobody");
	for (size_t i = 0; i < c->nto; i++)
		if (!is_number(c->to[i])) {
			err_set(e, ERR_USAGE, "to: '%.32s' is not a telephone number", c->to[i]);
			return err_hint(e, "with its country, without blanks: +4915112345678");
		}
	return c->url ? notify_http_url_good(c->url, "url", true, e) : 0;
}

static int send_one(const struct notify_channel *c, const struct notify_message *m, const char *to,
    struct notify_result *r, struct ctx *ctx, struct err *e)
{
	struct http_headers h = {0};
	char *url = url_of(c), *body = form(c, m, to);
	int rc;

	http_headers_add(&h, "content-type: application/x-www-form-urlencoded");
	notify_http_login(&h, c);
	rc = notify_http_post(c, url, &h, span_str(body), r, ctx, NULL, e);
	http_headers_fini(&h);
	free(url);
	free(body);
	return rc == 0 ? 0 : err_wrap(e, "%s", to);
}

/* Each number by itself: one that is wrong keeps nobody else from hearing of it. */
static int send(const struct notify_channel *c, const struct notify_message *m,
    struct notify_result *r, struct ctx *ctx, struct err *e)
{
	struct err worst = {0}, one;

	for (size_t i = 0; i < c->nto; i++) {
		if (r->done & UINT32_C(1) << i)
			continue;
		if (send_one(c, m, c->to[i], r, ctx, &one) == 0)
			r->done |= UINT32_C(1) << i;
		else if (worst.kind == ERR_NONE || err_info(one.kind)->retry)
			worst = one;
	}
	if (worst.kind == ERR_NONE)
		return 0;
	if (r->done == 0 || err_info(worst.kind)->retry) {
		*e = worst;
		return -1;
	}
	snprintf(r->note, sizeof r->note, "%.*s", (int)sizeof r->note - 1, worst.msg);
	return 0;
}

const struct notify_ops notify_sms = {"sms", false, SMS_MAX, check, send};
