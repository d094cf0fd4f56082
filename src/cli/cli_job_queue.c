/* cli_job_queue: runs that the daemon does: asked for, waited for, stopped. */
#include "cli/cli_job.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/declared.h"
#include "daemon/daemon.h"
#include "os/os.h"
#include "os/os_child.h"

int job_place(const struct world *w, const char *system, const char *kind, struct job_place *out,
    struct err *e)
{
	const struct world_repository **to;
	const struct world_system *s;
	const struct world_tier *t;

	if (declared_for(w, system, kind, ERR_ABSENT, e) == -1)
		return -1;
	if (strcmp(kind, "prune") == 0) {
		*out = (struct job_place){mem_strdup(system), NULL, 1};
		return 0;
	}
	s = world_system(w, system);
	t = world_tier(w, s->tier);
	to = mem_alloc(t->destinations.n * sizeof(void *));
	/* The archive is what a copy keeps busy. */
	if (strcmp(kind, "copy") != 0 || world_archives(w, t, to) == 0)
		world_written(w, t, to);
	*out = (struct job_place){mem_strdup(to[0]->item.name),
	    s->node ? mem_strdup(s->node) : NULL,
	    (int)(s->priority ? s->priority : t->priority) + 1};
	free(to);
	return 0;
}

int job_queue(struct catalog *cat, const struct job_place *place, const char *system,
    const char *kind, const char *type, const char *by, int64_t now_ns, int64_t *id, bool *added,
    struct err *e)
{
	struct run r = {.system = system,
	    .node = place->node,
	    .kind = kind,
	    .type = type,
	    .trigger = "manual",
	    .by = by,
	    .status = RUN_QUEUED,
	    .due_ns = now_ns,
	    .queued_ns = now_ns,
	    .queue = place->queue,
	    .priority = place->priority};

	return run_ask(cat, &r, id, added, e);
}

/* ---- Stopping. */

struct facts {
	struct run r; /* no texts */
	bool here;
};

bool job_is_here(const struct run *r)
{
	char *dir = os_state_dir();
	bool here = daemon_owns(dir, r->owner);

	free(dir);
	return here;
}

static int copy_facts(void *arg, const struct run *r, struct err *e)
{
	struct facts *f = arg;
	struct run *to = &f->r;

	f->here = job_is_here(r);
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
		err_set(e, ERR_ABSENT,
		    "the process of run %" PRId64 " is not here: another host's, or another "
		    "container's, or gone",
		    id);
		return err_hint(e, "one that is gone is recorded as interrupted in two minutes");
	}
	*stopping = true;
	return kill((pid_t)f.r.pid, SIGTERM) == 0 ? 0 : err_sys(e, "stop run %" PRId64, id);
}
