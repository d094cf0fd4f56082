/*
 * notify_mail: a message as a mail (RFC 5322, MIME), pure text.
 *
 * Lines end in CR LF and are at most 76 letters long; what is beyond ASCII is encoded (RFC 2047
 * in the header, quoted-printable in the body).
 *
 * Threads: any.
 */
#ifndef HF_NOTIFY_NOTIFY_MAIL_H
#define HF_NOTIFY_NOTIFY_MAIL_H

#include "base/buf.h"
#include "notify/notify.h"

/* "Sat, 21 Nov 2026 20:51:00 +0000" */
void notify_mail_date(struct buf *b, int64_t ns);
/* "Name: value" folded and encoded, with its CR LF; the value is one line of clean text. */
void notify_mail_header(struct buf *b, const char *name, const char *value);
/* Quoted-printable with CR LF; s has '\n'. */
void notify_mail_quoted(struct buf *b, const char *s);

/* All of it, from clean texts. */
void notify_mail_write(
    struct buf *b, const struct notify_channel *c, const struct notify_message *m);

#endif
