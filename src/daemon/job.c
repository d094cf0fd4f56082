/* job: see job.h. */
#include "daemon/job_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"

void job_fail(struct job *j, const struct err *e)
{
	struct job_result *r = j->r;

	if (j->failed)
		return;
	j->failed = true;
	r->run.status = e->kind == ERR_CANCELLED ? RUN_INTERRUPTED : RUN_FAILED;
	r->run.exit_status = err_info(e->kind)->exit_status;
	snprintf(r->kind_of_error, sizeof r->kind_of_error, "%s", err_info(e->kind)->name);
	snprintf(r->message, sizeof r->message, "%s", e->msg);
	snprintf(r->hint, sizeof r->hint, "%s", e->hint);
}

void job_warn(struct job *j, const char *what, const struct err *e)
{
	struct job_result *r = j->r;

	r->warnings++;
	if (j->failed || r->run.status == RUN_PROBLEMS)
		return;
	r->run.status = RUN_PROBLEMS;
	r->run.exit_status = 3;
	snprintf(r->kind_of_error, sizeof r->kind_of_error, "%s", err_info(e->kind)->name);
	snprintf(r->message, sizeof r->message, "%s: %s", what, e->msg);
	snprintf(r->hint, sizeof r->hint, "%s", e->hint);
}

bool job_settle(struct job *j, const char *what, const struct err *e)
{
	if (e->kind == ERR_INCOMPLETE) {
		job_warn(j, what, e);
		return true;
	}
	job_fail(j, e);
	return false;
}

static void backup(struct job *j)
{
	static const char *const strategies[] = {
	    NULL, "full", "incremental", "differential", "incremental"};
	const char *type = j->p->type ? j->p->type : strategies[j->tier->strategy];
	const char *words[] = {
	    "backup", "--system", j->p->system->item.name, type ? "--type" : NULL, type, NULL};
	struct err e;

	j->r->run.type = type ? type : "incremental";
	if (job_command(j, words, true, &e) == -1)
		job_settle(j, "backup", &e);
	else if (j->r->run.status == 0)
		j->r->run.status = RUN_COMPLETED; /* the hooks that follow are told */
}

static bool keeps_by_rules(const struct world_retention *r)
{
	return r->last || r->hourly || r->daily || r->weekly || r->monthly || r->yearly ||
	       r->within.ns || r->within.months;
}

bool job_retains(const struct job *j)
{
	return keeps_by_rules(&j->tier->retention);
}

/* What fails here is no failure of the backup: it is there. */
static void retain(struct job *j)
{
	const struct world_repository **to;
	size_t n;

	if (!job_retains(j))
		return;
	to = mem_alloc((j->tier->destinations.n + 1) * sizeof(void *));
	n = world_written(j->p->world, j->tier, to);
	for (size_t i = 0; i < n; i++) {
		const char *words[] = {
		    "-r", to[i]->item.name, "forget", "--system", j->p->system->item.name, NULL};
		struct err e;

		if (job_command(j, words, false, &e) == -1)
			job_warn(j, "retention", &e);
	}
	free(to);
}

/* What they changed is read by this run: for who watches for changes (daemon_changes.c). */
static void tell_hooks_over(struct job *j)
{
	struct clock *clock = os_clock_of(j->ctx);
	char line[128];

	if (j->p->line == NULL || j->p->system->hooks.before.n == 0)
		return;
	snprintf(line, sizeof line,
	    "{\"type\":\"item\",\"event\":\"" JOB_HOOKS_OVER "\",\"mono_ms\":%lld}",
	    (long long)(clock->mono_ns(clock) / 1000000));
	j->p->line(j->p->arg, line);
}

static void run_backup(struct job *j)
{
	const struct world_hooks *h = &j->p->system->hooks;
	struct err e;

	if (j->p->held != NULL) {
		err_set(&e, ERR_FAILED, "held: %s", j->p->held);
		err_hint(
		    &e, "look at it; then 'holdfast verify %s --accept'", j->p->system->item.name);
		job_fail(j, &e);
		return;
	}
	if (job_look(j, &e) == -1) {
		job_fail(j, &e);
		return;
	}
	if (job_hooks(j, "before", &h->before, false, &e) == -1)
		job_fail(j, &e);
	else {
		tell_hooks_over(j);
		backup(j);
	}
	if (job_hooks(j, "after", &h->after, true, &e) == -1)
		job_warn(j, "after", &e);
	if (!j->failed)
		retain(j);
}

static void add_destination(struct job_result *r, const char *name)
{
	size_t n = strlen(r->destinations);

	snprintf(r->destinations + n, sizeof r->destinations - n, "%s%s", n ? "," : "", name);
}

static size_t all_destinations(const struct job *j, const struct world_repository **to)
{
	world_destinations(j->p->world, j->tier, to);
	return j->tier->destinations.n;
}

/* A verification looks at all of them. */
static void list_destinations(struct job *j)
{
	const struct world_repository **to;
	size_t n;

	if (j->p->repository != NULL) {
		add_destination(j->r, j->p->repository->item.name);
		return;
	}
	to = mem_alloc((j->tier->destinations.n + 1) * sizeof(void *));
	if (strcmp(j->p->kind, "copy") == 0)
		n = world_archives(j->p->world, j->tier, to);
	else if (strcmp(j->p->kind, "backup") == 0)
		n = world_written(j->p->world, j->tier, to);
	else
		n = all_destinations(j, to);
	for (size_t i = 0; i < n; i++)
		add_destination(j->r, to[i]->item.name);
	free(to);
}

static void work(struct job *j)
{
	static const struct {
		const char *kind;
		void (*run)(struct job *j);
	} kinds[] = {{"backup", run_backup}, {"verify", job_verify}, {"drill", job_drill},
	    {"copy", job_copy}, {"prune", job_prune}};
	struct err e;

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(j->p->kind, kinds[i].kind) == 0)
			kinds[i].run(j);
	if (j->r->run.status == 0)
		j->r->run.status = RUN_COMPLETED;
	if (j->failed && j->p->system != NULL &&
	    job_hooks(j, "on_failure", &j->p->system->hooks.on_failure, true, &e) == -1)
		j->r->warnings++;
}

void job_run(const struct job_params *p, struct ctx *ctx, struct job_result *out)
{
	struct job j = {.p = p,
	    .tier = p->system ? world_tier(p->world, p->system->tier) : NULL,
	    .ctx = ctx,
	    .r = out};

	*out = (struct job_result){
	    .run = {.id = p->run,
		.system = p->system ? p->system->item.name : p->repository->item.name,
		.kind = p->kind,
		.score = -1,
		.encrypted = true,
		.compressed = true}};
	list_destinations(&j);
	out->run.destinations = out->destinations;
	work(&j);
	out->run.warnings = out->warnings;
	out->run.error_kind = out->kind_of_error[0] ? out->kind_of_error : NULL;
	out->run.message = out->message[0] ? out->message : NULL;
	out->run.hint = out->hint[0] ? out->hint : NULL;
}
