/*
 * cli_config: what commands take from the configuration: a name for --repo or --also, and
 * what a declared system consists of, where it goes and what is kept of it.
 */
#include "cli/cli_out.h"

#include <stdlib.h>

#include "base/mem.h"
#include "config/secret_ref.h"
#include "config/world.h"

int config_load(struct cli *c, bool must, struct err *e)
{
	if (!c->looked && world_load(c->opt.config, getenv, NULL, &c->world, e) == -1)
		return -1;
	c->looked = true;
	if (c->world != NULL || !must)
		return 0;
	err_set(e, ERR_USAGE, "there is no configuration");
	return err_hint(e, "use -c FILE, HOLDFAST_CONFIG, ~/.config/holdfast/holdfast.yaml or "
			   "/etc/holdfast/holdfast.yaml");
}

int config_repository(
    struct cli *c, const char *word, const struct world_repository **out, struct err *e)
{
	*out = NULL;
	if (word[strcspn(word, "/:")] != '\0')
		return 0;
	if (config_load(c, false, e) == -1) {
		if (e->hint[0] == '\0')
			err_hint(e, "a folder of that name is ./%s", word);
		return -1;
	}
	if (c->world != NULL)
		*out = world_repository(c->world, word);
	return 0;
}

int config_cred(const struct world_repository *r, struct cred *out, struct err *e)
{
	const char *ref = r->key ? r->key : r->password;
	char *secret;
	size_t n;

	if (secret_ref_read(ref, &secret, &n, e) == -1)
		return err_wrap(e, "%s of %s", r->key ? "key" : "password", r->item.name);
	if (cred_take(out, r->key != NULL, secret, n, e) == -1)
		return err_wrap(e, "%s of %s: %s", r->key ? "key" : "password", r->item.name, ref);
	return 0;
}

static void list_put(struct cli_list *l, size_t at, const char *text)
{
	l->v = mem_realloc(l->v, (l->n + 1) * sizeof *l->v);
	memmove(l->v + at + 1, l->v + at, (l->n - at) * sizeof *l->v);
	l->v[at] = mem_strdup(text);
	l->n++;
}

/* Data stays where its tier allows: told before anything is read. */
static int check_residency(const struct world_system *s, const struct world_tier *t,
    const struct world_repository *r, struct err *e)
{
	if (world_may_reside(t, r))
		return 0;
	err_set(e, ERR_USAGE, "backup: %s may not be at %s: its location is %s", s->item.name,
	    r->item.name, r->location ? r->location : "not said");
	return err_hint(
	    e, "tier %s has residency: change it, its destinations, or the location", t->item.name);
}

/* A place that is added has to be allowed too; of one that is not declared nobody knows. */
static int check_also(
    struct cli *c, const struct world_system *s, const struct world_tier *t, struct err *e)
{
	for (size_t i = 0; t->residency.n > 0 && i < c->opt.also.n; i++) {
		const struct world_repository *r = world_repository(c->world, c->opt.also.v[i]);

		if (r != NULL && check_residency(s, t, r, e) == -1)
			return -1;
		if (r != NULL)
			continue;
		err_set(e, ERR_USAGE, "backup: %s has a residency, and where %s is nobody says",
		    s->item.name, c->opt.also.v[i]);
		return err_hint(e, "declare it among the repositories, with its location");
	}
	return 0;
}

/* The first place is --repo, the others stand after what --also gave with key files of its own. */
static int apply_places(struct cli *c, const struct world_system *s, struct err *e)
{
	const struct world_tier *t = world_tier(c->world, s->tier);
	const struct world_repository **to = mem_alloc(t->destinations.n * sizeof(void *));
	size_t n = world_written(c->world, t, to); /* archives are filled by copies */
	int rc = 0;

	if (check_also(c, s, t, e) == -1)
		rc = -1;
	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = check_residency(s, t, to[i], e);
		if (i == 0)
			c->opt.repo = to[i]->item.name;
		else
			list_put(&c->opt.also, c->opt.also.n, to[i]->item.name);
	}
	free(to);
	return rc;
}

