/* daemon_plan: what is declared, and putting into the queue what became due. */
#include "daemon/daemon_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/catalog_share.h"

enum { BACKUP, VERIFY, COPY, DRILL, KINDS };

static const char *const kinds[] = {"backup", "verify", "copy", "drill"};

const struct world_system *daemon_system(const struct daemon *d, const char *name)
{
	return d->world ? world_system(d->world, name) : NULL;
}

bool daemon_declares(const struct daemon *d, const struct run *r)
{
	if (strcmp(r->kind, "prune") == 0)
		return d->world && world_repository(d->world, r->system) != NULL;
	return daemon_system(d, r->system) != NULL;
}

/* ---- The configuration. */

/* After what it depends on: configurations have no circles. */
static void add_after(
    const struct world *w, const struct world_system *s, bool *done, struct planned *v, size_t *n)
{
	size_t i = (size_t)(s - world_system_at(w, 0));

	if (done[i])
		return;
	done[i] = true;
	for (size_t j = 0; j < s->depends_on.n; j++)
		add_after(w, world_system(w, s->depends_on.v[j]), done, v, n);
	v[(*n)++].system = s;
}

static void plans_free(struct planned *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		world_times_free(v[i].times);
		daemon_monitor_plan_free(&v[i]);
	}
	free(v);
}

void daemon_plan_free(struct daemon *d)
{
	plans_free(d->systems, d->nsystems);
	daemon_upkeep_free(d->upkept, d->nupkept);
	d->upkept = NULL;
	d->nupkept = 0;
	free(d->place);
	d->place = NULL;
	world_free(d->world);
	d->systems = NULL;
	d->world = NULL;
	d->nsystems = 0;
}

static char *memory_name(const struct planned *p, int kind)
{
	return mem_printf("settled.%s.%s", kinds[kind], p->system->item.name);
}

static int settle(struct daemon *d, struct planned *p, int kind, int64_t s, struct err *e)
{
	char *name = memory_name(p, kind), value[32];
	int rc;

	p->settled_s[kind] = s;
	snprintf(value, sizeof value, "%" PRId64, s);
	rc = catalog_put(d->catalog, name, value, e);
	free(name);
	return rc;
}

static int found_success(void *arg, const struct run_latest *l, struct err *e)
{
	*(bool *)arg |= strcmp(l->kind, "backup") == 0 && l->success_id != 0;
	return 0;
}

static void fill(struct daemon *d, const struct world *w, const struct planned *p, struct run *r)
{
	const struct world_tier *t = world_tier(w, p->system->tier);
	const struct world_repository **to = mem_alloc(t->destinations.n * sizeof(void *));

	/* The archive is what a copy keeps busy; if there are none any more it says so. */
	if (strcmp(r->kind, kinds[COPY]) != 0 || world_archives(w, t, to) == 0)
		world_written(w, t, to);
	r->system = p->system->item.name;
	r->node = p->system->node;
	r->queue = to[0]->item.name;
	r->priority = (int)(p->system->priority ? p->system->priority : t->priority);
	r->status = RUN_QUEUED;
	r->queued_ns = d->ctx->clock->wall_ns(d->ctx->clock);
	free(to);
}

/* Queue one; one that is there already was queued by another, or before a crash. */
static int queue(struct daemon *d, const struct world *w, const struct planned *p, struct run r,
    int64_t *id, struct err *e)
{
	fill(d, w, p, &r);
	if (run_add(d->catalog, &r, id, e) == 0)
		return 1;
	return e->kind == ERR_EXISTS ? 0 : -1;
}

static int note_id(void *arg, const struct run *r, struct err *e)
{
	*(int64_t *)arg = r->id;
	return 0;
}

/* The run of that system that is not over yet; 0: none. */
static int open_run(
    struct daemon *d, const char *system, const char *kind, int64_t *id, struct err *e)
{
	struct run_filter f = {.system = system, .kind = kind, .open = true, .limit = 1};

	*id = 0;
	return run_list(d->catalog, &f, note_id, id, e);
}

