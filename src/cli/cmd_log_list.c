/* log list, log verify: what is there of a system's log, to when it reaches, is it whole. */
#include "cli/cmd_log.h"

#include <stdlib.h>

#include "base/mem.h"
#include "cli/log_place.h"
#include "config/world.h"
#include "engine/op_log.h"

/* One stream of a system, in one repository. */
struct shown {
	const char *repo, *system;
	struct repo *r; /* the place's */
	struct log_view view;
};

static const char *position(char out[24], uint64_t at)
{
	snprintf(out, 24, "%X/%X", (unsigned)(at >> 32), (unsigned)at);
	return out;
}

static void put_span(
    struct cli *c, struct text_table *t, const struct shown *x, const struct log_view_span *s)
{
	char line[16], from[24], to[24], n[32], size[32], when[CALENDAR_TEXT];
	const char *gap = s->gap == LOG_GAP       ? "after a gap"
			  : s->gap == LOG_BETWEEN ? "apart, for a backup"
						  : "";
	const char *repo = x->repo, *system = x->system;
	json_t *o;

	position(from, s->span.start);
	position(to, s->span.end);
	if (c->out.json) {
		o = json_object();
		out_json_str(o, "kind", "range");
		out_json_str(o, "system", system);
		out_json_str(o, "repository", repo);
		json_object_set_new(o, "timeline", json_integer(s->span.timeline));
		out_json_str(o, "start", from);
		out_json_str(o, "end", to);
		out_json_u64(o, "stretches", s->span.stretches);
		out_json_u64(o, "stored_bytes", s->stored);
		out_json_time(o, "first_stored", s->span.first_ns);
		out_json_time(o, "last_stored", s->span.last_ns);
		out_json_str(o, "gap",
		    s->gap == LOG_GAP       ? "gap"
		    : s->gap == LOG_BETWEEN ? "between"
					    : NULL);
		out_json(c, "item", o);
		return;
	}
	snprintf(line, sizeof line, "%u", s->span.timeline);
	calendar_format_local(when, s->span.last_ns);
	when[19] = '\0';
	text_row(t, (const char *[]){repo, line, from, to, text_count(n, s->span.stretches),
			text_bytes(size, s->stored), when, gap});
}

static void put_base(
    struct cli *c, struct text_table *t, const struct shown *x, const struct log_view_base *b)
{
	char id[32], line[16], from[24], to[24], gap[64] = "", when[CALENDAR_TEXT];
	const char *repo = x->repo, *system = x->system;
	json_t *o;

	position(from, b->start);
	position(to, b->end);
	if (b->forgotten)
		snprintf(gap, sizeof gap, "forgotten");
	else if (!b->whole)
		snprintf(gap, sizeof gap, "lacks %X/%X", (unsigned)(b->missing >> 32),
		    (unsigned)b->missing);
	if (c->out.json) {
		o = json_object();
		out_json_str(o, "kind", "base");
		out_json_str(o, "system", system);
		out_json_str(o, "repository", repo);
		out_json_id(o, "snapshot", &b->snapshot);
		out_json_time(o, "ended", b->ended_ns);
		json_object_set_new(o, "timeline", json_integer(b->timeline));
		out_json_str(o, "start", from);
		out_json_str(o, "end", to);
		json_object_set_new(o, "complete", json_boolean(b->whole));
		json_object_set_new(o, "forgotten", json_boolean(b->forgotten));
		out_json(c, "item", o);
		return;
	}
	snprintf(line, sizeof line, "%u", b->timeline);
	calendar_format_local(when, b->ended_ns);
	when[19] = '\0';
	text_row(t, (const char *[]){repo, text_id(id, &b->snapshot), line, from, to, when, gap});
}

