/* tree_read: the reading half of tree.h.  Everything here is hostile. */
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "repo/tree.h"

enum { NODE_DEPTH = FORMAT_LIST_DEPTH + 1, OWNERS_MAX = 1 << 17, LEAF_COUNT_MAX = 1 << 20 };

struct owner_name {
	uint8_t kind;
	uint32_t id;
	struct span name;
};

struct node {
	struct buf ids; /* packed */
	size_t n, next;
};

struct tree_reader {
	tree_get *get;
	void *arg;
	struct node *node[NODE_DEPTH]; /* the path of nodes above the leaf */
	size_t depth;
	struct buf names, refs; /* of the current leaf, copied */
	struct cursor cn, cr;
	size_t left; /* entries left in the leaf */
	struct owner_name *owners;
	size_t nowners;
	struct entry_xattr *xattrs;
	struct entry_hole *holes;
	struct id *ids;
	struct buf last; /* last name, for the order */
	bool any;
};

static int corrupt(struct err *e, const char *what)
{
	return err_set(e, ERR_CORRUPT, "tree: %s", what);
}

void tree_reader_close(struct tree_reader *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < NODE_DEPTH; i++)
		if (r->node[i] != NULL) {
			buf_fini(&r->node[i]->ids);
			free(r->node[i]);
		}
	buf_fini(&r->names);
	buf_fini(&r->refs);
	buf_fini(&r->last);
	free(r->owners);
	free(r->xattrs);
	free(r->holes);
	free(r->ids);
	free(r);
}

static int parse_owners(struct tree_reader *r, struct err *e)
{
	size_t n = cursor_count(&r->cn, 3, OWNERS_MAX);

	r->owners = mem_realloc(r->owners, n * sizeof *r->owners);
	r->nowners = n;
	for (size_t i = 0; i < n; i++) {
		uint64_t id;

		r->owners[i].kind = cursor_u8(&r->cn);
		id = cursor_varint(&r->cn);
		r->owners[i].name = cursor_string(&r->cn, ENTRY_NAME_MAX);
		if (r->cn.bad || id > UINT32_MAX || r->owners[i].kind > 1)
			return corrupt(e, "bad list of owners");
		r->owners[i].id = (uint32_t)id;
	}
	return 0;
}

static int open_leaf(struct tree_reader *r, struct cursor *c, struct err *e)
{
	struct span names, id = cursor_bytes(c, ID_SIZE);
	struct id names_id;
	size_t count;

	if (c->bad)
		return corrupt(e, "leaf is cut short");
	memcpy(&names_id, id.p, ID_SIZE);
	count = cursor_count(c, 1, LEAF_COUNT_MAX);
	buf_reset(&r->refs);
	buf_put(&r->refs, c->p + c->off, cursor_left(c));
	r->cr = cursor_of(buf_span(&r->refs));
	/* From here on the blob that c reads may be gone. */
	if (r->get(r->arg, PURPOSE_NAMES, &names_id, &names, e) == -1)
		return -1;
	buf_reset(&r->names);
	buf_put_span(&r->names, names);
	r->cn = cursor_of(buf_span(&r->names));
	if (parse_owners(r, e) == -1)
		return -1;
	r->left = cursor_count(&r->cn, 7, LEAF_COUNT_MAX);
	if (r->cn.bad || r->left != count)
		return corrupt(e, "names and refs differ in number");
	/* Else a few small blobs could make a walk of 1,024^9 steps. */
	if (count == 0 && r->depth > 0)
		return corrupt(e, "empty leaf below a node");
	return 0;
}

static int push(struct tree_reader *r, struct cursor *c, struct err *e)
{
	size_t n = cursor_count(c, ID_SIZE, FORMAT_LIST_INLINE);
	struct span ids = cursor_bytes(c, n * ID_SIZE);
	struct node *node;

	if (!cursor_done(c) || n == 0)
		return corrupt(e, "malformed node");
	if (r->depth == NODE_DEPTH)
		return corrupt(e, "nodes nested too deep");
	if (r->node[r->depth] == NULL)
		r->node[r->depth] = mem_zalloc(sizeof *node);
	node = r->node[r->depth++];
	buf_reset(&node->ids);
	buf_put_span(&node->ids, ids);
	node->n = n;
	node->next = 0;
	return 0;
}

