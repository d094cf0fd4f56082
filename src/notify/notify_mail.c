/* notify_mail: see notify_mail.h. */
#include "notify/notify_mail.h"

#include <stdlib.h>
#include <time.h>

#include "base/hex.h"
#include "base/mem.h"
#include "notify/notify_text.h"

enum {
	LINE_MAX_LETTERS = 76,
	WORD_BYTES = 42, /* 56 of base64: "=?UTF-8?B?" and "?=" make 68 */
};

void notify_mail_date(struct buf *b, int64_t ns)
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {
	    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t t = (time_t)(ns / 1000000000);
	struct tm tm;

	gmtime_r(&t, &tm); /* not strftime: a locale would change the names */
	buf_printf(b, "%s, %02d %s %04d %02d:%02d:%02d +0000", days[tm.tm_wday], tm.tm_mday,
	    months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static bool is_plain(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || (unsigned char)*s > '~')
			return false;
	return true;
}

/* Encoded words of whole letters, each on a line of its own. */
static void put_words(struct buf *b, const char *s)
{
	for (bool first = true; *s; first = false) {
		size_t n = strnlen(s, WORD_BYTES);
		char *word;

		while (s[n] != '\0' && ((unsigned char)s[n] & 0xc0) == 0x80)
			n--;
		word = base64_encode(span_of(s, n));
		buf_printf(b, "%s=?UTF-8?B?%s?=", first ? "" : "\r\n ", word);
		free(word);
		s += n;
	}
}

/* Broken before blanks, of which the reader makes one again. */
static void put_folded(struct buf *b, size_t column, const char *s)
{
	while (*s) {
		size_t n = strcspn(s + 1, " ") + 1; /* a blank in front, and the word */

		if (*s == ' ' && s[1] != ' ' && s[1] != '\0' && column + n > LINE_MAX_LETTERS) {
			buf_put(b, "\r\n", 2);
			column = 0;
		}
		buf_put(b, s, n);
		column += n;
		s += n;
	}
}

void notify_mail_header(struct buf *b, const char *name, const char *value)
{
	/* What looks like an encoded word must not be taken for one; very long words are cut. */
	bool encode = !is_plain(value) || strstr(value, "=?") != NULL || strlen(value) > 900;

	buf_printf(b, "%s: ", name);
	if (encode)
		put_words(b, value);
	else
		put_folded(b, strlen(name) + 2, value);
	buf_put(b, "\r\n", 2);
}

void notify_mail_quoted(struct buf *b, const char *s)
{
	size_t column = 0;

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		bool last = s[1] == '\n' || s[1] == '\0'; /* a blank there would be lost */
		bool as_is = (c > ' ' && c <= '~' && c != '=') ||
			     ((c == ' ' || c == '\t') && !last);

		if (c == '\n') {
			buf_put(b, "\r\n", 2);
			column = 0;
			continue;
		}
		/* Some gateways take "From " for the beginning of another message. */
		as_is = as_is && !(column == 0 && c == 'F' && strncmp(s, "From ", 5) == 0);
		if (column + (as_is ? 1 : 3) > LINE_MAX_LETTERS - 1) {
			buf_put(b, "=\r\n", 3);
			column = 0;
		}
		if (as_is)
			buf_put_u8(b, c);
		else
			buf_printf(b, "=%02X", c);
		column += as_is ? 1 : 3;
	}
	if (column > 0)
		buf_put(b, "\r\n", 2);
}

/* The name in front of our address; in quotes, or encoded, so that it is never an address. */
static void put_from(struct buf *b, const char *from, const char *host)
{
	char *name = mem_printf("Holdfast%s%s", host[0] ? " on " : "", host);

	buf_printf(b, "From: ");
	if (is_plain(name) && strlen(name) < 60 && strpbrk(name, "\"\\") == NULL &&
	    strstr(name, "=?") == NULL)
		buf_printf(b, "\"%s\"", name);
	else
		put_words(b, name);
	buf_printf(b, "\r\n <%s>\r\n", from);
	free(name);
}

static void put_to(struct buf *b, const struct notify_channel *c)
{
	for (size_t i = 0; i < c->nto; i++)
		buf_printf(b, "%s%s%s\r\n", i ? " " : "To: ", c->to[i], i + 1 < c->nto ? "," : "");
}

/* An id may have been anything. */
static void put_id(struct buf *b, const char *id, const char *from)
{
	buf_printf(b, "Message-ID: <");
	for (size_t i = 0; id[i] && i < 40; i++)
		buf_put_u8(b, strchr("<>@ ()[]\\,;:\"", id[i]) || (unsigned char)id[i] > '~'
				  ? '.'
				  : (uint8_t)id[i]);
	buf_printf(b, ".holdfast%s>\r\n", strrchr(from, '@'));
}

void notify_mail_write(
    struct buf *b, const struct notify_channel *c, const struct notify_message *m)
{
	struct buf body = {0};

	buf_printf(b, "Date: ");
	notify_mail_date(b, m->at_ns);
	buf_put(b, "\r\n", 2);
	put_from(b, c->from, m->host);
	put_to(b, c);
	notify_mail_header(b, "Subject", m->subject[0] ? m->subject : m->event);
	put_id(b, m->id, c->from);
	notify_mail_header(b, "X-Holdfast-Event", m->event);
	notify_mail_header(b, "X-Holdfast-Severity", notify_severity_name(m->severity));
	if (m->system)
		notify_mail_header(b, "X-Holdfast-System", m->system);
	buf_printf(b, "Auto-Submitted: auto-generated\r\n");
	if (m->severity == NOTIFY_CRITICAL && !m->recovered)
		buf_printf(b, "Importance: high\r\nX-Priority: 1\r\n");
	buf_printf(b, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
		      "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
	buf_printf(&body, "%s%s", m->text, m->text[0] ? "\n\n" : "");
	notify_text_facts(&body, m);
	notify_mail_quoted(b, buf_cstr(&body));
	buf_fini(&body);
}