/* The newest open run of all that it depends on. */
static int find_after(struct daemon *d, const struct planned *p, int64_t *after, struct err *e)
{
	int64_t id;

	*after = 0;
	for (size_t i = 0; i < p->system->depends_on.n; i++) {
		if (open_run(d, p->system->depends_on.v[i], "backup", &id, e) == -1)
			return -1;
		if (id > *after)
			*after = id;
	}
	return 0;
}

/* Queued and noted at once: of several daemons that begin together one does it. */
static int queue_first(
    struct daemon *d, const struct world *w, struct planned *p, int64_t now_s, struct err *e)
{
	struct run r = {.kind = "backup", .trigger = "first", .due_ns = now_s * CALENDAR_SECOND};
	char *name, value[32];
	int64_t id, open;
	int rc;

	if (open_run(d, p->system->item.name, "backup", &open, e) == -1 ||
	    find_after(d, p, &r.after, e) == -1)
		return -1;
	if (open != 0)
		return settle(d, p, BACKUP, now_s, e);
	fill(d, w, p, &r);
	name = memory_name(p, BACKUP);
	snprintf(value, sizeof value, "%" PRId64, now_s);
	rc = run_add_once(d->catalog, &r, name, value, &id, e);
	free(name);
	p->settled_s[BACKUP] = now_s;
	return rc == -1 && e->kind != ERR_EXISTS ? -1 : 0;
}

/* What a time without us has settled; who was never backed up is, now. */
static int recall_one(struct daemon *d, const struct world *w, struct planned *p, int kind,
    int64_t now_s, struct err *e)
{
	char *name = memory_name(p, kind), *value = NULL;
	int rc = catalog_get(d->catalog, name, &value, e);
	bool succeeded = false;

	free(name);
	if (rc == -1)
		return -1;
	if (value != NULL) {
		p->settled_s[kind] = strtoll(value, NULL, 10);
		/* Of a clock that was wrong: it would stop everything until then. */
		if (p->settled_s[kind] > now_s)
			p->settled_s[kind] = now_s;
		free(value);
		return 0;
	}
	if (kind == BACKUP && !p->system->paused) {
		if (run_latest(d->catalog, p->system->item.name, found_success, &succeeded, e) ==
		    -1)
			return -1;
		if (!succeeded)
			return queue_first(d, w, p, now_s, e);
	}
	return settle(d, p, kind, now_s, e);
}

/* What is remembered of each; who was never backed up is, now. */
static int recall(struct daemon *d, const struct world *w, struct planned *v, size_t n,
    int64_t now_s, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		for (int kind = BACKUP; kind < KINDS; kind++)
			if (recall_one(d, w, &v[i], kind, now_s, e) == -1)
				return -1;
		v[i].rpo = EVENT_INFO;
		for (size_t j = 0; j < d->nsystems; j++)
			if (strcmp(d->systems[j].system->item.name, v[i].system->item.name) == 0)
				v[i].rpo = d->systems[j].rpo,
				v[i].rto_at_risk = d->systems[j].rto_at_risk,
				v[i].held = d->systems[j].held;
	}
	return 0;
}

void daemon_forget_time(struct daemon *d, int64_t now_s)
{
	for (size_t i = 0; i < d->nsystems; i++) {
		struct planned *p = &d->systems[i];

		p->next_s = 0;
		daemon_monitor_forget_time(p, now_s);
		for (int kind = BACKUP; kind < KINDS; kind++)
			if (p->settled_s[kind] > now_s)
				p->settled_s[kind] = now_s;
	}
	for (size_t i = 0; i < d->nupkept; i++) {
		d->upkept[i].next_s = 0;
		if (d->upkept[i].settled_s > now_s)
			d->upkept[i].settled_s = now_s;
	}
}

