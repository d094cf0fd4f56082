/* log_name: what streams and stretches are called (format.md 12). */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "repo/log_internal.h"

/* Whose: the first half, so that who holds the mark key, as everybody does, can tell. */
static void half(const struct repo *r, const char *what, const uint8_t domain[FORMAT_UID],
    struct span names, uint8_t out[8])
{
	uint8_t h[32];

	crypto_mac3(r->mark_key->key, span_str(what), span_of(domain, FORMAT_UID), names, h);
	memcpy(out, h, 8);
}

static void stream_of(const struct repo *r, const struct domain *d, const char *system,
    const char *source, uint8_t out[LOG_STREAM])
{
	struct buf names = {0};

	buf_put(&names, system, strlen(system) + 1);
	buf_put(&names, source, strlen(source));
	half(r, "holdfast/1 log domain", d->id, span_of(NULL, 0), out);
	half(r, "holdfast/1 log stream", d->id, buf_span(&names), out + 8);
	buf_fini(&names);
}

void log_stream(struct repo *r, const char *system, const char *source, uint8_t out[LOG_STREAM])
{
	stream_of(r, &r->domains[r->own], system, source, out);
}

void log_stream_in(
    struct repo *r, size_t i, const char *system, const char *source, uint8_t out[LOG_STREAM])
{
	stream_of(r, &r->domains[i], system, source, out);
}

uint64_t log_stream_domain(struct repo *r, const uint8_t stream[LOG_STREAM])
{
	uint8_t h[8];

	for (size_t i = 0; i < r->ndomains; i++) {
		half(r, "holdfast/1 log domain", r->domains[i].id, span_of(NULL, 0), h);
		if (memcmp(h, stream, sizeof h) == 0)
			return r->domains[i].tag;
	}
	return 0;
}

const char *log_name(
    char out[LOG_NAME_MAX], const uint8_t stream[LOG_STREAM], const struct log_at *at)
{
	char hex[2 * LOG_STREAM + 1], id[ID_HEX];

	hex_encode(hex, stream, LOG_STREAM);
	id_hex(id, &at->object);
	if (at->kind == LOG_HISTORY)
		snprintf(out, LOG_NAME_MAX, "logs/%s/%08x/history.%s", hex, at->timeline, id);
	else
		snprintf(out, LOG_NAME_MAX, "logs/%s/%08x/%016llx-%016llx.%s%s", hex, at->timeline,
		    (unsigned long long)at->start, (unsigned long long)at->end,
		    at->kind == LOG_PARTIAL ? "partial." : "", id);
	return out;
}

/* Exactly `digits` of a number in lower case; moves on. */
static bool take_hex(const char **s, size_t digits, uint64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < digits; i++, (*s)++) {
		if (!isxdigit((unsigned char)**s) || isupper((unsigned char)**s))
			return false;
		*out = *out << 4 | (uint64_t)(**s <= '9' ? **s - '0' : **s - 'a' + 10);
	}
	return true;
}

static bool take_text(const char **s, const char *text)
{
	size_t n = strlen(text);

	if (strncmp(*s, text, n) != 0)
		return false;
	*s += n;
	return true;
}

static bool take_range(const char **s, struct log_at *at)
{
	at->kind = LOG_SEGMENT;
	if (!take_hex(s, 16, &at->start) || !take_text(s, "-") || !take_hex(s, 16, &at->end) ||
	    !take_text(s, ".") || at->start >= at->end)
		return false;
	if (take_text(s, "partial."))
		at->kind = LOG_PARTIAL;
	return true;
}

bool log_name_parse(const char *key, uint8_t stream[LOG_STREAM], struct log_at *at)
{
	uint64_t byte, timeline;
	char again[LOG_NAME_MAX];
	const char *whole = key;

	memset(at, 0, sizeof *at);
	if (!take_text(&key, "logs/"))
		return false;
	for (size_t i = 0; i < LOG_STREAM; i++) {
		if (!take_hex(&key, 2, &byte))
			return false;
		stream[i] = (uint8_t)byte;
	}
	if (!take_text(&key, "/") || !take_hex(&key, 8, &timeline) || !take_text(&key, "/"))
		return false;
	at->timeline = (uint32_t)timeline;
	if (take_text(&key, "history."))
		at->kind = LOG_HISTORY;
	else if (!take_range(&key, at))
		return false;
	/* Letters may be read in other ways than they are written. */
	return strlen(key) == ID_HEX - 1 && id_parse(&at->object, key) &&
	       strcmp(log_name(again, stream, at), whole) == 0;
}

void log_place(uint8_t out[FORMAT_PLACE], const uint8_t stream[LOG_STREAM], const struct log_at *at)
{
	struct buf b = {0};

	buf_put(&b, stream, LOG_STREAM);
	buf_put_u32(&b, at->timeline);
	buf_put_u64(&b, at->start);
	buf_put_u64(&b, at->end);
	buf_put_u8(&b, (uint8_t)at->kind);
	memcpy(out, b.p, FORMAT_PLACE);
	buf_fini(&b);
}

