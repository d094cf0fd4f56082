/*
 * drill: does a system come back, how fast, and to when?  With --repo from that repository, in this
 * process; without, as a job.
 */
#include "cli/cli_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/drill_what.h"
#include "catalog/evidence_drill.h"
#include "cli/cli_audit.h"
#include "cli/cli_drill.h"
#include "cli/cli_job.h"
#include "cli/declared.h"
#include "config/world.h"
#include "engine/drill_moment.h"
#include "engine/op_drill.h"
#include "engine/recover_target.h"
#include "engine/select.h"
#include "os/os.h"

struct drilling {
	struct cli *c;
	struct drill_params p;
	struct drill_check *checks;
	struct drill_programs *programs;
	struct snapshot *snapshot;
	char *state, *directory;
	char moment[RECOVER_TARGET_TEXT]; /* of --point pitr */
};

static int64_t seconds(const struct calendar_duration *d)
{
	return d->ns / CALENDAR_SECOND + (int64_t)d->months * 30 * 86400;
}

/* ---- What is declared. */

static void fill_checks(struct drilling *x, const struct world_system *s)
{
	x->checks = mem_zalloc((s->checks.n + 1) * sizeof *x->checks);
	for (size_t i = 0; i < s->checks.n; i++) {
		const struct world_drill_check *k = (const struct world_drill_check *)s->checks.v +
						    i;

		x->checks[i] = (struct drill_check){.kind = k->sql       ? DRILL_SQL
							    : k->command ? DRILL_COMMAND
									 : DRILL_FILE,
		    .what = world_drill_check_name(k),
		    .part = k->part,
		    .database = k->database,
		    .min = k->min,
		    .max = k->max,
		    .expect = k->expect,
		    .sha256 = k->sha256,
		    .min_size = k->min_size,
		    .timeout_s = seconds(&k->timeout),
		    .optional = k->optional};
	}
	x->p.checks = x->checks;
	x->p.nchecks = s->checks.n;
}

static void fill_limits(struct drilling *x, const struct world_drill *d)
{
	x->p.user = d->user;
	x->p.disk = d->disk;
	x->p.limits = (struct os_cgroup_limits){.memory = d->memory, .cpu = d->cpu};
	x->p.timeout_s = seconds(&d->timeout);
	if (d->directory != NULL)
		x->directory = mem_strdup(d->directory);
}

/* What is promised of it; of a system that is declared nowhere nothing is. */
static void fill_programs(struct drilling *x, const struct world_system *s)
{
	x->programs = mem_zalloc((s->sources.n + 1) * sizeof *x->programs);
	for (size_t i = 0; i < s->sources.n; i++) {
		const struct world_source *src = world_source_at(s, i);

		if (src->kind == WORLD_POSTGRESQL && src->postgresql.bin_directory != NULL)
			x->programs[x->p.nprograms++] = (struct drill_programs){
			    src->part ? src->part : "postgresql", src->postgresql.bin_directory};
	}
	x->p.programs = x->programs;
}

static int fill(struct drilling *x, struct err *e)
{
	struct cli *c = x->c;
	const struct world_system *s;
	const struct world_tier *t;

	if (config_load(c, false, e) == -1)
		return -1;
	x->p.level = (enum drill_level)c->opt.level;
	if (c->world != NULL) {
		fill_limits(x, &c->world->drill);
		s = world_system(c->world, x->p.system);
		if (s != NULL) {
			t = world_tier(c->world, s->tier);
			fill_checks(x, s);
			fill_programs(x, s);
			x->p.rto = (struct drill_objective){
			    seconds(&t->rto.target), seconds(&t->rto.acceptable)};
			x->p.rpo = (struct drill_objective){
			    seconds(&t->rpo.target), seconds(&t->rpo.acceptable)};
			x->p.may_shrink = t->drill.may_shrink;
			if (x->p.level == 0)
				x->p.level = (enum drill_level)t->drill.level;
		}
	}
	if (x->p.level == 0)
		x->p.level = DRILL_STANDARD;
	if (x->directory == NULL)
		x->directory = mem_printf("%s-drill", x->state);
	x->p.directory = x->directory;
	return 0;
}

