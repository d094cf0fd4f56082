/* snapshots: list them. */
#include "cli/cli_out.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
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

static void time_or_null(json_t *o, const char *key, bool has, int64_t ns)
{
	if (has)
		out_json_time(o, key, ns);
	else
		out_json_str(o, key, NULL);
}

static void state_json(json_t *o, const struct snapshot *s)
{
	bool kept = s->pinned || s->held;
	char by[2 * FORMAT_UID + 1];

	json_object_set_new(o, "pinned", json_boolean(s->pinned));
	json_object_set_new(o, "held", json_boolean(s->held));
	time_or_null(o, "held_until", s->held && s->held_until_ns, s->held_until_ns);
	time_or_null(o, "kept_since", kept, s->kept_ns);
	out_json_str(o, "kept_by", kept ? hex_encode(by, s->keeper, FORMAT_UID) : NULL);
	json_object_set_new(o, "forgotten", json_boolean(s->forgotten));
	time_or_null(o, "forgotten_at", s->forgotten, s->forgotten_ns);
	time_or_null(o, "due", s->forgotten, s->due_ns);
	json_object_set_new(o, "future", json_boolean(select_from_future(s)));
	json_object_set_new(o, "late", json_boolean(s->late));
}

/* Of a copy: of what, and in which repository that was made. */
static void original_json(json_t *o, const struct snapshot *s)
{
	char repo[2 * FORMAT_UID + 1];
	json_t *from = json_object();

	if (!s->has_original) {
		json_decref(from);
		out_json_str(o, "original", NULL);
		return;
	}
	out_json_str(from, "repository", hex_encode(repo, s->original_repo, FORMAT_UID));
	out_json_id(from, "snapshot", &s->original);
	json_object_set_new(o, "original", from);
}

/* "pinned, trash until 2026-11-28 09:41:07 +01:00" */
static void put_state(struct buf *b, const struct snapshot *s)
{
	char when[CALENDAR_TEXT];

	if (s->pinned)
		buf_printf(b, "pinned");
	if (s->held && s->held_until_ns)
		buf_printf(b, "%sheld until %s", b->n ? ", " : "",
		    calendar_format_local(when, s->held_until_ns));
	else if (s->held)
		buf_printf(b, "%sheld", b->n ? ", " : "");
	if (s->forgotten)
		buf_printf(b, "%strash until %s", b->n ? ", " : "",
		    calendar_format_local(when, s->due_ns));
	if (s->nanomalies)
		buf_printf(b, "%sstrange", b->n ? ", " : "");
	if (select_from_future(s))
		buf_printf(b, "%sdated in the future", b->n ? ", " : "");
	if (s->late)
		buf_printf(b, "%ssigned by a removed key", b->n ? ", " : "");
}

json_t *anomalies_json(const struct snapshot_anomaly *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();

		out_json_str(o, "kind", v[i].kind);
		out_json_str(o, "message", v[i].message);
		json_object_set_new(o, "value", json_real(v[i].value));
		json_object_set_new(o, "usual", json_real(v[i].usual));
		json_array_append_new(list, o);
	}
	return list;
}

/* What a source noted of itself may be long: of snapshots that are named. */
static json_t *parts_json(struct cli *c, const struct snapshot *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->nparts; i++) {
		const struct snapshot_part *p = &s->parts[i];
		json_t *o = json_object();

		out_json_str(o, "name", p->name);
		out_json_str(o, "kind", p->kind);
		out_json_str(o, "outcome", snapshot_outcome_name(p->outcome));
		out_json_u64(o, "bytes", p->stats.bytes);
		out_json_u64(o, "errors", p->stats.errors);
		json_object_set_new(o, "problems", json_array());
		for (size_t k = 0; k < p->nerrors; k++) {
			json_t *x = json_object();

			out_json_str(x, "path", p->errors[k].path);
			out_json_str(x, "message", p->errors[k].message);
			json_array_append_new(json_object_get(o, "problems"), x);
		}
		if (p->facts != NULL && c->args.n > 0)
			json_object_set_new(o, "facts", json_loads(p->facts, 0, NULL));
		json_array_append_new(list, o);
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
	json_object_set_new(o, "parts", parts_json(c, s));
	state_json(o, s);
	original_json(o, s);
	json_object_set_new(o, "anomalies", anomalies_json(s->anomalies, s->nanomalies));
	out_json(c, "item", o);
}

static void add_row(struct cli *c, struct text_table *t, const struct snapshot *s)
{
	static const char *const types[] = {"full", "incr", "diff", "other"};
	struct buf what = {0}, tags = {0}, state = {0};
	struct snapshot_stats sum;
	char id[32], size[32], when[CALENDAR_TEXT];
	bool complete;

	sums(s, &sum, &complete);
	if (s->system)
		buf_printf(&what, "%s", s->system);
	else
		list_paths(&what, s);
	join(&tags, s->tags, s->ntags);
	put_state(&state, s);
	text_row(t, (const char *[]){text_id(id, &s->id), calendar_format_local(when, s->start_ns),
			out_str(c, s->host), types[s->strategy], text_bytes(size, sum.bytes),
			complete ? "" : "!", buf_cstr(&state), out_str(c, buf_cstr(&tags)),
			out_str(c, buf_cstr(&what))});
	buf_fini(&what);
	buf_fini(&state);
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

static void print_anomalies(struct cli *c, const struct snapshot *s)
{
	char id[32];

	for (size_t i = 0; i < s->nanomalies; i++)
		out_text(c, "%s: %s\n", text_id(id, &s->id), out_str(c, s->anomalies[i].message));
}

static void print(struct cli *c, const struct select_list *l)
{
	static const char *const head[] = {
	    "ID", "Time", "Host", "Type", "Size", "", "State", "Tags", "System or paths"};
	struct text_table t = {.align = "<<<<><<<<", .ncols = 9, .head = true};
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
	for (size_t i = 0; c->out.verbose && !c->out.json && i < l->n; i++)
		if (recent(l, i, c->opt.latest))
			print_anomalies(c, l->v[i]);
	text_table_fini(&t);
	buf_fini(&b);
}

/* Of what was chosen, only the forgotten. */
static void only_trash(struct select_list *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i]->forgotten)
			l->v[n++] = l->v[i];
		else
			snapshot_free(l->v[i]);
	}
	l->n = n;
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
	f.forgotten = c->opt.trash;
	rc = c->args.n ? named(c, &l, e) : select_all(c->repo, &f, c->ctx, &l, e);
	if (rc == 0 && c->opt.trash)
		only_trash(&l);
	if (rc == 0) {
		print(c, &l);
		if (l.damaged)
			rc = err_set(e, ERR_INCOMPLETE, "%zu %s could not be read", l.damaged,
			    text_plural(l.damaged, "snapshot", "snapshots"));
	}
	select_list_fini(&l);
	return rc;
}
