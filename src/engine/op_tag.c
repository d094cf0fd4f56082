/* op_tag: tags are notes (op_tree.h). */
#include <string.h>

#include "engine/op_tree.h"
#include "repo/note.h"

static bool has(const char *const *v, size_t n, const char *tag)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i], tag) == 0)
			return true;
	return false;
}

static int check_tags(const char *const *v, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (v[i][0] == '\0')
			return err_set(e, ERR_USAGE, "a tag must not be empty");
	return 0;
}

int op_tag(struct repo *r, const struct snapshot *s, const char *const *add, size_t nadd,
    const char *const *remove, size_t nremove, struct ctx *ctx, struct err *e)
{
	const char *const *tags = (const char *const *)s->tags;

	if (check_tags(add, nadd, e) == -1 || check_tags(remove, nremove, e) == -1)
		return -1;
	for (size_t i = 0; i < nadd; i++)
		if (has(remove, nremove, add[i]))
			return err_set(e, ERR_USAGE, "tag '%s' is both added and removed", add[i]);
	for (size_t i = 0; i < nremove; i++)
		if (has(tags, s->ntags, remove[i]) && !has(remove, i, remove[i]) &&
		    (ctx_check(ctx, e) == -1 || note_add(r, s, NOTE_UNTAG, remove[i], e) == -1))
			return err_wrap(e, "remove tag '%s'", remove[i]);
	for (size_t i = 0; i < nadd; i++)
		if (!has(tags, s->ntags, add[i]) && !has(add, i, add[i]) &&
		    (ctx_check(ctx, e) == -1 || note_add(r, s, NOTE_TAG, add[i], e) == -1))
			return err_wrap(e, "add tag '%s'", add[i]);
	return 0;
}
