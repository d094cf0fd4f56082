/* cli_pick: from options to filters, snapshots and rules. */
#include "cli/cli_out.h"

#include <stdio.h>

#include "engine/select.h"
#include "source/exclude.h"

void pick_filter(struct cli *c, struct select_filter *f)
{
	*f = (struct select_filter){
	    .host = c->opt.host,
	    .system = c->opt.system,
	    .paths = c->opt.paths.v,
	    .npaths = c->opt.paths.n,
	    .tags = c->opt.tags.v,
	    .ntags = c->opt.tags.n,
	};
}

/* A time is said back as it was understood: without an offset it is local. */
static void echo_time(struct cli *c, const char *spec)
{
	struct calendar_time t;
	struct err ignored;
	char date[64], text[CALENDAR_TEXT];
	const char *path = strstr(spec, ":/");

	snprintf(date, sizeof date, "%.*s", path ? (int)(path - spec) : 63, spec);
	if (calendar_parse_time(date, &t, &ignored) == 0)
		out_message(c, "reading %s as %s", date, calendar_format_local(text, t.ns));
}

int pick_snapshot(struct cli *c, const char *spec, bool one_group, struct snapshot **out,
    char **path, struct err *e)
{
	struct select_filter f;

	pick_filter(c, &f);
	echo_time(c, spec);
	return select_one(c->repo, spec, &f, one_group, c->ctx, out, path, e);
}

int pick_exclude(struct cli *c, struct exclude **out, struct err *e)
{
	struct exclude *x = NULL;
	int rc = 0;

	*out = NULL;
	if (c->opt.exclude.n + c->opt.exclude_file.n == 0)
		return 0;
	x = exclude_new();
	for (size_t i = 0; i < c->opt.exclude_file.n && rc == 0; i++)
		rc = exclude_add_file(x, c->opt.exclude_file.v[i], e);
	for (size_t i = 0; i < c->opt.exclude.n && rc == 0; i++)
		rc = exclude_add(x, c->opt.exclude.v[i], "--exclude", e);
	if (rc == -1) {
		exclude_free(x);
		return -1;
	}
	*out = x;
	return 0;
}
