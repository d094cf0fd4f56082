/*
 * calendar: durations, sizes and times as people write them, and as we do.
 *
 * Durations: numbers with ms s m h d w mo y, one after another ("1y6mo",
 * "90s"); months and years are kept apart, for they have no fixed length.
 * Sizes: kB MB GB TB are powers of 1000, KiB MiB GiB TiB (and K M G T) of
 * 1024; a bare number is bytes.  Times: "2026-11-21", "2026-11-21 09:41",
 * "2026-11-21T09:41:07+01:00", "...Z", with a fraction of a second perhaps;
 * without an offset they are local.
 *
 * What is local comes from the process's time zone (TZ); nothing else here
 * depends on anything but its arguments.
 *
 * Threads: any.
 */
#ifndef HF_BASE_CALENDAR_H
#define HF_BASE_CALENDAR_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CALENDAR_SECOND INT64_C(1000000000)

enum { CALENDAR_TEXT = 48 }; /* room for any formatted time */

struct calendar_duration {
	int64_t ns; /* ms s m h d w */
	int months; /* mo y */
};

struct calendar_time {
	int64_t ns;      /* since 1970, UTC: the first moment meant */
	int64_t span_ns; /* how much was named: a day, a minute, a second, ... */
	bool local;      /* no offset was given */
};

/* ERR_USAGE with what would be right. */
int calendar_parse_duration(const char *s, struct calendar_duration *out, struct err *e);

/* The same for --keep-within, where "m" is refused: it reads as months. */
int calendar_parse_within(const char *s, struct calendar_duration *out, struct err *e);

int calendar_parse_size(const char *s, uint64_t *out, struct err *e);
int calendar_parse_time(const char *s, struct calendar_time *out, struct err *e);

/* "2026-11-21 09:41:07 +01:00" and "2026-11-21T08:41:07.5Z"; return out. */
char *calendar_format_local(char out[CALENDAR_TEXT], int64_t ns);
char *calendar_format_utc(char out[CALENDAR_TEXT], int64_t ns);

#endif
