/* run, verify: a declared system now, by the daemon where there is one. */
#include "cli/cli_out.h"

#include <stdlib.h>
#include <string.h>

#include "base/near.h"
#include "cli/cli_job.h"
#include "config/world.h"
#include "daemon/daemon.h"
#include "os/os.h"

static int check_repository(struct cli *c, const char *name, struct err *e)
{
	if (world_repository(c->world, name) != NULL)
		return 0;
	return err_set(e, ERR_USAGE, "there is no repository '%s' in %s", name, c->world->files[0]);
}

static int check_declared(struct cli *c, const char *name, const char *kind, struct err *e)
{
	const char *best = NULL;
	size_t least = 64;

	if (strcmp(kind, "prune") == 0)
		return check_repository(c, name, e);
	if (world_system(c->world, name) != NULL)
		return 0;
	err_set(e, ERR_USAGE, "there is no system '%s' in %s", name, c->world->files[0]);
	for (size_t i = 0; i < c->world->systems.n; i++)
		near_consider(name, world_system_at(c->world, i)->item.name, &best, &least);
	return best ? err_hint(e, "did you mean '%s'?", best) : -1;
}

static int run_kind(struct cli *c, const char *kind, struct err *e)
{
	char *state = os_state_dir();
	bool lives = false, failed = false;
	int64_t pid;
	int rc = config_load(c, true, e);

	for (size_t i = 0; rc == 0 && i < c->args.n; i++)
		rc = check_declared(c, c->args.v[i], kind, e);
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
	static const char *const kinds[] = {"backup", "backup", "copy", "prune"};

	if (c->opt.kind > 1 && c->opt.type != 0)
		return err_set(e, ERR_USAGE, "run: --type is for backups");
	return run_kind(c, kinds[c->opt.kind], e);
}

int cmd_verify(struct cli *c, struct err *e)
{
	return run_kind(c, "verify", e);
}