/* Go down from a refs blob to the first leaf below it. */
static int descend(struct tree_reader *r, const struct id *at, struct err *e)
{
	struct id id = *at;

	for (;;) {
		struct span blob;
		struct cursor c;
		struct node *node;
		uint8_t type;

		if (r->get(r->arg, PURPOSE_REFS, &id, &blob, e) == -1)
			return -1;
		c = cursor_of(blob);
		type = cursor_u8(&c);
		if (type == 1)
			return open_leaf(r, &c, e);
		if (type != 2)
			return corrupt(e, "not a directory");
		if (push(r, &c, e) == -1)
			return -1;
		node = r->node[r->depth - 1];
		memcpy(&id, node->ids.p, ID_SIZE);
		node->next = 1;
	}
}

/* The next leaf: 1 there is one, 0 the end. */
static int next_leaf(struct tree_reader *r, struct err *e)
{
	while (r->depth > 0) {
		struct node *node = r->node[r->depth - 1];
		struct id id;

		if (node->next == node->n) {
			r->depth--;
			continue;
		}
		memcpy(&id, node->ids.p + node->next++ * ID_SIZE, ID_SIZE);
		return descend(r, &id, e) == -1 ? -1 : 1;
	}
	return 0;
}

struct tree_reader *tree_reader_open(tree_get *get, void *arg, const struct id *tree, struct err *e)
{
	struct tree_reader *r = mem_zalloc(sizeof *r);

	r->get = get;
	r->arg = arg;
	if (descend(r, tree, e) == -1) {
		tree_reader_close(r);
		return NULL;
	}
	return r;
}

static struct span owner_find(const struct tree_reader *r, uint8_t kind, uint32_t id)
{
	for (size_t i = 0; i < r->nowners; i++)
		if (r->owners[i].kind == kind && r->owners[i].id == id)
			return r->owners[i].name;
	return span_of(NULL, 0);
}

static void parse_xattrs(struct tree_reader *r, struct entry *en)
{
	size_t n = cursor_count(&r->cn, 2, ENTRY_XATTRS_MAX);

	r->xattrs = mem_realloc(r->xattrs, n * sizeof *r->xattrs);
	for (size_t i = 0; i < n; i++) {
		r->xattrs[i].name = cursor_string(&r->cn, 255);
		r->xattrs[i].value = cursor_string(&r->cn, ENTRY_XATTR_MAX);
		/* A NUL would cut the name short in the system call. */
		if (r->xattrs[i].name.n == 0 ||
		    memchr(r->xattrs[i].name.p, 0, r->xattrs[i].name.n) != NULL)
			r->cn.bad = true;
	}
	en->xattrs = r->xattrs;
	en->nxattrs = n;
}

static void parse_holes(struct tree_reader *r, struct entry *en)
{
	size_t n = cursor_count(&r->cn, 2, ENTRY_HOLES_MAX);
	uint64_t end = 0;

	r->holes = mem_realloc(r->holes, n * sizeof *r->holes);
	for (size_t i = 0; i < n; i++) {
		uint64_t gap = cursor_varint(&r->cn), len = cursor_varint(&r->cn);

		if (len == 0 || gap > en->size - end || len > en->size - end - gap) {
			r->cn.bad = true;
			return;
		}
		r->holes[i] = (struct entry_hole){end + gap, len};
		end += gap + len;
	}
	en->holes = r->holes;
	en->nholes = n;
}

static uint32_t small(struct cursor *c, uint64_t max)
{
	uint64_t v = cursor_varint(c);

	if (v > max)
		c->bad = true;
	return (uint32_t)v;
}

/*
 * What a later version adds that does not hurt who lacks it: a string of tags and strings.
 * None is known yet; they must be well-formed all the same.
 */
static void skip_extensions(struct cursor *c)
{
	struct cursor all = cursor_of(cursor_string(c, TREE_EXTENSIONS_MAX));

	while (!c->bad && cursor_left(&all) > 0) {
		cursor_varint(&all);
		cursor_string(&all, TREE_EXTENSIONS_MAX);
		c->bad = all.bad;
	}
}

