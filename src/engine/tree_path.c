/* tree_path: see tree_path.h. */
#include "engine/tree_path.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void tree_path_fini(struct tree_path *p)
{
	tree_reader_close(p->reader);
	p->reader = NULL;
}

/* The entry of a name in a directory; the reader stays at it. */
static int step(struct reader *rd, const struct id *tree, struct span name, struct tree_path *out,
    struct err *e)
{
	struct tree_reader *t = tree_reader_open(reader_tree_get, rd, tree, e);
	int rc = -1;

	if (t == NULL)
		return -1;
	while ((rc = tree_reader_next(t, &out->entry, &out->ref, e)) == 1) {
		int c = span_cmp(out->entry.name, name);

		if (c == 0) {
			tree_path_fini(out);
			out->reader = t;
			return 1;
		}
		if (c > 0) {
			rc = 0;
			break;
		}
	}
	tree_reader_close(t);
	return rc;
}

static const struct snapshot_part *part_of(const struct snapshot *s, struct span name)
{
	for (size_t i = 0; i < s->nparts; i++)
		if (span_eq(span_str(s->parts[i].name), name))
			return &s->parts[i];
	return NULL;
}

static void set_root(struct tree_path *out, const struct id *tree)
{
	memset(&out->entry, 0, sizeof out->entry);
	out->entry.type = ENTRY_DIR;
	out->entry.mode = 0755;
	out->root = *tree;
	out->ref = (struct tree_ref){TREE_DIR, 0, 1, &out->root};
}

/* Of several parts each is a folder. */
static void hint_parts(const struct snapshot *s, struct err *e)
{
	struct buf b = {0};

	for (size_t i = 0; i < s->nparts; i++)
		if (s->parts[i].has_tree)
			buf_printf(&b, "%s/%s", i ? ", " : "", s->parts[i].name);
	if (b.n > 0)
		err_hint(e, "there are: %s", buf_cstr(&b));
	buf_fini(&b);
}

int tree_path_find(struct reader *rd, const struct snapshot *s, const char *path,
    struct tree_path *out, struct err *e)
{
	char *copy = mem_strdup(path), *save = NULL, *c = strtok_r(copy, "/", &save);
	const struct snapshot_part *part = s->nparts > 0 ? &s->parts[0] : NULL;
	int rc = -1;

	memset(out, 0, sizeof *out);
	reader_set_domain(rd, snapshot_domain(s));
	if (s->unread && s->nparts > 1)
		return err_set(e, ERR_UNSUPPORTED,
		    "the names of its parts are not as this program knows them: use a newer one");
	if (s->nparts > 1) {
		part = c ? part_of(s, span_str(c)) : NULL;
		c = strtok_r(NULL, "/", &save);
	}
	if (part == NULL || !part->has_tree) {
		err_set(e, ERR_ABSENT, "%s: no such part in the snapshot", path);
		hint_parts(s, e);
		goto out;
	}
	set_root(out, &part->tree);
	for (; c != NULL; c = strtok_r(NULL, "/", &save)) {
		struct id tree;
		int found = 0;

		if (out->entry.type == ENTRY_DIR) {
			tree = out->ref.ids[0];
			found = step(rd, &tree, span_str(c), out, e);
		}
		if (found == -1)
			goto out;
		if (found == 0) {
			err_set(e, ERR_ABSENT, "%s is not in the snapshot", path);
			err_hint(e, "holdfast ls shows what is");
			goto out;
		}
	}
	rc = 0;
out:
	if (rc == -1)
		tree_path_fini(out);
	free(copy);
	return rc;
}
