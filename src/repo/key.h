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
#include "repo/seal.h"

struct key_bundle {
	uint8_t repo[FORMAT_UID], holder[FORMAT_UID], domain[FORMAT_UID];
	uint8_t root_public[CRYPTO_KEY];
	uint8_t root[CRYPTO_KEY], content[CRYPTO_KEY], structure[CRYPTO_KEY];
	uint8_t id_key[CRYPTO_KEY], chunker_key[CRYPTO_KEY], index_key[CRYPTO_KEY];
	uint8_t signing[CRYPTO_KEY];
};

/* What a bundle says in the clear. */
struct key_info {
	uint8_t holder[FORMAT_UID];
	char label[128], role[16], created[40];
	bool key_file;
	uint8_t hint[8]; /* of the key file */
	uint64_t n;      /* scrypt's cost */
	uint32_t r, p;
	uint8_t salt[64];
	size_t nsalt;
};

/* Fresh secrets for a new repository; the ids are set by the caller. */
void key_bundle_generate(struct key_bundle *k);

/* The stored object: bundle sealed by the credential. */
int key_seal(const struct key_bundle *k, const struct repo_cred *cred, const char *label,
    const char *created, struct buf *out, struct err *e);

int key_read_info(struct span object, struct key_info *out, struct err *e);

/* Open a bundle of this repository; ERR_WRONG_KEY if the credential doesn't fit it. */
int key_open(struct span object, const uint8_t repo[FORMAT_UID], const struct repo_cred *cred,
    struct key_bundle *out, struct err *e);

#endif
