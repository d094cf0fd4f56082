/* zone_rule: see zone_rule.h. */
#include "base/zone_rule.h"

#include <ctype.h>
#include <stddef.h>

#include "base/zone.h"

enum { DAY = 86400, HOUR = 3600, HOURS_MAX = 167 };

static bool number(const char **s, int max, int *out)
{
	const char *p = *s;
	int v = 0;

	for (; isdigit((unsigned char)*p); p++)
		if ((v = v * 10 + (*p - '0')) > max)
			return false;
	if (p == *s)
		return false;
	*s = p;
	*out = v;
	return true;
}

/* "CET", "<+03>" */
static bool name(const char **s)
{
	const char *p = *s;

	if (*p == '<') {
		while (*p != '\0' && *p != '>')
			p++;
		if (*p++ != '>')
			return false;
	} else {
		while (isalpha((unsigned char)*p))
			p++;
	}
	if (p - *s < 3)
		return false;
	*s = p;
	return true;
}

/* [+-]H[:M[:S]] in seconds */
static bool span(const char **s, int hours, int32_t *out)
{
	int sign = **s == '-' ? -1 : 1, h, m = 0, sec = 0;

	if (**s == '-' || **s == '+')
		++*s;
	if (!number(s, hours, &h))
		return false;
	if (**s == ':' && (++*s, !number(s, 59, &m)))
		return false;
	if (**s == ':' && (++*s, !number(s, 59, &sec)))
		return false;
	*out = sign * (h * HOUR + m * 60 + sec);
	return true;
}

static bool day_of(const char **s, struct zone_day *d)
{
	*d = (struct zone_day){.kind = ZONE_DAY, .at = 2 * HOUR};
	if (*(*s)++ != ',')
		return false;
	if (**s == 'M') {
		d->kind = ZONE_MONTH;
		++*s;
		if (!number(s, 12, &d->month) || d->month == 0 || *(*s)++ != '.' ||
		    !number(s, 5, &d->week) || d->week == 0 || *(*s)++ != '.' ||
		    !number(s, 6, &d->day))
			return false;
	} else {
		if (**s == 'J') {
			d->kind = ZONE_JULIAN;
			++*s;
		}
		if (!number(s, 365, &d->day) || (d->kind == ZONE_JULIAN && d->day == 0))
			return false;
	}
	return **s != '/' || (++*s, span(s, HOURS_MAX, &d->at));
}

static bool parse(const char *s, struct zone_rule *r)
{
	*r = (struct zone_rule){0};
	if (!name(&s) || !span(&s, 24, &r->standard))
		return false;
	r->standard = -r->standard; /* POSIX counts west */
	r->summer = r->standard + HOUR;
	if (*s == '\0')
		return true;
	if (!name(&s))
		return false;
	if (*s != ',' && *s != '\0') {
		if (!span(&s, 24, &r->summer))
			return false;
		r->summer = -r->summer;
	}
	r->changes = true;
	return day_of(&s, &r->begin) && day_of(&s, &r->end) && *s == '\0';
}

int zone_rule_parse(const char *s, struct zone_rule *out, struct err *e)
{
	if (parse(s, out))
		return 0;
	return err_set(e, ERR_CORRUPT, "time zone: '%.64s' is no rule", s);
}

static bool leap(int64_t y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

/* Days since 1970 of that day in that year. */
static int64_t day_in(const struct zone_day *d, int64_t year)
{
	int64_t first = zone_days(year, 1, 1), day;

	switch (d->kind) {
	case ZONE_JULIAN:
		return first + d->day - 1 + (leap(year) && d->day >= 60);
	case ZONE_DAY:
		return first + d->day;
	default:
		break;
	}
	first = zone_days(year, d->month, 1);
	/* 1970-01-01 was a thursday. */
	day = first + (((d->day - 4 - first) % 7) + 7) % 7 + 7 * (d->week - 1);
	while (
	    day >= (d->month == 12 ? zone_days(year + 1, 1, 1) : zone_days(year, d->month + 1, 1)))
		day -= 7;
	return day;
}

int32_t zone_rule_offset(const struct zone_rule *r, int64_t utc_s)
{
	int64_t local = utc_s + r->standard, year, begin, end;
	int month, day;

	if (!r->changes)
		return r->standard;
	zone_date((local >= 0 ? local : local - (DAY - 1)) / DAY, &year, &month, &day);
	begin = day_in(&r->begin, year) * DAY + r->begin.at - r->standard;
	end = day_in(&r->end, year) * DAY + r->end.at - r->summer;
	if (begin < end)
		return utc_s >= begin && utc_s < end ? r->summer : r->standard;
	return utc_s >= end && utc_s < begin ? r->standard : r->summer; /* south of the equator */
}
