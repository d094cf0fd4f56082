/* smtp: see smtp.h. */
#include "net/smtp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/wire.h"

enum { CONNECT_MS = 15000, DEADLINE_MS = 60000, ADDRESS_MAX = 254 };

struct sending {
	const struct wire *wire;
	struct ctx *ctx;
	struct wire_body body;
	char reply[SMTP_REPLY];    /* the server's last line */
	char refused[SMTP_REPLY];  /* the last of 4.. and 5.. */
	bool naming;               /* the last command named a recipient */
	char unwanted[SMTP_REPLY]; /* what was said of the last who is not wanted */
};

int smtp_address_good(const char *s, struct err *e)
{
	const char *at = strrchr(s, '@');
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c > 0x7e) {
			err_set(e, ERR_USAGE, "'%.64s' has letters beyond ASCII", s);
			return err_hint(e, "write a host's name as xn--...");
		}
		if (c <= ' ' || strchr("<>(),;:\\\"[]", c) != NULL) {
			err_set(e, ERR_USAGE, "an address holds no '%c'", c < ' ' ? '?' : c);
			return err_hint(e, "one address alone, as in boss@example.com");
		}
	}
	if (at == NULL || at == s || at[1] == '\0' || strchr(s, '@') != at || n > ADDRESS_MAX ||
	    s[0] == '-') {
		err_set(e, ERR_USAGE, "'%.64s' is not a mail address", s);
		return err_hint(e, "as in boss@example.com");
	}
	return 0;
}

static int not_url(struct err *e, const char *why)
{
	err_set(e, ERR_USAGE, "%s", why);
	return err_hint(e, "smtps://HOST (TLS, port 465) or smtp://HOST:587 (STARTTLS)");
}

int smtp_url_good(const char *url, struct err *e)
{
	const char *host = strncmp(url, "smtps://", 8) == 0  ? url + 8
			   : strncmp(url, "smtp://", 7) == 0 ? url + 7
							     : NULL;
	const char *colon;

	if (host == NULL)
		return not_url(e, "it is not the URL of a mail server");
	if (strchr(host, '@') != NULL) {
		err_set(e, ERR_USAGE, "a login stands in the URL");
		return err_hint(e, "it goes into user and password");
	}
	if (host[0] == '\0' || host[0] == ':')
		return not_url(e, "the URL of the mail server has no host");
	for (const char *c = host; *c; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c > 0x7e || strchr("/?#\\", *c))
			return not_url(e, "nothing goes after the mail server's host and port");
	colon = host[0] == '[' ? strstr(host, "]:") : strchr(host, ':');
	if (colon != NULL) {
		const char *port = colon + (host[0] == '[' ? 2 : 1);
		size_t n = strlen(port);
		long v = n <= 5 ? strtol(port, NULL, 10) : 0;

		if (strspn(port, "0123456789") != n || v < 1 || v > 65535)
			return not_url(e, "the mail server's port is not a number from 1 to 65535");
	}
	return 0;
}

/* Every line that the server says, of whichever command. */
static size_t on_line(char *p, size_t size, size_t n, void *arg)
{
	struct sending *s = arg;
	size_t k = size * n, len = 0;

	for (; len < k && len < sizeof s->reply - 1 && p[len] != '\r' && p[len] != '\n'; len++)
		s->reply[len] = p[len] >= ' ' && p[len] <= '~' ? p[len] : '?';
	s->reply[len] = '\0';
	if (len > 3 && (s->reply[0] == '4' || s->reply[0] == '5') && s->reply[3] == ' ') {
		memcpy(s->refused, s->reply, sizeof s->refused);
		if (s->naming)
			memcpy(s->unwanted, s->reply, sizeof s->unwanted);
	}
	return k;
}

/* Of what is sent only the command's name is looked at: there are passwords in it. */
static int on_command(CURL *c, curl_infotype type, char *p, size_t n, void *arg)
{
	struct sending *s = arg;

	(void)c;
	if (type == CURLINFO_HEADER_OUT)
		s->naming = n >= 5 && memcmp(p, "RCPT ", 5) == 0;
	return 0;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct sending *s = arg;

	(void)a, (void)b, (void)c, (void)d;
	return s->ctx && ctx_cancelled(s->ctx);
}

/* Its own words, where it said no. */
static int refusal(const struct sending *s, const char *text, struct err *e)
{
	const char *said = s->refused[0] ? s->refused : s->reply;

	if (said[0] == '4')
		return err_set(e, ERR_BUSY, "the mail server said: %s", said);
	if (said[0] == '5')
		return err_set(e, ERR_FAILED, "the mail server said: %s", said);
	return err_set(e, ERR_UNREACHABLE, "%s", text);
}

