/*
 * verify: is a system's newest snapshot what it should be?  With --repo in that repository, in this
 * process; without, in each place where it is declared to be, as a job.
 */
#include "cli/cli_out.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "catalog/catalog_snapshot.h"
#include "cli/cli_audit.h"
#include "cli/cli_job.h"
#include "cli/cli_monitor.h"
#include "cli/cli_verify.h"
#include "cli/declared.h"
#include "config/world.h"
#include "os/os.h"

enum { DAY = 86400 };
static const uint64_t sample_bytes = UINT64_C(256) << 20;

static int64_t seconds(const struct calendar_duration *d)
{
	return d->ns / CALENDAR_SECOND + (int64_t)d->months * 30 * DAY;
}

static void add_paths(const struct world_system *s, struct cli_list *out)
{
	for (size_t i = 0; i < s->sources.n; i++) {
		const struct world_source *src = (const struct world_source *)s->sources.v + i;

		for (size_t j = 0; j < src->files.paths.n; j++) {
			out->v = mem_realloc(out->v, (out->n + 1) * sizeof *out->v);
			out->v[out->n++] = src->files.paths.v[j];
		}
	}
}

/* Is this place filled by copies, not by backups? */
static bool is_archive(const struct cli *c, const struct world_tier *t)
{
	const struct world_repository **v = mem_alloc((t->destinations.n + 1) * sizeof(void *));
	size_t n = world_archives(c->world, t, v);
	bool found = false;

	for (size_t i = 0; i < n; i++)
		found |= v[i] == c->named;
	free(v);
	return found;
}

/*
 * How often it is verified; and of an archive, which the RPO says nothing of, two of its intervals
 * and how old that may be which is copied.
 */
static void fill_times(struct cli *c, struct verify_params *p, const struct world_system *s)
{
	int64_t now_s = c->ctx->clock->wall_ns(c->ctx->clock) / CALENDAR_SECOND, copied_s = 0;
	const struct world_tier *t = world_tier(c->world, s->tier);
	struct world_times *times = NULL;
	struct err ignored;

	if (world_times_new(t, s, &times, &ignored) == 0) {
		p->every_s = declared_every_ns(times, TIMES_VERIFY, now_s) / CALENDAR_SECOND;
		copied_s = declared_every_ns(times, TIMES_ARCHIVE, now_s) / CALENDAR_SECOND;
		world_times_free(times);
	}
	if (!is_archive(c, t))
		return;
	p->may_be_empty = true;
	if (p->rpo_acceptable_s == 0)
		p->rpo_acceptable_s = p->rpo_target_s;
	p->rpo_acceptable_s = copied_s > 0 ? 2 * copied_s + p->rpo_acceptable_s : 0;
	p->rpo_target_s = 0;
}

/* What is promised of it; of a system that is declared nowhere nothing is. */
static int fill(struct cli *c, struct verify_params *p, struct cli_list *paths, struct err *e)
{
	const struct world_system *s = NULL;
	const struct world_tier *t;

	if (config_load(c, false, e) == -1)
		return -1;
	if (c->world != NULL)
		s = world_system(c->world, p->system);
	if (s != NULL) {
		t = world_tier(c->world, s->tier);
		add_paths(s, paths);
		p->paths = paths->v;
		p->npaths = paths->n;
		p->rpo_target_s = seconds(&t->rpo.target);
		p->rpo_acceptable_s = seconds(&t->rpo.acceptable);
		p->rto_target_s = seconds(&t->rto.target);
		p->rto_acceptable_s = seconds(&t->rto.acceptable);
		p->all_data_within_s = seconds(&t->verify.all_data_within);
		p->level = (enum verify_level)t->verify.level;
		fill_times(c, p, s);
	}
	if (c->opt.level != 0)
		p->level = (enum verify_level)c->opt.level;
	if (p->level == 0)
		p->level = VERIFY_STANDARD;
	return 0;
}

static int take_seed(struct cli *c, struct verify_params *p, struct err *e)
{
	char *end;

	if (c->opt.seed == NULL)
		return 0;
	errno = 0;
	p->seed = strtoull(c->opt.seed, &end, 10);
	if (*end != '\0' || errno != 0 || p->seed == 0 || c->opt.seed[0] == '-')
		return err_set(e, ERR_USAGE, "verify: --seed is a number, as an earlier one said");
	return 0;
}

