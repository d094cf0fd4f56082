/* store_web: see store_web.h. */
#include "store/store_web.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"
#include "crypto/crypto.h"
#include "crypto/secret.h"
#include "os/os.h"
#include "store/store_options.h"

struct http *web_http_new(const struct store_far *far, struct ctx *ctx, struct err *e)
{
	struct http_params p = {
	    .ca_file = far->ca_file,
	    .connect_ns = far->connect_ns,
	    .stall_ns = far->stall_ns,
	    .deadline_ns = far->deadline_ns,
	};

	return http_new(&p, ctx, e);
}

struct store_pace web_pace(const struct store_far *far)
{
	struct store_pace p = store_pace_far;

	if (far->retries)
		p.more = (int)far->retries;
	return p;
}

bool web_good(const struct http_answer *a)
{
	return a->status >= 200 && a->status <= 299;
}

enum { CLOCK_OFF_S = 5 * 60 };

static enum err_kind kind_of_status(int status)
{
	switch (status) {
	case 301: /* of S3: the bucket is elsewhere */
	case 307:
	case 308:
	case 400:
	case 405:
		return ERR_USAGE;
	case 401:
	case 403:
		return ERR_DENIED;
	case 404:
	case 410:
		return ERR_ABSENT;
	case 408:
		return ERR_TIMEOUT;
	case 412:
		return ERR_EXISTS;
	case 413:
	case 507:
		return ERR_NO_SPACE;
	case 416:
		return ERR_CORRUPT;
	case 423:
	case 429:
		return ERR_UNREACHABLE;
	case 501:
		return ERR_UNSUPPORTED;
	default:
		return status >= 500 ? ERR_UNREACHABLE : ERR_FAILED;
	}
}

static const char *hint_of(enum err_kind kind)
{
	switch (kind) {
	case ERR_DENIED:
		return "the credentials are wrong, or lack a permission for this";
	case ERR_NO_SPACE:
		return "make room there, or `holdfast prune`";
	default:
		return NULL;
	}
}

static void clean(const char *s, char *out, size_t size)
{
	size_t n = 0;

	for (; s && *s && n < size - 1; s++)
		out[n++] = *s >= 0x20 && *s < 0x7f ? *s : ' ';
	out[n] = '\0';
}

int web_refused(const struct http_answer *a, const char *code, const char *message,
    const struct web_meaning *table, size_t n, struct err *e)
{
	enum err_kind kind = kind_of_status(a->status);
	const char *hint = hint_of(kind);
	char c[64], m[256];

	clean(code, c, sizeof c);
	clean(message, m, sizeof m);
	for (size_t i = 0; i < n; i++)
		if (strcmp(table[i].code, c) == 0) {
			kind = table[i].kind;
			hint = table[i].hint ? table[i].hint : hint_of(kind);
		}
	err_set(e, kind, "the store answered %d%s%s%s%s", a->status, c[0] ? " " : "", c,
	    m[0] ? ": " : "", m);
	if (hint)
		err_hint(e, "%s", hint);
	if (kind == ERR_DENIED)
		web_clock_hint(a, e);
	return -1;
}

void web_clock_hint(const struct http_answer *a, struct err *e)
{
	const char *date = http_header(a, "date");
	int64_t theirs = date ? http_date_ns(date) : -1;
	int64_t off = theirs == -1 ? 0 : (os_clock()->wall_ns(os_clock()) - theirs) / 1000000000;

	if (off < -CLOCK_OFF_S || off > CLOCK_OFF_S)
		err_hint(e, "this machine's clock is %lld minutes %s the store's: set it",
		    (long long)(off < 0 ? -off : off) / 60, off < 0 ? "behind" : "ahead of");
}

static int nobody(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	(void)arg, (void)key, (void)st, (void)e;
	return 0;
}

/* The rights that everything after init needs; better missed now than half-way. */
static int try_rights(
    struct store *s, const char *key, const struct web_rights *rights, struct err *e)
{
	char byte;

	if (s->ops->get(s, key, 0, &byte, 1, e) == -1)
		return err_wrap(e, "read what was put (%s)", rights->get);
	if (s->ops->list(s, "config/", nobody, NULL, e) == -1)
		return err_wrap(e, "list what is there (%s)", rights->list);
	return 0;
}

int web_try_rights(struct store *s, const char *key, const struct web_rights *rights,
    struct ctx *ctx, struct err *e)
{
	int rc = rights ? try_rights(s, key, rights, e) : 0;
	struct err gone;

