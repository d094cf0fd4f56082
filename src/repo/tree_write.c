/* tree_write: the writing half of tree.h. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/tree.h"

enum {
	LEAF_MIN = 2 << 10, /* bytes of entries before a leaf may be cut */
	LEAF_MAX = 512 << 10,
	LEAF_BITS = 4,
	LIST_MIN = 256, /* ids before a list or node may be cut */
	LIST_MAX = FORMAT_LIST_INLINE,
	LEVELS = FORMAT_LIST_DEPTH,
};

/* Where lists are cut depends on the ids, so that an insertion moves few. */
static bool cut_after(size_t n, const struct id *last)
{
	return n == LIST_MAX || (n >= LIST_MIN && (last->b[0] & 0x3f) == 0);
}

/* ---- Lists of ids, level by level: nodes of directories, lists of content. */

struct list_level {
	struct id v[LIST_MAX];
	size_t n;
};

struct list_writer {
	tree_put *put;
	void *arg;
	uint8_t type; /* 2 node, 3 list */
	struct list_level *level[LEVELS];
};

static int list_add(struct list_writer *w, size_t level, const struct id *id, struct err *e);

static int list_flush(struct list_writer *w, size_t level, struct id *id, struct err *e)
{
	struct list_level *l = w->level[level];
	struct buf b = {0};
	int rc;

	buf_put_u8(&b, w->type);
	buf_put_varint(&b, l->n);
	buf_put(&b, l->v, l->n * ID_SIZE);
	l->n = 0;
	rc = w->put(w->arg, PURPOSE_REFS, buf_span(&b), id, e);
	buf_fini(&b);
	return rc;
}

static int list_add(struct list_writer *w, size_t level, const struct id *id, struct err *e)
{
	struct list_level *l;
	struct id up;

	if (level == LEVELS)
		return err_set(e, ERR_UNSUPPORTED, "too large: more than %d levels", LEVELS);
	if (w->level[level] == NULL)
		w->level[level] = mem_zalloc(sizeof *w->level[level]);
	l = w->level[level];
	l->v[l->n++] = *id;
	if (!cut_after(l->n, id))
		return 0;
	if (list_flush(w, level, &up, e) == -1)
		return -1;
	return list_add(w, level + 1, &up, e);
}

/* Flush what is left into one id at the top; *levels says how many there were. */
static int list_end(struct list_writer *w, struct id *top, size_t *levels, struct err *e)
{
	for (size_t i = 0; i < LEVELS; i++) {
		bool above = i + 1 < LEVELS && w->level[i + 1] != NULL && w->level[i + 1]->n > 0;

		/* A single id with nothing above it is itself the top. */
		if (i > 0 && !above && w->level[i]->n == 1) {
			*top = w->level[i]->v[0];
			w->level[i]->n = 0;
			*levels = i;
			return 0;
		}
		if (w->level[i]->n > 0) {
			if (list_flush(w, i, top, e) == -1 || list_add(w, i + 1, top, e) == -1)
				return -1;
		} else if (!above) {
			break;
		}
	}
	return err_set(e, ERR_BUG, "list without a top");
}

static void list_reset(struct list_writer *w)
{
	for (size_t i = 0; i < LEVELS; i++)
		if (w->level[i] != NULL)
			w->level[i]->n = 0;
}

static void list_fini(struct list_writer *w)
{
	for (size_t i = 0; i < LEVELS; i++)
		free(w->level[i]);
}

static bool list_empty(const struct list_writer *w)
{
	for (size_t i = 0; i < LEVELS; i++)
		if (w->level[i] != NULL && w->level[i]->n > 0)
			return false;
	return true;
}

/* ---- Content of a file: inline while short, then lists. */

struct content_writer {
	struct list_writer list;
	struct id first[FORMAT_LIST_INLINE]; /* inline, or the top */
	size_t n;
	bool spilled;
};

struct content_writer *content_writer_new(tree_put *put, void *arg)
{
	struct content_writer *w = mem_zalloc(sizeof *w);

	w->list = (struct list_writer){.put = put, .arg = arg, .type = 3};
	return w;
}

void content_writer_free(struct content_writer *w)
{
	if (w == NULL)
		return;
	list_fini(&w->list);
	free(w);
}

void content_writer_reset(struct content_writer *w)
{
	list_reset(&w->list);
	w->n = 0;
	w->spilled = false;
}

int content_writer_add(struct content_writer *w, const struct id *id, struct err *e)
{
	if (!w->spilled && w->n < FORMAT_LIST_INLINE) {
		w->first[w->n++] = *id;
		return 0;
	}
	if (!w->spilled) {
		w->spilled = true;
		for (size_t i = 0; i < w->n; i++)
			if (list_add(&w->list, 0, &w->first[i], e) == -1)
				return -1;
	}
	return list_add(&w->list, 0, id, e);
}

