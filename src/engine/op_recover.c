/* op_recover: see op_recover.h; the order of the steps, and their record. */
#include "engine/op_recover.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/recover_internal.h"
#include "os/os.h"

void recover_say(struct recovering *g, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(g->what, sizeof g->what, fmt, ap);
	va_end(ap);
}

typedef int recover_do(struct recovering *g, struct err *e);

static int step(struct recovering *g, const char *name, recover_do *f, struct err *e)
{
	struct clock *wall = os_clock_of(g->ctx), *clock = os_clock();
	struct recover_result *out = g->out;
	struct recover_step *s = &out->steps[out->nsteps];
	int64_t from = clock->mono_ns(clock);
	int rc;

	g->what[0] = '\0';
	atomic_store(&g->ctx->progress.phase, name);
	*s = (struct recover_step){.name = name, .start_ns = wall->wall_ns(wall)};
	rc = f(g, e);
	s->seconds = (double)(clock->mono_ns(clock) - from) / 1e9;
	snprintf(out->what[out->nsteps], RECOVER_WHAT, "%s", rc == -1 ? "failed" : g->what);
	s->what = out->what[out->nsteps++];
	if (g->p->step != NULL)
		g->p->step(g->p->arg, s);
	return rc == -1 ? err_wrap(e, "%s", name) : 0;
}

/* ---- The plan. */

static struct recover_moment moment(const struct recover_mark *m)
{
	return m->there ? (struct recover_moment){m->lsn, m->time_us, m->xid}
			: (struct recover_moment){0};
}

static int plan(struct recovering *g, struct err *e)
{
	struct recover_plan *pl = &g->pl;
	struct recover_result *out = g->out;
	char a[RECOVER_LSN_TEXT], b[RECOVER_LSN_TEXT];
	int rc = recover_plan_make(g->repo, g->p, g->ctx, pl, e);

	out->last = moment(&pl->last);
	out->timeline = pl->timeline;
	out->log_end = pl->log_end;
	out->gap = pl->gap;
	out->gap_end = pl->gap_end;
	if (rc == -1)
		return -1;
	out->base = pl->base->snapshot->id;
	out->base_start_ns = pl->base->start_ns;
	out->base_end_ns = pl->base->end_ns;
	out->base_lsn = pl->base->start;
	out->segments = pl->reach.n;
	out->kept = moment(&pl->kept);
	out->next = moment(&pl->next);
	recover_say(g, "%zu segment%s from LSN %s, the log reaches %s on timeline %u", pl->reach.n,
	    pl->reach.n == 1 ? "" : "s", recover_lsn_text(pl->base->start, a),
	    recover_lsn_text(pl->log_end, b), pl->timeline);
	return recover_spaces(g, e);
}

/* ---- Everything. */

/* What pg_server_start would refuse at the end is refused at the beginning. */
static int check_params(const struct recover_params *p, struct err *e)
{
	if (p->action == RECOVER_PROMOTE || p->to.kind != RECOVER_LATEST)
		return 0;
	err_set(e, ERR_USAGE, "to the latest there is no target to %s at",
	    p->action == RECOVER_PAUSE ? "pause" : "shut down");
	return err_hint(e, "it ends where the log does, and is promoted");
}

char *recover_folder(const char *path)
{
	char *cwd = path[0] == '/' ? NULL : getcwd(NULL, 0), *real = os_real_path(path), *abs;
	size_t n;

	abs = real ? real : mem_printf("%s%s%s", cwd ? cwd : "", cwd ? "/" : "", path);
	for (n = strlen(abs); n > 1 && abs[n - 1] == '/';)
		abs[--n] = '\0';
	free(cwd);
	return abs;
}

static int do_it(struct recovering *g, struct err *e)
{
	bool start = g->p->start || g->p->scratch;

	if (step(g, "plan", plan, e) == -1 || step(g, "prepare", recover_prepare, e) == -1)
		return -1;
	if (g->p->dry_run)
		return 0;
	if (g->p->stop_command != NULL && step(g, "stop", recover_stop_old, e) == -1)
		return -1;
	if (step(g, "restore", recover_restore, e) == -1 ||
	    step(g, "settings", recover_settle, e) == -1 ||
	    step(g, "verify", recover_verify, e) == -1)
		return -1;
	if (!start)
		return 0;
	if (step(g, "start", recover_start, e) == -1)
		return -1;
	if (step(g, "validate", recover_validate, e) == 0)
		return 0;
	recover_end(g);
	return -1;
}

/* It holds folders below what may have to be unmounted. */
static void end_feed(struct recovering *g, int rc)
{
	struct recover_result *out = g->out;
	/* A paused server has not heard yet that its restore_command is another. */
	bool paused = out->started && !out->promoted && g->p->action == RECOVER_PAUSE;

	recover_feed_free(g->feed, rc == -1 || (out->started && !paused));
	g->feed = NULL;
}

static void finish(struct recovering *g, int rc)
{
	struct recover_result *out = g->out;

	out->instant = g->instant;
	if (rc == 0 && g->p->scratch) {
		out->server = g->server;
		g->server = NULL;
	}
	pg_server_free(g->server);
	recover_plan_fini(&g->pl);
	for (size_t i = 0; i < g->nspaces; i++) {
		free(g->spaces[i].name);
		free(g->spaces[i].location);
	}
	free(g->spaces);
	for (size_t i = 0; i < g->nlater; i++)
		free(g->later[i]);
	free(g->later);
	free(g->patches);
	free(g->data);
	free(g->bin);
}

int op_recover(struct repo *r, const struct recover_params *p, struct ctx *ctx,
    struct recover_result *out, struct err *e)
{
	struct clock *wall = os_clock_of(ctx), *clock = os_clock();
	int64_t from = clock->mono_ns(clock);
	struct recovering g = {.repo = r, .p = p, .ctx = ctx, .out = out};
	int rc;

	*out = (struct recover_result){.start_ns = wall->wall_ns(wall)};
	if (check_params(p, e) == -1)
		return -1;
	g.data = recover_folder(p->target);
	rc = do_it(&g, e);
	out->seconds = (double)(clock->mono_ns(clock) - from) / 1e9;
	if (rc == -1 && out->nsteps > 3 && e->hint[0] == '\0')
		err_hint(e, "what is restored stays: again with --delta goes on");
	end_feed(&g, rc);
	rc = recover_shown(&g, rc, e);
	finish(&g, rc);
	return rc;
}
