/* serve_api: see serve_api.h. */
#include "cli/serve_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/mem.h"
#include "cli/cli_job.h"
#include "cli/cli_schedule.h"
#include "cli/declared.h"
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

/* ---- What is declared. */

static const struct world_times *times_of(void *arg, const struct world_system *x)
{
	return daemon_times(((struct serve_api *)arg)->d, x);
}

static int systems(void *arg, api_system_row *each, void *to, struct err *e)
{
	struct serve_api *s = arg;
	int rc = declared_systems(daemon_world_hold(s->d), times_of, s, now_ns(s), each, to, e);

	daemon_world_release(s->d);
	return rc;
}

static int repositories(void *arg, api_repository_row *each, void *to, struct err *e)
{
	struct serve_api *s = arg;
	int rc = declared_repositories(daemon_world_hold(s->d), each, to, e);

	daemon_world_release(s->d);
	return rc;
}

static int add_coming(void *arg, const struct coming *x, struct err *e)
{
	json_array_append_new(arg, coming_json(x));
	return 0;
}

/* "a,b" as its words; new, and v is one block. */
static char *split(const char *text, const char ***v, size_t *n)
{
	char *copy = mem_strdup(text ? text : ""), *save = NULL;

	*v = mem_alloc((strlen(copy) + 1) * sizeof **v);
	*n = 0;
	for (char *w = strtok_r(copy, ",", &save); w != NULL; w = strtok_r(NULL, ",", &save))
		(*v)[(*n)++] = w;
	return copy;
}

/* What is not declared is not there, for who asks the API. */
static int not_there(struct err *e)
{
	e->kind = e->kind == ERR_USAGE ? ERR_ABSENT : e->kind;
	return -1;
}

static int schedule(void *arg, const struct api_schedule *p, json_t **out, struct err *e)
{
	struct serve_api *s = arg;
	struct coming_query q = {
	    .most = p->limit, .after_s = now_ns(s) / CALENDAR_SECOND, .until_s = INT64_MAX};
	json_t *list = json_array();
	const char **names;
	char *text = split(p->systems, &names, &q.nsystems);
	int rc;

	q.systems = names;
	if (p->from_ns)
		q.after_s = p->from_ns / CALENDAR_SECOND - 1; /* what is due then, too */
	if (p->until_ns)
		q.until_s = p->until_ns / CALENDAR_SECOND;
	rc = coming_list(daemon_world_hold(s->d), &q, add_coming, list, e);
	daemon_world_release(s->d);
	free(text);
	free(names);
	if (rc == -1) {
		json_decref(list);
		return not_there(e);
	}
	*out = list;
	return 0;
}

static int why(void *arg, const char *system, json_t **out, struct err *e)
{
	struct serve_api *s = arg;
	json_t *list = json_array();
	struct catalog *c = NULL;
	int rc = why_declared(daemon_world_hold(s->d), system, true, now_ns(s), list, e);

	daemon_world_release(s->d);
	if (rc == -1)
		not_there(e);
	else if ((rc = catalog_open(s->catalog, &c, e)) == 0)
		rc = why_recorded(c, system, now_ns(s), list, e);
	catalog_close(c);
	if (rc == -1) {
		json_decref(list);
		return -1;
	}
	*out = json_pack("{s:s, s:o}", "system", system, "reasons", list);
	return 0;
}

/* ---- What is to be done. */

static bool is_kind(const char *kind)
{
	static const char *const kinds[] = {"backup", "verify", "drill", "copy", "prune"};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	return false;
}

static int run(void *arg, const struct api_run *r, int64_t *id, bool *added, struct err *e)
{
	struct serve_api *s = arg;
	const char *kind = r->kind ? r->kind : "backup";
	struct job_place place = {NULL};
	struct catalog *c = NULL;
	int rc;

	if (!is_kind(kind))
		return err_set(
		    e, ERR_USAGE, "there is no kind '%s': backup, verify, copy, prune", kind);
	rc = job_place(daemon_world_hold(s->d), r->system, kind, &place, e);
	daemon_world_release(s->d);
	if (rc == 0)
		rc = catalog_open(s->catalog, &c, e);
	if (rc == 0)
		rc = job_queue(c, &place, r->system, kind, r->type, r->by, now_ns(s), id, added, e);
	catalog_close(c);
	free(place.queue);
	free(place.node);
	if (rc == 0)
		daemon_wake(s->d);
	return rc;
}

static int cancel(void *arg, int64_t id, const char *by, bool *stopping, struct err *e)
{
	struct serve_api *s = arg;
	struct catalog *c;
	int rc;

	if (catalog_open(s->catalog, &c, e) == -1)
		return -1;
	rc = job_cancel(c, id, by, now_ns(s), stopping, e);
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
	    .repositories = repositories,
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
