/* cli_job: see cli_job.h. */
#include "cli/cli_job.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "catalog/catalog_share.h"
#include "catalog/drill_what.h"
#include "catalog/hold.h"
#include "cli/cli_drill.h"
#include "cli/cli_out.h"
#include "cli/cli_verify.h"
#include "config/world.h"
#include "daemon/daemon.h"
#include "daemon/job.h"
#include "db/db.h"
#include "os/os.h"
#include "os/os_child.h"

static const int64_t lease_ns = 120 * CALENDAR_SECOND, renew_ns = 30 * CALENDAR_SECOND,
		     fence_ns = 90 * CALENDAR_SECOND;

char *job_self(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

	return n > 0 ? mem_strndup(path, (size_t)n) : mem_strdup("holdfast");
}

static int64_t now_ns(struct cli *c)
{
	return c->ctx->clock->wall_ns(c->ctx->clock);
}

static void say(char *out, size_t room, const char *text)
{
	snprintf(out, room, "%s", text ? text : "");
}

static char *drill_type(const struct cli *c)
{
	static const char *const levels[] = {NULL, "standard", "comprehensive"};
	struct drill_what w;

	say(w.level, sizeof w.level, levels[c->opt.level]);
	say(w.point, sizeof w.point, drill_point_name(c->opt.point));
	say(w.from, sizeof w.from, c->opt.drill_from);
	say(w.to, sizeof w.to, c->opt.to);
	return drill_what_text(&w);
}

char *job_type(const struct cli *c, const char *kind)
{
	static const char *const types[] = {NULL, "full", "incremental", "differential"};
	static const char *const levels[] = {NULL, "standard", "comprehensive"};
	const char *type = strcmp(kind, "verify") == 0 ? levels[c->opt.level] : types[c->opt.type];

	if (strcmp(kind, "drill") == 0)
		return drill_type(c);
	return type ? mem_strdup(type) : NULL;
}

int job_verdict(const struct run *r, struct err *e)
{
	static const struct {
		enum run_status status;
		enum err_kind kind;
	} kinds[] = {{RUN_PROBLEMS, ERR_INCOMPLETE}, {RUN_INTERRUPTED, ERR_CANCELLED}};
	enum err_kind kind = err_kind_of(r->error_kind);

	if (r->status == RUN_COMPLETED)
		return 0;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (kinds[i].status == r->status)
			kind = kinds[i].kind;
	err_set(e, kind, "%s: %s", r->system, r->message ? r->message : run_status_name(r->status));
	return r->hint && r->hint[0] ? err_hint(e, "%s", r->hint) : -1;
}

void job_report(struct cli *c, const struct run *r)
{
	char a[32], b[32], s[32];

	if (c->out.json) {
		out_json(c, "summary", shape_json(&shape_run, r));
		return;
	}
	out_text(c, "%s: %s %s (run %" PRId64 ", %s)\n", out_str(c, r->system), r->kind,
	    run_status_name(r->status), r->id,
	    text_seconds(s, (double)(r->ended_ns - r->started_ns) / 1e9));
	if (r->snapshot != NULL && strcmp(r->kind, "backup") == 0)
		out_text(c, "  snapshot %.8s: %s %s, %s, stored as %s more\n", r->snapshot,
		    text_count(a, r->files), text_plural(r->files, "file", "files"),
		    text_bytes(b, r->bytes), text_bytes(s, r->stored));
	if (r->verified != NULL && r->score >= 0)
		out_text(c, "  %s, score %.3f\n", r->verified, r->score);
}

/* ---- Here. */

struct here {
	struct cli *c;
	struct catalog *catalog;
	char *owner;
	int64_t renewed_ns;
	int64_t
	    held_ns; /* of the clock that goes on: when that went well last; 0: a daemon's run */
};

static int64_t mono_ns(struct cli *c)
{
	return c->ctx->clock->mono_ns(c->ctx->clock);
}

/*
 * Whoever is at a run keeps the leases of its owner, which of a daemon are all of its runs.  Where
 * the catalog's server is away, the run ends before others begin it; a daemon's is ended by it.
 */
