/*
 * zone: a time zone out of the bytes of its tzdata file (TZif, RFC 8536, versions 1 to 4), and
 * what the local clock shows there.
 *
 * Local seconds are what the clock on the wall shows, counted as if it were UTC.  Where clocks are
 * set forward some of them never are, where they are set back some are twice.
 *
 * After the last change that the file lists its footer's rule holds (POSIX's TZ, with the hours
 * of RFC 8536, -167 to 167); leap seconds are not counted (the "right/" files are refused).
 *
 * Threads: any; read-only once parsed.
 */
#ifndef HF_BASE_ZONE_H
#define HF_BASE_ZONE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"

struct zone;

/* ERR_CORRUPT: it is none, or one that is damaged. */
int zone_parse(struct span tzif, struct zone **out, struct err *e);
/* A rule alone: "CET-1CEST,M3.5.0,M10.5.0/3", "UTC0". */
int zone_of_rule(const char *rule, struct zone **out, struct err *e);
void zone_free(struct zone *z); /* NULL does nothing */

/* Seconds east of UTC at that moment. */
int64_t zone_offset(const struct zone *z, int64_t utc_s);

static inline int64_t zone_local(const struct zone *z, int64_t utc_s)
{
	return utc_s + zone_offset(z, utc_s);
}

/*
 * When the clock shows that: how often, 0, 1 or 2 times, the moments in `at`, in order.  With 0
 * at[0] is the moment of the change that leaves it out.
 */
int zone_moments(const struct zone *z, int64_t local_s, int64_t at[2]);

/*
 * Is the offset the same all through a day of the clock, which begins at that local second, and
 * for a day before and after it?  Then each minute of it is once, *offset before UTC shows it.
 */
bool zone_is_steady(const struct zone *z, int64_t local_s, int64_t *offset);

/* Days since 1970-01-01 of a date, months from 1; and back.  Any year. */
int64_t zone_days(int64_t year, int month, int day);
void zone_date(int64_t days, int64_t *year, int *month, int *day);

#endif
