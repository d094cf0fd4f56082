/* seal: see seal.h and doc/format.md 3. */
#include "repo/seal.h"

#include <stdlib.h>
#include <string.h>

void sealer_init(struct sealer *s, const uint8_t repo[FORMAT_UID])
{
	s->aead = crypto_aead_new();
	memcpy(s->repo, repo, FORMAT_UID);
}

void sealer_fini(struct sealer *s)
{
	crypto_aead_free(s->aead);
	s->aead = NULL;
}

void seal_key_init(struct seal_key *k, const uint8_t id[FORMAT_UID], const uint8_t key[CRYPTO_KEY])
{
	memcpy(k->id, id, FORMAT_UID);
	memmove(k->key, key, CRYPTO_KEY);
	crypto_hkdf(span_of(k->key, CRYPTO_KEY), span_of(NULL, 0), span_str("holdfast/1 salt"),
	    k->salt_key);
}

enum { AAD_MAX = FORMAT_UID + 2 + FORMAT_UID + 32 };

static size_t make_aad(const struct sealer *s, const struct seal_key *k, uint8_t purpose,
    struct span extra, uint8_t aad[AAD_MAX])
{
	memcpy(aad, s->repo, FORMAT_UID);
	aad[FORMAT_UID] = FORMAT_VERSION;
	aad[FORMAT_UID + 1] = purpose;
	memcpy(aad + FORMAT_UID + 2, k->id, FORMAT_UID);
	if (extra.n)
		memcpy(aad + 2 * FORMAT_UID + 2, extra.p, extra.n);
	return 2 * FORMAT_UID + 2 + extra.n;
}

static void box_key(
    const struct seal_key *k, const uint8_t salt[32], uint8_t purpose, uint8_t out[32])
{
	uint8_t info[32] = "holdfast/1 box";
	size_t n = strlen((char *)info);

	info[n] = purpose;
	crypto_hkdf(span_of(k->key, CRYPTO_KEY), span_of(salt, 32), span_of(info, n + 1), out);
}

static void seal_parts(struct sealer *s, const struct seal_key *k, enum format_purpose purpose,
    struct span bind1, struct span bind2, struct span extra, struct span plain, uint8_t *out)
{
	uint8_t aad[AAD_MAX], r[32], fk[32];
	size_t naad = make_aad(s, k, (uint8_t)purpose, extra, aad);

	crypto_random(r, sizeof r);
	crypto_mac3(k->salt_key, span_of(r, sizeof r), bind1, bind2, out);
	box_key(k, out, (uint8_t)purpose, fk);
	crypto_aead_seal(s->aead, fk, span_of(aad, naad), plain, out + 32, out + 32 + plain.n);
	crypto_wipe(fk, sizeof fk);
}

static int open_extra(struct sealer *s, const struct seal_key *k, enum format_purpose purpose,
    struct span extra, struct span box, uint8_t *out, struct err *e)
{
	uint8_t aad[AAD_MAX], fk[32];
	size_t naad = make_aad(s, k, (uint8_t)purpose, extra, aad);
	int rc;

	if (box.n < FORMAT_BOX)
		return err_set(e, ERR_CORRUPT, "sealed part is too short");
	box_key(k, box.p, (uint8_t)purpose, fk);
	rc = crypto_aead_open(s->aead, fk, span_of(aad, naad),
	    span_of(box.p + 32, box.n - FORMAT_BOX), box.p + box.n - CRYPTO_TAG, out);
	crypto_wipe(fk, sizeof fk);
	if (rc == -1)
		return err_set(e, ERR_CORRUPT, "seal is broken (authentication failed)");
	return 0;
}

void seal_box(struct sealer *s, const struct seal_key *k, enum format_purpose purpose,
    struct span bind1, struct span bind2, struct span plain, uint8_t *out)
{
	seal_parts(s, k, purpose, bind1, bind2, span_of(NULL, 0), plain, out);
}

int seal_open(struct sealer *s, const struct seal_key *k, enum format_purpose purpose,
    struct span box, uint8_t *out, struct err *e)
{
	return open_extra(s, k, purpose, span_of(NULL, 0), box, out, e);
}

void seal_box_aad(struct sealer *s, const struct seal_key *k, enum format_purpose purpose,
    struct span bind, struct span aad, struct span plain, uint8_t *out)
{
	uint8_t h[32];

	crypto_sha256(aad, h);
	seal_parts(s, k, purpose, bind, span_of(NULL, 0), span_of(h, sizeof h), plain, out);
}

int seal_open_aad(struct sealer *s, const struct seal_key *k, enum format_purpose purpose,
    struct span aad, struct span box, uint8_t *out, struct err *e)
{
	uint8_t h[32];

	crypto_sha256(aad, h);
	return open_extra(s, k, purpose, span_of(h, sizeof h), box, out, e);
}

enum { AT_CLASS = 1, AT_EPOCH = 2, AT_ID = 4, AT_EPH = 20, AT_CT = 52, AT_COMMIT = 100 };
static const uint8_t KEM_X25519 = 1;