static void renew(void *arg)
{
	struct here *h = arg;
	int64_t now, asked = mono_ns(h->c);
	struct err e;

	if (h->catalog == NULL || now_ns(h->c) - h->renewed_ns <= renew_ns)
		return;
	h->renewed_ns = now_ns(h->c);
	if (catalog_now(h->catalog, &now, &e) == 0 &&
	    run_renew(h->catalog, h->owner, now + lease_ns, &e) == 0)
		h->held_ns = h->held_ns ? asked : 0;
	else if (h->held_ns && db_is_server(catalog_db(h->catalog)) &&
		 mono_ns(h->c) - h->held_ns >= fence_ns && !ctx_cancelled(h->c->ctx)) {
		out_message(h->c, "the catalog is away for so long that a daemon may begin this "
				  "run elsewhere: stopped here");
		atomic_store(&h->c->ctx->cancel, true);
	}
}

/* A verification's outcome: shown, and its numbers kept. */
static void hear_item(struct here *h, const json_t *o)
{
	struct err e;

	if (drill_is(o)) {
		if (h->catalog != NULL && drill_measure(h->catalog, o, now_ns(h->c), &e) == -1)
			out_message(h->c, "what was measured is not recorded: %s", e.msg);
		out_draw(h->c, "");
		drill_show(h->c, o);
		return;
	}
	if (!verify_is(o))
		return;
	if (h->catalog != NULL && verify_measure(h->catalog, o, now_ns(h->c), &e) == -1)
		out_message(h->c, "what was measured is not recorded: %s", e.msg);
	out_draw(h->c, "");
	verify_show(h->c, o);
}

static void show_progress(struct here *h, const json_t *o)
{
	char text[200], a[32];

	if (!h->c->out.err_tty || h->c->out.quiet || h->c->out.json)
		return;
	snprintf(text, sizeof text, "%.0f %%  %s", json_number_value(json_object_get(o, "percent")),
	    text_bytes(a, (uint64_t)json_integer_value(json_object_get(o, "bytes"))));
	out_draw(h->c, text);
}

/* What the step tells is told; how far it is goes to where one looks. */
static void hear(void *arg, const char *line)
{
	struct here *h = arg;
	json_t *o;
	const char *type;

	o = json_loads(line, 0, NULL);
	type = json_string_value(json_object_get(o, "type"));
	if (type != NULL && strcmp(type, "status") == 0)
		show_progress(h, o);
	if (type != NULL && strcmp(type, "item") == 0)
		hear_item(h, o);
	/* Of summaries and errors the run's own is told. */
	if (h->c->out.json && type != NULL && strcmp(type, "summary") != 0 &&
	    strcmp(type, "error") != 0) {
		out_json(h->c, type, json_incref(o));
		fflush(stdout);
	}
	json_decref(o);
}

static int note_latest(void *arg, const struct run_latest *l, struct err *e)
{
	struct job_params *p = arg;

	if (strcmp(l->kind, "backup") == 0 && l->success_id != 0) {
		p->last_files = l->files;
		p->last_stored = l->stored;
	}
	return 0;
}

/* Where the state folder cannot be written nobody can stop it but whoever typed it. */
static char *own_name(int64_t now)
{
	char *dir = os_state_dir(), *name;
	struct err ignored;
	char *folder = daemon_owner(dir, &ignored);

	name = mem_printf(
	    "%s:pid-%d-%lld", folder ? folder : os_host(), (int)getpid(), (long long)now);
	free(folder);
	free(dir);
	return name;
}

/* Of the daemon it is there already; else it is added as one that runs. */
static int begin(struct here *h, struct job_params *p, int64_t *id, struct err *e)
{
	const char *given = getenv("HOLDFAST_RUN_ID"), *owner = getenv("HOLDFAST_RUN_OWNER");
	char user[64];
	struct run r = {.system = p->system ? p->system->item.name : p->repository->item.name,
	    .node = os_host(),
	    .kind = p->kind,
	    .type = p->type,
	    .trigger = "manual",
	    .by = user,
	    .status = RUN_RUNNING,
	    .pid = getpid()};

	if (given != NULL && given[0] != '\0' && owner != NULL) {
		*id = strtoll(given, NULL, 10);
		h->owner = mem_strdup(owner);
		return 0;
	}
	os_user(user, sizeof user);
	h->owner = own_name(now_ns(h->c));
	h->held_ns = mono_ns(h->c);
	r.owner = h->owner;
	r.queued_ns = r.started_ns = h->renewed_ns = now_ns(h->c);
	if (catalog_now(h->catalog, &r.lease_ns, e) == -1)
		return -1;
	r.lease_ns += lease_ns;
	return run_add(h->catalog, &r, id, e);
}