int daemon_load(struct daemon *d, struct err *e)
{
	struct world *w;
	struct planned *v;
	struct upkept *upkept;
	bool *done;
	size_t n = 0, *place;
	int64_t now_s = daemon_now_s(d);

	if (world_load(d->p->config, getenv, NULL, &w, e) == -1)
		return -1;
	if (w == NULL) {
		err_set(e, ERR_USAGE, "there is no configuration");
		return err_hint(
		    e, "write /etc/holdfast/holdfast.yaml, or use -c FILE: doc/configuration.md");
	}
	v = mem_zalloc((w->systems.n + 1) * sizeof *v);
	done = mem_zalloc(w->systems.n + 1);
	for (size_t i = 0; i < w->systems.n; i++)
		add_after(w, world_system_at(w, i), done, v, &n);
	free(done);
	for (size_t i = 0; i < n; i++)
		if (world_times_new(
			world_tier(w, v[i].system->tier), v[i].system, &v[i].times, e) == -1) {
			plans_free(v, n);
			world_free(w);
			return -1;
		}
	if (recall(d, w, v, n, now_s, e) == -1 ||
	    daemon_upkeep_new(d, w, now_s, &upkept, e) == -1) {
		plans_free(v, n);
		world_free(w);
		return -1;
	}
	for (size_t i = 0; i < n; i++)
		daemon_monitor_plan(w, &v[i], now_s);
	place = mem_alloc((n + 1) * sizeof *place);
	for (size_t i = 0; i < n; i++)
		place[v[i].system - world_system_at(w, 0)] = i;
	pthread_rwlock_wrlock(&d->world_lock);
	daemon_plan_free(d);
	d->place = place;
	d->world = w;
	d->systems = v;
	d->nsystems = n;
	d->drills_s = 0; /* what is promised may be another */
	d->upkept = upkept;
	d->nupkept = w->repositories.n;
	d->mistake[0] = '\0';
	pthread_rwlock_unlock(&d->world_lock);
	daemon_notify_load(d->notify);
	if (d->p->hooks.loaded != NULL)
		d->p->hooks.loaded(d->p->hooks.arg, w);
	return 0;
}

const struct world_times *daemon_times(struct daemon *d, const struct world_system *s)
{
	return d->systems[d->place[s - world_system_at(d->world, 0)]].times;
}

/* ---- What is due. */

/* Another one is not over: this one is passed over, and told once. */
static int pass_over(
    struct daemon *d, struct planned *p, struct run r, int64_t other, struct err *e)
{
	char why[96];
	int64_t id;

	if (p->passed_over == other)
		return 0;
	p->passed_over = other;
	snprintf(why, sizeof why, "run %" PRId64 ", which was begun before, is not over", other);
	r.system = p->system->item.name;
	r.status = RUN_SKIPPED;
	r.message = why;
	r.queued_ns = r.ended_ns = d->ctx->clock->wall_ns(d->ctx->clock);
	if (run_add(d->catalog, &r, &id, e) == -1)
		return e->kind == ERR_EXISTS ? 0 : -1;
	daemon_tell(d, "run.skipped", EVENT_WARN, r.system, id, "%s", why);
	return 0;
}

/* 1: put off until the run before is over. */
static int queue_one(
    struct daemon *d, struct planned *p, int kind, const struct due *due, struct err *e)
{
	struct run r = {.kind = kinds[kind],
	    .trigger = due->late ? "catch-up" : "schedule",
	    .type = kind == BACKUP ? times_what_name(due->what) : NULL,
	    .due_ns = due->due_s * CALENDAR_SECOND,
	    .not_before_ns = due->start_s * CALENDAR_SECOND};
	int64_t id, open;
	int rc;

	if (open_run(d, p->system->item.name, kinds[kind], &open, e) == -1)
		return -1;
	if (open != 0 && kind == BACKUP && due->what == TIMES_FULL)
		return 1; /* it comes too seldom to be passed over */
	if (open != 0)
		return pass_over(d, p, r, open, e);
	if (kind == BACKUP && (rc = daemon_held(d, p, r, e)) != 0)
		return rc == 1 ? 0 : -1;
	if (kind == BACKUP && find_after(d, p, &r.after, e) == -1)
		return -1;
	rc = queue(d, d->world, p, r, &id, e);
	if (rc == 1)
		daemon_log(d, EVENT_DEBUG, "queued system=%s kind=%s run=%" PRId64,
		    p->system->item.name, kinds[kind], id);
	return rc == -1 ? -1 : 0;
}

