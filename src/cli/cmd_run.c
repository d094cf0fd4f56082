/* run: a declared system now, by the daemon where there is one. */
#include "cli/cli_out.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cli/ask.h"
#include "cli/cli_job.h"
#include "cli/declared.h"
#include "daemon/daemon.h"
#include "os/os.h"

enum { TRIES = 50 };

static int not_answering(const struct ask *a, int64_t pid, struct err *e)
{
	char *dir = os_runtime_dir();

	err_set(e, ERR_UNREACHABLE, "the daemon runs (pid %" PRId64 "), but does not answer at %s",
	    pid, dir);
	free(dir);
	return err_hint(e, "is its HOLDFAST_RUNTIME_DIR another one? --foreground does without it");
}

/* One that has begun just now listens soon. */
static int find_daemon(struct cli *c, struct ask *a, struct err *e)
{
	char *state = os_state_dir();
	int64_t pid = 0;
	bool lives;
	int rc = ask_find(c, a, e);

	if (rc == 0 && a->socket == NULL && a->silent == NULL)
		rc = config_load(c, true, e);
	for (int i = 0; rc == 0 && a->socket == NULL && a->silent == NULL; i++) {
		rc = daemon_lives(state, &lives, &pid, e);
		if (rc == -1 || !lives)
			break;
		os_sleep_ns(c->ctx, CALENDAR_SECOND / 10);
		rc = ctx_check(c->ctx, e);
		if (rc == 0)
			rc = i < TRIES ? ask_find(c, a, e) : not_answering(a, pid, e);
	}
	if (rc == 0 && a->silent != NULL)
		rc = ask_is_alone(a, e);
	free(state);
	return rc;
}

/* Each has its turn, and each failure is told: the gravest, of those the first, as the verdict. */
static int run_each(struct cli *c, const struct ask *a, const char *kind, struct err *e)
{
	bool failed = false;

	for (size_t i = 0; i < c->args.n && !ctx_cancelled(c->ctx); i++) {
		struct err why, other;

		if ((a->socket ? job_by_daemon(a, c->args.v[i], kind, &why)
			       : job_foreground(c, c->args.v[i], kind, &why)) == 0)
			continue;
		other = why;
		if (!failed || (e->kind == ERR_INCOMPLETE && why.kind != ERR_INCOMPLETE)) {
			if (failed)
				other = *e;
			*e = why;
		}
		if (failed)
			out_error(c, &other, err_info(other.kind)->exit_status);
		failed = true;
	}
	return failed ? -1 : 0;
}

int cmd_run_kind(struct cli *c, const char *kind, struct err *e)
{
	struct ask a = {.c = c};
	int rc = c->opt.foreground ? config_load(c, true, e) : find_daemon(c, &a, e);

	for (size_t i = 0; rc == 0 && a.socket == NULL && i < c->args.n; i++)
		rc = declared_for(c->world, c->args.v[i], kind, ERR_USAGE, e);
	if (rc == 0)
		rc = run_each(c, &a, kind, e);
	ask_end(&a);
	return rc;
}

int cmd_run(struct cli *c, struct err *e)
{
	static const char *const kinds[] = {"backup", "backup", "copy", "prune"};

	if (c->opt.kind > 1 && c->opt.type != 0)
		return err_set(e, ERR_USAGE, "run: --type is for backups");
	return cmd_run_kind(c, kinds[c->opt.kind], e);
}
