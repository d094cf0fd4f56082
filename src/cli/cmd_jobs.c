/* jobs: what was run, runs and waits; one in detail; stop one. */
#include "cli/cli_out.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cli/ask.h"
#include "cli/cli_job.h"
#include "os/os.h"

enum { USUAL = 20, LOG_LINES = 20 };

struct listing {
	struct cli *c;
	struct text_table t;
};

static const char *local(char out[CALENDAR_TEXT], int64_t ns)
{
	if (ns == 0)
		return "";
	calendar_format_local(out, ns);
	out[19] = '\0'; /* the offset is this machine's */
	return out;
}

static const char *shown(struct cli *c, const char *text)
{
	return text ? out_str(c, text) : "";
}

static int add_row(void *arg, json_t *o, struct err *e)
{
	struct listing *l = arg;
	char id[24], at[CALENDAR_TEXT], took[32] = "", stored[32] = "";
	struct run x = {0}, *r = &x;
	int64_t when;

	if (l->c->out.json) {
		out_json(l->c, "item", json_deep_copy(o));
		return 0;
	}
	shape_read(&shape_run, o, r);
	when = r->started_ns ? r->started_ns : r->queued_ns;
	snprintf(id, sizeof id, "%" PRId64, r->id);
	if (r->started_ns && r->ended_ns)
		text_seconds(took, (double)(r->ended_ns - r->started_ns) / 1e9);
	if (r->stored)
		text_bytes(stored, r->stored);
	text_row(&l->t, (const char *const[]){id, shown(l->c, r->system), shown(l->c, r->kind),
			    shown(l->c, r->type), run_status_name(r->status), local(at, when), took,
			    stored, shown(l->c, r->message)});
	return 0;
}

static int list(const struct ask *a, struct err *e)
{
	struct cli *c = a->c;
	struct listing l = {c, {.align = "><<<<<>><", .ncols = 9, .head = true}};
	struct buf b = {0};
	int rc;

	text_row(&l.t, (const char *const[]){"Run", "System", "Kind", "Type", "Status", "Began",
			   "Took", "Stored", "Message"});
	rc = ask_runs(
	    a, c->opt.system, c->opt.limit ? (unsigned)c->opt.limit : USUAL, add_row, &l, e);
	if (rc == 0 && !c->out.json && l.t.nrows > 1)
		text_table_put(&b, &l.t);
	else if (rc == 0 && !c->out.json)
		out_text(c, "no run is recorded yet\n");
	out_list(c, "%s", buf_cstr(&b));
	buf_fini(&b);
	text_table_fini(&l.t);
	return rc;
}

/* ---- One of them. */

/* The end of its log. */
static void show_log(const struct ask *a, const struct run *r)
{
	struct cli *c = a->c;
	struct buf b = {0};
	const char *p, *end;
	size_t lines = 0;

	ask_log(a, r->id, r->log, &b);
	p = end = buf_cstr(&b) + b.n;
	while (p > (const char *)b.p && lines <= LOG_LINES)
		lines += *--p == '\n' && p + 1 < end;
	if (b.n > 0)
		out_list(c, "\n%s:\n", out_str(c, r->log ? r->log : "log"));
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = nl ? (size_t)(nl - p) : (size_t)(end - p);
		char *line = mem_strndup(p, n);

		if (line[0] != '\0')
			out_list(c, "  %s\n", out_str(c, line));
		free(line);
		p += n + (nl != NULL);
	}
	buf_fini(&b);
}

static void row(struct text_table *t, const char *name, const char *value)
{
	if (value != NULL && value[0] != '\0')
		text_row(t, (const char *const[]){name, value});
}