int content_writer_end(struct content_writer *w, struct tree_ref *ref, struct err *e)
{
	size_t levels;

	*ref = (struct tree_ref){
	    .tag = w->n ? TREE_CONTENT : TREE_NONE, .n = w->n, .ids = w->first};
	if (!w->spilled)
		return 0;
	if (list_end(&w->list, &w->first[0], &levels, e) == -1)
		return -1;
	*ref = (struct tree_ref){TREE_LIST, (uint8_t)levels, 1, w->first};
	return 0;
}

/* ---- Directories. */

struct owner {
	uint8_t kind;
	uint32_t id;
};

struct tree_writer {
	tree_put *put;
	void *arg;
	struct buf owners, entries, refs; /* of the leaf being filled */
	struct owner *owner;
	size_t nowners, owners_cap;
	size_t count;
	struct list_writer nodes; /* leaves so far */
	size_t leaves;
	struct id leaf;    /* the last one */
	struct buf recent; /* names and refs of each leaf since the last cut */
	struct buf last_name;
};

struct tree_writer *tree_writer_new(tree_put *put, void *arg)
{
	struct tree_writer *w = mem_zalloc(sizeof *w);

	w->put = put;
	w->arg = arg;
	w->nodes = (struct list_writer){.put = put, .arg = arg, .type = 2};
	return w;
}

void tree_writer_free(struct tree_writer *w)
{
	if (w == NULL)
		return;
	buf_fini(&w->owners);
	buf_fini(&w->entries);
	buf_fini(&w->refs);
	buf_fini(&w->recent);
	buf_fini(&w->last_name);
	free(w->owner);
	list_fini(&w->nodes);
	free(w);
}

static void leaf_reset(struct tree_writer *w)
{
	buf_reset(&w->owners);
	buf_reset(&w->entries);
	buf_reset(&w->refs);
	w->nowners = 0;
	w->count = 0;
}

void tree_writer_reset(struct tree_writer *w)
{
	leaf_reset(w);
	list_reset(&w->nodes);
	w->leaves = 0;
	buf_reset(&w->recent);
	buf_reset(&w->last_name);
}

/* The leaf with these names and refs is the directory's next. */
static int add_leaf(
    struct tree_writer *w, const struct id *names, const struct id *refs, struct err *e)
{
	w->leaf = *refs;
	if (list_add(&w->nodes, 0, refs, e) == -1)
		return -1;
	buf_put(&w->recent, names, sizeof *names);
	buf_put(&w->recent, refs, sizeof *refs);
	w->leaves++;
	return 0;
}

static int leaf_flush(struct tree_writer *w, struct err *e)
{
	struct buf b = {0};
	struct id names, refs;
	int rc = -1;

	buf_put_varint(&b, w->nowners);
	buf_put_span(&b, buf_span(&w->owners));
	buf_put_varint(&b, w->count);
	buf_put_span(&b, buf_span(&w->entries));
	if (w->put(w->arg, PURPOSE_NAMES, buf_span(&b), &names, e) == -1)
		goto out;
	buf_reset(&b);
	buf_put_u8(&b, 1);
	buf_put(&b, &names, sizeof names);
	buf_put_varint(&b, w->count);
	buf_put_span(&b, buf_span(&w->refs));
	if (w->put(w->arg, PURPOSE_REFS, buf_span(&b), &refs, e) == -1 ||
	    add_leaf(w, &names, &refs, e) == -1)
		goto out;
	leaf_reset(w);
	rc = 0;
out:
	buf_fini(&b);
	return rc;
}

static void add_owner(struct tree_writer *w, uint8_t kind, uint32_t id, struct span name)
{
	if (name.n == 0)
		return;
	for (size_t i = w->nowners; i-- > 0;)
		if (w->owner[i].kind == kind && w->owner[i].id == id)
			return;
	if (w->nowners == w->owners_cap) {
		w->owners_cap = w->owners_cap ? 2 * w->owners_cap : 8;
		w->owner = mem_realloc(w->owner, w->owners_cap * sizeof *w->owner);
	}
	w->owner[w->nowners++] = (struct owner){kind, id};
	buf_put_u8(&w->owners, kind);
	buf_put_varint(&w->owners, id);
	buf_put_string(&w->owners, name);
}

