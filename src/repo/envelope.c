/* envelope: see envelope.h and doc/format.md 4. */
#include "repo/envelope.h"

#include <stdio.h>
#include <string.h>

#include "base/cursor.h"
#include "base/hex.h"

static const char MAGIC[] = "HOLDFAST";

void envelope_begin(
    struct buf *out, enum format_type type, const uint8_t *const *sealed_keys, size_t nkeys)
{
	buf_put(out, MAGIC, 8);
	buf_put_u8(out, FORMAT_VERSION);
	buf_put_u8(out, (uint8_t)type);
	buf_put_u8(out, (uint8_t)nkeys);
	buf_put_u8(out, 0);
	for (size_t i = 0; i < nkeys; i++)
		buf_put(out, sealed_keys[i], FORMAT_SEALED_KEY);
}

void envelope_section(struct sealer *s, struct buf *out, const struct seal_key *key,
    enum format_purpose purpose, struct span payload)
{
	struct buf plain = {0};
	size_t padded = seal_padme(payload.n + 4);
	uint8_t h[32];

	buf_put_u32(&plain, (uint32_t)payload.n);
	buf_put_span(&plain, payload);
	buf_put_zeros(&plain, padded - plain.n);
	crypto_sha256(buf_span(&plain), h);
	buf_put_u32(out, (uint32_t)(plain.n + FORMAT_BOX));
	seal_box(s, key, purpose, span_of(h, sizeof h), span_of(NULL, 0), buf_span(&plain),
	    buf_extend(out, plain.n + FORMAT_BOX));
	crypto_wipe(plain.p, plain.n);
	buf_fini(&plain);
}

void envelope_sign_text(const uint8_t repo[FORMAT_UID], enum format_type type, struct span covered,
    uint8_t out[80], size_t *n)
{
	static const char text[] = "holdfast/1 sig";
	size_t at = sizeof text - 1;

	memcpy(out, text, at);
	out[at++] = (uint8_t)type;
	memcpy(out + at, repo, FORMAT_UID);
	at += FORMAT_UID;
	crypto_sha256(covered, out + at);
	*n = at + 32;
}

void envelope_sign(struct sealer *s, struct buf *out, const struct seal_key *key,
    const uint8_t signer[FORMAT_UID], const uint8_t signing_key[CRYPTO_KEY])
{
	uint8_t payload[FORMAT_UID + CRYPTO_SIG], text[80];
	size_t n;

	envelope_sign_text(s->repo, (enum format_type)out->p[9], buf_span(out), text, &n);
	memcpy(payload, signer, FORMAT_UID);
	crypto_sign(signing_key, span_of(text, n), payload + FORMAT_UID);
	envelope_section(s, out, key, PURPOSE_SIGNATURE, span_of(payload, sizeof payload));
}

int envelope_parse_header(
    struct span object, enum format_type type, struct envelope *out, struct err *e)
{
	struct cursor c = cursor_of(object);
	struct span magic = cursor_bytes(&c, 8);
	uint8_t version = cursor_u8(&c), got = cursor_u8(&c);

	memset(out, 0, sizeof *out);
	out->nkeys = cursor_u8(&c);
	if (cursor_u8(&c) != 0 || c.bad || memcmp(magic.p, MAGIC, 8) != 0)
		return err_set(e, ERR_CORRUPT, "not an object of a repository (bad header)");
	if (version != FORMAT_VERSION) {
		err_set(e, ERR_FOREIGN, "object of format version %u; config says %u", version,
		    FORMAT_VERSION);
		return err_hint(e, "put the newest config back, if there is a newer one");
	}
	if (got != type)
		return err_set(e, ERR_CORRUPT, "object is of type %u, not %u", got, type);
	out->keys = cursor_bytes(&c, out->nkeys * FORMAT_SEALED_KEY).p;
	if (c.bad)
		return err_set(e, ERR_CORRUPT, "object is cut short");
	out->type = type;
	out->header_len = c.off;
	out->object = object;
	return 0;
}

int envelope_parse(struct span object, enum format_type type, size_t nsections,
    struct envelope *out, struct err *e)
{
	struct cursor c;

	if (envelope_parse_header(object, type, out, e) == -1)
		return -1;
	c = cursor_of(object);
	c.off = out->header_len;
	for (size_t i = 0; i < nsections; i++) {
		out->section_at[i] = c.off;
		out->section[i] = cursor_bytes(&c, cursor_u32(&c));
	}
	out->nsections = nsections;
	if (!cursor_done(&c))
		return err_set(e, ERR_CORRUPT, "object is cut short or has bytes too many");
	return 0;
}

int envelope_open(struct sealer *s, const struct envelope *env, size_t i,
    const struct seal_key *key, enum format_purpose purpose, struct buf *payload, struct err *e)
{
	struct span box = env->section[i];
	struct cursor c;
	uint32_t n;

	if (box.n < FORMAT_BOX + 4)
		return err_set(e, ERR_CORRUPT, "section %zu is too short", i);
	buf_reset(payload);
	if (seal_open(s, key, purpose, box, buf_extend(payload, box.n - FORMAT_BOX), e) == -1)
		return err_wrap(e, "section %zu", i);
	c = cursor_of(buf_span(payload));
	n = cursor_u32(&c);
	if (n > cursor_left(&c))
		return err_set(e, ERR_CORRUPT, "section %zu: bad length", i);
	memmove(payload->p, payload->p + 4, n);
	payload->n = n;
	return 0;
}

int envelope_verify(struct sealer *s, const struct envelope *env, const struct seal_key *key,
    envelope_writer *writer, const void *arg, uint8_t signer[FORMAT_UID], struct err *e)
{
	size_t last = env->nsections - 1, n;
	struct buf payload = {0};
	const uint8_t *pub;
	uint8_t text[80];
	char hex[2 * FORMAT_UID + 1];
	int rc = -1;

	if (envelope_open(s, env, last, key, PURPOSE_SIGNATURE, &payload, e) == -1)
		goto out;
	if (payload.n != FORMAT_UID + CRYPTO_SIG) {
		err_set(e, ERR_CORRUPT, "signature has a wrong length");
		goto out;
	}
	memcpy(signer, payload.p, FORMAT_UID);
	hex_encode(hex, signer, FORMAT_UID);
	if ((pub = writer(arg, env->type, signer)) == NULL) {
		err_set(e, ERR_CORRUPT,
		    "signed by %.8s, who is no writer of this repository or has no right to this",
		    hex);
		goto out;
	}
	envelope_sign_text(
	    s->repo, env->type, span_of(env->object.p, env->section_at[last]), text, &n);
	if (!crypto_verify(pub, span_of(text, n), payload.p + FORMAT_UID)) {
		err_set(e, ERR_CORRUPT, "signature of %.8s is wrong", hex);
		goto out;
	}
	rc = 0;
out:
	buf_fini(&payload);
	return rc;
}
