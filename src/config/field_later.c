/* field_later: which values of a tree are keys that this version does nothing with yet. */
#include <string.h>

#include "config/field.h"

void field_mark_later(struct node *n, const struct field_table *t)
{
	for (struct node *c = n->first; c != NULL; c = c->next)
		for (const struct field *f = t->rows; c->name != NULL && f->name != NULL; f++) {
			if (strcmp(f->name, c->name) != 0)
				continue;
			c->later = f->type == FIELD_LATER;
			if (f->type == FIELD_STRUCT)
				field_mark_later(c, f->of);
			for (struct node *item = c->first;
			     item != NULL && (f->type == FIELD_NAMED || f->type == FIELD_LIST);
			     item = item->next)
				field_mark_later(item, f->of);
		}
}
