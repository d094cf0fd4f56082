/* tree_walk: see tree_walk.h. */
#include "engine/tree_walk.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

struct level {
	struct tree_reader *reader;
	struct id tree;
	size_t path_len; /* of the directory itself */
};

struct walk {
	struct level *v;
	size_t n, cap;
	struct buf path;
};

static int enter(struct tree_walk *w, struct walk *k, const struct id *tree, struct err *e)
{
	struct level *l;

	if (k->n > ENTRY_DEPTH_MAX)
		return err_set(
		    e, ERR_CORRUPT, "directories nested deeper than %d", ENTRY_DEPTH_MAX);
	if (k->n == k->cap) {
		k->cap = k->cap ? k->cap * 2 : 16;
		k->v = mem_realloc(k->v, k->cap * sizeof *k->v);
	}
	l = &k->v[k->n];
	*l = (struct level){
	    tree_reader_open(reader_tree_get, w->reader, tree, e), *tree, k->path.n};
	if (l->reader == NULL)
		return err_wrap(e, "%s", buf_cstr(&k->path));
	k->n++;
	return 0;
}

static void leave(struct tree_walk *w, struct walk *k)
{
	struct level *l = &k->v[--k->n];

	tree_reader_close(l->reader);
	k->path.n = l->path_len;
	if (w->leave != NULL)
		w->leave(w->arg, &l->tree, buf_span(&k->path));
}

static int step(struct tree_walk *w, struct walk *k, struct err *e)
{
	struct level *l = &k->v[k->n - 1];
	struct tree_ref ref;
	struct entry en;
	struct id sub;
	int rc;

	if (ctx_check(w->ctx, e) == -1)
		return -1;
	k->path.n = l->path_len;
	rc = tree_reader_next(l->reader, &en, &ref, e);
	if (rc == -1)
		return err_wrap(e, "%s", buf_cstr(&k->path));
	if (rc == 0) {
		leave(w, k);
		return 0;
	}
	if (k->path.n != 1 || k->path.p[0] != '/')
		buf_put_u8(&k->path, '/');
	buf_put_span(&k->path, en.name);
	rc = w->visit(w->arg, buf_span(&k->path), &en, &ref, e);
	w->stopped = rc == -1;
	if (rc != 0 || en.type != ENTRY_DIR || !w->recursive)
		return rc == -1 ? -1 : 0;
	sub = ref.ids[0];
	return enter(w, k, &sub, e);
}

int tree_walk(struct tree_walk *w, const struct id *tree, const char *path, struct err *e)
{
	struct walk k = {.v = NULL};
	int rc;

	w->stopped = false;
	buf_put(&k.path, path, strlen(path));
	rc = enter(w, &k, tree, e);
	while (rc == 0 && k.n > 0)
		rc = step(w, &k, e);
	while (k.n > 0)
		tree_reader_close(k.v[--k.n].reader);
	free(k.v);
	buf_fini(&k.path);
	return rc;
}
