/*
 * drill_pg: a database recovered into the room and started apart from the machine.
 *
 * The log is brought by us (op_recover.h), so that its server needs neither network nor repository.
 */
#include "engine/drill_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "db/pg.h"
#include "engine/op_recover.h"
#include "os/os.h"

enum { SPACES = 64, CONNECT_S = 30 };

/* ---- Recovery. */

/* Its folder in the room, of that kind; each source has others. */
static char *place_of(const struct drill *d, const char *kind)
{
	size_t i = (size_t)(d->at - d->sources);

	return i == 0 ? mem_strdup(kind) : mem_printf("%s%zu", kind, i);
}

/* Each tablespace into the room: never where the original has it. */
static size_t map_spaces(struct drill *d, const json_t *facts, char *out[SPACES])
{
	const json_t *list = json_object_get(facts, "tablespaces");
	char *place = place_of(d, "space");
	size_t i, n = 0;
	json_t *o;

	json_array_foreach(list, i, o)
	{
		long long oid = json_integer_value(json_object_get(o, "oid"));

		if (n < SPACES && oid > 0)
			out[n++] = mem_printf("%lld=%s/%s-%lld", oid, d->room.path, place, oid);
	}
	free(place);
	return n;
}

static json_t *moment_json(const struct recover_moment *m)
{
	char lsn[RECOVER_LSN_TEXT], time[RECOVER_TARGET_TEXT];

	if (m->lsn == 0 && m->time_us == 0)
		return json_null();
	return json_pack("{s:s, s:s?}", "lsn", recover_lsn_text(m->lsn, lsn), "time",
	    m->time_us ? recover_time_text(m->time_us, time) : NULL);
}

static void note_recovery(
    struct drill *d, const struct recover_params *p, const struct recover_result *r)
{
	char to[RECOVER_TARGET_TEXT], lsn[RECOVER_LSN_TEXT];
	json_t *steps = json_array();

	for (size_t i = 0; i < r->nsteps; i++)
		json_array_append_new(
		    steps, json_pack("{s:s, s:f, s:s}", "name", r->steps[i].name, "seconds",
			       r->steps[i].seconds, "result", r->what[i]));
	d->at->recovery = json_pack("{s:s, s:s, s:i, s:I, s:b, s:o, s:o, s:o, s:o}", "target",
	    recover_target_text(&p->to, to), "log_end", recover_lsn_text(r->log_end, lsn),
	    "timeline", (int)r->timeline, "segments", (json_int_t)r->segments, "gap", r->gap,
	    "kept", moment_json(&r->kept), "given_up", moment_json(&r->next), "reached",
	    moment_json(&r->reached), "steps", steps);
}

static const struct recover_step *step_named(const struct recover_result *r, const char *name)
{
	for (size_t i = 0; i < r->nsteps; i++)
		if (strcmp(r->steps[i].name, name) == 0)
			return &r->steps[i];
	return NULL;
}

/* What it was that did not come. */
static int judge_failure(struct drill *d, const struct recover_result *r, struct err *e)
{
	bool began = step_named(r, "start") != NULL;

	if (!drill_is_finding(e))
		return -1;
	if (e->kind == ERR_ABSENT && strstr(e->msg, "segment") != NULL)
		drill_break(&d->score, DRILL_LOG, "%s", e->msg);
	else if (r->fell_short)
		drill_break(&d->score, DRILL_REACHED, "%s", e->msg);
	else if (began)
		drill_break(
		    &d->score, DRILL_STARTS, "%s%s%s", e->msg, e->hint[0] ? ": " : "", e->hint);
	drill_break(&d->score, DRILL_RESTORED, "%s", e->msg);
	return 0;
}

