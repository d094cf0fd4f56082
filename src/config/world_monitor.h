/*
 * world_monitor: integrity monitors, `monitors:` of a tier or a system: something about a system is
 * looked at again and again, and compared with what it was.
 *
 *     monitors:
 *       checksum:     { every: 15m, paths: /srv/app/lib, action: alert_on_mismatch }
 *       record_count: { every: 5m, threshold: 5%, action: alert_on_threshold }
 *       state_hash:   { every: 5m, command: "agentctl state", action: alert_on_mismatch }
 *       version:      { type: version_check, every: 1m, paths: /srv/app/VERSION, expect: "2.4",
 *                       action: block_on_mismatch }
 *
 * A system's monitor goes before its tier's of the same name, key by key; so a tier, or a profile,
 * may say how often and what then, and each system of what.  One of a profile that no system
 * completes is none; of a file's own it is a mistake.
 *
 * Threads: read-only once loaded.
 */
#ifndef HF_CONFIG_WORLD_MONITOR_H
#define HF_CONFIG_WORLD_MONITOR_H

#include "config/world.h"

enum world_monitor_type {
	WORLD_CHECKSUM = 1, /* paths in the newest snapshot */
	WORLD_RECORD_COUNT, /* what a command prints; without one the newest backup's files */
	WORLD_STATE_HASH,   /* what a command prints, or files as they are now */
	WORLD_VERSION_CHECK /* the first line that a command prints, or of a file as it is now */
};

enum world_monitor_action {
	WORLD_ALERT_ON_MISMATCH = 1,
	WORLD_ALERT_ON_THRESHOLD,
	WORLD_BLOCK_ON_MISMATCH /* backups and retention are held until somebody accepts */
};

struct world_monitor {
	struct field_item item;
	int type; /* 0: its name says it */
	int action;
	struct calendar_duration every, timeout;
	double threshold; /* percent, of a count */
	struct field_texts paths;
	char *command, *expect;
};

/* For what was left out. */
enum { WORLD_MONITOR_THRESHOLD = 5, WORLD_MONITOR_TIMEOUT_S = 60, WORLD_MONITOR_EVERY_S = 10 };

const char *world_monitor_type_name(int type);     /* "checksum" */
const char *world_monitor_action_name(int action); /* "block_on_mismatch" */

/*
 * All of a system's, its own and its tier's, each with what both say of it and what was left out
 * filled in; texts are borrowed.  `out` has room for world_monitors_max.  Those that are not
 * complete are among them.
 */
size_t world_monitors_max(const struct world *w, const struct world_system *s);
size_t world_monitors(
    const struct world *w, const struct world_system *s, struct world_monitor *out);

/* What it lacks to be run: "paths or a command"; NULL: nothing. */
const char *world_monitor_lacks(const struct world_monitor *m);

#endif
