/* name_list: see name_list.h. */
#include "repo/name_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const char *const folders[] = {
    "logs/", "keys/", "index/", "snapshots/", "notes/", "marks/", "meta/", "packs/"};

enum { FOLDERS = sizeof folders / sizeof *folders, SMALL = FOLDERS - 2 };

void name_list_fini(struct name_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	memset(l, 0, sizeof *l);
}

int name_list_take(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct name_list *l = arg;

	l->v = mem_realloc(l->v, (l->n + 1) * sizeof *l->v);
	l->v[l->n++] = mem_strdup(key);
	return 0;
}

bool name_list_kind(const char *path)
{
	if (strncmp(path, "config/", 7) == 0)
		return true;
	for (size_t i = 0; i < FOLDERS; i++)
		if (strncmp(path, folders[i], strlen(folders[i])) == 0)
			return true;
	return false;
}

int name_list_objects(struct store *s, bool packs, store_visit *visit, void *arg, struct err *e)
{
	for (size_t i = 0; i < (packs ? FOLDERS : SMALL); i++)
		if (store_list(s, folders[i], visit, arg, e) == -1)
			return -1;
	return 0;
}
