/*
 * status: how the daemon and what is declared stand.
 *
 * All of it is the catalog's, which the daemon reads for who may not: no repository is opened, and
 * no key asked for.  What lies in them says check --rules.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/api_shape.h"
#include "api/api_survey.h"
#include "cli/ask.h"
#include "cli/cli_out.h"
#include "cli/declared.h"
#include "os/os.h"

static const char *when(char out[CALENDAR_TEXT], int64_t ns)
{
	if (ns == 0)
		return "never";
	calendar_format_local(out, ns);
	out[19] = '\0'; /* the offset is this machine's */
	return out;
}

static const char *shown(struct cli *c, const char *text)
{
	return text ? out_str(c, text) : "";
}

/* ---- As text. */

static void daemon_text(struct cli *c, const json_t *o)
{
	struct survey_health h = {.why = NULL};

	if (!json_is_object(o))
		return; /* that was said */
	shape_read(&shape_health, o, &h);
	out_text(c, "daemon: running, pid %" PRId64 "\n", h.pid);
	if (h.why != NULL)
		out_text(c, "  %s%s\n", h.ready ? "" : "NOT READY: ", out_str(c, h.why));
}

static void repositories_text(struct cli *c, const json_t *list)
{
	struct text_table t = {.align = "<<<<<", .ncols = 5, .head = true};
	struct buf b = {0};
	const json_t *o;
	size_t i;

	text_row(&t,
	    (const char *const[]){"Repository", "Role", "Location", "Media", "Newest snapshot"});
	json_array_foreach(list, i, o)
	{
		struct survey_repository r = {.name = NULL};
		char a[CALENDAR_TEXT];

		shape_read(&shape_repository, o, &r);
		text_row(&t, (const char *const[]){shown(c, r.name), shown(c, r.role),
				 r.location ? out_str(c, r.location) : "?", shown(c, r.media),
				 when(a, r.newest_ns)});
	}
	if (t.nrows > 1)
		text_table_put(&b, &t);
	out_list(c, "%s%s", b.n ? "\n" : "", buf_cstr(&b));
	buf_fini(&b);
	text_table_fini(&t);
}

/* "12:30 of 1:00:00" */
static const char *rpo_text(char out[96], const struct survey_system *x)
{
	char a[32], b[32];

	if (x->rpo_ns < 0)
		return "";
	snprintf(out, 96, "%s of %s%s",
	    x->rpo_age_ns >= 0 ? text_seconds(a, (double)x->rpo_age_ns / 1e9) : "-",
	    text_seconds(b, (double)x->rpo_ns / 1e9), x->rpo_missed ? ": MISSED" : "");
	return out;
}

static void add_system(struct cli *c, struct text_table *t, const json_t *o)
{
	struct survey_system x = {.name = NULL};
	char a[CALENDAR_TEXT], n[CALENDAR_TEXT], rpo[96], last[96] = "", state[64];

	shape_read(&shape_system, o, &x);
	if (x.backup.last_id != 0)
		snprintf(last, sizeof last, "%s (run %" PRId64 ")",
		    run_status_name(x.backup.last_status), x.backup.last_id);
	snprintf(state, sizeof state, "%s%s", x.state ? x.state : "",
	    x.declared ? "" : ", not declared");
	text_row(t, (const char *const[]){shown(c, x.name), out_str(c, state),
			when(a, x.backup.success_started_ns), rpo_text(rpo, &x), last,
			x.running   ? "runs"
			: x.queued  ? "waits for its turn"
			: x.next_ns ? when(n, x.next_ns)
				    : ""});
}

static void systems_text(struct cli *c, const json_t *list)
{
	struct text_table t = {.align = "<<<<<<", .ncols = 6, .head = true};
	struct buf b = {0};
	const json_t *o;
	size_t i;

	text_row(&t, (const char *const[]){
			 "System", "State", "Last good backup", "Age, of RPO", "Last run", "Next"});
	json_array_foreach(list, i, o) add_system(c, &t, o);
	if (t.nrows > 1)
		text_table_put(&b, &t);
	out_list(c, "%s%s", b.n ? "\n" : "", buf_cstr(&b));
	buf_fini(&b);
	text_table_fini(&t);
}

static void add_receiver(struct cli *c, struct text_table *t, const json_t *o)
{
	struct survey_system x = {.name = NULL};
	char lag[64] = "", a[32], slot[32], spool[32], gaps[24], state[96];
	const struct api_receiver *r = &x.receiver;

	shape_read(&shape_system, o, &x);
	if (r->state == NULL)
		return;
	if (r->lag_ns >= 0 && r->received != NULL)
		snprintf(lag, sizeof lag, "%s", text_seconds(a, (double)r->lag_ns / 1e9));
	snprintf(gaps, sizeof gaps, "%" PRIu64, r->gaps);
	snprintf(state, sizeof state, "%s%s", r->state,
	    r->spool_acks    ? ", SPOOL ALONE"
	    : r->synchronous ? ", synchronous"
	    : r->promised    ? ", synchronous: promised, not had"
			     : "");
	text_row(t, (const char *const[]){shown(c, x.name), state, shown(c, r->stored), lag,
			text_bytes(slot, r->slot_bytes), text_bytes(spool, r->spool_bytes),
			r->gaps ? gaps : "", r->why ? out_str(c, r->why) : ""});
}