static int order(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

int log_at_cmp(const void *pa, const void *pb)
{
	const struct log_at *a = pa, *b = pb;
	int c = order(a->kind, b->kind);

	if (c == 0)
		c = order(a->timeline, b->timeline);
	if (c == 0)
		c = order(a->start, b->start);
	if (c == 0)
		c = order(a->end, b->end);
	if (c == 0)
		c = (a->stored_ns > b->stored_ns) - (a->stored_ns < b->stored_ns);
	return c ? c : id_cmp(&a->object, &b->object);
}

void log_at_insert(struct log_at **v, size_t *n, size_t *cap, const struct log_at *at)
{
	size_t i = *n;

	if (*n == *cap) {
		*cap = *cap ? 2 * *cap : 64;
		*v = mem_realloc(*v, *cap * sizeof **v);
	}
	while (i > 0 && log_at_cmp(&(*v)[i - 1], at) > 0)
		i--; /* it nearly always comes last */
	memmove(&(*v)[i + 1], &(*v)[i], (*n - i) * sizeof **v);
	(*v)[i] = *at;
	(*n)++;
}

struct each {
	struct repo *r;
	log_visit *visit;
	void *arg;
};

static int each_visit(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct each *x = arg;
	uint8_t stream[LOG_STREAM];
	struct log_at at;

	if (!log_name_parse(key, stream, &at)) {
		repo_warn(x->r, key, "not a stretch of a log; left alone");
		return 0;
	}
	at.size = st->size;
	at.stored_ns = st->mtime_ns;
	return x->visit(x->arg, stream, &at, e);
}

int log_each(struct repo *r, log_visit *visit, void *arg, struct err *e)
{
	struct each x = {r, visit, arg};

	return store_list(r->store, "logs/", each_visit, &x, e);
}

struct list {
	struct log_at *v;
	size_t n, cap;
};

static int list_visit(
    void *arg, const uint8_t stream[LOG_STREAM], const struct log_at *at, struct err *e)
{
	struct list *l = arg;

	(void)stream, (void)e;
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 64;
		l->v = mem_realloc(l->v, l->cap * sizeof *l->v);
	}
	l->v[l->n++] = *at;
	return 0;
}

int log_list(
    struct repo *r, const uint8_t stream[LOG_STREAM], struct log_at **v, size_t *n, struct err *e)
{
	struct list l = {0};
	struct each x = {r, list_visit, &l};
	char hex[2 * LOG_STREAM + 1], prefix[LOG_STREAM * 2 + 8];

	snprintf(prefix, sizeof prefix, "logs/%s/", hex_encode(hex, stream, LOG_STREAM));
	if (store_list(r->store, prefix, each_visit, &x, e) == -1) {
		free(l.v);
		return -1;
	}
	if (l.n > 1)
		qsort(l.v, l.n, sizeof *l.v, log_at_cmp);
	*v = l.v;
	*n = l.n;
	return 0;
}

struct streams {
	uint8_t (*v)[LOG_STREAM];
	size_t n;
};

static int streams_visit(
    void *arg, const uint8_t stream[LOG_STREAM], const struct log_at *at, struct err *e)
{
	struct streams *s = arg;

	(void)at, (void)e;
	for (size_t i = s->n; i > 0; i--)
		if (memcmp(s->v[i - 1], stream, LOG_STREAM) == 0)
			return 0;
	s->v = mem_realloc(s->v, (s->n + 1) * sizeof *s->v);
	memcpy(s->v[s->n++], stream, LOG_STREAM);
	return 0;
}

int log_streams(struct repo *r, uint8_t (**v)[LOG_STREAM], size_t *n, struct err *e)
{
	struct streams s = {0};

	if (log_each(r, streams_visit, &s, e) == -1) {
		free(s.v);
		return -1;
	}
	*v = s.v;
	*n = s.n;
	return 0;
}

int log_find(struct repo *r, const char *system, const char *source, uint8_t (**v)[LOG_STREAM],
    size_t *n, struct err *e)
{
	uint8_t(*all)[LOG_STREAM], own[LOG_STREAM];
	size_t count, kept = 0;

	if (log_streams(r, &all, &count, e) == -1)
		return -1;
	log_stream(r, system, source, own);
	for (size_t i = 0; i < count; i++) {
		bool fits = false;

		for (size_t d = 0; d < r->ndomains && !fits; d++) {
			uint8_t stream[LOG_STREAM];

			stream_of(r, &r->domains[d], system, source, stream);
			fits = memcmp(stream, all[i], LOG_STREAM) == 0;
		}
		if (!fits)
			continue;
		memmove(all[kept++], all[i], LOG_STREAM);
		if (memcmp(all[kept - 1], own, LOG_STREAM) == 0) {
			memcpy(all[kept - 1], all[0], LOG_STREAM);
			memcpy(all[0], own, LOG_STREAM);
		}
	}
	*v = all;
	*n = kept;
	return 0;
}
