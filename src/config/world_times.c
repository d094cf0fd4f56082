/* world_times: see world_times.h. */
#include "config/world_times.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/os.h"

enum { MINUTE = 60, HOUR = 3600, DAY = 86400, ZONE_MAX = 1 << 20, LOOKED = 4000 };

static const char default_folder[] = "/usr/share/zoneinfo";

const char *times_what_name(enum times_what w)
{
	static const char *const names[] = {
	    "full", "differential", "incremental", "verify", "archive", "drill", "prune"};

	return names[w];
}

const char *times_kind_name(enum times_what w)
{
	static const char *const names[] = {
	    "backup", "backup", "backup", "verify", "copy", "drill", "prune"};

	return names[w];
}

/* ---- Zones. */

/* "Europe/Berlin", "Etc/GMT+5": nothing that leaves the folder. */
static bool is_zone_name(const char *s)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_+-/";

	return *s != '\0' && *s != '/' && strlen(s) < 100 && s[strspn(s, chars)] == '\0';
}

static int read_zone(const char *path, struct zone **out, struct err *e)
{
	struct buf b = {0};
	int rc = os_read_file(path, ZONE_MAX, &b, e);

	if (rc == 0)
		rc = zone_parse(buf_span(&b), out, e);
	buf_fini(&b);
	return rc;
}

static int no_zone(const char *name, struct err *e)
{
	err_set(e, ERR_USAGE, "there is no time zone '%.64s' here", name);
	return err_hint(
	    e, "names are as in %s: Europe/Berlin, UTC; package tzdata has them", default_folder);
}

static int named_zone(const char *name, struct zone **out, struct err *e)
{
	const char *folder = getenv("TZDIR");
	char *path;
	int rc;

	if (!is_zone_name(name))
		return no_zone(name, e);
	path = mem_printf("%s/%s", folder ? folder : default_folder, name);
	rc = read_zone(path, out, e);
	free(path);
	if (rc == -1 && strcmp(name, "UTC") == 0)
		return zone_of_rule("UTC0", out, e);
	return rc == 0 ? 0 : no_zone(name, e);
}

int world_zone(const char *name, struct zone **out, struct err *e)
{
	const char *tz = getenv("TZ");

	if (name != NULL)
		return named_zone(name, out, e);
	if (tz != NULL && *tz == ':')
		tz++;
	if (tz != NULL && *tz == '/')
		return read_zone(tz, out, e);
	if (tz != NULL && *tz != '\0' &&
	    (named_zone(tz, out, e) == 0 || zone_of_rule(tz, out, e) == 0))
		return 0;
	if (tz == NULL && read_zone("/etc/localtime", out, e) == 0)
		return 0;
	return zone_of_rule("UTC0", out, e); /* as libc does */
}

/* ---- From what is declared. */

static bool says_when(const struct world_schedule *s)
{
	return s->full != NULL || s->differential != NULL || s->incremental != NULL;
}

static int64_t seconds(const struct calendar_duration *d)
{
	return d->ns / CALENDAR_SECOND + (int64_t)d->months * 30 * DAY;
}

/* The greatest usual interval of at most two thirds of the target. */
static int64_t derived_s(int64_t rpo_s)
{
	static const int64_t usual[] = {12 * HOUR, 8 * HOUR, 6 * HOUR, 4 * HOUR, 3 * HOUR, 2 * HOUR,
	    HOUR, 30 * MINUTE, 20 * MINUTE, 15 * MINUTE, 10 * MINUTE, 5 * MINUTE, 3 * MINUTE,
	    2 * MINUTE, MINUTE};

	if (rpo_s * 2 / 3 >= DAY)
		return rpo_s * 2 / 3 / DAY * DAY;
	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
		if (usual[i] * 3 <= rpo_s * 2)
			return usual[i];
	return MINUTE;
}

static uint64_t seed_of(const char *name)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a (Fowler, Noll, Vo) */

	for (; *name != '\0'; name++)
		h = (h ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	return h;
}

/* What the tables have parsed once parses again. */
static int put(struct world_times *t, enum times_what what, const char *text,
    const struct world_schedule *s, const char *name, struct err *e)
{
	struct schedule *to = &t->v[what];

	if (text == NULL)
		return 0;
	if (schedule_parse(text, to, e) == -1)
		return -1;
	t->is[what] = true;
	to->zone = t->zone;
	to->jitter_s = seconds(&s->jitter);
	to->seed = seed_of(name) + what;
	to->only = s->only.v;
	to->nonly = s->only.n;
	to->never = s->never.v;
	to->nnever = s->never.n;
	return 0;
}

