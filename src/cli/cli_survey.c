/* cli_survey: see cli_survey.h. */
#include "cli/cli_survey.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cli/declared.h"
#include "cli/survey_memory.h"
#include "config/world.h"
#include "engine/select.h"
#include "os/os.h"
#include "repo/family.h"

static bool is_complete(const struct snapshot *s)
{
	for (size_t i = 0; i < s->nparts; i++)
		if (s->parts[i].outcome != SNAPSHOT_COMPLETE)
			return false;
	return select_counts(s) && !s->forgotten;
}

static void take_snapshot(struct survey *v, size_t place, const struct snapshot *s)
{
	bool complete = is_complete(s);

	if (complete && s->end_ns > v->places[place].newest_ns)
		v->places[place].newest_ns = s->end_ns;
	for (size_t i = 0; i < v->nsystems; i++) {
		struct survey_system *x = &v->systems[i];

		if (x->rules.name != NULL &&
		    (s->system == NULL || strcmp(s->system, x->rules.name) != 0))
			continue;
		x->some[place] = true;
		if (complete && s->end_ns > x->newest_ns[place])
			x->newest_ns[place] = s->end_ns;
	}
}

static int look(struct cli *c, struct survey *v, size_t place, struct other *o, struct err *e)
{
	struct select_filter all = {0};
	struct select_list l = {0};

	if (other_open(c, v->places[place].name, NULL, o, e) == -1)
		return -1;
	if (select_all(o->repo, &all, &o->ctx, &l, e) == -1)
		return -1;
	for (size_t i = 0; i < l.n; i++)
		take_snapshot(v, place, l.v[i]);
	proof_get(o->repo, PROOF_CHECK, &v->places[place].check);
	proof_get(o->repo, PROOF_TAMPER, &v->places[place].tamper);
	select_list_fini(&l);
	return 0;
}

static void add_systems(struct cli *c, struct survey *v)
{
	const struct world *w = c->world;

	v->nsystems = w->systems.n ? w->systems.n : 1;
	v->systems = mem_zalloc(v->nsystems * sizeof *v->systems);
	for (size_t i = 0; i < v->nsystems; i++) {
		const struct world_system *s = w->systems.n ? world_system_at(w, i) : NULL;
		const struct world_tier *t = s ? world_tier(w, s->tier) : NULL;
		struct survey_system *x = &v->systems[i];

		x->meant = mem_zalloc(v->n * sizeof *x->meant);
		x->newest_ns = mem_zalloc(v->n * sizeof *x->newest_ns);
		x->some = mem_zalloc(v->n * sizeof *x->some);
		for (size_t k = 0; k < v->n; k++)
			x->meant[k] = t == NULL;
		for (size_t k = 0; t != NULL && k < t->destinations.n; k++)
			x->meant[world_repository(w, t->destinations.v[k]) -
				 world_repository_at(w, 0)] = true;
		x->rules = (struct rules_system){
		    .name = s ? s->item.name : NULL,
		    .residency = t ? (const char *const *)t->residency.v : NULL,
		    .nresidency = t ? t->residency.n : 0,
		    .encryption_required = t && t->encryption == WORLD_REQUIRED,
		    .meant = x->meant,
		    .newest_ns = x->newest_ns,
		    .some = x->some,
		};
	}
}

static void add_places(struct cli *c, struct survey *v)
{
	v->n = c->world->repositories.n;
	v->places = mem_zalloc(v->n * sizeof *v->places);
	v->whys = mem_zalloc(v->n * sizeof *v->whys);
	for (size_t i = 0; i < v->n; i++) {
		const struct world_repository *r = world_repository_at(c->world, i);

		v->places[i] = (struct rules_place){
		    .name = r->item.name,
		    .role = world_role_name(r->role),
		    .location = r->location,
		    .media = declared_media(r),
		    .offline = r->offline,
		    .declared_lock = r->object_lock.ns || r->object_lock.months,
		};
	}
}

/* Kin are read once for all: who declares it and is mistaken pays with a second read. */
static bool is_stranger(const struct world *w, struct other *const *o, size_t i)
{
	const char *family = world_repository_at(w, i)->family;

	for (size_t k = 0; family != NULL && o[i]->repo != NULL && k < i; k++) {
		const char *other = world_repository_at(w, k)->family;

		if (other != NULL && strcmp(family, other) == 0 && o[k]->repo != NULL)
			return !family_is_kin(o[k]->repo, o[i]->repo);
	}
	return false;
}

