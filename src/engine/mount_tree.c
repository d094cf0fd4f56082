/* mount_tree: see mount_tree.h. */
#include "engine/mount_tree.h"

#include <stdlib.h>

#include "base/mem.h"
#include "crypto/crypto.h"
#include "repo/siphash.h"

enum {
	ROOT_INO = 1,
	RECENT = 16,              /* lists kept... */
	RECENT_ITEMS = 256 << 10, /* ...with at most so many items, or one */
	NAME_MAX_KERNEL = 1024,   /* longer ones make it fail the whole directory */
	BUCKETS_FIRST = 1024,
};

struct mount_tree {
	struct reader *reader;
	struct ctx *ctx;
	uint8_t key[SIPHASH_KEY];
	struct mount_node **bucket;
	size_t buckets, n;                 /* buckets is a power of two */
	struct mount_node *recent[RECENT]; /* last used first */
	size_t nrecent;
};

/* ---- Items and lists. */

/* Append to a block that is large enough. */
static struct span keep(uint8_t **at, struct span s)
{
	struct span kept = span_of(*at, s.n);

	if (s.n)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return kept;
}

static size_t item_size(const struct entry *en, const struct tree_ref *ref)
{
	size_t n = sizeof(struct mount_item) + en->name.n + en->target.n + 1;

	for (size_t i = 0; i < en->nxattrs; i++)
		n += en->xattrs[i].name.n + en->xattrs[i].value.n;
	return n + en->nxattrs * sizeof *en->xattrs + en->nholes * sizeof *en->holes +
	       ref->n * sizeof *ref->ids;
}

struct mount_item *mount_item_new(const struct entry *en, const struct tree_ref *ref)
{
	struct mount_item *it = mem_alloc(item_size(en, ref));
	uint8_t *at = (uint8_t *)(it + 1);
	struct entry_xattr *x;

	*it = (struct mount_item){.refs = 1, .en = *en, .ref = *ref};
	it->en.user = it->en.group = span_of(NULL, 0);
	/* Arrays first, while `at` is aligned. */
	it->en.holes =
	    (const void *)keep(&at, span_of(en->holes, en->nholes * sizeof *en->holes)).p;
	x = (struct entry_xattr *)(void *)at;
	it->en.xattrs = x;
	at += en->nxattrs * sizeof *x;
	it->ref.ids = (const void *)keep(&at, span_of(ref->ids, ref->n * sizeof *ref->ids)).p;
	for (size_t i = 0; i < en->nxattrs; i++) {
		x[i].name = keep(&at, en->xattrs[i].name);
		x[i].value = keep(&at, en->xattrs[i].value);
	}
	it->en.name = keep(&at, en->name);
	it->en.target = keep(&at, en->target);
	*at = '\0'; /* so that a target is also a string */
	return it;
}

struct mount_item *mount_item_fixed(
    struct span name, const struct entry *like, struct mount_list *l)
{
	struct entry en = *like;
	struct mount_item *it;

	en.type = ENTRY_DIR;
	en.name = name;
	it = mount_item_new(&en, &(struct tree_ref){TREE_NONE});
	it->fixed = l;
	return it;
}

void mount_item_unref(struct mount_item *it)
{
	if (it == NULL || --it->refs > 0)
		return;
	mount_list_unref(it->fixed);
	free(it);
}

struct mount_list *mount_list_new(void)
{
	struct mount_list *l = mem_zalloc(sizeof *l);

	l->refs = 1;
	return l;
}

struct mount_list *mount_list_ref(struct mount_list *l)
{
	l->refs++;
	return l;
}

void mount_list_unref(struct mount_list *l)
{
	if (l == NULL || --l->refs > 0)
		return;
	for (size_t i = 0; i < l->n; i++)
		mount_item_unref(l->v[i]);
	free(l->v);
	free(l);
}

void mount_list_add(struct mount_list *l, struct mount_item *it)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 16;
		l->v = mem_realloc(l->v, l->cap * sizeof(struct mount_item *));
	}
	l->v[l->n++] = it;
}

static int by_name(const void *a, const void *b)
{
	const struct mount_item *const *x = a, *const *y = b;

	return span_cmp((*x)->en.name, (*y)->en.name);
}

