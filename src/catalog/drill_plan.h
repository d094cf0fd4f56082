/*
 * drill_plan: which recovery point is to be rehearsed next, so that every system and every kind of
 * point is proven once in its time, within what a day may cost; and how long a recovery of one
 * would take, from what a drill measured.
 *
 * Threads: any; no state.
 */
#ifndef HF_CATALOG_DRILL_PLAN_H
#define HF_CATALOG_DRILL_PLAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct drill_point {
	const char *system, *kind; /* "full", "pitr", "from=offsite": as drill_what.h */
	int64_t proven_s;          /* when the last drill of it began that did not fail; 0: never */
	int64_t tried_s;           /* when the last one of any outcome did; 0: never */
	int64_t within_s;          /* it has to be proven once in so long; 0: no promise */
	double cost_s;             /* what it is expected to take; 0: not known */
	uint64_t bytes;            /* that it needs; 0: not known */
	int64_t lost_s;            /* when the last could not be tried at all; 0: never */
	int64_t vain_s; /* since when drills of it fail or cannot be tried; 0: they do not */
	bool busy;      /* one is waiting or runs, or nothing is begun for it */
};

struct drill_budget {
	double left_s; /* of today's time */
	uint64_t disk; /* of one drill; 0: no limit */
};

enum {
	DRILL_PLAN_AGAIN_S = 86400, /* one that failed is not tried again before */
	DRILL_PLAN_LOST_S = 10800 /* nor one that could not be tried, for which no store answered */
};

/*
 * The one whose time runs out first, of those that are due (three quarters of the time are over, so
 * that one that fails or waits is still in time) and fit; -1: none.  One of unknown cost
 * fits where anything is left.
 */
int drill_plan_next(
    const struct drill_point *v, size_t n, const struct drill_budget *b, int64_t now_s);

enum drill_lack {
	DRILL_COVERED,
	DRILL_NO_DISK, /* one needs more than there is */
	DRILL_NO_DAY,  /* one alone takes longer than a day gives */
	DRILL_NO_TIME, /* all together do not come to their turn in time */
	DRILL_NO_LUCK  /* it was tried, in vain, until its time was over by more than a quarter */
};

struct drill_foresight {
	enum drill_lack lack;
	int which; /* the first that is not proven in its time; -1 */
};

/* What one lacks by itself, with b for a day: all but DRILL_NO_TIME. */
enum drill_lack drill_plan_lack(
    const struct drill_point *p, const struct drill_budget *b, int64_t now_s);

/*
 * Will each be proven in its time, with b for each day?  By going through the days to come, as
 * drill_plan_next would choose if none failed and each proved itself alone.  One whose time is over
 * already has a quarter of it to be made up for.
 */
struct drill_foresight drill_plan_foresee(
    const struct drill_point *v, size_t n, const struct drill_budget *b, int64_t now_s);

/*
 * Seconds: the parts that do not depend on size as they were, the others by their rates.  0: the
 * record tells no rate, or bytes is 0: not known.
 */
double drill_plan_expect(const json_t *record, uint64_t bytes, uint64_t log_bytes);

/*
 * Does `older` tell better than the newer `have` (NULL: none) how long so much takes?  What was
 * measured of a small part says little of rates: one of far more is believed, though it is older.
 */
bool drill_plan_tells_better(const json_t *have, const json_t *older, uint64_t bytes);

#endif
