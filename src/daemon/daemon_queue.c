/* daemon_queue: taking runs out of the queue, and what becomes of those that break off. */
#include "daemon/daemon_internal.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/catalog_share.h"
#include "os/os.h"
#include "os/os_child.h"

/*
 * The same once more, a while later.  It may be in the queue already, by who was killed before it
 * had seen to those that come after it.
 */
void daemon_try_again(struct daemon *d, const struct run *r, int64_t wait_s)
{
	const struct world_system *s = daemon_system(d, r->system);
	struct run again = {.system = r->system,
	    .kind = r->kind,
	    .type = r->type,
	    .trigger = "retry",
	    .by = r->by,
	    .queue = r->queue,
	    .priority = r->priority,
	    .attempt = r->attempt + 1,
	    .status = RUN_QUEUED,
	    .due_ns = r->due_ns};
	int64_t id;
	struct err e;

	if (again.attempt >= DAEMON_TRIES || !daemon_declares(d, r))
		return;
	/* A system's is not where this one ran; what has none (a prune) stays where it was. */
	again.node = s ? s->node : r->node;
	again.queued_ns = d->ctx->clock->wall_ns(d->ctx->clock);
	again.not_before_ns = again.queued_ns + wait_s * CALENDAR_SECOND;
	if (run_add(d->catalog, &again, &id, &e) == 0)
		daemon_tell(d, "run.retry", EVENT_INFO, r->system, id, "after run %" PRId64, r->id);
	else if (e.kind != ERR_EXISTS) {
		daemon_log(d, EVENT_ERROR, "%s", e.msg);
		return;
	}
	if (run_follow(d->catalog, r, &e) == -1)
		daemon_log(d, EVENT_ERROR, "%s", e.msg);
}

/* Nothing is written while rows are read: that could meet another's write. */
struct runs {
	struct run *v;
	size_t n;
};

static int collect(void *arg, const struct run *r, struct err *e)
{
	struct runs *l = arg;

	l->v = mem_realloc(l->v, (l->n + 1) * sizeof *l->v);
	run_copy(&l->v[l->n++], r);
	return 0;
}

static void runs_fini(struct runs *l)
{
	for (size_t i = 0; i < l->n; i++)
		run_copy_fini(&l->v[i]);
	free(l->v);
}

/* ---- What the last daemon left. */

static int note_status(void *arg, const struct run *r, struct err *e)
{
	*(enum run_status *)arg = r->status;
	return 0;
}

/* Nobody is at it any more; if it has ended by itself, all is said. */
static int end_orphan(struct daemon *d, const struct run *r, struct err *e)
{
	enum run_status now = 0;
	struct run end = {.id = r->id,
	    .status = RUN_INTERRUPTED,
	    .owner = d->owner,
	    .score = -1,
	    .ended_ns = d->ctx->clock->wall_ns(d->ctx->clock),
	    .log = r->log,
	    .message = "its process is gone; what it had stored is kept"};

	if (run_get(d->catalog, r->id, note_status, &now, e) == -1)
		return -1;
	if (now != RUN_RUNNING)
		return 0;
	daemon_try_again(d, r, 0);
	if (run_end(d->catalog, &end, e) == -1)
		return e->kind == ERR_ABSENT ? 0 : -1;
	daemon_tell(d, "run.interrupted", EVENT_WARN, r->system, r->id, "%s", end.message);
	return 0;
}

static bool lives(const struct run *r)
{
	return r->pid > 1 && os_process_lives(r->pid, r->started_ns + 60 * CALENDAR_SECOND);
}

/*
 * Its runs were told to stop by its end, and get their time to do so, hooks and all: who would tell
 * them again would cut that short.  Until then they are ours, and their queues are taken.
 */
int daemon_take_over(struct daemon *d, struct err *e)
{
	struct run_filter running = {.status = RUN_RUNNING};
	struct runs seen = {0};
	int rc = run_list(d->catalog, &running, collect, &seen, e);

	d->orphans = mem_zalloc((seen.n + 1) * sizeof *d->orphans);
	for (size_t i = 0; rc == 0 && i < seen.n; i++) {
		const struct run *r = &seen.v[i];

		if (r->owner == NULL || strcmp(r->owner, d->owner) != 0)
			continue;
		if (lives(r))
			run_copy(&d->orphans[d->norphans++], r);
		else
			rc = end_orphan(d, r, e);
	}
	runs_fini(&seen);
	return rc;
}

