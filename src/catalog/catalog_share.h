/*
 * catalog_share: what several daemons that share a catalog agree on.
 *
 * Leases go by one clock, catalog_now: a host whose own is wrong takes nothing from others.  A run
 * whose lease is over is taken over by exactly one of them, who records it as interrupted and
 * queues the next try; whoever held it before can neither renew nor end it any more.
 *
 * Threads: as the catalog.
 */
#ifndef HF_CATALOG_SHARE_H
#define HF_CATALOG_SHARE_H

#include "catalog/catalog.h"

/* What time it is for leases: the server's clock, or where the catalog is a file this host's. */
int catalog_now(struct catalog *c, int64_t *now_ns, struct err *e);

/*
 * Others' running ones whose lease ended before now become this owner's, who has no process for
 * them (pid 0), until lease_ns.  Each is told, as it is now.
 */
int run_take_over(struct catalog *c, const char *owner, int64_t now_ns, int64_t lease_ns,
    run_row *each, void *arg, struct err *e);

/*
 * Queue a run and put a value under a name that has none yet: both, or, where there is one
 * (ERR_EXISTS), neither: of several who would add the same run one does.
 */
int run_add_once(struct catalog *c, const struct run *r, const char *name, const char *value,
    int64_t *id, struct err *e);

/* What one does for all, by its name: is it this owner's to do, until then? */
int catalog_lead(struct catalog *c, const char *what, const char *owner, int64_t now_ns,
    int64_t until_ns, bool *ours, struct err *e);

#endif
