/* recover_validate: see recover_internal.h. */
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "db/pg.h"
#include "engine/recover_internal.h"
#include "os/os_spawn.h"

enum { CONNECT_S = 10, ROLES_MAX = 8, ROLES_MAX_SCRATCH = 256 };

/* ---- Connecting. */

static int try_connect(struct recovering *g, const char *user, struct pg **out, struct err *e)
{
	char host[PG_SERVER_SOCKET_MAX], port[16];
	struct pg_target t = {.user = user, .database = "postgres", .port = port, .host = host};
	int rc;

	if (!pg_server_where(g->data, host, port))
		return err_set(e, ERR_UNREACHABLE, "%s: no socket is named", g->data);
	/* What the socket's peer is told is who asks: `peer` in pg_hba.conf goes by that. */
	if (g->as_user && os_act_as(g->uid, g->gid, e) == -1)
		return -1;
	rc = pg_open_for(&t, false, CONNECT_S, g->ctx, out, e);
	if (g->as_user)
		os_act_back();
	return rc;
}

/* Who may do all in a server on the side, where everybody is let in: as anybody, ask it. */
static void name_superuser(struct recovering *g, struct pg *db)
{
	char *name = NULL;
	struct err ignored;

	if (g->p->scratch && g->server != NULL &&
	    pg_text(db,
		"SELECT rolname FROM pg_roles WHERE rolsuper AND rolcanlogin ORDER BY oid LIMIT 1",
		NULL, 0, &name, &ignored) == 0 &&
	    name != NULL)
		pg_server_name_superuser(g->server, name);
	free(name);
}

static int connect_as_any(struct recovering *g, struct pg **out, struct err *e)
{
	const json_t *roles = json_object_get(g->pl.facts, "roles");
	size_t most = g->p->scratch ? ROLES_MAX_SCRATCH : ROLES_MAX;
	struct passwd pw, *found = NULL;
	char text[4096];

	if (try_connect(g, "postgres", out, e) == 0)
		return 0;
	if (e->kind == ERR_CANCELLED)
		return -1;
	if (getpwuid_r(g->as_user ? g->uid : geteuid(), &pw, text, sizeof text, &found) == 0 &&
	    found != NULL && strcmp(pw.pw_name, "postgres") != 0 &&
	    try_connect(g, pw.pw_name, out, e) == 0)
		return 0;
	for (size_t i = 0; i < json_array_size(roles) && i < most; i++) {
		const char *role = json_string_value(json_array_get(roles, i));

		if (role != NULL && try_connect(g, role, out, e) == 0)
			return 0;
	}
	return -1;
}

int recover_connect(struct recovering *g, struct pg **out, struct err *e)
{
	if (connect_as_any(g, out, e) == -1)
		return -1;
	name_superuser(g, *out);
	return 0;
}

/* ---- What it says. */

struct names {
	struct recovering *g;
	uint64_t there;
};

static int on_moment(void *arg, const char *const *v, size_t n, struct err *e)
{
	struct recovering *g = arg;
	struct recover_result *out = g->out;
	char *end;

	(void)e;
	if (n < 3)
		return 0;
	if (v[0] != NULL)
		pg_lsn_parse(v[0], &out->reached.lsn);
	if (v[1] != NULL)
		out->reached.time_us = strtoll(v[1], NULL, 10);
	if (v[2] != NULL)
		out->timeline_now = (uint32_t)strtoul(v[2], &end, 16);
	return 0;
}

/* Databases that the backup's facts name. */
static int on_database(void *arg, const char *const *v, size_t n, struct err *e)
{
	struct names *x = arg;
	const json_t *list = json_object_get(x->g->pl.facts, "databases");

	(void)e;
	for (size_t i = 0; n > 0 && v[0] != NULL && i < json_array_size(list); i++) {
		const char *name = recover_fact_text(json_array_get(list, i), "name");

		x->there += name != NULL && strcmp(name, v[0]) == 0;
	}
	return 0;
}