static void put_divergence(struct cli *c, const struct shown *x, const struct log_at *at)
{
	char from[24], to[24], when[CALENDAR_TEXT];
	json_t *o;

	position(from, at->start);
	position(to, at->end);
	if (c->out.json) {
		o = json_object();
		out_json_str(o, "kind", "divergence");
		out_json_str(o, "system", x->system);
		out_json_str(o, "repository", x->repo);
		json_object_set_new(o, "timeline", json_integer(at->timeline));
		out_json_str(o, "start", from);
		out_json_str(o, "end", to);
		out_json_time(o, "stored", at->stored_ns);
		out_json(c, "item", o);
		return;
	}
	calendar_format_local(when, at->stored_ns);
	when[19] = '\0';
	out_list(c,
	    "%s in %s: other log of timeline %u, %s to %s, was stored on %s beside the first, and "
	    "is never read: another server wrote it, or this one was put back\n",
	    out_str(c, x->system), x->repo, at->timeline, from, to, when);
}

static void put_window(struct cli *c, const struct shown *x)
{
	const struct log_view *v = &x->view;
	const char *repo = x->repo, *system = x->system;
	char from[CALENDAR_TEXT], to[CALENDAR_TEXT], at[24];
	json_t *o;

	position(at, v->window.to);
	if (c->out.json) {
		o = json_object();
		out_json_str(o, "system", system);
		out_json_str(o, "repository", repo);
		out_json_u64(o, "gaps", v->gaps);
		out_json_u64(o, "divergences", v->divergences);
		json_object_set_new(o, "reachable", json_boolean(v->window.any));
		if (v->window.any) {
			out_json_time(o, "from", v->window.from_ns);
			out_json_time(o, "to", v->window.to_ns);
			json_object_set_new(o, "timeline", json_integer(v->window.timeline));
			out_json_str(o, "end", at);
		}
		out_json(c, "summary", o);
	} else if (v->window.any) {
		out_list(c,
		    "%s in %s can be brought back to any moment from %s to %s at least (%s)\n",
		    out_str(c, system), repo, calendar_format_local(from, v->window.from_ns),
		    calendar_format_local(to, v->window.to_ns), at);
	} else {
		out_list(c, "%s in %s: no base backup with all the log that it needs\n",
		    out_str(c, system), repo);
	}
}

static void print(struct cli *c, struct text_table *t)
{
	struct buf b = {0};

	if (!c->out.json && t->nrows > 1) {
		text_table_put(&b, t);
		out_list(c, "%s\n", buf_cstr(&b));
	}
	text_table_fini(t);
	buf_fini(&b);
}

/* ---- All streams of the systems that are asked for. */

struct looking {
	struct cli *c;
	struct log_place **places;
	size_t nplaces;
	struct shown *v;
	size_t n;
};

static int look_at(
    struct looking *l, struct log_place *p, struct repo *r, const char *name, struct err *e)
{
	struct snapshot_list all = {0};
	uint8_t(*streams)[LOG_STREAM] = NULL;
	size_t n = 0;
	int rc;

	if (repo_need(r, false, e) == -1 ||
	    log_find(r, log_place_system(p), log_place_source(p), &streams, &n, e) == -1)
		return -1;
	rc = snapshot_load_all(r, &all, e);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct shown x = {.repo = name, .system = log_place_system(p), .r = r};

		rc = log_view_make(r, streams[i], &all, &x.view, e);
		if (rc == 0) {
			l->v = mem_realloc(l->v, (l->n + 1) * sizeof x);
			l->v[l->n++] = x;
		}
	}
	snapshot_list_fini(&all);
	free(streams);
	return rc;
}

static int look_at_system(struct looking *l, const char *system, struct err *e)
{
	struct log_place *p;
	struct repo *r;
	int rc;

	if (log_place_new(l->c, system, 0, &p, e) == -1)
		return -1;
	l->places = mem_realloc(l->places, (l->nplaces + 1) * sizeof(void *));
	l->places[l->nplaces++] = p;
	for (size_t i = 0; i < log_place_repos(p); i++) {
		rc = log_place_repo(p, i, &r, e);
		if (rc == 0)
			rc = look_at(l, p, r, log_place_repo_name(p, i), e);
		if (rc == -1)
			return -1;
	}
	return 0;
}

