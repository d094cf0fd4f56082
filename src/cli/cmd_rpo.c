/*
 * rpo: how much would be lost: what is promised, how old the newest recovery point is, and how old
 * the newest that a drill has proven.  The catalog and the records of drills are asked, no
 * repository.
 */
#include "cli/cli_out.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/catalog.h"
#include "catalog/drill_plan.h"
#include "catalog/evidence_drill.h"
#include "cli/declared.h"
#include "config/world.h"
#include "daemon/newest.h"
#include "engine/op_drill.h"
#include "os/os.h"

struct row {
	const struct world_system *declared;
	const char *system;
	int64_t target_s, acceptable_s, rto_target_s; /* 0: not promised */
	int64_t newest_ns, proven_ns;                 /* points; 0: none */
	int64_t now_ns;
	uint64_t bytes;               /* of the newest */
	double expected_s;            /* recovery of it; 0: not known */
	bool missed, late;            /* late: expected after the rto's target */
	char drill[100], verdict[16]; /* the last drill */
	double rto_s;
	json_t *measured; /* by a drill */
};

static int64_t seconds(const struct calendar_duration *d)
{
	return d->ns / CALENDAR_SECOND + (int64_t)d->months * 30 * 86400;
}

static int note_latest(void *arg, const struct run_latest *l, struct err *e)
{
	struct row *r = arg;

	(void)e;
	if (strcmp(l->kind, "backup") == 0 && l->success_id != 0) {
		r->newest_ns = l->success_started_ns;
		r->bytes = l->bytes;
	}
	return 0;
}

static int64_t point_of(const json_t *record)
{
	const char *s = json_string_value(json_object_get(record, "point"));
	struct calendar_time t;
	struct err ignored;

	return s != NULL && calendar_parse_time(s, &t, &ignored) == 0 ? t.ns : 0;
}

static void note_drill(struct row *r, json_t *record)
{
	const char *verdict = json_string_value(json_object_get(record, "verdict"));
	const char *id = json_string_value(json_object_get(record, "id"));
	int64_t point = point_of(record);

	if (verdict == NULL || id == NULL)
		return;
	if (r->drill[0] == '\0') {
		snprintf(r->drill, sizeof r->drill, "%s", id);
		snprintf(r->verdict, sizeof r->verdict, "%s", verdict);
	}
	if (strcmp(verdict, "failed") == 0 || point > r->now_ns)
		return;
	if (r->proven_ns == 0) /* the newest that came back */
		r->rto_s = json_number_value(
		    json_object_get(json_object_get(record, "rto"), "seconds"));
	if (drill_plan_tells_better(r->measured, record, r->bytes)) {
		json_decref(r->measured);
		r->measured = json_incref(record);
		r->expected_s = drill_predict(record, r->bytes, 0);
	}
	if (point > r->proven_ns)
		r->proven_ns = point;
}

struct rows {
	struct row *v;
	size_t n;
};

static int note_record(void *arg, json_t *record, struct span line, struct err *e)
{
	struct rows *all = arg;
	const char *of = json_string_value(json_object_get(record, "system"));

	(void)line;
	(void)e;
	for (size_t i = 0; of != NULL && i < all->n; i++)
		if (strcmp(all->v[i].system, of) == 0)
			note_drill(&all->v[i], record);
	return 0;
}

static int begin(
    struct cli *c, struct catalog *cat, const struct world_system *s, struct row *r, struct err *e)
{
	const struct world_tier *t = world_tier(c->world, s->tier);

	*r = (struct row){.declared = s,
	    .system = s->item.name,
	    .now_ns = c->ctx->clock->wall_ns(c->ctx->clock),
	    .target_s = seconds(&t->rpo.target),
	    .acceptable_s = seconds(&t->rpo.acceptable),
	    .rto_target_s = seconds(&t->rto.target)};
	return run_latest(cat, s->item.name, note_latest, r, e);
}

static void judge(struct row *r, const char *state)
{
	int64_t most = r->acceptable_s ? r->acceptable_s : r->target_s;
	struct newest received;

	newest_look(r->declared, state, r->now_ns, &received);
	r->newest_ns = newest_point(&received, r->newest_ns);
	r->missed = most > 0 &&
		    (r->newest_ns == 0 || r->now_ns - r->newest_ns > most * CALENDAR_SECOND);
	r->late = r->rto_target_s > 0 && r->expected_s > (double)r->rto_target_s;
}

/* Of all, or of the one that is named; the records are read once. */
static int fill(
    struct cli *c, struct catalog *cat, const char *state, struct rows *all, struct err *e)
{
	const char *only = c->args.n > 0 ? c->args.v[0] : NULL;
	size_t bad = 0;

