/* api_act: what can be done (api_routes.c): all of it by the daemon. */
#include "api/api_route.h"
#include "catalog/catalog.h"
#include "catalog/drill_what.h"

static int missing(const char *what, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, "this daemon cannot %s on request", what);
}

static int set_run(void *to, const struct run *r, struct err *e)
{
	((struct api_call *)to)->json = json_pack(
	    "{s:i, s:o}", "schema", 1, "run", shape_json(&shape_run, r));
	return 0;
}

/* Is it something that can be asked of that kind of work? */
static bool is_type(const char *kind, const char *type)
{
	static const char *const types[] = {"full", "incremental", "differential"};
	struct drill_what w;

	if (strcmp(kind, "drill") == 0)
		return drill_what_parse(type, &w);
	if (strcmp(kind, "verify") == 0)
		return strcmp(type, "standard") == 0 || strcmp(type, "comprehensive") == 0;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strcmp(types[i], type) == 0)
			return true;
	return false;
}

int api_post_run(struct api_call *c, struct err *e)
{
	const char *kind = api_value(c, "kind"), *type = api_value(c, "type");
	struct api_run r = {c->value[0], kind ? kind : "backup", type, c->by};
	int64_t id = 0;
	bool added = true;

	if (type != NULL && (strcmp(r.kind, "copy") == 0 || strcmp(r.kind, "prune") == 0))
		return err_set(e, ERR_USAGE, "type: a %s has none", r.kind);
	if (type != NULL && !is_type(r.kind, type))
		return err_set(e, ERR_USAGE, "type: a %s has no %s", r.kind, type);
	if (c->host->run == NULL)
		return missing("run", e);
	if (c->host->run(c->host->arg, &r, &id, &added, e) == -1)
		return -1;
	c->status = added ? 202 : 200;
	return run_get(c->catalog, id, set_run, c, e);
}

int api_post_cancel(struct api_call *c, struct err *e)
{
	int64_t id = api_value_number(c, "id");
	bool stopping = false;

	if (c->host->cancel == NULL)
		return missing("cancel", e);
	if (c->host->cancel(c->host->arg, id, c->by, &stopping, e) == -1)
		return -1;
	c->status = 202;
	c->json = json_pack(
	    "{s:i, s:I, s:b}", "schema", 1, "cancelled", (json_int_t)id, "stopping", stopping);
	return 0;
}

int api_post_reload(struct api_call *c, struct err *e)
{
	if (c->host->reload == NULL)
		return missing("reload", e);
	if (c->host->reload(c->host->arg, c->by, e) == -1)
		return -1;
	c->json = json_pack("{s:i, s:b}", "schema", 1, "reloaded", true);
	return 0;
}
