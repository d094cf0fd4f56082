/* zone: see zone.h.  The rules of a footer are in zone_rule.c. */
#include "base/zone.h"

#include <stdlib.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "base/zone_rule.h"

enum {
	CHANGES_MAX = 100000,
	OFFSET_MAX = 26 * 3600, /* RFC 8536: -25 to 26 hours */
	HEADER = 44,
	DAY = 86400,
};

struct change {
	int64_t at;     /* UTC */
	int32_t offset; /* from then on */
};

struct zone {
	struct change *v; /* in order */
	size_t n;
	int32_t first; /* before them */
	bool has_rule;
	struct zone_rule rule; /* after them */
};

struct counts {
	uint32_t isut, isstd, leap, time, type, chars;
};

static int damaged(struct err *e, const char *what)
{
	return err_set(e, ERR_CORRUPT, "time zone: %s", what);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be(const uint8_t *p, size_t width)
{
	if (width == 4)
		return (int32_t)be32(p);
	return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

/* *size: of the block that follows, with times of that width. */
static int read_header(
    struct span s, size_t width, struct counts *c, char *version, size_t *size, struct err *e)
{
	if (s.n < HEADER || memcmp(s.p, "TZif", 4) != 0)
		return damaged(e, "no TZif header");
	*version = (char)s.p[4];
	*c = (struct counts){be32(s.p + 20), be32(s.p + 24), be32(s.p + 28), be32(s.p + 32),
	    be32(s.p + 36), be32(s.p + 40)};
	if (c->time > CHANGES_MAX || c->type == 0 || c->type > 256 || c->chars > 65536 ||
	    c->isut > c->type || c->isstd > c->type || c->leap > CHANGES_MAX)
		return damaged(e, "impossible counts");
	*size = c->time * (width + 1) + c->type * 6 + c->chars + c->leap * (width + 4) + c->isstd +
		c->isut;
	return s.n - HEADER < *size ? damaged(e, "it ends early") : 0;
}

static int read_block(
    struct zone *z, const uint8_t *p, size_t width, const struct counts *c, struct err *e)
{
	const uint8_t *index = p + c->time * width, *types = index + c->time;

	if (c->leap > 0)
		return damaged(e, "it counts leap seconds, which no clock here does");
	for (uint32_t i = 0; i < c->type; i++) {
		int64_t offset = be(types + i * 6, 4);

		if (offset < -OFFSET_MAX || offset > OFFSET_MAX)
			return damaged(e, "an offset of more than a day");
	}
	z->first = (int32_t)be(types, 4);
	z->v = mem_alloc((c->time + 1) * sizeof *z->v);
	for (uint32_t i = 0; i < c->time; i++) {
		int64_t at = be(p + i * width, width);

		if (index[i] >= c->type)
			return damaged(e, "a kind of time that is not there");
		if (i > 0 && at <= z->v[i - 1].at)
			return damaged(e, "changes that are not in order");
		z->v[z->n++] = (struct change){at, (int32_t)be(types + index[i] * 6, 4)};
	}
	return 0;
}

/* "\nRULE\n" */
static int read_footer(struct zone *z, struct span s, struct err *e)
{
	const uint8_t *end;
	char rule[256];

	if (s.n < 2 || s.p[0] != '\n' || (end = memchr(s.p + 1, '\n', s.n - 1)) == NULL)
		return damaged(e, "no footer");
	s = span_of(s.p + 1, (size_t)(end - s.p) - 1);
	if (s.n == 0)
		return 0;
	if (s.n >= sizeof rule || memchr(s.p, 0, s.n))
		return damaged(e, "a footer that is none");
	memcpy(rule, s.p, s.n);
	rule[s.n] = '\0';
	if (zone_rule_parse(rule, &z->rule, e) == -1)
		return -1;
	z->has_rule = true;
	return 0;
}

/* Version 1 is one block of 32-bit times; later ones have a second of 64 bits, which counts. */
static int read_all(struct zone *z, struct span s, struct err *e)
{
	struct counts c;
	size_t size;
	char version;

	if (read_header(s, 4, &c, &version, &size, e) == -1)
		return -1;
	if (version == 0)
		return read_block(z, s.p + HEADER, 4, &c, e);
	s = span_of(s.p + HEADER + size, s.n - HEADER - size);
	if (read_header(s, 8, &c, &version, &size, e) == -1 ||
	    read_block(z, s.p + HEADER, 8, &c, e) == -1)
		return -1;
	return read_footer(z, span_of(s.p + HEADER + size, s.n - HEADER - size), e);
}

int zone_parse(struct span tzif, struct zone **out, struct err *e)
{
	struct zone *z = mem_zalloc(sizeof *z);

	if (read_all(z, tzif, e) == -1) {
		zone_free(z);
		return -1;
	}
	*out = z;
	return 0;
}

int zone_of_rule(const char *rule, struct zone **out, struct err *e)
{
	struct zone *z = mem_zalloc(sizeof *z);

	if (zone_rule_parse(rule, &z->rule, e) == -1) {
		zone_free(z);
		return -1;
	}
	z->has_rule = true;
	*out = z;
	return 0;
}

void zone_free(struct zone *z)
{
	if (z == NULL)
		return;
	free(z->v);
	free(z);
}

int64_t zone_offset(const struct zone *z, int64_t utc_s)
{
	size_t lo = 0, hi = z->n;

	while (lo < hi) { /* the first change after that moment */
		size_t mid = lo + (hi - lo) / 2;

		if (z->v[mid].at <= utc_s)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == z->n && z->has_rule)
		return zone_rule_offset(&z->rule, utc_s);
	return lo == 0 ? z->first : z->v[lo - 1].offset;
}

/* Of two moments with different offsets: the first that has not that of `lo`. */
static int64_t change_between(const struct zone *z, int64_t lo, int64_t hi)
{
	int64_t before = zone_offset(z, lo);

	while (hi - lo > 1) {
		int64_t mid = lo + (hi - lo) / 2;

		if (zone_offset(z, mid) == before)
			lo = mid;
		else
			hi = mid;
	}
	return hi;
}

int zone_moments(const struct zone *z, int64_t local_s, int64_t at[2])
{
	/* No offset is larger, and no zone changes twice within these two days. */
	int64_t from = local_s - OFFSET_MAX, to = local_s + OFFSET_MAX;
	int64_t before = zone_offset(z, from), after = zone_offset(z, to);
	int n = 0;

	if (zone_offset(z, local_s - before) == before)
		at[n++] = local_s - before;
	if (after != before && zone_offset(z, local_s - after) == after)
		at[n++] = local_s - after;
	if (n == 0)
		at[0] = before != after ? change_between(z, from, to) : local_s - before;
	return n;
}

bool zone_is_steady(const struct zone *z, int64_t local_s, int64_t *offset)
{
	/* As above: what comes back within two days has not changed between. */
	*offset = zone_offset(z, local_s);
	return zone_offset(z, local_s - OFFSET_MAX) == *offset &&
	       zone_offset(z, local_s + OFFSET_MAX) == *offset &&
	       zone_offset(z, local_s + DAY + OFFSET_MAX) == *offset;
}

int64_t zone_days(int64_t year, int month, int day)
{
	/* Years from March: a leap day is the last of its year. */
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void zone_date(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t of_era = z - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

	*day = (int)(of_year - (153 * m + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
	*year = y + era * 400 + (*month <= 2);
}
