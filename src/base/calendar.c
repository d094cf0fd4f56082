/* calendar: see calendar.h. */
#include "base/calendar.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS CALENDAR_SECOND

static const struct unit {
	const char *name;
	int64_t ns;
	int months;
} units[] = {
    {"ms", NS / 1000, 0},
    {"s", NS, 0},
    {"m", 60 * NS, 0},
    {"h", 3600 * NS, 0},
    {"d", 86400 * NS, 0},
    {"w", 7 * 86400 * NS, 0},
    {"mo", 0, 1},
    {"y", 0, 12},
};

static const struct unit *find_unit(const char *s, size_t n)
{
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strlen(units[i].name) == n && memcmp(units[i].name, s, n) == 0)
			return &units[i];
	return NULL;
}

/* Digits of a number that fits; NULL if there are none or it doesn't. */
static const char *read_number(const char *s, int64_t *out)
{
	int64_t v = 0;

	if (!isdigit((unsigned char)*s))
		return NULL;
	for (; isdigit((unsigned char)*s); s++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *s - '0', &v))
			return NULL;
	*out = v;
	return s;
}

static int parse_duration(const char *s, bool minutes, struct calendar_duration *out, struct err *e)
{
	const char *at = s;

	*out = (struct calendar_duration){0};
	do {
		const struct unit *u;
		const char *end;
		int64_t n, ns, months;
		size_t len;

		end = read_number(at, &n);
		if (end == NULL)
			return err_set(e, ERR_USAGE, "'%s' is not a duration", s),
			       err_hint(
				   e, "a number and ms, s, m, h, d, w, mo or y; like 12h or 1y6mo");
		len = strspn(end, "abcdefghijklmnopqrstuvwxyz");
		u = find_unit(end, len);
		if (u == NULL)
			return err_set(e, ERR_USAGE, "'%s' is not a duration: %s", s,
				   len ? "unknown unit" : "a unit is missing"),
			       err_hint(
				   e, "units are ms, s, m, h, d, w, mo and y; like 12h or 1y6mo");
		if (!minutes && strcmp(u->name, "m") == 0)
			return err_set(
			    e, ERR_USAGE, "'%s': minutes? write 60s; months? write 1mo", s);
		if (__builtin_mul_overflow(n, u->ns, &ns) ||
		    __builtin_add_overflow(out->ns, ns, &out->ns) ||
		    __builtin_mul_overflow(n, u->months, &months) ||
		    __builtin_add_overflow(out->months, months, &out->months) ||
		    out->months > 12 * 9999)
			return err_set(e, ERR_USAGE, "'%s' is too long a duration", s);
		at = end + len;
	} while (*at);
	return 0;
}

int calendar_parse_duration(const char *s, struct calendar_duration *out, struct err *e)
{
	return parse_duration(s, true, out, e);
}

int calendar_parse_within(const char *s, struct calendar_duration *out, struct err *e)
{
	return parse_duration(s, false, out, e);
}

/* What a size's unit multiplies with, 0 if there is no such unit. */
static uint64_t size_factor(const char *unit)
{
	static const char letters[] = "KMGTPE";
	const char *letter;
	uint64_t base = 1024, factor = 1;

	if (unit[0] == '\0' || strcmp(unit, "B") == 0)
		return 1;
	letter = strchr(letters, unit[0] == 'k' ? 'K' : unit[0]);
	if (letter == NULL)
		return 0;
	if (strcmp(unit + 1, "B") == 0)
		base = 1000;
	else if (unit[1] && strcmp(unit + 1, "iB") != 0)
		return 0;
	for (ptrdiff_t i = 0; i <= letter - letters; i++)
		factor *= base;
	return factor;
}