/* The newest that was noted when it was stored here. */
static int note_known(void *arg, const struct catalog_snapshot *s, struct err *e)
{
	struct verify_params *p = arg;

	if (id_parse(&p->known.id, s->snapshot))
		p->known.start_ns = s->start_ns;
	return 0;
}

/*
 * Without a configuration nothing is known.  Of what is declared each snapshot is noted: where the
 * catalog is away, or new and empty, nobody can say whether the store was set back.
 */
static void recall(struct cli *c, struct verify_params *p)
{
	bool declared = c->world != NULL && world_system(c->world, p->system) != NULL;
	struct catalog_snapshot_filter f = {
	    .repository = repo_id_text(c->repo), .system = p->system, .limit = 1};
	struct catalog *cat = NULL;
	struct err e;

	if (c->world == NULL)
		return;
	if (declared)
		p->known.why = "the catalog knows none here: it is new, or was lost";
	if (cli_catalog_open(c, &cat, &e) == -1 ||
	    catalog_snapshot_list(cat, &f, note_known, p, &e) == -1) {
		out_message(c, "the catalog is not asked: %s", e.msg);
		p->may_be_empty = false;
		if (declared)
			p->known.why = "the catalog cannot be asked";
	}
	catalog_close(cat);
}

/* ---- What came of it. */

/* What is only in the catalog is no part of the work; that it is missing is told. */
static void measure(struct cli *c, const json_t *o)
{
	struct catalog *cat = NULL;
	struct err e;

	if (!c->ran.wanted)
		return;
	if (cli_catalog_open(c, &cat, &e) == -1 ||
	    verify_measure(cat, o, c->ctx->clock->wall_ns(c->ctx->clock), &e) == -1)
		out_message(c, "what was measured is not recorded: %s", e.msg);
	catalog_close(cat);
}

static void note(struct cli *c, const struct verify_params *p, const struct verify_result *r)
{
	const char *verified = r->score.passed ? "passed" : "failed";
	char score[32];

	c->ran.judged = true;
	c->ran.level = verify_level_name(p->level);
	c->ran.score = r->empty ? -1 : r->score.score;
	if (r->empty) {
		audit_put(c, "verified", "not_judged");
		return;
	}
	c->ran.verified = verified;
	c->ran.files = r->files;
	c->ran.bytes = r->bytes;
	c->ran.bytes_read = r->bytes_read;
	if (r->has_snapshot) {
		id_hex(c->ran.snapshot, &r->snapshot);
		audit_put(c, "snapshot", c->ran.snapshot);
	}
	snprintf(score, sizeof score, "%.3f", r->score.score);
	audit_put(c, "verified", verified);
	audit_put(c, "score", score);
}

static void summarize(struct cli *c, const json_t *o)
{
	static const char *const keys[] = {"system", "repository", "snapshot", "verified", "score",
	    "files", "bytes", "bytes_read"};
	json_t *s = json_object();

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		json_object_set(s, keys[i], json_object_get(o, keys[i]));
	out_json(c, "summary", s);
}

/* The failure that matters most, in one line. */
static const struct verify_answer *worst(const struct verify_result *r, const char **name)
{
	const struct verify_answer *found = NULL;
	bool critical = false;

	for (size_t i = 0; i < VERIFY_IDS; i++) {
		if (r->answers[i].state != VERIFY_FAILED ||
		    (found != NULL && (critical || !verify_rules[i].critical)))
			continue;
		found = &r->answers[i];
		critical = verify_rules[i].critical;
		*name = verify_rules[i].name;
	}
	return found;
}

/* A name that nothing and nobody knows is a mistyped one. */
static bool is_unknown(struct cli *c, const struct verify_result *r)
{
	return c->world != NULL && world_system(c->world, c->args.v[0]) == NULL && !r->is_named &&
	       r->answers[VERIFY_READABLE].state == VERIFY_PASSED &&
	       r->answers[VERIFY_NEWEST].state == VERIFY_NOT_JUDGED;
}

static int judge(
    struct cli *c, const struct verify_params *p, const struct verify_result *r, struct err *e)
{
	const struct verify_answer *a;
	const char *name;

