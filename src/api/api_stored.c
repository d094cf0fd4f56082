/* api_stored: what the catalog knows of snapshots and the files in them (api_routes.c). */
#include <stdlib.h>

#include "api/api_route.h"
#include "base/calendar.h"
#include "base/mem.h"
#include "catalog/catalog_files.h"
#include "catalog/catalog_snapshot.h"

static unsigned limit_of(const struct api_call *c)
{
	int64_t limit = api_value_number(c, "limit");

	return limit ? (unsigned)limit : API_PAGE;
}

static int append_snapshot(void *to, const struct catalog_snapshot *s, struct err *e)
{
	json_array_append_new(to, shape_json(&shape_snapshot, s));
	return 0;
}

int api_get_snapshots(struct api_call *c, struct err *e)
{
	const char *since = api_value(c, "since");
	struct catalog_snapshot_filter f = {.system = api_value(c, "system"),
	    .repository = api_value(c, "repository"),
	    .limit = limit_of(c)};
	json_t *list = json_array();
	struct calendar_time t = {0};

	if (since != NULL && calendar_parse_time(since, &t, e) == -1)
		goto bad;
	f.since_ns = t.ns;
	if (catalog_snapshot_list(c->catalog, &f, append_snapshot, list, e) == -1)
		goto bad;
	c->json = json_pack("{s:i, s:o}", "schema", 1, "snapshots", list);
	return 0;
bad:
	json_decref(list);
	return -1;
}

static int append_file(void *to, const struct catalog_hit *h, struct err *e)
{
	const struct catalog_snapshot *last = h->snapshots[h->n - 1];
	char *path = mem_strndup((const char *)h->path.p, h->path.n);
	struct shape_hit hit = {path, catalog_type_name(h->type), last->system, last->name,
	    last->snapshot, h->size, h->n, h->mtime_ns};

	json_array_append_new(to, shape_json(&shape_file, &hit));
	free(path);
	return 0;
}

int api_get_find(struct api_call *c, struct err *e)
{
	struct catalog_find f = {.pattern = api_value(c, "pattern"),
	    .system = api_value(c, "system"),
	    .repository = api_value(c, "repository"),
	    .limit = limit_of(c)};
	json_t *list;

	if (f.pattern == NULL)
		return err_set(e, ERR_USAGE, "pattern: what is looked for?");
	list = json_array();
	if (catalog_find(c->catalog, &f, append_file, list, e) == -1) {
		json_decref(list);
		return -1;
	}
	c->json = json_pack("{s:i, s:o}", "schema", 1, "files", list);
	return 0;
}