void daemon_look_after_orphans(struct daemon *d)
{
	/* The end of the last daemon, at the latest our beginning, has asked them to end. */
	int64_t waited_ms = (daemon_now_s(d) - d->began_s) * 1000;
	struct err e;

	for (size_t i = 0; i < d->norphans;) {
		if (lives(&d->orphans[i])) {
			if (waited_ms > DAEMON_GRACE_MS)
				uv_kill((int)d->orphans[i].pid, SIGKILL);
			i++;
			continue;
		}
		if (end_orphan(d, &d->orphans[i], &e) == -1) {
			daemon_log(d, EVENT_ERROR, "%s", e.msg);
			return; /* the next time */
		}
		run_copy_fini(&d->orphans[i]);
		d->orphans[i] = d->orphans[--d->norphans];
	}
}

static bool is_ours(const struct daemon *d, int64_t id)
{
	for (const struct child *c = d->children; c != NULL; c = c->next)
		if (c->run.id == id)
			return true;
	for (size_t i = 0; i < d->norphans; i++)
		if (d->orphans[i].id == id)
			return true;
	return daemon_keeps_end(d, id);
}

/*
 * Runs that are leased to us and that nobody is at: their end, or their beginning, could not be
 * recorded, for the catalog was away.
 */
static int end_forgotten(struct daemon *d, struct err *e)
{
	struct run_filter running = {.status = RUN_RUNNING};
	struct runs seen = {0};
	int rc = run_list(d->catalog, &running, collect, &seen, e);

	for (size_t i = 0; rc == 0 && i < seen.n; i++) {
		const struct run *r = &seen.v[i];

		if (r->owner && strcmp(r->owner, d->owner) == 0 && !is_ours(d, r->id))
			rc = end_orphan(d, r, e);
	}
	runs_fini(&seen);
	return rc;
}

void daemon_renew(struct daemon *d)
{
	struct err e;

	d->unrenewed = true;
	if (daemon_record_kept(d, &e) == -1 || end_forgotten(d, &e) == -1 ||
	    daemon_renew_leases(d, &e) == -1 || daemon_stop_lost(d, &e) == -1)
		daemon_log(d, EVENT_ERROR, "%s", e.msg);
}

void daemon_take_others(struct daemon *d)
{
	bool some = false;
	struct err e;

	if (daemon_take_lost(d, &some, &e) == -1 || (some && end_forgotten(d, &e) == -1))
		daemon_log(d, EVENT_ERROR, "%s", e.msg);
}

/* ---- Beginning. */

/* It was taken, and is begun; or it is over. */
static void start_run(struct daemon *d, const struct run *r)
{
	struct err e, why;
	struct run end = {.id = r->id, .status = RUN_FAILED, .owner = d->owner, .score = -1};

	if (!daemon_declares(d, r))
		err_set(&why, ERR_USAGE, "%s is not declared any more", r->system);
	else if (child_start(d, r, &why) == 0)
		return;
	daemon_tell(d, "run.failed", EVENT_ERROR, r->system, r->id, "%s", why.msg);
	end.ended_ns = d->ctx->clock->wall_ns(d->ctx->clock);
	end.message = why.msg;
	end.error_kind = err_info(why.kind)->name;
	if (run_end(d->catalog, &end, &e) == -1)
		daemon_log(d, EVENT_ERROR, "run=%" PRId64 " %s", r->id, e.msg);
}

static int is_one(void *arg, const struct run *r, struct err *e)
{
	*(bool *)arg = true;
	return 0;
}

void daemon_dispatch(struct daemon *d)
{
	const struct world_jobs *jobs = &d->world->jobs;
	unsigned most = jobs->parallel ? jobs->parallel : 2;
	struct run_filter waits = {.status = RUN_QUEUED, .limit = 1};
	bool some = false, any = true;
	struct err e;

	if (d->stopping || d->running + d->norphans >= most ||
	    run_list(d->catalog, &waits, is_one, &some, &e) == -1 || !some)
		return;
	while (any && d->running + d->norphans < most) {
		int64_t now = d->ctx->clock->wall_ns(d->ctx->clock);
		struct run_claim claim = {.owner = d->owner,
		    .node = os_host(),
		    .now_ns = now,
		    .per_queue = jobs->per_repository ? jobs->per_repository : 1};

		struct runs taken = {0};

		if (catalog_now(d->catalog, &claim.lease_ns, &e) == -1) {
			daemon_log(d, EVENT_ERROR, "%s", e.msg);
			return;
		}
		claim.lease_ns += DAEMON_LEASE_S * CALENDAR_SECOND;
		if (run_claim(d->catalog, &claim, collect, &taken, &e) == -1)
			daemon_log(d, EVENT_ERROR, "%s", e.msg);
		any = taken.n > 0;
		if (any)
			start_run(d, &taken.v[0]);
		runs_fini(&taken);
	}
}