/* Not there, as what was unplugged is: a wrong key or damage is no absence. */
static bool is_away(const struct world_repository *r, const struct err *why)
{
	bool wire = r->url[0] != '/' && strncmp(r->url, "fs:", 3) != 0;

	if (wire)
		return why->kind == ERR_UNREACHABLE || why->kind == ERR_TIMEOUT;
	return why->kind == ERR_ABSENT || why->kind == ERR_NO_REPOSITORY;
}

/* One repository under two names is one copy. */
static void find_alias(struct survey *v, struct other *const *o, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (v->places[k].open &&
		    strcmp(repo_id_text(o[k]->repo), repo_id_text(o[i]->repo)) == 0)
			v->places[i].same_as = v->places[k].name;
}

/* Declared ones without a key or password of their own are opened by what is given to this run. */
static void know_shared_secret(struct cli *c)
{
	for (size_t i = 0; i < c->world->repositories.n; i++) {
		const struct world_repository *r = world_repository_at(c->world, i);

		if (r->key == NULL && r->password == NULL) {
			other_know_cred(c);
			return;
		}
	}
}

/* One that is offline by design is known by what it held when it was here. */
static void recall(struct cli *c, struct survey *v, size_t i)
{
	const struct world_repository *r = world_repository_at(c->world, i);

	if (!r->offline)
		return;
	if (v->places[i].open)
		survey_remember(c, v, i, r->url);
	else
		survey_recall(v, i, r->url);
}

static int look_at_all(struct cli *c, struct survey *v, struct err *e)
{
	struct other **o = mem_zalloc(v->n * sizeof *o);
	int rc = 0;

	know_shared_secret(c);
	for (size_t i = 0; i < v->n && rc == 0; i++) {
		struct err why;

		o[i] = other_new(c);
		v->places[i].open = look(c, v, i, o[i], &why) == 0;
		if (!v->places[i].open) {
			v->places[i].why_not = v->whys[i] = mem_strdup(why.msg);
			if (is_away(world_repository_at(c->world, i), &why))
				recall(c, v, i);
		} else {
			find_alias(v, o, i);
			recall(c, v, i);
		}
		rc = ctx_check(c->ctx, e);
		v->places[i].stranger = is_stranger(c->world, o, i);
	}
	for (size_t i = 0; i < v->n; i++)
		other_free(o[i]);
	free(o);
	return rc;
}

int survey_new(struct cli *c, struct survey **out, struct err *e)
{
	struct clock *clock = os_clock_of(c->ctx);
	struct survey *v;

	if (config_load(c, true, e) == -1)
		return -1;
	if (c->world->repositories.n == 0)
		return err_set(e, ERR_USAGE, "%s declares no repositories", c->world->files[0]);
	v = mem_zalloc(sizeof *v);
	v->now_ns = clock->wall_ns(clock);
	add_places(c, v);
	add_systems(c, v);
	if (look_at_all(c, v, e) == -1) {
		survey_free(v);
		return -1;
	}
	for (size_t i = 0; i < v->nsystems; i++) {
		struct survey_system *x = &v->systems[i];

		rules_judge(v->places, v->n, &x->rules, v->now_ns, x->verdicts);
		for (int r = 0; r < RULE_COUNT; r++)
			v->missed += !x->verdicts[r].kept;
	}
	*out = v;
	return 0;
}

void survey_free(struct survey *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->nsystems; i++) {
		free(s->systems[i].meant);
		free(s->systems[i].newest_ns);
		free(s->systems[i].some);
		rules_fini(s->systems[i].verdicts);
	}
	for (size_t i = 0; i < s->n; i++)
		free(s->whys[i]);
	free(s->systems);
	free(s->places);
	free(s->whys);
	free(s);
}

void survey_rules_json(struct cli *c, const struct survey *s)
{
	for (size_t i = 0; i < s->nsystems; i++)
		for (int r = 0; r < RULE_COUNT; r++) {
			struct rules_verdict *v = &s->systems[i].verdicts[r];
			json_t *o = json_object();

			out_json_str(o, "system", s->systems[i].rules.name);
			out_json_str(o, "rule", rules_name((enum rule)r));
			json_object_set_new(o, "kept", json_boolean(v->kept));
			out_json_str(o, "reason", buf_cstr(&v->reason));
			out_json_str(o, "todo", v->kept ? NULL : buf_cstr(&v->todo));
			out_json(c, "item", o);
		}
}