/* The base that was chosen has the facts. */
static int take_base(struct drill *d, const struct id *base, struct err *e)
{
	struct drill_source *x = d->at;

	if (id_eq(base, &x->snapshot->id))
		return 0;
	if (snapshot_load(d->repo, base, &x->chosen, e) == -1)
		return -1;
	x->snapshot = x->chosen;
	for (size_t i = 0; i < x->chosen->nparts; i++)
		if (strcmp(x->chosen->parts[i].name, x->part->name) == 0) {
			x->part = &x->chosen->parts[i];
			return 0;
		}
	return err_set(e, ERR_BUG, "the base has no part of that name");
}

static void settle(struct drill *d, const struct recover_result *r)
{
	const struct recover_step *start = step_named(r, "start");
	const struct recover_step *validate = step_named(r, "validate");

	d->at->server = r->server;
	/* Of one that was tried again most was there from before, and the step has both times. */
	d->at->bytes = r->bytes + r->bytes_there;
	d->bytes += d->at->bytes;
	if (r->log_end > r->base_lsn)
		d->at->log_bytes = r->log_end - r->base_lsn;
	d->log_bytes += d->at->log_bytes;
	d->at->start_s = start ? start->seconds : 0;
	d->verify_s += d->at->start_s + (validate ? validate->seconds : 0);
	/* What was planned counts where the server came that far by its own word. */
	d->at->point_ns = (r->validated ? r->kept.time_us : r->reached.time_us) * 1000;
	if (d->at->point_ns < r->base_end_ns)
		d->at->point_ns = r->base_end_ns; /* nothing was committed since: nothing is lost */
	d->at->reached_lsn = r->reached.lsn;
	drill_hold(&d->score, DRILL_LOG);
	drill_hold(&d->score, DRILL_STARTS);
	if (r->gap)
		drill_break(&d->score, DRILL_LOG, "the log has a gap: more is stored behind it");
	if (r->validated)
		drill_hold(&d->score, DRILL_REACHED);
	else
		drill_break(&d->score, DRILL_REACHED, "the server does not say that it did");
}

static void judge_pages(struct drill *d, const json_t *was)
{
	const json_t *bad = json_object_get(was, "bad_pages");
	const json_t *first = json_array_get(bad, 0);

	if (first != NULL)
		drill_break(&d->score, DRILL_PAGES,
		    "%zu were wrong when they were backed up: block %.0f of %.200s",
		    json_array_size(bad), drill_number(first, "block"), drill_text(first, "file"));
	else if (json_is_true(json_object_get(was, "checksums")))
		drill_hold(&d->score, DRILL_PAGES);
	else
		drill_leave(&d->score, DRILL_PAGES, "its pages have no checksums");
}

/* Each source may be of a version of its own. */
static const char *programs_of(const struct drill *d)
{
	for (size_t i = 0; i < d->p->nprograms; i++)
		if (strcmp(d->p->programs[i].part, d->at->part->name) == 0)
			return d->p->programs[i].bin;
	return NULL;
}

