/* recover: bring a database back to a moment. */
#include "cli/cli_out.h"
#include "cli/recover_instant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/mem.h"
#include "config/world.h"
#include "engine/op_recover.h"
#include "engine/pg_server.h"
#include "engine/recover_only.h"

/* ---- As it goes. */

void recover_say_step(void *arg, const struct recover_step *s)
{
	struct cli *c = arg;
	char t[32];

	out_text(c, "  %-9s %8s  %s\n", s->name, text_seconds(t, s->seconds), s->what);
}

/* ---- Afterwards. */

static void json_moment(json_t *o, const char *key, const struct recover_moment *m)
{
	char lsn[RECOVER_LSN_TEXT];
	json_t *x;

	if (m->lsn == 0 && m->time_us == 0) {
		json_object_set_new(o, key, json_null());
		return;
	}
	x = json_object();
	out_json_str(x, "lsn", recover_lsn_text(m->lsn, lsn));
	if (m->time_us != 0)
		out_json_time(x, "time", m->time_us * 1000);
	if (m->xid != 0)
		out_json_u64(x, "xid", m->xid);
	json_object_set_new(o, key, x);
}

static json_t *json_steps(const struct recover_result *r)
{
	json_t *v = json_array();

	for (size_t i = 0; i < r->nsteps; i++) {
		json_t *o = json_object();

		out_json_str(o, "step", r->steps[i].name);
		out_json_time(o, "start", r->steps[i].start_ns);
		json_object_set_new(o, "seconds", json_real(r->steps[i].seconds));
		out_json_str(o, "result", r->steps[i].what);
		json_array_append_new(v, o);
	}
	return v;
}

/* Where it is asked; not of a part, which is in somebody else's. */
static bool listens(const struct cli *c, const struct recover_params *p,
    const struct recover_result *r, char socket[PG_SERVER_SOCKET_MAX], char port[16])
{
	return r->started && c->opt.only == NULL && pg_server_where(p->target, socket, port);
}

static void report_json(
    struct cli *c, const struct recover_params *p, const struct recover_result *r)
{
	char text[RECOVER_TARGET_TEXT], lsn[RECOVER_LSN_TEXT];
	char socket[PG_SERVER_SOCKET_MAX], port[16];
	bool at = listens(c, p, r, socket, port);
	json_t *o = json_object();

	out_json_str(o, "system", p->system);
	out_json_str(o, "to", recover_target_text(&p->to, text));
	out_json_str(o, "target", p->target);
	json_object_set_new(o, "dry_run", json_boolean(p->dry_run));
	out_json_id(o, "base", &r->base);
	out_json_time(o, "base_end", r->base_end_ns);
	out_json_str(o, "base_lsn", recover_lsn_text(r->base_lsn, lsn));
	out_json_u64(o, "timeline", r->timeline);
	out_json_str(o, "log_end", recover_lsn_text(r->log_end, lsn));
	out_json_str(o, "gap_end", r->gap ? recover_lsn_text(r->gap_end, lsn) : NULL);
	json_moment(o, "kept", &r->kept);
	json_moment(o, "next", &r->next);
	json_moment(o, "last", &r->last);
	out_json_u64(o, "segments", r->segments);
	out_json_u64(o, "bytes", r->bytes);
	out_json_u64(o, "bytes_compared", r->bytes_there);
	json_object_set_new(o, "started", json_boolean(r->started));
	json_object_set_new(o, "promoted", json_boolean(r->promoted));
	json_object_set_new(o, "validated", json_boolean(r->validated));
	json_moment(o, "reached", &r->reached);
	out_json_str(o, "socket", at ? socket : NULL);
	json_object_set_new(o, "port", at ? json_integer(atoi(port)) : json_null());
	out_json_u64(o, "timeline_now", r->timeline_now);
	out_json_u64(o, "databases", r->databases);
	out_json_u64(o, "databases_there", r->databases_there);
	json_object_set_new(o, "seconds", json_real(r->seconds));
	json_object_set_new(o, "steps", json_steps(r));
	out_json(c, "summary", o);
}

