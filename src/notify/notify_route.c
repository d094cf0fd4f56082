/* notify_route: see notify_route.h. */
#include "notify/notify_route.h"

#include <fnmatch.h>

enum { QUIET_MINUTES_MAX = 8 * 24 * 60, BACKOFF_S = 30, BACKOFF_MAX_S = 1800 };

static bool matches(const char *const *globs, size_t n, const char *s)
{
	for (size_t i = 0; i < n; i++)
		if (fnmatch(globs[i], s, 0) == 0)
			return true;
	return false;
}

bool notify_route_wants(const struct notify_route *r, const struct notify_message *m)
{
	enum notify_severity least = r->least ? r->least : NOTIFY_WARNING;

	if (r->nsystems > 0 && (m->system == NULL || !matches(r->systems, r->nsystems, m->system)))
		return false;
	if (r->non > 0 && !matches(r->on, r->non, m->event))
		return false;
	if (r->states)
		return m->state != NOTIFY_NEWS && r->every_ns == 0;
	return m->state != NOTIFY_STARTED && m->severity >= least;
}

bool notify_route_quiet(const struct notify_route *r, int64_t now_ns)
{
	int64_t local, days, second;

	if (r->zone == NULL) {
		for (size_t i = 0; i < r->nquiet; i++)
			if (calendar_window_holds(&r->quiet[i], now_ns))
				return true;
		return false;
	}
	local = zone_local(r->zone, now_ns / CALENDAR_SECOND);
	days = local / 86400 - (local % 86400 < 0);
	second = local - days * 86400;
	for (size_t i = 0; i < r->nquiet; i++) /* 1970-01-01 was a thursday */
		if (calendar_window_shows(
			&r->quiet[i], (int)(((days + 4) % 7 + 7) % 7), (int)(second / 60)))
			return true;
	return false;
}

int64_t notify_route_quiet_end(const struct notify_route *r, int64_t now_ns)
{
	int64_t at = now_ns - now_ns % (60 * CALENDAR_SECOND);

	for (int i = 0; i < QUIET_MINUTES_MAX; i++) {
		at += 60 * CALENDAR_SECOND;
		if (!notify_route_quiet(r, at))
			break;
	}
	return at;
}

int64_t notify_route_backoff(unsigned tries)
{
	int64_t s = BACKOFF_S;

	for (unsigned i = 1; i < tries && s < BACKOFF_MAX_S; i++)
		s *= 2;
	return (s < BACKOFF_MAX_S ? s : BACKOFF_MAX_S) * CALENDAR_SECOND;
}
