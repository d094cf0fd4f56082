/*
 * check_refs: is all that a tree names there, by its refs alone?  For a key
 * that sees structure but no names: what is lost is said without a path.
 *
 * Threads: one owner.
 */
#ifndef HF_ENGINE_CHECK_REFS_H
#define HF_ENGINE_CHECK_REFS_H

#include "engine/damage.h"

/*
 * `hurt` is told of each refs blob that cannot be read and each blob that is
 * lost.  Refs found whole go into `whole` and are not looked at again.
 */
void check_refs(struct damage *d, struct reader *rd, struct idmap *whole, const struct id *tree,
    void (*hurt)(void *arg, const char *why), void *arg);

#endif
