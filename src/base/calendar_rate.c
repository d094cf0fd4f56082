/* calendar_rate: see calendar_rate.h. */
#include "base/calendar_rate.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { DAY = 24 * 60, EVERY_DAY = 0x7f };

int calendar_parse_rate(const char *s, uint64_t *out, struct err *e)
{
	size_t n = strlen(s);
	char amount[32];

	if (n > 2 && strcmp(s + n - 2, "/s") == 0)
		n -= 2;
	snprintf(amount, sizeof amount, "%.*s", (int)n, s);
	if (n < sizeof amount && calendar_parse_size(amount, out, e) == 0) {
		if (amount[strspn(amount, "0123456789")] != '\0')
			return 0;
		if (!__builtin_mul_overflow(*out, 1024, out))
			return 0;
	}
	err_set(e, ERR_USAGE, "'%s' is not a rate", s);
	return err_hint(e, "a bare number is KiB/s; or with a unit, a second: 2MiB, 20MB/s");
}

static int bad_window(const char *s, const char *what, struct err *e)
{
	err_set(e, ERR_USAGE, "'%s' is not a window of time: %s", s, what);
	return err_hint(e, "days and hours: \"mon-fri 08:00-18:00\", \"sat,sun 00:00-24:00\", "
			   "or hours alone");
}

/* 0 to 6 from three letters, case aside; or -1. */
static int read_day(const char **at)
{
	static const char *const names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

	for (int i = 0; i < 7; i++)
		if (strncasecmp(*at, names[i], 3) == 0) {
			*at += 3;
			return i;
		}
	return -1;
}

/* "mon-fri,sun": 0 where it is no list of days. */
static uint8_t read_days(const char **at)
{
	uint8_t days = 0;

	for (;;) {
		int a = read_day(at), b = a;

		if (a == -1)
			return 0;
		if (**at == '-') {
			++*at;
			b = read_day(at);
		}
		if (b == -1)
			return 0;
		for (int i = a;; i = (i + 1) % 7) {
			days |= (uint8_t)(1 << i);
			if (i == b)
				break;
		}
		if (**at != ',')
			return days;
		++*at;
	}
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "08:00" to "24:00", in minutes; or -1. */
static int read_minute(const char **at)
{
	const char *p = *at;
	int h, m;

	if (!digit(p[0]) || !digit(p[1]) || p[2] != ':' || !digit(p[3]) || !digit(p[4]))
		return -1;
	h = 10 * (p[0] - '0') + p[1] - '0';
	m = 10 * (p[3] - '0') + p[4] - '0';
	*at = p + 5;
	return m < 60 && 60 * h + m <= DAY ? 60 * h + m : -1;
}

int calendar_parse_window(const char *s, struct calendar_window *out, struct err *e)
{
	const char *at = s;
	int from, to;

	out->days = EVERY_DAY;
	if (!digit(*at)) {
		out->days = read_days(&at);
		if (out->days == 0)
			return bad_window(s, "days are sun mon tue wed thu fri sat", e);
		if (*at != ' ')
			return bad_window(s, "hours are missing", e);
		while (*at == ' ')
			at++;
	}
	from = read_minute(&at);
	if (from == -1 || *at++ != '-')
		return bad_window(s, "hours are HH:MM-HH:MM", e);
	to = read_minute(&at);
	if (to == -1 || *at != '\0')
		return bad_window(s, "hours are HH:MM-HH:MM", e);
	if (from == to || from == DAY)
		return bad_window(s, "it has no length", e);
	out->from = (uint16_t)from;
	out->to = (uint16_t)to;
	return 0;
}

bool calendar_window_holds(const struct calendar_window *w, int64_t wall_ns)
{
	time_t t = (time_t)(wall_ns / CALENDAR_SECOND - (wall_ns % CALENDAR_SECOND < 0));
	struct tm tm;

	return localtime_r(&t, &tm) != NULL &&
	       calendar_window_shows(w, tm.tm_wday, 60 * tm.tm_hour + tm.tm_min);
}

bool calendar_window_shows(const struct calendar_window *w, int weekday, int minute)
{
	bool today = w->days >> weekday & 1, yesterday = w->days >> (weekday + 6) % 7 & 1;

	if (w->from < w->to)
		return today && minute >= w->from && minute < w->to;
	return (today && minute >= w->from) || (yesterday && minute < w->to);
}

uint64_t calendar_rate_at(const struct calendar_rates *r, int64_t wall_ns)
{
	uint64_t least = r->always;

	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].rate && (least == 0 || r->v[i].rate < least) &&
		    calendar_window_holds(&r->v[i].in, wall_ns))
			least = r->v[i].rate;
	return least;
}
