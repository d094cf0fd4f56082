/* gcs_list: the names in a bucket, in pages of JSON.  See gcs.h. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/mem.h"
#include "store/gcs.h"

enum { PAGE_MAX = 8 << 20 };

int gcs_item_read(const json_t *item, struct store_stat *out, struct err *e)
{
	const char *size = json_string_value(json_object_get(item, "size"));
	const char *date = json_string_value(json_object_get(item, "timeCreated"));
	struct calendar_time t;
	char *end;

	if (size == NULL || *size < '0' || *size > '9' || date == NULL ||
	    calendar_parse_time(date, &t, e) == -1)
		return err_set(e, ERR_CORRUPT, "the store tells no size or no time");
	out->size = strtoull(size, &end, 10);
	out->mtime_ns = t.ns;
	return *end == '\0' ? 0 : err_set(e, ERR_CORRUPT, "the store tells a size that is none");
}

/* Whatever else is in the bucket is not ours, and no key. */
static int visit_items(
    json_t *items, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	size_t i, n = strlen(prefix);
	json_t *item;

	json_array_foreach(items, i, item)
	{
		const char *name = json_string_value(json_object_get(item, "name"));
		struct store_stat st;

		if (name == NULL || strncmp(name, prefix, n) != 0 || !store_key_valid(name + n))
			continue;
		if (gcs_item_read(item, &st, e) == -1 || visit(arg, name + n, &st, e) == -1)
			return -1;
	}
	return 0;
}

int gcs_page_read(
    struct span json, const char *prefix, store_visit *visit, void *arg, char **next, struct err *e)
{
	json_t *page = json_loadb((const char *)json.p, json.n, 0, NULL);
	json_t *items = json_object_get(page, "items");
	const json_t *token = json_object_get(page, "nextPageToken");
	int rc = -1;

	*next = NULL;
	/* No "items": there are none.  Anything else there would be an empty page without a word.
	 */
	if (!json_is_object(page) || (items && !json_is_array(items)) ||
	    (token && (!json_is_string(token) || *json_string_value(token) == '\0')))
		err_set(e, ERR_CORRUPT, "list: it is not a page of a list");
	else
		rc = visit_items(items, prefix, visit, arg, e);
	if (rc == 0 && token)
		*next = mem_strdup(json_string_value(token));
	json_decref(page);
	return rc;
}

static int ask_page(
    struct gcs *g, const char *full, const char *token, struct http_answer *a, struct err *e)
{
	struct url_param params[] = {{"prefix", full}, {"maxResults", "1000"},
	    {"fields", "items(name,size,timeCreated),nextPageToken"}, {"pageToken", token}};
	struct gcs_call c = {.method = "GET",
	    .counted = COUNT_LIST,
	    .params = params,
	    .nparams = token ? 4 : 3,
	    .max = PAGE_MAX};

	return gcs_do(g, &c, a, e);
}

int gcs_list(struct gcs *g, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	char *full = mem_printf("%s%s", g->prefix, prefix), *token = NULL, *next;
	struct http_answer a;
	int rc;

	do {
		/* Of the first page store_retry takes care; later ones are ours to repeat. */
		for (int n = 1; (rc = ask_page(g, full, token, &a, e)) == -1; n++)
			if (!token || !store_backoff(&g->pace, g->ctx, n, "list", prefix, e))
				break;
		if (rc == -1)
			break;
		rc = gcs_page_read(buf_span(&a.body), g->prefix, visit, arg, &next, e);
		http_answer_fini(&a);
		if (rc == 0 && token && next && strcmp(token, next) == 0)
			rc = err_set(e, ERR_CORRUPT, "list: the same page comes again and again");
		free(token);
		token = next;
	} while (rc == 0 && token);
	free(token);
	free(full);
	return rc;
}
