/* cli_schedule: see cli_schedule.h. */
#include "cli/cli_schedule.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_shape.h"
#include "base/mem.h"
#include "cli/cli_monitor.h"
#include "cli/cli_out.h"
#include "cli/declared.h"
#include "os/os.h"

static void advance(struct coming *x, int64_t after_s)
{
	x->any = world_times_next(x->times, after_s, false, &x->what, &x->due_s, &x->start_s);
}

static bool asked_for(const struct coming_query *q, const char *name, bool paused)
{
	for (size_t i = 0; i < q->nsystems; i++)
		if (strcmp(q->systems[i], name) == 0)
			return true;
	return q->nsystems == 0 && !paused;
}

static int find_repositories(
    const struct world *w, const struct coming_query *q, struct coming *v, size_t *n, struct err *e)
{
	for (size_t i = 0; i < w->repositories.n; i++) {
		const struct world_repository *r = world_repository_at(w, i);

		if (!asked_for(q, r->item.name, false))
			continue;
		v[*n].repository = r;
		if (world_prune_times(r, &v[*n].times, e) == -1)
			return -1;
		advance(&v[(*n)++], q->after_s);
	}
	return 0;
}

static int find(
    const struct world *w, const struct coming_query *q, struct coming *v, size_t *n, struct err *e)
{
	for (size_t i = 0; i < q->nsystems; i++)
		if (world_repository(w, q->systems[i]) == NULL &&
		    declared_system(w, q->systems[i], ERR_USAGE, e) == NULL)
			return -1;
	for (size_t i = 0; i < w->systems.n; i++) {
		const struct world_system *s = world_system_at(w, i);

		if (!asked_for(q, s->item.name, s->paused))
			continue;
		v[*n].system = s;
		if (world_times_new(world_tier(w, s->tier), s, &v[*n].times, e) == -1)
			return -1;
		advance(&v[(*n)++], q->after_s);
	}
	return find_repositories(w, q, v, n, e);
}

static struct coming *soonest(struct coming *v, size_t n)
{
	struct coming *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (v[i].any && (best == NULL || v[i].due_s < best->due_s))
			best = &v[i];
	return best;
}

int coming_list(
    const struct world *w, const struct coming_query *q, coming_row *each, void *arg, struct err *e)
{
	struct coming *v = mem_zalloc((w->systems.n + w->repositories.n + 1) * sizeof *v), *x;
	size_t n = 0, left = q->most;
	int rc = find(w, q, v, &n, e);

	while (rc == 0 && left-- > 0 && (x = soonest(v, n)) != NULL && x->due_s < q->until_s) {
		rc = each(arg, x, e);
		advance(x, x->due_s);
	}
	for (size_t i = 0; i < n; i++)
		world_times_free(v[i].times);
	free(v);
	return rc;
}

json_t *coming_json(const struct coming *x)
{
	bool derived = x->times->derived && x->what != TIMES_VERIFY && x->what != TIMES_ARCHIVE &&
		       x->what != TIMES_DRILL;
	struct shape_coming c = {x->system ? x->system->item.name : x->repository->item.name,
	    times_kind_name(x->what),
	    x->what <= TIMES_INCREMENTAL ? times_what_name(x->what) : NULL, x->times->zone_name,
	    x->due_s * CALENDAR_SECOND, x->start_s * CALENDAR_SECOND, derived};

	return shape_json(&shape_coming, &c);
}

/* ---- Why not? */

struct reasons {
	int64_t now_ns;
	json_t *list;
	int64_t open; /* its run that is not over */
};

