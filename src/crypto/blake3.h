/*
 * blake3: the hash BLAKE3 and its keyed form, 32 bytes out.
 *
 * Written from the published specification ("BLAKE3: one function, fast
 * everywhere", O'Connor, Aumasson, Neves, Wilcox-O'Hearn, 2020), whose
 * sections the comments name.  Input is cut into chunks of 1 KiB that are
 * hashed side by side in the lanes of the widest vectors that the processor
 * has, and so are the nodes of the tree above them.
 *
 * Not here: extended output and key derivation, which nothing needs.
 *
 * Threads: functions any; a struct belongs to one thread at a time.
 */
#ifndef HF_CRYPTO_BLAKE3_H
#define HF_CRYPTO_BLAKE3_H

#include <stdbool.h>

#include "base/span.h"

enum { BLAKE3_KEY = 32, BLAKE3_OUT = 32 };

/* At once; key is NULL for the hash without one. */
void blake3_hash(const uint8_t key[BLAKE3_KEY], struct span s, uint8_t out[BLAKE3_OUT]);

/* As a stream: any number of adds, one end, then reset it for the next. */
struct blake3;
struct blake3 *blake3_new(void); /* without a key */
void blake3_free(struct blake3 *b);
void blake3_reset(struct blake3 *b);
void blake3_add(struct blake3 *b, struct span s);
void blake3_end(struct blake3 *b, uint8_t out[BLAKE3_OUT]);

/*
 * The variants that this processor can run, fastest first, NULL after the
 * last; all of them give the same bytes.  blake3_use takes one for all that
 * follows, NULL the fastest again; for tests and measurements.
 */
const char *blake3_variant(unsigned i);
bool blake3_use(const char *name);

#endif