void survey_rules_text(struct cli *c, const struct survey *s)
{
	struct text_table t = {.align = "<<<<", .ncols = 4, .head = true};
	struct buf b = {0};

	text_row(&t, (const char *const[]){"System", "Rule", "Verdict", "Why"});
	for (size_t i = 0; i < s->nsystems; i++)
		for (int r = 0; r < RULE_COUNT; r++) {
			struct rules_verdict *v = &s->systems[i].verdicts[r];
			const char *name = s->systems[i].rules.name;

			text_row(&t,
			    (const char *const[]){name ? name : "(all)", rules_name((enum rule)r),
				v->kept ? "kept" : "MISSED", out_str(c, buf_cstr(&v->reason))});
			if (!v->kept)
				text_row(&t, (const char *const[]){"", "", "  to do",
						 out_str(c, buf_cstr(&v->todo))});
		}
	text_table_put(&b, &t);
	out_list(c, "%s", buf_cstr(&b));
	buf_fini(&b);
	text_table_fini(&t);
}

int survey_result(const struct survey *s, const char *command, struct err *e)
{
	if (s->missed == 0)
		return 0;
	err_set(e, ERR_OBJECTIVE_MISSED, "%s: %zu %s missed", command, s->missed,
	    s->missed == 1 ? "rule is" : "rules are");
	return err_hint(e, "'holdfast check --rules' says of each why, and what to do");
}

/* ---- The repositories themselves. */

static const char *when(char out[CALENDAR_TEXT], int64_t ns)
{
	return ns ? calendar_format_local(out, ns) : "never";
}

static const char *proven(char out[CALENDAR_TEXT + 16], const struct proof *p, const char *bad)
{
	char t[CALENDAR_TEXT];

	if (!p->known)
		return "never";
	snprintf(out, CALENDAR_TEXT + 16, "%.19s%s%s", calendar_format_local(t, p->when_ns),
	    p->problems ? " " : "", p->problems ? bad : "");
	return out;
}

void survey_places_text(struct cli *c, const struct survey *s)
{
	struct text_table t = {.align = "<<<<<<<", .ncols = 7, .head = true};
	struct buf b = {0};

	text_row(&t, (const char *const[]){"Repository", "Role", "Location", "Media",
			 "Newest snapshot", "Checked", "Tamper test"});
	for (size_t i = 0; i < s->n; i++) {
		const struct rules_place *p = &s->places[i];
		char a[CALENDAR_TEXT], d[CALENDAR_TEXT + 16], f[CALENDAR_TEXT + 16];

		text_row(&t, (const char *const[]){p->name, p->role,
				 p->location ? p->location : "?", p->media,
				 p->open || p->seen_ns ? when(a, p->newest_ns) : "CANNOT BE OPENED",
				 p->open || p->seen_ns ? proven(d, &p->check, "DAMAGED") : "",
				 p->open ? proven(f, &p->tamper, "FAILED") : ""});
	}
	text_table_put(&b, &t);
	out_list(c, "%s", buf_cstr(&b));
	for (size_t i = 0; i < s->n; i++)
		if (s->places[i].seen_ns)
			out_list(c, "%s: offline, as it was seen on %s\n", s->places[i].name,
			    when((char[CALENDAR_TEXT]){0}, s->places[i].seen_ns));
		else if (!s->places[i].open)
			out_list(c, "%s\n", out_str(c, s->places[i].why_not));
	buf_fini(&b);
	text_table_fini(&t);
}

static json_t *proof_json(const struct proof *p)
{
	json_t *o;

	if (!p->known)
		return json_null();
	o = json_object();
	out_json_time(o, "time", p->when_ns);
	out_json_u64(o, "problems", p->problems);
	return o;
}

static void put_time(json_t *o, const char *key, int64_t ns)
{
	if (ns)
		out_json_time(o, key, ns);
	else
		out_json_str(o, key, NULL);
}

json_t *survey_places_json(const struct survey *s)
{
	json_t *o, *places = json_array();

	for (size_t i = 0; i < s->n; i++) {
		const struct rules_place *p = &s->places[i];

		o = json_object();
		out_json_str(o, "name", p->name);
		out_json_str(o, "role", p->role[0] ? p->role : NULL);
		out_json_str(o, "location", p->location);
		out_json_str(o, "media", p->media);
		out_json_str(o, "error", p->why_not);
		put_time(o, "seen", p->seen_ns);
		put_time(o, "newest", p->newest_ns);
		json_object_set_new(o, "check", proof_json(&p->check));
		json_object_set_new(o, "tamper", proof_json(&p->tamper));
		json_array_append_new(places, o);
	}
	return places;
}