static void data_kek(const uint8_t shared[32], const uint8_t eph[32], const uint8_t recipient[32],
    const uint8_t repo[FORMAT_UID], uint8_t kek[32])
{
	uint8_t salt[64], info[64] = "holdfast/1 data key";
	size_t n = strlen((char *)info);

	memcpy(salt, eph, 32);
	memcpy(salt + 32, recipient, 32);
	memcpy(info + n, repo, FORMAT_UID);
	crypto_hkdf(span_of(shared, 32), span_of(salt, 64), span_of(info, n + FORMAT_UID), kek);
}

static void commitment(const struct seal_key *k, uint8_t out[32])
{
	crypto_mac3(k->key, span_str("holdfast/1 commit"), span_of(k->id, FORMAT_UID),
	    span_of(NULL, 0), out);
}

/* Bytes 0 to 51 and the repository id are what the inner seal is bound to. */
static size_t data_aad(const uint8_t *sealed, const uint8_t repo[FORMAT_UID], uint8_t out[80])
{
	memcpy(out, sealed, AT_CT);
	memcpy(out + AT_CT, repo, FORMAT_UID);
	return AT_CT + FORMAT_UID;
}

void seal_data_key_new(const uint8_t repo[FORMAT_UID], enum seal_class class, uint16_t epoch,
    const uint8_t recipient[CRYPTO_KEY], struct seal_key *out, uint8_t sealed[FORMAT_SEALED_KEY])
{
	uint8_t eph[32], shared[32], kek[32], id[FORMAT_UID], key[32], aad[80];
	struct crypto_aead *aead = crypto_aead_new();

	crypto_random(id, sizeof id);
	crypto_random(key, sizeof key);
	crypto_random(eph, sizeof eph);
	seal_key_init(out, id, key);

	sealed[0] = KEM_X25519;
	sealed[AT_CLASS] = (uint8_t) class;
	sealed[AT_EPOCH] = (uint8_t)epoch;
	sealed[AT_EPOCH + 1] = (uint8_t)(epoch >> 8);
	memcpy(sealed + AT_ID, id, FORMAT_UID);
	crypto_x25519_public(eph, sealed + AT_EPH);
	/* config_parse refuses such keys; under one, all the world could open this. */
	if (crypto_x25519(eph, recipient, shared) == -1)
		abort();
	data_kek(shared, sealed + AT_EPH, recipient, repo, kek);
	crypto_aead_seal(aead, kek, span_of(aad, data_aad(sealed, repo, aad)), span_of(key, 32),
	    sealed + AT_CT, sealed + AT_CT + 32);
	commitment(out, sealed + AT_COMMIT);

	crypto_wipe(eph, sizeof eph);
	crypto_wipe(shared, sizeof shared);
	crypto_wipe(kek, sizeof kek);
	crypto_wipe(key, sizeof key);
	crypto_aead_free(aead);
}

int seal_data_key_open(const uint8_t repo[FORMAT_UID], const uint8_t priv[CRYPTO_KEY],
    const uint8_t pub[CRYPTO_KEY], const uint8_t sealed[FORMAT_SEALED_KEY], struct seal_key *out,
    struct err *e)
{
	uint8_t shared[32], kek[32], key[32], commit[32], aad[80];
	struct crypto_aead *aead = NULL;
	int rc = -1;

	if (sealed[0] != KEM_X25519) {
		err_set(e, ERR_CORRUPT, "data key sealed by unknown method %u", sealed[0]);
		return -1;
	}
	aead = crypto_aead_new();
	if (crypto_x25519(priv, sealed + AT_EPH, shared) == -1) {
		err_set(e, ERR_CORRUPT, "data key is damaged");
		goto out;
	}
	data_kek(shared, sealed + AT_EPH, pub, repo, kek);
	if (crypto_aead_open(aead, kek, span_of(aad, data_aad(sealed, repo, aad)),
		span_of(sealed + AT_CT, 32), sealed + AT_CT + 32, key) == -1) {
		err_set(e, ERR_CORRUPT, "data key is damaged or sealed for another repository");
		goto out;
	}
	seal_key_init(out, sealed + AT_ID, key);
	commitment(out, commit);
	if (!crypto_equal(commit, sealed + AT_COMMIT, 32)) {
		err_set(e, ERR_CORRUPT, "data key does not fit its commitment");
		goto out;
	}
	rc = 0;
out:
	crypto_wipe(shared, sizeof shared);
	crypto_wipe(kek, sizeof kek);
	crypto_wipe(key, sizeof key);
	crypto_aead_free(aead);
	return rc;
}

enum seal_class seal_data_key_class(const uint8_t sealed[FORMAT_SEALED_KEY])
{
	return (enum seal_class)sealed[AT_CLASS];
}

uint16_t seal_data_key_epoch(const uint8_t sealed[FORMAT_SEALED_KEY])
{
	return (uint16_t)(sealed[AT_EPOCH] | sealed[AT_EPOCH + 1] << 8);
}

const uint8_t *seal_data_key_id(const uint8_t sealed[FORMAT_SEALED_KEY])
{
	return sealed + AT_ID;
}

uint64_t seal_padme(uint64_t n)
{
	unsigned e = 0, s = 0;
	uint64_t step;

	if (n < 2)
		return n;
	while (n >> (e + 1))
		e++;
	while (e >> (s + 1))
		s++;
	s++;
	if (s >= e)
		return n;
	step = (uint64_t)1 << (e - s);
	return (n + step - 1) & ~(step - 1);
}
