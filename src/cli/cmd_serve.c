/* serve: do what the configuration declares, until told to stop. */
#include "cli/cli_out.h"

#include <stdlib.h>

#include "cli/cli_job.h"
#include "cli/serve_api.h"
#include "cli/serve_log.h"
#include "config/world.h"
#include "daemon/daemon.h"
#include "os/os.h"

/* What the daemon is, besides its runs. */
struct serving {
	struct cli *c;
	const char *catalog, *state_dir;
	struct serve_api *api;
	struct serve_log *log;
};

static int up(void *arg, struct daemon *d, struct err *e)
{
	struct serving *s = arg;

	if (serve_api_start(d, s->catalog, s->state_dir, s->c->ctx, &s->api, e) == -1)
		return -1;
	if (serve_log_start(s->c, d, &s->log, e) == 0)
		return 0;
	serve_api_stop(s->api);
	s->api = NULL;
	return -1;
}

static void down(void *arg)
{
	struct serving *s = arg;

	serve_log_stop(s->log);
	s->log = NULL;
	serve_api_stop(s->api);
	s->api = NULL;
}

static void loaded(void *arg, const struct world *w)
{
	(void)w;
	serve_log_reload(((struct serving *)arg)->log);
}

static void told(void *arg, const char *event, enum event_level level, const char *system,
    int64_t run, const char *text)
{
	struct serving *s = arg;

	serve_api_news(s->api);
}

static void progress(void *arg, const struct run *r, const char *json)
{
	struct serving *s = arg;

	serve_api_progress(s->api, r, json);
}

int cmd_serve(struct cli *c, struct err *e)
{
	struct serving s = {.c = c};
	struct daemon_params p = {.log_json = c->opt.log_format == 2,

	    .hooks = {.arg = &s,
		.up = up,
		.down = down,
		.loaded = loaded,
		.told = told,
		.progress = progress}};
	char *state = os_state_dir(), *catalog = NULL, *self = NULL, *config = NULL;
	int rc = config_load(c, true, e);

	if (rc == 0)
		rc = world_catalog(c->world, getenv, &catalog, e);
	if (rc == 0) {
		self = job_self();
		config = os_real_path(c->world->files[0]);
		p.self = self;
		p.config = config;
		p.catalog = s.catalog = catalog;
		p.state_dir = s.state_dir = state;
		rc = daemon_run(&p, c->ctx, e);
	}
	free(catalog);
	free(state);
	free(self);
	free(config);
	return rc;
}
