/* pg_manifest: see pg_manifest.h. */
#include "source/pg_manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct pg_manifest_file *pg_manifest_add(struct pg_manifest *m, const char *path)
{
	if (m->n == m->cap) {
		m->cap = m->cap ? 2 * m->cap : 1024;
		m->v = mem_realloc(m->v, m->cap * sizeof *m->v);
	}
	m->v[m->n] = (struct pg_manifest_file){.path = mem_strdup(path)};
	return &m->v[m->n++];
}

void pg_manifest_fini(struct pg_manifest *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->v[i].path);
	free(m->v);
	*m = (struct pg_manifest){0};
}

static int by_path(const void *a, const void *b)
{
	const struct pg_manifest_file *x = a, *y = b;

	return strcmp(x->path, y->path);
}

size_t pg_manifest_find(const struct pg_manifest *m, const char *path)
{
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (strcmp(m->v[mid].path, path) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void pg_manifest_sort(struct pg_manifest *m)
{
	if (m->n > 0)
		qsort(m->v, m->n, sizeof *m->v, by_path);
}
