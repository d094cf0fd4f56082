/* drill_record: a drill's outcome as a record (doc/drill.md), and its verdict. */
#include "engine/drill_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/id.h"
#include "base/mem.h"
#include "catalog/drill_plan.h"
#include "catalog/evidence_statement.h"
#include "os/os.h"

const char *drill_verdict_name(enum drill_verdict v)
{
	static const char *const names[] = {"", "passed", "missed", "failed"};

	return names[v];
}

static void put_time(json_t *o, const char *name, int64_t ns)
{
	char text[CALENDAR_TEXT];

	json_object_set_new(o, name, json_string(calendar_format_utc(text, ns)));
}

/* ---- What it took. */

/* Of several sources each has one of its own. */
static double seconds_of(const struct drill *d, const char *name)
{
	double sum = 0;

	for (size_t i = 0; i < d->nsteps; i++)
		if (strcmp(d->steps[i].name, name) == 0)
			sum += d->steps[i].seconds;
	return sum;
}

static json_t *steps_json(const struct drill *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->nsteps; i++) {
		const struct drill_step *s = &d->steps[i];
		json_t *o = json_pack("{s:s, s:f, s:s}", "name", s->name, "seconds", s->seconds,
		    "outcome", s->failed ? "failed" : "done");

		put_time(o, "started", s->began_ns);
		if (s->note[0])
			json_object_set_new(o, "note", statement_string(s->note));
		json_array_append_new(list, o);
	}
	return list;
}

static const char *met(const struct drill_objective *o, double seconds, bool known)
{
	int64_t most = o->acceptable ? o->acceptable : o->target;

	if (o->target == 0)
		return "not_promised";
	if (!known)
		return "not_judged";
	return seconds <= (double)o->target ? "target"
	       : seconds <= (double)most    ? "acceptable"
					    : "missed";
}

static json_t *objective_json(
    const struct drill_objective *o, double seconds, bool known, const char *basis)
{
	json_t *j = json_object();

	json_object_set_new(j, "seconds", known ? json_real(seconds) : json_null());
	json_object_set_new(j, "target", o->target ? json_integer(o->target) : json_null());
	json_object_set_new(
	    j, "acceptable", o->acceptable ? json_integer(o->acceptable) : json_null());
	json_object_set_new(j, "met", json_string(met(o, seconds, known)));
	json_object_set_new(j, "basis", json_string(basis));
	return j;
}

/* ---- What is measured for the next one. */

static json_t *rates_json(const struct drill *d)
{
	double restore = seconds_of(d, "restore"), start = seconds_of(d, "start");
	json_t *o = json_pack("{s:I, s:I, s:f, s:f, s:f}", "bytes", (json_int_t)d->bytes,
	    "log_bytes", (json_int_t)d->log_bytes, "fixed_seconds", seconds_of(d, "prepare"),
	    "restore_seconds", restore, "start_seconds", start);

	if (restore > 0)
		json_object_set_new(
		    o, "restore_bytes_per_s", json_real((double)d->bytes / restore));
	return o;
}

static double of(const json_t *o, const char *name)
{
	return json_number_value(json_object_get(o, name));
}

double drill_predict(const json_t *record, uint64_t bytes, uint64_t log_bytes)
{
	return drill_plan_expect(record, bytes, log_bytes);
}

/* ---- The record. */

/* That of the files; where there are none, the first source's base.  Each source tells its own. */
static const struct snapshot *snapshot_of(const struct drill *d)
{
	return d->nsources > 0 && d->snapshot->nparts == d->nsources ? d->sources[0].snapshot
								     : d->snapshot;
}

static void put_what(const struct drill *d, json_t *o)
{
	const struct snapshot *s = snapshot_of(d);
	char hex[ID_HEX], id[80], user[128], stamp[CALENDAR_TEXT];
	const char *part = strrchr(d->room.name ? d->room.name : "x", '-');

	calendar_format_utc(stamp, d->began_ns);
	/* The newest is known by its name, also of two within a second. */
	snprintf(id, sizeof id, "%.19s.%03dZ-%s", stamp, (int)(d->began_ns / 1000000 % 1000),
	    part ? part + 1 : "0");
	for (char *p = id; *p != '\0'; p++)
		if (*p == ':')
			*p = '.';
	json_object_set_new(o, "id", json_string(id));
	json_object_set_new(o, "system", statement_string(d->p->system));
	json_object_set_new(o, "repository", statement_string(d->p->repository));
	json_object_set_new(o, "repository_id", json_string(repo_id_text(d->repo)));
	json_object_set_new(o, "snapshot", json_string(id_hex(hex, &s->id)));
	put_time(o, "snapshot_time", s->start_ns);
	json_object_set_new(
	    o, "kind", json_string(d->p->to ? "pitr" : snapshot_strategy_name(s->strategy)));
	json_object_set_new(o, "newest", json_boolean(d->p->is_newest && d->p->to == NULL));
	json_object_set_new(o, "oldest", json_boolean(d->p->is_oldest));
	if (d->p->asked != NULL)
		json_object_set_new(o, "asked", json_string(d->p->asked));
	if (d->p->no_moment != NULL)
		json_object_set_new(o, "pitr_unproven", statement_string(d->p->no_moment));
	json_object_set_new(o, "source", json_string(d->nsources ? "postgresql" : "files"));
	json_object_set_new(o, "level", json_string(drill_level_name(d->p->level)));
	json_object_set_new(o, "host", json_string(os_host()));
	os_user(user, sizeof user);
	json_object_set_new(o, "user", statement_string(user));
	put_time(o, "started", d->began_ns);
	put_time(o, "ended", d->clock->wall_ns(d->clock));
	json_object_set_new(
	    o, "seconds", json_real((double)(d->clock->mono_ns(d->clock) - d->began_mono) / 1e9));
}

