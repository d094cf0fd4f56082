/* files_ask: the tree of the paths asked for; see files.h. */
#include <stdlib.h>

#include "base/mem.h"
#include "source/files.h"

static size_t place(const struct ask *a, const char *name, bool *found)
{
	size_t lo = 0, hi = a->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(a->child[mid]->name, name);

		if (c == 0) {
			*found = true;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*found = false;
	return lo;
}

/* Takes name. */
static struct ask *child_make(struct ask *a, char *name)
{
	bool found;
	size_t i = place(a, name, &found);

	if (found) {
		free(name);
		return a->child[i];
	}
	a->child = mem_realloc(a->child, (a->n + 1) * sizeof(struct ask *));
	memmove(a->child + i + 1, a->child + i, (a->n - i) * sizeof(struct ask *));
	a->n++;
	a->child[i] = mem_zalloc(sizeof *a);
	a->child[i]->name = name;
	return a->child[i];
}

static void add(struct ask *a, const char *path)
{
	while (*path != '\0') {
		size_t n = strcspn(path, "/");

		if (n > 0)
			a = child_make(a, mem_strndup(path, n));
		path += n;
		path += strspn(path, "/");
	}
	a->whole = true;
}

struct ask *ask_new(const char *const *paths, size_t n)
{
	struct ask *root = mem_zalloc(sizeof *root);

	root->name = mem_strdup("");
	for (size_t i = 0; i < n; i++)
		add(root, paths[i]);
	return root;
}

void ask_free(struct ask *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < a->n; i++)
		ask_free(a->child[i]);
	free(a->child);
	free(a->name);
	free(a);
}

const struct ask *ask_child(const struct ask *a, const char *name)
{
	bool found;
	size_t i;

	if (a == NULL)
		return NULL;
	i = place(a, name, &found);
	return found ? a->child[i] : NULL;
}
