/* find_series: see find_series.h. */
#include "catalog/find_series.h"

#include <stdlib.h>

#include "base/mem.h"
#include "catalog/catalog_internal.h"

static const struct catalog_snapshot *copy(const struct catalog_snapshot *s)
{
	struct catalog_snapshot *d = mem_dup(s, sizeof *s);
	const char **texts[] = {
	    &d->repository, &d->name, &d->snapshot, &d->group, &d->system, &d->host, &d->outcome};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		*texts[i] = *texts[i] ? mem_strdup(*texts[i]) : NULL;
	return d;
}

static void free_copy(const struct catalog_snapshot *s)
{
	const char *texts[] = {
	    s->repository, s->name, s->snapshot, s->group, s->system, s->host, s->outcome};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		free((void *)texts[i]);
	free((void *)s);
}

static int keep(void *arg, const struct catalog_snapshot *s, struct err *e)
{
	struct find_series *x = arg;

	x->v = mem_realloc(x->v, (x->n + 1) * sizeof *x->v);
	x->v[x->n++] = copy(s);
	return 0;
}

int find_series_get(struct find_all_series *all, struct catalog *c, const struct catalog_find *p,
    int64_t id, struct find_series **out, struct err *e)
{
	struct db_value v[] = {db_int(id), db_text(p->repository ? p->repository : ""),
	    db_text(p->system ? p->system : "")};

	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].id == id) {
			*out = &all->v[i];
			return 0;
		}
	all->v = mem_realloc(all->v, (all->n + 1) * sizeof *all->v);
	*out = &all->v[all->n++];
	**out = (struct find_series){.id = id};
	return catalog_snapshots_where(c,
	    "WHERE s.series = ?1 AND s.seq > 0 AND (?2 = '' OR r.uid = ?2 OR r.name = ?2) "
	    "AND (?3 = '' OR s.system = ?3) ORDER BY s.seq",
	    v, 3, keep, *out, e);
}

size_t find_series_place(const struct find_series *s, int64_t seq)
{
	size_t a = 0, b = s->n;

	while (a < b) {
		size_t m = a + (b - a) / 2;

		if (s->v[m]->seq < seq)
			a = m + 1;
		else
			b = m;
	}
	return a;
}

void find_series_free(struct find_all_series *all)
{
	for (size_t i = 0; i < all->n; i++) {
		for (size_t k = 0; k < all->v[i].n; k++)
			free_copy(all->v[i].v[k]);
		free(all->v[i].v);
	}
	free(all->v);
}
