/*
 * pace: how often something may happen: MOST times at once, and one more for each EACH_MS since.
 *
 * A system whose own backup changes it (an `after` hook that writes there, say), or that never
 * rests, would else be backed up without a pause, and its retention, where it counts snapshots,
 * would keep some minutes.
 *
 * Threads: a pace is one thread's at a time.
 */
#ifndef HF_DAEMON_PACE_H
#define HF_DAEMON_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum { PACE_MOST = 20, PACE_EACH_MS = 60000 };

struct pace {
	int64_t owed_ms; /* until then what was taken is being given back */
};

/* May it, now? */
static inline bool pace_may(const struct pace *p, int64_t now_ms)
{
	return p->owed_ms - now_ms <= (int64_t)(PACE_MOST - 1) * PACE_EACH_MS;
}

static inline void pace_take(struct pace *p, int64_t now_ms)
{
	p->owed_ms = (p->owed_ms > now_ms ? p->owed_ms : now_ms) + PACE_EACH_MS;
}

#endif
