/* cron: see cron.h. */
#include "base/cron.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { DAY = 86400, YEARS = 29 /* until a 29th of february is every weekday, past 2100 too */ };

struct field {
	const char *what;
	unsigned from, to;
	const char *names; /* of `from` and those after it, three letters each */
};

static const struct field fields[] = {
    {"minute", 0, 59, ""},
    {"hour", 0, 23, ""},
    {"day", 1, 31, ""},
    {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
    {"weekday", 0, 7, "sunmontuewedthufrisat"},
};
enum { FIELDS = sizeof fields / sizeof *fields };

static const struct {
	const char *word, *means;
} words[] = {
    {"@hourly", "0 * * * *"},
    {"@daily", "0 0 * * *"},
    {"@midnight", "0 0 * * *"},
    {"@weekly", "0 0 * * 0"},
    {"@monthly", "0 0 1 * *"},
    {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
};

static bool value(const struct field *f, const char **s, unsigned *out)
{
	unsigned v = 0;
	const char *p = *s;

	for (unsigned i = 0; f->names[3 * i]; i++)
		if (strncasecmp(p, f->names + 3 * i, 3) == 0 && !isalpha((unsigned char)p[3])) {
			*s += 3;
			*out = f->from + i;
			return true;
		}
	for (; isdigit((unsigned char)*p) && p - *s < 3; p++)
		v = v * 10 + (unsigned)(*p - '0');
	if (p == *s || isdigit((unsigned char)*p) || v < f->from || v > f->to)
		return false;
	*s = p;
	*out = v;
	return true;
}

/* One of a list: "*", "5", "1-5", each perhaps with "/STEP". */
static bool item(const struct field *f, const char **s, uint64_t *bits)
{
	static const struct field step = {"step", 1, 99, ""};
	unsigned from = f->from, to = f->to, by = 1;

	if (**s == '*') {
		++*s;
		to = f->to == 7 ? 6 : f->to;
	} else {
		if (!value(f, s, &from))
			return false;
		to = from;
		if (**s == '-' && (++*s, !value(f, s, &to)))
			return false;
		else if (**s == '/' && to == from && (*s)[-1] != '-')
			to = f->to == 7 ? 6 : f->to;
	}
	if (**s == '/' && (++*s, !value(&step, s, &by)))
		return false;
	if (from > to)
		return false;
	for (unsigned v = from; v <= to; v += by)
		*bits |= UINT64_C(1) << v;
	return true;
}

static bool list(const struct field *f, const char **s, uint64_t *bits)
{
	for (;; ++*s) {
		if (!item(f, s, bits))
			return false;
		if (**s != ',')
			return **s == '\0' || isspace((unsigned char)**s);
	}
}

static int bad_field(const struct field *f, const char *s, struct err *e)
{
	err_set(
	    e, ERR_USAGE, "the %s is not understood: '%.*s'", f->what, (int)strcspn(s, " \t"), s);
	if (f->names[0])
		return err_hint(e,
		    "%u to %u, or names like %.3s; lists, ranges and steps: 1,3-5,*/2", f->from,
		    f->to, f->names);
	return err_hint(e, "%u to %u; lists, ranges and steps: 1,3-5,*/2", f->from, f->to);
}

static const char *in_fields(const char *s)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcasecmp(s, words[i].word) == 0)
			return words[i].means;
	return s;
}

