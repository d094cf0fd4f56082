/* node: the tree itself.  See node.h. */
#include "config/node.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

void node_free(struct node *n)
{
	while (n != NULL && n->first != NULL) {
		struct node *child = n->first;

		n->first = child->next;
		node_free(child);
	}
	if (n == NULL)
		return;
	free(n->name);
	free(n->text);
	free(n);
}

struct node *node_get(const struct node *map, const char *name)
{
	if (map == NULL || map->kind != NODE_MAP)
		return NULL;
	for (struct node *c = map->first; c != NULL; c = c->next)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

static void append(struct node *parent, struct node *child)
{
	if (parent->last != NULL)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
	parent->n++;
}

/* What c is, without its name and place among its siblings, becomes what `from` is. */
static void take_value(struct node *c, struct node *from)
{
	struct node old = *c;

	c->kind = from->kind;
	c->quoted = from->quoted;
	c->later = from->later;
	c->text = from->text;
	c->at = from->at;
	c->name_at = from->name_at;
	c->first = from->first;
	c->last = from->last;
	c->n = from->n;
	from->text = old.text;
	from->first = old.first;
	from->last = old.last;
}

void node_set(struct node *map, const char *name, const char *text, struct node_at at)
{
	struct node *c = mem_zalloc(sizeof *c), *old = node_get(map, name);

	c->kind = NODE_TEXT;
	c->quoted = true;
	c->name = mem_strdup(name);
	c->text = mem_strdup(text);
	c->at = c->name_at = at;
	if (old == NULL) {
		append(map, c);
		return;
	}
	take_value(old, c);
	node_free(c);
}

void node_merge(struct node *base, struct node *over)
{
	struct node *next;

	for (struct node *c = over->first; c != NULL; c = next) {
		struct node *old = node_get(base, c->name);

		next = c->next;
		c->next = NULL;
		if (old == NULL) {
			append(base, c);
			continue;
		}
		if (old->kind == NODE_MAP && c->kind == NODE_MAP && !old->later) {
			old->at = c->at;
			old->name_at = c->name_at;
			node_merge(old, c);
			continue;
		}
		take_value(old, c);
		node_free(c);
	}
	over->first = NULL;
	node_free(over);
}

int node_fail(struct node_at at, struct err *e, const char *fmt, ...)
{
	char what[ERR_MSG_MAX / 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	if (at.line == 0)
		return err_set(e, ERR_USAGE, "%s: %s", at.file, what);
	return err_set(e, ERR_USAGE, "%s:%d:%d: %s", at.file, at.line, at.column, what);
}
