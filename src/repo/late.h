/*
 * late: snapshots that came after their signer was removed.  Whose key was
 * stolen and removed signs on, where he can still write to the store.
 *
 * On removal config keeps the newest number of each of the signer's clients
 * (format.md 3.1): what is beyond is late, whatever it says of its time.  So is what
 * takes the number of one that is there or was pruned, and was stored after
 * the removal, by the store's clock.
 *
 * Threads: one owner.
 */
#ifndef HF_REPO_LATE_H
#define HF_REPO_LATE_H

#include "repo/config.h"
#include "repo/repo.h"
#include "repo/snapshot.h"

/* The newest number of each client of a signer, as config keeps it; new. */
json_t *late_newest(const struct snapshot_list *l, const uint8_t signer[FORMAT_UID]);

/* Set `late` in all that are. */
void late_judge(const struct config *c, struct snapshot_list *l);

#endif
