/*
 * ahead: small objects that will all be read, one after another, and several of which are
 * fetched at a time where each takes a long way.
 *
 *     ahead_new; ahead_add...; ahead_next, once for each, in order; ahead_free
 *
 * Not a cache, and no judge: what did not come, or not whole, is fetched once more when its
 * turn comes, and only that fetching's error counts.
 *
 * Threads: one owner; it runs its own.
 */
#ifndef HF_REPO_AHEAD_H
#define HF_REPO_AHEAD_H

#include "repo/repo_object.h"

struct ahead;

struct ahead *ahead_new(struct repo *r);
void ahead_free(struct ahead *a); /* NULL does nothing */

/* One more; `size` as a listing told it.  None after the first ahead_next. */
void ahead_add(struct ahead *a, const char *name, const struct id *id, uint64_t size);

/* They may come from now on, if it is not the first ahead_next that says so. */
void ahead_start(struct ahead *a);

/* As repo_get_named of the next one. */
int ahead_next(struct ahead *a, struct buf *out, struct err *e);

#endif
