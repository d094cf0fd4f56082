/* schedule, why: what will run, and why something did not. */
#include "cli/cli_schedule.h"

#include <stdlib.h>

#include "api/api_route.h"
#include "cli/ask.h"
#include "cli/cli_out.h"
#include "net/url.h"

enum { USUAL = 10 };

struct listing {
	struct cli *c;
	struct text_table t;
};

static void show(struct listing *l, const json_t *o)
{
	char due[CALENDAR_TEXT], start[CALENDAR_TEXT];
	struct shape_coming x;

	if (l->c->out.json) {
		out_json(l->c, "item", json_deep_copy(o));
		return;
	}
	shape_read(&shape_coming, o, &x);
	calendar_format_local(due, x.due_ns);
	calendar_format_local(start, x.start_ns);
	text_row(&l->t,
	    (const char *const[]){x.system ? out_str(l->c, x.system) : "",
		x.type   ? out_str(l->c, x.type)
		: x.kind ? out_str(l->c, x.kind)
			 : "",
		due, x.start_ns != x.due_ns ? start : "", x.zone ? out_str(l->c, x.zone) : "",
		!x.derived ? ""
		: x.type   ? "from the rpo"
			   : "from the lock"});
}

static int add(void *arg, const struct coming *x, struct err *e)
{
	json_t *o = coming_json(x);

	show(arg, o);
	json_decref(o);
	return 0;
}

static unsigned most(const struct cli_options *o)
{
	return o->limit ? (unsigned)o->limit : o->until.set ? API_COMING_MAX : USUAL;
}

static int by_config(struct cli *c, struct listing *l, struct err *e)
{
	const struct cli_options *o = &c->opt;
	struct coming_query q = {.systems = c->args.v,
	    .nsystems = c->args.n,
	    .after_s = c->ctx->clock->wall_ns(c->ctx->clock) / CALENDAR_SECOND,
	    .until_s = INT64_MAX,
	    .most = most(o)};

	if (o->from.set)
		q.after_s = o->from.t.ns / CALENDAR_SECOND - 1; /* what is due then, too */
	if (o->until.set)
		q.until_s = o->until.t.ns / CALENDAR_SECOND;
	return coming_list(c->world, &q, add, l, e);
}

static int by_daemon(const struct ask *a, struct listing *l, struct err *e)
{
	const struct cli_options *o = &l->c->opt;
	struct buf path = {0}, names = {0};
	char text[CALENDAR_TEXT];
	json_t *answer = NULL, *x;
	size_t i;
	int rc;

	for (i = 0; i < l->c->args.n; i++)
		buf_printf(&names, "%s%s", i ? "," : "", l->c->args.v[i]);
	buf_printf(&path, "/api/v1/schedule?limit=%u",
	    most(o) < API_COMING_MAX ? most(o) : API_COMING_MAX);
	if (names.n > 0)
		ask_param(&path, "system", buf_cstr(&names));
	if (o->from.set)
		ask_param(&path, "from", calendar_format_utc(text, o->from.t.ns));
	if (o->until.set)
		ask_param(&path, "until", calendar_format_utc(text, o->until.t.ns));
	rc = ask_request(a, "GET", buf_cstr(&path), NULL, &answer, e);
	json_array_foreach(json_object_get(answer, "schedule"), i, x) show(l, x);
	json_decref(answer);
	buf_fini(&path);
	buf_fini(&names);
	return rc;
}

int cmd_schedule(struct cli *c, struct err *e)
{
	struct listing l = {c, {.align = "<<<<<<", .ncols = 6, .head = true}};
	struct buf b = {0};
	struct ask a;
	int rc = ask_begin(c, &a, e);

	text_row(
	    &l.t, (const char *const[]){"System", "What", "Due", "Not before", "Zone", "Schedule"});
	if (rc == 0)
		rc = a.socket ? by_daemon(&a, &l, e) : by_config(c, &l, e);
	if (rc == 0 && !c->out.json && l.t.nrows > 1)
		text_table_put(&b, &l.t);
	else if (rc == 0 && !c->out.json)
		out_text(c, "nothing is due: no schedule and no rpo is declared\n");
	out_list(c, "%s", buf_cstr(&b));
	ask_end(&a);
	buf_fini(&b);
	text_table_fini(&l.t);
	return rc == -1 && e->kind == ERR_ABSENT ? (e->kind = ERR_USAGE, -1) : rc;
}

/* ---- Why not. */

static int reasons_here(const struct ask *a, const char *system, json_t **out, struct err *e)
{
	struct clock *clock = a->c->ctx->clock;

	*out = json_array();
	if (why_declared(a->c->world, system, false, clock->wall_ns(clock), *out, e) == -1)
		return -1;
	return why_recorded(a->catalog, system, clock->wall_ns(clock), *out, e);
}

static int reasons_asked(const struct ask *a, const char *system, json_t **out, struct err *e)
{
	struct buf path = {0};
	json_t *answer;
	int rc;

	buf_printf(&path, "/api/v1/systems/");
	url_encode(&path, span_str(system), false);
	buf_printf(&path, "/why");
	rc = ask_request(a, "GET", buf_cstr(&path), NULL, &answer, e);
	buf_fini(&path);
	*out = json_incref(json_object_get(json_object_get(answer, "why"), "reasons"));
	json_decref(answer);
	return rc == -1 && e->kind == ERR_ABSENT ? (e->kind = ERR_USAGE, -1) : rc;
}

int cmd_why(struct cli *c, struct err *e)
{
	const char *system = c->args.v[0];
	json_t *list = NULL, *line;
	struct ask a;
	size_t i;
	int rc = ask_begin(c, &a, e);

	if (rc == 0)
		rc = a.socket ? reasons_asked(&a, system, &list, e)
			      : reasons_here(&a, system, &list, e);
	if (rc == 0 && c->out.json)
		out_json(c, "summary", json_pack("{s:s, s:O}", "system", system, "reasons", list));
	else if (rc == 0)
		json_array_foreach(list, i, line)
		    out_list(c, "%s\n", out_str(c, json_string_value(line)));
	json_decref(list);
	ask_end(&a);
	return rc;
}
