/* store_walk: see store_walk.h. */
#include "store/store_walk.h"

#include <stdlib.h>

#include "base/mem.h"

int store_walk_count(struct store_walk *w, struct err *e)
{
	if (w->entries++ < STORE_WALK_MAX)
		return 0;
	err_set(e, ERR_FAILED, "the server names more than %d files and folders", STORE_WALK_MAX);
	return err_hint(e, "is that the repository's own folder?");
}

static unsigned depth(const char *path)
{
	unsigned n = 1;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

void store_walk_put_back(struct store_walk *w, char *folder)
{
	if (w->n == w->cap)
		w->folders = mem_realloc(
		    w->folders, (w->cap = w->cap * 2 + 16) * sizeof *w->folders);
	w->folders[w->n++] = folder;
}

void store_walk_add(struct store_walk *w, const char *path)
{
	if (depth(path) <= STORE_WALK_DEPTH)
		store_walk_put_back(w, mem_printf("%s/", path));
}

char *store_walk_next(struct store_walk *w)
{
	return w->n > 0 ? w->folders[--w->n] : NULL;
}

void store_walk_fini(struct store_walk *w)
{
	while (w->n > 0)
		free(w->folders[--w->n]);
	free(w->folders);
	*w = (struct store_walk){0};
}
