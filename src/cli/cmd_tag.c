/* tag: change snapshots' tags. */
#include "cli/cli_out.h"

#include <stdlib.h>

#include "engine/op_keep.h"
#include "engine/op_tree.h"
#include "repo/snapshot.h"

static bool has(const struct snapshot *s, const char *tag)
{
	for (size_t i = 0; i < s->ntags; i++)
		if (strcmp(s->tags[i], tag) == 0)
			return true;
	return false;
}

/* Those not there yet, or there; one named twice counts once. */
static size_t count(const struct snapshot *s, const struct cli_list *l, bool there)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		size_t j = 0;

		while (strcmp(l->v[j], l->v[i]) != 0)
			j++;
		n += j == i && has(s, l->v[i]) == there;
	}
	return n;
}

static unsigned keep_changes(const struct cli_options *o)
{
	return (o->pin ? KEEP_PIN : 0) | (o->unpin ? KEEP_UNPIN : 0) | (o->hold ? KEEP_HOLD : 0) |
	       (o->release ? KEEP_RELEASE : 0);
}

static void report(struct cli *c, const struct snapshot *s, size_t kept)
{
	size_t added = count(s, &c->opt.add, false), removed = count(s, &c->opt.remove, true);
	char id[32];
	json_t *o;

	if (c->out.json) {
		o = json_object();
		out_json_id(o, "snapshot", &s->id);
		out_json_u64(o, "added", added);
		out_json_u64(o, "removed", removed);
		out_json_u64(o, "pins_and_holds", kept);
		out_json(c, "item", o);
	} else if (keep_changes(&c->opt)) {
		out_text(c,
		    kept ? "Changed the pins and holds of %s\n"
			 : "Nothing to change: the pins and holds of %s\n",
		    text_id(id, &s->id));
	}
	if (c->out.json || c->opt.add.n + c->opt.remove.n == 0)
		return;
	if (added + removed == 0) {
		out_text(c, "Nothing to change: the tags of %s\n", text_id(id, &s->id));
	} else {
		out_text(c, "Changed the tags of %s: %zu added, %zu removed\n", text_id(id, &s->id),
		    added, removed);
	}
}

static int tag_one(struct cli *c, const char *spec, struct err *e)
{
	const struct cli_options *o = &c->opt;
	const struct keep_params k = {keep_changes(o), o->until.set ? o->until.t.ns : 0};
	struct snapshot *s = NULL;
	char *path = NULL;
	size_t kept = 0;
	int rc = pick_snapshot(c, spec, true, &s, &path, e);

	if (rc == 0)
		rc = op_tag(c->repo, s, o->add.v, o->add.n, o->remove.v, o->remove.n, c->ctx, e);
	if (rc == 0)
		rc = op_keep(c->repo, s, &k, &kept, e);
	if (rc == 0)
		report(c, s, kept);
	snapshot_free(s);
	free(path);
	return rc;
}

int cmd_tag(struct cli *c, struct err *e)
{
	if (c->opt.add.n + c->opt.remove.n == 0 && keep_changes(&c->opt) == 0) {
		err_set(e, ERR_USAGE, "tag: nothing to add or remove");
		return err_hint(e, "use --add TAG, --remove TAG, --pin, --hold ...");
	}
	if (c->opt.until.set && !c->opt.hold)
		return err_set(e, ERR_USAGE, "tag: --until goes with --hold");
	for (size_t i = 0; i < c->args.n; i++)
		if (tag_one(c, c->args.v[i], e) == -1)
			return -1;
	return 0;
}
