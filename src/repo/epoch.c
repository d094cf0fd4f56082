/* epoch: see epoch.h. */
#include "repo/epoch.h"

#include <stdlib.h>
#include <string.h>

#include "repo/key.h"

/* The key of a grant, from the shared secret of an ephemeral key and the holder's. */
static int grant_key(const uint8_t priv[CRYPTO_KEY], const uint8_t peer[CRYPTO_KEY],
    const uint8_t ephemeral[CRYPTO_KEY], const uint8_t own[CRYPTO_KEY],
    const uint8_t holder[FORMAT_UID], struct seal_key *out)
{
	uint8_t shared[32], salt[64], raw[32];

	if (crypto_x25519(priv, peer, shared) == -1)
		return -1;
	memcpy(salt, ephemeral, 32);
	memcpy(salt + 32, own, 32);
	crypto_hkdf(
	    span_of(shared, 32), span_of(salt, sizeof salt), span_str("holdfast/1 grant"), raw);
	seal_key_init(out, holder, raw);
	crypto_wipe(shared, sizeof shared);
	crypto_wipe(raw, sizeof raw);
	return 0;
}

static void put_box(const uint8_t repo[FORMAT_UID], const struct seal_key *k, uint16_t epoch,
    struct span plain, uint8_t *out)
{
	uint8_t aad[2] = {(uint8_t)epoch, (uint8_t)(epoch >> 8)}, h[32];
	struct sealer s;

	crypto_sha256(plain, h);
	sealer_init(&s, repo);
	seal_box_aad(
	    &s, k, PURPOSE_EPOCH, span_of(h, sizeof h), span_of(aad, sizeof aad), plain, out);
	sealer_fini(&s);
}

static int get_box(const uint8_t repo[FORMAT_UID], const struct seal_key *k, uint16_t epoch,
    struct span box, uint8_t *out, struct err *e)
{
	uint8_t aad[2] = {(uint8_t)epoch, (uint8_t)(epoch >> 8)};
	struct sealer s;
	int rc;

	sealer_init(&s, repo);
	rc = seal_open_aad(&s, k, PURPOSE_EPOCH, span_of(aad, sizeof aad), box, out, e);
	sealer_fini(&s);
	return rc == -1 ? err_wrap(e, "keys of epoch %u", epoch) : 0;
}

void epoch_grant(const struct key_bundle *k, bool content, const uint8_t holder[FORMAT_UID],
    const uint8_t own_public[CRYPTO_KEY], struct buf *out)
{
	uint8_t once[CRYPTO_KEY], plain[2 * CRYPTO_KEY], *ephemeral;
	size_t n = content ? sizeof plain : CRYPTO_KEY;
	struct seal_key key;

	crypto_random(once, sizeof once);
	ephemeral = buf_extend(out, CRYPTO_KEY);
	crypto_x25519_public(once, ephemeral);
	memcpy(plain, k->structure, CRYPTO_KEY);
	memcpy(plain + CRYPTO_KEY, k->content, CRYPTO_KEY);
	/* config_parse refuses keys with which this fails. */
	if (grant_key(once, own_public, ephemeral, own_public, holder, &key) == -1)
		abort();
	put_box(k->repo, &key, k->epoch, span_of(plain, n), buf_extend(out, n + FORMAT_BOX));
	crypto_wipe(once, sizeof once);
	crypto_wipe(plain, sizeof plain);
	crypto_wipe(&key, sizeof key);
}

int epoch_accept(struct key_bundle *k, uint16_t epoch, struct span grant, struct err *e)
{
	bool full = k->role == ROLE_FULL;
	uint8_t own[CRYPTO_KEY], plain[2 * CRYPTO_KEY];
	size_t n = full ? sizeof plain : CRYPTO_KEY;
	struct seal_key key;
	int rc = -1;

	crypto_x25519_public(k->own, own);
	if (grant.n != CRYPTO_KEY + n + FORMAT_BOX ||
	    grant_key(k->own, grant.p, grant.p, own, k->holder, &key) == -1)
		return err_set(e, ERR_CORRUPT, "config: a grant of epoch %u is damaged", epoch);
	if (get_box(k->repo, &key, epoch, span_of(grant.p + CRYPTO_KEY, n + FORMAT_BOX), plain,
		e) == -1)
		goto out;
	memcpy(k->structure, plain, CRYPTO_KEY);
	if (full)
		memcpy(k->content, plain + CRYPTO_KEY, CRYPTO_KEY);
	k->epoch = epoch;
	rc = 0;
out:
	crypto_wipe(plain, sizeof plain);
	crypto_wipe(&key, sizeof key);
	return rc;
}

/* The key id is of no use here: the successor is the only key that it can be. */
static void chain_key(const uint8_t next[CRYPTO_KEY], struct seal_key *out)
{
	static const uint8_t none[FORMAT_UID];
	uint8_t raw[32];

	crypto_hkdf(span_of(next, CRYPTO_KEY), span_of(NULL, 0), span_str("holdfast/1 epoch"), raw);
	seal_key_init(out, none, raw);
	crypto_wipe(raw, sizeof raw);
}

void epoch_seal_old(const uint8_t repo[FORMAT_UID], uint16_t epoch, const uint8_t next[CRYPTO_KEY],
    const uint8_t old[CRYPTO_KEY], uint8_t out[EPOCH_SEALED])
{
	struct seal_key key;

	chain_key(next, &key);
	put_box(repo, &key, epoch, span_of(old, CRYPTO_KEY), out);
	crypto_wipe(&key, sizeof key);
}

int epoch_open_old(const uint8_t repo[FORMAT_UID], uint16_t epoch, const uint8_t next[CRYPTO_KEY],
    const uint8_t sealed[EPOCH_SEALED], uint8_t old[CRYPTO_KEY], struct err *e)
{
	struct seal_key key;
	int rc;

	chain_key(next, &key);
	rc = get_box(repo, &key, epoch, span_of(sealed, EPOCH_SEALED), old, e);
	crypto_wipe(&key, sizeof key);
	return rc;
}
