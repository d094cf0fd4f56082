/*
 * drill_sources: the servers of PostgreSQL's that a system's snapshot has.  One alone is rehearsed
 * with the rest; several come one after the other, each in a folder and with a server of its
 * own, which all run until the checks were asked.  Each is judged by itself; what is broken of one
 * is broken of all, and does not keep the others from their turn.
 */
#include "engine/drill_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/mem.h"
#include "catalog/evidence_statement.h"

void drill_sources_find(struct drill *d)
{
	const struct snapshot *s = d->snapshot;

	d->sources = mem_zalloc((s->nparts + 1) * sizeof *d->sources);
	for (size_t i = 0; i < s->nparts; i++)
		if (strcmp(s->parts[i].kind, "postgresql") == 0)
			d->sources[d->nsources++] = (struct drill_source){
			    .part = &s->parts[i], .snapshot = s};
	d->at = d->nsources > 0 ? &d->sources[0] : NULL;
}

void drill_sources_fini(struct drill *d)
{
	for (size_t i = 0; i < d->nsources; i++) {
		struct drill_source *x = &d->sources[i];

		drill_score_fini(&x->score);
		json_decref(x->recovery);
		json_decref(x->facts);
		snapshot_free(x->chosen);
	}
	free(d->sources);
}

bool drill_is_source(const struct drill *d, const struct snapshot_part *part)
{
	for (size_t i = 0; i < d->nsources; i++)
		if (d->sources[i].part == part)
			return true;
	return false;
}

/* ---- Several. */

static int one(struct drill *d, struct err *e)
{
	int rc;

	drill_step(d, "restore");
	drill_note(d, "source %s", d->at->part->name);
	rc = drill_recover(d, e);
	if (drill_restore_end(d, rc, false, e) == -1)
		return err_wrap(e, "restore");
	if (d->score.v[DRILL_RESTORED].state == DRILL_BROKEN)
		return 0;
	drill_hold(&d->score, DRILL_RESTORED);
	if (drill_start(d, e) == -1)
		return err_wrap(e, "start");
	drill_note(d, "source %s", d->at->part->name);
	drill_step(d, "compare");
	drill_note(d, "source %s", d->at->part->name);
	if (drill_compare_pg(d, e) == -1)
		return err_wrap(e, "compare");
	drill_step_end(d, false);
	return ctx_check(d->ctx, e);
}

/* It ended before the last one's turn was over: what only some of them proved is not said of all.
 */
void drill_sources_take_back(struct drill *d)
{
	static const enum drill_id ids[] = {DRILL_RESTORED, DRILL_LOG, DRILL_STARTS, DRILL_REACHED};

	for (size_t i = 0; i < d->nsources; i++)
		for (size_t j = 0; j < sizeof ids / sizeof *ids; j++) {
			const struct drill_source *x = &d->sources[i];
			struct drill_assertion *a = &d->score.v[ids[j]];

			if (a->state != DRILL_HELD ||
			    (x->score.v != NULL && x->score.v[ids[j]].state != DRILL_NOT_JUDGED))
				continue;
			free(a->why);
			a->state = DRILL_NOT_JUDGED;
			a->why = mem_printf("it did not come to source %.80s", x->part->name);
		}
}

int drill_sources_rehearse(struct drill *d, struct err *e)
{
	struct drill_score all = d->score;
	bool broken = d->broken;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < d->nsources; i++) {
		const char *name = d->sources[i].part->name;

		d->at = &d->sources[i];
		drill_score_init(&d->score, d->p->level);
		rc = one(d, e);
		drill_score_sum(&d->score);
		drill_score_merge(&all, &d->score, name);
		d->at->score = d->score;
		if (rc == -1)
			err_wrap(e, "source %s", name);
		broken |= d->broken;
		d->broken = false;
	}
	d->score = all;
	d->broken = broken;
	if (rc == -1)
		drill_sources_take_back(d);
	return rc;
}

int64_t drill_sources_point(const struct drill *d)
{
	int64_t oldest = 0;

	for (size_t i = 0; i < d->nsources; i++) {
		int64_t ns = d->sources[i].point_ns;

		if (ns == 0)
			return 0;
		if (oldest == 0 || ns < oldest)
			oldest = ns;
	}
	return oldest;
}

static bool has(const struct drill_source *x, const char *database)
{
	const json_t *list = json_object_get(x->facts, "databases"), *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		const char *name = json_string_value(json_object_get(o, "name"));

		if (name != NULL && strcmp(name, database) == 0)
			return true;
	}
	return false;
}

struct drill_source *drill_source_for(const struct drill *d, const struct drill_check *k)
{
	for (size_t i = 0; i < d->nsources; i++) {
		struct drill_source *x = &d->sources[i];

		if (x->server == NULL)
			continue;
		if (k->part ? strcmp(x->part->name, k->part) == 0
			    : k->database == NULL || has(x, k->database))
			return x;
	}
	return k->part == NULL && d->nsources > 0 && d->sources[0].server ? &d->sources[0] : NULL;
}

/* ---- For the record. */

static json_t *not_held(const struct drill_score *s)
{
	json_t *o = json_object();

	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].state == DRILL_BROKEN)
			json_object_set_new(o, s->v[i].name,
			    statement_string(s->v[i].why ? s->v[i].why : s->v[i].says));
	return o;
}

/* One that was not gone through to its end proves nothing: it was not judged. */
static json_t *source_json(const struct drill *d, const struct drill_source *x)
{
	const struct drill_score *s = d->nsources > 1 ? &x->score : &d->score;
	/* What all of them lack fails all; one of several is failed by what is broken of itself. */
	bool bad = d->nsources > 1 ? s->critical > 0 : !s->passed, came = x->point_ns != 0;
	char hex[ID_HEX], time[CALENDAR_TEXT];
	json_t *o = json_pack("{s:o, s:s, s:s}", "name", statement_string(x->part->name),
	    "snapshot", id_hex(hex, &x->snapshot->id), "verdict",
	    bad                        ? "failed"
	    : came && x->facts != NULL ? "passed"
				       : "not_proven");

	if (came)
		json_object_set_new(
		    o, "point", json_string(calendar_format_utc(time, x->point_ns)));
	if (d->nsources == 1)
		return o;
	json_object_set_new(o, "bytes", json_integer((json_int_t)x->bytes));
	json_object_set_new(o, "log_bytes", json_integer((json_int_t)x->log_bytes));
	json_object_set_new(o, "restore_seconds", json_real(x->restore_s));
	json_object_set_new(o, "start_seconds", json_real(x->start_s));
	json_object_set_new(o, "failed", not_held(s));
	if (x->recovery != NULL)
		json_object_set(o, "recovery", x->recovery);
	return o;
}

json_t *drill_sources_json(const struct drill *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->nsources; i++)
		json_array_append_new(list, source_json(d, &d->sources[i]));
	return list;
}
