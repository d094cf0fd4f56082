/* schedule: see schedule.h. */
#include "base/schedule.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { DAY = 86400, MINUTE = 60 };

static const int64_t SECOND = CALENDAR_SECOND;

static bool is_word(const char *s, char out[16])
{
	static const char *const words[] = {"hourly", "daily", "weekly", "monthly", "yearly"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcasecmp(s, words[i]) == 0) {
			out[0] = '@';
			strcpy(out + 1, words[i]);
			return true;
		}
	return false;
}

static int parse_every(const char *s, struct schedule *out, struct err *e)
{
	struct calendar_duration *d = &out->every;

	if (calendar_parse_duration(s, d, e) == -1)
		return err_hint(e, "an interval (15m), a word (daily), or cron's five fields");
	if (d->months && d->ns) {
		err_set(e, ERR_USAGE, "'%.64s' mixes months with what has a length", s);
		return err_hint(e, "one or the other: 1mo, or 30d");
	}
	if (!d->months && (d->ns < SECOND || d->ns % SECOND)) {
		err_set(e, ERR_USAGE, "'%.64s' is not whole seconds", s);
		return err_hint(e, "continuous is what knows of changes sooner than by a schedule");
	}
	if (d->ns > DAY * SECOND && d->ns % (DAY * SECOND)) {
		err_set(e, ERR_USAGE, "'%.64s' is more than a day, and not whole days", s);
		return err_hint(
		    e, "less than a day, or days: 36h would be at noon and at midnight by turns");
	}
	return 0;
}

int schedule_parse(const char *s, struct schedule *out, struct err *e)
{
	char word[16];

	out->by_cron = true;
	if (is_word(s, word))
		return cron_parse(word, &out->cron, e);
	if (*s == '@' || *s == '*' || strpbrk(s, " \t") != NULL)
		return cron_parse(s, &out->cron, e);
	out->by_cron = false;
	return parse_every(s, out, e);
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Each moment of `by` seconds, shifted by the zone's offset in january 1970's sense: in winter. */
static int64_t next_even(const struct schedule *s, int64_t after, int64_t by)
{
	int64_t shift = zone_offset(s->zone, 0);

	return (floor_div(after + shift, by) + 1) * by - shift;
}

static int64_t midnight(const struct schedule *s, int64_t day)
{
	int64_t at[2];

	zone_moments(s->zone, day * DAY, at);
	return at[0];
}

static int64_t next_days(const struct schedule *s, int64_t after, int64_t by)
{
	const int64_t monday = 4;
	int64_t n = floor_div(floor_div(zone_local(s->zone, after), DAY) - monday, by), at;

	/* A day that ends later than it should is still the one before. */
	for (n--; (at = midnight(s, monday + n * by)) <= after; n++)
		;
	return at;
}

static int64_t next_months(const struct schedule *s, int64_t after, int64_t by)
{
	int64_t year, n, at;
	int month, day;

	zone_date(floor_div(zone_local(s->zone, after), DAY), &year, &month, &day);
	n = floor_div((year - 1970) * 12 + month - 1, by) - 1;
	for (;; n++) {
		int64_t of = n * by;

		at = midnight(s,
		    zone_days(1970 + floor_div(of, 12), (int)(of - floor_div(of, 12) * 12) + 1, 1));
		if (at > after)
			return at;
	}
}

bool schedule_next(const struct schedule *s, int64_t after_s, int64_t *due_s)
{
	int64_t every = s->every.ns / SECOND;

	if (s->by_cron)
		return cron_next(&s->cron, s->zone, after_s, due_s);
	if (s->every.months)
		*due_s = next_months(s, after_s, s->every.months);
	else if (every >= DAY)
		*due_s = next_days(s, after_s, every / DAY);
	else
		*due_s = next_even(s, after_s, every);
	return true;
}

/* splitmix64 (Steele, Lea, Flood 2014): well mixed, and the same wherever it is asked for. */
static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static bool in_any(const struct calendar_window *w, size_t n, int64_t local)
{
	int64_t day = floor_div(local, DAY);
	int weekday = (int)(((day + 4) % 7 + 7) % 7), minute = (int)((local - day * DAY) / MINUTE);

	for (size_t i = 0; i < n; i++)
		if (calendar_window_shows(&w[i], weekday, minute))
			return true;
	return false;
}

static bool may_start(const struct schedule *s, int64_t at)
{
	int64_t local = zone_local(s->zone, at);

	return (s->nonly == 0 || in_any(s->only, s->nonly, local)) &&
	       !in_any(s->never, s->nnever, local);
}

bool schedule_start(const struct schedule *s, int64_t due_s, int64_t *start_s)
{
	int64_t at = due_s, end;

	if (s->jitter_s > 0)
		at += (int64_t)(mix(s->seed ^ mix((uint64_t)due_s)) % (uint64_t)s->jitter_s);
	end = at + (int64_t)SCHEDULE_LATE_DAYS * DAY;
	/* Windows have whole minutes. */
	for (; at < end; at = (floor_div(at, MINUTE) + 1) * MINUTE)
		if (may_start(s, at)) {
			*start_s = at;
			return true;
		}
	return false;
}
