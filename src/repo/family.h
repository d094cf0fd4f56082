/*
 * family: do two repositories name blobs alike?  Those that share id keys and the algorithm
 * do: then a blob of one is found in the other by its id, unread.
 *
 * Threads: any.
 */
#ifndef HF_REPO_FAMILY_H
#define HF_REPO_FAMILY_H

#include "repo/repo.h"

enum { FAMILY_BLOBS_MAX = 1024 }; /* in a frame that moves whole */

/* Has content of that domain (a tag) of `from` the ids that the key in use would give it in `to`?
 */
bool family_same_content(const struct repo *from, uint64_t domain, const struct repo *to);

/*
 * Do the keys in use give everything the same ids and cuts in both, trees too?  Then what one
 * is given can be stored in the other as it is.
 */
bool family_is_kin(const struct repo *a, const struct repo *b);

#endif
