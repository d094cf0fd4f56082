/* tree_ls: what is at a path (op_tree.h). */
#include "engine/op_tree.h"
#include "engine/tree_path.h"
#include "engine/tree_walk.h"

struct listing {
	tree_visit *visit;
	void *arg;
};

static int visit(
    void *arg, struct span path, const struct entry *en, const struct tree_ref *ref, struct err *e)
{
	struct listing *l = arg;

	(void)ref;
	return l->visit(l->arg, path, en, e) == 0 ? 0 : -1;
}

int op_ls(struct repo *r, const struct snapshot *s, const char *path, bool recursive,
    struct ctx *ctx, tree_visit *each, void *arg, struct err *e)
{
	struct listing l = {each, arg};
	struct tree_walk w = {.ctx = ctx, .recursive = recursive, .visit = visit, .arg = &l};
	struct tree_path at = {.reader = NULL};
	int rc = -1;

	if (repo_index_load(r, false, e) == -1)
		return -1;
	w.reader = reader_new(r);
	if (tree_path_find(w.reader, s, path, &at, e) == -1)
		goto out;
	if (at.entry.type == ENTRY_DIR)
		rc = tree_walk(&w, &at.ref.ids[0], path, e);
	else
		rc = each(arg, span_str(path), &at.entry, e);
out:
	tree_path_fini(&at);
	reader_free(w.reader);
	return rc;
}
