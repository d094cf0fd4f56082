/* world_destinations: where a tier goes that does not say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/world_load.h"

static void imply(const struct world *w, struct world_tier *t)
{
	struct field_texts *d = &t->destinations;

	d->v = mem_zalloc((w->repositories.n + 1) * sizeof *d->v);
	d->at = mem_zalloc((w->repositories.n + 1) * sizeof *d->at);
	for (size_t i = 0; i < w->repositories.n; i++) {
		const struct world_repository *r = world_repository_at(w, i);

		if (!world_may_reside(t, r))
			continue;
		d->v[d->n] = mem_strdup(r->item.name);
		d->at[d->n++] = t->item.at;
	}
}

static size_t choose(const struct world *w, const struct world_tier *t, bool archives,
    const struct world_repository **out)
{
	size_t n = 0, others = 0;

	world_destinations(w, t, out);
	for (size_t i = 0; i < t->destinations.n; i++)
		others += out[i]->role != WORLD_ARCHIVE;
	for (size_t i = 0; i < t->destinations.n; i++)
		if ((others > 0 && out[i]->role == WORLD_ARCHIVE) == archives)
			out[n++] = out[i];
	return n;
}

size_t world_written(
    const struct world *w, const struct world_tier *t, const struct world_repository **out)
{
	return choose(w, t, false, out);
}

size_t world_archives(
    const struct world *w, const struct world_tier *t, const struct world_repository **out)
{
	return choose(w, t, true, out);
}

bool world_has_archives(const struct world *w, const struct world_tier *t)
{
	const struct world_repository **v = mem_alloc((t->destinations.n + 1) * sizeof(void *));
	size_t n = world_archives(w, t, v);

	free(v);
	return n > 0;
}

void world_imply_archive(struct world *w)
{
	for (size_t i = 0; i < w->tiers.n; i++) {
		struct world_tier *t = (struct world_tier *)w->tiers.v + i;

		for (size_t j = 0; j < t->destinations.n; j++)
			if (world_repository(w, t->destinations.v[j]) == NULL)
				return; /* a mistake, as will be told */
		if (t->schedule.archive == NULL && world_has_archives(w, t))
			t->schedule.archive = mem_strdup("monthly");
	}
}

/* An empty list was written, and is a mistake: it stays empty. */
static bool says_destinations(const struct world *w, const struct world_tier *t)
{
	return world_place(w, "tiers", t->item.name, "destinations").line != 0;
}

void world_imply_destinations(struct world *w)
{
	for (size_t i = 0; i < w->tiers.n; i++) {
		struct world_tier *t = (struct world_tier *)w->tiers.v + i;

		if (!says_destinations(w, t))
			imply(w, t);
	}
}

int world_check_no_destinations(const struct world *w, const struct world_tier *t, struct err *e)
{
	if (says_destinations(w, t))
		return node_fail(t->item.at, e, "%s has no destinations", t->item.name);
	if (w->repositories.n > 0) {
		node_fail(t->item.at, e, "residency leaves %s no repository", t->item.name);
		return err_hint(e, "each repository says its location: one has to be one of these");
	}
	for (size_t i = 0; i < w->systems.n; i++) {
		const struct world_system *s = world_system_at(w, i);

		if (strcmp(s->tier, t->item.name) != 0)
			continue;
		node_fail(s->item.at, e, "there is no repository for %s", s->item.name);
		return err_hint(e, "declare one below repositories:");
	}
	return 0; /* nothing goes there */
}
