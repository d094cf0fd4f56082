/*
 * newest: how new what can be brought back of a system is: its last good backup, or what receivers
 * of its logs or their servers' archivers have stored since.
 *
 * A receiver counts by its own word, as of when it gave it, and only while that is young; behind a
 * gap in a log only for a base backup that was begun after the gap was found.  Without one that is
 * believed it is what the archiver handed over to the daemon, up to when its last segment was
 * written, for a base backup begun since it does so without a gap.  Of several sources the oldest
 * counts: what has neither is as old as the backup.
 *
 * Threads: any.
 */
#ifndef HF_DAEMON_NEWEST_H
#define HF_DAEMON_NEWEST_H

#include <stdint.h>

#include "config/world.h"

struct newest {
	int64_t point_ns; /* until then all of its sources are received; 0: not all are */
	int64_t gap_ns;   /* when the last gap was found; 0: none */
	int64_t since_ns; /* base backups that are older are not reached by all of it */
};

enum { NEWEST_STALE_S = 60 }; /* receivers tell every few seconds; one that hangs does not */

void newest_look(
    const struct world_system *s, const char *state_dir, int64_t now_ns, struct newest *out);

/* base_ns: when its last good backup began; 0, and so is what is returned: there is none. */
int64_t newest_point(const struct newest *n, int64_t base_ns);

#endif
