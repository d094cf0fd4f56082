/*
 * late: snapshots that came after their signer was removed.  Whose key was
 * stolen and removed signs on, where he can still write to the store.
 *
 * On removal config keeps the newest number of each of the signer's clients, and which
 * are missing below it (format.md 3.1): what is beyond, or was missing, is late, whatever
 * it says of its time: a number that was left out on purpose is none in reserve.  So is
 * what takes the number of one that is there or was pruned, and was stored after
 * the removal, by the store's clock.
 *
 * Threads: one owner.
 */
#ifndef HF_REPO_LATE_H
#define HF_REPO_LATE_H

#include "repo/config.h"
#include "repo/repo.h"
#include "repo/snapshot.h"

/* The newest number of each client of a signer, and what is missing, as config keeps them; new. */
void late_numbers(const struct snapshot_list *l, const uint8_t signer[FORMAT_UID], json_t **newest,
    json_t **missing);

/* Add to the list what came since it was loaded; without notes. */
int late_look_again(struct repo *r, struct snapshot_list *l, struct err *e);

/* Set `late` in all that are. */
void late_judge(const struct config *c, struct snapshot_list *l);

#endif
