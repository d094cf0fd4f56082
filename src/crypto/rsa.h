/*
 * crypto_rsa: RS256 (RFC 7518): RSASSA-PKCS1-v1_5 with SHA-256, which the
 * tokens of service accounts are signed with.  Not for anything of the format.
 *
 * Threads: any.
 */
#ifndef HF_CRYPTO_RSA_H
#define HF_CRYPTO_RSA_H

#include "base/buf.h"
#include "base/err.h"

/* With a private key in PEM; ERR_USAGE if it is none. */
int crypto_rs256_sign(struct span pem, struct span s, struct buf *sig, struct err *e);

#endif
