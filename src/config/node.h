/*
 * node: a YAML text as a tree whose every value knows where it stands.
 *
 * Only what a configuration needs: mappings with plain names, lists, scalars.
 * Anchors, aliases, merge keys and tags are refused: a few lines of them can stand for
 * gigabytes, and what is meant is clearer written out.  So are names that stand twice
 * in one mapping, more than one document, and what is beyond the limits below.
 *
 * Threads: one owner.
 */
#ifndef HF_CONFIG_NODE_H
#define HF_CONFIG_NODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/span.h"

enum {
	NODE_FILE_MAX = 4 << 20, /* bytes of one file */
	NODE_DEPTH_MAX = 16,
	NODE_COUNT_MAX = 100000, /* values in one file */
	NODE_NAMES_MAX = 10000,  /* names in one mapping */
};

enum node_kind { NODE_TEXT, NODE_LIST, NODE_MAP };

/* "FILE:LINE:COLUMN", from 1; line 0: FILE says it all. */
struct node_at {
	const char *file; /* borrowed */
	int line, column;
};

struct node {
	enum node_kind kind;
	bool quoted; /* a text in quotes: never null */
	bool later;  /* of a profile, and not taken yet: profile.h */
	char *name;  /* in a mapping, else NULL */
	char *text;  /* of NODE_TEXT, no NUL in it */
	struct node_at at, name_at;
	struct node *first, *last, *next;
	size_t n; /* children */
};

/* `file` is borrowed by the tree.  An empty text is an empty mapping.  ERR_USAGE. */
int node_parse(struct span text, const char *file, struct node **out, struct err *e);
void node_free(struct node *n); /* NULL does nothing */

/* The child of a mapping, or NULL. */
struct node *node_get(const struct node *map, const char *name);
/* A new text in a mapping, or in place of the child of that name. */
void node_set(struct node *map, const char *name, const char *text, struct node_at at);

/*
 * What `over` says goes before what `base` says: mappings are merged name by name, texts
 * and lists replaced; so is what is not taken yet.  What was merged stands where `over` has it.
 * `over` is taken.
 */
void node_merge(struct node *base, struct node *over);

/* ERR_USAGE "FILE:LINE:COLUMN: ..."; returns -1. */
int node_fail(struct node_at at, struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
