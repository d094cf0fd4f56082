/*
 * check_logs: stretches of logs, and whether backups have what they need of them.
 *
 * Threads: one owner.
 */
#ifndef HF_ENGINE_CHECK_LOGS_H
#define HF_ENGINE_CHECK_LOGS_H

#include "engine/damage.h"
#include "repo/snapshot.h"

/*
 * Each is read with read_data (of `subset` > 0 that percentage), as far as the key can: findings go
 * to damage_object, *n is how many there are.  A snapshot that lacks a part of its log is damaged.
 */
int check_logs(struct repo *r, struct damage *d, const struct snapshot_list *all, bool read_data,
    double subset, struct ctx *ctx, uint64_t *n, struct err *e);

#endif
