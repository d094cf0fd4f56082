/* cli_monitor: see cli_monitor.h. */
#include "cli/cli_monitor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/hold.h"
#include "cli/cli_audit.h"
#include "cli/cli_out.h"
#include "config/world_monitor.h"
#include "engine/monitor_value.h"
#include "os/os_child.h"

enum { WHY_TOLD = 3, WHY_LOOKED = 50 }; /* of events, by why */

struct looking {
	struct cli *c;
	const struct world_system *system;
	struct catalog *catalog;
	struct other *other; /* the repository, once one is needed */
	bool tells;          /* nobody else does: into the catalog */
	unsigned looked, differ, failed;
	struct err first; /* why the first of these could not be looked at */
	char worst[400];  /* what the first that differs says */
};

static int64_t now_ns(const struct cli *c)
{
	return c->ctx->clock->wall_ns(c->ctx->clock);
}

/* ---- What each remembers. */

static char *memory_name(const struct world_system *s, const struct world_monitor *m)
{
	return mem_printf("monitor.%s.%s", s->item.name, m->item.name);
}

static int recall(struct catalog *cat, const struct world_system *s, const struct world_monitor *m,
    struct monitor_memory *out, struct err *e)
{
	char *name = memory_name(s, m), *text = NULL;
	int rc = catalog_get(cat, name, &text, e);

	if (rc == 0)
		monitor_memory_read(out, text);
	free(text);
	free(name);
	return rc;
}

static int keep(struct catalog *cat, const struct world_system *s, const struct world_monitor *m,
    const struct monitor_memory *memory, struct err *e)
{
	char *name = memory_name(s, m), *text = monitor_memory_text(memory);
	int rc = catalog_put(cat, name, text, e);

	free(text);
	free(name);
	return rc;
}

/* ---- What each sees. */

static int note_files(void *arg, const struct run_latest *l, struct err *e)
{
	if (strcmp(l->kind, "backup") == 0 && l->success_id != 0)
		snprintf(arg, MONITOR_VALUE, "%llu", (unsigned long long)l->files);
	return 0;
}

static int see_files(struct looking *x, char out[MONITOR_VALUE], struct err *e)
{
	if (run_latest(x->catalog, x->system->item.name, note_files, out, e) == -1)
		return -1;
	return out[0] ? 0 : err_set(e, ERR_ABSENT, "it was never backed up");
}

static int see_checksum(
    struct looking *x, const struct world_monitor *m, char out[MONITOR_VALUE], struct err *e)
{
	const struct world_tier *t = world_tier(x->c->world, x->system->tier);
	const struct world_repository **to = mem_alloc((t->destinations.n + 1) * sizeof(void *));
	int rc = 0;

	world_destinations(x->c->world, t, to);
	if (x->other == NULL) {
		x->other = other_new(x->c);
		rc = other_open(x->c, to[0]->item.name, NULL, x->other, e);
	}
	if (rc == 0 && x->other->repo == NULL)
		rc = err_set(e, ERR_FAILED, "%s could not be opened", to[0]->item.name);
	free(to);
	return rc == -1 ? -1
			: monitor_checksum(x->other->repo, x->system->item.name,
			      (const char *const *)m->paths.v, m->paths.n, x->c->ctx, out, e);
}

static int see(
    struct looking *x, const struct world_monitor *m, char out[MONITOR_VALUE], struct err *e)
{
	struct monitor_command p = {m->command, x->system->item.name,
	    m->timeout.ns + (int64_t)m->timeout.months * 30 * 86400 * CALENDAR_SECOND,
	    m->type == WORLD_STATE_HASH};

	out[0] = '\0';
	if (m->command != NULL)
		return monitor_command(&p, x->c->ctx, out, e);
	switch (m->type) {
	case WORLD_CHECKSUM:
		return see_checksum(x, m, out, e);
	case WORLD_RECORD_COUNT:
		return see_files(x, out, e);
	case WORLD_STATE_HASH:
		return monitor_state(
		    (const char *const *)m->paths.v, m->paths.n, x->c->ctx, out, e);
	default:
		return monitor_line(m->paths.v[0], out, e);
	}
}

/* ---- What is told. */

struct told {
	const char *event, *severity; /* event NULL: nothing is news */
	char text[700];
};

/* By who looks himself; the daemon does it of what it has begun. */
static int tell(struct looking *x, const struct told *t, struct err *e)
{
	struct catalog_event ev = {.at_ns = now_ns(x->c),
	    .name = t->event,
	    .severity = t->severity,
	    .system = x->system->item.name,
	    .text = t->text};
	int64_t id;

	if (t->event == NULL || !x->tells)
		return 0;
	return catalog_event_add(x->catalog, &ev, &id, e);
}