static void receivers_text(struct cli *c, const json_t *list)
{
	struct text_table t = {.align = "<<<>>>><", .ncols = 8, .head = true};
	struct buf b = {0};
	const json_t *o;
	size_t i;

	text_row(&t, (const char *const[]){"Log of", "Receiver", "Stored up to", "Behind",
			 "Kept by the server", "Spool", "Gaps", "Problem"});
	json_array_foreach(list, i, o) add_receiver(c, &t, o);
	if (t.nrows > 1)
		text_table_put(&b, &t);
	out_list(c, "%s%s", b.n ? "\n" : "", buf_cstr(&b));
	buf_fini(&b);
	text_table_fini(&t);
}

/* What a table shows of a system: of a thousand the rest is most of the work. */
static const char *wanted(const struct cli *c)
{
	return c->out.json
		   ? NULL
		   : "name,state,declared,rpo_missed,last_run,last_status,last_success,rpo_age,"
		     "rpo_target,next_run,running,queued,receiver,receiver_error,log_synchronous,"
		     "log_synchronous_promised,log_spool_acks,log_received,log_stored,log_lag,log_"
		     "slot_bytes,"
		     "log_spool_bytes,log_gaps";
}

/* ---- From the catalog. */

struct host {
	const struct cli *c;
	struct world_times *times; /* the last that was made */
};

static const struct world_times *times_of(void *arg, const struct world_system *s)
{
	struct host *h = arg;
	struct err ignored;

	world_times_free(h->times);
	h->times = NULL;
	if (world_times_new(world_tier(h->c->world, s->tier), s, &h->times, &ignored) == -1)
		h->times = NULL;
	return h->times;
}

static int systems(void *arg, api_system_row *each, void *to, struct err *e)
{
	struct host *h = arg;
	struct clock *clock = h->c->ctx->clock;
	int rc = declared_systems(h->c->world, times_of, h, clock->wall_ns(clock), each, to, e);

	world_times_free(h->times);
	h->times = NULL;
	return rc;
}

static int repositories(void *arg, api_repository_row *each, void *to, struct err *e)
{
	return declared_repositories(((struct host *)arg)->c->world, each, to, e);
}

static int status_here(const struct ask *a, json_t **out, struct err *e)
{
	struct host h = {.c = a->c};
	struct api_host host = {.arg = &h, .systems = systems, .repositories = repositories};
	struct clock *clock = a->c->ctx->clock;
	struct api_survey s;

	if (api_survey_make(a->catalog, &host, clock->wall_ns(clock), &s, e) == -1)
		return -1;
	*out = api_survey_json(&s, shape_fields(&shape_system, wanted(a->c), e));
	json_object_set_new(*out, "daemon", json_null());
	api_survey_fini(&s);
	return 0;
}

static int status_asked(const struct ask *a, json_t **out, struct err *e)
{
	struct buf path = {0};
	int rc;

	buf_printf(&path, "/api/v1/status");
	if (wanted(a->c) != NULL)
		ask_param(&path, "fields", wanted(a->c));
	rc = ask_request(a, "GET", buf_cstr(&path), NULL, out, e);
	buf_fini(&path);
	json_object_del(*out, "schema"); /* each line has its own */
	return rc;
}

static int missed(const json_t *o, struct err *e)
{
	json_int_t n = json_integer_value(json_object_get(o, "missed"));

	if (n <= 0)
		return 0;
	err_set(e, ERR_OBJECTIVE_MISSED, "status: the RPO of %" JSON_INTEGER_FORMAT " %s missed", n,
	    n == 1 ? "system is" : "systems is");
	return err_hint(e, "'holdfast why SYSTEM' says why");
}

int cmd_status(struct cli *c, struct err *e)
{
	json_t *o = NULL;
	struct ask a;
	int rc = ask_begin(c, &a, e);

	if (rc == 0)
		rc = a.socket ? status_asked(&a, &o, e) : status_here(&a, &o, e);
	if (rc == 0 && !c->out.json) {
		daemon_text(c, json_object_get(o, "daemon"));
		repositories_text(c, json_object_get(o, "repositories"));
		systems_text(c, json_object_get(o, "systems"));
		receivers_text(c, json_object_get(o, "systems"));
	}
	if (rc == 0)
		rc = missed(o, e);
	if (c->out.json && o != NULL)
		out_json(c, "summary", json_incref(o));
	json_decref(o);
	ask_end(&a);
	return rc;
}