/* The one that is named, or all that are PostgreSQL's. */
static int look(struct looking *l, struct err *e)
{
	struct cli *c = l->c;
	const char *system = c->args.n > 1 ? c->args.v[1] : c->opt.system;
	size_t found = 0;

	if (system != NULL || (c->opt.repo != NULL && c->opt.repo[0] != '\0'))
		return look_at_system(l, system, e);
	if (config_load(c, true, e) == -1)
		return -1;
	for (size_t i = 0; i < c->world->systems.n; i++) {
		const struct world_system *s = world_system_at(c->world, i);

		if (world_source_of(s, WORLD_POSTGRESQL) == NULL)
			continue;
		found++;
		if (look_at_system(l, s->item.name, e) == -1)
			return -1;
	}
	return found ? 0
		     : err_set(e, ERR_USAGE, "no system of %s is a server of PostgreSQL's",
			   c->world->files[0]);
}

static void looking_fini(struct looking *l)
{
	for (size_t i = 0; i < l->n; i++)
		log_view_fini(&l->v[i].view);
	free(l->v);
	for (size_t i = 0; i < l->nplaces; i++)
		log_place_free(l->places[i]);
	free(l->places);
}

int cmd_log_list(struct cli *c, struct err *e)
{
	struct text_table spans = {.align = "<>>>>><<", .ncols = 8, .head = true};
	struct text_table bases = {.align = "<<>>><<", .ncols = 7, .head = true};
	struct looking l = {.c = c};
	int rc = look(&l, e);

	text_row(&spans, (const char *[]){"Repository", "Timeline", "From", "To", "Stretches",
			     "Stored", "Last stored", "Note"});
	text_row(&bases,
	    (const char *[]){"Repository", "Base", "Timeline", "From", "To", "Ended", "Note"});
	for (size_t i = 0; rc == 0 && i < l.n; i++) {
		for (size_t k = 0; k < l.v[i].view.nspans; k++)
			put_span(c, &spans, &l.v[i], &l.v[i].view.spans[k]);
		for (size_t k = 0; k < l.v[i].view.nbases; k++)
			put_base(c, &bases, &l.v[i], &l.v[i].view.bases[k]);
	}
	print(c, &spans);
	print(c, &bases);
	for (size_t i = 0; rc == 0 && i < l.n; i++) {
		for (size_t k = 0; k < l.v[i].view.n; k++)
			if (l.v[i].view.beside[k])
				put_divergence(c, &l.v[i], &l.v[i].view.at[k]);
		put_window(c, &l.v[i]);
	}
	if (rc == 0 && l.n == 0 && !c->out.json)
		out_text(c, "there is no log\n");
	looking_fini(&l);
	return rc;
}

int cmd_log_verify(struct cli *c, struct err *e)
{
	struct log_verify_result all = {0};
	struct looking l = {.c = c};
	char size[32], n[TEXT_AMOUNT], gaps[TEXT_AMOUNT];
	int rc = look(&l, e);
	json_t *o;

	for (size_t i = 0; rc == 0 && i < l.n; i++)
		rc = op_log_verify(l.v[i].r, &l.v[i].view, c->ctx, &all, e);
	looking_fini(&l);
	if (rc == -1)
		return -1;
	if (c->out.json) {
		o = json_object();
		out_json_u64(o, "stretches", all.stretches);
		out_json_u64(o, "bytes", all.bytes);
		out_json_u64(o, "damaged", all.damaged);
		out_json_u64(o, "gaps", all.gaps);
		out_json_u64(o, "divergences", all.divergences);
		out_json(c, "summary", o);
	} else {
		out_text(c, "Read: %s, %s\n", text_amount(n, all.stretches, "stretch", "stretches"),
		    text_bytes(size, all.bytes));
	}
	if (all.damaged + all.gaps + all.divergences == 0)
		return 0;
	return err_set(e, ERR_DAMAGE_FOUND, "log verify: %llu damaged, %s, %s",
	    (unsigned long long)all.damaged, text_amount(gaps, all.gaps, "gap", "gaps"),
	    text_amount(n, all.divergences, "divergence", "divergences"));
}