static void say_moment(struct cli *c, const char *what, const struct recover_moment *m)
{
	char lsn[RECOVER_LSN_TEXT], time[RECOVER_TARGET_TEXT];

	if (m->lsn == 0)
		return;
	out_text(c, "%s%s, LSN %s", what,
	    m->time_us ? recover_local_text(m->time_us, time) : "no commit",
	    recover_lsn_text(m->lsn, lsn));
	if (m->xid)
		out_text(c, ", transaction %u", (unsigned)m->xid);
	out_text(c, "\n");
}

static void report(struct cli *c, const struct recover_params *p, const struct recover_result *r)
{
	char a[32], t[32], lsn[RECOVER_LSN_TEXT], time[CALENDAR_TEXT], to[RECOVER_TARGET_TEXT];
	char socket[PG_SERVER_SOCKET_MAX], port[16];

	if (c->out.json) {
		report_json(c, p, r);
		return;
	}
	out_text(c, "Base backup %s, ended %s\n", text_id(a, &r->base),
	    calendar_format_local(time, r->base_end_ns));
	say_moment(
	    c, p->to.kind == RECOVER_NAME ? "Restore point:    " : "Last commit kept: ", &r->kept);
	say_moment(c, "First given up:   ", &r->next);
	say_moment(c, "Last in the log:  ", &r->last);
	if (r->gap)
		out_text(c, "The log has a gap behind that: it goes on at LSN %s\n",
		    recover_lsn_text(r->gap_end, lsn));
	say_moment(c, "Reached:          ", &r->reached);
	if (listens(c, p, r, socket, port))
		out_text(c, "Listens:          port %s, socket in %s\n", port, out_str(c, socket));
	recover_target_text(&p->to, to);
	if (p->dry_run)
		out_text(c, "%s could be brought back to %s\n", p->system, to);
	else if (c->opt.only)
		out_text(c, "%s of %s is in %s, in %s\n", c->opt.only, to, out_str(c, p->target),
		    text_seconds(t, r->seconds));
	else if (r->started)
		out_text(c, "%s is back to %s in %s%s\n", p->system, to,
		    text_seconds(t, r->seconds), r->promoted ? "" : ", not promoted");
	else
		out_text(c, "%s is restored in %s; when its server is started it recovers to %s\n",
		    p->system, text_seconds(t, r->seconds), to);
}

/* ---- What is wanted. */

/* Whatever links lead to both. */
static bool is_folder(const char *path, const char *target)
{
	char *real = recover_folder(path);
	bool is = strcmp(real, target) == 0;

	free(real);
	return is;
}

/* What the configuration says of the real server. */
static int from_world(struct cli *c, struct recover_params *p, struct err *e)
{
	const struct world_system *s;
	const struct world_source *src;
	bool here;

	if (config_load(c, false, e) == -1)
		return -1;
	s = c->world ? world_system(c->world, p->system) : NULL;
	src = s ? world_source_of(s, WORLD_POSTGRESQL) : NULL;
	if (src == NULL)
		return 0;
	p->server.bin = src->postgresql.bin_directory;
	here = p->target != NULL && src->postgresql.data_directory != NULL &&
	       is_folder(src->postgresql.data_directory, p->target);
	p->in_place = here;
	if (p->start && here) {
		p->start_command = src->postgresql.start;
		p->stop_command = src->postgresql.stop;
	}
	return 0;
}

