/* world: what was loaded, and what refers to what in it.  Files are read in world_load.c. */
#include "config/world.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/near.h"
#include "config/world_load.h"
#include "config/world_notify.h"
#include "store/store.h"
#include "store/store_options.h"

static void *by_name(const struct field_items *items, size_t size, const char *name)
{
	for (size_t i = 0; i < items->n; i++) {
		struct field_item *item = (void *)((char *)items->v + i * size);

		if (strcmp(item->name, name) == 0)
			return item;
	}
	return NULL;
}

const struct world_repository *world_repository(const struct world *w, const char *name)
{
	return by_name(&w->repositories, sizeof(struct world_repository), name);
}

const struct world_tier *world_tier(const struct world *w, const char *name)
{
	return by_name(&w->tiers, sizeof(struct world_tier), name);
}

const struct world_system *world_system(const struct world *w, const char *name)
{
	return by_name(&w->systems, sizeof(struct world_system), name);
}

const struct world_repository *world_repository_at(const struct world *w, size_t i)
{
	return (const struct world_repository *)w->repositories.v + i;
}

const struct world_system *world_system_at(const struct world *w, size_t i)
{
	return (const struct world_system *)w->systems.v + i;
}

const struct world_source *world_source_at(const struct world_system *s, size_t i)
{
	return (const struct world_source *)s->sources.v + i;
}

const struct world_source *world_source_of(const struct world_system *s, enum world_kind kind)
{
	for (size_t i = 0; i < s->sources.n; i++)
		if (world_source_at(s, i)->kind == (int)kind)
			return world_source_at(s, i);
	return NULL;
}

const char *world_role_name(int role)
{
	static const char *const names[] = {"", "primary", "secondary", "archive", "offsite"};

	return names[role];
}

/* Which is asked first? */
static int order(const struct world_repository *a, const struct world_repository *b)
{
	bool pa = a->role == WORLD_PRIMARY, pb = b->role == WORLD_PRIMARY;
	unsigned x = a->priority ? a->priority : 2000000000,
		 y = b->priority ? b->priority : 2000000000;

	return pa != pb ? pb - pa : (x > y) - (x < y);
}

void world_destinations(
    const struct world *w, const struct world_tier *t, const struct world_repository **out)
{
	for (size_t i = 0; i < t->destinations.n; i++) {
		const struct world_repository *r = world_repository(w, t->destinations.v[i]);
		size_t at = i;

		for (; at > 0 && order(r, out[at - 1]) < 0; at--)
			out[at] = out[at - 1];
		out[at] = r;
	}
}

bool world_may_reside(const struct world_tier *t, const struct world_repository *r)
{
	for (size_t i = 0; i < t->residency.n; i++)
		if (r->location != NULL && strcmp(t->residency.v[i], r->location) == 0)
			return true;
	return t->residency.n == 0;
}

/* ---- What tables cannot say. */

int world_no_such(struct node_at at, const char *what, const char *word,
    const struct field_items *items, size_t size, struct err *e)
{
	const char *best = NULL;
	size_t least = 64;

	for (size_t i = 0; i < items->n; i++)
		near_consider(word, ((struct field_item *)((char *)items->v + i * size))->name,
		    &best, &least);
	node_fail(at, e, "there is no %s '%.64s'", what, word);
	return best ? err_hint(e, "did you mean '%s'?", best) : -1;
}

struct node_at world_place(
    const struct world *w, const char *section, const char *name, const char *key)
{
	const struct node *n = node_get(node_get(node_get(w->tree, section), name), key);

	return n ? n->at : (struct node_at){section, 0, 0};
}

