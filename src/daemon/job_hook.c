/* job_hook: what is to be run around a backup. */
#include "daemon/job_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "os/os_child.h"

enum { FIXED = 9 };

static const int64_t usual_timeout = 5 * 60 * CALENDAR_SECOND;

static void tell_line(void *arg, const char *line)
{
	fprintf(stderr, "%s\n", line);
}

static void idle(void *arg)
{
	const struct job_params *p = ((struct job *)arg)->p;

	if (p->idle != NULL)
		p->idle(p->arg);
}

/* Hooks that have to follow are not ended by what ended the run. */
static int run_hook(
    struct job *j, const char *step, const struct world_hook *h, struct ctx *ctx, struct err *e)
{
	const struct job_result *r = j->r;
	const char *argv[] = {"/bin/sh", "-c", h->run, NULL};
	const char **env = mem_zalloc((FIXED + h->environment.n + 1) * sizeof *env);
	char *fixed[FIXED] = {
	    mem_printf("HOLDFAST_SYSTEM=%s", j->p->system->item.name),
	    mem_printf("HOLDFAST_STEP=%s", step),
	    mem_printf("HOLDFAST_RUN=%lld", (long long)j->p->run),
	    mem_printf("HOLDFAST_STATUS=%s", r->run.status ? run_status_name(r->run.status) : ""),
	    mem_printf("HOLDFAST_SNAPSHOT=%s", r->snapshot),
	    mem_printf("HOLDFAST_ERROR=%s", r->message),
	    /* A command of ours in a hook is no step of this run. */
	    mem_printf("HOLDFAST_RUN_ID="),
	    mem_printf("HOLDFAST_RUN_OWNER="),
	    mem_printf("HOLDFAST_RUN_PARENT="),
	};
	struct os_child c = {.argv = argv,
	    .env = env,
	    .line = tell_line,
	    .idle = idle,
	    .arg = j,
	    .timeout_ns = h->timeout.ns ? h->timeout.ns : usual_timeout,
	    .grace_ns = 5 * CALENDAR_SECOND};
	int status, rc;

	for (size_t i = 0; i < FIXED; i++)
		env[i] = fixed[i];
	for (size_t i = 0; i < h->environment.n; i++)
		env[FIXED + i] = h->environment.v[i];
	rc = os_child_run(&c, ctx, &status, e);
	if (rc == 0 && status != 0)
		rc = err_set(e, ERR_FAILED, "exit %d", status);
	for (size_t i = 0; i < FIXED; i++)
		free(fixed[i]);
	free(env);
	return rc == 0 ? 0 : err_wrap(e, "hook %s: %s", step, h->run);
}

int job_hooks(
    struct job *j, const char *step, const struct field_items *hooks, bool last, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < hooks->n && (rc == 0 || last); i++) {
		const struct world_hook *h = (const struct world_hook *)hooks->v + i;
		struct err why;

		if (run_hook(j, step, h, last ? NULL : j->ctx, &why) == 0)
			continue;
		if (why.kind == ERR_CANCELLED || h->on_error == 0 || h->on_error == WORLD_FAIL) {
			*e = rc == 0 ? why : *e;
			rc = -1;
		} else if (h->on_error == WORLD_WARN) {
			job_warn(j, step, &why);
		}
	}
	return rc;
}
