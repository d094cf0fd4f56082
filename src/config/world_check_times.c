/* world_check_times: contradictions between schedules, objectives and dependencies. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "config/world_load.h"
#include "config/world_times.h"

static int64_t seconds(const struct calendar_duration *d)
{
	return d->ns / CALENDAR_SECOND + (int64_t)d->months * 30 * 86400;
}

/* "15m", "26h", "7d" as it is said of a promise. */
static const char *amount(char out[32], int64_t s)
{
	if (s % 86400 == 0)
		snprintf(out, 32, "%lldd", (long long)(s / 86400));
	else if (s % 3600 == 0)
		snprintf(out, 32, "%lldh", (long long)(s / 3600));
	else if (s % 60 == 0)
		snprintf(out, 32, "%lldm", (long long)(s / 60));
	else
		snprintf(out, 32, "%llds", (long long)s);
	return out;
}

static int check_objective(const struct world *w, const struct world_tier *t, const char *key,
    const struct world_objective *o, struct err *e)
{
	char a[32], b[32];

	if (seconds(&o->acceptable) == 0 || seconds(&o->acceptable) >= seconds(&o->target))
		return 0;
	node_fail(world_place(w, "tiers", t->item.name, key), e,
	    "%s: what is acceptable (%s) is less than the target (%s)", key,
	    amount(a, seconds(&o->acceptable)), amount(b, seconds(&o->target)));
	return err_hint(e, "target is what is promised, acceptable what is still borne");
}

/* Each thing that is said to be due has to be due once, and to be let begin. */
static int check_begins(const struct world_times *t, struct node_at at, int64_t now, struct err *e)
{
	for (int i = 0; i < TIMES_WHATS; i++) {
		int64_t due, start;

		if (!t->is[i])
			continue;
		if (!schedule_next(&t->v[i], now, &due))
			return node_fail(at, e, "%s is never due: there is no such day",
			    times_what_name((enum times_what)i));
		if (!schedule_start(&t->v[i], due, &start)) {
			node_fail(at, e,
			    "%s can never begin: only and never leave no minute of "
			    "the week",
			    times_what_name((enum times_what)i));
			return err_hint(e, "make only wider, or never narrower");
		}
	}
	return 0;
}

static int check_gap(const struct world_tier *tier, const struct world_times *t, struct node_at at,
    int64_t now, struct err *e)
{
	int64_t rpo = seconds(&tier->rpo.target), gap;
	char a[32], b[32];

	if (rpo == 0 || tier->strategy == WORLD_CONTINUOUS)
		return 0;
	gap = world_times_gap(t, now);
	if (gap <= rpo)
		return 0;
	node_fail(at, e, "the schedule cannot meet the rpo of %s: two backups are up to %s apart",
	    amount(a, rpo), amount(b, gap));
	return err_hint(e, "leave the schedule out, and one is derived; or back up more often, "
			   "or promise less");
}

static int check_times(const struct world *w, const struct world_tier *tier,
    const struct world_system *s, struct err *e)
{
	const char *section = s ? "systems" : "tiers", *name = s ? s->item.name : tier->item.name;
	struct node_at at = world_place(w, section, name, "schedule");
	struct world_times *t;
	int64_t now = time(NULL);
	int rc;

	if (at.line == 0)
		at = s ? s->item.at : tier->item.at;
	if (world_times_new(tier, s, &t, e) == -1) {
		struct err why = *e;

		node_fail(at, e, "%s", why.msg);
		return why.hint[0] ? err_hint(e, "%s", why.hint) : -1;
	}
	rc = check_begins(t, at, now, e);
	if (rc == 0)
		rc = check_gap(tier, t, at, now, e);
	world_times_free(t);
	return rc;
}

/* ---- What is kept. */

/* How old the oldest backup is at most that the rules keep; 0: nobody can tell, or no limit. */
static int64_t kept_for(const struct world_retention *r, int64_t gap)
{
	static const int64_t hour = 3600, day = 86400;
	const struct {
		unsigned n;
		int64_t each;
	} rules[] = {{r->last, gap}, {r->hourly, hour}, {r->daily, day}, {r->weekly, 7 * day},
	    {r->monthly, 31 * day}, {r->yearly, 366 * day}};
	int64_t most = seconds(&r->within);

	if (r->last > 0 && gap == 0)
		return 0;
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		if ((int64_t)rules[i].n * rules[i].each > most)
			most = (int64_t)rules[i].n * rules[i].each;
	return most;
}

/* To a moment leads a backup from before it: the log alone does not bring it back. */
static int check_kept(const struct world *w, const struct world_tier *t, struct err *e)
{
	int64_t logs = seconds(&t->retention.logs), most;
	struct node_at at = world_place(w, "tiers", t->item.name, "retention");
	struct world_times *times;
	char a[32], b[32];

	if (logs == 0)
		return 0;
	if (world_times_new(t, NULL, &times, e) == -1)
		return 0; /* told already */
	most = kept_for(&t->retention, world_times_gap(times, time(NULL)));
	world_times_free(times);
	if (most == 0 || most >= logs)
		return 0;
	node_fail(at.line ? at : t->item.at, e,
	    "logs: any moment of the last %s is promised, and no backup is kept for longer than %s",
	    amount(a, logs), amount(b, most));
	return err_hint(
	    e, "keep some for longer: daily: %lld; or promise less", (long long)(logs / 86400 + 1));
}

