/* serve_api: see serve_api.h. */
#include "cli/serve_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/mem.h"
#include "cli/cli_job.h"
#include "cli/cli_schedule.h"
#include "config/world.h"
#include "daemon/daemon.h"
#include "os/os.h"

struct serve_api {
	struct daemon *d;
	const char *catalog;
	struct ctx *ctx;
	struct api *api;
	char *socket, *log_dir;
	/* what was declared when it began: where it listens changes with a restart */
	char *listen, *tls_cert, *tls_key, *socket_group;
};

static int64_t now_ns(const struct serve_api *s)
{
	return s->ctx->clock->wall_ns(s->ctx->clock);
}

static int64_t length(const struct calendar_duration *d)
{
	return d->ns + (int64_t)d->months * 30 * 86400 * CALENDAR_SECOND;
}

/* ---- What is declared. */

/* How often it is due, by its next two moments. */
static int64_t verify_every_ns(const struct world_times *t, int64_t now_s)
{
	int64_t first, second;

	if (!t->is[TIMES_VERIFY] || !schedule_next(&t->v[TIMES_VERIFY], now_s, &first) ||
	    !schedule_next(&t->v[TIMES_VERIFY], first, &second))
		return 0;
	return (second - first) * CALENDAR_SECOND;
}

static int tell_system(const struct serve_api *s, const struct world *w,
    const struct world_system *x, api_system_row *each, void *to, struct err *e)
{
	const struct world_tier *tier = world_tier(w, x->tier);
	struct api_system row = {
	    .name = x->item.name, .tier = x->tier, .rpo_ns = length(&tier->rpo.target)};
	int64_t now_s = now_ns(s) / CALENDAR_SECOND, due, start;
	const struct world_times *t = daemon_times(s->d, x);
	enum times_what what;

	row.verify_ns = verify_every_ns(t, now_s);
	if (!x->paused && world_times_next(t, now_s, true, &what, &due, &start))
		row.next_ns = start * CALENDAR_SECOND;
	return each(to, &row, e);
}

static int by_name(const void *a, const void *b)
{
	const struct world_system *const *x = a, *const *y = b;

	return strcmp((*x)->item.name, (*y)->item.name);
}

static int systems(void *arg, api_system_row *each, void *to, struct err *e)
{
	struct serve_api *s = arg;
	const struct world *w = daemon_world_hold(s->d);
	const struct world_system **v = mem_alloc((w->systems.n + 1) * sizeof(void *));
	int rc = 0;

	for (size_t i = 0; i < w->systems.n; i++)
		v[i] = world_system_at(w, i);
	qsort(v, w->systems.n, sizeof *v, by_name);
	for (size_t i = 0; rc == 0 && i < w->systems.n; i++)
		rc = tell_system(s, w, v[i], each, to, e);
	free(v);
	daemon_world_release(s->d);
	return rc;
}

static int add_coming(void *arg, const struct coming *x, struct err *e)
{
	json_array_append_new(arg, coming_json(x));
	return 0;
}

static int schedule(void *arg, const char *system, unsigned n, json_t **out, struct err *e)
{
	struct serve_api *s = arg;
	struct coming_query q = {.systems = &system,
	    .nsystems = system != NULL,
	    .most = n,
	    .after_s = now_ns(s) / CALENDAR_SECOND,
	    .until_s = INT64_MAX};
	json_t *list = json_array();
	int rc = coming_list(daemon_world_hold(s->d), &q, add_coming, list, e);

	daemon_world_release(s->d);
	if (rc == -1) {
		json_decref(list);
		e->kind = e->kind == ERR_USAGE ? ERR_ABSENT : e->kind;
		return -1;
	}
	*out = list;
	return 0;
}

static int why(void *arg, const char *system, json_t **out, struct err *e)
{
	struct serve_api *s = arg;
	struct catalog *c;
	json_t *list;
	int rc;

	if (catalog_open(s->catalog, &c, e) == -1)
		return -1;
	rc = why_list(daemon_world_hold(s->d), c, system, true, now_ns(s), &list, e);
	daemon_world_release(s->d);
	catalog_close(c);
	if (rc == -1) {
		e->kind = e->kind == ERR_USAGE ? ERR_ABSENT : e->kind;
		return -1;
	}
	*out = json_pack("{s:s, s:o}", "system", system, "reasons", list);
	return 0;
}

/* ---- What is to be done. */

static bool is_kind(const char *kind)
{
	return strcmp(kind, "backup") == 0 || strcmp(kind, "verify") == 0 ||
	       strcmp(kind, "copy") == 0;
}