static int wish(struct cli *c, struct recover_params *p, struct err *e)
{
	const struct cli_options *o = &c->opt;

	*p = (struct recover_params){.system = c->args.v[0],
	    .part = o->part,
	    .snapshot = o->base,
	    .timeline = o->timeline,
	    .target = o->target,
	    .delta = o->delta,
	    .dry_run = o->dry_run,
	    .start = o->start || o->instant,
	    .instant = o->instant,
	    .action = o->action > 0 ? (enum recover_action)(o->action - 1) : RECOVER_PROMOTE,
	    .tablespaces = o->tablespaces.v,
	    .ntablespaces = o->tablespaces.n,
	    .jobs = (unsigned)o->jobs,
	    .server = {.port = (unsigned)o->port},
	    .step = recover_say_step,
	    .arg = c};
	if (o->to == NULL && !o->finish) {
		err_set(e, ERR_USAGE, "recover: to when?");
		return err_hint(e, "--to latest, or a time, an LSN, xid:N, a restore point's name");
	}
	if (o->target == NULL && o->only == NULL) {
		err_set(e, ERR_USAGE, "recover: where to?");
		return err_hint(e, "use --target FOLDER");
	}
	if (o->port > 65535)
		return err_set(e, ERR_USAGE, "recover: there is no port %d", o->port);
	if (o->instant && (o->delta || o->dry_run || o->finish || o->only || o->action > 1)) {
		err_set(e, ERR_USAGE,
		    "recover: --instant goes with none of --delta --dry-run --finish --only "
		    "--action");
		return err_hint(e, "it makes a database that is used at once, in an empty place");
	}
	return o->finish ? 0 : recover_target_parse(o->to, &p->to, e);
}

/* What a password stands in is not left on our command line, where everybody can read it. */
static void hide(const char *typed)
{
	char *text = (char *)(uintptr_t)typed;

	memset(text, 'x', strlen(text));
}

/* A part, brought into a server that runs. */
static int run_only(struct cli *c, struct recover_params *p, struct pg_conninfo *into,
    struct recover_result *r, struct err *e)
{
	struct recover_only o = {
	    .what = c->opt.only, .into = into, .folder = c->opt.target, .replace = c->opt.replace};

	if (c->opt.into == NULL) {
		err_set(e, ERR_USAGE, "recover --only: into which database?");
		return err_hint(e, "--into postgresql://host/name");
	}
	if (c->opt.start || c->opt.delta || c->opt.action > 1)
		return err_set(e, ERR_USAGE,
		    "recover --only has its own server: without --start, "
		    "--delta and --action");
	if (pg_conninfo_parse(c->opt.into, into, e) == -1)
		return -1;
	if (into->env != NULL)
		hide(c->opt.into);
	if (op_recover_only(c->repo, p, &o, c->ctx, r, e) == -1)
		return -1;
	p->target = into->shown;
	return 0;
}

static void record(struct cli *c, const struct recover_result *r)
{
	c->opt.system = c->args.v[0];
	id_hex(c->ran.snapshot, &r->base);
	c->ran.bytes = r->bytes;
}

int cmd_recover(struct cli *c, struct err *e)
{
	struct recover_params p;
	struct recover_result r = {0};
	struct pg_conninfo into = {0};
	char *typed = NULL, *target = NULL, to[RECOVER_TARGET_TEXT];
	int rc;

	if (wish(c, &p, e) == -1)
		return -1;
	if (p.target != NULL) {
		typed = pick_absolute(p.target);
		p.target = target = recover_folder(typed);
	}
	rc = from_world(c, &p, e);
	if (rc == 0 &&
	    (c->opt.finish || (p.instant && (rc = recover_instant_before(c, &p, e)) == 1))) {
		rc = recover_instant_go_on(c, &p, e);
	} else if (rc == 0) {
		out_text(c, "Recover %s to %s\n", p.system, recover_target_text(&p.to, to));
		rc = c->opt.only ? run_only(c, &p, &into, &r, e)
				 : op_recover(c->repo, &p, c->ctx, &r, e);
		record(c, &r);
		if (rc == 0)
			report(c, &p, &r);
		if (rc == 0 && r.instant != NULL)
			rc = recover_instant_serve(c, r.instant, p.target, e);
	}
	pg_conninfo_fini(&into);
	free(typed);
	free(target);
	return rc == 0 ? 0 : err_wrap(e, "recover");
}