/* ---- What only a database's log can keep. */

static int check_every(const struct world_tier *t, const struct world_source *src, struct err *e)
{
	const struct world_pg_receive *r = &src->postgresql.receive;
	char a[32], b[32];

	if (seconds(&t->rpo.target) == 0 || seconds(&r->every) <= seconds(&t->rpo.target) ||
	    r->synchronous)
		return 0;
	node_fail(src->item.at, e, "receive: every %s is more than the rpo of %s allows",
	    amount(a, seconds(&r->every)), amount(b, seconds(&t->rpo.target)));
	return err_hint(e, "every: 2s, as it is where it is left out; or promise less");
}

/* Continuous is judged by no schedule, for changes come by themselves: of a server, as its log. */
static int check_log(const struct world_tier *t, const struct world_system *s,
    const struct world_source *src, struct err *e)
{
	int64_t rpo = seconds(&t->rpo.target), gap;
	struct world_times *times;
	char a[32], b[32];

	if (rpo == 0 || t->strategy != WORLD_CONTINUOUS || world_postgresql_log(&src->postgresql))
		return 0;
	if (world_times_new(t, s, &times, e) == -1)
		return -1;
	gap = world_times_gap(times, time(NULL));
	world_times_free(times);
	if (gap != 0 && gap <= rpo)
		return 0;
	node_fail(src->item.at, e,
	    "an rpo of %s is promised, and nothing brings this server's log here: backups alone "
	    "are up to %s apart",
	    amount(a, rpo), gap ? amount(b, gap) : "for ever");
	return err_hint(e, "receive: {enabled: yes}; or archived: yes, where archive_command is "
			   "'holdfast log push %%p'; or promise less");
}

/* Whoever ends a receiver that commits wait for stops the server's clients. */
static int check_paused(const struct world *w, const struct world_system *s,
    const struct world_source *src, struct err *e)
{
	if (!s->paused || !src->postgresql.receive.synchronous)
		return 0;
	node_fail(world_place(w, "systems", s->item.name, "paused"), e,
	    "paused ends the receiver of %s, and its commits wait for that (receive: "
	    "synchronous)",
	    s->item.name);
	return err_hint(e, "first ALTER SYSTEM SET synchronous_standby_names = ''; SELECT "
			   "pg_reload_conf(); then synchronous: no");
}

static void check_sources(const struct world *w, const struct world_tier *t,
    const struct world_system *s, struct mistakes *m)
{
	struct err e;

	for (size_t i = 0; i < s->sources.n; i++) {
		const struct world_source *src = world_source_at(s, i);

		if (src->kind != WORLD_POSTGRESQL)
			continue;
		if (check_paused(w, s, src, &e) == -1)
			mistakes_add(m, &e);
		if (t != NULL && (check_every(t, src, &e) == -1 || check_log(t, s, src, &e) == -1))
			mistakes_add(m, &e);
	}
}

/* ---- What waits for what. */

static size_t place_of(const struct world *w, const char *name)
{
	return (size_t)(world_system(w, name) - world_system_at(w, 0));
}

/* state: 0 not looked at, 1 on the way here, 2 without a circle. */
static int walk(const struct world *w, size_t i, uint8_t *state, struct err *e)
{
	const struct world_system *s = world_system_at(w, i);

	state[i] = 1;
	for (size_t j = 0; j < s->depends_on.n; j++) {
		size_t to = place_of(w, s->depends_on.v[j]);

		if (state[to] == 1) {
			node_fail(s->depends_on.at[j], e, "%s and %s wait for each other",
			    s->item.name, s->depends_on.v[j]);
			return err_hint(e, "take one of these depends_on out");
		}
		if (state[to] == 0 && walk(w, to, state, e) == -1)
			return -1;
	}
	state[i] = 2;
	return 0;
}

static bool check_names(const struct world *w, struct mistakes *m)
{
	bool good = true;
	struct err e;

	for (size_t i = 0; i < w->systems.n; i++) {
		const struct world_system *s = world_system_at(w, i);

		for (size_t j = 0; j < s->depends_on.n; j++) {
			if (world_system(w, s->depends_on.v[j]) != NULL)
				continue;
			world_no_such(s->depends_on.at[j], "system", s->depends_on.v[j],
			    &w->systems, sizeof *s, &e);
			mistakes_add(m, &e);
			good = false;
		}
	}
	return good;
}

