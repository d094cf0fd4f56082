/*
 * tree_diff: two trees side by side, in order of name (op_tree.h).  Equal
 * trees are not opened.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "engine/op_tree.h"
#include "engine/tree_path.h"

struct diff {
	struct ctx *ctx;
	struct reader *reader;
	diff_visit *visit;
	void *arg;
	struct diff_result *out;
	const char *prefix[2]; /* the paths asked for, "" for "/" */
	struct buf below, path;
	unsigned depth;
};

struct side {
	struct tree_reader *reader; /* NULL: nothing on this side */
	struct entry entry;
	struct tree_ref ref;
	bool has; /* entry is valid: not yet consumed */
};

static bool same_xattrs(const struct entry *a, const struct entry *b)
{
	if (a->nxattrs != b->nxattrs)
		return false;
	for (size_t i = 0; i < a->nxattrs; i++)
		if (!span_eq(a->xattrs[i].name, b->xattrs[i].name) ||
		    !span_eq(a->xattrs[i].value, b->xattrs[i].value))
			return false;
	return true;
}

static bool same_meta(const struct entry *a, const struct entry *b)
{
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid && a->mtime == b->mtime &&
	       a->mtime_ns == b->mtime_ns && span_eq(a->user, b->user) &&
	       span_eq(a->group, b->group) && same_xattrs(a, b);
}

static bool same_ref(const struct tree_ref *a, const struct tree_ref *b)
{
	return a->tag == b->tag && a->depth == b->depth && a->n == b->n &&
	       (a->n == 0 || memcmp(a->ids, b->ids, a->n * sizeof *a->ids) == 0);
}

/* Of two of one type, but not of directories. */
static bool same_content(const struct side *a, const struct side *b)
{
	const struct entry *x = &a->entry, *y = &b->entry;

	if (x->size != y->size || x->nholes != y->nholes || x->major != y->major ||
	    x->minor != y->minor || !span_eq(x->target, y->target) || !same_ref(&a->ref, &b->ref))
		return false;
	for (size_t i = 0; i < x->nholes; i++)
		if (x->holes[i].off != y->holes[i].off || x->holes[i].len != y->holes[i].len)
			return false;
	return true;
}

static uint64_t file_size(const struct entry *en)
{
	return en && en->type == ENTRY_FILE ? en->size : 0;
}

static void count(struct diff_result *out, enum diff_change change, uint64_t was, uint64_t is)
{
	uint64_t *n[] = {[DIFF_ADDED] = &out->added,
	    [DIFF_REMOVED] = &out->removed,
	    [DIFF_MODIFIED] = &out->modified,
	    [DIFF_TYPE] = &out->modified,
	    [DIFF_META] = &out->meta};

	++*n[change];
	if (is > was)
		out->added_bytes += is - was;
	else
		out->removed_bytes += was - is;
}

static int tell(struct diff *d, enum diff_change change, const struct entry *old,
    const struct entry *new, struct err *e)
{
	count(d->out, change, file_size(old), file_size(new));
	if (d->visit == NULL)
		return 0;
	buf_reset(&d->path);
	buf_put_span(&d->path, span_str(d->prefix[new ? 1 : 0]));
	buf_put_span(&d->path, buf_span(&d->below));
	if (d->path.n == 0)
		buf_put_u8(&d->path, '/');
	return d->visit(d->arg, change, buf_span(&d->path), old, new, e) == 0 ? 0 : -1;
}

static int diff_trees(struct diff *d, const struct id *a, const struct id *b, struct err *e);

static int compare(struct diff *d, const struct side *a, const struct side *b, struct err *e)
{
	const struct entry *x = a ? &a->entry : NULL, *y = b ? &b->entry : NULL;
	struct id ta, tb;
	bool da = x && x->type == ENTRY_DIR, db = y && y->type == ENTRY_DIR;
	int rc = 0;

	if (da)
		ta = a->ref.ids[0];
	if (db)
		tb = b->ref.ids[0];
	if (x == NULL)
		rc = tell(d, DIFF_ADDED, NULL, y, e);
	else if (y == NULL)
		rc = tell(d, DIFF_REMOVED, x, NULL, e);
	else if (x->type != y->type)
		rc = tell(d, DIFF_TYPE, x, y, e);
	else if (!da && !same_content(a, b))
		rc = tell(d, DIFF_MODIFIED, x, y, e);
	else if (!same_meta(x, y))
		rc = tell(d, DIFF_META, x, y, e);
	if (rc == -1 || (!da && !db) || (da && db && id_eq(&ta, &tb)))
		return rc;
	return diff_trees(d, da ? &ta : NULL, db ? &tb : NULL, e);
}