/* ---- Which recovery point. */

/* The parts that are one; out has room for all parts, or is NULL. */
static size_t databases_of(const struct snapshot *s, const char **out)
{
	size_t n = 0;

	for (size_t i = 0; i < s->nparts; i++) {
		if (strcmp(s->parts[i].kind, "postgresql") != 0)
			continue;
		if (out != NULL)
			out[n] = s->parts[i].name;
		n++;
	}
	return n;
}

static int none(struct drilling *x, struct err *e)
{
	if (x->c->world != NULL && world_system(x->c->world, x->p.system) == NULL)
		return declared_system(x->c->world, x->p.system, ERR_USAGE, e) ? 0 : -1;
	err_set(
	    e, ERR_DRILL_FAILED, "drill: %s failed: there is no recovery point of it", x->p.system);
	return err_hint(e, "'holdfast run %s' makes one", x->p.system);
}

/* Of a database it is the moment itself, not the last snapshot before it. */
static bool is_moment(const struct drilling *x)
{
	struct recover_target t = {.kind = RECOVER_KINDS};
	struct err e;

	return databases_of(x->snapshot, NULL) > 0 &&
	       recover_target_parse(x->c->opt.to, &t, &e) == 0 && t.kind == RECOVER_TIME;
}

static void use(struct drilling *x, struct snapshot *s)
{
	x->p.is_newest = id_eq(&s->id, &x->snapshot->id);
	snapshot_free(x->snapshot);
	x->p.snapshot = x->snapshot = s;
}

/*
 * A database comes to a point by its log.  Where that is a time, what has none is of the last
 * snapshot before it; a system that had no database then is all of that.
 */
static int choose_moment(struct drilling *x, const char *to, struct err *e)
{
	const struct select_filter f = {.system = x->p.system};
	struct recover_target t;
	struct snapshot *s = NULL;
	char text[RECOVER_TARGET_TEXT], *path = NULL;

	x->p.to = to;
	if (recover_target_parse(to, &t, e) == -1)
		return -1;
	if (t.kind != RECOVER_TIME)
		return 0;
	if (select_one(x->c->repo, recover_time_text(t.time_us, text), &f, true, x->c->ctx, &s,
		&path, e) == -1)
		return e->kind == ERR_ABSENT ? 0 : err_wrap(e, "drill: what was before %s", to);
	free(path);
	use(x, s);
	if (databases_of(s, NULL) == 0)
		x->p.to = NULL;
	return 0;
}

static int choose(struct drilling *x, struct err *e)
{
	const struct select_filter f = {.system = x->p.system};
	char *spec = mem_printf("latest:%s", x->p.system), *path = NULL;
	int rc = select_one(x->c->repo, spec, &f, true, x->c->ctx, &x->snapshot, &path, e);

	free(spec);
	free(path);
	if (rc == -1)
		return e->kind == ERR_ABSENT ? none(x, e) : err_wrap(e, "drill");
	x->p.is_newest = true;
	x->p.snapshot = x->snapshot;
	if (x->c->opt.to != NULL && is_moment(x)) {
		return choose_moment(x, x->c->opt.to, e);
	} else if (x->c->opt.to != NULL) {
		struct snapshot *to = NULL;

		rc = select_one(x->c->repo, x->c->opt.to, &f, true, x->c->ctx, &to, &path, e);
		free(rc == 0 ? path : NULL);
		if (rc == -1 && databases_of(x->snapshot, NULL) > 0) { /* a point in its log */
			x->p.to = x->c->opt.to;
			return 0;
		}
		if (rc == -1)
			return err_wrap(e, "drill --to");
		use(x, to);
	}
	return 0;
}

static void take(struct drilling *x, struct select_list *list, size_t at)
{
	struct snapshot *s = list->v[at];

	list->v[at] = NULL;
	use(x, s);
}

