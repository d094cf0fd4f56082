/*
 * schedule: when something is due, and when it may start.
 *
 * A schedule is cron's five fields or words ("0 2 * * sun", "@daily"), a word alone (hourly daily
 * weekly monthly yearly), or an interval ("15m", "3600000ms", "1d", "1mo"), by the clock of a zone:
 *   less than a day   every so long, of the clock that never changes: counted from 1970 in UTC,
 *                     shifted so that whole hours fall on the zone's in winter
 *   days and weeks    at midnight, counted from a monday (1970-01-05)
 *   months and years  at midnight of the first, counted from january 1970
 * A midnight that is skipped is due at the change, one that is repeated the first time: cron.h.
 *
 * What is due starts later by jitter, which is the same whenever it is asked for, and so that it
 * falls into one of the windows `only`, if there are any, and into none of `never`.
 *
 * Threads: any.
 */
#ifndef HF_BASE_SCHEDULE_H
#define HF_BASE_SCHEDULE_H

#include "base/calendar_rate.h"
#include "base/cron.h"

struct schedule {
	bool by_cron;
	struct cron cron;
	struct calendar_duration every; /* seconds at least; ns or months, not both */
	const struct zone *zone;        /* borrowed; set by the caller */
	int64_t jitter_s;               /* start up to so much later */
	uint64_t seed;                  /* of whom it is: others start at other moments */
	const struct calendar_window *only, *never; /* borrowed */
	size_t nonly, nnever;
};

enum { SCHEDULE_LATE_DAYS = 8 }; /* no opening of `only` is farther away: they are of a week */

/* Into a zeroed schedule.  ERR_USAGE with what would be right. */
int schedule_parse(const char *s, struct schedule *out, struct err *e);

/* The first moment after that one when it is due; false: never. */
bool schedule_next(const struct schedule *s, int64_t after_s, int64_t *due_s);

/* When what is due at that moment may start; false: the windows leave no minute of a week. */
bool schedule_start(const struct schedule *s, int64_t due_s, int64_t *start_s);

#endif