static void because(struct reasons *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void because(struct reasons *r, const char *fmt, ...)
{
	char text[1600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	json_array_append_new(r->list, json_string(text));
}

static const char *when(char out[CALENDAR_TEXT], int64_t ns)
{
	return calendar_format_local(out, ns);
}

static int tell_open(void *arg, const struct run *x, struct err *e)
{
	struct reasons *r = arg;
	char a[CALENDAR_TEXT];

	r->open = x->id;
	if (x->status == RUN_RUNNING)
		because(r, "run %" PRId64 " is running since %s", x->id, when(a, x->started_ns));
	else if (x->not_before_ns > r->now_ns)
		because(r, "run %" PRId64 " waits until %s (windows, jitter, or a retry)", x->id,
		    when(a, x->not_before_ns));
	else if (x->after)
		because(r, "run %" PRId64 " waits for run %" PRId64 " of what it depends on", x->id,
		    x->after);
	else if (x->node != NULL && strcmp(x->node, os_host()) != 0)
		because(r, "run %" PRId64 " waits for the daemon of %s", x->id, x->node);
	else
		because(r, "run %" PRId64 " waits for its turn at %s", x->id,
		    x->queue ? x->queue : "the queue");
	return 0;
}

static int tell_over(void *arg, const struct run *x, struct err *e)
{
	struct reasons *r = arg;
	char a[CALENDAR_TEXT];

	because(r, "run %" PRId64 " (%s) %s on %s%s%s", x->id, x->kind, run_status_name(x->status),
	    when(a, x->ended_ns), x->message ? ": " : "", x->message ? x->message : "");
	if (x->hint != NULL && x->hint[0])
		because(r, "  %s", x->hint);
	return 0;
}

static void tell_prune(struct reasons *r, const struct world_repository *x)
{
	struct world_times *t;
	enum times_what what;
	int64_t due, start, now = r->now_ns / CALENDAR_SECOND;
	char a[CALENDAR_TEXT];
	struct err e;

	if (world_prune_times(x, &t, &e) == -1) {
		because(r, "%s", e.msg);
		return;
	}
	if (!world_times_next(t, now, false, &what, &due, &start))
		because(
		    r, "it says nothing of prune, and locks nothing: it is never pruned by itself");
	else
		because(r, "the next prune begins %s%s", when(a, start * CALENDAR_SECOND),
		    t->derived ? ": as its object lock needs it" : "");
	world_times_free(t);
}

static void tell_schedule(struct reasons *r, const struct world *w, const struct world_system *s)
{
	struct world_times *t;
	enum times_what what;
	int64_t due, start, now = r->now_ns / CALENDAR_SECOND;
	char a[CALENDAR_TEXT], b[CALENDAR_TEXT];
	struct err e;

	if (s->paused)
		because(r, "it is paused in the configuration");
	if (world_times_new(world_tier(w, s->tier), s, &t, &e) == -1) {
		because(r, "%s", e.msg);
		return;
	}
	if (!world_times_next(t, now, true, &what, &due, &start))
		because(
		    r, "it has no schedule: neither it nor tier %s says when, nor an rpo", s->tier);
	else if (start != due)
		because(r, "the next %s is due %s, and begins %s: windows or jitter",
		    times_what_name(what), when(a, due * CALENDAR_SECOND),
		    when(b, start * CALENDAR_SECOND));
	else
		because(r, "the next %s is due %s", times_what_name(what),
		    when(a, due * CALENDAR_SECOND));
	world_times_free(t);
}

int why_declared(const struct world *w, const char *system, bool daemon_lives, int64_t now_ns,
    json_t *list, struct err *e)
{
	const struct world_system *s = world_system(w, system);
	const struct world_repository *x = world_repository(w, system);
	struct reasons r = {.now_ns = now_ns, .list = list};

	if (s == NULL && x == NULL)
		return declared_system(w, system, ERR_USAGE, e) ? 0 : -1;
	if (!daemon_lives)
		because(
		    &r, "the daemon is not running: nothing is begun by itself (holdfast serve)");
	if (s != NULL) {
		tell_schedule(&r, w, s);
		monitor_why_declared(w, s, list);
	} else {
		tell_prune(&r, x);
	}
	return 0;
}

int why_recorded(struct catalog *c, const char *system, int64_t now_ns, json_t *list, struct err *e)
{
	struct reasons r = {.now_ns = now_ns, .list = list};
	struct run_filter open = {.system = system, .open = true, .limit = 3};
	struct run_filter over = {.system = system, .over = true, .limit = 3};

	if (monitor_why_recorded(c, system, list, e) == -1 ||
	    run_list(c, &open, tell_open, &r, e) == -1)
		return -1;
	return run_list(c, &over, tell_over, &r, e);
}
