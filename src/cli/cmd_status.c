/* status: the declared repositories and systems, as they are now. */
#include "cli/cli_survey.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "catalog/catalog.h"
#include "config/world.h"
#include "daemon/daemon.h"
#include "os/os.h"

/* Of a system, besides what its repositories show. */
struct lately {
	int64_t age_ns, rpo_ns; /* of its newest snapshot; 0: none, not promised */
	bool missed;
	struct run_latest last; /* its last backup; last_id 0: none is recorded.  No texts. */
	char message[200];
};

/* The daemon, and what the catalog knows of each system of the survey. */
struct around {
	bool lives;
	int64_t pid;
	struct lately *v;
};

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

static void places_text(struct cli *c, const struct survey *s)
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

static size_t copies_of(const struct survey *s, const struct survey_system *x, int64_t *newest)
{
	size_t n = 0;

	*newest = 0;
	for (size_t i = 0; i < s->n; i++) {
		n += (s->places[i].open || s->places[i].seen_ns) && x->newest_ns[i] != 0;
		if (x->newest_ns[i] > *newest)
			*newest = x->newest_ns[i];
	}
	return n;
}

/* "12:30 of 1:00:00" */
static const char *rpo_text(char out[72], const struct lately *l)
{
	char a[32], b[32];

	if (l->rpo_ns == 0)
		return "";
	snprintf(out, 72, "%s of %s", l->age_ns ? text_seconds(a, (double)l->age_ns / 1e9) : "-",
	    text_seconds(b, (double)l->rpo_ns / 1e9));
	return out;
}

static const char *last_text(char out[96], const struct lately *l)
{
	if (l->last.last_id == 0)
		return "";
	snprintf(
	    out, 96, "%s (run %" PRId64 ")", run_status_name(l->last.last_status), l->last.last_id);
	return out;
}

