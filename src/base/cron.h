/*
 * cron: five fields, minute hour day month weekday, and when they come round next.
 *
 * Fields have numbers, names (jan, mon), lists, ranges and steps ("0-30/10"; "5/15" is 5-59/15);
 * weekdays are 0 to 7, and 0 and 7 are sunday.  Where both day and weekday are said (do not begin
 * with '*') either will do.  Words: @hourly @daily @midnight @weekly @monthly @yearly @annually.
 *
 * Across changes of the clock, by the rules that cronie has:
 *   an hour that is said (not '*')   what falls into a skipped time is due at the change, once;
 *                                    what falls into a repeated one the first time only
 *   an hour of '*' or in steps of it  goes on by what the clock shows: it loses nothing but what is
 *                                    skipped, and is due again in what is repeated
 *
 * Threads: any.
 */
#ifndef HF_BASE_CRON_H
#define HF_BASE_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/zone.h"

struct cron {
	uint64_t minutes;                    /* bit 0: minute 0 */
	uint32_t hours;                      /* bit 0: hour 0 */
	uint32_t days;                       /* bit 1: the first */
	uint16_t months;                     /* bit 1: january */
	uint8_t weekdays;                    /* bit 0: sunday */
	bool any_day, any_weekday, any_hour; /* began with '*' */
};

/* ERR_USAGE with what would be right. */
int cron_parse(const char *s, struct cron *out, struct err *e);

/* The first moment after that one; false: there is none ("0 0 30 2 *"). */
bool cron_next(const struct cron *c, const struct zone *z, int64_t after_s, int64_t *out_s);

#endif
