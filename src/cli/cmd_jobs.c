/* jobs: what was run, runs and waits; one in detail; stop one. */
#include "cli/cli_out.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cli/cli_job.h"
#include "config/world.h"
#include "os/os.h"

enum { USUAL = 20, LOG_MAX = 64 << 20, LOG_LINES = 20 };

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

static int add_row(void *arg, const struct run *r, struct err *e)
{
	struct listing *l = arg;
	char id[24], at[CALENDAR_TEXT], took[32] = "", stored[32] = "";
	int64_t when = r->started_ns ? r->started_ns : r->queued_ns;

	if (l->c->out.json) {
		out_json(l->c, "item", shape_json(&shape_run, r));
		return 0;
	}
	snprintf(id, sizeof id, "%" PRId64, r->id);
	if (r->started_ns && r->ended_ns)
		text_seconds(took, (double)(r->ended_ns - r->started_ns) / 1e9);
	if (r->stored)
		text_bytes(stored, r->stored);
	text_row(
	    &l->t, (const char *const[]){id, r->system ? out_str(l->c, r->system) : "", r->kind,
		       r->type ? r->type : "", run_status_name(r->status), local(at, when), took,
		       stored, r->message ? out_str(l->c, r->message) : ""});
	return 0;
}

static int list(struct cli *c, struct catalog *cat, struct err *e)
{
	struct listing l = {c, {.align = "><<<<<>><", .ncols = 9, .head = true}};
	struct run_filter f = {
	    .system = c->opt.system, .limit = c->opt.limit ? (unsigned)c->opt.limit : USUAL};
	struct buf b = {0};
	int rc;

	text_row(&l.t, (const char *const[]){"Run", "System", "Kind", "Type", "Status", "Began",
			   "Took", "Stored", "Message"});
	rc = run_list(cat, &f, add_row, &l, e);
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

/* The end of its log; JSON lines of a command are shown as their messages. */
static void show_log(struct cli *c, const char *path)
{
	struct buf b = {0};
	const char *p, *end;
	size_t lines = 0;
	struct err e;

	if (path == NULL || os_read_file(path, LOG_MAX, &b, &e) == -1) {
		buf_fini(&b);
		return;
	}
	p = end = (const char *)b.p + b.n;
	while (p > (const char *)b.p && lines <= LOG_LINES)
		lines += *--p == '\n' && p + 1 < end;
	out_list(c, "\n%s:\n", path);
	while (p < end) {
		size_t n = strcspn(p, "\n");
		char *line = mem_strndup(p, n > (size_t)(end - p) ? (size_t)(end - p) : n);

		if (line[0] != '\0')
			out_list(c, "  %s\n", out_str(c, line));
		free(line);
		p += n + 1;
	}
	buf_fini(&b);
}

static void row(struct text_table *t, const char *name, const char *value)
{
	if (value != NULL && value[0] != '\0')
		text_row(t, (const char *const[]){name, value});
}

static int show(void *arg, const struct run *r, struct err *e)
{
	struct cli *c = arg;
	struct text_table t = {.align = "<<", .ncols = 2};
	char a[CALENDAR_TEXT], text[160], x[32], y[32], z[32];
	struct buf b = {0};

	if (c->out.json) {
		out_json(c, "summary", shape_json(&shape_run, r));
		return 0;
	}
	snprintf(text, sizeof text, "%" PRId64, r->id);
	row(&t, "Run", text);
	row(&t, "System", r->system ? out_str(c, r->system) : NULL);
	snprintf(text, sizeof text, "%s%s%s", r->kind, r->type ? ", " : "", r->type ? r->type : "");
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
	show_log(c, r->log);
	buf_fini(&b);
	text_table_fini(&t);
	return 0;
}

static int cancel(struct cli *c, struct catalog *cat, int64_t id, struct err *e)
{
	bool stopping;
	char user[64];

	os_user(user, sizeof user);
	if (job_cancel(cat, id, user, c->ctx->clock->wall_ns(c->ctx->clock), &stopping, e) == -1)
		return -1;
	out_text(c,
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
	struct catalog *cat;
	int64_t id = 0;
	int rc;

	if (c->args.n == 2 && !stop)
		return err_set(e, ERR_USAGE, "jobs: '%s'? It is jobs, jobs RUN, or jobs cancel RUN",
		    c->args.v[0]);
	if (c->args.n > 0 && read_id(c->args.v[c->args.n - 1], &id, e) == -1)
		return -1;
	if (config_load(c, true, e) == -1 || cli_catalog_open(c, &cat, e) == -1)
		return -1;
	rc = stop ? cancel(c, cat, id, e) : id ? run_get(cat, id, show, c, e) : list(c, cat, e);
	if (rc == -1 && e->kind == ERR_ABSENT && !e->hint[0])
		err_hint(e, "holdfast jobs lists the newest");
	catalog_close(cat);
	return rc;
}
