/*
 * mount_tree: what a mount shows, as directories of items, and the nodes of
 * them that the kernel knows.
 *
 *   item     one entry with all its facts; immutable, counted
 *   list     a directory's items in order of name; immutable once shown, counted
 *   node     an item at its place; lives while the kernel remembers it, or
 *            something below it, or an open file
 *
 * Lists of stored directories are read when needed; a few are kept, so that
 * looking at every name of a directory reads it once.  An inode number is a
 * keyed hash of the parent's and the name: the same for the whole mount, even
 * where the node was forgotten in between.
 *
 * What is stored is hostile: a directory that is damaged shows what could be
 * read of it, and says so in `damaged`.
 *
 * Threads: one owner.
 */
#ifndef HF_ENGINE_MOUNT_TREE_H
#define HF_ENGINE_MOUNT_TREE_H

#include "base/ctx.h"
#include "base/entry.h"
#include "repo/reader.h"
#include "repo/tree.h"

struct mount_list;

struct mount_item {
	unsigned refs;
	struct entry en; /* strings in the same block; no owners' names */
	struct tree_ref ref;
	struct mount_list *fixed; /* of a directory that we made up, else NULL */
};

struct mount_list {
	unsigned refs;
	struct mount_item **v;
	size_t n, cap;
	bool damaged; /* what follows the last item could not be read */
};

struct mount_node {
	uint64_t ino;
	uint64_t refs; /* the kernel's lookups, nodes below, handles */
	struct mount_node *parent;
	unsigned depth;
	struct mount_item *item;
	struct mount_list *list; /* if among the tree's recent ones */
	struct mount_node *next; /* in its bucket */
};

/* New, with one reference, everything copied. */
struct mount_item *mount_item_new(const struct entry *en, const struct tree_ref *ref);
/* A made-up directory; takes the list. */
struct mount_item *mount_item_fixed(
    struct span name, const struct entry *like, struct mount_list *l);
void mount_item_unref(struct mount_item *it); /* NULL does nothing */

struct mount_list *mount_list_new(void);
struct mount_list *mount_list_ref(struct mount_list *l);
void mount_list_unref(struct mount_list *l);                      /* NULL does nothing */
void mount_list_add(struct mount_list *l, struct mount_item *it); /* takes it */
void mount_list_sort(struct mount_list *l);                       /* for made-up ones */
struct mount_item *mount_list_find(const struct mount_list *l, struct span name); /* borrowed */

struct mount_tree;

/* Takes the root; borrows the reader. */
struct mount_tree *mount_tree_new(struct mount_item *root, struct reader *rd, struct ctx *ctx);
void mount_tree_free(struct mount_tree *t); /* NULL does nothing */

/* By number (1 is the root); NULL if it was forgotten. */
struct mount_node *mount_tree_node(struct mount_tree *t, uint64_t ino);
uint64_t mount_tree_ino(struct mount_tree *t, const struct mount_node *dir, struct span name);
size_t mount_tree_count(const struct mount_tree *t); /* nodes, for tests */

/*
 * The items of a directory: a new reference.  NULL if nothing of it can be
 * read (told to the sink); a directory that is damaged within is told, too.
 */
struct mount_list *mount_tree_list(struct mount_tree *t, struct mount_node *dir);

/* The node of an item of this directory, with one more reference. */
struct mount_node *mount_tree_enter(
    struct mount_tree *t, struct mount_node *dir, struct mount_item *it);
void mount_tree_forget(struct mount_tree *t, struct mount_node *n, uint64_t count);

/* Tell the sink what is wrong with a node, by its path below the mount point. */
void mount_tree_tell(struct mount_tree *t, const struct mount_node *n, const struct err *e);

#endif