static int parse_entry(struct tree_reader *r, struct entry *en, struct err *e)
{
	struct cursor *c = &r->cn;
	uint64_t bits;

	memset(en, 0, sizeof *en);
	en->type = (enum entry_type)cursor_u8(c);
	bits = cursor_varint(c);
	if (c->bad || en->type < ENTRY_FILE || en->type > ENTRY_BLOCK)
		return corrupt(e, "entry of unknown type");
	if (bits > 31)
		return err_set(e, ERR_UNSUPPORTED, "tree: entry with unknown fields");
	en->name = cursor_string(c, ENTRY_NAME_MAX);
	en->mode = small(c, 07777);
	en->uid = small(c, UINT32_MAX);
	en->gid = small(c, UINT32_MAX);
	en->mtime = cursor_svarint(c);
	en->mtime_ns = small(c, 999999999);
	if (en->type == ENTRY_FILE)
		en->size = cursor_varint(c);
	if (en->type == ENTRY_SYMLINK)
		en->target = cursor_string(c, ENTRY_TARGET_MAX);
	if (en->type == ENTRY_CHAR || en->type == ENTRY_BLOCK) {
		en->major = small(c, UINT32_MAX);
		en->minor = small(c, UINT32_MAX);
	}
	if (bits & 1)
		parse_xattrs(r, en);
	if (bits & 2) {
		en->linked = true;
		en->link_group = cursor_u64(c);
	}
	if (bits & 4)
		parse_holes(r, en);
	en->changed = bits & 8;
	if (bits & 16)
		skip_extensions(c);
	if (c->bad || en->size > INT64_MAX || (en->nholes && en->type != ENTRY_FILE) ||
	    (en->linked && en->type == ENTRY_DIR) ||
	    (en->target.n && memchr(en->target.p, 0, en->target.n)))
		return corrupt(e, "malformed entry");
	en->user = owner_find(r, 0, en->uid);
	en->group = owner_find(r, 1, en->gid);
	return 0;
}

static int parse_ref(struct tree_reader *r, struct tree_ref *ref, struct err *e)
{
	struct cursor *c = &r->cr;
	struct span bytes;
	uint8_t tag = cursor_u8(c);

	memset(ref, 0, sizeof *ref);
	ref->tag = (enum tree_tag)(tag & ~TREE_EXTENDED);
	if (ref->tag == TREE_CONTENT)
		ref->n = cursor_count(c, ID_SIZE, FORMAT_LIST_INLINE);
	else if (ref->tag == TREE_LIST)
		ref->depth = cursor_u8(c);
	if (ref->tag == TREE_DIR || ref->tag == TREE_LIST)
		ref->n = 1;
	bytes = cursor_bytes(c, ref->n * ID_SIZE);
	if (tag & TREE_EXTENDED)
		skip_extensions(c);
	if (c->bad || ref->tag > TREE_LIST || (ref->tag == TREE_CONTENT && ref->n == 0) ||
	    (ref->tag == TREE_LIST && (ref->depth < 1 || ref->depth > FORMAT_LIST_DEPTH)))
		return corrupt(e, "malformed reference");
	r->ids = mem_realloc(r->ids, ref->n * ID_SIZE);
	if (bytes.n)
		memcpy(r->ids, bytes.p, bytes.n);
	ref->ids = r->ids;
	return 0;
}

int tree_reader_next(struct tree_reader *r, struct entry *en, struct tree_ref *ref, struct err *e)
{
	while (r->left == 0) {
		int rc;

		if (!cursor_done(&r->cn) || !cursor_done(&r->cr))
			return corrupt(e, "leaf has bytes too many");
		if ((rc = next_leaf(r, e)) != 1)
			return rc;
	}
	r->left--;
	if (parse_entry(r, en, e) == -1 || parse_ref(r, ref, e) == -1)
		return -1;
	if (!tree_name_valid(en->name))
		return corrupt(e, "hostile name in a directory");
	if (r->any && span_cmp(buf_span(&r->last), en->name) >= 0)
		return corrupt(e, "duplicate or disordered names in a directory");
	if ((en->type == ENTRY_DIR) != (ref->tag == TREE_DIR) ||
	    (ref->tag > TREE_DIR && en->type != ENTRY_FILE))
		return corrupt(e, "entry and its reference differ in type");
	r->any = true;
	buf_reset(&r->last);
	buf_put_span(&r->last, en->name);
	return 1;
}

struct content_walk {
	tree_get *get;
	void *arg;
	int (*visit)(void *, const struct id *, struct err *);
	void *visit_arg;
};

