/* world_drill: see world_drill.h. */
#include "config/world_drill.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "config/world_load.h"
#include "config/world_tables.h"

#define D(member) offsetof(struct world_drill, member)
#define T(member) offsetof(struct world_tier_drill, member)
#define C(member) offsetof(struct world_drill_check, member)

/* clang-format off */
static const struct field drill_rows[] = {
    {"user", FIELD_TEXT, D(user), false, NULL, NULL, "who runs what a drill starts; left out: who drills, or postgres for a server where root drills"},
    {"directory", FIELD_TEXT, D(directory), false, NULL, NULL, "where it is restored to; left out: beside the state folder"},
    {"disk", FIELD_SIZE, D(disk), false, NULL, NULL, "a drill that needs more is refused"},
    {"memory", FIELD_SIZE, D(memory), false, NULL, NULL, "of all that it starts"},
    {"cpu", FIELD_COUNT, D(cpu), false, NULL, NULL, "percent of one processor"},
    {"timeout", FIELD_DURATION, D(timeout), false, NULL, NULL, "one that takes longer has failed; 6h"},
    {"within", FIELD_DURATION, D(within), false, NULL, NULL, "each system and each kind of recovery point is proven once in so long"},
    {"budget", FIELD_DURATION, D(budget), false, NULL, NULL, "time a day for drills that nobody's schedule asks for; 4h"},
    {0},
};
const struct field_table world_drill_table = {drill_rows, sizeof(struct world_drill)};

static const struct field tier_rows[] = {
    {"every", FIELD_SCHEDULE, T(every), false, NULL, NULL, "how often"},
    {"level", FIELD_CHOICE, T(level), false, "standard|comprehensive", NULL, "standard: it comes back, and is what was stored; comprehensive: and answers the checks"},
    {"within", FIELD_DURATION, T(within), false, NULL, NULL, "in place of drill.within"},
    {"may_shrink", FIELD_PERCENT, T(may_shrink), false, NULL, NULL, "so much less than what was proven before is no loss; 5"},
    {0},
};
const struct field_table world_tier_drill_table = {tier_rows, sizeof(struct world_tier_drill)};

static const struct field check_rows[] = {
    {"sql", FIELD_TEXT, C(sql), false, NULL, NULL, "a query of one value"},
    {"part", FIELD_TEXT, C(part), false, NULL, NULL, "of several of PostgreSQL, the one that is asked; left out: the first with that database"},
    {"database", FIELD_TEXT, C(database), false, NULL, NULL, "which is asked; left out where there is one"},
    {"command", FIELD_TEXT, C(command), false, NULL, NULL, "for /bin/sh, apart from the machine, in the restored folder"},
    {"file", FIELD_TEXT, C(file), false, NULL, NULL, "its path as it was backed up: it has to be there"},
    {"min", FIELD_TEXT, C(min), false, NULL, NULL, "the least number that it may say"},
    {"max", FIELD_TEXT, C(max), false, NULL, NULL, "the greatest"},
    {"expect", FIELD_TEXT, C(expect), false, NULL, NULL, "what it has to say"},
    {"sha256", FIELD_TEXT, C(sha256), false, NULL, NULL, "of a file's content"},
    {"min_size", FIELD_SIZE, C(min_size), false, NULL, NULL, "of a file"},
    {"timeout", FIELD_DURATION, C(timeout), false, NULL, NULL, "it has failed after so long; 1m"},
    {"optional", FIELD_FLAG, C(optional), false, NULL, NULL, "its failure costs points, and fails nothing by itself"},
    {0},
};
const struct field_table world_drill_check_table = {check_rows, sizeof(struct world_drill_check)};
/* clang-format on */

const char *world_drill_check_name(const struct world_drill_check *k)
{
	return k->sql ? k->sql : k->command ? k->command : k->file;
}

static int64_t seconds(const struct calendar_duration *d)
{
	return d->ns / CALENDAR_SECOND + (int64_t)d->months * 30 * 86400;
}

static bool is_number(const char *s)
{
	char *end;

	(void)!strtod(s, &end);
	return *s != '\0' && *end == '\0';
}

static int check_value(const struct world_drill_check *k, struct err *e)
{
	struct node_at at = k->item.at;

	if ((k->min && !is_number(k->min)) || (k->max && !is_number(k->max)))
		return node_fail(at, e, "checks: '%.64s' is not a number",
		    k->min && !is_number(k->min) ? k->min : k->max);
	if (k->min && k->max && strtod(k->min, NULL) > strtod(k->max, NULL))
		return node_fail(at, e, "checks: min %.64s is more than max %.64s", k->min, k->max);
	if (k->sql != NULL && !k->min && !k->max && !k->expect) {
		node_fail(at, e, "checks: what does '%.64s' have to say?", k->sql);
		return err_hint(e, "add min, max or expect: an answer alone proves nothing");
	}
	return 0;
}

