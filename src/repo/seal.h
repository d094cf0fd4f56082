/*
 * seal: the one way to seal (format.md 3.2), and data keys (3.3).
 *
 * A sealer is a thread's own: it holds the cipher context and the repository
 * id that every seal is bound to.  Keys live in memory of crypto/secret.
 *
 * Threads: a sealer belongs to one thread at a time; keys are read-only.
 */
#ifndef HF_REPO_SEAL_H
#define HF_REPO_SEAL_H

#include "base/buf.h"
#include "base/err.h"
#include "crypto/crypto.h"
#include "repo/format.h"

struct sealer {
	struct crypto_aead *aead;
	uint8_t repo[FORMAT_UID];
};

struct seal_key {
	uint8_t id[FORMAT_UID];
	uint8_t key[CRYPTO_KEY];
	uint8_t salt_key[CRYPTO_KEY]; /* derived, so that a box costs one HKDF */
};

enum seal_class { SEAL_CONTENT = 1, SEAL_STRUCTURE = 2 };

void sealer_init(struct sealer *s, const uint8_t repo[FORMAT_UID]);
void sealer_fini(struct sealer *s);

void seal_key_init(struct seal_key *k, const uint8_t id[FORMAT_UID], const uint8_t key[CRYPTO_KEY]);

/*
 * Seal `plain` into out, plain.n + FORMAT_BOX bytes.  What names the
 * plaintext comes in two parts, for frames: the pack's random bytes with the
 * number, and the ids.  `plain` may be out + FORMAT_BOX_HEAD itself.
 */
void seal_box(struct sealer *s, const struct seal_key *k, enum format_purpose purpose,
    struct span bind1, struct span bind2, struct span plain, uint8_t *out);

/* Open a box of n bytes into out (n - FORMAT_BOX bytes); ERR_CORRUPT if it isn't one. */
int seal_open(struct sealer *s, const struct seal_key *k, enum format_purpose purpose,
    struct span box, uint8_t *out, struct err *e);

/* The same with more associated data, for key bundles. */
void seal_box_aad(struct sealer *s, const struct seal_key *k, enum format_purpose purpose,
    struct span bind, struct span aad, struct span plain, uint8_t *out);
int seal_open_aad(struct sealer *s, const struct seal_key *k, enum format_purpose purpose,
    struct span aad, struct span box, uint8_t *out, struct err *e);

/* A fresh data key, sealed to a public key of the repository. */
void seal_data_key_new(const uint8_t repo[FORMAT_UID], enum seal_class class, uint16_t epoch,
    const uint8_t recipient[CRYPTO_KEY], struct seal_key *out, uint8_t sealed[FORMAT_SEALED_KEY]);

/* Open one; ERR_CORRUPT if it is damaged or was sealed to another key. */
int seal_data_key_open(const uint8_t repo[FORMAT_UID], const uint8_t priv[CRYPTO_KEY],
    const uint8_t pub[CRYPTO_KEY], const uint8_t sealed[FORMAT_SEALED_KEY], struct seal_key *out,
    struct err *e);

/* What is readable of a sealed data key without opening it. */
enum seal_class seal_data_key_class(const uint8_t sealed[FORMAT_SEALED_KEY]);
uint16_t seal_data_key_epoch(const uint8_t sealed[FORMAT_SEALED_KEY]);
const uint8_t *seal_data_key_id(const uint8_t sealed[FORMAT_SEALED_KEY]);

/* format.md 9: the padded length of n. */
uint64_t seal_padme(uint64_t n);

#endif
