/* schedule, why: what will run, and why something did not. */
#include "cli/cli_out.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cli/cli_job.h"
#include "config/world_times.h"
#include "daemon/daemon.h"
#include "os/os.h"

enum { USUAL = 10, MOST = 1000000 };

/* A system's next moment, among all of them. */
struct coming {
	const struct world_system *s;
	struct world_times *t;
	enum times_what what;
	int64_t due_s, start_s;
	bool any;
};

static void advance(struct coming *x, int64_t after_s)
{
	x->any = world_times_next(x->t, after_s, false, &x->what, &x->due_s, &x->start_s);
}

static bool asked_for(struct cli *c, const char *name)
{
	for (size_t i = 0; i < c->args.n; i++)
		if (strcmp(c->args.v[i], name) == 0)
			return true;
	return c->args.n == 0;
}

static int find(struct cli *c, struct coming **out, size_t *n, int64_t from_s, struct err *e)
{
	struct coming *v = mem_zalloc((c->world->systems.n + 1) * sizeof *v);

	*out = v;
	*n = 0;
	for (size_t i = 0; i < c->args.n; i++)
		if (world_system(c->world, c->args.v[i]) == NULL)
			return err_set(e, ERR_USAGE, "there is no system '%s'", c->args.v[i]);
	for (size_t i = 0; i < c->world->systems.n; i++) {
		const struct world_system *s = world_system_at(c->world, i);

		if (s->paused || !asked_for(c, s->item.name))
			continue;
		v[*n].s = s;
		if (world_times_new(world_tier(c->world, s->tier), s, &v[*n].t, e) == -1)
			return -1;
		advance(&v[(*n)++], from_s);
	}
	return 0;
}

static void show(struct cli *c, struct text_table *t, const struct coming *x)
{
	char due[CALENDAR_TEXT], start[CALENDAR_TEXT];
	json_t *o;

	if (!c->out.json) {
		calendar_format_local(due, x->due_s * CALENDAR_SECOND);
		calendar_format_local(start, x->start_s * CALENDAR_SECOND);
		text_row(t, (const char *const[]){out_str(c, x->s->item.name),
				times_what_name(x->what), due, x->start_s != x->due_s ? start : "",
				x->t->zone_name, x->t->derived ? "from the rpo" : ""});
		return;
	}
	o = json_object();
	out_json_str(o, "system", x->s->item.name);
	out_json_str(o, "kind", x->what == TIMES_VERIFY ? "verify" : "backup");
	out_json_str(o, "backup_type", x->what == TIMES_VERIFY ? NULL : times_what_name(x->what));
	out_json_time(o, "due", x->due_s * CALENDAR_SECOND);
	out_json_time(o, "start", x->start_s * CALENDAR_SECOND);
	out_json_str(o, "timezone", x->t->zone_name);
	json_object_set_new(o, "derived", json_boolean(x->t->derived));
	out_json(c, "item", o);
}

static struct coming *soonest(struct coming *v, size_t n)
{
	struct coming *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (v[i].any && (best == NULL || v[i].due_s < best->due_s))
			best = &v[i];
	return best;
}

int cmd_schedule(struct cli *c, struct err *e)
{
	struct text_table t = {.align = "<<<<<<", .ncols = 6, .head = true};
	int64_t from = c->ctx->clock->wall_ns(c->ctx->clock) / CALENDAR_SECOND, until = INT64_MAX;
	int most = c->opt.limit ? c->opt.limit : c->opt.until.set ? MOST : USUAL;
	struct coming *v = NULL, *x;
	struct buf b = {0};
	size_t n = 0;
	int rc = config_load(c, true, e);

	if (c->opt.from.set)
		from = c->opt.from.t.ns / CALENDAR_SECOND - 1; /* what is due then, too */
	if (c->opt.until.set)
		until = c->opt.until.t.ns / CALENDAR_SECOND;
	if (rc == 0)
		rc = find(c, &v, &n, from, e);
	text_row(
	    &t, (const char *const[]){"System", "What", "Due", "Not before", "Zone", "Schedule"});
	for (; rc == 0 && most > 0 && (x = soonest(v, n)) != NULL && x->due_s < until; most--) {
		show(c, &t, x);
		advance(x, x->due_s);
	}
	if (rc == 0 && !c->out.json && t.nrows > 1)
		text_table_put(&b, &t);
	else if (rc == 0 && !c->out.json)
		out_text(c, "nothing is due: no schedule and no rpo is declared\n");
	out_list(c, "%s", buf_cstr(&b));
	for (size_t i = 0; i < n; i++)
		world_times_free(v[i].t);
	free(v);
	buf_fini(&b);
	text_table_fini(&t);
	return rc;
}

