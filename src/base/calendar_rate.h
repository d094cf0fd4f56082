/*
 * calendar_rate: bytes a second, and the times of the week in which they hold.
 *
 * A rate: "500" (KiB/s), "2MiB", "20MB/s"; "0" is no limit.  A window is days and
 * hours, "mon-fri 08:00-18:00", "sat,sun 00:00-24:00", or hours alone for every day.
 * One that ends before it begins goes on past midnight, and is of the day it began.
 * It has its first minute and not its last, by the local clock.  In the hour that is
 * repeated when the clock is set back it holds twice, and one that is skipped never.
 *
 * Threads: any.
 */
#ifndef HF_BASE_CALENDAR_RATE_H
#define HF_BASE_CALENDAR_RATE_H

#include <stdbool.h>

#include "base/calendar.h"

struct calendar_window {
	uint8_t days;      /* bit 0: sunday, ... */
	uint16_t from, to; /* minutes of the day; to may be 1440, or not after from */
};

struct calendar_rate {
	struct calendar_window in;
	uint64_t rate;
};

struct calendar_rates {  /* zeroed: no limit */
	uint64_t always; /* 0: none */
	struct calendar_rate *v;
	size_t n;
};

/* ERR_USAGE with what would be right. */
int calendar_parse_rate(const char *s, uint64_t *out, struct err *e);
int calendar_parse_window(const char *s, struct calendar_window *out, struct err *e);

bool calendar_window_holds(const struct calendar_window *w, int64_t wall_ns);
/* Where the clock shows that; sunday is 0. */
bool calendar_window_shows(const struct calendar_window *w, int weekday, int minute_of_day);

/* The least of those that hold; 0: no limit. */
uint64_t calendar_rate_at(const struct calendar_rates *r, int64_t wall_ns);

#endif
