/*
 * drill_less: is what came back notably less than what was proven before?  A backup that is whole,
 * of a system that lost something, says nothing of it: the last one that a drill proved does.
 */
#include "engine/drill_json.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { ESTIMATE = 4 }; /* how much less exact it is than what was counted */

static void compare_within(
    struct drill *d, const char *what, double before, double now, double most)
{
	if (before > 0 && (before - now) * 100 > before * most)
		drill_break(&d->score, DRILL_NOT_LESS,
		    "%.0f %s, and %.0f when it was proven before: %.1f %% fewer, and %.1f %% are "
		    "borne",
		    now, what, before, (before - now) * 100 / before, most);
}

static void compare(struct drill *d, const char *what, double before, double now)
{
	compare_within(d, what, before, now, drill_may_shrink(d));
}

static bool is_counted(const json_t *table)
{
	return json_is_true(json_object_get(table, "exact"));
}

static void compare_files(struct drill *d, const json_t *before, const json_t *now)
{
	if (before == NULL || now == NULL)
		return;
	compare(d, "files", drill_number(before, "files"), drill_number(now, "files"));
	compare(d, "bytes", drill_number(before, "bytes"), drill_number(now, "bytes"));
}

static void compare_tables(struct drill *d, const json_t *before, const json_t *now)
{
	size_t i;
	json_t *t;

	json_array_foreach(json_object_get(before, "tables"), i, t)
	{
		const json_t *o = drill_alike(json_object_get(now, "tables"), t);
		char what[300];

		if (o == NULL) {
			drill_break(&d->score, DRILL_NOT_LESS,
			    "table %.80s.%.80s of database %.80s, which was proven before, is no "
			    "more",
			    drill_text(t, "schema"), drill_text(t, "name"),
			    drill_text(before, "name"));
			continue;
		}
		snprintf(what, sizeof what, "rows in %.80s.%.80s of database %.80s",
		    drill_text(t, "schema"), drill_text(t, "name"), drill_text(before, "name"));
		/* Of fewer, one is 5 %; an estimate came back as it was, whatever the rows. */
		if (drill_number(t, "rows") >= 20 && is_counted(o))
			compare_within(d, what, drill_number(t, "rows"), drill_number(o, "rows"),
			    is_counted(t) ? drill_may_shrink(d) : ESTIMATE * drill_may_shrink(d));
	}
}

static void compare_number(
    struct drill *d, const char *kind, const char *of, const json_t *before, const json_t *now)
{
	if (!json_is_integer(before) || !json_is_integer(now))
		return;
	if (json_integer_value(now) < json_integer_value(before))
		drill_break(&d->score, DRILL_OBJECTS,
		    "%lld %.40s%s%.80s, and %lld when it was proven before",
		    (long long)json_integer_value(now), kind, of[0] ? " in database " : "", of,
		    (long long)json_integer_value(before));
	else
		drill_hold(&d->score, DRILL_OBJECTS);
}

/* A migration may have dropped an index rightly; of large objects it is what they hold. */
static void compare_objects(struct drill *d, const json_t *before, const json_t *now)
{
	const json_t *is = json_object_get(now, "objects");
	char what[200];
	const char *kind;
	json_t *n;

	json_object_foreach(json_object_get(before, "objects"), kind, n)
	{
		if (strcmp(kind, "large objects") != 0) {
			compare_number(
			    d, kind, drill_text(before, "name"), n, json_object_get(is, kind));
			continue;
		}
		snprintf(what, sizeof what, "large objects in database %.80s",
		    drill_text(before, "name"));
		if (json_number_value(n) >= 20 && json_is_number(json_object_get(is, kind)))
			compare(d, what, json_number_value(n), drill_number(is, kind));
	}
}

static void compare_databases(struct drill *d, const json_t *before, const json_t *now)
{
	size_t i;
	json_t *o;

	json_array_foreach(json_object_get(before, "databases"), i, o)
	{
		const json_t *there = drill_alike(json_object_get(now, "databases"), o);

		if (there == NULL)
			drill_break(&d->score, DRILL_NOT_LESS,
			    "database %.80s, which was proven before, is no more",
			    drill_text(o, "name"));
		else {
			compare_tables(d, o, there);
			compare_objects(d, o, there);
		}
	}
	compare_number(d, "roles that may log in", "", json_object_get(before, "logins"),
	    json_object_get(now, "logins"));
	compare_number(d, "memberships of roles", "", json_object_get(before, "memberships"),
	    json_object_get(now, "memberships"));
	json_array_foreach(json_object_get(before, "roles"), i, o)
	{
		const json_t *roles = json_object_get(now, "roles");
		bool found = false;
		size_t j;
		json_t *r;

		json_array_foreach(roles, j, r) found |= json_equal(o, r);
		if (!found)
			drill_break(&d->score, DRILL_NOT_LESS,
			    "role %.80s, which was proven before, is no more",
			    json_string_value(o) ? json_string_value(o) : "");
	}
}

