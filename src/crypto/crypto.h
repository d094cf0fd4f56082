/*
 * crypto: the handful of primitives that the format names, over libcrypto.
 *
 * Algorithms are fetched once (crypto_init, idempotent, called by every
 * constructor here).  Failures of libcrypto itself are our bugs or an
 * exhausted machine and abort; the only outcomes that callers see are
 * "authentication failed" and "not a valid key".
 *
 * Threads: functions any; a struct belongs to one thread at a time.
 */
#ifndef HF_CRYPTO_CRYPTO_H
#define HF_CRYPTO_CRYPTO_H

#include "base/err.h"
#include "base/id.h"
#include "base/span.h"

enum {
	CRYPTO_KEY = 32, /* symmetric keys, X25519 and Ed25519 keys */
	CRYPTO_TAG = 16,
	CRYPTO_SIG = 64,
};

const char *crypto_version(void); /* of the library: "OpenSSL 3.0.17 ..." */
void crypto_random(void *out, size_t n);
bool crypto_equal(const void *a, const void *b, size_t n); /* constant time */
void crypto_wipe(void *p, size_t n);

/* SHA-256, for what is small. */
void crypto_sha256(struct span s, uint8_t out[32]);
void crypto_md5(
    struct span s, uint8_t out[16]); /* for protocols that ask for it: no proof of anything */

/* For UUIDs of version 5: no proof of anything. */
void crypto_sha1(struct span s, uint8_t out[20]);

/*
 * What a repository hashes its bulk with: names of objects by the hash, ids
 * of blobs by its keyed form.  BLAKE3 is the default: several times faster
 * where the processor has no instructions for SHA-256.
 */
enum crypto_family {
	CRYPTO_BLAKE3, /* and keyed BLAKE3 */
	CRYPTO_SHA2,   /* SHA-256 and HMAC-SHA-256 */
};

/* The hash, at once and as a stream. */
void crypto_digest(enum crypto_family family, struct span s, uint8_t out[32]);
struct crypto_hash;
struct crypto_hash *crypto_hash_new(enum crypto_family family);
void crypto_hash_free(struct crypto_hash *h);
void crypto_hash_reset(struct crypto_hash *h);
void crypto_hash_add(struct crypto_hash *h, struct span s);
void crypto_hash_end(struct crypto_hash *h, uint8_t out[32]); /* then reset it */

/*
 * The keyed hash, with one key used many times: of HMAC the padded key is
 * hashed once.  Nothing is allocated per call.
 */
struct crypto_mac;
struct crypto_mac *crypto_mac_new(enum crypto_family family, const uint8_t key[CRYPTO_KEY]);
void crypto_mac_free(struct crypto_mac *m);
void crypto_mac(struct crypto_mac *m, struct span s, uint8_t out[32]);

/* HMAC-SHA-256 of up to three parts joined; and HKDF (RFC 5869), 32 bytes out. */
void crypto_mac3(
    const uint8_t key[CRYPTO_KEY], struct span a, struct span b, struct span c, uint8_t out[32]);
/* Of any key. */
void crypto_hmac_sha256(struct span key, struct span s, uint8_t out[32]);
void crypto_hkdf(struct span ikm, struct span salt, struct span info, uint8_t out[32]);

/*
 * AES-256-GCM with a nonce of zeros: every key seals exactly one plaintext
 * (format.md 3.2).  out has in.n bytes and may be in.p.  Decryption checks
 * the tag before it returns 0; on -1 out holds nothing of use (zeroed).
 */
struct crypto_aead;
struct crypto_aead *crypto_aead_new(void);
void crypto_aead_free(struct crypto_aead *a);
void crypto_aead_seal(struct crypto_aead *a, const uint8_t key[CRYPTO_KEY], struct span aad,
    struct span in, uint8_t *out, uint8_t tag[CRYPTO_TAG]);
int crypto_aead_open(struct crypto_aead *a, const uint8_t key[CRYPTO_KEY], struct span aad,
    struct span in, const uint8_t tag[CRYPTO_TAG], uint8_t *out);

/* No point of small order, with which everybody knows the shared secret? */
bool crypto_x25519_good(const uint8_t pub[CRYPTO_KEY]);

/* X25519: a public key from a private one; the shared secret (-1: bad point). */
void crypto_x25519_public(const uint8_t priv[CRYPTO_KEY], uint8_t pub[CRYPTO_KEY]);
int crypto_x25519(
    const uint8_t priv[CRYPTO_KEY], const uint8_t pub[CRYPTO_KEY], uint8_t shared[CRYPTO_KEY]);

/* Ed25519: private keys are the 32-byte seed. */
void crypto_sign_public(const uint8_t priv[CRYPTO_KEY], uint8_t pub[CRYPTO_KEY]);
void crypto_sign(const uint8_t priv[CRYPTO_KEY], struct span s, uint8_t sig[CRYPTO_SIG]);
bool crypto_verify(const uint8_t pub[CRYPTO_KEY], struct span s, const uint8_t sig[CRYPTO_SIG]);

/* scrypt (RFC 7914); -1 with ERR_UNSUPPORTED if libcrypto refuses the cost. */
int crypto_scrypt(struct span pass, struct span salt, uint64_t n, uint32_t r, uint32_t p,
    uint8_t out[CRYPTO_KEY], struct err *e);

#endif
