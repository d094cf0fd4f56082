/*
 * daemon_drill: every system, and every kind of recovery point it has, is proven once within the
 * time that `drill: {within: ...}` says, within the time a day that drills may take; that this
 * cannot be is told; and a recovery that is expected to take longer than promised is told before
 * it is needed.
 *
 * Kinds are the newest full, incremental and differential backup, the newest and the oldest of
 * all, a moment within a log that is received, and one from each destination.  One drill may prove
 * several.  The records of drills say what was proven; a schedule's drills count, too.
 */
#include "daemon/daemon_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/drill_plan.h"
#include "catalog/evidence_drill.h"

enum { EVERY_S = 300, DAY = 86400, BUDGET_S = 4 * 3600, RUNS = 200, LOST_RUNS = 1 };
enum { FULL, INCREMENTAL, DIFFERENTIAL, PITR, LATEST, OLDEST, PLACES, KINDS = PLACES + 16 };

static const char *const kinds[PLACES] = {
    "full", "incremental", "differential", "pitr", "latest", "oldest"};

static int64_t seconds(const struct calendar_duration *d)
{
	return d->ns / CALENDAR_SECOND + (int64_t)d->months * 30 * DAY;
}

/* One system as its runs and its drills' records tell. */
struct look {
	struct drill_point v[KINDS];
	char from[KINDS - PLACES][140]; /* "from=offsite" */
	bool there[KINDS];
	size_t n;
	unsigned backups;
	uint64_t bytes;
	int64_t lost_s;
	json_t *measured; /* of one that did not fail */
	double *spent_s;  /* by drills of the last day, of all systems */
	int64_t now_s;
};

static int kind_of(const char *name)
{
	for (int i = 0; name != NULL && i < PLACES; i++)
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
	l->backups++;
	return 0;
}

/* The last one: could it not be tried? */
static int note_lost(void *arg, const struct run *r, struct err *e)
{
	enum err_kind kind = err_kind_of(r->error_kind);

	(void)e;
	if (r->status == RUN_FAILED && kind != ERR_DRILL_FAILED && kind != ERR_OBJECTIVE_MISSED)
		((struct look *)arg)->lost_s = r->ended_ns / CALENDAR_SECOND;
	return 0;
}

static int64_t began_s(const json_t *record)
{
	const char *s = json_string_value(json_object_get(record, "started"));
	struct calendar_time t;
	struct err ignored;

	return s != NULL && calendar_parse_time(s, &t, &ignored) == 0 ? t.ns / CALENDAR_SECOND : 0;
}

static void note_point(struct drill_point *p, int64_t at, bool held)
{
	if (p->tried_s < at)
		p->tried_s = at;
	if (held && p->proven_s < at)
		p->proven_s = at;
}

static int note_drill(void *arg, json_t *record, struct span line, struct err *e)
{
	struct look *l = arg;
	const char *verdict = json_string_value(json_object_get(record, "verdict"));
	const char *place = json_string_value(json_object_get(record, "repository"));
	int kind = kind_of(json_string_value(json_object_get(record, "kind")));
	int64_t at = began_s(record);
	bool held = verdict != NULL && strcmp(verdict, "failed") != 0;

	(void)line;
	(void)e;
	if (l->now_s - at < DAY)
		*l->spent_s += json_number_value(json_object_get(record, "seconds"));
	if (held && drill_plan_tells_better(l->measured, record, l->bytes)) {
		json_decref(l->measured);
		l->measured = json_incref(record);
	}
	if (kind != -1)
		note_point(&l->v[kind], at, held);
	if (json_is_string(json_object_get(record, "pitr_unproven")))
		note_point(&l->v[PITR], at, false);
	if (json_is_true(json_object_get(record, "newest")))
		note_point(&l->v[LATEST], at, held);
	if (json_is_true(json_object_get(record, "oldest")))
		note_point(&l->v[OLDEST], at, held);
	for (size_t i = PLACES; place != NULL && i < l->n; i++)
		if (strcmp(l->from[i - PLACES] + strlen("from="), place) == 0)
			note_point(&l->v[i], at, held);
	return 0;
}

/* With one destination alone each drill is from it. */
static void add_places(struct look *l, const struct world_tier *t)
{
	l->n = PLACES;
	for (size_t i = 0; t->destinations.n > 1 && i < t->destinations.n && l->n < KINDS; i++) {
		snprintf(
		    l->from[l->n - PLACES], sizeof l->from[0], "from=%.128s", t->destinations.v[i]);
		l->there[l->n++] = true;
	}
}

/* Is there log between its backups? */
static bool has_log(const struct world_system *s, const struct world_tier *t)
{
	const struct world_source *src = world_source_of(s, WORLD_POSTGRESQL);

	return src != NULL && (src->postgresql.receive.enabled || t->strategy == WORLD_CONTINUOUS);
}

