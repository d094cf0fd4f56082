/* schedule, why: what will run, and why something did not. */
#include "cli/cli_schedule.h"

#include <stdlib.h>

#include "cli/cli_out.h"
#include "daemon/daemon.h"
#include "os/os.h"

enum { USUAL = 10, MOST = 1000000 };

struct listing {
	struct cli *c;
	struct text_table t;
};

static int add(void *arg, const struct coming *x, struct err *e)
{
	struct listing *l = arg;
	char due[CALENDAR_TEXT], start[CALENDAR_TEXT];
	const char *from = "";

	if (l->c->out.json) {
		out_json(l->c, "item", coming_json(x));
		return 0;
	}
	if (x->times->derived && (x->what <= TIMES_INCREMENTAL || x->what == TIMES_PRUNE))
		from = x->system ? "from the rpo" : "from the lock";
	calendar_format_local(due, x->due_s * CALENDAR_SECOND);
	calendar_format_local(start, x->start_s * CALENDAR_SECOND);
	text_row(
	    &l->t, (const char *const[]){out_str(l->c, coming_name(x)), times_what_name(x->what),
		       due, x->start_s != x->due_s ? start : "", x->times->zone_name, from});
	return 0;
}

int cmd_schedule(struct cli *c, struct err *e)
{
	struct listing l = {c, {.align = "<<<<<<", .ncols = 6, .head = true}};
	const struct cli_options *o = &c->opt;
	struct coming_query q = {.systems = c->args.v,
	    .nsystems = c->args.n,
	    .after_s = c->ctx->clock->wall_ns(c->ctx->clock) / CALENDAR_SECOND,
	    .until_s = INT64_MAX};
	struct buf b = {0};
	int rc = config_load(c, true, e);

	q.most = o->limit ? (size_t)o->limit : o->until.set ? MOST : USUAL;
	if (o->from.set)
		q.after_s = o->from.t.ns / CALENDAR_SECOND - 1; /* what is due then, too */
	if (o->until.set)
		q.until_s = o->until.t.ns / CALENDAR_SECOND;
	text_row(
	    &l.t, (const char *const[]){"System", "What", "Due", "Not before", "Zone", "Schedule"});
	if (rc == 0)
		rc = coming_list(c->world, &q, add, &l, e);
	if (rc == 0 && !c->out.json && l.t.nrows > 1)
		text_table_put(&b, &l.t);
	else if (rc == 0 && !c->out.json)
		out_text(c, "nothing is due: no schedule and no rpo is declared\n");
	out_list(c, "%s", buf_cstr(&b));
	buf_fini(&b);
	text_table_fini(&l.t);
	return rc;
}

int cmd_why(struct cli *c, struct err *e)
{
	int64_t now = c->ctx->clock->wall_ns(c->ctx->clock), pid;
	char *state = os_state_dir();
	struct catalog *cat = NULL;
	json_t *list = NULL, *line;
	bool lives;
	size_t i;
	int rc = -1;

	if (config_load(c, true, e) == 0 && cli_catalog_open(c, &cat, e) == 0 &&
	    daemon_lives(state, &lives, &pid, e) == 0)
		rc = why_list(c->world, cat, c->args.v[0], lives, now, &list, e);
	if (rc == 0 && c->out.json)
		out_json(
		    c, "summary", json_pack("{s:s, s:O}", "system", c->args.v[0], "reasons", list));
	else if (rc == 0)
		json_array_foreach(list, i, line)
		    out_list(c, "%s\n", out_str(c, json_string_value(line)));
	catalog_close(cat);
	json_decref(list);
	free(state);
	return rc;
}
