/*
 * key: one holder's bundle of secrets, sealed by a passphrase or a key file
 * (format.md 3.4).
 *
 * Threads: one owner; struct key_bundle lives in secret memory.
 */
#ifndef HF_REPO_KEY_H
#define HF_REPO_KEY_H

#include "base/buf.h"
#include "repo/repo.h"
#include "repo/role.h"
#include "repo/seal.h"

/* A role's bundle lacks what is not the role's: those fields are zero. */
struct key_bundle {
	enum role role;
	uint16_t epoch; /* of content and structure */
	uint8_t repo[FORMAT_UID], holder[FORMAT_UID], domain[FORMAT_UID];
	uint8_t root_public[CRYPTO_KEY];
	uint8_t root[CRYPTO_KEY], content[CRYPTO_KEY], structure[CRYPTO_KEY];
	uint8_t master[CRYPTO_KEY];       /* full: every domain's keys follow from it */
	uint8_t index_master[CRYPTO_KEY]; /* maintenance: every domain's index key */
	uint8_t mark_key[CRYPTO_KEY];     /* everybody reads marks */
	uint8_t id_key[CRYPTO_KEY], chunker_key[CRYPTO_KEY], index_key[CRYPTO_KEY]; /* write */
	uint8_t signing[CRYPTO_KEY];
	uint8_t own[CRYPTO_KEY]; /* X25519: what later epochs are sealed to */
};

/* What a bundle says in the clear. */
struct key_info {
	uint8_t holder[FORMAT_UID];
	enum role role;
	char label[128], created[40];
	bool key_file;
	uint8_t hint[8]; /* of the key file */
	uint64_t n;      /* scrypt's cost */
	uint32_t r, p;
	uint8_t salt[64];
	size_t nsalt;
};

/* Fresh secrets for a new repository; the ids are set by the caller. */
void key_bundle_generate(struct key_bundle *k);

/* One of a repository that shares ids, cuts and index keys with that of a full holder. */
void key_bundle_join(struct key_bundle *k, const struct key_bundle *family);

/* Another holder's bundle: what of `full` its role needs, and keys of its own. */
struct domain;
void key_bundle_for(const struct key_bundle *full, enum role role, const struct domain *domain,
    struct key_bundle *out);

/* The stored object: bundle sealed by the credential. */
int key_seal(const struct key_bundle *k, const struct repo_cred *cred, const char *label,
    const char *created, struct buf *out, struct err *e);

int key_read_info(struct span object, struct key_info *out, struct err *e);

/* Open a bundle of this repository; ERR_WRONG_KEY if the credential doesn't fit it. */
int key_open(struct span object, const uint8_t repo[FORMAT_UID], const struct repo_cred *cred,
    struct key_bundle *out, struct err *e);

#endif
