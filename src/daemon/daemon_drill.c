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
#include "catalog/catalog_snapshot.h"
#include "catalog/drill_memory.h"

enum { EVERY_S = 300, DAY = 86400, BUDGET_S = 4 * 3600, RUNS = 200 };

static int64_t seconds(const struct calendar_duration *d)
{
	return d->ns / CALENDAR_SECOND + (int64_t)d->months * 30 * DAY;
}

/* Is there log between its backups? */
static bool has_log(const struct world_system *s, const struct world_tier *t)
{
	const struct world_source *src = world_source_of(s, WORLD_POSTGRESQL);

	return src != NULL && (src->postgresql.receive.enabled || t->strategy == WORLD_CONTINUOUS);
}

static int note_place(void *arg, const struct catalog_snapshot *s, struct err *e)
{
	(void)s;
	(void)e;
	*(bool *)arg = true;
	return 0;
}

/* With one destination alone each drill is from it; one that has none of it yet has none to try. */
static int add_places(struct daemon *d, struct drill_look *l, const char *system,
    const struct world_tier *t, struct err *e)
{
	for (size_t i = 0; t->destinations.n > 1 && i < t->destinations.n; i++) {
		struct catalog_snapshot_filter f = {
		    .repository = t->destinations.v[i], .system = system, .limit = 1};
		bool there = false;

		if (catalog_snapshot_list(d->catalog, &f, note_place, &there, e) == -1)
			return -1;
		if (there)
			drill_look_place(l, t->destinations.v[i]);
	}
	return 0;
}

static int look_at(struct daemon *d, const struct planned *p, struct drill_look *l, struct err *e)
{
	const char *name = p->system->item.name;
	const struct world_tier *t = world_tier(d->world, p->system->tier);
	struct run_filter f = {.system = name, .kind = "backup", .over = true, .limit = RUNS};
	struct run_filter last = {.system = name, .kind = "drill", .over = true, .limit = RUNS};

	if (add_places(d, l, name, t, e) == -1 ||
	    run_list(d->catalog, &f, drill_look_backup, l, e) == -1 ||
	    run_list(d->catalog, &last, drill_look_drill, l, e) == -1)
		return -1;
	drill_memory_tell(d->drills, name, l);
	drill_look_end(l, has_log(p->system, t));
	return 0;
}

/* ---- Longer than promised? */

static void judge_rto(struct daemon *d, struct planned *p, double expected)
{
	const struct world_tier *t = world_tier(d->world, p->system->tier);
	int64_t target = seconds(&t->rto.target);
	bool late = target > 0 && expected > (double)target;

	if (expected <= 0 || late == p->rto_at_risk) /* not known: nothing has become better */
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

static void add(struct daemon *d, struct plan *x, struct planned *p, const struct drill_look *l)
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
		snprintf(x->kind[x->n], sizeof x->kind[0], "%s", l->v[k].kind);
		v->kind = x->kind[x->n];
		v->system = p->system->item.name;
		v->within_s = within ? within : seconds(&d->world->drill.within);
		v->cost_s = cost;
		v->bytes = l->bytes;
		v->busy = p->system->paused;
		x->of[x->n++] = p;
	}
}

static int look(struct daemon *d, struct plan *x, double *spent, int64_t now_s, struct err *e)
{
	if (d->drills == NULL)
		d->drills = drill_memory_new();
	if (drill_memory_read(d->drills, d->p->state_dir, now_s, e) == -1)
		return -1;
	for (size_t i = 0; i < d->nsystems; i++) {
		struct drill_look *l = mem_alloc(sizeof *l);
		int rc;

		drill_look_init(l, now_s);
		rc = look_at(d, &d->systems[i], l, e);
		if (rc == 0)
			add(d, x, &d->systems[i], l);
		*spent += l->spent_s;
		drill_look_fini(l);
		free(l);
		if (rc == -1)
			return -1;
	}
	return 0;
}

void daemon_drill_tick(struct daemon *d, int64_t now_s)
{
	struct plan x = {.n = 0};
	size_t most = d->nsystems * DRILL_LOOK_POINTS + 1;
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
		b.left_s = (double)budget;
		daemon_drill_foresee(d, x.v, x.n, &b, now_s);
		b.left_s -= spent;
		next = drill_plan_next(x.v, x.n, &b, now_s);
		if (next != -1 && daemon_queue_drill(d, x.of[next], x.v[next].kind, &e) == -1)
			daemon_log(d, EVENT_ERROR, "drills: %s", e.msg);
	}
	free(x.v);
	free(x.kind);
	free(x.of);
}