static int show(void *arg, json_t *o, struct err *e)
{
	const struct ask *ask = arg;
	struct cli *c = ask->c;
	struct run x0 = {0}, *r = &x0;
	struct text_table t = {.align = "<<", .ncols = 2};
	char a[CALENDAR_TEXT], text[160], x[32], y[32], z[32];
	struct buf b = {0};

	if (c->out.json) {
		out_json(c, "summary", json_deep_copy(o));
		return 0;
	}
	shape_read(&shape_run, o, r);
	snprintf(text, sizeof text, "%" PRId64, r->id);
	row(&t, "Run", text);
	row(&t, "System", r->system ? out_str(c, r->system) : NULL);
	snprintf(text, sizeof text, "%s%s%s", shown(c, r->kind), r->type ? ", " : "",
	    r->type ? r->type : "");
	row(&t, "Kind", text);
	row(&t, "Status", run_status_name(r->status));
	snprintf(text, sizeof text, "%s%s%s", r->trigger ? r->trigger : "", r->by ? ", by " : "",
	    r->by ? r->by : "");
	row(&t, "Begun by", text);
	row(&t, "Due", local(a, r->due_ns));
	row(&t, "Not before", local(a, r->not_before_ns));
	row(&t, "Queued", local(a, r->queued_ns));
	row(&t, "Began", local(a, r->started_ns));
	row(&t, "Ended", local(a, r->ended_ns));
	row(&t, "To", r->destinations);
	row(&t, "Snapshot", r->snapshot);
	if (r->files) {
		snprintf(text, sizeof text, "%s, %s; stored as %s more", text_count(x, r->files),
		    text_bytes(y, r->bytes), text_bytes(z, r->stored));
		row(&t, "Files", text);
	}
	row(&t, "Message", r->message ? out_str(c, r->message) : NULL);
	row(&t, "Hint", r->hint ? out_str(c, r->hint) : NULL);
	text_table_put(&b, &t);
	out_list(c, "%s", buf_cstr(&b));
	show_log(ask, r);
	buf_fini(&b);
	text_table_fini(&t);
	return 0;
}

static int cancel_here(const struct ask *a, int64_t id, bool *stopping, struct err *e)
{
	struct clock *clock = a->c->ctx->clock;
	char user[64];

	if (ask_is_alone(a, e) == -1)
		return -1;
	os_user(user, sizeof user);
	return job_cancel(a->catalog, id, user, clock->wall_ns(clock), stopping, e);
}

static int cancel_there(const struct ask *a, int64_t id, bool *stopping, struct err *e)
{
	json_t *answer;
	char path[64];

	snprintf(path, sizeof path, "/api/v1/runs/%" PRId64 "/cancel", id);
	if (ask_request(a, "POST", path, NULL, &answer, e) == -1)
		return -1;
	*stopping = json_is_true(json_object_get(answer, "stopping"));
	json_decref(answer);
	return 0;
}

static int cancel(const struct ask *a, int64_t id, struct err *e)
{
	bool stopping = false;

	if ((a->socket ? cancel_there : cancel_here)(a, id, &stopping, e) == -1)
		return -1;
	if (a->c->out.json)
		out_json(a->c, "summary",
		    json_pack("{s:I, s:b}", "cancelled", (json_int_t)id, "stopping", stopping));
	out_text(a->c,
	    stopping ? "run %" PRId64 " is stopping\n" : "run %" PRId64 " will not be begun\n", id);
	return 0;
}

static int read_id(const char *text, int64_t *id, struct err *e)
{
	char *end;

	*id = strtoll(text, &end, 10);
	if (*end == '\0' && *id > 0)
		return 0;
	err_set(e, ERR_USAGE, "jobs: '%s' is no run", text);
	return err_hint(e, "runs have numbers: holdfast jobs lists them");
}

int cmd_jobs(struct cli *c, struct err *e)
{
	bool stop = c->args.n == 2 && strcmp(c->args.v[0], "cancel") == 0;
	struct ask a;
	int64_t id = 0;
	int rc;

	if (c->args.n == 2 && !stop)
		return err_set(e, ERR_USAGE, "jobs: '%s'? It is jobs, jobs RUN, or jobs cancel RUN",
		    c->args.v[0]);
	if (c->args.n > 0 && read_id(c->args.v[c->args.n - 1], &id, e) == -1)
		return -1;
	rc = ask_begin(c, &a, e);
	if (rc == 0)
		rc = stop ? cancel(&a, id, e) : id ? ask_run(&a, id, show, &a, e) : list(&a, e);
	if (rc == -1 && e->kind == ERR_ABSENT && !e->hint[0])
		err_hint(e, "holdfast jobs lists the newest");
	ask_end(&a);
	return rc;
}