void mount_list_sort(struct mount_list *l)
{
	if (l->n > 1)
		qsort(l->v, l->n, sizeof(struct mount_item *), by_name);
}

struct mount_item *mount_list_find(const struct mount_list *l, struct span name)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = span_cmp(l->v[mid]->en.name, name);

		if (c == 0)
			return l->v[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* ---- Nodes. */

static struct mount_node **bucket_of(struct mount_tree *t, uint64_t ino)
{
	return &t->bucket[ino & (t->buckets - 1)];
}

struct mount_node *mount_tree_node(struct mount_tree *t, uint64_t ino)
{
	struct mount_node *n = *bucket_of(t, ino);

	while (n != NULL && n->ino != ino)
		n = n->next;
	return n;
}

size_t mount_tree_count(const struct mount_tree *t)
{
	return t->n;
}

static void grow(struct mount_tree *t)
{
	struct mount_node **old = t->bucket;
	size_t n = t->buckets;

	t->buckets = 2 * n;
	t->bucket = mem_zalloc(t->buckets * sizeof(struct mount_node *));
	for (size_t i = 0; i < n; i++) {
		struct mount_node *at = old[i], *next;

		for (; at != NULL; at = next) {
			struct mount_node **b = bucket_of(t, at->ino);

			next = at->next;
			at->next = *b;
			*b = at;
		}
	}
	free(old);
}

static struct mount_node *node_new(
    struct mount_tree *t, uint64_t ino, struct mount_node *parent, struct mount_item *it)
{
	struct mount_node *n = mem_zalloc(sizeof *n), **b;

	if (t->n++ >= t->buckets)
		grow(t);
	n->ino = ino;
	n->parent = parent;
	if (parent != NULL) {
		parent->refs++;
		n->depth = parent->depth + 1;
	}
	n->item = it;
	it->refs++;
	b = bucket_of(t, ino);
	n->next = *b;
	*b = n;
	return n;
}

static void recent_drop(struct mount_tree *t, size_t i)
{
	mount_list_unref(t->recent[i]->list);
	t->recent[i]->list = NULL;
	memmove(&t->recent[i], &t->recent[i + 1], (--t->nrecent - i) * sizeof(struct mount_node *));
}

static void node_free(struct mount_tree *t, struct mount_node *n)
{
	struct mount_node **at = bucket_of(t, n->ino);

	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	t->n--;
	for (size_t i = 0; n->list != NULL && i < t->nrecent; i++)
		if (t->recent[i] == n)
			recent_drop(t, i);
	mount_item_unref(n->item);
	free(n);
}

void mount_tree_forget(struct mount_tree *t, struct mount_node *n, uint64_t count)
{
	/* The kernel is believed no more than it was told; the root stays. */
	while (n != NULL && n->ino != ROOT_INO) {
		struct mount_node *up = n->parent;

		n->refs -= count < n->refs ? count : n->refs;
		if (n->refs > 0)
			return;
		node_free(t, n);
		n = up;
		count = 1;
	}
}

uint64_t mount_tree_ino(struct mount_tree *t, const struct mount_node *dir, struct span name)
{
	uint64_t ino = siphash_at(t->key, dir->ino, name);

	return ino <= ROOT_INO ? ROOT_INO + 1 : ino;
}

struct mount_node *mount_tree_enter(
    struct mount_tree *t, struct mount_node *dir, struct mount_item *it)
{
	uint64_t ino = mount_tree_ino(t, dir, it->en.name);
	struct mount_node *n;

	/* Two names of one number: the later gets the next one. */
	while ((n = mount_tree_node(t, ino)) != NULL &&
	       (n->parent != dir || !span_eq(n->item->en.name, it->en.name)))
		if (++ino <= ROOT_INO)
			ino = ROOT_INO + 1;
	if (n == NULL)
		n = node_new(t, ino, dir, it);
	n->refs++;
	return n;
}

/* ---- Reading directories. */

static void put_path(struct buf *b, const struct mount_node *n)
{
	if (n->parent == NULL)
		return;
	put_path(b, n->parent);
	buf_put_u8(b, '/');
	buf_put_span(b, n->item->en.name);
}

void mount_tree_tell(struct mount_tree *t, const struct mount_node *n, const struct err *e)
{
	struct buf path = {0};

	if (e->kind == ERR_CANCELLED)
		return;
	put_path(&path, n);
	event_emit(t->ctx, e->kind == ERR_CORRUPT ? EVENT_OBJECT_DAMAGED : EVENT_FILE_FAILED,
	    buf_span(&path), "%s", e->msg);
	atomic_fetch_add(&t->ctx->progress.errors, 1);
	buf_fini(&path);
}

static void list_take(struct mount_tree *t, struct mount_list *l, const struct mount_node *dir,
    const struct entry *en, const struct tree_ref *ref)
{
	struct buf path = {0};

	if (en->name.n <= NAME_MAX_KERNEL) {
		mount_list_add(l, mount_item_new(en, ref));
		return;
	}
	put_path(&path, dir);
	event_emit(
	    t->ctx, EVENT_FILE_SKIPPED, buf_span(&path), "holds a name of %zu bytes", en->name.n);
	buf_fini(&path);
}

/* *keep: the same would be read again, so it need not be. */
static struct mount_list *read_list(struct mount_tree *t, struct mount_node *dir, bool *keep)
{
	const struct id tree = dir->item->ref.ids[0];
	struct mount_list *l = mount_list_new();
	struct tree_reader *tr = NULL;
	struct tree_ref ref;
	struct entry en;
	struct err e;
	int rc = -1;

	err_clear(&e);
	if (dir->depth > ENTRY_DEPTH_MAX)
		err_set(&e, ERR_CORRUPT, "directories nested deeper than %d", ENTRY_DEPTH_MAX);
	else
		tr = tree_reader_open(reader_tree_get, t->reader, &tree, &e);
	while (tr != NULL && (rc = tree_reader_next(tr, &en, &ref, &e)) == 1)
		list_take(t, l, dir, &en, &ref);
	tree_reader_close(tr);
	if (rc == -1) {
		mount_tree_tell(t, dir, &e);
		l->damaged = true;
	}
	*keep = rc != -1 || e.kind == ERR_CORRUPT;
	if (tr == NULL) {
		mount_list_unref(l);
		l = NULL;
	}
	return l;
}

/* Put a directory at the front of the recent ones; it has a list. */
static void recent_put(struct mount_tree *t, struct mount_node *dir)
{
	size_t i = 0, items = 0;

	while (i < t->nrecent && t->recent[i] != dir)
		i++;
	if (i == t->nrecent) {
		if (t->nrecent == RECENT)
			recent_drop(t, RECENT - 1);
		i = t->nrecent++;
	}
	memmove(&t->recent[1], &t->recent[0], i * sizeof(struct mount_node *));
	t->recent[0] = dir;
	for (i = 0; i < t->nrecent; i++)
		items += t->recent[i]->list->n;
	while (t->nrecent > 1 && items > RECENT_ITEMS) {
		items -= t->recent[t->nrecent - 1]->list->n;
		recent_drop(t, t->nrecent - 1);
	}
}

struct mount_list *mount_tree_list(struct mount_tree *t, struct mount_node *dir)
{
	if (dir->item->fixed != NULL)
		return mount_list_ref(dir->item->fixed);
	if (dir->list == NULL) {
		bool keep;
		struct mount_list *l = read_list(t, dir, &keep);

		if (l == NULL || !keep)
			return l;
		dir->list = l;
	}
	recent_put(t, dir);
	return mount_list_ref(dir->list);
}

/* ---- Life. */

struct mount_tree *mount_tree_new(struct mount_item *root, struct reader *rd, struct ctx *ctx)
{
	struct mount_tree *t = mem_zalloc(sizeof *t);

	t->reader = rd;
	t->ctx = ctx;
	crypto_random(t->key, sizeof t->key);
	t->buckets = BUCKETS_FIRST;
	t->bucket = mem_zalloc(t->buckets * sizeof(struct mount_node *));
	node_new(t, ROOT_INO, NULL, root);
	mount_item_unref(root);
	return t;
}

void mount_tree_free(struct mount_tree *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->buckets; i++)
		while (t->bucket[i] != NULL)
			node_free(t, t->bucket[i]);
	free(t->bucket);
	free(t);
}
