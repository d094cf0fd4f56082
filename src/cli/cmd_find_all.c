/* find in all snapshots of all repositories at once: the catalog knows their files. */
#include "cli/cli_out.h"

#include <stdlib.h>

#include "catalog/catalog_files.h"
#include "config/world.h"

struct state {
	struct cli *c;
	const char *host;
	uint64_t found;
};

bool find_is_for_all(struct cli *c)
{
	struct err ignored;

	if (c->args.cmd->id != CMD_FIND)
		return false;
	if (c->opt.all)
		return true;
	return (c->opt.repo == NULL || c->opt.repo[0] == '\0') && c->opt.snapshot == NULL &&
	       config_load(c, false, &ignored) == 0 && c->world != NULL;
}

static void hit_json(struct cli *c, const struct catalog_hit *h)
{
	const struct catalog_snapshot *first = h->snapshots[0], *last = h->snapshots[h->n - 1];
	json_t *o = json_object(), *ids = json_array();

	out_json_path(o, "path", h->path);
	out_json_str(o, "entry", catalog_type_name(h->type));
	out_json_u64(o, "size", h->size);
	if (h->type != ENTRY_DIR)
		out_json_time(o, "mtime", h->mtime_ns);
	out_json_str(o, "repository", first->name);
	out_json_str(o, "system", first->system);
	out_json_str(o, "host", first->host);
	out_json_time(o, "from", first->start_ns);
	out_json_time(o, "to", last->start_ns);
	for (size_t i = 0; i < h->n; i++)
		json_array_append_new(ids, json_string(h->snapshots[i]->snapshot));
	json_object_set_new(o, "snapshots", ids);
	out_json(c, "item", o);
}

static void hit_text(struct cli *c, const struct catalog_hit *h)
{
	const struct catalog_snapshot *first = h->snapshots[0], *last = h->snapshots[h->n - 1];
	char when[CALENDAR_TEXT] = "", size[32] = "", n[TEXT_AMOUNT];

	if (h->type != ENTRY_DIR)
		calendar_format_local(when, h->mtime_ns);
	if (h->type == ENTRY_FILE)
		text_bytes(size, h->size);
	out_list(c, "%11s  %-25s  %s:%.8s", size, when, out_str(c, first->name), last->snapshot);
	if (h->n > 1)
		out_list(c, " and %s from %.8s on", text_amount(n, h->n - 1, "other", "others"),
		    first->snapshot);
	out_list(c, "  %s%s\n", out_name(c, h->path), h->type == ENTRY_DIR ? "/" : "");
}

static int visit(void *arg, const struct catalog_hit *h, struct err *e)
{
	struct state *st = arg;

	if (st->host != NULL &&
	    (h->snapshots[0]->host == NULL || strcmp(st->host, h->snapshots[0]->host) != 0))
		return ctx_check(st->c->ctx, e);
	st->found++;
	if (st->c->out.json)
		hit_json(st->c, h);
	else
		hit_text(st->c, h);
	return ctx_check(st->c->ctx, e);
}

static int check(const struct cli *c, struct err *e)
{
	if (c->opt.snapshot == NULL && c->opt.tags.n == 0 && c->opt.paths.n == 0)
		return 0;
	err_set(e, ERR_USAGE, "find: --snapshot, --tag and --path look into one repository");
	return err_hint(e, "give it with -r, and leave out --all");
}

int cmd_find_all(struct cli *c, struct err *e)
{
	struct state st = {.c = c, .host = c->opt.host};
	struct catalog *cat = NULL;
	int rc = -1;

	if (check(c, e) == -1 || cli_catalog_open(c, &cat, e) == -1)
		return -1;
	for (size_t i = 0; i < c->args.n; i++) {
		struct catalog_find p = {.pattern = c->args.v[i],
		    .ignore_case = c->opt.ignore_case,
		    .system = c->opt.system,
		    .newer_ns = c->opt.newer.set ? c->opt.newer.t.ns : 0,
		    .older_ns = c->opt.older.set ? c->opt.older.t.ns : 0};

		rc = catalog_find(cat, &p, visit, &st, e);
		if (rc == -1)
			break;
	}
	catalog_close(cat);
	if (rc == 0 && st.found == 0)
		out_message(c, "nothing found: the catalog knows what was backed up with a "
			       "configuration, and what catalog rebuild took in");
	return rc;
}