/* ---- Which is which. */

static const json_t *source_of(const json_t *record, const char *name)
{
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(record, "sources"), i,
	    o) if (strcmp(drill_text(o, "name"), name) == 0) return o;
	return NULL;
}

/*
 * What a record has of that source.  One alone stands without its name; what was alone then and is
 * now is the same, whatever it is called.
 */
static const json_t *facts_before(const struct drill *d, const char *name)
{
	const json_t *record = d->before, *facts = json_object_get(record, "facts");
	const json_t *alone = json_object_get(facts, "postgresql");

	if (alone == NULL)
		return json_object_get(json_object_get(facts, "sources"), name);
	return d->nsources == 1 || source_of(record, name) != NULL ? alone : NULL;
}

/* One of several, which is judged by itself, and all with it, by its name. */
static void compare_source(struct drill *d, struct drill_source *x)
{
	struct drill_score all = d->score;
	const json_t *before = facts_before(d, x->part->name);

	if (d->nsources == 1) {
		compare_databases(d, before, x->facts);
		return;
	}
	if (x->score.v == NULL)
		drill_score_init(&x->score, d->p->level);
	d->score = x->score;
	compare_databases(d, before, x->facts);
	if (before != NULL)
		drill_hold(&d->score, DRILL_NOT_LESS);
	drill_score_sum(&d->score);
	x->score = d->score;
	drill_score_merge(&all, &x->score, x->part->name);
	d->score = all;
}

static void compare_sources(struct drill *d)
{
	const json_t *before = json_object_get(d->before, "sources"), *o;
	size_t i, j;

	for (i = 0; i < d->nsources; i++)
		compare_source(d, &d->sources[i]);
	if (json_array_size(before) < 2 && d->nsources == 1)
		return;
	json_array_foreach(before, i, o)
	{
		for (j = 0; j < d->nsources; j++)
			if (strcmp(d->sources[j].part->name, drill_text(o, "name")) == 0)
				break;
		if (j == d->nsources)
			drill_break(&d->score, DRILL_NOT_LESS,
			    "source %.80s, which was proven before, is no more",
			    drill_text(o, "name"));
	}
}

static void put_facts(struct drill *d)
{
	json_t *all = json_object();

	for (size_t i = 0; i < d->nsources; i++)
		if (d->sources[i].facts != NULL)
			json_object_set(all, d->sources[i].part->name, d->sources[i].facts);
	if (d->nsources == 1 && d->at->facts != NULL)
		json_object_set(d->facts, "postgresql", d->at->facts);
	else if (d->nsources > 1)
		json_object_set(d->facts, "sources", all);
	json_decref(all);
}

/* What a record had no room for was not compared: of that nothing is held. */
static long long tables_more(const struct drill *d)
{
	long long n = 0;
	json_t *o;

	for (size_t i = 0; i < d->nsources; i++) {
		size_t j;

		json_array_foreach(
		    json_object_get(facts_before(d, d->sources[i].part->name), "databases"), j, o)
		    n += json_integer_value(json_object_get(o, "tables_more"));
	}
	return n;
}

static void judge_rest(struct drill *d)
{
	struct drill_assertion *a = &d->score.v[DRILL_NOT_LESS];
	long long more = tables_more(d);

	if (d->nsources > 0 && json_is_true(json_object_get(d->before, "facts_cut")))
		drill_leave(&d->score, DRILL_NOT_LESS,
		    "the record of what was proven before had no room for its tables");
	else
		drill_hold(&d->score, DRILL_NOT_LESS);
	if (a->state == DRILL_HELD && more > 0 && a->why == NULL)
		a->why = mem_printf(
		    "of %lld smaller tables the record of what was proven before has no rows",
		    more);
}

void drill_compare_before(struct drill *d)
{
	static const char none[] = "nothing of it was proven before, at that point or an older one";
	const json_t *before;

	put_facts(d);
	drill_before_find(d);
	before = json_object_get(d->before, "facts");
	if (before == NULL) {
		drill_leave(&d->score, DRILL_NOT_LESS, none);
		drill_leave(&d->score, DRILL_OBJECTS, none);
		return;
	}
	compare_files(d, json_object_get(before, "files"), json_object_get(d->facts, "files"));
	compare_sources(d);
	judge_rest(d);
	drill_leave(&d->score, DRILL_OBJECTS, "none were counted before");
}
