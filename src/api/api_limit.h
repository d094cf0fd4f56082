/*
 * api_limit: how often somebody may: a token bucket for each key.
 *
 * The number of buckets is fixed: with more keys than that, the one that rested longest is
 * forgotten, and starts with a full bucket if it comes again.
 *
 * Threads: any.
 */
#ifndef HF_API_API_LIMIT_H
#define HF_API_API_LIMIT_H

#include "base/span.h"

struct api_limit;

/* `rate` a second on average, `burst` at once. */
struct api_limit *api_limit_new(double rate, double burst);
void api_limit_free(struct api_limit *l); /* NULL does nothing */

/* Take one.  false: not before *wait_s seconds, at least 1. */
bool api_limit_take(struct api_limit *l, struct span key, int64_t now_ns, unsigned *wait_s);

#endif
