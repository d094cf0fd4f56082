/*
 * config_lease: whose turn it is to replace `config`, the one object that
 * changes (format.md 10).
 *
 * Who means to follow revision R puts `leases/config.<R>.<n>`, which of two that
 * try only one can (STORE_NEW), and then reads config again: is it still R,
 * nobody else replaces it now.  n is 0, or follows that of a lease which is a
 * minute old by the store's clock: its holder crashed, or sleeps; awake, it gives up
 * for half of that is over.  Nobody takes another's lease away before R is the past.
 *
 * Threads: one owner.
 */
#ifndef HF_REPO_CONFIG_LEASE_H
#define HF_REPO_CONFIG_LEASE_H

#include "base/ctx.h"
#include "base/err.h"

struct store;

struct config_lease {
	struct store *store; /* borrowed, as the next */
	struct ctx *ctx;
	uint64_t revision;
	unsigned number;
	int64_t since_ns; /* boot time */
	char who[33];     /* what it holds, unlike any other */
	bool held;
};

/* The revision of config as it is now, after reading it anew. */
typedef int config_lease_read(void *arg, uint64_t *revision, struct err *e);

/*
 * Take the turn: on return 0 what `read` read last is the newest, until
 * config_lease_end.  Waits some seconds for others, then fails with ERR_BUSY.
 */
int config_lease_begin(struct config_lease *l, struct store *s, struct ctx *ctx,
    config_lease_read *read, void *arg, struct err *e);

/* ERR_BUSY once it is too late to put config. */
int config_lease_check(const struct config_lease *l, struct err *e);

/*
 * Just before config is put: the same, and is it ours?  A store that looks and
 * then puts may have told two that they have it: the later one's stays.
 */
int config_lease_confirm(struct config_lease *l, struct err *e);

/* Leave the turn to others; `replaced`: config has a later revision now.  Twice is once. */
void config_lease_end(struct config_lease *l, bool replaced);

/* A config_lease_read of whoever holds no key (arg: the store): 0 if none is there, or none whole.
 */
int config_lease_stored(void *store, uint64_t *revision, struct err *e);

#endif