int cron_parse(const char *s, struct cron *out, struct err *e)
{
	const char *p = in_fields(s), *at;
	uint64_t bits[FIELDS] = {0};
	bool star[FIELDS];

	if (*p == '@') {
		err_set(e, ERR_USAGE, "there is no '%.32s'", s);
		return err_hint(e, "@hourly, @daily, @weekly, @monthly, @yearly, or five fields");
	}
	for (int i = 0; i < FIELDS; i++) {
		p += strspn(p, " \t");
		at = p;
		star[i] = *p == '*';
		if (*p == '\0') {
			err_set(e, ERR_USAGE, "'%.64s' has %d of 5 fields", s, i);
			return err_hint(e, "minute hour day month weekday: \"0 2 * * sun\"");
		}
		if (!list(&fields[i], &p, &bits[i]))
			return bad_field(&fields[i], at, e);
	}
	if (p[strspn(p, " \t")] != '\0') {
		err_set(e, ERR_USAGE, "'%.64s' has more than 5 fields", s);
		return err_hint(
		    e, "minute hour day month weekday; seconds and years are not known");
	}
	*out = (struct cron){.minutes = bits[0],
	    .hours = (uint32_t)bits[1],
	    .days = (uint32_t)bits[2],
	    .months = (uint16_t)bits[3],
	    .weekdays = (uint8_t)((bits[4] | bits[4] >> 7) & 0x7f),
	    .any_hour = star[1],
	    .any_day = star[2],
	    .any_weekday = star[4]};
	return 0;
}

static bool day_fits(const struct cron *c, int64_t day)
{
	int64_t year;
	int month, of_month, weekday = (int)(((day + 4) % 7 + 7) % 7);
	bool by_day, by_week;

	zone_date(day, &year, &month, &of_month);
	if (!(c->months >> month & 1))
		return false;
	by_day = c->days >> of_month & 1;
	by_week = c->weekdays >> weekday & 1;
	return c->any_day || c->any_weekday ? by_day && by_week : by_day || by_week;
}

/* The first moment after `after` that one minute of the clock stands for; false: none. */
static bool moment(
    const struct cron *c, const struct zone *z, int64_t local, int64_t after, int64_t *out)
{
	int64_t at[2];
	int n = zone_moments(z, local, at);

	if (n == 0 && c->any_hour)
		return false;
	if (n < 2 || !c->any_hour)
		n = 1;
	for (int i = 0; i < n; i++)
		if (at[i] > after) {
			*out = at[i];
			return true;
		}
	return false;
}

static bool first_of_day(
    const struct cron *c, const struct zone *z, int64_t day, int64_t after, int64_t *out)
{
	int64_t at;
	bool found = false;

	/* The second time of a repeated hour comes after the first of the next: all are looked at.
	 */
	for (int h = 0; h < 24; h++)
		for (int m = 0; m < 60; m++)
			if ((c->hours >> h & 1) && (c->minutes >> m & 1) &&
			    moment(c, z, day * DAY + h * 3600 + m * 60, after, &at) &&
			    (!found || at < *out)) {
				*out = at;
				found = true;
			}
	return found;
}

/* Where the clock goes evenly the first is found without asking what each minute stands for. */
static bool first_of_steady_day(
    const struct cron *c, int64_t day, int64_t offset, int64_t after, int64_t *out)
{
	int64_t from = after + offset + 1 - day * DAY;
	int first = from <= 0 ? 0 : from > DAY ? 24 * 60 : (int)((from + 59) / 60);

	for (int h = first / 60; h < 24; h++) {
		uint64_t left = c->minutes >> (h == first / 60 ? first % 60 : 0);

		if (!(c->hours >> h & 1) || left == 0)
			continue;
		*out = day * DAY - offset + h * 3600 +
		       60 * (__builtin_ctzll(left) + (h == first / 60 ? first % 60 : 0));
		return true;
	}
	return false;
}

bool cron_next(const struct cron *c, const struct zone *z, int64_t after_s, int64_t *out_s)
{
	int64_t local = zone_local(z, after_s),
		day = (local >= 0 ? local : local - (DAY - 1)) / DAY;
	int64_t last = day + YEARS * 366, next;

	/* Where a change goes across midnight a day's moments are among the next one's. */
	for (day--; day <= last; day++) {
		int64_t offset;

		if (zone_is_steady(z, day * DAY, &offset)) {
			if (day_fits(c, day) && first_of_steady_day(c, day, offset, after_s, out_s))
				return true;
			continue;
		}
		if (!day_fits(c, day) || !first_of_day(c, z, day, after_s, out_s))
			continue;
		if (day_fits(c, day + 1) && first_of_day(c, z, day + 1, after_s, &next) &&
		    next < *out_s)
			*out_s = next;
		return true;
	}
	return false;
}