static int walk_list(struct content_walk *w, const struct id *id, unsigned depth, struct err *e)
{
	struct span blob;
	struct cursor c;
	struct buf copy = {0};
	size_t n;
	int rc = -1;

	if (w->get(w->arg, PURPOSE_REFS, id, &blob, e) == -1)
		return -1;
	buf_put_span(&copy, blob);
	c = cursor_of(buf_span(&copy));
	if (cursor_u8(&c) != 3) {
		corrupt(e, "not a content list");
		goto out;
	}
	n = cursor_count(&c, ID_SIZE, FORMAT_LIST_INLINE);
	if (n == 0) {
		corrupt(e, "empty content list");
		goto out;
	}
	for (size_t i = 0; i < n; i++) {
		struct id child;

		memcpy(&child, cursor_bytes(&c, ID_SIZE).p, ID_SIZE);
		if ((depth == 1 ? w->visit(w->visit_arg, &child, e)
				: walk_list(w, &child, depth - 1, e)) == -1)
			goto out;
	}
	rc = cursor_done(&c) ? 0 : corrupt(e, "malformed content list");
out:
	buf_fini(&copy);
	return rc;
}

int tree_content(tree_get *get, void *arg, const struct tree_ref *ref,
    int (*visit)(void *, const struct id *, struct err *), void *visit_arg, struct err *e)
{
	struct content_walk w = {get, arg, visit, visit_arg};

	if (ref->tag == TREE_LIST)
		return walk_list(&w, &ref->ids[0], ref->depth, e);
	for (size_t i = 0; ref->tag == TREE_CONTENT && i < ref->n; i++)
		if (visit(visit_arg, &ref->ids[i], e) == -1)
			return -1;
	return 0;
}

typedef int refs_visit(
    void *arg, enum format_purpose kind, unsigned depth, const struct id *, struct err *e);

static int visit_ids(struct cursor *c, size_t n, enum format_purpose kind, unsigned depth,
    refs_visit *visit, void *arg, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		struct span s = cursor_bytes(c, ID_SIZE);
		struct id id;

		if (c->bad)
			return corrupt(e, "references are cut short");
		memcpy(&id, s.p, ID_SIZE);
		if (visit(arg, kind, depth, &id, e) == -1)
			return -1;
	}
	return 0;
}

static int visit_leaf(struct cursor *c, refs_visit *visit, void *arg, struct err *e)
{
	size_t n;

	if (visit_ids(c, 1, PURPOSE_NAMES, 0, visit, arg, e) == -1)
		return -1;
	n = cursor_count(c, 1, LEAF_COUNT_MAX);
	for (size_t i = 0; i < n && !c->bad; i++) {
		enum format_purpose kind = PURPOSE_REFS;
		uint8_t first = cursor_u8(c), tag = (uint8_t)(first & ~TREE_EXTENDED), depth = 0;
		size_t k = tag == TREE_DIR || tag == TREE_LIST;

		if (tag == TREE_LIST)
			depth = cursor_u8(c);
		if (tag == TREE_CONTENT) {
			kind = PURPOSE_CONTENT;
			k = cursor_count(c, ID_SIZE, FORMAT_LIST_INLINE);
		}
		if (tag > TREE_LIST ||
		    (tag == TREE_LIST && (depth < 1 || depth > FORMAT_LIST_DEPTH)))
			return corrupt(e, "malformed reference");
		if (visit_ids(c, k, kind, depth, visit, arg, e) == -1)
			return -1;
		if (first & TREE_EXTENDED)
			skip_extensions(c);
	}
	return 0;
}

int tree_refs_visit(struct span blob, unsigned depth, refs_visit *visit, void *arg, struct err *e)
{
	struct cursor c = cursor_of(blob);
	uint8_t type = cursor_u8(&c);
	size_t n;
	int rc;

	if (c.bad || (depth == 0) != (type == 1 || type == 2) || type > 3)
		return corrupt(e, "refs blob of a wrong type");
	if (type == 1) {
		rc = visit_leaf(&c, visit, arg, e);
	} else {
		n = cursor_count(&c, ID_SIZE, FORMAT_LIST_INLINE);
		rc = depth == 1
			 ? visit_ids(&c, n, PURPOSE_CONTENT, 0, visit, arg, e)
			 : visit_ids(&c, n, PURPOSE_REFS, depth ? depth - 1 : 0, visit, arg, e);
	}
	if (rc == 0 && !cursor_done(&c))
		return corrupt(e, "malformed refs blob");
	return rc;
}