int drill_recover(struct drill *d, struct err *e)
{
	/*
	 * What is compared must not be changed by its own housekeeping; a hardened service's
	 * processes make no code; and what ALTER SYSTEM said for its machine need not fit this one.
	 */
	static const char *const settings[] = {"autovacuum=off", "jit=off", "huge_pages=off",
	    "shared_buffers=128MB",
	    "session_preload_libraries=", "local_preload_libraries=", "unix_socket_group="};
	json_t *facts = drill_facts_of(d->at->part);
	char *spaces[SPACES], *place = place_of(d, "sock"), hex[ID_HEX];
	char *sock = mem_printf("%s/%s", d->room.path, place);
	struct recover_params p = {.system = d->p->system,
	    .part = d->at->part->name,
	    .snapshot = d->p->to ? NULL : id_hex(hex, &d->snapshot->id),
	    .to = {.kind = d->p->is_newest ? RECOVER_LATEST : RECOVER_IMMEDIATE},
	    .target = d->data,
	    .start = true,
	    .scratch = true,
	    .give = geteuid() == 0,
	    .uid = os_isolate_uid(d->isolate),
	    .gid = os_isolate_gid(d->isolate),
	    .server = {.bin = programs_of(d),
		.socket_dir = sock,
		.settings = settings,
		.nsettings = sizeof settings / sizeof *settings,
		.spawn = os_isolate_spawn,
		.spawn_arg = d->isolate},
	    .jobs = d->p->jobs};
	struct recover_result r = {.nsteps = 0};
	uint64_t had = atomic_load(&d->ctx->progress.bytes);
	char *into = NULL;
	int rc = -1;

	judge_pages(d, facts);
	p.tablespaces = (const char *const *)spaces;
	p.ntablespaces = map_spaces(d, facts, spaces);
	if (d->p->snapshot->nparts > 1)
		p.target = into = mem_printf("%s/%s", d->data, d->at->part->name);
	if ((d->p->to == NULL || recover_target_parse(d->p->to, &p.to, e) == 0) &&
	    drill_room_folder(&d->room, place, 0700, os_isolate_uid(d->isolate),
		os_isolate_gid(d->isolate), e) == 0) {
		rc = op_recover(d->repo, &p, d->ctx, &r, e);
		/* It goes into the room as all others do, once it is known beforehand. */
		if (rc == -1 && r.met_space) {
			p.look = p.delta = true;
			atomic_store(&d->ctx->progress.bytes, had);
			rc = op_recover(d->repo, &p, d->ctx, &r, e);
		}
		note_recovery(d, &p, &r);
		rc = rc == 0 ? take_base(d, &r.base, e) : judge_failure(d, &r, e);
	}
	if (r.server != NULL)
		settle(d, &r);
	for (size_t i = 0; i < p.ntablespaces; i++)
		free(spaces[i]);
	json_decref(facts);
	free(into);
	free(sock);
	free(place);
	return rc;
}

/* It was started as a part of its recovery; what that took is this step's. */
int drill_start(struct drill *d, struct err *e)
{
	(void)e;
	drill_step(d, "start");
	drill_step_end(d, d->at->server == NULL);
	d->steps[d->nsteps - 1].seconds = d->at->start_s;
	return 0;
}

void drill_pg_stop(struct drill *d)
{
	struct err e;

	for (size_t i = 0; i < d->nsources; i++) {
		struct drill_source *x = &d->sources[i];

		if (x->server == NULL)
			continue;
		if (pg_server_stop(x->server, &e) == -1)
			drill_note(d, "its server was slow to stop");
		pg_server_free(x->server);
		x->server = NULL;
	}
}

/* ---- Asking it. */

/* Where no database is named: the only one there is beside postgres. */
static const char *the_database(const struct drill_source *x)
{
	const json_t *list = json_object_get(x->facts, "databases");
	const char *found = NULL;
	size_t i;
	json_t *o;

	json_array_foreach(list, i, o)
	{
		if (strcmp(drill_text(o, "name"), "postgres") == 0)
			continue;
		if (found != NULL)
			return "postgres";
		found = drill_text(o, "name");
	}
	return found ? found : "postgres";
}

int drill_pg_ask(struct drill *d, const struct drill_check *k, char **out, struct err *e)
{
	const struct drill_source *x = drill_source_for(d, k);
	struct pg_target t = {NULL};
	struct pg *g = NULL;
	int rc;

	*out = NULL;
	pg_server_target(x->server, &t);
	t.database = k->database ? k->database : the_database(x);
	rc = pg_open_for(&t, false, CONNECT_S, d->ctx, &g, e);
	if (rc == 0) {
		pg_patience(g, k->timeout_s ? (int)k->timeout_s : 60);
		/* As a program would ask it; ours name no schema of theirs. */
		rc = pg_query(g, "SET search_path = \"$user\", public", NULL, 0, NULL, NULL, e);
	}
	if (rc == 0)
		rc = pg_text(g, k->what, NULL, 0, out, e);
	pg_close(g);
	return rc;
}