static void check_circles(const struct world *w, struct mistakes *m)
{
	uint8_t *state = mem_zalloc(w->systems.n + 1);
	struct err e;

	for (size_t i = 0; i < w->systems.n; i++)
		if (state[i] == 0 && walk(w, i, state, &e) == -1) {
			mistakes_add(m, &e);
			break;
		}
	free(state);
}

/* ---- Hooks, and how much at once. */

static int check_hooks(const struct field_items *hooks, struct err *e)
{
	for (size_t i = 0; i < hooks->n; i++) {
		const struct world_hook *h = (const struct world_hook *)hooks->v + i;

		for (size_t j = 0; j < h->environment.n; j++) {
			const char *v = h->environment.v[j];
			size_t n = strcspn(v, "=");

			if (n > 0 &&
			    strspn(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_") == n &&
			    (v[0] < '0' || v[0] > '9'))
				continue;
			return node_fail(
			    h->environment.at[j], e, "'%.*s' is no name for a variable", (int)n, v);
		}
	}
	return 0;
}

static int check_nice(const struct world *w, struct err *e)
{
	const char *text = w->jobs.nice;
	char *end;
	long x;

	if (text == NULL)
		return 0;
	x = strtol(text, &end, 10);
	if (*end == '\0' && x >= -20 && x <= 19)
		return 0;
	return node_fail(node_get(node_get(w->tree, "jobs"), "nice")->at, e,
	    "nice: '%.64s' is not a number from -20 to 19", text);
}

/* What is locked may be deleted once its lock ends: before that somebody has to make it longer. */
static int check_prune(const struct world *w, const struct world_repository *r, struct err *e)
{
	struct node_at at = world_place(w, "repositories", r->item.name, "prune");
	int64_t lock = seconds(&r->object_lock), now = time(NULL), last = 0, due, start, gap = 0;
	struct world_times *t;
	char a[32], b[32];

	if (at.line == 0)
		at = r->item.at;
	if (world_prune_times(r, &t, e) == -1) {
		struct err why = *e;

		node_fail(at, e, "prune: %s", why.msg);
		return why.hint[0] ? err_hint(e, "%s", why.hint) : -1;
	}
	if (check_begins(t, at, now, e) == -1) {
		world_times_free(t);
		return -1;
	}
	due = now;
	for (int i = 0; lock > 0 && i < 100 && schedule_next(&t->v[TIMES_PRUNE], due, &due) &&
			schedule_start(&t->v[TIMES_PRUNE], due, &start);
	     i++) {
		gap = last != 0 && start - last > gap ? start - last : gap;
		last = start;
	}
	world_times_free(t);
	if (lock == 0 || gap <= lock)
		return 0;
	node_fail(at, e, "prune: it comes every %s, and is what makes locks of %s longer",
	    amount(a, gap), amount(b, lock));
	return err_hint(e, "at least once in a period of object_lock; left out it is derived");
}

/* Copies that are due, and nowhere to go. */
static int check_archive(const struct world *w, const struct world_tier *t, struct err *e)
{
	if (t->schedule.archive == NULL || world_has_archives(w, t))
		return 0;
	node_fail(world_place(w, "tiers", t->item.name, "schedule"), e,
	    "archive: %s has no destination of role archive beside others", t->item.name);
	return err_hint(e,
	    "role: archive at one of its repositories; archives alone are written by "
	    "each backup");
}

void world_check_times(const struct world *w, struct mistakes *m)
{
	struct err e;

	for (size_t i = 0; i < w->repositories.n; i++)
		if (check_prune(w, world_repository_at(w, i), &e) == -1)
			mistakes_add(m, &e);
	if (check_nice(w, &e) == -1)
		mistakes_add(m, &e);
	for (size_t i = 0; i < w->tiers.n; i++) {
		const struct world_tier *t = (const struct world_tier *)w->tiers.v + i;

		if (check_objective(w, t, "rto", &t->rto, &e) == -1)
			mistakes_add(m, &e);
		if (check_objective(w, t, "rpo", &t->rpo, &e) == -1)
			mistakes_add(m, &e);
		if (check_times(w, t, NULL, &e) == -1)
			mistakes_add(m, &e);
		if (check_archive(w, t, &e) == -1)
			mistakes_add(m, &e);
		if (check_kept(w, t, &e) == -1)
			mistakes_add(m, &e);
	}
	for (size_t i = 0; i < w->systems.n; i++) {
		const struct world_system *s = world_system_at(w, i);
		const struct world_schedule *own = &s->schedule;
		const struct world_tier *t = s->tier ? world_tier(w, s->tier) : NULL;

		if (t != NULL && (own->full || own->differential || own->incremental) &&
		    check_times(w, t, s, &e) == -1)
			mistakes_add(m, &e);
		check_sources(w, t, s, m);
		if (check_hooks(&s->hooks.before, &e) == -1 ||
		    check_hooks(&s->hooks.after, &e) == -1 ||
		    check_hooks(&s->hooks.on_failure, &e) == -1)
			mistakes_add(m, &e);
	}
	if (check_names(w, m))
		check_circles(w, m);
}
