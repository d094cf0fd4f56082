/* sigv4: see sigv4.h. */
#include "net/sigv4.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hex.h"
#include "crypto/crypto.h"

struct line {
	const char *name; /* lower case, up to the colon */
	size_t name_n;
	const char *value;
};

static int by_name(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	size_t n = x->name_n < y->name_n ? x->name_n : y->name_n;
	int c = memcmp(x->name, y->name, n);

	return c ? c : (x->name_n > y->name_n) - (x->name_n < y->name_n);
}

/* The lines to be signed, sorted; host is one of them. */
static size_t pick_lines(const struct http_headers *h, const char *host, struct line *out)
{
	size_t n = 0;

	out[n++] = (struct line){"host", 4, host};
	for (size_t i = 0; i < h->n; i++) {
		const char *colon = strchr(h->v[i], ':');

		if (strncmp(h->v[i], "x-amz-", 6) != 0 || colon == NULL)
			continue;
		out[n++] = (struct line){
		    h->v[i], (size_t)(colon - h->v[i]), colon + 1 + strspn(colon + 1, " ")};
	}
	qsort(out, n, sizeof *out, by_name);
	return n;
}

static void put_names(struct buf *b, const struct line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_put_u8(b, ';');
		buf_put(b, lines[i].name, lines[i].name_n);
	}
}

/* Blanks in a row inside a value count as one. */
static void put_value(struct buf *b, const char *v)
{
	for (; *v; v++)
		if (*v != ' ' || (v[1] != ' ' && v[1] != '\0'))
			buf_put_u8(b, (uint8_t)*v);
}

static void put_hash(struct buf *b, struct span s)
{
	uint8_t digest[32];
	char hex[65];

	crypto_sha256(s, digest);
	hex_encode(hex, digest, 32);
	buf_put(b, hex, 64);
}

static void canonical_request(
    struct buf *b, const struct sigv4_request *r, const struct line *lines, size_t n)
{
	buf_printf(b, "%s\n%s\n%s\n", r->method, r->path, r->query);
	for (size_t i = 0; i < n; i++) {
		buf_put(b, lines[i].name, lines[i].name_n);
		buf_put_u8(b, ':');
		put_value(b, lines[i].value);
		buf_put_u8(b, '\n');
	}
	buf_put_u8(b, '\n');
	put_names(b, lines, n);
	buf_printf(b, "\n%s", r->payload);
}

static void signing_key(
    const struct sigv4_key *k, const struct sigv4_request *r, const char *day, uint8_t key[32])
{
	const char *steps[] = {r->region, r->service, "aws4_request"};
	struct buf b = {0};

	buf_printf(&b, "AWS4%s", k->secret);
	crypto_hmac_sha256(buf_span(&b), span_str(day), key);
	crypto_wipe(b.p, b.cap);
	buf_fini(&b);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
		crypto_hmac_sha256(span_of(key, 32), span_str(steps[i]), key);
}

void sigv4_sign(const struct sigv4_key *k, const struct sigv4_request *r, struct http_headers *h)
{
	struct line lines[HTTP_HEADERS_MAX + 1];
	struct buf request = {0}, text = {0}, names = {0};
	time_t t = (time_t)(r->now_ns / 1000000000);
	char date[17], day[9], hex[65];
	uint8_t key[32];
	struct tm tm;
	size_t n;

	gmtime_r(&t, &tm);
	strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", &tm);
	strftime(day, sizeof day, "%Y%m%d", &tm);
	http_headers_add(h, "x-amz-date: %s", date);
	http_headers_add(h, "x-amz-content-sha256: %s", r->payload);
	if (k->token)
		http_headers_add(h, "x-amz-security-token: %s", k->token);
	n = pick_lines(h, r->host, lines);
	canonical_request(&request, r, lines, n);
	buf_printf(&text, "AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n", date, day, r->region,
	    r->service);
	put_hash(&text, buf_span(&request));
	signing_key(k, r, day, key);
	crypto_hmac_sha256(span_of(key, 32), buf_span(&text), key);
	hex_encode(hex, key, 32);
	put_names(&names, lines, n);
	http_headers_add(h,
	    "authorization: AWS4-HMAC-SHA256 Credential=%s/%s/%s/%s/aws4_request, "
	    "SignedHeaders=%s, Signature=%s",
	    k->access, day, r->region, r->service, buf_cstr(&names), hex);
	crypto_wipe(key, sizeof key);
	buf_fini(&request);
	buf_fini(&text);
	buf_fini(&names);
}
