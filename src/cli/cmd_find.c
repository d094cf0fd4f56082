/* find: names in snapshots. */
#include "cli/cli_out.h"

#include <stdlib.h>

#include "engine/op_tree.h"
#include "source/exclude.h"

struct state {
	struct cli *c;
	struct id last;
	bool any;
	uint64_t found;
};

static int visit(
    void *arg, const struct snapshot *s, struct span path, const struct entry *en, struct err *e)
{
	struct state *st = arg;
	char id[32], when[CALENDAR_TEXT];
	json_t *o;

	st->found++;
	if (st->c->out.json) {
		o = entry_json(path, en);
		out_json_id(o, "snapshot", &s->id);
		out_json(st->c, "item", o);
		return 0;
	}
	if (!st->any || !id_eq(&st->last, &s->id))
		out_text(st->c, "%sSnapshot %s of %s on %s\n", st->any ? "\n" : "",
		    text_id(id, &s->id), calendar_format_local(when, s->start_ns),
		    out_str(st->c, s->host));
	st->any = true;
	st->last = s->id;
	entry_print(st->c, path, en, st->c->opt.long_list);
	return 0;
}

static int64_t bound(struct cli *c, const char *name, const struct cli_time *t)
{
	char text[CALENDAR_TEXT];

	if (!t->set)
		return 0;
	if (t->t.local)
		out_message(c, "reading --%s as %s", name, calendar_format_local(text, t->t.ns));
	return t->t.ns;
}

/* fnmatch takes a broken class for letters, which nobody means. */
static int check_pattern(const char *pattern, struct err *e)
{
	struct exclude *x = exclude_new();
	int rc = exclude_add(x, pattern, "find", e);

	exclude_free(x);
	return rc;
}

int cmd_find_files(struct cli *c, struct err *e)
{
	struct find_params p = {.patterns = c->args.v, .npatterns = c->args.n};
	struct state st = {.c = c};
	struct snapshot *only = NULL;
	char *path = NULL;
	int rc = -1;

	if (c->repo == NULL)
		return cmd_find_all(c, e);
	for (size_t i = 0; i < c->args.n; i++)
		if (check_pattern(c->args.v[i], e) == -1)
			goto out;
	pick_filter(c, &p.filter);
	p.ignore_case = c->opt.ignore_case;
	p.newer_ns = bound(c, "newer", &c->opt.newer);
	p.older_ns = bound(c, "older", &c->opt.older);
	if (c->opt.snapshot && pick_snapshot(c, c->opt.snapshot, false, &only, &path, e) == -1)
		goto out;
	p.only = only;
	rc = op_find(c->repo, &p, c->ctx, visit, &st, e);
	if (rc == 0 && st.found == 0)
		out_message(c, "nothing found");
out:
	snapshot_free(only);
	free(path);
	return rc;
}
