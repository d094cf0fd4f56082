/* profile: see profile.h. */
#include "config/profile.h"

#include <string.h>

#include "base/buf.h"
#include "base/near.h"
#include "config/field.h"
#include "config/world.h"

static int no_such(const struct node *n, struct err *e)
{
	const char *best = NULL;
	size_t least = 64;
	struct buf all = {0};

	for (const struct profile *p = profiles; p->name != NULL; p++) {
		near_consider(n->text, p->name, &best, &least);
		buf_printf(&all, "%s%s", all.n ? ", " : "", p->name);
	}
	node_fail(n->at, e, "there is no profile '%.64s'", n->text);
	if (best != NULL)
		err_hint(e, "did you mean '%s'?", best);
	else
		err_hint(e, "there are %s", buf_cstr(&all));
	buf_fini(&all);
	return -1;
}

int profile_apply(struct node **tree, struct err *e)
{
	const struct node *named = node_get(*tree, "profile");
	const struct profile *p = profiles;
	struct node *below;

	if (named == NULL)
		return 0;
	if (named->kind != NODE_TEXT || named->text[0] == '\0')
		return node_fail(named->at, e, "profile has to be the name of one");
	while (p->name != NULL && strcmp(p->name, named->text) != 0)
		p++;
	if (p->name == NULL)
		return no_such(named, e);
	if (node_parse(p->text, p->place, &below, e) == -1)
		return -1;
	field_mark_later(below, &world_table);
	node_merge(below, *tree);
	*tree = below;
	return 0;
}
