/* run: a declared system now, by the daemon where there is one. */
#include "cli/cli_out.h"

#include <stdlib.h>

#include "base/near.h"
#include "cli/cli_job.h"
#include "config/world.h"
#include "daemon/daemon.h"
#include "os/os.h"

int cmd_run_declared(struct cli *c, const char *name, struct err *e)
{
	const char *best = NULL;
	size_t least = 64;

	if (world_system(c->world, name) != NULL)
		return 0;
	err_set(e, ERR_USAGE, "there is no system '%s' in %s", name, c->world->files[0]);
	for (size_t i = 0; i < c->world->systems.n; i++)
		near_consider(name, world_system_at(c->world, i)->item.name, &best, &least);
	return best ? err_hint(e, "did you mean '%s'?", best) : -1;
}

int cmd_run_kind(struct cli *c, const char *kind, struct err *e)
{
	char *state = os_state_dir();
	bool lives = false, failed = false;
	int64_t pid;
	int rc = config_load(c, true, e);

	for (size_t i = 0; rc == 0 && i < c->args.n; i++)
		rc = cmd_run_declared(c, c->args.v[i], e);
	if (rc == 0 && !c->opt.foreground)
		rc = daemon_lives(state, &lives, &pid, e);
	free(state);
	/* Each has its turn; the first that failed is what is told. */
	for (size_t i = 0; rc == 0 && i < c->args.n && !ctx_cancelled(c->ctx); i++) {
		struct err why;

		if ((lives ? job_by_daemon(c, c->args.v[i], kind, &why)
			   : job_foreground(c, c->args.v[i], kind, &why)) == -1 &&
		    !failed) {
			failed = true;
			*e = why;
		}
	}
	return failed ? -1 : rc;
}

int cmd_run(struct cli *c, struct err *e)
{
	return cmd_run_kind(c, "backup", e);
}