static int fill(struct world_times *t, const struct world_tier *tier,
    const struct world_schedule *s, const char *name, struct err *e)
{
	int64_t rpo_s = seconds(&tier->rpo.target);

	if (put(t, TIMES_FULL, s->full, s, name, e) == -1 ||
	    put(t, TIMES_DIFFERENTIAL, s->differential, s, name, e) == -1 ||
	    put(t, TIMES_INCREMENTAL, s->incremental, s, name, e) == -1 ||
	    put(t, TIMES_VERIFY, tier->verify.every, s, name, e) == -1 ||
	    put(t, TIMES_DRILL, tier->drill.every, s, name, e) == -1 ||
	    put(t, TIMES_ARCHIVE, s->archive ? s->archive : tier->schedule.archive, s, name, e) ==
		-1)
		return -1;
	if (!says_when(s) && rpo_s > 0) {
		static const enum times_what whats[] = {TIMES_INCREMENTAL, TIMES_FULL,
		    TIMES_INCREMENTAL, TIMES_DIFFERENTIAL, TIMES_INCREMENTAL};
		char text[32];

		snprintf(text, sizeof text, "%llds", (long long)derived_s(rpo_s));
		t->derived = true;
		return put(t, whats[tier->strategy], text, s, name, e);
	}
	return 0;
}

int world_times_new(const struct world_tier *tier, const struct world_system *s,
    struct world_times **out, struct err *e)
{
	const struct world_schedule *from = s && says_when(&s->schedule) ? &s->schedule
									 : &tier->schedule;
	struct world_times *t = mem_zalloc(sizeof *t);

	t->catch_up = from->catch_up != WORLD_CATCH_UP_SKIP;
	t->zone_name = mem_strdup(from->timezone ? from->timezone : "local");
	if (world_zone(from->timezone, &t->zone, e) == -1 ||
	    fill(t, tier, from, s ? s->item.name : tier->item.name, e) == -1) {
		world_times_free(t);
		return -1;
	}
	*out = t;
	return 0;
}

int world_prune_times(const struct world_repository *r, struct world_times **out, struct err *e)
{
	struct world_times *t = mem_zalloc(sizeof *t);
	const struct world_schedule s = {
	    .jitter = r->prune.jitter, .only = r->prune.only, .never = r->prune.never};
	int64_t lock_s = seconds(&r->object_lock);
	char text[32];
	const char *every = r->prune.every;

	t->catch_up = true;
	t->zone_name = mem_strdup(r->prune.timezone ? r->prune.timezone : "local");
	if (every == NULL && lock_s > 0) {
		int64_t often = lock_s / 4 >= DAY ? lock_s / 4 / DAY * DAY : derived_s(lock_s / 4);

		snprintf(text, sizeof text, "%llds", (long long)often);
		t->derived = true;
		every = text;
	}
	if (world_zone(r->prune.timezone, &t->zone, e) == -1 ||
	    put(t, TIMES_PRUNE, every, &s, r->item.name, e) == -1) {
		world_times_free(t);
		return -1;
	}
	*out = t;
	return 0;
}

void world_times_free(struct world_times *t)
{
	if (t == NULL)
		return;
	zone_free(t->zone);
	free(t->zone_name);
	free(t);
}

bool world_times_next(const struct world_times *t, int64_t after_s, bool backups,
    enum times_what *what, int64_t *due_s, int64_t *start_s)
{
	bool found = false;

	for (int i = 0; i < TIMES_WHATS; i++) {
		int64_t due, start;

		if (!t->is[i] || (backups && i > TIMES_INCREMENTAL) ||
		    !schedule_next(&t->v[i], after_s, &due) ||
		    !schedule_start(&t->v[i], due, &start))
			continue;
		if (found && due >= *due_s)
			continue;
		found = true;
		*what = (enum times_what)i;
		*due_s = due;
		*start_s = start;
	}
	return found;
}

int64_t world_times_gap(const struct world_times *t, int64_t from_s)
{
	int64_t last = 0, gap = 0, due = from_s, start;
	enum times_what what;

	for (int i = 0; i < LOOKED && due <= from_s + 400 * (int64_t)DAY; i++) {
		if (!world_times_next(t, due, true, &what, &due, &start))
			break;
		if (last != 0 && start - last > gap)
			gap = start - last;
		last = start > last ? start : last; /* two that wait for one window are one */
	}
	return gap;
}
