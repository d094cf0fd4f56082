/*
 * zone_rule: POSIX's TZ, "CET-1CEST,M3.5.0,M10.5.0/3": two offsets, and on which days of each
 * year they change.
 */
#ifndef HF_BASE_ZONE_RULE_H
#define HF_BASE_ZONE_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct zone_day { /* of a year, and seconds into it by the clock before the change */
	enum { ZONE_JULIAN, ZONE_DAY, ZONE_MONTH } kind; /* J1..365 without leap days, 0..365, M */
	int month, week, day;
	int32_t at;
};

struct zone_rule {
	int32_t standard, summer; /* seconds east */
	bool changes;
	struct zone_day begin, end; /* of summer */
};

/* ERR_CORRUPT. */
int zone_rule_parse(const char *s, struct zone_rule *out, struct err *e);
int32_t zone_rule_offset(const struct zone_rule *r, int64_t utc_s);

#endif
