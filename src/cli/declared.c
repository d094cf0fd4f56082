/* declared: see declared.h. */
#include "cli/declared.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/near.h"

const struct world_system *declared_system(
    const struct world *w, const char *name, enum err_kind kind, struct err *e)
{
	const struct world_system *s = world_system(w, name);
	const char *best = NULL;
	size_t least = 64;

	if (s != NULL)
		return s;
	for (size_t i = 0; i < w->systems.n; i++)
		near_consider(name, world_system_at(w, i)->item.name, &best, &least);
	err_set(e, kind, "there is no system '%.200s' in %s", name, w->files[0]);
	if (best != NULL)
		err_hint(e, "did you mean '%s'?", best);
	else
		err_hint(e, "holdfast config show prints what is declared");
	return NULL;
}

int declared_for(
    const struct world *w, const char *name, const char *kind, enum err_kind error, struct err *e)
{
	if (strcmp(kind, "prune") != 0)
		return declared_system(w, name, error, e) ? 0 : -1;
	if (world_repository(w, name) != NULL)
		return 0;
	err_set(e, error, "there is no repository '%.200s' in %s", name, w->files[0]);
	return err_hint(e, "a prune is of a repository, by its name in the configuration");
}

static int64_t length(const struct calendar_duration *d)
{
	return d->ns + (int64_t)d->months * 30 * 86400 * CALENDAR_SECOND;
}

int64_t declared_every_ns(const struct world_times *t, enum times_what what, int64_t now_s)
{
	int64_t first, second;

	if (!t->is[what] || !schedule_next(&t->v[what], now_s, &first) ||
	    !schedule_next(&t->v[what], first, &second))
		return 0;
	return (second - first) * CALENDAR_SECOND;
}

static int by_name(const void *a, const void *b)
{
	const struct world_system *const *x = a, *const *y = b;

	return strcmp((*x)->item.name, (*y)->item.name);
}

int declared_systems(const struct world *w, declared_times *times, void *arg, int64_t now_ns,
    api_system_row *each, void *to, struct err *e)
{
	const struct world_system **v = mem_alloc((w->systems.n + 1) * sizeof(void *));
	int64_t now_s = now_ns / CALENDAR_SECOND, due, start;
	enum times_what what;
	int rc = 0;

	for (size_t i = 0; i < w->systems.n; i++)
		v[i] = world_system_at(w, i);
	qsort(v, w->systems.n, sizeof *v, by_name);
	for (size_t i = 0; rc == 0 && i < w->systems.n; i++) {
		const struct world_times *t = times(arg, v[i]);
		struct api_system row = {.name = v[i]->item.name,
		    .tier = v[i]->tier,
		    .node = v[i]->node,
		    .rpo_ns = length(&world_tier(w, v[i]->tier)->rpo.target)};

		if (t != NULL)
			row.verify_ns = declared_every_ns(t, TIMES_VERIFY, now_s);
		if (t != NULL && !v[i]->paused &&
		    world_times_next(t, now_s, true, &what, &due, &start))
			row.next_ns = start * CALENDAR_SECOND;
		rc = each(to, &row, e);
	}
	free(v);
	return rc;
}

/* What a bucket keeps is not a disk of ours. */
const char *declared_media(const struct world_repository *r)
{
	static const char *const buckets[] = {"s3:", "gcs:", "gs:", "azure:", "b2:", "swift:"};

	if (r->media != NULL)
		return r->media;
	for (size_t i = 0; i < sizeof buckets / sizeof *buckets; i++)
		if (strncmp(r->url, buckets[i], strlen(buckets[i])) == 0)
			return "objects";
	return "disk";
}

int declared_repositories(const struct world *w, api_repository_row *each, void *to, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < w->repositories.n; i++) {
		const struct world_repository *r = world_repository_at(w, i);
		const char *role = world_role_name(r->role);
		struct api_repository row = {
		    r->item.name, role[0] ? role : NULL, r->location, declared_media(r)};

		rc = each(to, &row, e);
	}
	return rc;
}