int config_place_of(struct cli *c, const char *system, struct err *e)
{
	const struct world_repository **of;
	const struct world_system *s;
	const struct world_tier *t;

	if (c->opt.repo != NULL && c->opt.repo[0] != '\0')
		return 0;
	if (config_load(c, false, e) == -1)
		return -1;
	s = c->world ? world_system(c->world, system) : NULL;
	if (c->world != NULL && s == NULL) {
		err_set(
		    e, ERR_USAGE, "there is no system '%.200s' in %s", system, c->world->files[0]);
		return err_hint(
		    e, "holdfast config show prints what is declared; -r REPO needs none");
	}
	t = s ? world_tier(c->world, s->tier) : NULL;
	if (t == NULL || t->destinations.n == 0)
		return 0;
	of = mem_alloc(t->destinations.n * sizeof(void *));
	world_destinations(c->world, t, of);
	c->opt.repo = of[0]->item.name;
	free(of);
	return 0;
}

/* The command line's patterns are tried after those declared: they have the last word. */
static void apply_files(struct cli *c, const struct world_system *s)
{
	size_t at = 0;

	for (size_t i = 0; i < s->sources.n; i++) {
		const struct world_files *f =
		    &((const struct world_source *)s->sources.v + i)->files;

		for (size_t j = 0; j < f->exclude.n; j++)
			list_put(&c->opt.exclude, at++, f->exclude.v[j]);
		c->opt.exclude_caches |= f->exclude_caches;
		c->opt.one_file_system |= f->one_file_system;
	}
}

static int apply_backup(struct cli *c, struct err *e)
{
	bool given = c->args.n || c->opt.files_from.n || c->opt.files_from0.n || c->opt.stdin_data;
	const struct world_system *s = world_system(c->world, c->opt.system);

	if (s == NULL && given)
		return 0;
	if (s == NULL) {
		err_set(e, ERR_USAGE, "backup: which paths? There is no system '%s' in %s",
		    c->opt.system, c->world->files[0]);
		return err_hint(
		    e, "declare it there, or: holdfast backup --system %s PATH...", c->opt.system);
	}
	if (given) {
		err_set(e, ERR_USAGE, "backup: %s is declared with its paths", s->item.name);
		return err_hint(e, "leave out the paths, or take another name for --system");
	}
	if (c->opt.repo != NULL && c->opt.repo[0] != '\0') {
		err_set(e, ERR_USAGE, "backup: where %s goes is declared, and it is not only %s",
		    s->item.name, c->opt.repo);
		return err_hint(e, "leave out -r and HOLDFAST_REPOSITORY; --also adds a place");
	}
	c->system = s;
	apply_files(c, s);
	return apply_places(c, s, e);
}

/* By its name: another place has rules of its own. */
static bool is_destination(const struct world_tier *t, const char *repo)
{
	for (size_t i = 0; repo != NULL && i < t->destinations.n; i++)
		if (strcmp(t->destinations.v[i], repo) == 0)
			return true;
	return false;
}

/* Without rules on the command line those of the system's tier hold. */
static void apply_forget(struct cli *c)
{
	const struct world_system *s = world_system(c->world, c->opt.system);
	const struct world_tier *t = s ? world_tier(c->world, s->tier) : NULL;
	const struct world_retention *r = t ? &t->retention : NULL;
	struct cli_options *o = &c->opt;

	if (r == NULL || !is_destination(t, o->repo) || c->args.n || o->undo || o->keep_last ||
	    o->keep_hourly || o->keep_daily || o->keep_weekly || o->keep_monthly ||
	    o->keep_yearly || o->keep_tags.n || o->keep_within.ns || o->keep_within.months)
		return;
	o->keep_last = (int)r->last;
	o->keep_hourly = (int)r->hourly;
	o->keep_daily = (int)r->daily;
	o->keep_weekly = (int)r->weekly;
	o->keep_monthly = (int)r->monthly;
	o->keep_yearly = (int)r->yearly;
	o->keep_within = r->within;
}

int config_apply(struct cli *c, struct err *e)
{
	enum cmd_id id = c->args.cmd->id;

	if (c->opt.system == NULL || (id != CMD_BACKUP && id != CMD_FORGET))
		return 0;
	if (config_load(c, false, e) == -1)
		return -1;
	if (c->world == NULL)
		return 0;
	if (id == CMD_BACKUP)
		return apply_backup(c, e);
	apply_forget(c);
	return 0;
}