static int fill(struct side *s, struct err *e)
{
	int rc;

	if (s->has || s->reader == NULL)
		return 0;
	rc = tree_reader_next(s->reader, &s->entry, &s->ref, e);
	s->has = rc == 1;
	return rc == -1 ? -1 : 0;
}

/* One name, on either side or both.  1 there was one, 0 the end, -1. */
static int diff_next(struct diff *d, struct side s[2], struct err *e)
{
	size_t len = d->below.n;
	bool left, right;
	int c, rc;

	if (ctx_check(d->ctx, e) == -1 || fill(&s[0], e) == -1 || fill(&s[1], e) == -1)
		return -1;
	if (!s[0].has && !s[1].has)
		return 0;
	c = s[0].has && s[1].has ? span_cmp(s[0].entry.name, s[1].entry.name) : s[0].has ? -1 : 1;
	left = c <= 0;
	right = c >= 0;
	buf_put_u8(&d->below, '/');
	buf_put_span(&d->below, s[left ? 0 : 1].entry.name);
	rc = compare(d, left ? &s[0] : NULL, right ? &s[1] : NULL, e);
	d->below.n = len;
	if (left)
		s[0].has = false;
	if (right)
		s[1].has = false;
	return rc == -1 ? -1 : 1;
}

static int diff_trees(struct diff *d, const struct id *a, const struct id *b, struct err *e)
{
	const struct id *tree[2] = {a, b};
	struct side *s = mem_zalloc(2 * sizeof *s); /* not on the C stack: depths add up */
	int rc = -1;

	if (++d->depth > ENTRY_DEPTH_MAX) {
		err_set(e, ERR_CORRUPT, "directories nested deeper than %d", ENTRY_DEPTH_MAX);
		goto out;
	}
	for (int i = 0; i < 2; i++)
		if (tree[i] != NULL && (s[i].reader = tree_reader_open(
					    reader_tree_get, d->reader, tree[i], e)) == NULL)
			goto out;
	while ((rc = diff_next(d, s, e)) == 1)
		;
out:
	d->depth--;
	tree_reader_close(s[0].reader);
	tree_reader_close(s[1].reader);
	free(s);
	return rc;
}

static int diff_paths(
    struct diff *d, const struct tree_path *a, const struct tree_path *b, struct err *e)
{
	struct side x = {.entry = a->entry, .ref = a->ref}, y = {.entry = b->entry, .ref = b->ref};

	return compare(d, &x, &y, e);
}

int op_diff(struct repo *r, const struct snapshot *a, const struct snapshot *b, const char *path_a,
    const char *path_b, struct ctx *ctx, diff_visit *visit, void *arg, struct diff_result *out,
    struct err *e)
{
	struct diff d = {.ctx = ctx, .visit = visit, .arg = arg, .out = out};
	struct tree_path at[2] = {{.reader = NULL}, {.reader = NULL}};
	int rc = -1;

	memset(out, 0, sizeof *out);
	if (repo_index_load(r, false, e) == -1)
		return -1;
	d.prefix[0] = strcmp(path_a, "/") == 0 ? "" : path_a;
	d.prefix[1] = strcmp(path_b, "/") == 0 ? "" : path_b;
	d.reader = reader_new(r);
	if (tree_path_find(d.reader, a, path_a, &at[0], e) == -1 ||
	    tree_path_find(d.reader, b, path_b, &at[1], e) == -1)
		goto out;
	if (snapshot_domain(a) != snapshot_domain(b))
		reader_set_domain(d.reader, 0);
	rc = diff_paths(&d, &at[0], &at[1], e);
out:
	tree_path_fini(&at[0]);
	tree_path_fini(&at[1]);
	reader_free(d.reader);
	buf_fini(&d.below);
	buf_fini(&d.path);
	return rc;
}