static int explain(const struct sending *s, CURLcode c, const char *detail, struct err *e)
{
	const char *text = *detail ? detail : s->wire->easy_strerror(c);

	switch (c) {
	case CURLE_ABORTED_BY_CALLBACK:
		return err_set(e, ERR_CANCELLED, "interrupted");
	case CURLE_OPERATION_TIMEDOUT:
		return err_set(e, ERR_TIMEOUT, "%s", text);
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return err_set(e, ERR_USAGE, "%s", text);
	case CURLE_LOGIN_DENIED:
		if (s->refused[0] == '4')
			return refusal(s, text, e);
		err_set(e, ERR_DENIED, "the mail server refused the login: %s",
		    s->refused[0] ? s->refused : text);
		return err_hint(e, "check user and password; some providers want an app password");
	case CURLE_USE_SSL_FAILED:
		err_set(e, ERR_DENIED, "the mail server offers no STARTTLS");
		return err_hint(e, "smtps:// speaks TLS at once; without a login 'tls: optional' "
				   "sends in the clear");
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		err_set(e, ERR_DENIED, "certificate not accepted: %s", text);
		return err_hint(e, "is this the right host, and its clock and ours right? A "
				   "certificate authority of your own is named by ca_file");
	case CURLE_SSL_CACERT_BADFILE:
		err_set(e, ERR_USAGE, "%s", text);
		return err_hint(e, "ca_file must name a file of PEM certificates");
	case CURLE_COULDNT_RESOLVE_HOST:
		err_set(e, ERR_UNREACHABLE, "%s", text);
		return err_hint(e, "is the name right, and does this machine reach a name server?");
	case CURLE_FAILED_INIT:
	case CURLE_OUT_OF_MEMORY:
		return err_set(e, ERR_FAILED, "%s", text);
	default:
		return refusal(s, text, e);
	}
}

static void set_options(struct sending *s, CURL *c, const struct smtp_params *p,
    const struct smtp_message *m, struct curl_slist *to, char *detail)
{
	CURLcode (*set)(CURL *, CURLoption, ...) = s->wire->easy_setopt;

	set(c, CURLOPT_URL, p->url);
	set(c, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	set(c, CURLOPT_NOSIGNAL, 1L);
	set(c, CURLOPT_USE_SSL, (long)(p->plain && !p->user ? CURLUSESSL_TRY : CURLUSESSL_ALL));
	if (p->ca_file)
		set(c, CURLOPT_CAINFO, p->ca_file);
	if (p->user) {
		set(c, CURLOPT_USERNAME, p->user);
		set(c, CURLOPT_PASSWORD, p->password ? p->password : "");
	}
	set(c, CURLOPT_MAIL_FROM, m->from);
	set(c, CURLOPT_MAIL_RCPT, to);
	set(c, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
	set(c, CURLOPT_UPLOAD, 1L);
	set(c, CURLOPT_READFUNCTION, wire_send);
	set(c, CURLOPT_READDATA, &s->body);
	set(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)m->text.n);
	set(c, CURLOPT_ERRORBUFFER, detail);
	set(c, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	set(c, CURLOPT_TIMEOUT_MS,
	    p->deadline_ns ? (long)(p->deadline_ns / 1000000) : (long)DEADLINE_MS);
	set(c, CURLOPT_NOPROGRESS, 0L);
	set(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	set(c, CURLOPT_XFERINFODATA, s);
	set(c, CURLOPT_HEADERFUNCTION, on_line);
	set(c, CURLOPT_HEADERDATA, s);
	set(c, CURLOPT_VERBOSE, 1L);
	set(c, CURLOPT_DEBUGFUNCTION, on_command);
	set(c, CURLOPT_DEBUGDATA, s);
	set(c, CURLOPT_WRITEFUNCTION, on_line);
	set(c, CURLOPT_WRITEDATA, s);
}

int smtp_send(const struct smtp_params *p, const struct smtp_message *m, struct ctx *ctx,
    char refused[SMTP_REPLY], struct err *e)
{
	struct sending s = {.wire = wire_open(e), .ctx = ctx, .body.data = m->text};
	struct curl_slist *to = NULL;
	char detail[CURL_ERROR_SIZE] = "";
	CURLcode rc;
	CURL *c;

	refused[0] = '\0';
	if (s.wire == NULL || smtp_url_good(p->url, e) == -1 || smtp_address_good(m->from, e) == -1)
		return -1;
	for (size_t i = 0; i < m->nto; i++)
		if (smtp_address_good(m->to[i], e) == -1)
			return -1;
	for (size_t i = 0; i < m->nto; i++)
		to = mem_checked(s.wire->slist_append(to, m->to[i]));
	c = mem_checked(s.wire->easy_init());
	set_options(&s, c, p, m, to, detail);
	rc = s.wire->easy_perform(c);
	s.wire->easy_cleanup(c);
	s.wire->slist_free_all(to);
	if (rc != CURLE_OK)
		return explain(&s, rc, detail, e);
	memcpy(refused, s.unwanted, SMTP_REPLY);
	return 0;
}
