/*
 * secret_ref: secrets by reference, never in the configuration itself.
 *
 *     file:/etc/holdfast/main.pw      what is in that file
 *     env:NAME                        the environment variable
 *     command:pass show backup        what /bin/sh prints when it runs this
 *     credential:NAME                 the file of that name in $CREDENTIALS_DIRECTORY (systemd)
 *
 * Threads: any.
 */
#ifndef HF_CONFIG_SECRET_REF_H
#define HF_CONFIG_SECRET_REF_H

#include <stddef.h>

#include "base/err.h"

enum { SECRET_REF_MAX = 65536 }; /* bytes of a secret */

/* Is it one?  ERR_USAGE names no more of the text than is known to be no secret. */
int secret_ref_check(const char *ref, struct err *e);

/* All of its bytes, in locked memory (secret_free).  Errors name the reference, never the secret.
 */
int secret_ref_read(const char *ref, char **out, size_t *n, struct err *e);

#endif
