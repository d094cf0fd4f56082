/*
 * drill_before: which of the drills that did not fail a drill is held against: that of the latest
 * point which is not later than its own.  An older point rightly has less than a newer one.
 */
#include "engine/drill_json.h"

#include <string.h>

#include "base/calendar.h"
#include "catalog/evidence_drill.h"

static int64_t time_of(const json_t *o, const char *name)
{
	struct calendar_time t;
	struct err ignored;

	return calendar_parse_time(drill_text(o, name), &t, &ignored) == 0 ? t.ns : 0;
}

/* Each source on its own has come no further then. */
static bool sources_are_before(const struct drill *d, const json_t *record)
{
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(record, "sources"), i, o)
	{
		for (size_t j = 0; j < d->nsources; j++)
			if (strcmp(d->sources[j].part->name, drill_text(o, "name")) == 0 &&
			    time_of(o, "point") > d->sources[j].point_ns)
				return false;
	}
	return true;
}

static bool is_before(const struct drill *d, const json_t *record)
{
	const char *verdict = drill_text(record, "verdict");
	int64_t point = time_of(record, "point");
	const json_t *files = json_object_get(json_object_get(record, "facts"), "files");

	if ((strcmp(verdict, "passed") != 0 && strcmp(verdict, "missed") != 0) || point == 0 ||
	    point > drill_point(d) || !sources_are_before(d, record))
		return false;
	/* Files are of a snapshot, of which the end of a log says nothing. */
	return files == NULL || time_of(record, "snapshot_time") <= d->snapshot->start_ns;
}

void drill_before_take(struct drill *d, json_t *record)
{
	if (!is_before(d, record) ||
	    (d->before != NULL && time_of(record, "point") <= time_of(d->before, "point")))
		return;
	json_decref(d->before);
	d->before = json_incref(record);
}

static int look(void *arg, json_t *record, struct span line, struct err *e)
{
	(void)line;
	(void)e;
	drill_before_take(arg, record);
	return 0;
}

void drill_before_find(struct drill *d)
{
	struct err ignored;
	size_t bad;

	if (d->before == NULL && d->p->state != NULL)
		(void)!evidence_drill_list(d->p->state, d->p->system, look, d, &bad, &ignored);
}
