/* copy_pair: see copy_internal.h. */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/copy_internal.h"
#include "repo/repo_object.h"

/* One of two trees that are to be alike: `from` as it was made, `to` its copy. */
struct pairing {
	struct copying *c;
	bool lost; /* something of the copy's is not there, or may go */
};

/* Does the writer have it, so that it may rely on it? */
static int rely(struct pairing *p, const struct id *id, struct err *e)
{
	int has = copy_to(p->c, writer_has(p->c->writer, id, &p->c->near, e), e);

	p->lost = p->lost || has == 0;
	return has == -1 ? -1 : 0;
}

/* Reads of the copy's names and refs: each is looked up by the way. */
static int get_there(
    void *arg, enum format_purpose kind, const struct id *id, struct span *out, struct err *e)
{
	struct pairing *p = arg;

	if (rely(p, id, e) == -1)
		return -1;
	return reader_blob(p->c->there, kind, id, out, e);
}

static int collect(void *arg, const struct id *id, struct err *e)
{
	(void)e;
	id_list_add(arg, id);
	return 0;
}

/* 0 where it cannot be told. */
static uint32_t length(struct repo *r, const struct id *id)
{
	struct index_place at;
	struct err ignored;

	return index_cache_find(repo_index(r), id, &at, &ignored) == 1 ? at.blob_len : 0;
}

/* As many blobs of the same lengths: a copy that was cut anew has others. */
static bool cut_alike(const struct copying *c, const struct id_list *a, const struct id_list *b)
{
	bool alike = a->n == b->n;

	for (size_t i = 0; alike && i < a->n; i++) {
		uint32_t n = length(c->from, &a->v[i]);

		alike = n > 0 && n == length(c->to, &b->v[i]);
	}
	return alike;
}

/* The ids of a file's content on both sides: where both were cut alike, each is the other's. */
static int pair_file(
    struct pairing *p, const struct tree_ref *from, const struct tree_ref *to, struct err *e)
{
	struct id_list a = {0}, b = {0};
	bool alike;
	int rc = -1;

	if (tree_content(reader_tree_get, p->c->reader, from, collect, &a, e) == -1 ||
	    tree_content(get_there, p, to, collect, &b, e) == -1)
		goto out;
	alike = cut_alike(p->c, &a, &b);
	for (size_t i = 0; i < b.n; i++) {
		if (rely(p, &b.v[i], e) == -1)
			goto out;
		if (alike)
			copy_map_put(p->c->map, &a.v[i], &b.v[i]);
	}
	rc = 0;
out:
	id_list_fini(&a);
	id_list_fini(&b);
	return rc;
}

static bool alike(const struct entry *a, const struct entry *b, const struct tree_ref *ra,
    const struct tree_ref *rb)
{
	return a->type == b->type && a->size == b->size && a->name.n == b->name.n &&
	       memcmp(a->name.p, b->name.p, a->name.n) == 0 &&
	       (ra->tag == TREE_NONE) == (rb->tag == TREE_NONE) &&
	       (ra->tag == TREE_DIR) == (rb->tag == TREE_DIR);
}

static int pair_dir(
    struct pairing *p, const struct id *from, const struct id *to, unsigned depth, struct err *e);

static int pair_entries(
    struct pairing *p, struct tree_reader *a, struct tree_reader *b, unsigned depth, struct err *e)
{
	for (;;) {
		struct tree_ref ra, rb;
		struct entry ea, eb;
		int rc = 0, na = tree_reader_next(a, &ea, &ra, e), nb;

		if (na == -1 || (nb = tree_reader_next(b, &eb, &rb, e)) == -1 ||
		    ctx_check(p->c->ctx, e) == -1)
			return -1;
		if (na == 0 && nb == 0)
			return 0;
		if (na != nb || !alike(&ea, &eb, &ra, &rb))
			return err_set(e, ERR_CORRUPT, "the copy is not of the same tree");
		if (ra.tag == TREE_DIR)
			rc = pair_dir(p, &ra.ids[0], &rb.ids[0], depth + 1, e);
		else if (ra.tag != TREE_NONE)
			rc = pair_file(p, &ra, &rb, e);
		if (rc == -1)
			return -1;
	}
}

/* What is whole below it is known from then on, also where the rest turns out not to be. */
static int pair_dir(
    struct pairing *p, const struct id *from, const struct id *to, unsigned depth, struct err *e)
{
	const struct id a = *from, b = *to;
	struct tree_reader *ra = NULL, *rb = NULL;
	bool before = p->lost;
	int rc = -1;

	if (idmap_get(p->c->trees, &a) != NULL)
		return 0;
	if (depth > ENTRY_DEPTH_MAX)
		return err_set(e, ERR_CORRUPT, "deeper than %d", ENTRY_DEPTH_MAX);
	p->lost = false;
	if ((ra = tree_reader_open(reader_tree_get, p->c->reader, &a, e)) == NULL ||
	    (rb = tree_reader_open(get_there, p, &b, e)) == NULL ||
	    pair_entries(p, ra, rb, depth, e) == -1)
		goto out;
	if (!p->lost)
		copy_know_tree(p->c, &a, &b);
	p->lost = p->lost || before;
	rc = 0;
out:
	tree_reader_close(ra);
	tree_reader_close(rb);
	return rc;
}

/* The copy that is there of the snapshot of the same group next before, or after. */
static const struct snapshot *nearest(struct copying *c, const struct snapshot *s, struct id *copy)
{
	const struct snapshot *best = NULL;

	for (size_t i = 0; i < c->all.n; i++) {
		const struct snapshot *x = c->all.v[i];
		const struct id *to = idmap_get(c->origins, snapshot_origin(x));

		if (to == NULL || memcmp(x->group, s->group, FORMAT_UID) != 0)
			continue;
		/* They are in order of time. */
		if (best == NULL || x->start_ns <= s->start_ns) {
			best = x;
			*copy = *to;
		}
	}
	return best;
}

static const struct snapshot *by_id(const struct select_list *l, const struct id *id)
{
	for (size_t i = 0; i < l->n; i++)
		if (id_eq(&l->v[i]->id, id))
			return l->v[i];
	return NULL;
}

int copy_pair(struct copying *c, const struct snapshot *s, struct err *e)
{
	struct pairing p = {.c = c};
	struct id copy;
	const struct snapshot *old = nearest(c, s, &copy), *new = by_id(&c->have, &copy);

	if (old == NULL || new == NULL || old->nparts != new->nparts)
		return 0;
	reader_set_domain(c->reader, snapshot_domain(old));
	reader_set_domain(c->there, snapshot_domain(new));
	for (size_t i = 0; i < old->nparts; i++) {
		const struct snapshot_part *a = &old->parts[i], *b = &new->parts[i];

		if (!a->has_tree || !b->has_tree || pair_dir(&p, &a->tree, &b->tree, 0, e) == 0)
			continue;
		if (!repo_is_bad(e))
			return -1;
		err_clear(e);
	}
	return 0;
}