static void systems_text(struct cli *c, const struct survey *s, const struct around *w)
{
	struct text_table t = {.align = "<<><<<", .ncols = 6, .head = true};
	struct buf b = {0};

	text_row(&t, (const char *const[]){"System", "Newest snapshot", "Copies", "Age, of RPO",
			 "Last run", "Missed"});
	for (size_t i = 0; i < s->nsystems; i++) {
		const struct survey_system *x = &s->systems[i];
		struct buf missed = {0};
		const struct lately *l = &w->v[i];
		char a[CALENDAR_TEXT], n[32], rpo[72], last[96];
		int64_t newest;

		text_count(n, copies_of(s, x, &newest));
		if (l->missed)
			buf_printf(&missed, "rpo");
		for (int r = 0; r < RULE_COUNT; r++)
			if (!x->verdicts[r].kept)
				buf_printf(&missed, "%s%s", missed.n ? ", " : "",
				    rules_name((enum rule)r));
		text_row(&t, (const char *const[]){x->rules.name ? x->rules.name : "(all)",
				 when(a, newest), n, rpo_text(rpo, l), last_text(last, l),
				 missed.n ? buf_cstr(&missed) : "nothing"});
		buf_fini(&missed);
	}
	text_table_put(&b, &t);
	out_list(c, "\n%s", buf_cstr(&b));
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

static void lately_json(json_t *o, const struct lately *l)
{
	json_t *run;

	json_object_set_new(
	    o, "rpo_age", l->age_ns ? json_real((double)l->age_ns / 1e9) : json_null());
	json_object_set_new(
	    o, "rpo_target", l->rpo_ns ? json_real((double)l->rpo_ns / 1e9) : json_null());
	json_object_set_new(o, "rpo_missed", json_boolean(l->missed));
	if (l->last.last_id == 0) {
		out_json_str(o, "last_run", NULL);
		return;
	}
	run = json_object();
	out_json_u64(run, "id", (uint64_t)l->last.last_id);
	out_json_str(run, "status", run_status_name(l->last.last_status));
	put_time(run, "ended", l->last.last_ended_ns);
	out_json_str(run, "message", l->message[0] ? l->message : NULL);
	json_object_set_new(o, "last_run", run);
}

static void print_json(struct cli *c, const struct survey *s, const struct around *w)
{
	json_t *o, *places = json_array(), *systems = json_array();

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
	for (size_t i = 0; i < s->nsystems; i++) {
		const struct survey_system *x = &s->systems[i];
		int64_t newest;

		o = json_object();
		out_json_str(o, "name", x->rules.name);
		out_json_u64(o, "copies", copies_of(s, x, &newest));
		put_time(o, "newest", newest);
		lately_json(o, &w->v[i]);
		json_array_append_new(systems, o);
	}
	survey_rules_json(c, s);
	o = json_object();
	json_object_set_new(
	    o, "daemon", w->lives ? json_pack("{s:I}", "pid", (json_int_t)w->pid) : json_null());
	json_object_set_new(o, "repositories", places);
	json_object_set_new(o, "systems", systems);
	out_json_u64(o, "missed", s->missed);
	out_json(c, "summary", o);
}

/* ---- Around it. */

static int64_t length(const struct calendar_duration *d)
{
	return d->ns + (int64_t)d->months * 30 * 86400 * CALENDAR_SECOND;
}

static int note_last(void *arg, const struct run_latest *x, struct err *e)
{
	struct lately *l = arg;

	if (strcmp(x->kind, "backup") != 0)
		return 0;
	l->last = (struct run_latest){.last_id = x->last_id,
	    .last_status = x->last_status,
	    .last_ended_ns = x->last_ended_ns};
	snprintf(l->message, sizeof l->message, "%s", x->message ? x->message : "");
	return 0;
}

/* How old what is there may be, and is. */
static void judge_age(struct cli *c, struct survey *s, size_t i, struct lately *l)
{
	const struct world_system *sys = s->systems[i].rules.name
					     ? world_system(c->world, s->systems[i].rules.name)
					     : NULL;
	int64_t newest;

	copies_of(s, &s->systems[i], &newest);
	l->age_ns = newest ? s->now_ns - newest : 0;
	l->rpo_ns = sys ? length(&world_tier(c->world, sys->tier)->rpo.target) : 0;
	l->missed = l->rpo_ns && (newest == 0 || l->age_ns > l->rpo_ns);
	s->missed += l->missed;
}

/* A catalog that cannot be read is told, and takes nothing from the rest. */
static void look_around(struct cli *c, struct survey *s, struct around *w)
{
	char *state = os_state_dir();
	struct catalog *cat = NULL;
	struct err e;

	w->v = mem_zalloc((s->nsystems + 1) * sizeof *w->v);
	if (daemon_lives(state, &w->lives, &w->pid, &e) == -1 ||
	    cli_catalog_open(c, &cat, &e) == -1)
		out_message(c, "%s", e.msg);
	for (size_t i = 0; i < s->nsystems; i++) {
		const char *name = s->systems[i].rules.name;

		judge_age(c, s, i, &w->v[i]);
		if (cat != NULL && name != NULL &&
		    run_latest(cat, name, note_last, &w->v[i], &e) == -1)
			out_message(c, "%s", e.msg);
	}
	catalog_close(cat);
	free(state);
}

int cmd_status(struct cli *c, struct err *e)
{
	struct around w = {.v = NULL};
	struct survey *s;
	int rc;

	if (survey_new(c, &s, e) == -1)
		return -1;
	look_around(c, s, &w);
	if (c->out.json) {
		print_json(c, s, &w);
	} else {
		out_text(c,
		    w.lives ? "daemon: running, pid %" PRId64 "\n\n" : "daemon: not running\n\n",
		    w.pid);
		places_text(c, s);
		systems_text(c, s, &w);
	}
	rc = survey_result(s, "status", e);
	survey_free(s);
	free(w.v);
	return rc;
}
