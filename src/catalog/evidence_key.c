/* evidence_key: see evidence_key.h. */
#include "catalog/evidence_key.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/hex.h"
#include "os/os.h"

enum { FILE_MAX = 65536, DER_MAX = 64 };

/* What stands before the 32 bytes in DER: OID 1.3.101.112 in its wrappings. */
struct shape {
	const char *begin, *end;
	uint8_t der[16];
	size_t n;
};

static const struct shape PRIVATE = {"-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----",
    {0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20}, 16};
static const struct shape PUBLIC = {"-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----",
    {0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0}, 12};

static void put(struct buf *b, const struct shape *s, const uint8_t key[CRYPTO_KEY])
{
	uint8_t der[DER_MAX];
	char *text;

	memcpy(der, s->der, s->n);
	memcpy(der + s->n, key, CRYPTO_KEY);
	text = base64_encode(span_of(der, s->n + CRYPTO_KEY));
	buf_printf(b, "%s\n%s\n%s\n", s->begin, text, s->end);
	crypto_wipe(der, sizeof der);
	crypto_wipe(text, strlen(text));
	free(text);
}

/* The next key of this shape; *at moves behind it.  false: there is none, or it is another's. */
static bool take(const char **at, const struct shape *s, uint8_t key[CRYPTO_KEY])
{
	const char *p = strstr(*at, s->begin), *end = p ? strstr(p, s->end) : NULL;
	char text[2 * DER_MAX];
	size_t n = 0, len = 0;
	uint8_t *der;
	bool good;

	if (end == NULL)
		return false;
	for (p += strlen(s->begin); p < end && n + 1 < sizeof text; p++)
		if (!isspace((unsigned char)*p))
			text[n++] = *p;
	text[n] = '\0';
	der = p == end ? base64_decode(text, &len) : NULL;
	good = der != NULL && len == s->n + CRYPTO_KEY && memcmp(der, s->der, s->n) == 0;
	if (good)
		memcpy(key, der + s->n, CRYPTO_KEY);
	if (der != NULL)
		crypto_wipe(der, len);
	crypto_wipe(text, sizeof text);
	free(der);
	*at = end + strlen(s->end);
	return good;
}

static void wipe(struct buf *b)
{
	if (b->p != NULL)
		crypto_wipe(b->p, b->cap);
	buf_fini(b);
}

int evidence_key_read(const char *path, uint8_t priv[CRYPTO_KEY], struct err *e)
{
	struct buf b = {0};
	const char *at;
	int rc = os_read_file(path, FILE_MAX, &b, e);

	if (rc == 0) {
		at = buf_cstr(&b);
		if (!take(&at, &PRIVATE, priv))
			rc = err_set(
			    e, ERR_CORRUPT, "%s: this is no Ed25519 private key in PEM", path);
	}
	wipe(&b);
	return rc;
}

int evidence_key_write(const char *path, const uint8_t priv[CRYPTO_KEY], struct err *e)
{
	struct buf b = {0};
	int rc;

	buf_reserve(&b, 512); /* it does not move: no copy is left behind */
	put(&b, &PRIVATE, priv);
	rc = os_file_replace(path, buf_span(&b), 0600, e);
	wipe(&b);
	return rc;
}

int evidence_public_parse(
    struct span text, uint8_t out[][CRYPTO_KEY], size_t max, size_t *n, struct err *e)
{
	struct buf b = {0};
	const char *at;

	buf_put_span(&b, text);
	at = buf_cstr(&b);
	for (*n = 0; *n < max && take(&at, &PUBLIC, out[*n]);)
		++*n;
	buf_fini(&b);
	return *n ? 0 : err_set(e, ERR_CORRUPT, "this is no Ed25519 public key in PEM");
}

int evidence_public_read(
    const char *path, uint8_t out[][CRYPTO_KEY], size_t max, size_t *n, struct err *e)
{
	struct buf b = {0};
	int rc = os_read_file(path, FILE_MAX, &b, e);

	if (rc == 0 && evidence_public_parse(buf_span(&b), out, max, n, e) == -1)
		rc = err_wrap(e, "%s", path);
	buf_fini(&b);
	return rc;
}

void evidence_public_text(struct buf *b, const uint8_t pub[CRYPTO_KEY])
{
	put(b, &PUBLIC, pub);
}
