/*
 * daemon_drill: every system, and every kind of snapshot it has, is proven once within the time
 * that `drill: {within: ...}` says, within the time a day that drills may take; and a recovery that
 * is expected to take longer than promised is told before it is needed.
 *
 * The records of drills say what was proven; a schedule's drills count, too.
 */
#include "daemon/daemon_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/drill_plan.h"
#include "catalog/evidence_drill.h"

enum { EVERY_S = 300, DAY = 86400, KINDS = 3, BUDGET_S = 4 * 3600 };

static const char *const kinds[KINDS] = {"full", "incremental", "differential"};

static int64_t seconds(const struct calendar_duration *d)
{
	return d->ns / CALENDAR_SECOND + (int64_t)d->months * 30 * DAY;
}

/* One system as its runs and its drills' records tell. */
struct look {
	struct drill_point v[KINDS]; /* by kind of snapshot */
	bool there[KINDS];
	uint64_t bytes;
	json_t *measured; /* of the newest that did not fail */
	double *spent_s;  /* by drills of the last day, of all systems */
	int64_t now_s;
};

static int kind_of(const char *name)
{
	for (int i = 0; name != NULL && i < KINDS; i++)
		if (strcmp(kinds[i], name) == 0)
			return i;
	return -1;
}

static int note_run(void *arg, const struct run *r, struct err *e)
{
	struct look *l = arg;
	int kind = kind_of(r->type);

	(void)e;
	if (r->status != RUN_COMPLETED && r->status != RUN_PROBLEMS)
		return 0;
	if (l->bytes == 0)
		l->bytes = r->bytes; /* the newest comes first */
	if (kind != -1)
		l->there[kind] = true;
	return 0;
}

static int64_t began_s(const json_t *record)
{
	const char *s = json_string_value(json_object_get(record, "started"));
	struct calendar_time t;
	struct err ignored;

	return s != NULL && calendar_parse_time(s, &t, &ignored) == 0 ? t.ns / CALENDAR_SECOND : 0;
}

static int note_drill(void *arg, json_t *record, struct span line, struct err *e)
{
	struct look *l = arg;
	const char *verdict = json_string_value(json_object_get(record, "verdict"));
	int kind = kind_of(json_string_value(json_object_get(record, "kind")));
	int64_t at = began_s(record);
	bool held = verdict != NULL && strcmp(verdict, "failed") != 0;

	(void)line;
	(void)e;
	if (l->now_s - at < DAY)
		*l->spent_s += json_number_value(json_object_get(record, "seconds"));
	if (held && l->measured == NULL)
		l->measured = json_incref(record);
	if (kind == -1)
		return 0;
	if (l->v[kind].tried_s < at)
		l->v[kind].tried_s = at;
	if (held && l->v[kind].proven_s < at)
		l->v[kind].proven_s = at;
	return 0;
}

static int look_at(struct daemon *d, const struct planned *p, struct look *l, struct err *e)
{
	const char *name = p->system->item.name;
	struct run_filter f = {.system = name, .kind = "backup", .over = true, .limit = 200};
	size_t bad;

	if (run_list(d->catalog, &f, note_run, l, e) == -1)
		return -1;
	return evidence_drill_list(d->p->state_dir, name, note_drill, l, &bad, e);
}

/* ---- Longer than promised? */

static void judge_rto(struct daemon *d, struct planned *p, double expected)
{
	const struct world_tier *t = world_tier(d->world, p->system->tier);
	int64_t target = seconds(&t->rto.target);
	bool late = target > 0 && expected > (double)target;

	if (late == p->rto_at_risk)
		return;
	p->rto_at_risk = late;
	if (late)
		daemon_tell(d, "rto.at_risk", EVENT_WARN, p->system->item.name, 0,
		    "its recovery is expected to take %.0f s, by what the last drill measured and "
		    "its size now; promised are %lld",
		    expected, (long long)target);
	else
		daemon_tell(d, "rto.kept", EVENT_INFO, p->system->item.name, 0,
		    "its recovery is expected to be in time again");
}

/* ---- What is next. */

struct plan {
	struct drill_point *v;
	const struct planned **of;
	size_t n;
};

static void add(struct daemon *d, struct plan *x, struct planned *p, const struct look *l)
{
	const struct world_tier *t = world_tier(d->world, p->system->tier);
	int64_t within = seconds(&t->drill.within);
	double cost = drill_plan_expect(l->measured, l->bytes, 0);

	judge_rto(d, p, cost);
	for (int k = 0; k < KINDS; k++) {
		if (!l->there[k])
			continue;
		x->v[x->n] = l->v[k];
		x->v[x->n].system = p->system->item.name;
		x->v[x->n].kind = kinds[k];
		x->v[x->n].within_s = within ? within : seconds(&d->world->drill.within);
		x->v[x->n].cost_s = cost;
		x->v[x->n].bytes = l->bytes;
		x->v[x->n].busy = p->system->paused;
		x->of[x->n++] = p;
	}
}

static int look(struct daemon *d, struct plan *x, double *spent, int64_t now_s, struct err *e)
{
	for (size_t i = 0; i < d->nsystems; i++) {
		struct look l = {.spent_s = spent, .now_s = now_s};
		int rc = look_at(d, &d->systems[i], &l, e);

		if (rc == 0)
			add(d, x, &d->systems[i], &l);
		json_decref(l.measured);
		if (rc == -1)
			return -1;
	}
	return 0;
}

void daemon_drill_tick(struct daemon *d, int64_t now_s)
{
	struct plan x = {.n = 0};
	int64_t budget = seconds(&d->world->drill.budget);
	struct drill_budget b = {.disk = d->world->drill.disk};
	double spent = 0;
	struct err e;
	int next;

	if (!d->leads || (now_s - d->drills_s < EVERY_S && now_s >= d->drills_s))
		return;
	d->drills_s = now_s;
	x.v = mem_zalloc((d->nsystems * KINDS + 1) * sizeof *x.v);
	x.of = mem_zalloc((d->nsystems * KINDS + 1) * sizeof *x.of);
	if (look(d, &x, &spent, now_s, &e) == -1) {
		daemon_log(d, EVENT_ERROR, "drills: %s", e.msg);
	} else {
		b.left_s = (double)(budget ? budget : BUDGET_S) - spent;
		next = drill_plan_next(x.v, x.n, &b, now_s);
		if (next != -1 && daemon_queue_drill(d, x.of[next], x.v[next].kind, &e) == -1)
			daemon_log(d, EVENT_ERROR, "drills: %s", e.msg);
	}
	free(x.v);
	free(x.of);
}