static int look_at(struct daemon *d, const struct planned *p, struct look *l, struct err *e)
{
	const char *name = p->system->item.name;
	const struct world_tier *t = world_tier(d->world, p->system->tier);
	struct run_filter f = {.system = name, .kind = "backup", .over = true, .limit = RUNS};
	struct run_filter last = {
	    .system = name, .kind = "drill", .over = true, .limit = LOST_RUNS};
	size_t bad;

	add_places(l, t);
	if (run_list(d->catalog, &f, note_run, l, e) == -1 ||
	    run_list(d->catalog, &last, note_lost, l, e) == -1)
		return -1;
	l->there[PITR] = l->backups > 0 && has_log(p->system, t);
	l->there[LATEST] = l->backups > 0;
	l->there[OLDEST] = l->backups > 1;
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
	char (*kind)[140];
	const struct planned **of;
	size_t n;
};

static void add(struct daemon *d, struct plan *x, struct planned *p, const struct look *l)
{
	const struct world_tier *t = world_tier(d->world, p->system->tier);
	int64_t within = seconds(&t->drill.within);
	double cost = drill_plan_expect(l->measured, l->bytes, 0);

	judge_rto(d, p, cost);
	for (size_t k = 0; l->backups > 0 && k < l->n; k++) {
		struct drill_point *v = &x->v[x->n];

		if (!l->there[k])
			continue;
		*v = l->v[k];
		snprintf(x->kind[x->n], sizeof x->kind[0], "%s",
		    k < PLACES ? kinds[k] : l->from[k - PLACES]);
		v->kind = x->kind[x->n];
		v->system = p->system->item.name;
		v->within_s = within ? within : seconds(&d->world->drill.within);
		v->cost_s = cost;
		v->bytes = l->bytes;
		v->lost_s = l->lost_s;
		v->busy = p->system->paused;
		x->of[x->n++] = p;
	}
}

static int look(struct daemon *d, struct plan *x, double *spent, int64_t now_s, struct err *e)
{
	for (size_t i = 0; i < d->nsystems; i++) {
		struct look *l = mem_zalloc(sizeof *l);
		int rc;

		l->spent_s = spent;
		l->now_s = now_s;
		rc = look_at(d, &d->systems[i], l, e);
		if (rc == 0)
			add(d, x, &d->systems[i], l);
		json_decref(l->measured);
		free(l);
		if (rc == -1)
			return -1;
	}
	return 0;
}

/* ---- Is it enough? */

static void tell_lack(struct daemon *d, const struct drill_point *p, enum drill_lack lack)
{
	static const char *const why[] = {
	    [DRILL_NO_DISK] = "a drill of it needs more than drill.disk allows",
	    [DRILL_NO_DAY] = "one drill of it takes longer than drill.budget gives a day",
	    [DRILL_NO_TIME] = "there is not enough of drill.budget for all that is to be proven"};

	daemon_tell(d, "drill.uncovered", EVENT_WARN, p->system, 0,
	    "its point '%s' will not be proven within the time that is said (drill.within): %s",
	    p->kind, why[lack]);
}

/* Once for each thing that is lacking, and when nothing is any more. */
static void foresee(struct daemon *d, const struct plan *x, double budget_s, int64_t now_s)
{
	struct drill_budget day = {.left_s = budget_s, .disk = d->world->drill.disk};
	struct drill_foresight f = drill_plan_foresee(x->v, x->n, &day, now_s);

	if ((int)f.lack == d->drills_lack)
		return;
	if (f.lack != DRILL_COVERED)
		tell_lack(d, &x->v[f.which], f.lack);
	else
		daemon_tell(d, "drill.covered", EVENT_INFO, NULL, 0,
		    "all recovery points will be proven within the time that is said again");
	d->drills_lack = (int)f.lack;
}

void daemon_drill_tick(struct daemon *d, int64_t now_s)
{
	struct plan x = {.n = 0};
	size_t most = d->nsystems * KINDS + 1;
	int64_t budget = seconds(&d->world->drill.budget);
	struct drill_budget b = {.disk = d->world->drill.disk};
	double spent = 0;
	struct err e;
	int next;

	if (!d->leads || (now_s - d->drills_s < EVERY_S && now_s >= d->drills_s))
		return;
	d->drills_s = now_s;
	budget = budget ? budget : BUDGET_S;
	x.v = mem_zalloc(most * sizeof *x.v);
	x.kind = mem_alloc(most * sizeof *x.kind);
	x.of = mem_zalloc(most * sizeof *x.of);
	if (look(d, &x, &spent, now_s, &e) == -1) {
		daemon_log(d, EVENT_ERROR, "drills: %s", e.msg);
	} else {
		foresee(d, &x, (double)budget, now_s);
		b.left_s = (double)budget - spent;
		next = drill_plan_next(x.v, x.n, &b, now_s);
		if (next != -1 && daemon_queue_drill(d, x.of[next], x.v[next].kind, &e) == -1)
			daemon_log(d, EVENT_ERROR, "drills: %s", e.msg);
	}
	free(x.v);
	free(x.kind);
	free(x.of);
}