int64_t drill_point(const struct drill *d)
{
	int64_t of_log = drill_sources_point(d);

	return of_log ? of_log : snapshot_of(d)->start_ns;
}

static bool came(const struct drill *d)
{
	return d->score.v[DRILL_RESTORED].state == DRILL_HELD &&
	       (d->nsources == 0 ||
		   (drill_sources_point(d) != 0 && d->score.v[DRILL_STARTS].state == DRILL_HELD));
}

static void put_objectives(const struct drill *d, json_t *o)
{
	double rto = seconds_of(d, "prepare") + seconds_of(d, "restore") + seconds_of(d, "start");
	int64_t of_log = drill_sources_point(d);
	int64_t point = drill_point(d);
	double rpo = (double)(d->began_ns - point) / 1e9;

	json_object_set_new(
	    o, "rto", objective_json(&d->p->rto, rto, came(d), "prepare, restore and start"));
	json_object_set_new(o, "rpo",
	    objective_json(&d->p->rpo, rpo > 0 ? rpo : 0, came(d) && d->p->is_newest && !d->p->to,
		of_log ? "the log's end" : "the snapshot's age"));
	json_object_set_new(o, "point", json_null());
	if (came(d))
		put_time(o, "point", point);
}

static bool is_missed(const json_t *record, const char *name)
{
	const char *s = json_string_value(json_object_get(json_object_get(record, name), "met"));

	return s != NULL && strcmp(s, "missed") == 0;
}

static void say_missed(const json_t *record, const char *name, const char *what, char out[700])
{
	const json_t *o = json_object_get(record, name);
	size_t n = strlen(out);
	double most = of(o, "acceptable") > 0 ? of(o, "acceptable") : of(o, "target");

	if (is_missed(record, name))
		snprintf(out + n, 700 - n, "%s%s %.1f s, and %.0f s are borne", n ? "; " : "", what,
		    of(o, "seconds"), most);
}

static void judge(struct drill *d, struct drill_result *out, json_t *o)
{
	const struct drill_assertion *worst = drill_worst(&d->score);

	out->score = d->score.score;
	out->verdict = !d->score.passed                             ? DRILL_FAILED
		       : is_missed(o, "rto") || is_missed(o, "rpo") ? DRILL_MISSED
								    : DRILL_PASSED;
	if (out->verdict == DRILL_FAILED && worst != NULL)
		snprintf(out->reason, sizeof out->reason, "%s: %s", worst->name,
		    worst->why ? worst->why : worst->says);
	else if (out->verdict == DRILL_FAILED)
		snprintf(out->reason, sizeof out->reason, "nothing could be judged");
	if (out->verdict == DRILL_MISSED) {
		say_missed(o, "rto", "recovery took", out->reason);
		say_missed(o, "rpo", "what is newest is older than promised:", out->reason);
	}
}

void drill_judge(struct drill *d, struct drill_result *out)
{
	json_t *o = json_pack("{s:s, s:i}", "type", "drill", "format", 1);

	drill_score_sum(&d->score);
	put_what(d, o);
	put_objectives(d, o);
	judge(d, out, o);
	json_object_set_new(o, "verdict", json_string(drill_verdict_name(out->verdict)));
	json_object_set_new(o, "reason", statement_string(out->reason));
	json_object_set_new(o, "score", json_real(out->score));
	json_object_set_new(o, "pass_mark", json_real(DRILL_PASS_MARK));
	json_object_set(o, "isolation", d->isolation);
	json_object_set_new(o, "steps", steps_json(d));
	json_object_set_new(o, "measured", rates_json(d));
	json_object_set_new(o, "predicted_rto",
	    came(d) ? json_real(drill_predict(o, d->bytes, d->log_bytes)) : json_null());
	json_object_set_new(o, "memory_peak",
	    d->memory_peak ? json_integer((json_int_t)d->memory_peak) : json_null());
	json_object_set_new(o, "assertions", drill_score_json(&d->score));
	if (d->nsources == 1 && d->at->recovery != NULL)
		json_object_set(o, "recovery", d->at->recovery);
	if (d->nsources > 0)
		json_object_set_new(o, "sources", drill_sources_json(d));
	json_object_set(o, "facts", d->facts);
	if (d->p->keep && d->room.path != NULL)
		json_object_set_new(o, "kept", statement_string(d->room.path));
	drill_fit(o);
	out->record = o;
}