	if (s->ops->del(s, key, &gone) == 0)
		return rc;
	if (gone.kind != ERR_DENIED && rc == 0) {
		*e = gone;
		return -1;
	}
	/* Who may add and not delete is as safe as can be: only prune needs more. */
	event_emit(ctx, EVENT_NOTICE, span_str(s->url),
	    "these credentials may not delete: prune needs others");
	return rc;
}

int web_stat(const struct http_answer *a, struct store_stat *out, struct err *e)
{
	const char *size = http_header(a, "content-length");
	const char *date = http_header(a, "last-modified");

	if (size == NULL || date == NULL || http_date_ns(date) == -1)
		return err_set(e, ERR_CORRUPT, "the store tells no size or no time");
	*out = (struct store_stat){
	    .size = strtoull(size, NULL, 10), .mtime_ns = http_date_ns(date)};
	return 0;
}

int web_range_came(const struct http_answer *a, size_t len, struct err *e)
{
	if (a->status != 206)
		return err_set(
		    e, ERR_CORRUPT, "a range was asked for, and the store answered %d", a->status);
	if (a->got != len)
		return err_set(e, ERR_CORRUPT, "the object ends after %zu of the %zu bytes wanted",
		    a->got, len);
	return 0;
}

bool web_range_odd(uint64_t off, size_t len)
{
	return len == 0 || off > INT64_MAX - len;
}

int web_get_odd(struct store *s, const char *key, uint64_t off, size_t len, struct err *e)
{
	struct store_stat st = {0};

	if (s->ops->stat(s, key, &st, e) == -1)
		return -1;
	if (len == 0 && off <= st.size)
		return 0;
	return err_set(e, ERR_CORRUPT, "the object ends before");
}

int web_still_ours(struct store *s, const char *key, struct span data, struct err *e)
{
	enum { COMPARED_MAX = 1 << 20 };
	struct store_stat there = {0};
	uint8_t *p;
	int rc = s->ops->stat(s, key, &there, e);

	if (rc == -1)
		return -1;
	if (there.size != data.n)
		return err_set(e, ERR_EXISTS, "another was put at the same time");
	if (data.n == 0 || data.n > COMPARED_MAX)
		return 0;
	p = mem_alloc(data.n);
	rc = s->ops->get(s, key, 0, p, data.n, e);
	if (rc == 0 && memcmp(p, data.p, data.n) != 0)
		rc = err_set(e, ERR_EXISTS, "another was put at the same time");
	free(p);
	return rc;
}

char *web_prefix(const char *s, struct err *e)
{
	struct buf b = {0};
	char *out;

	while (*s) {
		size_t n = strcspn(s, "/");

		if (n > 0) {
			buf_put(&b, s, n);
			buf_put_u8(&b, '/');
		}
		s += n + (s[n] == '/');
	}
	out = mem_strndup(buf_cstr(&b), b.n);
	buf_fini(&b);
	if (strlen(out) <= 512)
		return out;
	free(out);
	err_set(e, ERR_USAGE, "the prefix is longer than 512 bytes");
	return NULL;
}

bool web_host_good(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
			(s[i] >= '0' && s[i] <= '9') || memchr("-.:[]_", s[i], 6)))
			return false;
	return n > 0;
}

const char *web_env(const char *name)
{
	const char *v = getenv(name);

	return v && *v ? v : NULL;
}

const char *web_split(const char *rest, char **user, char **host, const char **path)
{
	const char *name = rest + 2, *at;
	size_t n;

	if (strncmp(rest, "//", 2) != 0)
		return "the host is missing";
	n = strcspn(name, "/");
	*path = name + n;
	at = memrchr(name, '@', n);
	if (at && memchr(name, ':', (size_t)(at - name)))
		return "passwords do not belong into the URL";
	if (at) {
		*user = mem_strndup(name, (size_t)(at - name));
		name = at + 1;
	}
	*host = mem_strndup(name, (size_t)(*path - name));
	return web_host_good(*host, strlen(*host)) ? NULL
						   : "the host is missing or not a host's name";
}

int web_password(const char *variable, const char *file, char **out, struct err *e)
{
	const char *v = web_env(variable);
	struct buf text = {0};
	size_t n;

	*out = NULL;
	if (file && os_read_file(file, 4096, &text, e) == -1)
		return -1;
	if (!file && !v)
		return 0;
	if (!file)
		buf_put_span(&text, span_str(v));
	n = strcspn(buf_cstr(&text), "\r\n");
	*out = secret_new(n + 1);
	memcpy(*out, text.p, n);
	crypto_wipe(text.p, text.cap);
	buf_fini(&text);
	return 0;
}