/* The newest of a kind, or the oldest; where there is none of it the newest is as good as any. */
static int choose_other(struct drilling *x, struct err *e)
{
	const struct select_filter f = {.system = x->p.system};
	bool oldest = x->c->opt.point == POINT_OLDEST;
	struct select_list list;
	size_t n;

	if (select_all(x->c->repo, &f, x->c->ctx, &list, e) == -1)
		return -1;
	n = list.n;
	for (size_t i = 0; i < n; i++) {
		size_t at = oldest ? i : n - 1 - i;

		if (!select_counts(list.v[at]) ||
		    (!oldest && (int)list.v[at]->strategy != x->c->opt.point - 1))
			continue;
		take(x, &list, at);
		x->p.is_oldest = oldest;
		break;
	}
	select_list_fini(&list);
	return 0;
}

static int choose_point(struct drilling *x, struct err *e)
{
	struct cli *c = x->c;
	size_t n = databases_of(x->snapshot, NULL);
	const char **parts;
	int rc;

	x->p.asked = drill_point_name(c->opt.point);
	if (c->opt.point == 0 || c->opt.point == POINT_LATEST)
		return 0;
	if (c->opt.point != POINT_PITR)
		return choose_other(x, e);
	if (n == 0)
		return err_set(e, ERR_USAGE,
		    "drill: %s has no database, and so no points within its log", x->p.system);
	parts = mem_alloc(n * sizeof *parts);
	databases_of(x->snapshot, parts);
	rc = drill_moment_find(c->repo, x->p.system, parts, n,
	    c->ctx->clock->wall_ns(c->ctx->clock), c->ctx, x->moment, &x->p.no_moment, e);
	free(parts);
	if (rc == -1)
		return err_wrap(e, "drill");
	if (x->p.no_moment != NULL) {
		out_message(c, "no moment within its log can be proven: %s; the newest point is",
		    x->p.no_moment);
		return 0;
	}
	return choose_moment(x, x->moment, e);
}

/* ---- What came of it. */

static void measure(struct cli *c, const json_t *record)
{
	struct catalog *cat = NULL;
	struct err e;

	if (!c->ran.wanted)
		return;
	if (cli_catalog_open(c, &cat, &e) == -1 ||
	    drill_measure(cat, record, c->ctx->clock->wall_ns(c->ctx->clock), &e) == -1)
		out_message(c, "what was measured is not recorded: %s", e.msg);
	catalog_close(cat);
}

static void note(struct drilling *x, const struct drill_result *r)
{
	struct cli *c = x->c;
	const json_t *rto = json_object_get(json_object_get(r->record, "rto"), "seconds");
	const json_t *rpo = json_object_get(json_object_get(r->record, "rpo"), "seconds");

	c->ran.judged = true;
	c->ran.level = drill_level_name(x->p.level);
	c->ran.score = r->score;
	c->ran.verified = r->verdict == DRILL_FAILED ? "failed" : "passed";
	c->ran.bytes = (uint64_t)json_integer_value(
	    json_object_get(json_object_get(r->record, "measured"), "bytes"));
	snprintf(c->ran.snapshot, sizeof c->ran.snapshot, "%s",
	    json_string_value(json_object_get(r->record, "snapshot")));
	audit_put(c, "system", x->p.system);
	audit_put(c, "snapshot", c->ran.snapshot);
	audit_put(c, "verdict", drill_verdict_name(r->verdict));
	audit_put_number(c, "score", r->score);
	if (json_is_number(rto))
		audit_put_number(c, "rto_seconds", json_number_value(rto));
	if (json_is_number(rpo))
		audit_put_number(c, "rpo_seconds", json_number_value(rpo));
}