static int run(void *arg, const struct api_run *r, int64_t *id, struct err *e)
{
	struct serve_api *s = arg;
	const char *kind = r->kind ? r->kind : "backup";
	const struct world *w = daemon_world_hold(s->d);
	const struct world_system *x = world_system(w, r->system);
	struct catalog *c = NULL;
	int rc = -1;

	if (x == NULL)
		err_set(e, ERR_ABSENT, "there is no system '%s'", r->system);
	else if (!is_kind(kind))
		err_set(e, ERR_USAGE, "there is no kind '%s': backup, verify, copy", kind);
	else if (catalog_open(s->catalog, &c, e) == 0)
		rc = job_queue(c, w, x->item.name, kind, r->type, r->by, now_ns(s), id, e);
	daemon_world_release(s->d);
	catalog_close(c);
	if (rc == 0)
		daemon_wake(s->d);
	return rc;
}

static int cancel(void *arg, int64_t id, const char *by, struct err *e)
{
	struct serve_api *s = arg;
	struct catalog *c;
	bool stopping;
	int rc;

	if (catalog_open(s->catalog, &c, e) == -1)
		return -1;
	rc = job_cancel(c, id, by, now_ns(s), &stopping, e);
	catalog_close(c);
	return rc;
}

static int reload(void *arg, const char *by, struct err *e)
{
	struct serve_api *s = arg;

	daemon_log(s->d, EVENT_INFO, "reload asked for by %s", by);
	daemon_reload(s->d);
	return 0;
}

static int health(void *arg, struct api_health *out, struct err *e)
{
	struct serve_api *s = arg;
	char mistake[ERR_MSG_MAX];

	daemon_mistake(s->d, mistake, sizeof mistake);
	*out = (struct api_health){.ready = true, .config_errors = mistake[0] != '\0'};
	if (mistake[0])
		snprintf(
		    out->why, sizeof out->why, "the configuration was not taken: %.200s", mistake);
	return 0;
}

static void log_line(void *arg, enum event_level level, const char *text)
{
	daemon_log(((struct serve_api *)arg)->d, level, "api: %s", text);
}

/* ---- Beginning and end. */

static char *dup_text(const char *text)
{
	return text ? mem_strdup(text) : NULL;
}

static void take_declared(struct serve_api *s, struct api_params *p)
{
	const struct world_server *declared = &daemon_world_hold(s->d)->server;

	s->listen = dup_text(declared->listen);
	s->tls_cert = dup_text(declared->tls.cert);
	s->tls_key = dup_text(declared->tls.key);
	s->socket_group = dup_text(declared->socket_group);
	p->rate_limit = declared->rate_limit;
	p->socket_scope = (enum api_scope)declared->socket_scope;
	daemon_world_release(s->d);
	p->listen = s->listen;
	p->tls_cert = s->tls_cert;
	p->tls_key = s->tls_key;
	p->socket_group = s->socket_group;
}

int serve_api_start(struct daemon *d, const char *catalog, const char *state_dir, struct ctx *ctx,
    struct serve_api **out, struct err *e)
{
	struct serve_api *s = mem_zalloc(sizeof *s);
	char *dir = os_runtime_dir();
	struct api_host host = {.arg = s,
	    .systems = systems,
	    .run = run,
	    .cancel = cancel,
	    .reload = reload,
	    .health = health,
	    .schedule = schedule,
	    .why = why,
	    .log = log_line};
	struct api_params p = {.catalog = catalog, .state_dir = state_dir, .clock = ctx->clock};
	int rc = os_mkdirs(dir, 0755, e);

	*s = (struct serve_api){.d = d,
	    .catalog = catalog,
	    .ctx = ctx,
	    .socket = mem_printf("%s/api.sock", dir),
	    .log_dir = mem_printf("%s/log", state_dir)};
	free(dir);
	p.socket = s->socket;
	p.log_dir = s->log_dir;
	take_declared(s, &p);
	if (rc == 0)
		rc = api_start(&p, &host, &s->api, e);
	if (rc == -1) {
		serve_api_stop(s);
		return -1;
	}
	if (api_port(s->api))
		daemon_log(d, EVENT_INFO, "api listen=%s port=%u", s->listen, api_port(s->api));
	*out = s;
	return 0;
}

void serve_api_stop(struct serve_api *s)
{
	if (s == NULL)
		return;
	api_stop(s->api);
	free(s->socket);
	free(s->log_dir);
	free(s->listen);
	free(s->tls_cert);
	free(s->tls_key);
	free(s->socket_group);
	free(s);
}

void serve_api_news(struct serve_api *s)
{
	if (s != NULL)
		api_wake(s->api);
}

void serve_api_progress(struct serve_api *s, const struct run *r, const char *json)
{
	json_t *o = s ? json_loads(json, 0, NULL) : NULL;

	if (o == NULL)
		return;
	json_object_del(o, "schema");
	json_object_del(o, "type");
	json_object_set_new(o, "run", json_integer(r->id));
	json_object_set_new(o, "system", json_string(r->system));
	api_publish(s->api, "run.progress", o);
}