	all->v = mem_zalloc((c->world->systems.n + 1) * sizeof *all->v);
	for (size_t i = 0; i < c->world->systems.n; i++) {
		const struct world_system *s = world_system_at(c->world, i);

		if (only != NULL && strcmp(s->item.name, only) != 0)
			continue;
		if (begin(c, cat, s, &all->v[all->n++], e) == -1)
			return -1;
	}
	if (evidence_drill_list(state, only, note_record, all, &bad, e) == -1)
		return -1;
	if (bad > 0)
		out_message(c,
		    "%zu records of drills cannot be read, or the audit trail does not name them",
		    bad);
	for (size_t i = 0; i < all->n; i++)
		judge(&all->v[i], state);
	return 0;
}

static json_t *age_json(int64_t now, int64_t ns)
{
	return ns ? json_real((double)(now - ns) / 1e9) : json_null();
}

static void show_json(struct cli *c, const struct row *r, int64_t now)
{
	json_t *o = json_object();

	out_json_str(o, "system", r->system);
	json_object_set_new(o, "promised", r->target_s ? json_integer(r->target_s) : json_null());
	json_object_set_new(
	    o, "acceptable", r->acceptable_s ? json_integer(r->acceptable_s) : json_null());
	json_object_set_new(o, "age", age_json(now, r->newest_ns));
	json_object_set_new(o, "proven_age", age_json(now, r->proven_ns));
	if (r->proven_ns)
		out_json_time(o, "proven_point", r->proven_ns);
	json_object_set_new(o, "missed", json_boolean(r->missed));
	out_json_str(o, "last_drill", r->drill[0] ? r->drill : NULL);
	out_json_str(o, "last_verdict", r->drill[0] ? r->verdict : NULL);
	json_object_set_new(o, "rto", r->rto_s > 0 ? json_real(r->rto_s) : json_null());
	json_object_set_new(
	    o, "expected_rto", r->expected_s > 0 ? json_real(r->expected_s) : json_null());
	json_object_set_new(
	    o, "rto_target", r->rto_target_s ? json_integer(r->rto_target_s) : json_null());
	json_object_set_new(o, "rto_at_risk", json_boolean(r->late));
	out_json(c, "item", o);
}

static const char *age_text(char out[32], int64_t now, int64_t ns)
{
	return ns ? text_seconds(out, (double)(now - ns) / 1e9) : "none";
}

static void add_row(struct text_table *t, struct cli *c, const struct row *r, int64_t now)
{
	char a[32], b[32], d[32], f[32], age[64], expected[64] = "";

	snprintf(
	    age, sizeof age, "%s%s", age_text(a, now, r->newest_ns), r->missed ? ": MISSED" : "");
	if (r->expected_s > 0)
		snprintf(expected, sizeof expected, "%s%s%s%s", text_seconds(d, r->expected_s),
		    r->rto_target_s ? " of " : "",
		    r->rto_target_s ? text_seconds(f, (double)r->rto_target_s) : "",
		    r->late ? ": TOO LONG" : "");
	text_row(t, (const char *const[]){out_str(c, r->system),
			r->target_s ? text_seconds(b, (double)r->target_s) : "-", age,
			age_text((char[32]){0}, now, r->proven_ns), expected,
			r->drill[0] ? r->verdict : "never"});
}

int cmd_rpo(struct cli *c, struct err *e)
{
	struct text_table t = {.align = "<>>>><", .ncols = 6, .head = true};
	char *state = os_state_dir();
	struct catalog *cat = NULL;
	struct rows all = {0};
	struct buf b = {0};
	size_t missed = 0;
	int rc = -1;

	text_row(&t, (const char *const[]){"System", "Promised", "Newest point is old",
			 "Newest proven", "Recovery takes", "Last drill"});
	if (config_load(c, true, e) == -1 || cli_catalog_open(c, &cat, e) == -1)
		goto out;
	if (c->args.n > 0 && declared_system(c->world, c->args.v[0], ERR_USAGE, e) == NULL)
		goto out;
	if (fill(c, cat, state, &all, e) == -1)
		goto out;
	for (size_t i = 0; i < all.n; i++) {
		missed += all.v[i].missed;
		if (c->out.json)
			show_json(c, &all.v[i], all.v[i].now_ns);
		else
			add_row(&t, c, &all.v[i], all.v[i].now_ns);
	}
	if (!c->out.json) {
		text_table_put(&b, &t);
		out_list(c, "%s", buf_cstr(&b));
	} else {
		out_json(c, "summary", json_pack("{s:I}", "missed", (json_int_t)missed));
	}
	rc = 0;
	if (missed > 0)
		rc = err_set(e, ERR_OBJECTIVE_MISSED, "rpo: %zu %s missed", missed,
		    text_plural(missed, "objective is", "objectives are"));
out:
	for (size_t i = 0; i < all.n; i++)
		json_decref(all.v[i].measured);
	free(all.v);
	catalog_close(cat);
	text_table_fini(&t);
	buf_fini(&b);
	free(state);
	return rc;
}
