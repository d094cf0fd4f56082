/*
 * store_backoff: how often and how soon to try again.
 *
 * Threads: any.
 */
#ifndef HF_STORE_STORE_BACKOFF_H
#define HF_STORE_STORE_BACKOFF_H

#include "base/ctx.h"

struct store_pace {
	int more;                  /* attempts after the first */
	int timeouts;              /* the same once one took as long as it may; 0: as many */
	int64_t first_ns, most_ns; /* before the second, doubling up to most; 0: no bound */
};

/* A disk is back soon or not at all; a network may take a minute. */
extern const struct store_pace store_pace_near, store_pace_far;

/*
 * After failed attempt n (from 1) of op on key: true once it is time to try
 * again; false if that cannot help (err_info), too many were tried, or
 * somebody asked to stop (then e says so).  Waits half of the time and a
 * random part of the other half, and tells it as an EVENT_STORE_RETRY.  ctx
 * may be NULL: no events, no cancelling.
 */
bool store_backoff(const struct store_pace *p, struct ctx *ctx, int n, const char *op,
    const char *key, struct err *e);

#endif
