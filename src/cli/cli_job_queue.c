/* cli_job_queue: runs that the daemon does: asked for, waited for, stopped. */
#include "cli/cli_job.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cli_out.h"
#include "config/world.h"
#include "os/os.h"
#include "os/os_child.h"

/* The place that it keeps busy. */
static const char *queue_of(const struct world *w, const struct world_system *s, const char *kind)
{
	const struct world_tier *t = world_tier(w, s->tier);
	const struct world_repository **to = mem_alloc((t->destinations.n + 1) * sizeof(void *));
	const char *name;

	if (strcmp(kind, "copy") != 0 || world_archives(w, t, to) == 0)
		world_written(w, t, to);
	name = to[0]->item.name;
	free(to);
	return name;
}

int job_queue(struct catalog *cat, const struct world *w, const char *name, const char *kind,
    const char *type, const char *by, int64_t now_ns, int64_t *id, struct err *e)
{
	const struct world_system *s = world_system(w, name);
	struct run r = {.system = name,
	    .kind = kind,
	    .type = type,
	    .trigger = "manual",
	    .by = by,
	    .queue = name,
	    .status = RUN_QUEUED,
	    .due_ns = now_ns,
	    .queued_ns = now_ns,
	    .priority = 1};

	if (strcmp(kind, "prune") != 0) {
		r.queue = queue_of(w, s, kind);
		r.priority += (int)(s->priority ? s->priority : world_tier(w, s->tier)->priority);
	}
	return run_add(cat, &r, id, e);
}

/* ---- Stopping. */

struct facts {
	struct run r; /* no texts */
	bool here;
};

/* Owners begin with their host. */
static int copy_facts(void *arg, const struct run *r, struct err *e)
{
	struct facts *f = arg;
	struct run *to = &f->r;
	size_t n = strlen(os_host());

	f->here = r->owner != NULL && strncmp(r->owner, os_host(), n) == 0 && r->owner[n] == ':';

	*to = (struct run){
	    .id = r->id, .status = r->status, .pid = r->pid, .started_ns = r->started_ns};
	return 0;
}

int job_cancel(
    struct catalog *cat, int64_t id, const char *by, int64_t now_ns, bool *stopping, struct err *e)
{
	struct facts f = {.here = false};
	char why[128];

	*stopping = false;
	if (run_get(cat, id, copy_facts, &f, e) == -1)
		return -1;
	if (run_status_over(f.r.status))
		return err_set(
		    e, ERR_EXISTS, "run %" PRId64 " is over: %s", id, run_status_name(f.r.status));
	snprintf(why, sizeof why, "by %s", by);
	if (f.r.status == RUN_QUEUED)
		return run_drop(cat, id, RUN_CANCELLED, why, now_ns, e);
	if (!f.here || !os_process_lives(f.r.pid, f.r.started_ns + 60 * CALENDAR_SECOND)) {
		err_set(e, ERR_ABSENT, "the process of run %" PRId64 " is not on this host", id);
		return err_hint(e, "one that is gone is recorded as interrupted in two minutes");
	}
	*stopping = true;
	return kill((pid_t)f.r.pid, SIGTERM) == 0 ? 0 : err_sys(e, "stop run %" PRId64, id);
}

/* ---- Asking, and waiting. */

struct seen {
	struct cli *c;
	bool over;
	int rc;
	struct err err;
};

static int look(void *arg, const struct run *r, struct err *e)
{
	struct seen *s = arg;

	if (!run_status_over(r->status))
		return 0;
	s->over = true;
	job_report(s->c, r);
	s->rc = job_verdict(r, &s->err);
	return 0;
}

/* Leaving off to wait stops nothing: it is the daemon's. */
static int follow(struct cli *c, struct catalog *cat, int64_t id, struct err *e)
{
	struct seen s = {.c = c};

	while (!s.over) {
		if (run_get(cat, id, look, &s, e) == -1)
			return -1;
		if (s.over)
			break;
		os_sleep_ns(c->ctx, CALENDAR_SECOND / 5);
		if (ctx_cancelled(c->ctx)) {
			err_set(e, ERR_CANCELLED, "run %" PRId64 " goes on without us", id);
			return err_hint(e,
			    "holdfast jobs %" PRId64 "; jobs cancel %" PRId64 " stops it", id, id);
		}
	}
	if (s.rc == -1)
		*e = s.err;
	return s.rc;
}

int job_by_daemon(struct cli *c, const char *system, const char *kind, struct err *e)
{
	static const char *const types[] = {NULL, "full", "incremental", "differential"};
	char user[64];
	struct catalog *cat;
	int64_t id;
	int rc;

	os_user(user, sizeof user);
	if (cli_catalog_open(c, &cat, e) == -1)
		return -1;
	rc = job_queue(cat, c->world, system, kind, types[c->opt.type], user,
	    c->ctx->clock->wall_ns(c->ctx->clock), &id, e);
	if (rc == 0 && c->opt.no_wait) {
		if (c->out.json)
			out_json(c, "summary",
			    json_pack("{s:I, s:s, s:s}", "id", (json_int_t)id, "system", system,
				"status", "queued"));
		else
			out_text(c, "%s: queued as run %" PRId64 "\n", out_str(c, system), id);
	} else if (rc == 0) {
		out_message(c, "%s: run %" PRId64 " is the daemon's", system, id);
		rc = follow(c, cat, id, e);
	}
	catalog_close(cat);
	return rc;
}