/* Names go into variables' names, file names and -r: so nothing that is special there. */
static int check_names(
    const struct field_items *items, size_t size, const char *what, struct err *e)
{
	for (size_t i = 0; i < items->n; i++) {
		const struct field_item *item = (void *)((char *)items->v + i * size);
		size_t n = strlen(item->name);

		if (n > 0 && n <= 64 && item->name[0] != '-' && item->name[0] != '.' &&
		    strspn(item->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789._-") == n)
			continue;
		node_fail(item->at, e, "'%.64s' is not a name for a %s", item->name, what);
		return err_hint(
		    e, "1 to 64 letters, digits, '_', '-' and '.', not begun by '-' or '.'");
	}
	return 0;
}

/* "s3:...": something before a colon, and no '/' in it. */
static bool has_scheme(const char *url)
{
	size_t n = strcspn(url, ":/");

	return url[n] == ':' && n > 0;
}

/* What the store at that place cannot do is no promise to make of it. */
static int check_store(const struct world *w, const struct world_repository *r, struct err *e)
{
	static const char *const buckets[] = {"s3:", "gcs:", "gs:", "azure:"};
	const char *name = r->item.name, *user = strstr(r->url, "://");
	struct store_given given = {(const char *const *)r->options.v, r->options.n};
	struct err why;

	if (user != NULL && strcspn(user + 3, ":") < strcspn(user + 3, "@/")) {
		if (user[3 + strcspn(user + 3, "@/")] == '@') {
			node_fail(world_place(w, "repositories", name, "url"), e,
			    "url: a password stands in it");
			return err_hint(e, "it goes into its variable: doc/stores.md");
		}
	}
	if ((r->object_lock.ns || r->object_lock.months) && strncmp(r->url, "s3:", 3) != 0) {
		node_fail(world_place(w, "repositories", name, "object_lock"), e,
		    "object_lock: only a bucket of s3 locks what is put there");
		return err_hint(
		    e, "where others keep it from being deleted, 'check --tamper' proves it");
	}
	if (store_check(r->url, &given, &why) == -1) {
		node_fail(
		    r->options.n ? r->options.at[0] : world_place(w, "repositories", name, "url"),
		    e, "%s", why.msg);
		return why.hint[0] ? err_hint(e, "%s", why.hint) : -1;
	}
	for (size_t i = 0; r->offline && i < sizeof buckets / sizeof *buckets; i++)
		if (strncmp(r->url, buckets[i], strlen(buckets[i])) == 0)
			return node_fail(world_place(w, "repositories", name, "offline"), e,
			    "offline: a bucket is never away");
	return 0;
}

static int check_repository(const struct world *w, const struct world_repository *r, struct err *e)
{
	const char *name = r->item.name;
	const char *path = strncmp(r->url, "fs:", 3) == 0 ? r->url + 3 : r->url;

	if ((path != r->url || !has_scheme(r->url)) && path[0] != '/') {
		node_fail(world_place(w, "repositories", name, "url"), e,
		    "url: '%.200s' is not an absolute path", r->url);
		return err_hint(e, "a configuration is used from any folder");
	}
	if (check_store(w, r, e) == -1)
		return -1;
	if (r->key != NULL && r->password != NULL)
		return node_fail(world_place(w, "repositories", name, "password"), e,
		    "%s has a key and a password: one of them opens it", name);
	for (size_t i = 0; world_repository_at(w, i) != r; i++) {
		const struct world_repository *o = world_repository_at(w, i);

		if (strcmp(o->url, r->url) == 0)
			return node_fail(world_place(w, "repositories", name, "url"), e,
			    "%s and %s are the same place", name, o->item.name);
	}
	return 0;
}

static int check_tier(const struct world *w, const struct world_tier *t, struct err *e)
{
	const struct field_texts *d = &t->destinations;

	if (d->n == 0)
		return world_check_no_destinations(w, t, e);
	for (size_t i = 0; i < d->n; i++) {
		if (world_repository(w, d->v[i]) == NULL)
			return world_no_such(d->at[i], "repository", d->v[i], &w->repositories,
			    sizeof(struct world_repository), e);
		for (size_t j = 0; j < i; j++)
			if (strcmp(d->v[i], d->v[j]) == 0)
				return node_fail(d->at[i], e, "'%s' stands here twice", d->v[i]);
	}
	return 0;
}

static int check_system(const struct world *w, const struct world_system *s, struct err *e)
{
	if (world_tier(w, s->tier) == NULL)
		return world_no_such(world_place(w, "systems", s->item.name, "tier"), "tier",
		    s->tier, &w->tiers, sizeof(struct world_tier), e);
	if (s->sources.n == 0)
		return node_fail(s->item.at, e, "%s has no sources", s->item.name);
	for (size_t i = 0; i < s->sources.n; i++) {
		const struct world_source *src = world_source_at(s, i);

		if (world_check_source(w, s, i, e) == -1)
			return -1;
		if (src->kind != WORLD_FILES)
			continue;
		if (src->files.paths.n == 0)
			return node_fail(src->item.at, e, "a source without paths");
		for (size_t j = 0; j < src->files.paths.n; j++)
			if (src->files.paths.v[j][0] != '/')
				return node_fail(src->files.paths.at[j], e,
				    "'%.200s' is not an absolute path", src->files.paths.v[j]);
		if (world_check_freeze(src, e) == -1)
			return -1;
	}
	return 0;
}

void world_check(const struct world *w, struct mistakes *m)
{
	struct err e;

	if (check_names(&w->repositories, sizeof(struct world_repository), "repository", &e) == -1)
		mistakes_add(m, &e);
	if (check_names(&w->tiers, sizeof(struct world_tier), "tier", &e) == -1)
		mistakes_add(m, &e);
	if (check_names(&w->systems, sizeof(struct world_system), "system", &e) == -1)
		mistakes_add(m, &e);
	for (size_t i = 0; i < w->repositories.n; i++)
		if (check_repository(w, world_repository_at(w, i), &e) == -1)
			mistakes_add(m, &e);
	for (size_t i = 0; i < w->tiers.n; i++)
		if (check_tier(w, (const struct world_tier *)w->tiers.v + i, &e) == -1 ||
		    world_check_tier_drill(w, (const struct world_tier *)w->tiers.v + i, &e) == -1)
			mistakes_add(m, &e);
	for (size_t i = 0; i < w->systems.n; i++)
		if (check_system(w, world_system_at(w, i), &e) == -1 ||
		    world_check_drill_checks(world_system_at(w, i), &e) == -1)
			mistakes_add(m, &e);
	if (world_check_drill(w, &e) == -1)
		mistakes_add(m, &e);
	world_check_times(w, m);
	world_check_monitors(w, m);
	world_check_catalog(w, m);
	if (check_names(&w->notify, sizeof(struct world_channel), "channel", &e) == -1)
		mistakes_add(m, &e);
	world_check_notify(w, m);
	world_server_check(w, m);
}
