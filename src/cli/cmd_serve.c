/* serve: do what the configuration declares, until told to stop. */
#include "cli/cli_out.h"

#include <stdlib.h>

#include "base/mem.h"
#include "cli/cli_job.h"
#include "config/world.h"
#include "daemon/daemon.h"
#include "os/os.h"

int cmd_serve(struct cli *c, struct err *e)
{
	struct daemon_params p = {.log_json = c->opt.log_format == 2};
	char *state = os_state_dir(), *catalog = NULL, *self = NULL, *config = NULL;
	int rc = config_load(c, true, e);

	if (rc == 0)
		rc = world_catalog(c->world, getenv, &catalog, e);
	if (rc == 0) {
		self = job_self();
		config = os_real_path(c->world->files[0]);
		p.self = self;
		p.config = config;
		p.catalog = catalog;
		p.state_dir = state;
		rc = daemon_run(&p, c->ctx, e);
	}
	free(catalog);
	free(state);
	free(self);
	free(config);
	return rc;
}
