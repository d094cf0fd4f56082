/*
 * evidence_key: the files of the keys that sign evidence: Ed25519 as PEM (RFC 8410), which
 * openssl and everybody else reads too.
 *
 * Threads: any.
 */
#ifndef HF_CATALOG_EVIDENCE_KEY_H
#define HF_CATALOG_EVIDENCE_KEY_H

#include "base/buf.h"
#include "base/err.h"
#include "crypto/crypto.h"

enum { EVIDENCE_KEYS_MAX = 64 }; /* public keys in one file */

/* A private key's file: ERR_ABSENT, ERR_CORRUPT.  The caller wipes priv. */
int evidence_key_read(const char *path, uint8_t priv[CRYPTO_KEY], struct err *e);
int evidence_key_write(const char *path, const uint8_t priv[CRYPTO_KEY], struct err *e);

/* Public keys: of a text, and of a file; at least one, or ERR_CORRUPT. */
int evidence_public_parse(
    struct span text, uint8_t out[][CRYPTO_KEY], size_t max, size_t *n, struct err *e);
int evidence_public_read(
    const char *path, uint8_t out[][CRYPTO_KEY], size_t max, size_t *n, struct err *e);
void evidence_public_text(struct buf *b, const uint8_t pub[CRYPTO_KEY]); /* appended */

#endif
