/*
 * cli_follow: runs that the daemon does, asked for and waited for.
 *
 * Who waits outlives the daemon: a run that nobody holds any more is not waited for.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "catalog/catalog_share.h"
#include "cli/ask.h"
#include "cli/cli_job.h"
#include "cli/cli_out.h"
#include "net/url.h"
#include "os/os.h"
#include "os/os_child.h"

/* So long may a daemon be away that is begun anew. */
static const int64_t patience_ns = 3 * CALENDAR_SECOND;

struct seen {
	struct cli *c;
	bool over;
	int rc;
	struct err err;
	struct run r; /* of the catalog, where there is no daemon; no texts */
	bool here;    /* its process is seen from here */
};

static void end_with(struct seen *s, const struct run *r)
{
	s->over = true;
	job_report(s->c, r);
	s->rc = job_verdict(r, &s->err);
}

static int look(void *arg, json_t *o, struct err *e)
{
	struct seen *s = arg;
	struct run r = {0};

	shape_read(&shape_run, o, &r);
	if (r.status == 0 || r.system == NULL)
		return err_set(e, ERR_FAILED, "the daemon's answer is no run");
	if (run_status_over(r.status))
		end_with(s, &r);
	return 0;
}

/* ---- Where there is no daemon any more. */

static int look_closely(void *arg, const struct run *r, struct err *e)
{
	struct seen *s = arg;

	if (run_status_over(r->status)) {
		end_with(s, r);
		return 0;
	}
	s->here = job_is_here(r);
	s->r = (struct run){.status = r->status,
	    .pid = r->pid,
	    .started_ns = r->started_ns,
	    .lease_ns = r->lease_ns};
	return 0;
}

static bool is_held(const struct seen *s, int64_t now_ns)
{
	if (s->r.status != RUN_RUNNING)
		return false;
	if (s->here && s->r.pid > 0)
		return os_process_lives(s->r.pid, s->r.started_ns + 60 * CALENDAR_SECOND);
	return s->r.lease_ns > now_ns;
}

/* 0: wait on, or it is over (s->over). */
static int ask_catalog(struct seen *s, int64_t id, bool patient, struct err *e)
{
	struct catalog *cat = NULL;
	int64_t now = 0; /* of the catalog: leases go by it */
	int rc = -1;

	if (config_load(s->c, true, e) == 0 && cli_catalog_open(s->c, &cat, e) == 0 &&
	    catalog_now(cat, &now, e) == 0)
		rc = run_get(cat, id, look_closely, s, e);
	catalog_close(cat);
	if (rc == 0 && (s->over || is_held(s, now)))
		return 0;
	if (patient)
		return 0;
	if (rc == -1)
		err_set(e, ERR_UNREACHABLE,
		    "the daemon is gone, and what became of run %" PRId64 " is not known here", id);
	else if (s->r.status == RUN_QUEUED)
		err_set(e, ERR_UNREACHABLE,
		    "the daemon is gone: run %" PRId64 " waits for the next one", id);
	else
		err_set(e, ERR_UNREACHABLE,
		    "the daemon is gone, and run %" PRId64 " with it: the next one records it as "
		    "interrupted, and begins it anew",
		    id);
	return err_hint(e, "holdfast serve; then: holdfast jobs %" PRId64, id);
}

/* ---- Waiting. */

static int left(int64_t id, struct err *e)
{
	err_set(e, ERR_CANCELLED, "run %" PRId64 " goes on without us", id);
	return err_hint(e,
	    "holdfast jobs %" PRId64 " shows it; holdfast jobs cancel %" PRId64 " stops it", id,
	    id);
}

int job_follow(const struct ask *a, int64_t id, struct err *e)
{
	struct clock *clock = a->c->ctx->clock;
	struct seen s = {.c = a->c};
	int64_t gone_ns = 0, now;

	while (!s.over) {
		int rc = ask_run(a, id, look, &s, e);

		now = clock->mono_ns(clock);
		if (rc == 0)
			gone_ns = 0;
		else if (ctx_cancelled(a->c->ctx))
			return left(id, e);
		else if (e->kind != ERR_UNREACHABLE && e->kind != ERR_TIMEOUT)
			return -1;
		else if (gone_ns == 0)
			gone_ns = now;
		if (rc == -1 && ask_catalog(&s, id, now - gone_ns < patience_ns, e) == -1)
			return -1;
		if (s.over)
			break;
		os_sleep_ns(a->c->ctx, CALENDAR_SECOND / 5);
		if (ctx_cancelled(a->c->ctx))
			return left(id, e);
	}
	if (s.rc == -1)
		*e = s.err;
	return s.rc;
}

int job_by_daemon(const struct ask *a, const char *system, const char *kind, struct err *e)
{
	char *type = job_type(a->c, kind);
	json_t *body = json_pack("{s:s, s:s*}", "kind", kind, "type", type);
	json_t *answer, *run;
	struct buf path = {0};
	int64_t id;
	int rc;

	buf_printf(&path, "/api/v1/systems/");
	url_encode(&path, span_str(system), false);
	buf_printf(&path, "/run");
	rc = ask_request(a, "POST", buf_cstr(&path), body, &answer, e);
	buf_fini(&path);
	free(type);
	json_decref(body);
	if (rc == -1) {
		e->kind = e->kind == ERR_ABSENT ? ERR_USAGE : e->kind;
		return -1;
	}
	run = json_object_get(answer, "run");
	id = json_integer_value(json_object_get(run, "id"));
	if (!a->c->opt.no_wait) {
		out_message(a->c, "%s: run %" PRId64 " is the daemon's", system, id);
		rc = job_follow(a, id, e);
	} else if (a->c->out.json) {
		out_json(a->c, "summary", json_incref(run));
	} else {
		out_text(a->c, "%s: queued as run %" PRId64 "\n", out_str(a->c, system), id);
	}
	json_decref(answer);
	return rc;
}