static void show(struct looking *x, const struct world_monitor *m,
    const struct monitor_memory *memory, const char *outcome, const struct told *t)
{
	json_t *o;

	if (!x->c->out.json) {
		out_text(x->c, "%s %s: %s", out_str(x->c, x->system->item.name),
		    out_str(x->c, m->item.name), outcome);
		out_text(x->c, "%s%s\n", t->text[0] ? ": " : " ",
		    out_str(x->c, t->text[0] ? t->text : memory->seen));
		return;
	}
	o = json_object();
	out_json_str(o, "system", x->system->item.name);
	out_json_str(o, "monitor", m->item.name);
	out_json_str(o, "kind", world_monitor_type_name(m->type));
	out_json_str(o, "action", world_monitor_action_name(m->action));
	out_json_str(o, "outcome", outcome);
	out_json_str(o, "value", memory->seen);
	out_json_str(o, "accepted", m->expect ? m->expect : memory->accepted);
	out_json_str(o, "event", t->event);
	out_json_str(o, "severity", t->severity);
	out_json_str(o, "text", t->text);
	out_json(x->c, "item", o);
}

static void judge_text(const struct world_monitor *m, const char *right,
    const struct monitor_memory *memory, enum monitor_outcome outcome, struct told *t)
{
	bool block = m->action == WORLD_BLOCK_ON_MISMATCH;

	if (outcome == MONITOR_DIFFERS || outcome == MONITOR_STILL)
		snprintf(t->text, sizeof t->text, "%s is %s, and should be %s%s", m->item.name,
		    memory->seen, right, block ? "; backups and retention are held" : "");
	else if (outcome == MONITOR_BACK)
		snprintf(t->text, sizeof t->text, "%s is %s again, as it should be%s", m->item.name,
		    memory->seen, block ? "; what is held waits to be accepted" : "");
	if (outcome == MONITOR_DIFFERS) {
		t->event = "monitor.mismatch";
		t->severity = block ? "critical" : "warning";
	} else if (outcome == MONITOR_BACK) {
		t->event = "monitor.kept";
		t->severity = "info";
	}
}

static int fail_one(struct looking *x, const struct world_monitor *m, struct monitor_memory *memory,
    const struct err *why, struct err *e)
{
	struct told t = {.severity = "warning"};

	if (x->failed++ == 0)
		x->first = *why;
	snprintf(t.text, sizeof t.text, "%s could not be looked at: %s", m->item.name, why->msg);
	if (!memory->failing)
		t.event = "monitor.failed";
	memory->failing = true;
	show(x, m, memory, "failed", &t);
	return tell(x, &t, e);
}

static int judge(struct looking *x, const struct world_monitor *m, struct monitor_memory *memory,
    const char *value, struct err *e)
{
	const struct monitor_rule rule = {m->type == WORLD_RECORD_COUNT, m->threshold, m->expect};
	char *right = mem_strdup(m->expect ? m->expect : memory->accepted);
	enum monitor_outcome outcome;
	struct told t = {.event = NULL};
	struct err why;
	int rc = 0;

	if (monitor_judge(&rule, memory, value, &outcome, &why) == -1) {
		free(right);
		return fail_one(x, m, memory, &why, e);
	}
	memory->failing = false;
	judge_text(m, right, memory, outcome, &t);
	free(right);
	show(x, m, memory, monitor_outcome_name(outcome), &t);
	if (memory->differs && x->differ++ == 0)
		snprintf(x->worst, sizeof x->worst, "%s", t.text);
	if (outcome == MONITOR_DIFFERS && m->action == WORLD_BLOCK_ON_MISMATCH)
		rc = hold_put(x->catalog, x->system->item.name, t.text, e);
	if (rule.counts && rc == 0) {
		char *name = mem_printf("monitor.%s", m->item.name);

		rc = catalog_measure(
		    x->catalog, x->system->item.name, name, now_ns(x->c), strtod(value, NULL), e);
		free(name);
	}
	return rc == 0 ? tell(x, &t, e) : rc;
}

static int look_one(struct looking *x, const struct world_monitor *m, struct err *e)
{
	char value[MONITOR_VALUE];
	struct monitor_memory memory;
	struct err why;
	int rc;

	if (recall(x->catalog, x->system, m, &memory, e) == -1)
		return -1;
	err_clear(&why);
	rc = see(x, m, value, &why);
	if (rc == -1 && why.kind == ERR_CANCELLED) {
		*e = why;
		return -1;
	}
	memory.at_ns = now_ns(x->c);
	x->looked++;
	rc = rc == -1 ? fail_one(x, m, &memory, &why, e) : judge(x, m, &memory, value, e);
	return keep(x->catalog, x->system, m, &memory, rc == 0 ? e : &why) == -1 ? -1 : rc;
}

/* ---- All of a system's. */

static bool is_wanted(const struct cli *c, const struct world_monitor *m)
{
	for (size_t i = 0; i < c->opt.monitors.n; i++)
		if (strcmp(c->opt.monitors.v[i], "all") == 0 ||
		    strcmp(c->opt.monitors.v[i], m->item.name) == 0)
			return true;
	return false;
}

