/*
 * daemon_record: how a run ended, and what follows from it.
 *
 * Its process records it.  Where that could not, for the catalog was away, its last words on its
 * output say the same (shape_run): they are recorded here, at once or as soon as the catalog is
 * back; into one that was begun anew, as a run of its own.
 */
#include "daemon/daemon_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/shape.h"

struct kept_end {
	struct kept_end *next;
	struct run run; /* texts are its own */
};

/* Those whose end a later try may see differently. */
static bool may_pass(const char *error_kind)
{
	static const enum err_kind kinds[] = {ERR_UNREACHABLE, ERR_TIMEOUT, ERR_BUSY};

	for (size_t i = 0; error_kind && i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(error_kind, err_info(kinds[i])->name) == 0)
			return true;
	return false;
}

/* What it said itself; else what its end says.  Texts are the caller's: of `o`, `text`. */
static struct run end_of(struct daemon *d, const struct child *c, int64_t status, int sig,
    const json_t *o, char *text, size_t size)
{
	const struct run *was = &c->run;
	struct run r = {.score = -1};

	if (o != NULL)
		shape_read(&shape_run, o, &r);
	if (!run_status_over(r.status)) {
		r = (struct run){.score = -1, .message = text, .type = was->type};
		r.status = c->asked_ms ? RUN_INTERRUPTED : RUN_FAILED;
		if (sig != 0)
			snprintf(text, size, "its process was ended by signal %d", sig);
		else
			snprintf(text, size,
			    "its process ended with status %" PRId64 " and recorded nothing",
			    status);
	}
	r.id = was->id;
	r.system = was->system;
	r.node = was->node;
	r.kind = was->kind;
	r.trigger = was->trigger;
	r.by = was->by;
	r.queue = was->queue;
	r.priority = was->priority;
	r.attempt = was->attempt;
	r.after = was->after;
	r.due_ns = was->due_ns;
	r.not_before_ns = was->not_before_ns;
	r.queued_ns = was->queued_ns;
	r.started_ns = was->started_ns;
	r.owner = d->owner;
	r.log = was->log;
	if (r.ended_ns == 0)
		r.ended_ns = d->ctx->clock->wall_ns(d->ctx->clock);
	return r;
}

static int note_run(void *arg, const struct run *r, struct err *e)
{
	run_copy(arg, r);
	return 0;
}

/* *as: how it is recorded now, with texts of its own. */
static int record(struct daemon *d, const struct run *end, struct run *as, struct err *e)
{
	int64_t id;

	*as = (struct run){0};
	if (run_get(d->catalog, end->id, note_run, as, e) == -1) {
		/* The catalog is another: it was lost in between. */
		if (e->kind != ERR_ABSENT ||
		    (run_add(d->catalog, end, &id, e) == -1 && e->kind != ERR_EXISTS))
			return -1;
		run_copy(as, end);
		return 0;
	}
	if (as->status != RUN_RUNNING)
		return 0;
	run_copy_fini(as);
	if (run_end(d->catalog, end, e) == -1)
		return -1;
	run_copy(as, end);
	return 0;
}

static void tell_outcome(struct daemon *d, const struct run *r)
{
	static const struct {
		enum run_status status;
		const char *name;
		enum event_level level;
	} rows[] = {
	    {RUN_COMPLETED, "run.completed", EVENT_INFO},
	    {RUN_PROBLEMS, "run.problems", EVENT_WARN},
	    {RUN_FAILED, "run.failed", EVENT_ERROR},
	    {RUN_INTERRUPTED, "run.interrupted", EVENT_WARN},
	};
	const char *why = r->message ? r->message : "";

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].status == r->status)
			daemon_tell(d, rows[i].name, rows[i].level, r->system, r->id, "%s%s%s",
			    r->kind, why[0] ? ": " : "", why);
}

static void follow(struct daemon *d, const struct run *r)
{
	static const int64_t waits_s[] = {60, 300, 900};

	tell_outcome(d, r);
	d->watched_s = 0; /* an RPO that was missed may be kept again */
	/* What our own end broke off the next daemon goes on with; what was stopped by hand nobody.
	 */
	if (r->status == RUN_INTERRUPTED && d->stopping)
		daemon_try_again(d, r, 0);
	if (r->status == RUN_FAILED && may_pass(r->error_kind) && r->attempt < DAEMON_TRIES)
		daemon_try_again(d, r, waits_s[r->attempt]);
}

void daemon_run_over(struct daemon *d, const struct child *c, int64_t status, int sig)
{
	json_t *o = c->summary ? json_loads(c->summary, 0, NULL) : NULL;
	char text[128];
	struct run end = end_of(d, c, status, sig, o, text, sizeof text), as;
	struct kept_end *kept;
	struct err e;

	if (record(d, &end, &as, &e) == 0) {
		follow(d, &as);
		if (c->fenced && as.status == RUN_INTERRUPTED && !d->stopping)
			daemon_try_again(d, &as, 0);
		run_copy_fini(&as);
	} else {
		daemon_log(d, EVENT_ERROR, "run=%" PRId64 " %s", end.id, e.msg);
		/* ERR_ABSENT: it is another daemon's.  One that was fenced is found without anybody
		 * at it when the catalog is back, and begun anew. */
		if (e.kind != ERR_ABSENT && !(c->fenced && end.status == RUN_INTERRUPTED)) {
			kept = mem_zalloc(sizeof *kept);
			run_copy(&kept->run, &end);
			kept->next = d->kept;
			d->kept = kept;
		}
	}
	json_decref(o);
}

static void drop_first(struct daemon *d)
{
	struct kept_end *k = d->kept;

	d->kept = k->next;
	run_copy_fini(&k->run);
	free(k);
}

int daemon_record_kept(struct daemon *d, struct err *e)
{
	struct run as;

	while (d->kept != NULL) {
		if (record(d, &d->kept->run, &as, e) == 0) {
			follow(d, &as);
			run_copy_fini(&as);
		} else if (e->kind != ERR_ABSENT) {
			return -1;
		}
		drop_first(d);
	}
	return 0;
}

bool daemon_keeps_end(const struct daemon *d, int64_t id)
{
	for (const struct kept_end *k = d->kept; k != NULL; k = k->next)
		if (k->run.id == id)
			return true;
	return false;
}

void daemon_drop_kept(struct daemon *d)
{
	while (d->kept != NULL)
		drop_first(d);
}