	if (r->empty)
		return 0;
	if (!r->score.passed && (a = worst(r, &name)) != NULL) {
		err_set(e, ERR_DAMAGE_FOUND, "verify: %s failed, score %.3f: %s: %s", c->args.v[0],
		    r->score.score, name, a->why);
		return err_hint(e,
		    "'holdfast check' says what else in the repository is damaged; "
		    "'holdfast run %s' makes a new snapshot",
		    c->args.v[0]);
	}
	if (r->damaged_elsewhere > 0) {
		err_set(e, ERR_INCOMPLETE,
		    "verify: %s passed, but %llu damaged %s found that others need", c->args.v[0],
		    (unsigned long long)r->damaged_elsewhere,
		    text_plural(r->damaged_elsewhere, "pack was", "packs were"));
		return err_hint(e, "'holdfast check --read-data' says whose");
	}
	if (p->known.why != NULL && r->answers[VERIFY_NEWEST].state == VERIFY_NOT_JUDGED) {
		err_set(e, ERR_INCOMPLETE,
		    "verify: %s passed, but whether the newest one is there is not known: %s",
		    c->args.v[0], p->known.why);
		return err_hint(e,
		    "see whether snapshots are missing; then 'holdfast catalog rebuild' takes in "
		    "what there is");
	}
	return 0;
}

/* ---- Here. */

static int verify_here(struct cli *c, struct err *e)
{
	char *state = os_state_dir(), *scratch = mem_printf("%s/scratch", state);
	struct verify_params p = {.system = c->args.v[0],
	    .read_data = c->opt.read_data,
	    .scratch = scratch,
	    .sample_bytes = sample_bytes,
	    .jobs = (unsigned)c->opt.jobs};
	struct cli_list paths = {0};
	struct verify_result r;
	json_t *o = NULL;
	int rc = -1;

	if (fill(c, &p, &paths, e) == -1 || take_seed(c, &p, e) == -1)
		goto out;
	recall(c, &p);
	progress_start(c);
	rc = op_verify(c->repo, &p, c->ctx, &r, e);
	progress_stop(c);
	if (rc == -1)
		goto out;
	if (is_unknown(c, &r)) {
		rc = -1;
		declared_system(c->world, p.system, ERR_USAGE, e);
		goto out;
	}
	note(c, &p, &r);
	o = verify_json(c->named ? c->named->item.name : repo_url(c->repo), &p, &r);
	measure(c, o);
	if (c->out.json) {
		out_json(c, "item", json_incref(o));
		summarize(c, o);
	} else {
		verify_show(c, o);
	}
	rc = judge(c, &p, &r, e);
out:
	json_decref(o);
	free(paths.v);
	free(scratch);
	free(state);
	return rc;
}

/* Of each system; the first that failed is what is told. */
static int each(struct cli *c, int (*f)(struct cli *, const char *, struct err *), struct err *e)
{
	bool failed = false;

	if (config_load(c, true, e) == -1)
		return -1;
	for (size_t i = 0; i < c->args.n; i++)
		if (declared_system(c->world, c->args.v[i], ERR_USAGE, e) == NULL)
			return -1;
	for (size_t i = 0; i < c->args.n && !ctx_cancelled(c->ctx); i++) {
		struct err why;

		if (f(c, c->args.v[i], &why) == -1 && !failed) {
			failed = true;
			*e = why;
		}
	}
	return failed ? -1 : 0;
}

int cmd_verify(struct cli *c, struct err *e)
{
	if ((c->opt.monitors.n > 0 || c->opt.accept) && c->repo != NULL)
		return err_set(e, ERR_USAGE, "verify: monitors are not of one repository");
	if (c->opt.monitors.n > 0 && c->opt.accept)
		return err_set(e, ERR_USAGE, "verify: --monitor or --accept");
	if (c->opt.accept)
		return each(c, monitor_take, e);
	if (c->opt.monitors.n > 0)
		return each(c, monitor_look, e);
	if (c->repo == NULL && (c->opt.read_data || c->opt.seed) && !c->opt.foreground) {
		err_set(e, ERR_USAGE, "verify: --read-data and --seed are not for the daemon");
		return err_hint(e, "add --foreground, or -r REPO");
	}
	if (c->repo == NULL)
		return cmd_run_kind(c, "verify", e);
	if (c->args.n != 1)
		return err_set(e, ERR_USAGE, "verify: with --repo one system");
	return verify_here(c, e);
}