static int verdict(const struct looking *x, struct err *e)
{
	const char *name = x->system->item.name;

	if (x->differ > 0) {
		err_set(e, ERR_DAMAGE_FOUND, "verify: %s: %s%s", name, x->worst,
		    x->differ > 1 ? ", and more" : "");
		return err_hint(
		    e, "look at it; 'holdfast verify %s --accept' takes it for right", name);
	}
	if (x->failed > 0) {
		*e = x->first;
		return err_wrap(e, "verify: %s", name);
	}
	if (x->looked > 0)
		return 0;
	err_set(e, ERR_USAGE, "verify: %s has no such monitor that can be run", name);
	return err_hint(e, "'holdfast why %s' says which there are, and what they lack", name);
}

static int open_all(struct cli *c, const char *system, struct looking *x, struct err *e)
{
	*x = (struct looking){.c = c};
	if (config_load(c, true, e) == -1)
		return -1;
	x->system = world_system(c->world, system);
	return cli_catalog_open(c, &x->catalog, e);
}

int monitor_look(struct cli *c, const char *system, struct err *e)
{
	const char *parent = getenv("HOLDFAST_RUN_PARENT");
	struct looking x;
	struct world_monitor *v;
	size_t n;
	int rc = 0;

	if (parent != NULL && parent[0] != '\0' && !os_die_with_parent(atoi(parent)))
		return err_set(e, ERR_CANCELLED, "the daemon is gone");
	if (open_all(c, system, &x, e) == -1)
		return -1;
	x.tells = parent == NULL || parent[0] == '\0';
	v = mem_alloc(world_monitors_max(c->world, x.system) * sizeof *v);
	n = world_monitors(c->world, x.system, v);
	for (size_t i = 0; i < n && rc == 0; i++)
		if (is_wanted(c, &v[i]) && world_monitor_lacks(&v[i]) == NULL)
			rc = look_one(&x, &v[i], e);
	if (rc == 0)
		rc = verdict(&x, e);
	free(v);
	other_free(x.other);
	catalog_close(x.catalog);
	return rc;
}

static int take_one(struct looking *x, const struct world_monitor *m, struct err *e)
{
	struct monitor_memory memory;
	struct told t = {.event = "monitor.accepted", .severity = "info"};

	if (recall(x->catalog, x->system, m, &memory, e) == -1)
		return -1;
	if (!monitor_accept(&memory))
		return 0;
	x->looked++;
	x->tells = true;
	snprintf(t.text, sizeof t.text, "%s: %s is right", m->item.name, memory.seen);
	audit_add(x->c, "accepted", t.text);
	show(x, m, &memory, "accepted", &t);
	return keep(x->catalog, x->system, m, &memory, e) == -1 ? -1 : tell(x, &t, e);
}

int monitor_take(struct cli *c, const char *system, struct err *e)
{
	struct looking x;
	struct world_monitor *v;
	char *held = NULL;
	size_t n;
	int rc = 0;

	if (open_all(c, system, &x, e) == -1)
		return -1;
	v = mem_alloc(world_monitors_max(c->world, x.system) * sizeof *v);
	n = world_monitors(c->world, x.system, v);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = take_one(&x, &v[i], e);
	if (rc == 0)
		rc = hold_get(x.catalog, system, &held, e);
	if (rc == 0 && held != NULL && (rc = hold_end(x.catalog, system, e)) == 0) {
		audit_put(c, "released", held);
		out_message(c, "%s: its backups and retention go on", system);
	} else if (rc == 0 && x.looked == 0) {
		out_message(c, "%s: there is nothing to accept", system);
	}
	free(held);
	free(v);
	catalog_close(x.catalog);
	return rc;
}

/* ---- Why. */

static void add(json_t *list, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(json_t *list, const char *fmt, ...)
{
	char text[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	json_array_append_new(list, json_string(text));
}

void monitor_why_declared(const struct world *w, const struct world_system *s, json_t *list)
{
	struct world_monitor *v = mem_alloc(world_monitors_max(w, s) * sizeof *v);
	size_t n = world_monitors(w, s, v);

	for (size_t i = 0; i < n; i++)
		if (world_monitor_lacks(&v[i]) != NULL)
			add(list, "monitor %s is not run: it needs %s", v[i].item.name,
			    world_monitor_lacks(&v[i]));
	free(v);
}

struct telling {
	json_t *list;
	unsigned n;
};

static int add_event(void *arg, const struct catalog_event *ev, struct err *e)
{
	struct telling *t = arg;
	char when[CALENDAR_TEXT];

	if (strncmp(ev->name, "monitor.", 8) == 0 && t->n++ < WHY_TOLD)
		add(t->list, "monitor, on %s: %s", calendar_format_local(when, ev->at_ns),
		    ev->text ? ev->text : ev->name);
	return 0;
}

int monitor_why_recorded(struct catalog *cat, const char *system, json_t *list, struct err *e)
{
	struct telling t = {list, 0};
	char *held = NULL;
	int rc = hold_get(cat, system, &held, e);

	if (held != NULL)
		add(list, "it is held: %s ('holdfast verify %s --accept', when it is right)", held,
		    system);
	free(held);
	return rc == 0 ? catalog_event_list(cat, 0, system, WHY_LOOKED, add_event, &t, e) : rc;
}
