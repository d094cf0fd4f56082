/* tag: change snapshots' tags. */
#include "cli/cli_out.h"

#include <stdlib.h>

#include "engine/op_tree.h"

static int tag_one(struct cli *c, const char *spec, struct err *e)
{
	const struct cli_options *o = &c->opt;
	struct snapshot *s = NULL;
	char *path = NULL, id[32];
	int rc = pick_snapshot(c, spec, true, &s, &path, e);

	if (rc == 0)
		rc = op_tag(c->repo, s, o->add.v, o->add.n, o->remove.v, o->remove.n, c->ctx, e);
	if (rc == 0 && c->out.json) {
		json_t *item = json_object();

		out_json_id(item, "snapshot", &s->id);
		out_json(c, "item", item);
	} else if (rc == 0) {
		out_text(c, "Changed the tags of %s\n", text_id(id, &s->id));
	}
	snapshot_free(s);
	free(path);
	return rc;
}

int cmd_tag(struct cli *c, struct err *e)
{
	if (c->opt.add.n + c->opt.remove.n == 0) {
		err_set(e, ERR_USAGE, "tag: nothing to add or remove");
		return err_hint(e, "use --add TAG or --remove TAG");
	}
	for (size_t i = 0; i < c->args.n; i++)
		if (tag_one(c, c->args.v[i], e) == -1)
			return -1;
	return 0;
}