/* First into the queue, then noted as settled: a crash between adds it again, as ERR_EXISTS. */
static int look(struct daemon *d, struct planned *p, int64_t now_s, struct err *e)
{
	struct due due;
	bool put_off = false;

	for (int kind = BACKUP; kind < KINDS; kind++) {
		int rc;
		int64_t since = p->settled_s[kind];

		if (kind == BACKUP   ? !due_backup(p->times, since, now_s, &due)
		    : kind == VERIFY ? !due_verify(p->times, since, now_s, &due)
		    : kind == DRILL  ? !due_what(p->times, TIMES_DRILL, since, now_s, &due)
				     : !due_what(p->times, TIMES_ARCHIVE, since, now_s, &due))
			continue;
		rc = queue_one(d, p, kind, &due, e);
		put_off |= rc == 1;
		if (rc == -1 || (rc == 0 && settle(d, p, kind, now_s, e) == -1))
			return -1;
	}
	p->next_s = put_off ? now_s + DAEMON_RENEW_S : due_next(p->times, now_s);
	return 0;
}

struct queued {
	int64_t now_ns;
	bool running, soon;
};

static int note_queued(void *arg, const struct run *r, struct err *e)
{
	struct queued *q = arg;

	if (r->status == RUN_RUNNING)
		q->running = true;
	else if (r->not_before_ns <= q->now_ns || strcmp(r->trigger, "change") == 0)
		q->soon = true;
	return 0;
}

/* Not before a window lets it. */
static int64_t may_begin(const struct planned *p, const struct world_tier *t, int64_t now_s)
{
	const struct world_schedule *own = &p->system->schedule;
	const struct world_schedule *from = own->only.n + own->never.n ? own : &t->schedule;
	const struct schedule s = {.zone = p->times->zone,
	    .only = from->only.v,
	    .nonly = from->only.n,
	    .never = from->never.v,
	    .nnever = from->never.n};
	int64_t start;

	return schedule_start(&s, now_s, &start) && start > now_s ? start : 0;
}

/* Nobody's schedule asked for it. */
int daemon_queue_drill(struct daemon *d, const struct planned *p, const char *kind, struct err *e)
{
	struct run r = {.kind = "drill", .type = kind, .trigger = "coverage"};
	int64_t id;

	if (open_run(d, p->system->item.name, "drill", &id, e) == -1)
		return -1;
	return id != 0 || queue(d, d->world, p, r, &id, e) != -1 ? 0 : -1;
}

int daemon_queue_changed(struct daemon *d, const char *system, struct err *e)
{
	const struct world_system *s = daemon_system(d, system);
	struct run_filter open = {.system = system, .kind = "backup", .open = true};
	struct queued q = {.now_ns = d->ctx->clock->wall_ns(d->ctx->clock)};
	struct run r = {.kind = "backup", .trigger = "change", .due_ns = q.now_ns};
	const struct planned *p;
	int64_t id;

	if (s == NULL)
		return 2;
	p = &d->systems[d->place[s - world_system_at(d->world, 0)]];
	if (run_list(d->catalog, &open, note_queued, &q, e) == -1)
		return -1;
	if (q.running || q.soon)
		return q.running ? 0 : 2;
	r.not_before_ns = may_begin(p, world_tier(d->world, s->tier), q.now_ns / CALENDAR_SECOND) *
			  CALENDAR_SECOND;
	return queue(d, d->world, p, r, &id, e) == -1 ? -1 : 1;
}

void daemon_queue_due(struct daemon *d, int64_t now_s)
{
	struct err e;

	if (now_s < d->rests_until_s && now_s > d->rests_until_s - 2 * DAEMON_RENEW_S)
		return;
	for (size_t i = 0; i < d->nsystems; i++) {
		struct planned *p = &d->systems[i];

		if (p->next_s > now_s || p->system->paused)
			continue;
		if (look(d, p, now_s, &e) == -1) {
			/* The catalog is away: what is due stays due, and all wait for it. */
			daemon_log(d, EVENT_ERROR, "system=%s %s", p->system->item.name, e.msg);
			d->rests_until_s = now_s + DAEMON_RENEW_S;
			return;
		}
	}
}
