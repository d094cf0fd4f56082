/*
 * world_times: when a declared system's backups and verifications are due.
 *
 * A system's own `schedule` goes before its tier's.  Where neither says anything one is derived
 * from the RPO: so often that a backup which takes as long as a third of the target, or one that
 * fails once, is still in time.  A schedule whose starts are ever farther apart than the RPO's
 * target is refused, unless the strategy is continuous, where changes are not waited for.
 *
 * Zones are tzdata's files ($TZDIR or /usr/share/zoneinfo); without a name the machine's own holds
 * ($TZ, /etc/localtime).
 *
 * Threads: read-only once made.
 */
#ifndef HF_CONFIG_WORLD_TIMES_H
#define HF_CONFIG_WORLD_TIMES_H

#include "base/schedule.h"
#include "config/world.h"

/* What is due, in the order of how much it is: of two at one moment the first is run. */
enum times_what {
	TIMES_FULL,
	TIMES_DIFFERENTIAL,
	TIMES_INCREMENTAL,
	TIMES_VERIFY,
	TIMES_ARCHIVE, /* a copy to the archives */
	TIMES_DRILL,   /* a rehearsed recovery */
	TIMES_PRUNE,   /* of a repository */
	TIMES_WHATS
};

struct world_times {
	struct schedule v[TIMES_WHATS];
	bool is[TIMES_WHATS];
	bool derived;  /* from the RPO */
	bool catch_up; /* what was missed is made good */
	struct zone *zone;
	char *zone_name; /* "local" for the machine's own */
};

const char *times_what_name(enum times_what w); /* "full", ... */
const char *times_kind_name(
    enum times_what w); /* of its run: "backup", "verify", "copy", "drill", "prune" */

/* ERR_USAGE: no such zone, ...  Without a system: as its tier says to any. */
int world_times_new(const struct world_tier *t, const struct world_system *s,
    struct world_times **out, struct err *e);
void world_times_free(struct world_times *t); /* NULL does nothing */

/*
 * When a repository is pruned: as it says, or where objects are locked four times in a period, for
 * that is what makes the locks longer.  Else nothing is ever due.
 */
int world_prune_times(const struct world_repository *r, struct world_times **out, struct err *e);

/*
 * The first of all that is due after that moment (only of TIMES_FULL to _INCREMENTAL if `backups`),
 * and when it may start; false: nothing ever.
 */
bool world_times_next(const struct world_times *t, int64_t after_s, bool backups,
    enum times_what *what, int64_t *due_s, int64_t *start_s);

/* The longest time between two starts of a backup in the year after that; 0: it has no schedule. */
int64_t world_times_gap(const struct world_times *t, int64_t from_s);

/* A zone by its name, NULL for the machine's; ERR_USAGE with what would be right. */
int world_zone(const char *name, struct zone **out, struct err *e);

#endif