static int ask(struct recovering *g, struct err *e)
{
	static const char moment[] =
	    "SELECT pg_last_wal_replay_lsn(), "
	    "(extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000000)::bigint, "
	    "CASE WHEN pg_is_in_recovery() THEN NULL "
	    "ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END";
	struct names x = {g, 0};
	struct pg *db;
	int rc;

	if (recover_connect(g, &db, e) == -1)
		return -1;
	rc = pg_query(db, moment, NULL, 0, on_moment, g, e);
	if (rc == 0)
		rc = pg_query(db, "SELECT datname FROM pg_database WHERE NOT datistemplate", NULL,
		    0, on_database, &x, e);
	pg_close(db);
	g->out->databases = json_array_size(json_object_get(g->pl.facts, "databases"));
	g->out->databases_there = x.there;
	return rc;
}

bool recover_fell_short(
    const struct recover_plan *pl, const struct recover_target *to, uint64_t reached, struct err *e)
{
	char was[RECOVER_LSN_TEXT], is[RECOVER_LSN_TEXT];
	/* What was replayed last ends there, behind where it begins. */
	bool lost = pl->last.there && reached <= pl->last.lsn;

	if (pl->to.kind != RECOVER_LATEST)
		return false;        /* short of a target the server fails by itself */
	if (to->kind == RECOVER_LSN) /* the last record's end, by its number */
		lost = reached < to->lsn;
	if (!lost)
		return false;
	recover_lsn_text(to->kind == RECOVER_LSN ? to->lsn : pl->last.lsn, was);
	recover_lsn_text(reached, is);
	err_set(e, ERR_ABSENT,
	    "the server took the log to end at LSN %s, and what it should have replayed goes on to "
	    "LSN %s: the stored log is not whole there, or not of this server",
	    is, was);
	err_hint(e,
	    "--to %s brings back what is before; holdfast log verify, and the server's log, may "
	    "tell what is wrong there; a base backup from behind it needs it not",
	    is);
	return true;
}

static int clean(struct recovering *g, struct err *e)
{
	bool done = g->out->promoted;
	int pid;

	if (recover_unsettle(g, done, e) == -1)
		return -1;
	if (pg_server_runs(g->data, &pid))
		kill(pid, SIGHUP);
	return 0;
}

int recover_validate(struct recovering *g, struct err *e)
{
	char lsn[RECOVER_LSN_TEXT];
	struct err why;
	struct pg_control c;

	if (!g->p->scratch && clean(g, e) == -1)
		return -1;
	if (g->p->action == RECOVER_SHUTDOWN && !g->out->promoted) {
		if (g->bin != NULL && pg_control_read(g->bin, g->data, g->ctx, &c, e) == -1)
			return -1;
		g->out->reached.lsn = g->bin ? c.minimum_recovery : 0;
		g->out->validated = g->bin != NULL;
		recover_say(g, "%s", g->bin ? c.state : "not looked at");
		return 0;
	}
	if (ask(g, &why) == -1) {
		if (why.kind == ERR_CANCELLED) {
			*e = why;
			return -1;
		}
		/* It is up by its own word; who may look inside is its own matter. */
		event_emit(g->ctx, EVENT_WARNING, span_of(NULL, 0),
		    "the server is up, but could not be asked: %s", why.msg);
		recover_say(g, "up, not asked");
		return 0;
	}
	if (g->out->reached.lsn == 0 && g->pl.last.there) {
		event_emit(g->ctx, EVENT_WARNING, span_of(NULL, 0),
		    "the server is up, but does not say how far it replayed: it was restarted "
		    "since");
		recover_say(g, "up, and does not say how far it replayed");
		return 0;
	}
	if (recover_fell_short(&g->pl, &g->p->to, g->out->reached.lsn, e)) {
		g->out->fell_short = true;
		return -1;
	}
	g->out->validated = true;
	recover_say(g, "replayed to LSN %s, databases of the backup there: %llu of %llu",
	    recover_lsn_text(g->out->reached.lsn, lsn), (unsigned long long)g->out->databases_there,
	    (unsigned long long)g->out->databases);
	return 0;
}
