/* diff: what two snapshots don't have in common. */
#include "cli/cli_out.h"

#include <stdlib.h>

#include "engine/op_tree.h"

static int visit(void *arg, enum diff_change change, struct span path, const struct entry *old,
    const struct entry *new, struct err *e)
{
	static const char marks[] = {[DIFF_ADDED] = '+',
	    [DIFF_REMOVED] = '-',
	    [DIFF_MODIFIED] = 'M',
	    [DIFF_TYPE] = 'T',
	    [DIFF_META] = 'U'};
	static const char *const names[] = {[DIFF_ADDED] = "added",
	    [DIFF_REMOVED] = "removed",
	    [DIFF_MODIFIED] = "modified",
	    [DIFF_TYPE] = "type",
	    [DIFF_META] = "metadata"};
	struct cli *c = arg;
	const struct entry *en = new ? new : old;
	json_t *o;

	if (c->out.json) {
		o = json_object();
		out_json_str(o, "change", names[change]);
		out_json_path(o, "path", path);
		if (old && old->type == ENTRY_FILE)
			out_json_u64(o, "old_size", old->size);
		if (new &&new->type == ENTRY_FILE)
			out_json_u64(o, "new_size", new->size);
		out_json(c, "item", o);
		return 0;
	}
	out_list(c, "%c    %s%s\n", marks[change], out_name(c, path),
	    en && en->type == ENTRY_DIR && path.n > 1 ? "/" : "");
	return 0;
}

static void report(struct cli *c, const struct diff_result *r)
{
	char a[32], b[32], d[32], m[32];
	json_t *o;

	if (c->out.json) {
		o = json_object();
		out_json_u64(o, "added", r->added);
		out_json_u64(o, "removed", r->removed);
		out_json_u64(o, "modified", r->modified);
		out_json_u64(o, "metadata", r->meta);
		out_json_u64(o, "added_bytes", r->added_bytes);
		out_json_u64(o, "removed_bytes", r->removed_bytes);
		out_json(c, "summary", o);
		return;
	}
	out_text(c, "\n%s added, %s removed, %s modified, %s with new metadata\n",
	    text_count(a, r->added), text_count(b, r->removed), text_count(d, r->modified),
	    text_count(m, r->meta));
	out_text(c, "%s more, %s less\n", text_bytes(a, r->added_bytes),
	    text_bytes(b, r->removed_bytes));
}

int cmd_diff(struct cli *c, struct err *e)
{
	struct snapshot *s[2] = {NULL, NULL};
	char *path[2] = {NULL, NULL};
	struct diff_result r = {0};
	int rc = -1;

	for (int i = 0; i < 2; i++)
		if (pick_snapshot(c, c->args.v[i], false, &s[i], &path[i], e) == -1)
			goto out;
	rc = op_diff(c->repo, s[0], s[1], path[0], path[1], c->ctx, visit, c, &r, e);
	if (rc == 0)
		report(c, &r);
out:
	for (int i = 0; i < 2; i++) {
		snapshot_free(s[i]);
		free(path[i]);
	}
	return rc;
}
