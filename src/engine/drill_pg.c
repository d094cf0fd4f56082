/*
 * drill_pg: a database recovered into the room and started apart from the machine, and what it
 * holds against what the backup noted of it.
 *
 * The log is brought by us (op_recover.h), so that its server needs neither network nor repository.
 * Facts are of the backup; recovery goes on to the log's end or the point asked for.  Where
 * no transaction came in between, either way, rows have to be the same; else there may be more,
 * and notably fewer are a loss.
 */
#include "engine/drill_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "db/pg.h"
#include "engine/op_recover.h"
#include "os/os.h"
#include "source/pg_facts.h"
#include "source/pg_label.h"

#define MAY_SHRINK 5.0

enum { SPACES = 64, CONNECT_S = 30, PAGE = 8192, PAGE_HEADER = 40, COUNT_S = 60 };

static const char *text(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

static double number(const json_t *o, const char *name)
{
	return json_number_value(json_object_get(o, name));
}

/* ---- Recovery. */

/* Its facts as the snapshot has them: {"postgresql": {...}}; new, or NULL. */
static json_t *facts_of(const struct snapshot_part *part)
{
	json_t *all = part->facts ? json_loads(part->facts, 0, NULL) : NULL;
	json_t *pg = json_incref(json_object_get(all, "postgresql"));

	json_decref(all);
	return pg;
}

/* Each tablespace into the room: never where the original has it. */
static size_t map_spaces(struct drill *d, const json_t *facts, char *out[SPACES])
{
	const json_t *list = json_object_get(facts, "tablespaces");
	size_t i, n = 0;
	json_t *o;

	json_array_foreach(list, i, o)
	{
		long long oid = json_integer_value(json_object_get(o, "oid"));

		if (n < SPACES && oid > 0)
			out[n++] = mem_printf("%lld=%s/space-%lld", oid, d->room.path, oid);
	}
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
	d->recovery = json_pack("{s:s, s:s, s:i, s:I, s:b, s:o, s:o, s:o, s:o}", "target",
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
	if (id_eq(base, &d->snapshot->id))
		return 0;
	if (snapshot_load(d->repo, base, &d->chosen, e) == -1)
		return -1;
	d->snapshot = d->chosen;
	for (size_t i = 0; i < d->chosen->nparts; i++)
		if (strcmp(d->chosen->parts[i].name, d->database->name) == 0) {
			d->database = &d->chosen->parts[i];
			return 0;
		}
	return err_set(e, ERR_BUG, "the base has no part of that name");
}

static void settle(struct drill *d, const struct recover_result *r)
{
	const struct recover_step *start = step_named(r, "start");
	const struct recover_step *validate = step_named(r, "validate");

	d->server = r->server;
	d->bytes += r->bytes;
	if (r->log_end > r->base_lsn)
		d->log_bytes = r->log_end - r->base_lsn;
	d->start_s = start ? start->seconds : 0;
	d->verify_s += d->start_s + (validate ? validate->seconds : 0);
	/* What was planned counts where the server came that far by its own word. */
	d->point_ns = (r->validated ? r->kept.time_us : r->reached.time_us) * 1000;
	if (d->point_ns < r->base_end_ns)
		d->point_ns = r->base_end_ns; /* nothing was committed since: nothing is lost */
	d->reached_lsn = r->reached.lsn;
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
		    json_array_size(bad), number(first, "block"), text(first, "file"));
	else if (json_is_true(json_object_get(was, "checksums")))
		drill_hold(&d->score, DRILL_PAGES);
	else
		drill_leave(&d->score, DRILL_PAGES, "its pages have no checksums");
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
	json_t *facts = facts_of(d->database);
	char *spaces[SPACES], *sock = mem_printf("%s/sock", d->room.path), hex[ID_HEX];
	struct recover_params p = {.system = d->p->system,
	    .part = d->database->name,
	    .snapshot = d->p->to ? NULL : id_hex(hex, &d->snapshot->id),
	    .to = {.kind = d->p->is_newest ? RECOVER_LATEST : RECOVER_IMMEDIATE},
	    .target = d->data,
	    .start = true,
	    .scratch = true,
	    .give = geteuid() == 0,
	    .uid = os_isolate_uid(d->isolate),
	    .gid = os_isolate_gid(d->isolate),
	    .server = {.socket_dir = sock,
		.settings = settings,
		.nsettings = sizeof settings / sizeof *settings,
		.spawn = os_isolate_spawn,
		.spawn_arg = d->isolate},
	    .jobs = d->p->jobs};
	struct recover_result r = {.nsteps = 0};
	char *into = NULL;
	int rc = -1;

	judge_pages(d, facts);
	p.tablespaces = (const char *const *)spaces;
	p.ntablespaces = map_spaces(d, facts, spaces);
	if (d->snapshot->nparts > 1)
		p.target = into = mem_printf("%s/%s", d->data, d->database->name);
	if ((d->p->to == NULL || recover_target_parse(d->p->to, &p.to, e) == 0) &&
	    drill_room_folder(&d->room, "sock", 0700, os_isolate_uid(d->isolate),
		os_isolate_gid(d->isolate), e) == 0) {
		rc = op_recover(d->repo, &p, d->ctx, &r, e);
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
	return rc;
}

/* It was started as a part of its recovery; what that took is this step's. */
int drill_start(struct drill *d, struct err *e)
{
	(void)e;
	drill_step(d, "start");
	drill_step_end(d, d->server == NULL);
	d->steps[d->nsteps - 1].seconds = d->start_s;
	return 0;
}

void drill_pg_stop(struct drill *d)
{
	struct err e;

	if (d->server == NULL)
		return;
	if (pg_server_stop(d->server, &e) == -1)
		drill_note(d, "its server was slow to stop");
	pg_server_free(d->server);
	d->server = NULL;
}

/* ---- What it holds. */

static const json_t *find(const json_t *list, const json_t *like)
{
	size_t i;
	json_t *o;

	json_array_foreach(
	    list, i, o) if (strcmp(text(o, "name"), text(like, "name")) == 0 &&
			    strcmp(text(o, "schema"), text(like, "schema")) == 0) return o;
	return NULL;
}

static void compare_rows(
    struct drill *d, const json_t *database, const json_t *was, const json_t *is)
{
	bool both = json_is_true(json_object_get(was, "exact"));
	double before = number(was, "rows"), now = number(is, "rows");
	double most = d->p->may_shrink > 0 ? d->p->may_shrink : MAY_SHRINK;

	if (!json_is_number(json_object_get(was, "rows")) || json_object_get(is, "rows") == NULL)
		return;
	/* Its estimate came back with the catalogue, whatever became of the rows. */
	if (!json_is_true(json_object_get(is, "exact"))) {
		d->estimated++;
		return;
	}
	if (both && d->differs == NULL && before != now)
		drill_break(&d->score, DRILL_ROWS,
		    "%.80s.%.80s of %.80s has %.0f rows; %.0f were backed up, and nothing was "
		    "committed since",
		    text(was, "schema"), text(was, "name"), text(database, "name"), now, before);
	else if (before >= 20 && (before - now) * 100 > before * (both ? most : 4 * most))
		drill_break(&d->score, DRILL_ROWS,
		    "%.80s.%.80s of %.80s has %.0f rows; %s%.0f were "
		    "backed up",
		    text(was, "schema"), text(was, "name"), text(database, "name"), now,
		    both ? "" : "about ", before);
	else
		drill_hold(&d->score, DRILL_ROWS);
}

static void compare_checksum(
    struct drill *d, const json_t *database, const json_t *was, const json_t *is)
{
	if (d->differs == NULL && text(was, "checksum")[0] && text(is, "checksum")[0] &&
	    strcmp(text(was, "checksum"), text(is, "checksum")) != 0)
		drill_break(&d->score, DRILL_ROWS,
		    "the rows of %.80s.%.80s of %.80s are others than were backed up",
		    text(was, "schema"), text(was, "name"), text(database, "name"));
}

static void compare_database(struct drill *d, const json_t *was, const json_t *is)
{
	size_t i;
	json_t *t;

	json_array_foreach(json_object_get(was, "tables"), i, t)
	{
		const json_t *o = find(json_object_get(is, "tables"), t);

		if (o == NULL) {
			drill_break(&d->score, DRILL_TABLES,
			    "table %.80s.%.80s of %.80s is not there", text(t, "schema"),
			    text(t, "name"), text(was, "name"));
			continue;
		}
		drill_hold(&d->score, DRILL_TABLES);
		compare_rows(d, was, t, o);
		compare_checksum(d, was, t, o);
	}
	if (text(was, "schema_hash")[0] && text(is, "schema_hash")[0]) {
		if (strcmp(text(was, "schema_hash"), text(is, "schema_hash")) == 0)
			drill_hold(&d->score, DRILL_SCHEMA);
		else if (d->differs == NULL)
			drill_break(&d->score, DRILL_SCHEMA, "the schema of %.80s is another",
			    text(was, "name"));
		else
			drill_leave(&d->score, DRILL_SCHEMA,
			    "%.80s has another, and there were commits since", text(was, "name"));
	}
}

void drill_compare_databases(struct drill *d, const json_t *was, const json_t *is)
{
	size_t i;
	json_t *o;

	json_array_foreach(json_object_get(was, "databases"), i, o)
	{
		const json_t *there = find(json_object_get(is, "databases"), o);

		if (there == NULL)
			drill_break(&d->score, DRILL_DATABASES, "database %.80s is not there",
			    text(o, "name"));
		else if (text(there, "error")[0])
			drill_break(&d->score, DRILL_DATABASES, "database %.80s: %.300s",
			    text(o, "name"), text(there, "error"));
		else
			compare_database(d, o, there);
	}
	drill_hold(&d->score, DRILL_DATABASES);
	/* Without tables there is none that could be missing. */
	drill_leave(&d->score, DRILL_TABLES, "the backup noted none");
	if (d->estimated > 0)
		drill_leave(&d->score, DRILL_ROWS, "estimated only: there was no time to count");
	drill_leave(&d->score, DRILL_ROWS, "the backup noted none");
}

static void compare_roles(struct drill *d, const json_t *was, const json_t *is)
{
	size_t i, j;
	json_t *role, *there;

	json_array_foreach(json_object_get(was, "roles"), i, role)
	{
		bool found = false;

		json_array_foreach(json_object_get(is, "roles"), j, there)
		    found |= json_equal(role, there);
		if (!found)
			drill_break(&d->score, DRILL_ROLES, "role %.80s is not there",
			    json_string_value(role) ? json_string_value(role) : "");
	}
	drill_hold(&d->score, DRILL_ROLES);
}

/* A position may stand behind the header of a page whose first record is yet to come. */
static uint64_t before_header(uint64_t lsn)
{
	return lsn % PAGE <= PAGE_HEADER ? lsn - lsn % PAGE : lsn;
}

/*
 * Is it of the very moment that the backup's facts are of?  The same transaction is next, none ran
 * when they were noted, and recovery came at least as far.
 */
static void judge_moment(struct drill *d, const json_t *was, const json_t *is)
{
	const char *then = text(was, "next_xid"), *now = text(is, "next_xid");
	const char *why;
	uint64_t end = 0;

	if (!json_is_string(json_object_get(was, "lsn_end")) ||
	    !pg_lsn_parse(text(was, "lsn_end"), &end))
		d->differs = "the backup did not note when its facts were complete";
	else if (then[0] == '\0')
		d->differs = "transactions ran while the backup noted its facts";
	else if (d->reached_lsn < before_header(end))
		d->differs = "the backup noted its facts after the point that was reached";
	else if (strcmp(then, now) != 0)
		d->differs = "transactions came between the backup's facts and the point reached";
	else
		d->differs = NULL;
	why = d->differs ? d->differs : "no transaction lies between the facts and the point";
	drill_note(d, "rows are compared %s: %s", d->differs ? "within tolerance" : "exactly", why);
	json_object_set_new(d->recovery, "compared",
	    json_pack(
		"{s:s, s:s}", "rows", d->differs ? "within_tolerance" : "exactly", "why", why));
}

int drill_compare_pg(struct drill *d, struct err *e)
{
	struct pg_facts_params p = {
	    .exact_rows = d->p->level == DRILL_COMPREHENSIVE, .count_s = COUNT_S};
	json_t *was = facts_of(d->database), *is = NULL;
	struct pg_target t = {NULL};
	int rc;

	pg_server_target(d->server, &t);
	rc = pg_facts_gather(&t, &p, &is, d->ctx, e);
	if (rc == -1 && e->kind != ERR_CANCELLED) {
		drill_break(&d->score, DRILL_STARTS, "it does not tell what it holds: %s", e->msg);
		rc = 0;
	} else if (rc == 0 && json_object_get(was, "databases") == NULL) {
		const char *why = text(was, "error");

		drill_leave(&d->score, DRILL_DATABASES, "the backup noted no facts%s%s",
		    why[0] ? ": " : "", why);
		json_object_set(d->facts, "postgresql", is);
	} else if (rc == 0) {
		judge_moment(d, was, is);
		drill_compare_databases(d, was, is);
		compare_roles(d, was, is);
		if (d->estimated > 0)
			drill_note(d, "rows of %u tables were not counted", d->estimated);
		drill_leave(
		    &d->score, DRILL_SETTINGS, "the server of a drill has settings of its own");
		json_object_set(d->facts, "postgresql", is);
	}
	json_decref(was);
	json_decref(is);
	return rc;
}

/* ---- Asking it. */

/* Where no database is named: the only one there is beside postgres. */
static const char *the_database(const struct drill *d)
{
	const json_t *list = json_object_get(json_object_get(d->facts, "postgresql"), "databases");
	const char *found = NULL;
	size_t i;
	json_t *o;

	json_array_foreach(list, i, o)
	{
		if (strcmp(text(o, "name"), "postgres") == 0)
			continue;
		if (found != NULL)
			return "postgres";
		found = text(o, "name");
	}
	return found ? found : "postgres";
}

int drill_pg_ask(struct drill *d, const struct drill_check *k, char **out, struct err *e)
{
	struct pg_target t = {NULL};
	struct pg *g = NULL;
	int rc;

	*out = NULL;
	pg_server_target(d->server, &t);
	t.database = k->database ? k->database : the_database(d);
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
