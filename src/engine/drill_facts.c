/*
 * drill_facts: what a database that came back holds, against what the backup noted of it.
 *
 * Facts are of the backup; recovery goes on to the log's end or the point asked for.  Where
 * no transaction came in between, either way, rows have to be the same; else there may be more,
 * and notably fewer are a loss.
 */
#include "engine/drill_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "db/pg.h"
#include "engine/pg_server.h"
#include "source/pg_facts.h"
#include "source/pg_label.h"

enum { PAGE = 8192, PAGE_HEADER = 40, COUNT_S = 60 };

/* Its facts as the snapshot has them: {"postgresql": {...}}; new, or NULL. */
json_t *drill_facts_of(const struct snapshot_part *part)
{
	json_t *all = part->facts ? json_loads(part->facts, 0, NULL) : NULL;
	json_t *pg = json_incref(json_object_get(all, "postgresql"));

	json_decref(all);
	return pg;
}

static void compare_rows(
    struct drill *d, const json_t *database, const json_t *was, const json_t *is)
{
	bool both = json_is_true(json_object_get(was, "exact"));
	double before = drill_number(was, "rows"), now = drill_number(is, "rows");
	double most = drill_may_shrink(d);

	if (!json_is_number(json_object_get(was, "rows")) || json_object_get(is, "rows") == NULL)
		return;
	/* Its estimate came back with the catalogue, whatever became of the rows. */
	if (!json_is_true(json_object_get(is, "exact"))) {
		d->at->estimated++;
		return;
	}
	if (both && d->at->differs == NULL && before != now)
		drill_break(&d->score, DRILL_ROWS,
		    "%.80s.%.80s of %.80s has %.0f rows; %.0f were backed up, and nothing was "
		    "committed since",
		    drill_text(was, "schema"), drill_text(was, "name"),
		    drill_text(database, "name"), now, before);
	else if (before >= 20 && (before - now) * 100 > before * (both ? most : 4 * most))
		drill_break(&d->score, DRILL_ROWS,
		    "%.80s.%.80s of %.80s has %.0f rows; %s%.0f were "
		    "backed up",
		    drill_text(was, "schema"), drill_text(was, "name"),
		    drill_text(database, "name"), now, both ? "" : "about ", before);
	else
		drill_hold(&d->score, DRILL_ROWS);
}

static void compare_checksum(
    struct drill *d, const json_t *database, const json_t *was, const json_t *is)
{
	if (d->at->differs == NULL && drill_text(was, "checksum")[0] &&
	    drill_text(is, "checksum")[0] &&
	    strcmp(drill_text(was, "checksum"), drill_text(is, "checksum")) != 0)
		drill_break(&d->score, DRILL_ROWS,
		    "the rows of %.80s.%.80s of %.80s are others than were backed up",
		    drill_text(was, "schema"), drill_text(was, "name"),
		    drill_text(database, "name"));
}

static void compare_database(struct drill *d, const json_t *was, const json_t *is)
{
	size_t i;
	json_t *t;

	json_array_foreach(json_object_get(was, "tables"), i, t)
	{
		const json_t *o = drill_alike(json_object_get(is, "tables"), t);

		if (o == NULL) {
			drill_break(&d->score, DRILL_TABLES,
			    "table %.80s.%.80s of %.80s is not there", drill_text(t, "schema"),
			    drill_text(t, "name"), drill_text(was, "name"));
			continue;
		}
		drill_hold(&d->score, DRILL_TABLES);
		compare_rows(d, was, t, o);
		compare_checksum(d, was, t, o);
	}
	if (drill_text(was, "schema_hash")[0] && drill_text(is, "schema_hash")[0]) {
		if (strcmp(drill_text(was, "schema_hash"), drill_text(is, "schema_hash")) == 0)
			drill_hold(&d->score, DRILL_SCHEMA);
		else if (d->at->differs == NULL)
			drill_break(&d->score, DRILL_SCHEMA, "the schema of %.80s is another",
			    drill_text(was, "name"));
		else
			drill_leave(&d->score, DRILL_SCHEMA,
			    "%.80s has another, and there were commits since",
			    drill_text(was, "name"));
	}
}

/* What a hash of the schema does not hold: functions, triggers, grants. */
static void compare_objects(struct drill *d, const json_t *was, const json_t *is)
{
	const json_t *there = json_object_get(is, "objects");
	const char *kind;
	json_t *n;

	json_object_foreach(json_object_get(was, "objects"), kind, n)
	{
		if (d->at->differs == NULL && json_is_number(json_object_get(there, kind)) &&
		    drill_number(there, kind) != json_number_value(n))
			drill_break(&d->score, DRILL_SCHEMA,
			    "%.80s has %.0f %.40s; %.0f were backed up", drill_text(was, "name"),
			    drill_number(there, kind), kind, json_number_value(n));
	}
}

