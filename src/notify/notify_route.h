/*
 * notify_route: which messages a channel is told, and when it wants to be left alone.  Pure.
 *
 * Threads: any; a route is read-only.
 */
#ifndef HF_NOTIFY_NOTIFY_ROUTE_H
#define HF_NOTIFY_NOTIFY_ROUTE_H

#include "base/calendar_rate.h"
#include "base/zone.h"
#include "notify/notify.h"

struct notify_route {
	const char *channel;        /* its name */
	bool states;                /* a ping: only what runs are at */
	enum notify_severity least; /* 0: warning */
	const char *const *on;      /* globs of events; none: all */
	size_t non;
	const char *const *systems; /* globs; none: all, and what is of no system */
	size_t nsystems;
	const struct calendar_window *quiet; /* by the clock of `zone`; NULL: the local one */
	size_t nquiet;
	const struct zone *zone;
	bool hold_critical; /* quiet hours hold even those */
	int64_t dedupe_ns;  /* what is told under a key is only counted so long; 0: all is told */
	unsigned max_per_hour; /* 0: no cap */
	unsigned tries;        /* 0: NOTIFY_TRIES */
	const char *fallback;  /* who is told when this one cannot be; NULL: nobody */
	int64_t every_ns;      /* a ping: alone says "alive" so often; 0: not */
};

enum { NOTIFY_TRIES = 8, NOTIFY_GLOBS_MAX = 64 };

/* Is a message of that severity, event and system for this channel? */
bool notify_route_wants(const struct notify_route *r, const struct notify_message *m);

/* Are these its quiet hours? */
bool notify_route_quiet(const struct notify_route *r, int64_t now_ns);
/* When they end: the first minute that is not quiet; with no such minute in eight days, then. */
int64_t notify_route_quiet_end(const struct notify_route *r, int64_t now_ns);

/* How long to wait after so many tries that failed: from 30 s, doubled, to 30 min. */
int64_t notify_route_backoff(unsigned tries);

#endif
