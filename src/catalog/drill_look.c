/* drill_look: see drill_look.h. */
#include "catalog/drill_look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/mem.h"
#include "catalog/drill_what.h"

enum { FULL, INCREMENTAL, DIFFERENTIAL, PITR, LATEST, OLDEST, PLACES, DAY = 86400 };

static const char *const kinds[PLACES] = {
    "full", "incremental", "differential", "pitr", "latest", "oldest"};

/* A drill as its run tells. */
struct drill_look_run {
	int64_t began_s, ended_s;
	size_t which; /* point */
	bool all;     /* nobody answered: that is so of each point */
	bool kept;    /* there is a record of it */
};

static int kind_of(const char *name)
{
	for (int i = 0; name != NULL && i < PLACES; i++)
		if (strcmp(kinds[i], name) == 0)
			return i;
	return -1;
}

void drill_look_init(struct drill_look *l, int64_t now_s)
{
	*l = (struct drill_look){.now_s = now_s, .n = PLACES};
	for (int i = 0; i < PLACES; i++)
		l->v[i].kind = kinds[i];
}

void drill_look_fini(struct drill_look *l)
{
	json_decref(l->measured);
	free(l->runs);
	l->measured = NULL;
	l->runs = NULL;
}

void drill_look_place(struct drill_look *l, const char *name)
{
	char *from = l->from[l->n - PLACES];

	if (l->n == DRILL_LOOK_POINTS)
		return;
	snprintf(from, sizeof l->from[0], "from=%.128s", name);
	l->v[l->n].kind = from;
	l->there[l->n++] = true;
}

int drill_look_backup(void *look, const struct run *r, struct err *e)
{
	struct drill_look *l = look;
	int kind = kind_of(r->type);

	(void)e;
	if (r->status != RUN_COMPLETED && r->status != RUN_PROBLEMS)
		return 0;
	if (l->bytes == 0)
		l->bytes = r->bytes;
	if (kind != -1 && l->made_s[kind] == 0) {
		l->there[kind] = true;
		l->made_s[kind] = r->ended_ns / CALENDAR_SECOND;
	}
	l->backups++;
	return 0;
}

/* The point that it was for: of one that says none the newest; the number of all: of none. */
static size_t point_of(const struct drill_look *l, const char *type)
{
	struct drill_what w;

	drill_what_parse(type, &w);
	for (size_t i = PLACES; w.from[0] != '\0' && i < l->n; i++)
		if (strcmp(l->from[i - PLACES] + strlen("from="), w.from) == 0)
			return i;
	if (w.from[0] != '\0' || w.to[0] != '\0')
		return l->n;
	return (size_t)(w.point[0] ? kind_of(w.point) : LATEST);
}

static bool is_away(const struct run *r)
{
	enum err_kind kind = err_kind_of(r->error_kind);
	struct drill_what w;

	drill_what_parse(r->type, &w);
	return r->status == RUN_FAILED && w.from[0] == '\0' &&
	       (kind == ERR_UNREACHABLE || kind == ERR_TIMEOUT || kind == ERR_NO_REPOSITORY ||
		   kind == ERR_BUSY || kind == ERR_COLD);
}

int drill_look_drill(void *look, const struct run *r, struct err *e)
{
	struct drill_look *l = look;

	(void)e;
	if (r->ended_ns == 0 || r->status == RUN_SKIPPED)
		return 0;
	l->runs = mem_realloc(l->runs, (l->nruns + 1) * sizeof *l->runs);
	l->runs[l->nruns++] = (struct drill_look_run){.began_s = r->started_ns / CALENDAR_SECOND,
	    .ended_s = r->ended_ns / CALENDAR_SECOND,
	    .which = point_of(l, r->type),
	    .all = is_away(r)};
	return 0;
}

static void note_kept(struct drill_look *l, int64_t at)
{
	for (size_t i = 0; i < l->nruns; i++)
		if (l->runs[i].began_s != 0 && at >= l->runs[i].began_s && at <= l->runs[i].ended_s)
			l->runs[i].kept = true;
}