void drill_compare_databases(struct drill *d, const json_t *was, const json_t *is)
{
	size_t i;
	json_t *o;

	json_array_foreach(json_object_get(was, "databases"), i, o)
	{
		const json_t *there = drill_alike(json_object_get(is, "databases"), o);

		if (there == NULL)
			drill_break(&d->score, DRILL_DATABASES, "database %.80s is not there",
			    drill_text(o, "name"));
		else if (drill_text(there, "error")[0])
			drill_break(&d->score, DRILL_DATABASES, "database %.80s: %.300s",
			    drill_text(o, "name"), drill_text(there, "error"));
		else {
			compare_objects(d, o, there);
			compare_database(d, o, there);
		}
	}
	drill_hold(&d->score, DRILL_DATABASES);
	/* Without tables there is none that could be missing. */
	drill_leave(&d->score, DRILL_TABLES, "the backup noted none");
	if (d->at->estimated > 0)
		drill_leave(&d->score, DRILL_ROWS, "estimated only: there was no time to count");
	drill_leave(&d->score, DRILL_ROWS, "the backup noted none");
}

static void compare_roles(struct drill *d, const json_t *was, const json_t *is)
{
	size_t i, j;
	json_t *role, *there;

	json_array_foreach(json_object_get(was, "roles"), i, role)
	{
		bool found = false;

		json_array_foreach(json_object_get(is, "roles"), j, there)
		    found |= json_equal(role, there);
		if (!found)
			drill_break(&d->score, DRILL_ROLES, "role %.80s is not there",
			    json_string_value(role) ? json_string_value(role) : "");
	}
	drill_hold(&d->score, DRILL_ROLES);
}

/* A position may stand behind the header of a page whose first record is yet to come. */
static uint64_t before_header(uint64_t lsn)
{
	return lsn % PAGE <= PAGE_HEADER ? lsn - lsn % PAGE : lsn;
}

/*
 * Is it of the very moment that the backup's facts are of?  The same transaction is next, none ran
 * when they were noted, and recovery came at least as far.
 */
static void judge_moment(struct drill *d, const json_t *was, const json_t *is)
{
	const char *then = drill_text(was, "next_xid"), *now = drill_text(is, "next_xid");
	const char *why;
	uint64_t end = 0;

	if (!json_is_string(json_object_get(was, "lsn_end")) ||
	    !pg_lsn_parse(drill_text(was, "lsn_end"), &end))
		d->at->differs = "the backup did not note when its facts were complete";
	else if (then[0] == '\0')
		d->at->differs = "transactions ran while the backup noted its facts";
	else if (d->at->reached_lsn < before_header(end))
		d->at->differs = "the backup noted its facts after the point that was reached";
	else if (strcmp(then, now) != 0)
		d->at->differs =
		    "transactions came between the backup's facts and the point reached";
	else
		d->at->differs = NULL;
	why = d->at->differs ? d->at->differs
			     : "no transaction lies between the facts and the point";
	drill_note(
	    d, "rows are compared %s: %s", d->at->differs ? "within tolerance" : "exactly", why);
	json_object_set_new(d->at->recovery, "compared",
	    json_pack(
		"{s:s, s:s}", "rows", d->at->differs ? "within_tolerance" : "exactly", "why", why));
}

int drill_compare_pg(struct drill *d, struct err *e)
{
	struct pg_facts_params p = {
	    .exact_rows = d->p->level == DRILL_COMPREHENSIVE, .count_s = COUNT_S};
	json_t *was = drill_facts_of(d->at->part), *is = NULL;
	struct pg_target t = {NULL};
	int rc;

	pg_server_target(d->at->server, &t);
	rc = pg_facts_gather(&t, &p, &is, d->ctx, e);
	if (rc == -1 && e->kind != ERR_CANCELLED) {
		drill_break(&d->score, DRILL_STARTS, "it does not tell what it holds: %s", e->msg);
		rc = 0;
	} else if (rc == 0 && json_object_get(was, "databases") == NULL) {
		const char *why = drill_text(was, "error");

		drill_leave(&d->score, DRILL_DATABASES, "the backup noted no facts%s%s",
		    why[0] ? ": " : "", why);
		d->at->facts = json_incref(is);
	} else if (rc == 0) {
		judge_moment(d, was, is);
		drill_compare_databases(d, was, is);
		compare_roles(d, was, is);
		if (d->at->estimated > 0)
			drill_note(d, "rows of %u tables were not counted", d->at->estimated);
		drill_leave(
		    &d->score, DRILL_SETTINGS, "the server of a drill has settings of its own");
		d->at->facts = json_incref(is);
	}
	json_decref(was);
	json_decref(is);
	return rc;
}
