/* notify_email: mail by SMTP.  What a mail looks like is in notify_mail.c. */
#include <stdio.h>
#include <string.h>

#include "net/smtp.h"
#include "notify/notify.h"
#include "notify/notify_mail.h"

static int check_login(const struct notify_channel *c, struct err *e)
{
	if ((c->user == NULL) != (c->password == NULL))
		return err_set(e, ERR_USAGE, "%s",
		    c->user ? "there is a user and no password"
			    : "there is a password and no user");
	if (c->plain && c->password) {
		err_set(e, ERR_USAGE, "tls: optional, and a password could go in the clear");
		return err_hint(e, "leave out tls, or user and password");
	}
	for (const char *u = c->user ? c->user : ""; *u; u++)
		if ((unsigned char)*u < ' ' || *u == 0x7f)
			return err_set(e, ERR_USAGE, "user: it holds a control character");
	return 0;
}

static int check(const struct notify_channel *c, struct err *e)
{
	if (c->url == NULL)
		return err_set(e, ERR_USAGE, "smtp: there is none");
	if (smtp_url_good(c->url, e) == -1)
		return err_wrap(e, "smtp");
	if (c->nto == 0)
		return err_set(e, ERR_USAGE, "to: there is nobody");
	for (size_t i = 0; i < c->nto; i++)
		if (smtp_address_good(c->to[i], e) == -1)
			return err_wrap(e, "to");
	if (c->from == NULL)
		return err_set(e, ERR_USAGE, "from: there is none");
	if (smtp_address_good(c->from, e) == -1)
		return err_wrap(e, "from");
	return check_login(c, e);
}

static int send(const struct notify_channel *c, const struct notify_message *m,
    struct notify_result *r, struct ctx *ctx, struct err *e)
{
	struct smtp_params p = {.url = c->url,
	    .user = c->user,
	    .password = c->password,
	    .plain = c->plain,
	    .ca_file = c->ca_file,
	    .deadline_ns = c->timeout_ns};
	struct smtp_message mail = {.from = c->from, .to = c->to, .nto = c->nto};
	char refused[SMTP_REPLY];
	struct buf text = {0};
	int rc;

	notify_mail_write(&text, c, m);
	mail.text = buf_span(&text);
	rc = smtp_send(&p, &mail, ctx, refused, e);
	buf_fini(&text);
	if (rc == 0 && refused[0])
		snprintf(r->note, sizeof r->note, "not to all: %.200s", refused);
	return rc;
}

const struct notify_ops notify_email = {"email", false, 32 << 10, check, send};