/* The record is kept before anything is said: what is shown can be shown again. */
static int keep(struct drilling *x, const struct drill_result *r, struct err *e)
{
	char hash[EVIDENCE_DRILL_HASH];

	note(x, r);
	if (evidence_drill_put(x->state, r->record, hash, e) == -1) {
		json_object_del(r->record, "id"); /* nobody finds it by that */
		return -1;
	}
	audit_put(x->c, "drill", json_string_value(json_object_get(r->record, "id")));
	audit_put(x->c, "record_sha256", hash);
	return 0;
}

static void report(struct drilling *x, const struct drill_result *r)
{
	static const char *const keys[] = {
	    "system", "repository", "snapshot", "verdict", "verified", "score", "reason", "bytes"};
	struct cli *c = x->c;
	json_t *item, *s;

	if (!c->out.json) {
		drill_show(c, r->record);
		return;
	}
	item = drill_item(r->record);
	s = json_object();
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		json_object_set(s, keys[i], json_object_get(item, keys[i]));
	out_json(c, "item", item);
	out_json(c, "summary", s);
}

static int verdict(struct drilling *x, const struct drill_result *r, bool kept, struct err *e)
{
	if (r->verdict == DRILL_FAILED) {
		err_set(e, ERR_DRILL_FAILED, "drill: %s failed, score %.3f: %s", x->p.system,
		    r->score, r->reason);
		return err_hint(e, "%s%s%s--keep leaves what was restored there, to be looked at",
		    kept ? "'holdfast report drill " : "", kept ? x->p.system : "",
		    kept ? "' has all of it; " : "");
	}
	if (r->verdict == DRILL_MISSED)
		return err_set(e, ERR_OBJECTIVE_MISSED, "drill: %s comes back, but %s", x->p.system,
		    r->reason);
	return 0;
}

/* ---- Here. */

static int drill_here(struct cli *c, struct err *e)
{
	struct drilling x = {.c = c,
	    .state = os_state_dir(),
	    .p = {.system = c->args.v[0],
		.repository = c->named ? c->named->item.name : repo_url(c->repo),
		.keep = c->opt.keep,
		.jobs = (unsigned)c->opt.jobs}};
	struct drill_result r = {0};
	struct err lost;
	int rc = -1;

	if (fill(&x, e) == -1 || choose(&x, e) == -1 || choose_point(&x, e) == -1)
		goto out;
	x.p.state = x.state;
	progress_start(c);
	rc = op_drill(c->repo, &x.p, c->ctx, &r, e);
	progress_stop(c);
	if (rc == -1) {
		err_wrap(e, "drill: %s could not be tried", x.p.system);
		goto out;
	}
	rc = keep(&x, &r, &lost);
	measure(c, r.record);
	report(&x, &r);
	if (verdict(&x, &r, rc == 0, e) == 0 && rc == -1) {
		*e = lost;
	} else if (r.verdict != DRILL_PASSED) {
		if (rc == -1)
			out_message(c, "nothing proves this drill later: %s", lost.msg);
		rc = -1;
	}
out:
	json_decref(r.record);
	snapshot_free(x.snapshot);
	free(x.checks);
	free(x.programs);
	free(x.state);
	free(x.directory);
	return rc;
}

int cmd_drill(struct cli *c, struct err *e)
{
	if (c->opt.to != NULL && c->opt.point != 0)
		return err_set(e, ERR_USAGE, "drill: either --to or --point");
	if (c->opt.to != NULL && strlen(c->opt.to) >= DRILL_WHAT_MOMENT)
		return err_set(e, ERR_USAGE, "drill: --to is too long");
	if (c->repo == NULL && c->opt.keep) {
		err_set(e, ERR_USAGE, "drill: --keep is not for the daemon");
		return err_hint(e, "add -r REPO");
	}
	if (c->repo != NULL && c->opt.drill_from != NULL)
		return err_set(e, ERR_USAGE, "drill: either --repo or --destination");
	if (c->repo == NULL)
		return cmd_run_kind(c, "drill", e);
	if (c->args.n != 1)
		return err_set(e, ERR_USAGE, "drill: with --repo one system");
	return drill_here(c, e);
}
