/* snapshots: list them. */
#include "cli/cli_out.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "engine/select.h"

static void join(struct buf *b, char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(b, "%s%s", i ? " " : "", v[i]);
}

static void list_paths(struct buf *b, const struct snapshot *s)
{
	for (size_t i = 0; i < s->nparts; i++) {
		buf_printf(b, "%s", i ? " " : "");
		join(b, s->parts[i].paths, s->parts[i].npaths);
	}
}

static void sums(const struct snapshot *s, struct snapshot_stats *out, bool *complete)
{
	*out = (struct snapshot_stats){0};
	*complete = true;
	for (size_t i = 0; i < s->nparts; i++) {
		const struct snapshot_stats *p = &s->parts[i].stats;

		out->files += p->files;
		out->dirs += p->dirs;
		out->bytes += p->bytes;
		out->added_bytes += p->added_bytes;
		out->stored_bytes += p->stored_bytes;
		out->errors += p->errors;
		*complete &= s->parts[i].outcome == SNAPSHOT_COMPLETE;
	}
}

static json_t *strings(char *const *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();

		out_json_str(o, "s", v[i]);
		json_array_append(list, json_object_get(o, "s"));
		json_decref(o);
	}
	return list;
}

static void snapshot_json(struct cli *c, const struct snapshot *s)
{
	struct snapshot_stats sum;
	bool complete;
	json_t *o = json_object(), *paths = json_array();

	sums(s, &sum, &complete);
	out_json_id(o, "snapshot", &s->id);
	out_json_time(o, "start", s->start_ns);
	out_json_time(o, "end", s->end_ns);
	out_json_str(o, "host", s->host);
	out_json_str(o, "user", s->user);
	out_json_str(o, "system", s->system);
	for (size_t i = 0; i < s->nparts; i++) {
		json_t *more = strings(s->parts[i].paths, s->parts[i].npaths);

		json_array_extend(paths, more);
		json_decref(more);
	}
	json_object_set_new(o, "paths", paths);
	json_object_set_new(o, "tags", strings(s->tags, s->ntags));
	if (s->has_parent)
		out_json_id(o, "parent", &s->parent);
	else
		out_json_str(o, "parent", NULL);
	out_json_str(o, "strategy", snapshot_strategy_name(s->strategy));
	out_json_str(o, "outcome", complete ? "complete" : "incomplete");
	out_json_u64(o, "files", sum.files);
	out_json_u64(o, "dirs", sum.dirs);
	out_json_u64(o, "bytes", sum.bytes);
	out_json_u64(o, "added_bytes", sum.added_bytes);
	out_json_u64(o, "stored_bytes", sum.stored_bytes);
	out_json_u64(o, "errors", sum.errors);
	out_json(c, "item", o);
}

static void add_row(struct cli *c, struct text_table *t, const struct snapshot *s)
{
	static const char *const types[] = {"full", "incr", "diff"};
	struct buf what = {0}, tags = {0};
	struct snapshot_stats sum;
	char id[32], size[32], when[CALENDAR_TEXT];
	bool complete;

	sums(s, &sum, &complete);
	if (s->system)
		buf_printf(&what, "%s", s->system);
	else
		list_paths(&what, s);
	join(&tags, s->tags, s->ntags);
	text_row(
	    t, (const char *[]){text_id(id, &s->id), calendar_format_local(when, s->start_ns),
		   out_str(c, s->host), types[s->strategy], text_bytes(size, sum.bytes),
		   complete ? "" : "!", out_str(c, buf_cstr(&tags)), out_str(c, buf_cstr(&what))});
	buf_fini(&what);
	buf_fini(&tags);
}

static bool is_complete(const struct snapshot *s)
{
	struct snapshot_stats sum;
	bool complete;

	sums(s, &sum, &complete);
	return complete;
}

/* Is this one of the newest `latest` of its group? */
static bool recent(const struct select_list *l, size_t i, int latest)
{
	int newer = 0;

	if (latest == 0)
		return true;
	for (size_t j = i + 1; j < l->n; j++)
		newer += memcmp(l->v[i]->group, l->v[j]->group, FORMAT_UID) == 0;
	return newer < latest;
}

static void print(struct cli *c, const struct select_list *l)
{
	static const char *const head[] = {
	    "ID", "Time", "Host", "Type", "Size", "", "Tags", "System or paths"};
	struct text_table t = {.align = "<<<<><<<", .ncols = 8, .head = true};
	struct buf b = {0};
	size_t shown = 0, hurt = 0;

	text_row(&t, head);
	for (size_t i = 0; i < l->n; i++) {
		if (!recent(l, i, c->opt.latest))
			continue;
		shown++;
		hurt += !is_complete(l->v[i]);
		if (c->out.json)
			snapshot_json(c, l->v[i]);
		else
			add_row(c, &t, l->v[i]);
	}
	if (shown)
		text_table_put(&b, &t);
	out_list(c, "%s", buf_cstr(&b));
	out_text(c, "%zu %s", shown, text_plural(shown, "snapshot", "snapshots"));
	if (hurt)
		out_text(c, ", %zu incomplete (!)", hurt);
	out_text(c, "\n");
	text_table_fini(&t);
	buf_fini(&b);
}

static int named(struct cli *c, struct select_list *l, struct err *e)
{
	for (size_t i = 0; i < c->args.n; i++) {
		struct snapshot *s = NULL;
		char *path = NULL;

		if (pick_snapshot(c, c->args.v[i], false, &s, &path, e) == -1)
			return -1;
		free(path);
		l->v = mem_realloc(l->v, (l->n + 1) * sizeof *l->v);
		l->v[l->n++] = s;
	}
	return 0;
}

int cmd_snapshots(struct cli *c, struct err *e)
{
	struct select_filter f;
	struct select_list l = {0};
	int rc;

	pick_filter(c, &f);
	rc = c->args.n ? named(c, &l, e) : select_all(c->repo, &f, c->ctx, &l, e);
	if (rc == 0) {
		print(c, &l);
		if (l.damaged)
			rc = err_set(e, ERR_INCOMPLETE, "%zu %s could not be read", l.damaged,
			    text_plural(l.damaged, "snapshot", "snapshots"));
	}
	select_list_fini(&l);
	return rc;
}
