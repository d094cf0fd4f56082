/*
 * forget_policy: which snapshots of one group a policy keeps.  Pure: it knows
 * snapshots and the time zone, and no repository.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine/op_forget.h"

enum { RULES = 5, KEY_TEXT = 48 };

static const int64_t SECOND = 1000000000;

/* A calendar rule: snapshots whose key is equal are in one bucket. */
struct rule {
	const char *name;
	const char *key;  /* strftime */
	const char *text; /* how a bucket is called */
};

/* The offset tells the two hours apart that a change of clocks gives one name. */
static const struct rule rules[RULES] = {
    {"hourly", "%Y-%m-%d %H %z", "%Y-%m-%d %H:00"},
    {"daily", "%Y-%m-%d", "%Y-%m-%d"},
    {"weekly", "%G-W%V", "%G-W%V"},
    {"monthly", "%Y-%m", "%Y-%m"},
    {"yearly", "%Y", "%Y"},
};

static time_t seconds(int64_t ns)
{
	int64_t s = ns / SECOND;

	return (time_t)(ns % SECOND < 0 ? s - 1 : s);
}

static void local_text(int64_t ns, const char *format, char out[KEY_TEXT])
{
	time_t t = seconds(ns);
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL || strftime(out, KEY_TEXT, format, &tm) == 0)
		snprintf(out, KEY_TEXT, "%lld", (long long)t);
}

static void __attribute__((format(printf, 2, 3)))
keep(struct forget_decision *d, const char *fmt, ...)
{
	size_t n = d->keep ? strlen(d->reason) : 0;
	va_list ap;

	if (n > 0 && n < sizeof d->reason)
		n += (size_t)snprintf(d->reason + n, sizeof d->reason - n, ", ");
	if (n < sizeof d->reason) {
		va_start(ap, fmt);
		vsnprintf(d->reason + n, sizeof d->reason - n, fmt, ap);
		va_end(ap);
	}
	d->keep = true;
}

/* One dated after it was stored lies about its time, one that is late about its signer. */
static bool counts(const struct snapshot *s)
{
	return select_counts(s);
}

static void keep_last(
    int last, const struct snapshot *const *group, size_t n, struct forget_decision *out)
{
	int nth = 0;

	for (size_t i = n; i-- > 0 && (last == -1 || nth < last);)
		if (counts(group[i]))
			keep(&out[i], "last snapshot %d", ++nth);
}

/* The newest of each bucket; while there are buckets left, the oldest of all too. */
static void keep_rule(const struct rule *r, int want, const struct snapshot *const *group, size_t n,
    struct forget_decision *out)
{
	char last[KEY_TEXT] = "", key[KEY_TEXT], text[KEY_TEXT];
	size_t oldest = 0;
	int used = 0;

	while (oldest < n && !counts(group[oldest]))
		oldest++;
	for (size_t i = n; i-- > oldest && (want == -1 || used < want);) {
		bool fresh;

		if (!counts(group[i]))
			continue;
		local_text(group[i]->start_ns, r->key, key);
		fresh = strcmp(key, last) != 0;
		if (!fresh && i != oldest)
			continue;
		local_text(group[i]->start_ns, r->text, text);
		keep(&out[i], "%s%s snapshot %s", fresh ? "" : "oldest ", r->name, text);
		memcpy(last, key, sizeof last);
		used++;
	}
}

static int days_in(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month] + (month == 1 && leap);
}

/* So many months earlier, at the same time of day; the 31st becomes the month's last. */
static int64_t months_before(int64_t ns, int months)
{
	time_t t = seconds(ns);
	int64_t rest = ns - (int64_t)t * SECOND, total;
	struct tm tm;
	int days;

	if (localtime_r(&t, &tm) == NULL)
		return ns;
	total = ((int64_t)tm.tm_year + 1900) * 12 + tm.tm_mon - months;
	if (total < 0)
		return INT64_MIN;
	tm.tm_year = (int)(total / 12) - 1900;
	tm.tm_mon = (int)(total % 12);
	days = days_in(tm.tm_year + 1900, tm.tm_mon);
	if (tm.tm_mday > days)
		tm.tm_mday = days;
	tm.tm_isdst = -1;
	t = mktime(&tm);
	if (__builtin_mul_overflow((int64_t)t, SECOND, &ns) ||
	    __builtin_add_overflow(ns, rest, &ns))
		return INT64_MIN;
	return ns;
}

/* "1y6mo2d3h30s", as it can be typed. */
static void within_text(const struct forget_policy *p, char *out, size_t size)
{
	static const struct {
		const char *unit;
		int64_t ns;
	} units[] = {{"d", 86400 * INT64_C(1000000000)}, {"h", 3600 * INT64_C(1000000000)},
	    {"s", 1000000000}, {"ms", 1000000}};
	int64_t left = p->within_ns;
	size_t n = 0;

	out[0] = '\0';
	if (p->within_months >= 12)
		n += (size_t)snprintf(out + n, size - n, "%dy", p->within_months / 12);
	if (p->within_months % 12)
		n += (size_t)snprintf(out + n, size - n, "%dmo", p->within_months % 12);
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (left / units[i].ns && n < size)
			n += (size_t)snprintf(out + n, size - n, "%lld%s",
			    (long long)(left / units[i].ns), units[i].unit);
		left %= units[i].ns;
	}
}

static void keep_within(const struct forget_policy *p, const struct snapshot *const *group,
    size_t n, struct forget_decision *out)
{
	size_t newest = n;
	char text[64];
	int64_t from;

	while (newest > 0 && !counts(group[newest - 1]))
		newest--;
	if (newest == 0)
		return;
	from = months_before(group[newest - 1]->start_ns, p->within_months);
	if (__builtin_sub_overflow(from, p->within_ns, &from))
		from = INT64_MIN;
	within_text(p, text, sizeof text);
	for (size_t i = newest; i-- > 0;)
		if (counts(group[i]) && group[i]->start_ns >= from)
			keep(&out[i], "within %s", text);
}

static void keep_tags(
    const struct forget_policy *p, const struct snapshot *s, struct forget_decision *out)
{
	for (size_t i = 0; i < p->ntags; i++)
		for (size_t j = 0; j < s->ntags; j++)
			if (strcmp(p->tags[i], s->tags[j]) == 0) {
				keep(out, "tag %s", p->tags[i]);
				return;
			}
}

void forget_decide(const struct forget_policy *p, const struct snapshot *const *group, size_t n,
    struct forget_decision *out)
{
	const int want[RULES] = {p->hourly, p->daily, p->weekly, p->monthly, p->yearly};

	for (size_t i = 0; i < n; i++)
		out[i] = (struct forget_decision){group[i], false, "no rule keeps it"};
	keep_last(p->last, group, n, out);
	for (size_t r = 0; r < RULES; r++)
		keep_rule(&rules[r], want[r], group, n, out);
	if (p->within_ns > 0 || p->within_months > 0)
		keep_within(p, group, n, out);
	for (size_t i = 0; i < n; i++) {
		if (counts(group[i]))
			keep_tags(p, group[i], &out[i]);
		else
			keep(&out[i], "%s: no rule counts it",
			    group[i]->late ? "came after its signer was removed"
					   : "dated later than it was stored");
	}
}
