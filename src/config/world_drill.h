/*
 * world_drill: how recoveries are rehearsed, and what a system that came back is asked.
 *
 *   drill:
 *     user: postgres            # who runs what is started; root drills as nobody else
 *     directory: /srv/drill     # where it is restored to
 *     disk: 200GB               # a drill that needs more is refused
 *     memory: 4GiB
 *     cpu: 200                  # percent of one processor
 *     timeout: 2h
 *     within: 30d               # each system and kind of recovery point is proven once in so long,
 *     budget: 4h                # in so much time a day
 *
 *   tiers:   critical: { drill: { every: 7d, level: comprehensive, within: 14d } }
 *   systems: shop: { checks: [ { sql: "select count(*) from orders", min: 1 } ] }
 *
 * Threads: read-only once loaded.
 */
#ifndef HF_CONFIG_WORLD_DRILL_H
#define HF_CONFIG_WORLD_DRILL_H

#include "config/field.h"

struct world_drill { /* of this host; 0: not said */
	char *user, *directory;
	uint64_t disk, memory;
	unsigned cpu;
	struct calendar_duration timeout;
	struct calendar_duration within, budget;
};

struct world_tier_drill {
	char *every; /* for schedule_parse; NULL: never by itself */
	int level;   /* enum world_level; 0: standard */
	struct calendar_duration within;
	double may_shrink; /* percent that the newest may have less than the one proven before */
};

/* One of sql, command and file. */
struct world_drill_check {
	struct field_item item;
	char *sql, *part, *database;      /* one value is asked for */
	char *min, *max, *expect;         /* of the value, or of what the command prints */
	char *command;                    /* for /bin/sh, in the restored folder */
	char *file, *sha256;              /* absolute, as it was backed up */
	uint64_t min_size;                /* of the file */
	struct calendar_duration timeout; /* of a command or a query; 1m */
	bool optional; /* its failure costs points, and fails nothing by itself */
};

struct world_system;

/* What it is called in a report: its sql, command or file. */
const char *world_drill_check_name(const struct world_drill_check *k);

#endif
