/*
 * secret: memory for keys.  Locked where the system allows, left out of
 * core dumps, wiped when freed.  Nothing in this program prints one.
 *
 * Threads: any; contents belong to the owner.
 */
#ifndef HF_CRYPTO_SECRET_H
#define HF_CRYPTO_SECRET_H

#include <stddef.h>

void *secret_new(size_t n); /* zeroed; never NULL */
void secret_free(void *p);  /* NULL does nothing */

/* A text in such memory; NULL of NULL. */
char *secret_copy(const char *s);

#endif