/* ---- Why not? */

struct reasons {
	struct cli *c;
	const struct world_system *s;
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
	int64_t now = r->c->ctx->clock->wall_ns(r->c->ctx->clock);

	r->open = x->id;
	if (x->status == RUN_RUNNING)
		because(r, "run %" PRId64 " is running since %s", x->id, when(a, x->started_ns));
	else if (x->not_before_ns > now)
		because(r, "run %" PRId64 " waits until %s (windows, jitter, or a retry)", x->id,
		    when(a, x->not_before_ns));
	else if (x->after)
		because(r, "run %" PRId64 " waits for run %" PRId64 " of what it depends on", x->id,
		    x->after);
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

static void tell_schedule(struct reasons *r)
{
	struct world_times *t;
	enum times_what what;
	int64_t due, start, now = r->c->ctx->clock->wall_ns(r->c->ctx->clock) / CALENDAR_SECOND;
	char a[CALENDAR_TEXT], b[CALENDAR_TEXT];
	struct err e;

	if (r->s->paused)
		because(r, "it is paused in the configuration");
	if (world_times_new(world_tier(r->c->world, r->s->tier), r->s, &t, &e) == -1) {
		because(r, "%s", e.msg);
		return;
	}
	if (!world_times_next(t, now, true, &what, &due, &start))
		because(r, "it has no schedule: neither it nor tier %s says when, nor an rpo",
		    r->s->tier);
	else if (start != due)
		because(r, "the next %s is due %s, and begins %s: windows or jitter",
		    times_what_name(what), when(a, due * CALENDAR_SECOND),
		    when(b, start * CALENDAR_SECOND));
	else
		because(r, "the next %s is due %s", times_what_name(what),
		    when(a, due * CALENDAR_SECOND));
	world_times_free(t);
}

static int tell_daemon(struct reasons *r, struct err *e)
{
	char *state = os_state_dir();
	bool lives;
	int64_t pid;
	int rc = daemon_lives(state, &lives, &pid, e);

	if (rc == 0 && !lives)
		because(
		    r, "the daemon is not running: nothing is begun by itself (holdfast serve)");
	free(state);
	return rc;
}

static int tell_runs(struct reasons *r, struct catalog *cat, struct err *e)
{
	struct run_filter open = {.system = r->s->item.name, .open = true, .limit = 3};
	struct run_filter over = {.system = r->s->item.name, .over = true, .limit = 3};

	if (run_list(cat, &open, tell_open, r, e) == -1)
		return -1;
	return run_list(cat, &over, tell_over, r, e);
}

int cmd_why(struct cli *c, struct err *e)
{
	struct reasons r = {.c = c, .list = json_array()};
	struct catalog *cat = NULL;
	size_t i;
	json_t *line;
	int rc = config_load(c, true, e);

	if (rc == 0 && (r.s = world_system(c->world, c->args.v[0])) == NULL) {
		rc = err_set(e, ERR_USAGE, "%s is not declared in %s, and so never run",
		    c->args.v[0], c->world->files[0]);
		err_hint(e, "holdfast config show prints what is");
	}
	if (rc == 0)
		rc = cli_catalog_open(c, &cat, e);
	if (rc == 0)
		rc = tell_daemon(&r, e);
	if (rc == 0) {
		tell_schedule(&r);
		rc = tell_runs(&r, cat, e);
	}
	if (rc == 0 && c->out.json)
		out_json(c, "summary",
		    json_pack("{s:s, s:O}", "system", r.s->item.name, "reasons", r.list));
	else if (rc == 0)
		json_array_foreach(r.list, i, line)
		    out_list(c, "%s\n", out_str(c, json_string_value(line)));
	catalog_close(cat);
	json_decref(r.list);
	return rc;
}