/*
 * What the daemon's end has broken off is the next daemon's to record: it finds the run without
 * anybody at it, and begins it anew.
 */
static bool is_next_daemons(const struct run *r)
{
	const char *parent = getenv("HOLDFAST_RUN_PARENT");

	return r->status == RUN_INTERRUPTED && parent != NULL && parent[0] != '\0' &&
	       getppid() != atoi(parent);
}

/* The catalog is no part of the work: it was done, and that it is not recorded is told. */
static int record(struct here *h, struct run *r, int64_t id, const char *recorded, struct err *e)
{
	r->id = id;
	r->ended_ns = now_ns(h->c);
	r->owner = h->owner;
	if (h->catalog != NULL && is_next_daemons(r))
		return 0;
	if (h->catalog != NULL && run_end(h->catalog, r, e) == 0)
		return 0;
	if (h->catalog == NULL)
		err_set(e, ERR_FAILED, "%s", recorded);
	out_message(h->c, "the run is not recorded: %s", e->msg);
	return -1;
}

static int note_started(void *arg, const struct run *r, struct err *e)
{
	*(int64_t *)arg = r->started_ns;
	return 0;
}

static int run_here(struct here *h, const char *name, const char *kind, struct err *e)
{
	struct cli *c = h->c;
	char *self = job_self(), *config = os_real_path(c->world->files[0]);
	char *type = job_type(c, kind);
	bool prune = strcmp(kind, "prune") == 0;
	struct job_params p = {.self = self,
	    .config = config,
	    .world = c->world,
	    .system = prune ? NULL : world_system(c->world, name),
	    .repository = prune ? world_repository(c->world, name) : NULL,
	    .kind = kind,
	    .type = type,
	    .seed = c->opt.seed,
	    .read_data = c->opt.read_data,
	    .line = hear,
	    .idle = renew,
	    .arg = h};
	struct job_result *r = mem_zalloc(sizeof *r);
	char recorded[512] = "", *held = NULL;
	int64_t id = 0, started = now_ns(c);
	bool kept;

	if (h->catalog == NULL || begin(h, &p, &id, e) == -1 ||
	    run_latest(h->catalog, name, note_latest, &p, e) == -1 ||
	    hold_get(h->catalog, name, &held, e) == -1) {
		snprintf(recorded, sizeof recorded, "%s", e->msg);
		catalog_close(h->catalog);
		h->catalog = NULL;
	}
	p.run = id;
	p.held = held;
	job_run(&p, c->ctx, r);
	out_draw(c, "");
	if (h->catalog != NULL)
		run_get(h->catalog, id, note_started, &started, e);
	kept = record(h, &r->run, id, recorded, e) == 0;
	r->run.started_ns = started;
	job_report(c, &r->run);
	err_clear(e);
	if (job_verdict(&r->run, e) == 0 && !kept)
		err_set(e, ERR_INCOMPLETE, "%s: done, but not recorded in the catalog", name);
	free(r);
	free(type);
	free(self);
	free(config);
	free(held);
	return e->kind == ERR_NONE ? 0 : -1;
}

int job_foreground(struct cli *c, const char *system, const char *kind, struct err *e)
{
	const struct world_system *s = strcmp(kind, "prune") == 0 ? NULL
								  : world_system(c->world, system);
	const char *parent = getenv("HOLDFAST_RUN_PARENT");
	struct here h = {.c = c};
	int rc;

	if (s != NULL && s->node != NULL && strcmp(s->node, os_host()) != 0) {
		err_set(e, ERR_USAGE, "%s is backed up by %s, and this is %s", system, s->node,
		    os_host());
		return err_hint(e, "run it there; or leave 'node' out, if any host may do it");
	}
	if (parent != NULL && parent[0] != '\0' && !os_die_with_parent(atoi(parent)))
		return err_set(e, ERR_CANCELLED, "the daemon is gone");
	if (cli_catalog_open(c, &h.catalog, e) == -1)
		h.catalog = NULL;
	rc = run_here(&h, system, kind, e);
	catalog_close(h.catalog);
	free(h.owner);
	return rc;
}
