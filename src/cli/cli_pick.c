/* cli_pick: from options to filters, snapshots and rules. */
#include "cli/cli_audit.h"
#include "cli/cli_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/select.h"
#include "source/exclude.h"
#include "repo/parity.h"

char *pick_absolute(const char *path)
{
	char *cwd = path[0] == '/' ? NULL : getcwd(NULL, 0), *abs, *save = NULL;
	struct buf b = {0};

	abs = mem_printf("%s/%s", cwd ? cwd : "", path);
	for (char *p = strtok_r(abs, "/", &save); p; p = strtok_r(NULL, "/", &save)) {
		if (strcmp(p, ".") == 0)
			continue;
		if (strcmp(p, "..") != 0) {
			buf_printf(&b, "/%s", p);
			continue;
		}
		while (b.n && b.p[--b.n] != '/')
			;
	}
	free(abs);
	free(cwd);
	abs = mem_strdup(b.n ? buf_cstr(&b) : "/");
	buf_fini(&b);
	return abs;
}

/* backup made them absolute, so what is looked for is too. */
void pick_make_absolute(struct cli_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		char *abs = pick_absolute(l->v[i]);

		free((char *)l->v[i]);
		l->v[i] = abs;
	}
}

void pick_filter(struct cli *c, struct select_filter *f)
{
	pick_make_absolute(&c->opt.paths);
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
	if (calendar_parse_time(date, &t, &ignored) == -1)
		return;
	/* A day or minute is meant to its end. */
	if (t.span_ns > 0 && t.ns < INT64_MAX - t.span_ns)
		t.ns += t.span_ns - 1;
	out_message(c, "reading %s as %s", date, calendar_format_local(text, t.ns));
}

int pick_snapshot(struct cli *c, const char *spec, bool one_group, struct snapshot **out,
    char **path, struct err *e)
{
	struct select_filter f;
	char id[ID_HEX];

	pick_filter(c, &f);
	echo_time(c, spec);
	if (select_one(c->repo, spec, &f, one_group, c->ctx, out, path, e) == -1)
		return -1;
	audit_add(c, "snapshots", id_hex(id, &(*out)->id));
	return 0;
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

void pick_warn_idle(struct cli *c, const struct exclude *x, bool all)
{
	struct exclude_idle rule;
	size_t at = 0;

	while (exclude_next_idle(x, &at, &rule)) {
		if (rule.relative)
			event_emit(c->ctx, EVENT_WARNING, span_of(NULL, 0),
			    "%s: matched nothing; with a '/' in it a pattern begins at the root: "
			    "**/%s is for any depth",
			    rule.text, rule.pattern);
		else if (all)
			event_emit(c->ctx, EVENT_WARNING, span_of(NULL, 0), "%s: matched nothing",
			    rule.text);
	}
}

int pick_parity(struct cli *c, const char *option, unsigned *share, struct err *e)
{
	*share = 0;
	if (c->opt.parity < 0)
		return 0;
	*share = (unsigned)(c->opt.parity * 10 + 0.5);
	if (*share >= PARITY_SHARE_MIN && *share <= PARITY_SHARE_MAX)
		return 0;
	return err_set(e, ERR_USAGE, "%s: from %d %% to %d %%", option, PARITY_SHARE_MIN / 10,
	    PARITY_SHARE_MAX / 10);
}