static int check_file(const struct world_drill_check *k, struct err *e)
{
	struct node_at at = k->item.at;

	if (k->file == NULL && (k->sha256 || k->min_size))
		return node_fail(at, e, "checks: sha256 and min_size are of a file");
	if (k->file == NULL)
		return 0;
	if (k->file[0] != '/')
		return node_fail(at, e, "checks: '%.200s' is not an absolute path", k->file);
	if (k->min || k->max || k->expect)
		return node_fail(
		    at, e, "checks: a file has sha256 and min_size, not min or expect");
	if (k->sha256 != NULL &&
	    (strlen(k->sha256) != 64 || k->sha256[strspn(k->sha256, "0123456789abcdef")] != '\0'))
		return node_fail(at, e, "checks: sha256 has 64 lower-case hex digits");
	return 0;
}

/* Of a dump a drill brings its files back, and starts no server. */
static int check_asked(
    const struct world_system *s, const struct world_drill_check *k, struct err *e)
{
	bool dump = false;

	if (k->sql == NULL)
		return 0;
	for (size_t i = 0; i < s->sources.n; i++) {
		enum world_kind kind = world_source_at(s, i)->kind;

		if (kind == WORLD_POSTGRESQL)
			return 0;
		dump |= kind == WORLD_DUMP;
	}
	if (!dump)
		return node_fail(k->item.at, e,
		    "checks: sql is asked of a database, and %s has none", s->item.name);
	node_fail(k->item.at, e,
	    "checks: sql is asked of a server, and of a dump, all that %s has, a drill starts none",
	    s->item.name);
	return err_hint(e, "a command can look into it: { command: \"pg_restore -l FILE\" }");
}

/* A drill would find it out, and fail by it. */
static int check_part(
    const struct world_system *s, const struct world_drill_check *k, struct err *e)
{
	const char *one = NULL;

	if (k->part == NULL)
		return 0;
	for (size_t i = 0; i < s->sources.n; i++) {
		const struct world_source *src = world_source_at(s, i);

		if (src->kind == WORLD_POSTGRESQL && strcmp(src->part, k->part) == 0)
			return 0;
		if (src->kind == WORLD_POSTGRESQL && one == NULL)
			one = src->part;
	}
	node_fail(k->item.at, e, "checks: %s has no source of PostgreSQL called '%.64s'",
	    s->item.name, k->part);
	return one ? err_hint(e, "part: %s", one) : -1;
}

int world_check_drill_checks(const struct world_system *s, struct err *e)
{
	for (size_t i = 0; i < s->checks.n; i++) {
		const struct world_drill_check *k = (const struct world_drill_check *)s->checks.v +
						    i;
		int kinds = (k->sql != NULL) + (k->command != NULL) + (k->file != NULL);

		if (kinds != 1) {
			node_fail(k->item.at, e, "checks: %s",
			    kinds ? "one of sql, command and file, not several"
				  : "neither sql nor command nor file");
			return err_hint(e, "{ sql: \"select count(*) from orders\", min: 1 }");
		}
		if (k->part != NULL && k->sql == NULL)
			return node_fail(k->item.at, e, "checks: a part is asked by sql");
		if (k->database != NULL && k->sql == NULL)
			return node_fail(k->item.at, e, "checks: a database is asked by sql");
		if (check_asked(s, k, e) == -1 || check_part(s, k, e) == -1 ||
		    check_value(k, e) == -1 || check_file(k, e) == -1)
			return -1;
	}
	return 0;
}

/* Whether all come to their turn is looked at day by day. */
static int check_within(const struct calendar_duration *d, struct node_at at, struct err *e)
{
	if ((d->ns == 0 && d->months == 0) || seconds(d) >= 86400)
		return 0;
	node_fail(at, e, "drill: within: less than a day");
	return err_hint(e, "what is to be drilled more often has a schedule: every: 6h");
}

int world_check_drill(const struct world *w, struct err *e)
{
	const struct world_drill *d = &w->drill;
	const struct node *n = node_get(w->tree, "drill");
	struct node_at at = n ? n->at : (struct node_at){"drill", 0, 0};
	int64_t within = seconds(&d->within);

	if (d->directory != NULL && d->directory[0] != '/')
		return node_fail(at, e, "drill: '%.200s' is not an absolute path", d->directory);
	if (d->directory != NULL && strcmp(d->directory, "/") == 0)
		return node_fail(at, e, "drill: / is no folder for what is thrown away");
	if (d->memory != 0 && d->memory < UINT64_C(64) << 20)
		return node_fail(at, e, "drill: memory: no server starts in less than 64MiB");
	if (check_within(&d->within, at, e) == -1)
		return -1;
	if (d->budget.ns || d->budget.months) {
		if (within == 0) {
			node_fail(at, e, "drill: a budget without within");
			return err_hint(e, "within says in how long everything is proven once");
		}
		if (seconds(&d->budget) > 86400)
			return node_fail(at, e, "drill: budget: a day has 24h");
	}
	return 0;
}

int world_check_tier_drill(const struct world *w, const struct world_tier *t, struct err *e)
{
	const struct world_tier_drill *d = &t->drill;

	if (d->every == NULL && seconds(&d->within) == 0 && seconds(&w->drill.within) == 0 &&
	    (d->level || d->may_shrink > 0)) {
		node_fail(world_place(w, "tiers", t->item.name, "drill"), e,
		    "drill: neither every nor within");
		return err_hint(e, "drill: { every: 7d }");
	}
	return check_within(&d->within, world_place(w, "tiers", t->item.name, "drill"), e);
}
