/*
 * epoch: how a change of the repository's keys reaches those who stay
 * (format.md 3.5).  A new epoch has a new pair for content and one for
 * structure.  Its private keys are sealed to each holder's own public key
 * (a *grant*), so nobody's password is needed; and the private keys of the
 * epoch before are sealed under them, so whoever has the newest has all.
 *
 * Threads: pure.
 */
#ifndef HF_REPO_EPOCH_H
#define HF_REPO_EPOCH_H

#include "base/buf.h"
#include "base/err.h"
#include "crypto/crypto.h"
#include "repo/format.h"

enum { EPOCH_SEALED = FORMAT_BOX + CRYPTO_KEY };

struct key_bundle;

/* Seal what the holder's role may have of k's epoch keys to its public key. */
void epoch_grant(const struct key_bundle *k, bool content, const uint8_t holder[FORMAT_UID],
    const uint8_t own_public[CRYPTO_KEY], struct buf *out);

/* Take a grant of `epoch` into k; ERR_CORRUPT if it is not ours or damaged. */
int epoch_accept(struct key_bundle *k, uint16_t epoch, struct span grant, struct err *e);

/* An old private key, sealed under its successor; and back. */
void epoch_seal_old(const uint8_t repo[FORMAT_UID], uint16_t epoch, const uint8_t next[CRYPTO_KEY],
    const uint8_t old[CRYPTO_KEY], uint8_t out[EPOCH_SEALED]);
int epoch_open_old(const uint8_t repo[FORMAT_UID], uint16_t epoch, const uint8_t next[CRYPTO_KEY],
    const uint8_t sealed[EPOCH_SEALED], uint8_t old[CRYPTO_KEY], struct err *e);

#endif