static void put_extras(struct buf *b, const struct entry *en)
{
	uint64_t end = 0;

	if (en->nxattrs) {
		buf_put_varint(b, en->nxattrs);
		for (size_t i = 0; i < en->nxattrs; i++) {
			buf_put_string(b, en->xattrs[i].name);
			buf_put_string(b, en->xattrs[i].value);
		}
	}
	if (en->linked)
		buf_put_u64(b, en->link_group);
	if (en->nholes) {
		buf_put_varint(b, en->nholes);
		for (size_t i = 0; i < en->nholes; i++) {
			buf_put_varint(b, en->holes[i].off - end);
			buf_put_varint(b, en->holes[i].len);
			end = en->holes[i].off + en->holes[i].len;
		}
	}
}

static void put_entry(struct buf *b, const struct entry *en)
{
	buf_put_u8(b, (uint8_t)en->type);
	buf_put_varint(b, (en->nxattrs ? 1u : 0) | (en->linked ? 2u : 0) | (en->nholes ? 4u : 0) |
			      (en->changed ? 8u : 0));
	buf_put_string(b, en->name);
	buf_put_varint(b, en->mode);
	buf_put_varint(b, en->uid);
	buf_put_varint(b, en->gid);
	buf_put_svarint(b, en->mtime);
	buf_put_varint(b, en->mtime_ns);
	if (en->type == ENTRY_FILE)
		buf_put_varint(b, en->size);
	if (en->type == ENTRY_SYMLINK)
		buf_put_string(b, en->target);
	if (en->type == ENTRY_CHAR || en->type == ENTRY_BLOCK) {
		buf_put_varint(b, en->major);
		buf_put_varint(b, en->minor);
	}
	put_extras(b, en);
}

static void put_ref(struct buf *b, const struct tree_ref *ref)
{
	buf_put_u8(b, (uint8_t)ref->tag);
	if (ref->tag == TREE_CONTENT)
		buf_put_varint(b, ref->n);
	if (ref->tag == TREE_LIST)
		buf_put_u8(b, ref->depth);
	if (ref->tag != TREE_NONE)
		buf_put(b, ref->ids, ref->n * ID_SIZE);
}

bool tree_name_cuts(struct span name, unsigned bits)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < name.n; i++)
		h = (h ^ name.p[i]) * 0x100000001b3;
	return (h & (((uint64_t)1 << bits) - 1)) == 0;
}

int tree_writer_add(
    struct tree_writer *w, const struct entry *en, const struct tree_ref *ref, struct err *e)
{
	struct span last = buf_span(&w->last_name);
	bool first = w->leaves == 0 && w->count == 0;

	if (!tree_name_valid(en->name) || (!first && span_cmp(last, en->name) >= 0))
		return err_set(e, ERR_BUG, "names of a directory out of order");
	buf_reset(&w->last_name);
	buf_put_span(&w->last_name, en->name);
	add_owner(w, 0, en->uid, en->user);
	add_owner(w, 1, en->gid, en->group);
	put_entry(&w->entries, en);
	put_ref(&w->refs, ref);
	w->count++;
	if ((w->entries.n >= LEAF_MIN && tree_name_cuts(en->name, LEAF_BITS)) ||
	    w->entries.n >= LEAF_MAX || w->refs.n >= LEAF_MAX)
		return leaf_flush(w, e);
	return 0;
}

int tree_writer_cut(struct tree_writer *w, struct buf *leaves, struct err *e)
{
	if (w->count > 0 && leaf_flush(w, e) == -1)
		return -1;
	buf_put_span(leaves, buf_span(&w->recent));
	buf_reset(&w->recent);
	return 0;
}

int tree_writer_reuse(struct tree_writer *w, const struct id *leaves, size_t n, struct err *e)
{
	if (w->count > 0)
		return err_set(e, ERR_BUG, "leaves in the middle of a leaf");
	for (size_t i = 0; i < n; i++)
		if (add_leaf(w, &leaves[2 * i], &leaves[2 * i + 1], e) == -1)
			return -1;
	return 0;
}

int tree_writer_end(struct tree_writer *w, struct id *tree, struct err *e)
{
	size_t levels;

	if ((w->count > 0 || w->leaves == 0) && leaf_flush(w, e) == -1)
		return -1;
	if (w->leaves == 1) {
		*tree = w->leaf;
	} else if (list_empty(&w->nodes) || list_end(&w->nodes, tree, &levels, e) == -1) {
		return -1;
	}
	tree_writer_reset(w);
	return 0;
}

bool tree_name_valid(struct span name)
{
	if (name.n == 0 || name.n > ENTRY_NAME_MAX || memchr(name.p, '/', name.n) ||
	    memchr(name.p, 0, name.n))
		return false;
	return !(name.p[0] == '.' && (name.n == 1 || (name.n == 2 && name.p[1] == '.')));
}
