/*
 * smtp: one message to a mail server, by libcurl: TLS from the first byte on (smtps:) or by
 * STARTTLS (smtp:), and a login.
 *
 * Certificates are always verified, and a password is only sent where the connection is encrypted.
 * Lines that begin with a dot are doubled on the wire.  Nothing is tried again here.
 *
 * Threads: any; each call has a connection of its own.
 */
#ifndef HF_NET_SMTP_H
#define HF_NET_SMTP_H

#include "base/buf.h"
#include "base/ctx.h"

enum { SMTP_TO_MAX = 32, SMTP_REPLY = 256 };

struct smtp_params {
	const char *url;             /* "smtp://host:587", "smtps://host" */
	const char *user, *password; /* NULL: no login */
	bool plain;          /* without TLS where the server offers none; never with a login */
	const char *ca_file; /* PEM; NULL: the system's */
	int64_t deadline_ns; /* for all of it; 0: 60 s */
};

struct smtp_message {
	const char *from;      /* addresses, as smtp_address_good has them */
	const char *const *to; /* at most SMTP_TO_MAX */
	size_t nto;
	struct span text; /* header, empty line, body; lines end in CR LF */
};

/*
 * "name@host", nothing else: no blanks, no control characters, nothing that would end the command
 * it stands in.  ERR_USAGE says what is wrong.
 */
int smtp_address_good(const char *s, struct err *e);

/* "smtp://" or "smtps://", a host, perhaps a port; no login, no path.  ERR_USAGE. */
int smtp_url_good(const char *url, struct err *e);

/*
 * 0: the server has taken it, for one of them at least; `refused` says whom it did not want and
 * why, "" if all are well.  Errors: ERR_UNREACHABLE, ERR_TIMEOUT, ERR_BUSY (it said: later),
 * ERR_DENIED (login, certificate, no TLS), ERR_FAILED (it said: never), ERR_USAGE, ERR_CANCELLED.
 */
int smtp_send(const struct smtp_params *p, const struct smtp_message *m, struct ctx *ctx,
    char refused[SMTP_REPLY], struct err *e);

#endif