static int64_t began_s(const json_t *record)
{
	const char *s = json_string_value(json_object_get(record, "started"));
	struct calendar_time t;
	struct err ignored;

	return s != NULL && calendar_parse_time(s, &t, &ignored) == 0 ? t.ns / CALENDAR_SECOND : 0;
}

static void note_tried(struct drill_point *p, int64_t at)
{
	if (p->tried_s < at)
		p->tried_s = at;
}

static void note_point(struct drill_point *p, int64_t at, bool held)
{
	note_tried(p, at);
	if (held && p->proven_s < at)
		p->proven_s = at;
	if (!held && at > p->proven_s) /* the newest comes first */
		p->vain_s = at;
}

/*
 * What it was asked for was tried, whatever it took instead.  A run says which kind it wanted, and
 * the first of all is a full one: that there is none of a kind a drill finds out.
 */
static void note_asked(struct drill_look *l, const json_t *record, int kind, int64_t at)
{
	int asked = kind_of(json_string_value(json_object_get(record, "asked")));

	if (asked == -1)
		return;
	note_tried(&l->v[asked], at);
	if (asked < PITR && asked != kind && l->absent_s[asked] < at)
		l->absent_s[asked] = at;
}

int drill_look_record(void *look, json_t *record, struct span line, struct err *e)
{
	struct drill_look *l = look;
	const char *verdict = json_string_value(json_object_get(record, "verdict"));
	const char *place = json_string_value(json_object_get(record, "repository"));
	int kind = kind_of(json_string_value(json_object_get(record, "kind")));
	int64_t at = began_s(record);
	bool held = verdict != NULL && strcmp(verdict, "failed") != 0;

	(void)line;
	(void)e;
	if (at > l->now_s) /* it would be proven until then */
		return 0;
	if (l->now_s - at < DAY)
		l->spent_s += json_number_value(json_object_get(record, "seconds"));
	if (held && drill_plan_tells_better(l->measured, record, l->bytes)) {
		json_decref(l->measured);
		l->measured = json_incref(record);
	}
	note_kept(l, at);
	note_asked(l, record, kind, at);
	if (kind != -1)
		note_point(&l->v[kind], at, held);
	if (json_is_string(json_object_get(record, "pitr_unproven")))
		note_tried(&l->v[PITR], at);
	if (json_is_true(json_object_get(record, "newest")))
		note_point(&l->v[LATEST], at, held);
	if (json_is_true(json_object_get(record, "oldest")))
		note_point(&l->v[OLDEST], at, held);
	for (size_t i = PLACES; place != NULL && i < l->n; i++)
		if (strcmp(l->from[i - PLACES] + strlen("from="), place) == 0)
			note_point(&l->v[i], at, held);
	return 0;
}

static void note_vain(struct drill_point *p, int64_t at)
{
	if (p->lost_s < at)
		p->lost_s = at;
	if (at > p->proven_s && (p->vain_s == 0 || at < p->vain_s))
		p->vain_s = at;
}

/* Whatever it came to, interrupted by hand or without a recovery point: it is not begun at once. */
static void note_lost(struct drill_look *l)
{
	for (size_t i = 0; i < l->nruns; i++) {
		const struct drill_look_run *r = &l->runs[i];

		for (size_t k = 0; k < l->n && !r->kept; k++)
			if (r->all || k == r->which)
				note_vain(&l->v[k], r->ended_s);
	}
}

void drill_look_end(struct drill_look *l, bool log)
{
	note_lost(l);
	for (int i = 0; i < PITR; i++)
		l->there[i] &= l->absent_s[i] == 0 || l->absent_s[i] < l->made_s[i];
	l->there[PITR] = l->backups > 0 && log;
	l->there[LATEST] = l->backups > 0;
	l->there[OLDEST] = l->backups > 1;
}
