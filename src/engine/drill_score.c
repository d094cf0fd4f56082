/* drill_score: see drill_score.h. */
#include "engine/drill_score.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/evidence_statement.h"

#define S DRILL_STANDARD
#define C DRILL_COMPREHENSIVE

/* clang-format off */
const struct drill_rule drill_rules[DRILL_RULES] = {
    {DRILL_SNAPSHOT, "prepare.snapshot", S, 10, true, "there is a recovery point of it, signed, that counts"},
    {DRILL_OUTCOME, "prepare.outcome", S, 5, true, "its backup came to its end"},
    {DRILL_RESTORED, "restore.all", S, 15, true, "all of it came back"},
    {DRILL_CONTENT, "restore.content", S, 15, true, "what lies on the disk is byte for byte what was stored"},
    {DRILL_COUNTS, "restore.counts", S, 8, true, "as many files, folders and bytes came back as were backed up"},
    {DRILL_FORMATS, "restore.formats", C, 6, true, "files whose names say a format begin as that format does"},
    {DRILL_LOG, "recovery.log", S, 12, true, "each segment of the log that recovery asked for was there"},
    {DRILL_STARTS, "recovery.starts", S, 15, true, "the server starts on it and answers"},
    {DRILL_REACHED, "recovery.reached", S, 10, true, "recovery came to the point that was asked for"},
    {DRILL_DATABASES, "facts.databases", S, 10, true, "each database of the time of the backup is there"},
    {DRILL_TABLES, "facts.tables", S, 10, true, "each table is there"},
    {DRILL_ROWS, "facts.rows", S, 10, true, "each table has the rows that were counted"},
    {DRILL_SCHEMA, "facts.schema", S, 8, true, "each database's schema is what it was"},
    {DRILL_ROLES, "facts.roles", S, 8, true, "each role is there"},
    {DRILL_SETTINGS, "facts.settings", S, 2, false, "settings are what they were"},
    {DRILL_PAGES, "facts.pages", S, 10, true, "no page's checksum is wrong"},
    {DRILL_NOT_LESS, "facts.not_less", S, 8, true, "it holds not notably less than what was proven before"},
    {DRILL_OBJECTS, "facts.objects", S, 4, false, "it has as many indexes, views, functions and so on as were proven before"},
    {DRILL_IN_TIME, "drill.in_time", S, 5, true, "it was finished within drill.timeout"},
    {DRILL_CLEAN, "teardown.clean", S, 2, false, "nothing of the drill was left behind"},
};
/* clang-format on */

const char *drill_level_name(enum drill_level l)
{
	return l == DRILL_COMPREHENSIVE ? "comprehensive" : "standard";
}

void drill_score_init(struct drill_score *s, enum drill_level level)
{
	*s = (struct drill_score){.n = DRILL_RULES};
	s->v = mem_zalloc(DRILL_RULES * sizeof *s->v);
	for (size_t i = 0; i < DRILL_RULES; i++) {
		s->v[i].name = mem_strdup(drill_rules[i].name);
		s->v[i].says = mem_strdup(drill_rules[i].says);
		s->v[i].weight = drill_rules[i].weight;
		s->v[i].critical = drill_rules[i].critical;
		if (drill_rules[i].level > level)
			s->v[i].why = mem_strdup("not of this level");
	}
}

void drill_score_fini(struct drill_score *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i].name);
		free(s->v[i].says);
		free(s->v[i].why);
	}
	free(s->v);
	*s = (struct drill_score){0};
}

void drill_hold(struct drill_score *s, enum drill_id id)
{
	if (s->v[id].state == DRILL_NOT_JUDGED) {
		s->v[id].state = DRILL_HELD;
		free(s->v[id].why);
		s->v[id].why = NULL;
	}
}

static char *format(const char *fmt, va_list ap)
{
	char text[600];

	vsnprintf(text, sizeof text, fmt, ap);
	return mem_strdup(text);
}

