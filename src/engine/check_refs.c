/* check_refs: see check_refs.h. */
#include "engine/check_refs.h"

#include <stdlib.h>

#include "base/mem.h"
#include "repo/tree.h"

struct todo {
	struct id id;
	unsigned depth; /* of a list; 0: a tree */
};

struct walk {
	struct damage *damage;
	struct reader *reader;
	struct idmap *whole;
	void (*hurt)(void *arg, const char *why);
	void *arg;
	struct todo *stack;
	size_t n, cap;
};

static int visit(
    void *arg, enum format_purpose kind, unsigned depth, const struct id *id, struct err *e)
{
	struct walk *w = arg;
	char hex[ID_HEX];
	struct err why;
	bool was;

	(void)e;
	if (kind != PURPOSE_REFS) {
		if (!damage_blob(w->damage, reader_domain(w->reader), id))
			return 0;
		err_set(&why, ERR_CORRUPT, "%s blob %.16s is lost",
		    kind == PURPOSE_NAMES ? "names" : "content", id_hex(hex, id));
		w->hurt(w->arg, why.msg);
		return 0;
	}
	idmap_put(w->whole, id, &was);
	if (was)
		return 0;
	if (w->n == w->cap) {
		w->cap = w->cap ? 2 * w->cap : 64;
		w->stack = mem_realloc(w->stack, w->cap * sizeof *w->stack);
	}
	w->stack[w->n++] = (struct todo){*id, depth};
	return 0;
}

void check_refs(struct damage *d, struct reader *rd, struct idmap *whole, const struct id *tree,
    void (*hurt)(void *arg, const char *why), void *arg)
{
	struct walk w = {.damage = d, .reader = rd, .whole = whole, .hurt = hurt, .arg = arg};
	struct span blob;
	struct err e;

	visit(&w, PURPOSE_REFS, 0, tree, &e);
	while (w.n > 0) {
		struct todo t = w.stack[--w.n];

		err_clear(&e);
		if (reader_blob(rd, PURPOSE_REFS, &t.id, &blob, &e) == -1 ||
		    tree_refs_visit(blob, t.depth, visit, &w, &e) == -1)
			hurt(arg, e.msg);
	}
	free(w.stack);
}
