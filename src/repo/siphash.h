/*
 * siphash: SipHash-2-4 (Aumasson and Bernstein, 2012), 64 bits: a keyed
 * checksum for local caches that somebody else might write to.  Not for the
 * repository itself, whose seals are crypto's.
 *
 * Threads: any.
 */
#ifndef HF_REPO_SIPHASH_H
#define HF_REPO_SIPHASH_H

#include "base/span.h"

enum { SIPHASH_KEY = 16 };

uint64_t siphash(const uint8_t key[SIPHASH_KEY], struct span s);

/* The same of eight bytes, `first` as a little-endian u64, then s. */
uint64_t siphash_at(const uint8_t key[SIPHASH_KEY], uint64_t first, struct span s);

#endif