void drill_break(struct drill_score *s, enum drill_id id, const char *fmt, ...)
{
	struct drill_assertion *a = &s->v[id];
	va_list ap;

	if (a->state == DRILL_BROKEN)
		return;
	a->state = DRILL_BROKEN;
	free(a->why);
	va_start(ap, fmt);
	a->why = format(fmt, ap);
	va_end(ap);
}

void drill_leave(struct drill_score *s, enum drill_id id, const char *fmt, ...)
{
	struct drill_assertion *a = &s->v[id];
	va_list ap;

	if (a->state != DRILL_NOT_JUDGED || a->why != NULL)
		return;
	va_start(ap, fmt);
	a->why = format(fmt, ap);
	va_end(ap);
}

void drill_score_add(
    struct drill_score *s, const char *name, bool critical, bool held, const char *why)
{
	size_t number = s->n - DRILL_RULES + 1;

	s->v = mem_realloc(s->v, (s->n + 1) * sizeof *s->v);
	s->v[s->n++] = (struct drill_assertion){.name = mem_printf("checks.%zu", number),
	    .says = mem_strdup(name),
	    .why = why ? mem_strdup(why) : NULL,
	    .weight = DRILL_CHECK_WEIGHT,
	    .critical = critical,
	    .state = held ? DRILL_HELD : DRILL_BROKEN};
}

void drill_score_merge(struct drill_score *all, const struct drill_score *one, const char *source)
{
	for (size_t i = 0; i < DRILL_RULES; i++) {
		struct drill_assertion *a = &all->v[i];
		const struct drill_assertion *o = &one->v[i];

		if (o->state == DRILL_BROKEN)
			drill_break(all, (enum drill_id)i, "source %.80s: %s", source,
			    o->why ? o->why : o->says);
		else if (a->state == DRILL_BROKEN)
			continue;
		else if (o->state == DRILL_HELD)
			a->state = DRILL_HELD;
		else if (o->why != NULL && a->why == NULL)
			a->why = mem_printf("not judged of source %.80s: %s", source, o->why);
	}
}

static unsigned weight_of(const struct drill_score *s, enum drill_state state)
{
	unsigned sum = 0;

	for (size_t i = 0; i < s->n; i++)
		sum += s->v[i].state == state ? s->v[i].weight : 0;
	return sum;
}

void drill_score_sum(struct drill_score *s)
{
	unsigned held = weight_of(s, DRILL_HELD), broken = weight_of(s, DRILL_BROKEN);

	s->judged = s->broken = s->critical = 0;
	for (size_t i = 0; i < s->n; i++) {
		s->judged += s->v[i].state != DRILL_NOT_JUDGED;
		s->broken += s->v[i].state == DRILL_BROKEN;
		s->critical += s->v[i].state == DRILL_BROKEN && s->v[i].critical;
	}
	s->score = held + broken > 0 ? (double)held / (held + broken) : 0;
	s->passed = s->judged > 0 && s->critical == 0 && s->score >= DRILL_PASS_MARK;
}

double drill_deduction(const struct drill_score *s, size_t which)
{
	unsigned all = weight_of(s, DRILL_HELD) + weight_of(s, DRILL_BROKEN);

	return s->v[which].state == DRILL_BROKEN && all ? (double)s->v[which].weight / all : 0;
}

const struct drill_assertion *drill_worst(const struct drill_score *s)
{
	const struct drill_assertion *found = NULL;

	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].state == DRILL_BROKEN &&
		    (found == NULL || (s->v[i].critical && !found->critical)))
			found = &s->v[i];
	return found;
}

json_t *drill_score_json(const struct drill_score *s)
{
	static const char *const states[] = {"not_judged", "passed", "failed"};
	json_t *list = json_array();

	for (size_t i = 0; i < s->n; i++) {
		const struct drill_assertion *a = &s->v[i];

		json_array_append_new(
		    list, json_pack("{s:s, s:s, s:b, s:i, s:f, s:o, s:o}", "name", a->name, "state",
			      states[a->state], "critical", a->critical, "weight", (int)a->weight,
			      "deduction", drill_deduction(s, i), "says", statement_string(a->says),
			      "why", a->why ? statement_string(a->why) : json_null()));
	}
	return list;
}