int calendar_parse_size(const char *s, uint64_t *out, struct err *e)
{
	int64_t n;
	const char *end = read_number(s, &n);
	uint64_t factor = 0;

	if (end)
		factor = size_factor(end + (end[0] == ' ' && end[1]));
	if (factor == 0) {
		err_set(e, ERR_USAGE, "'%s' is not a size", s);
		return err_hint(
		    e, "a number and kB, MB, GB (1000) or KiB, MiB, GiB (1024); like 512MiB");
	}
	if (__builtin_mul_overflow((uint64_t)n, factor, out))
		return err_set(e, ERR_USAGE, "'%s' is too large a size", s);
	return 0;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar, leap days at the year's end. */
static int64_t days_of(int64_t y, int m, int d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int month_days(int y, int m)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return days[m - 1] + (m == 2 && leap);
}

/* Exactly n digits at *s, moved past; false if they aren't there. */
static bool digits(const char **s, int n, int *out)
{
	*out = 0;
	for (int i = 0; i < n; i++, (*s)++) {
		if (!isdigit((unsigned char)**s))
			return false;
		*out = *out * 10 + (**s - '0');
	}
	return true;
}

static bool literal(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

struct parts {
	int y, mo, d, h, mi, s;
	int64_t ns, span_ns;
	bool has_offset;
	int offset_s;
};

static bool read_fraction(const char **s, struct parts *p)
{
	int64_t unit = NS;
	bool any = false;

	for (; isdigit((unsigned char)**s); (*s)++, any = true) {
		unit /= 10;
		p->ns += (**s - '0') * unit;
	}
	p->span_ns = unit ? unit : 1;
	return any;
}

static bool read_offset(const char **s, struct parts *p)
{
	int sign, h, m = 0;

	if (literal(s, 'Z') || literal(s, 'z'))
		return p->has_offset = true;
	if (**s != '+' && **s != '-')
		return true;
	sign = *(*s)++ == '-' ? -1 : 1;
	if (!digits(s, 2, &h))
		return false;
	literal(s, ':');
	if (**s && !digits(s, 2, &m))
		return false;
	p->has_offset = true;
	p->offset_s = sign * (h * 3600 + m * 60);
	return h < 24 && m < 60;
}

static bool read_parts(const char *s, struct parts *p)
{
	*p = (struct parts){.span_ns = 86400 * NS};
	if (!digits(&s, 4, &p->y) || !literal(&s, '-') || !digits(&s, 2, &p->mo) ||
	    !literal(&s, '-') || !digits(&s, 2, &p->d))
		return false;
	if (p->mo < 1 || p->mo > 12 || p->d < 1 || p->d > month_days(p->y, p->mo))
		return false;
	if (*s == '\0')
		return true;
	if (!literal(&s, 'T') && !literal(&s, 't') && !literal(&s, ' '))
		return false;
	if (!digits(&s, 2, &p->h) || !literal(&s, ':') || !digits(&s, 2, &p->mi))
		return false;
	p->span_ns = 60 * NS;
	if (literal(&s, ':')) {
		if (!digits(&s, 2, &p->s))
			return false;
		p->span_ns = NS;
		if (literal(&s, '.') && !read_fraction(&s, p))
			return false;
	}
	if (*s == ' ' && s[1])
		s++;
	return p->h < 24 && p->mi < 60 && p->s < 60 && read_offset(&s, p) && *s == '\0';
}

int calendar_parse_time(const char *s, struct calendar_time *out, struct err *e)
{
	struct parts p;
	int64_t t;

	if (!read_parts(s, &p)) {
		err_set(e, ERR_USAGE, "'%s' is not a time", s);
		return err_hint(
		    e, "like 2026-11-21, '2026-11-21 09:41' or 2026-11-21T09:41:07+01:00");
	}
	if (p.has_offset) {
		t = days_of(p.y, p.mo, p.d) * 86400 + p.h * 3600 + p.mi * 60 + p.s - p.offset_s;
	} else {
		struct tm tm = {.tm_year = p.y - 1900,
		    .tm_mon = p.mo - 1,
		    .tm_mday = p.d,
		    .tm_hour = p.h,
		    .tm_min = p.mi,
		    .tm_sec = p.s,
		    .tm_isdst = -1};

		t = mktime(&tm);
	}
	if (__builtin_mul_overflow(t, NS, &out->ns) ||
	    __builtin_add_overflow(out->ns, p.ns, &out->ns))
		return err_set(e, ERR_USAGE, "'%s' is too far away", s);
	out->span_ns = p.span_ns;
	out->local = !p.has_offset;
	return 0;
}

/* Seconds, rounded down, and what is left. */
static time_t split(int64_t ns, long *rest)
{
	int64_t s = ns / NS;

	*rest = (long)(ns % NS);
	if (*rest < 0) {
		*rest += NS;
		s--;
	}
	return (time_t)s;
}

char *calendar_format_local(char out[CALENDAR_TEXT], int64_t ns)
{
	struct tm tm;
	long rest, off;
	time_t t = split(ns, &rest);
	size_t n;

	localtime_r(&t, &tm);
	n = strftime(out, CALENDAR_TEXT, "%Y-%m-%d %H:%M:%S", &tm);
	off = tm.tm_gmtoff / 60;
	snprintf(out + n, CALENDAR_TEXT - n, " %c%02ld:%02ld", off < 0 ? '-' : '+',
	    (off < 0 ? -off : off) / 60, (off < 0 ? -off : off) % 60);
	return out;
}

char *calendar_format_utc(char out[CALENDAR_TEXT], int64_t ns)
{
	struct tm tm;
	long rest;
	time_t t = split(ns, &rest);
	size_t n;

	gmtime_r(&t, &tm);
	n = strftime(out, CALENDAR_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	if (rest) {
		n += (size_t)snprintf(out + n, CALENDAR_TEXT - n, ".%09ld", rest);
		while (out[n - 1] == '0')
			n--;
	}
	snprintf(out + n, CALENDAR_TEXT - n, "Z");
	return out;
}
